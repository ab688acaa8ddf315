"""Between Decimal and whole steps, and how sales move the books."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.types import Mode, OrderType, Side
from modules.execution.intents import FeeTerms, Intent
from modules.execution.order_state import Executed
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.positions import (
    Units,
    book_sale,
    open_position,
    plan_of,
    state_of,
    whole_up,
)
from modules.strategies.hype.records import Position, Proposal, Strategy
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.hype.sizing import trade_size
from tests.execution.venue import market

D = Decimal
RULES = rules_of(HypeSettings())
FEES = FeeTerms("AAA", "USDT", D("0.001"))
PROPOSAL = Proposal(symbol="AAAUSDT", strategy=Strategy.SIMPLE, confidence=0.86, probability=0.3, price=1.0,
                    atr_pct=1.3, market_ms=0, mode="TEST", candidate_id="c")
NONE = D(0)


def intent(number: int, quantity: Decimal, reason: str = "tp1", **note: str) -> Intent:
    return Intent(id=f"cx{number}", system="hype", account="TEST", symbol="AAAUSDT", leg="exit", slot="p",
                  generation=number, side=Side.SELL, type=OrderType.MARKET, quantity=quantity, reason=reason,
                  position_id="p", market_ms=0, fees=FEES, note=note)


def executed(quantity: Decimal, price: Decimal, fee_base: Decimal = NONE) -> Executed:
    fee = fee_base * price or quantity * price * D("0.001")
    return Executed(order_id="o", quantity=quantity, quote=quantity * price, fee_usdt=fee, fee_base=fee_base,
                    market_ms=1)


def opened(quantity: str = "1000", price: str = "1.2345", fee_base: str = "0") -> Position:
    bought = executed(D(quantity), D(price), D(fee_base))
    return open_position(msgspec.structs.replace(intent(0, D(quantity)), id="p"), bought, PROPOSAL, market(), Mode.TEST,
                         RULES)


@pytest.mark.parametrize("fee_base", ["0", "1.5"])
def test_a_stored_position_gives_the_plan_it_was_made_with(fee_base):
    position = opened(fee_base=fee_base)
    again = msgspec.json.decode(msgspec.json.encode(position), type=Position)
    assert again == position
    units = Units.of(market())
    plan, state = plan_of(again, RULES, units), state_of(again, units)
    assert plan.tp[:3] == tuple(units.ticks(price) for price in position.tp_prices)
    even = units.price(plan.break_even)
    assert executed(D(1), even).proceeds >= position.cost_usdt / position.initial_quantity
    assert executed(D(1), even - units.tick).proceeds < position.cost_usdt / position.initial_quantity
    assert state.quantity == int(position.quantity) and state.peak == 12345 and state.stop == plan.stop


prices = st.integers(1, 99_999).map(lambda ticks: ticks * D("0.0001"))


@pytest.mark.parametrize(("value", "unit", "whole"), [("1.0001", "0.0001", 10001), ("1.00011", "0.0001", 10002),
                                                      ("1", "0.3", 4), ("0.9", "0.3", 3)])
def test_rounding_up_to_whole_units(value, unit, whole):
    assert whole_up(D(value), D(unit)) == whole


@given(st.lists(st.tuples(st.integers(1, 400), prices), min_size=1, max_size=12), st.booleans())
def test_results_of_all_sales_add_up_to_what_came_in_less_what_was_paid(sales, in_coin):
    position = opened(fee_base="2" if in_coin else "0")
    cost, proceeds, total = position.cost_usdt, D(0), D(0)
    for number, (steps, price) in enumerate(sales, 1):
        quantity = min(D(steps), position.quantity // 1)
        if quantity < 1:
            break
        sold = executed(quantity, price)
        position, trade = book_sale(position, intent(number, quantity), sold, market())
        proceeds += sold.proceeds
        assert trade.pnl_usdt is not None
        total += trade.pnl_usdt
        assert trade.closes == (position.quantity < 1)
    if position.quantity == 0:
        assert abs(total - (proceeds - cost)) < D("1e-18")
    assert position.realized_usdt == total


def test_an_order_is_booked_once():
    after, _ = book_sale(opened(), intent(1, D(250)), executed(D(250), D(1)), market())
    with pytest.raises(ValueError, match="booked already"):
        book_sale(after, intent(1, D(250)), executed(D(250), D(1)), market())


def test_a_slice_half_sold_leaves_the_rest_due_and_moves_stop_and_target():
    after, trade = book_sale(opened(), intent(1, D(250), hit="1", stop="1.24"), executed(D(100), D("1.3")), market())
    assert (after.quantity, after.owed, after.tp_hit, after.sl_price) == (900, 150, 1, D("1.24"))
    assert not trade.closes and trade.quantity == 100


def test_a_full_exit_half_done_owes_nothing_to_a_target():
    after, _ = book_sale(opened(), intent(1, D(1000), "stop"), executed(D(400), D(1)), market())
    assert (after.quantity, after.owed) == (600, 0)


def test_less_than_a_step_left_is_the_end():
    position = opened(quantity="1000.4", fee_base="0")
    after, trade = book_sale(position, intent(1, D(1000), "stop"), executed(D(1000), D(1)), market())
    assert trade.closes and after.quantity == D("0.4")


@pytest.mark.parametrize(("settings", "equity", "factor", "size"), [
    ({}, "10000", 1.0, "50.00"), ({}, "10000", 0.5, "25.00"), ({"trade_usdt": 33.333}, "1", 1.0, "33.33"),
    ({"trade_share_pct": 0.7}, "10000", 1.0, "70.00"), ({"trade_share_pct": 5}, "10000", 1.0, "100.00"),
    ({"trade_share_pct": 5}, "0", 1.0, "0.00"), ({}, "1", 0.0, "0.00"),
])
def test_the_size_of_a_trade(settings, equity, factor, size):
    assert trade_size(HypeSettings(**settings), D(equity), factor) == D(size)
