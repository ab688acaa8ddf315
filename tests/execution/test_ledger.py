"""The fills ledger: laws that hold for any fills, and cases reckoned by hand."""

import random
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.types import Fill, Side
from modules.execution.holding import (
    Holding,
    apply,
    empty,
    equity_gap,
    fund,
    negligible,
    problem_of,
    third_coin_fees,
    unsellable,
)
from modules.execution.ledger import Funding, Ledger, Pages, Taken, synthetic_entry
from tests.execution.ledger_cases import PEPE, D, amounts, fill, fill_lists, prices

TINY = D("1e-25")
MARKETS = {"PEPEUSDT": PEPE}


def book(fills: list[Fill], signed: bool = False) -> Holding:
    ledger = Ledger("mexc", "LIVE", signed)
    ledger.take_all(fills, MARKETS)
    held = ledger.holding("PEPEUSDT")
    assert held is not None
    return held


def by_hand(*fills: Fill, signed: bool = False) -> Holding:
    held = empty(PEPE, signed)
    for one in fills:
        held = apply(held, one)
    return held


# by hand


def test_average_cost_and_result_of_a_partial_sale() -> None:
    held = by_hand(fill(1, "BUY", "10", "2"), fill(2, "BUY", "30", "4"), fill(3, "SELL", "20", "5"))
    assert (held.quantity, held.average, held.realised) == (D(20), D("3.5"), D(30))
    assert held.unrealised(D(3)) == D(-10)
    assert held.cash == D(-40)


def test_a_fee_in_the_coin_shrinks_the_quantity_and_leaves_the_average() -> None:
    held = by_hand(fill(1, "BUY", "1000", "2", fee="1", fee_asset="PEPE"))
    assert (held.quantity, held.average, held.fees, held.fees_base) == (D(999), D(2), D(2), D(1))
    assert held.cash == D(-2000)


def test_a_fee_in_quote_is_money() -> None:
    held = by_hand(fill(1, "BUY", "10", "2", fee="0.02"), fill(2, "SELL", "10", "3", fee="0.03"))
    assert (held.quantity, held.realised, held.fees, held.cash) == (D(0), D(10), D("0.05"), D("9.95"))


def test_a_fee_in_a_third_coin_is_kept_by_coin_and_never_valued_at_a_guess() -> None:
    held = by_hand(fill(1, "BUY", "10", "2", fee="0.5", fee_asset="MX"), fill(2, "SELL", "5", "2", fee="0.25",
                                                                              fee_asset="MX"))
    assert (held.fees, held.fees_other) == (D(0), {"MX": D("0.75")})
    assert third_coin_fees(held, {"MX": D(2)}) == D("1.5")
    assert third_coin_fees(held, {"BNB": D(2)}) is None


def test_spot_never_goes_below_zero_and_the_surplus_makes_no_result() -> None:
    held = by_hand(fill(1, "BUY", "10", "2"), fill(2, "SELL", "25", "3"))
    assert (held.quantity, held.realised, held.surplus, held.inflow) == (D(0), D(10), D(15), D(45))


def test_within_one_millisecond_a_buy_comes_before_a_sale_on_spot() -> None:
    held = book([fill(2, "BUY", "10", "2", at=5), fill(1, "SELL", "10", "3", at=5)])
    assert (held.quantity, held.surplus, held.realised) == (D(0), D(0), D(10))


def test_a_signed_holding_goes_through_zero() -> None:
    held = by_hand(fill(1, "BUY", "10", "2"), fill(2, "SELL", "25", "3"), signed=True)
    assert (held.quantity, held.average, held.realised, held.first_ms) == (D(-15), D(3), D(10), 20)
    back = apply(held, fill(3, "BUY", "20", "1"))
    assert (back.quantity, back.average, back.realised) == (D(5), D(1), D(40))


def test_funding_is_money_of_its_own() -> None:
    held = fund(by_hand(fill(1, "SELL", "10", "2"), signed=True), D("-0.5"), 30)
    assert (held.funding, held.cash, held.realised) == (D("-0.5"), D("19.5"), D(0))
    assert equity_gap(held, D(7)) == 0


@pytest.mark.parametrize(("quantity", "price", "cannot_sell", "may_drop"), [
    ("0.05", "1000", True, True),  # below one step, whatever it is worth
    ("10", "0.3", True, False),  # under the least notional, but worth keeping
    ("10", "0.04", True, True),  # under a tenth of it
    ("10", "1", False, False),
    ("5.09", "1", False, False),  # the step cuts it to 5.0, which is just enough
    ("4.99", "1", True, False),
])
def test_dust_dropping_a_record_needs_more_than_not_being_sellable(quantity: str, price: str, cannot_sell: bool,
                                                                   may_drop: bool) -> None:  # X25
    assert unsellable(D(quantity), PEPE, D(price)) is cannot_sell
    assert negligible(D(quantity), PEPE, D(price)) is may_drop


