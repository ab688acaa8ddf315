"""The judge of storm and crash matrix sees every kind of wrong; a storm proves nothing with a judge that cannot."""

import copy
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from benchmarks.soak import slope
from benchmarks.storm_watch import Watch
from benchmarks.venue_books import Books, compare
from modules.exchange.types import OrderType, Side
from modules.execution.intents import FeeTerms, Intent
from modules.strategies.hype.records import Position, Strategy, Trade

D = Decimal
BUY, SALE = "cxbuy", "cxsale"


def intent(name: str, leg: Any, slot: str) -> Intent:
    return Intent(id=name, system="hype", account="LIVE", symbol="AAAUSDT", leg=leg, slot=slot, generation=0,
                  side=Side.BUY if leg == "entry" else Side.SELL, type=OrderType.IOC, reason="", market_ms=1,
                  fees=FeeTerms("AAA", "USDT", D("0.001")))


def trade(name: str, side: Any, quantity: str, quote: str, fee: str, **more: Any) -> Trade:
    return Trade(id=name, position_id=BUY, symbol="AAAUSDT", mode="LIVE", side=side, market_ms=1, price=D(1),
                 quantity=D(quantity), quote_usdt=D(quote), fee_usdt=D(fee), strategy=Strategy.SIMPLE, confidence=0.8,
                 reason="", **more)


def position(quantity: str) -> Position:
    return Position(id=BUY, symbol="AAAUSDT", mode="LIVE", strategy=Strategy.SIMPLE, confidence=0.8, opened_ms=1,
                    entry_price=D(1), quantity=D(quantity), initial_quantity=D(10), cost_usdt=D("10.01"),
                    tp_prices=(D(2),), sl_price=D("0.5"), sl_initial=D("0.5"), dynamic_peak=D(1))


def order(number: str, name: str, side: str, filled: str) -> dict[str, Any]:
    return {"id": number, "client_id": name, "symbol": "AAAUSDT", "side": side, "base": "AAA", "status": "FILLED",
            "filled_qty": filled}


def fill(number: str, side: str, quantity: str, fee: str) -> dict[str, Any]:
    return {"id": "f" + number, "order": number, "symbol": "AAAUSDT", "side": side, "price": "1", "qty": quantity,
            "quote": quantity, "fee": fee, "fee_asset": "USDT"}


@pytest.fixture
def books() -> Books:
    """Ten bought, four sold, all booked."""
    return Books({"AAAUSDT": position("6")},
                 [trade(BUY, "BUY", "10", "10", "0.01"), trade(SALE, "SELL", "4", "4", "0.004")],
                 {BUY: intent(BUY, "entry", "m1"), SALE: intent(SALE, "exit", BUY)}, set())


@pytest.fixture
def truth() -> dict[str, Any]:
    return {"accounts": {"trader": {
        "balances": {"USDT": {"free": "9993.986", "locked": "0"}, "AAA": {"free": "6", "locked": "0"}},
        "orders": [order("1", BUY, "BUY", "10"), order("2", SALE, "SELL", "4")],
        "fills": [fill("1", "BUY", "10", "0.01"), fill("2", "SELL", "4", "0.004")],
        "fees": {"USDT": "0.014"}, "transfers": []}}}


def test_books_that_agree(books, truth):
    found = compare(books, truth)
    assert found.problems == [] and (found.orders, found.executed, found.equity_error) == (2, 2, 0)


def test_a_trade_that_is_not_in_the_history_is_lost(books, truth):
    del books.trades[1]
    found = compare(books, truth)
    assert len(found.lost) == 2 and found.cash_error == D("3.996") and found.fees_error == D("0.004")


def test_a_last_unit_is_seen(books, truth):
    books.trades[1] = msgspec.structs.replace(books.trades[1], fee_usdt=D("0.0040000000001"))
    found = compare(books, truth)
    assert len(found.misbooked) == 1 and found.equity_error == D("1E-13")


