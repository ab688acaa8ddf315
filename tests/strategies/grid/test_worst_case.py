"""The worst case before the start (X38): the seed's example, identities, refusals with figures."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.units import Bracket
from modules.strategies.grid.worst_case import liquidation_price, maintenance, may_start, worst_case
from tests.strategies.grid.venue import BTC

PRICE = Decimal(42_000)  # where the seed's own example stands


def test_the_seeds_example_breaks_a_balance_of_a_thousand() -> None:
    found = worst_case(GridSettings(), BTC, PRICE, Decimal(1000))
    assert found.down.orders == found.up.orders == 20
    assert -1500 <= found.up.loss < found.down.loss <= -1000
    assert found.down.liquidated_at is not None and found.up.liquidated_at is not None
    start = may_start(GridSettings(), BTC, PRICE, Decimal(1000))
    assert not start.allowed
    assert any(f"{-found.down.loss - 500:,.2f} more than the limit" in text for text in found.unsafe)


def test_risk_accepted_in_so_many_words_starts_and_is_recorded() -> None:
    start = may_start(GridSettings(), BTC, PRICE, Decimal(1000), "u1, update 77")
    assert start.allowed and start.accepted == "u1, update 77"


@pytest.mark.parametrize("price", [20_000, 42_000, 62_000, 120_000])
def test_the_default_paper_balance_starts_the_seeds_grid(price: int) -> None:
    start = may_start(GridSettings(), BTC, Decimal(price), Decimal(str(GridSettings().paper_usdt)))
    assert start.allowed and not start.figures.unsafe and start.accepted == ""


def test_no_acceptance_allows_what_cannot_work() -> None:
    small = msgspec.structs.replace(BTC, max_leverage=5, min_quantity=Decimal("0.01"))
    start = may_start(GridSettings(), small, PRICE, Decimal(10_000), "I do")
    assert not start.allowed and len(start.impossible) == 2
    assert "leverage 10 is above the 5" in start.impossible[0]
    assert not may_start(GridSettings(), BTC, PRICE, Decimal(10), "I do").allowed


def test_figures_by_hand_for_two_orders() -> None:
    """First at 100, second at 99.5: 0.001 + 0.001 (1.5 rounded down to steps), no funding, fee 0.06 %."""
    one = GridSettings(space_orders=2, space1_orders=1, space2_orders=1, space3_orders=1, funding_days=0,
                       multiplier=0, space1_lots=0.001, space2_lots=0.001, space3_lots=0.001, protect_pct=0)
    contract = msgspec.structs.replace(BTC, tick=Decimal("0.000001"))
    found = worst_case(one, contract, Decimal(100_000), Decimal(10_000))
    prices = [Decimal(100_000)]
    for width in ("0.005", "0.01", "0.02", "0.03"):
        prices.append(prices[-1] * (1 - Decimal(width)))
    cost, value = sum(prices, Decimal(0)) / 1000, prices[-1] * 5 / 1000
    fees = (cost + value) * Decimal("0.0006")
    assert found.down.last_price == pytest.approx(prices[-1], abs=Decimal("0.001"))
    assert abs(found.down.loss - (value - cost - fees)) < Decimal("0.02")
    assert abs(found.down.margin - cost / 10) < Decimal("0.02")
    assert found.down.loss_at_stop == found.down.loss and found.down.stop is None
    assert found.both.margin == found.down.margin + found.up.margin
    assert found.both.loss < min(found.down.loss, found.up.loss)


@given(st.sampled_from([1, -1]), st.integers(1, 10**6), st.integers(100, 10**6), st.integers(1, 10**7))
def test_margin_is_used_up_exactly_at_the_liquidation_price(side: int, size: int, entry: int, wallet: int) -> None:
    brackets = (Bracket(Decimal(50_000), 100, Decimal("0.005")),
                Bracket(Decimal(10**15), 50, Decimal("0.01"), Decimal(250)))
    amount = Decimal(size) / 1000
    found = liquidation_price(brackets, side, amount, amount * entry, Decimal(wallet))
    if found is None:
        assert side > 0 or wallet < 0 or amount * entry < wallet  # a long whose wallet pays everything
        return
    equity = wallet + side * amount * (found - entry)
    assert abs(equity - maintenance(brackets, amount * found)) <= amount * Decimal("0.0000001")


@limits(deadline=None, max_examples=25)
@given(st.integers(500, 100_000), st.integers(1, 50), st.integers(1, 100))
def test_more_balance_is_never_less_safe_beyond_larger_lots(balance: int, leverage: int, price: int) -> None:
    """Loss and margin come from the same orders: margin × leverage is the notional, the loss lies within it."""
    found = worst_case(GridSettings(leverage=leverage), BTC, Decimal(price * 1000), Decimal(balance))
    for end in (found.down, found.up):
        assert abs(end.margin * leverage - end.notional) <= leverage * Decimal("0.01")
        assert end.affordable <= end.orders <= 20
        assert end.loss <= 0 and end.loss_at_stop <= end.loss
    assert found.safe is (not found.unsafe)


def test_leverage_beyond_the_bracket_of_the_full_side_is_unsafe() -> None:
    tight = msgspec.structs.replace(BTC, brackets=(Bracket(Decimal(3000), 100, Decimal("0.005")),
                                                   Bracket(Decimal(10**9), 5, Decimal("0.1"), Decimal(285))))
    found = worst_case(GridSettings(), tight, PRICE, Decimal(10_000))
    assert any("allows leverage 5, not 10" in text for text in found.unsafe)


@pytest.mark.parametrize(("price", "balance"), [("0", "1"), ("1", "0"), ("-1", "5")])
def test_no_price_or_balance_is_refused(price: str, balance: str) -> None:
    with pytest.raises(ValueError, match="above 0"):
        worst_case(GridSettings(), BTC, Decimal(price), Decimal(balance))


def test_a_stop_beyond_the_liquidation_guards_nothing_and_is_named() -> None:
    """Loss and margin are within what is allowed here: only the liquidation comes first."""
    wide = GridSettings(leverage=125, base_lot=0.01, risk_limit_pct=100, protect_pct=12, space_orders=1,
                        space1_orders=1, space2_orders=1, space3_orders=1, funding_days=0)
    found = worst_case(wide, BTC, PRICE, Decimal(290))
    assert found.down.liquidation is not None and found.down.stop is not None
    assert found.down.liquidation > found.down.stop
    late = [text for text in found.unsafe if text.startswith("down: liquidated at") and "before its stop" in text]
    assert late and not found.safe
    nearer = worst_case(wide.model_copy(update={"protect_pct": 0.5}), BTC, PRICE, Decimal(290))
    assert not any("before its stop" in text for text in nearer.unsafe)