# laws


@given(fill_lists(), prices, st.booleans())
def test_money_is_conserved(fills: list[Fill], mark: Decimal, signed: bool) -> None:
    held = book(fills, signed)
    assert abs(equity_gap(held, mark)) <= TINY
    buys = sum((f.quantity for f in fills if f.side is Side.BUY), D(0))
    sales = sum((f.quantity for f in fills if f.side is Side.SELL), D(0))
    assert held.quantity - held.surplus == buys - sales - held.fees_base
    flow = sum((f.price * f.quantity * (-1 if f.side is Side.BUY else 1) for f in fills), D(0))
    assert held.cash == flow - sum((f.fee for f in fills if f.fee_asset == "USDT"), D(0))


@given(fill_lists(), st.randoms(use_true_random=False), st.booleans())
def test_order_of_arrival_does_not_matter(fills: list[Fill], chance: random.Random, signed: bool) -> None:
    mixed = list(fills)
    chance.shuffle(mixed)
    assert book(mixed, signed) == book(fills, signed)


@given(fill_lists(), st.data())
def test_what_comes_twice_counts_once(fills: list[Fill], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(fills), max_size=8))
    ledger = Ledger("mexc", "LIVE")
    ledger.take_all(fills, MARKETS)
    before = ledger.pages()
    assert all(ledger.take(one, None) is Taken.DUPLICATE for one in again)
    assert ledger.pages() == before


@given(fill_lists(most=6, fees=("USDT", "MX")), amounts, st.booleans())
def test_a_fill_told_in_two_parts_is_the_same(fills: list[Fill], part: Decimal, signed: bool) -> None:
    last = replace(fills[-1], market_ms=9)
    whole = [*fills[:-1], last]
    cut = last.quantity * part / D(1_000_001)
    share = cut / last.quantity
    halves = [replace(last, id="a", quantity=cut, fee=last.fee * share),
              replace(last, id="b", quantity=last.quantity - cut, fee=last.fee - last.fee * share)]
    one, two = book(whole, signed), book([*fills[:-1], *halves], signed)
    for name in ("quantity", "basis", "realised", "cash", "fees", "surplus"):
        first, second = getattr(one, name), getattr(two, name)
        assert abs(first - second) <= D("1e-15") * max(D(1), abs(first)), name


@given(fill_lists(fees=("USDT", "MX")))
def test_a_signed_holding_is_the_mirror_of_the_other_side(fills: list[Fill]) -> None:
    other = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
    held, mirror = book(fills, True), book([replace(f, side=other[f.side]) for f in fills], True)
    assert mirror.quantity == -held.quantity
    assert abs(mirror.realised + held.realised) <= TINY * (1 + abs(held.realised))
    assert mirror.average == held.average


@given(fill_lists())
def test_spot_is_never_negative(fills: list[Fill]) -> None:
    held = book(fills)
    assert held.quantity >= 0 and held.surplus >= 0 and held.basis >= 0


@given(fill_lists(), st.integers(0, 6))
def test_a_shortened_ledger_says_the_same(fills: list[Fill], before: int) -> None:
    ledger = Ledger("mexc", "LIVE")
    ledger.take_all(fills, MARKETS)
    held = ledger.holding("PEPEUSDT")
    gone = ledger.shorten(before)
    assert gone == sum(f.market_ms < before for f in fills)
    assert ledger.holding("PEPEUSDT") == held
    back = Ledger.restore(msgspec.json.decode(msgspec.json.encode(ledger.pages()), type=Pages))
    assert back.holding("PEPEUSDT") == held
    for one in fills:
        assert back.take(one, None) is (Taken.TOO_OLD if one.market_ms < before else Taken.DUPLICATE)


@given(fill_lists(), amounts, prices)
def test_a_synthetic_entry_meets_quantity_and_average_or_there_is_none(fills: list[Fill], quantity: Decimal,
                                                                       average: Decimal) -> None:  # X19
    held = book(fills)
    made = synthetic_entry(held, quantity, average, 99)
    if made is None:
        assert quantity <= held.quantity or quantity * average <= held.basis
        return
    assert made.id == synthetic_entry(held, quantity, average, 99).id  # type: ignore[union-attr]
    assert made.id.startswith("synthetic-") and made.price > 0
    after = apply(held, made)
    assert after.average is not None
    assert abs(after.quantity - quantity) <= TINY
    assert abs(after.average - average) <= D("1e-15") * average