def test_two_purchases_for_one_proposal_are_doubled(books, truth):
    again = "cxagain"
    books.intents[again] = intent(again, "entry", "m1")
    truth["accounts"]["trader"]["orders"].append(order("3", again, "BUY", "10"))
    assert any("bought 2 times" in text for text in compare(books, truth).doubled)


def test_a_client_id_executed_twice_and_a_trade_booked_twice_are_doubled(books, truth):
    truth["accounts"]["trader"]["orders"].append(order("3", SALE, "SELL", "4"))
    books.trades.append(books.trades[1])
    found = compare(books, truth)
    assert len(found.doubled) == 2 and len(found.lost) == 1


def test_more_sold_than_bought_is_doubled(books, truth):
    books.trades[1] = msgspec.structs.replace(books.trades[1], quantity=D(11))
    assert any("1 more sold than bought" in text for text in compare(books, truth).doubled)


def test_an_order_without_an_intent_is_lost(books, truth):
    del books.intents[SALE]
    assert any("without an intent" in text for text in compare(books, truth).lost)


def test_a_trade_that_the_venue_never_made_is_lost(books, truth):
    del truth["accounts"]["trader"]["orders"][1], truth["accounts"]["trader"]["fills"][1]
    assert any("not at the venue" in text for text in compare(books, truth).lost)


@pytest.mark.parametrize("quantity", ["", "5", "7"])
def test_a_position_that_its_history_does_not_explain_is_lost(books, truth, quantity):
    books.positions = {"AAAUSDT": position(quantity)} if quantity else {}
    assert compare(books, truth).lost


def test_open_intents_and_resting_orders_are_unresolved(books, truth):
    books.open = {SALE}
    truth["accounts"]["trader"]["orders"][1]["status"] = "NEW"
    found = compare(books, truth)
    assert found.unresolved == [SALE] and len(found.resting) == 1


def test_trades_by_hand_and_transfers_are_explained(books, truth):
    account = truth["accounts"]["trader"]
    account["orders"].append({**order("3", "web", "BUY", "5"), "symbol": "BBBUSDT", "base": "BBB"})
    account["fills"].append({**fill("3", "BUY", "5", "0.005"), "symbol": "BBBUSDT"})
    account["transfers"].append({"asset": "USDT", "amount": "-100"})
    account["balances"] |= {"BBB": {"free": "5", "locked": "0"}, "USDT": {"free": "9888.981", "locked": "0"}}
    account["fees"]["USDT"] = "0.019"
    found = compare(books, truth)
    assert found.problems == [] and found.manual == 1
    moved = copy.deepcopy(truth)
    moved["accounts"]["trader"]["balances"]["BBB"]["free"] = "4"
    assert compare(books, moved).coins_off


def test_dust_on_record_stays_in_the_account(books, truth):
    books.positions = {}
    books.trades.append(trade(f"{BUY}-dust", "SELL", "6", "0", "0", closes=True))
    assert compare(books, truth).problems == []


def test_the_watch_measures_from_the_newest_look(tmp_path):
    watch = Watch(tmp_path)
    row = {"id": "p", "symbol": "AAAUSDT", "state": "open", "last_seen_ms": 1_000}
    watch.sample({"AAAUSDT": row}, 0, 1_000, 10.0)
    watch.sample({"AAAUSDT": row}, 0, 3_000, 12.0)
    watch.sample({"AAAUSDT": row}, 3_000, 3_500, 12.5)  # the heartbeat knows better than the file
    watch.sample({"AAAUSDT": {**row, "state": "halted"}}, 3_000, 99_000, 99.0)
    assert (watch.worst_wall_s, watch.worst_market_s) == (2.0, 2.0)


def test_a_creeping_memory_has_a_slope_and_a_passing_training_has_none():
    creeping = [(hour / 10, 100 + hour / 10) for hour in range(60, 480)]
    found = slope(creeping, 6)
    assert found is not None and found[1] == pytest.approx(1.0, rel=0.05)
    passing = [(hour / 10, 180.0 if 200 <= hour < 230 else 100.0) for hour in range(60, 480)]
    assert slope(passing, 6) == (100.0, 0.0)