# bad input


@pytest.mark.parametrize("change", [
    {"price": D("NaN")}, {"price": D(0)}, {"price": D(-1)}, {"quantity": D("Infinity")}, {"quantity": D(0)},
    {"fee": D("NaN")}, {"id": ""}, {"fee": D(1), "fee_asset": ""},
])
def test_garbage_is_refused_by_type(change: dict[str, object]) -> None:
    bad = replace(fill(1, "BUY", "1", "1"), **change)  # type: ignore[arg-type]
    assert problem_of(bad)
    ledger = Ledger("mexc", "LIVE")
    assert ledger.take(bad, PEPE) is Taken.INVALID
    assert ledger.holdings() == {}


def test_the_same_id_with_another_content_is_a_conflict_and_the_first_stands() -> None:
    ledger = Ledger("mexc", "LIVE")
    first = fill(1, "BUY", "10", "2")
    ledger.take(first, PEPE)
    assert ledger.take(replace(first, quantity=D(20)), PEPE) is Taken.CONFLICT
    assert ledger.take(replace(first, order_id="told later"), PEPE) is Taken.DUPLICATE
    assert ledger.holding("PEPEUSDT").quantity == D(10)  # type: ignore[union-attr]


def test_a_symbol_that_nobody_knows_is_not_guessed() -> None:
    assert Ledger("mexc", "LIVE").take(fill(1, "BUY", "1", "1"), None) is Taken.UNKNOWN_MARKET
    with pytest.raises(ValueError, match="does not belong"):
        apply(empty(PEPE), fill(1, "BUY", "1", "1", symbol="DOGEUSDT"))


def test_funding_is_counted_once() -> None:
    ledger = Ledger("binance", "LIVE", signed=True)
    assert ledger.take_funding(Funding("f1", "PEPEUSDT", D(1), 5)) is Taken.UNKNOWN_MARKET
    ledger.take(fill(1, "BUY", "1", "1"), PEPE)
    taken = [ledger.take_funding(Funding("f1", "PEPEUSDT", D(1), 5)) for _ in range(2)]
    assert taken == [Taken.NEW, Taken.DUPLICATE]
    ledger.take(fill(2, "BUY", "1", "1", at=1), PEPE)  # late: the symbol is folded anew, the funding stays
    assert ledger.holding("PEPEUSDT").funding == D(1)  # type: ignore[union-attr]


def test_coins_over_all_symbols_with_third_coins_paid_as_fees() -> None:
    market = replace(PEPE, symbol="MXUSDT", base="MX")
    ledger = Ledger("mexc", "LIVE")
    ledger.take_all([fill(1, "BUY", "10", "2", fee="0.5", fee_asset="MX"),
                     fill(1, "BUY", "3", "4", symbol="MXUSDT")], {**MARKETS, "MXUSDT": market})
    assert ledger.assets() == {"PEPE": D(10), "USDT": D(-32), "MX": D("2.5")}
    assert ledger.since_ms("PEPEUSDT") == 10 and ledger.since_ms("NOPE") == 0


def test_both_halves_of_a_trade_with_oneself_count_and_come_back_from_disk() -> None:  # X11
    ours = replace(fill(7, "SELL", "40", "2"), maker=True)
    hand = replace(fill(7, "BUY", "40", "2"), order_id="o-hand", client_id="hand")
    ledger = Ledger("sim", "a")
    assert ledger.take(fill(1, "BUY", "100", "1", at=5), PEPE) is Taken.NEW
    assert [ledger.take(one, PEPE) for one in (ours, hand, hand, ours)] == [
        Taken.NEW, Taken.NEW, Taken.DUPLICATE, Taken.DUPLICATE]
    held = ledger.holding("PEPEUSDT")
    assert held is not None and held.quantity == 100
    again = Ledger.restore(ledger.pages())
    assert [again.take(one, PEPE) for one in (hand, ours)] == [Taken.DUPLICATE, Taken.DUPLICATE]
    assert again.take(replace(hand, price=D(3)), PEPE) is Taken.CONFLICT
    ledger.shorten(ours.market_ms + 1)
    assert [ledger.take(one, PEPE) for one in (hand, ours)] == [Taken.TOO_OLD, Taken.TOO_OLD]
