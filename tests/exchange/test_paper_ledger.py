"""The paper account's laws: nothing is filled that did not stand there, nothing is made or lost but fees (X12)."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.exchange.paper_depth import HOLD_MS, Depth, walk
from modules.exchange.paper_ledger import Ledger
from modules.exchange.paper_state import KEEP_FILLS, Money, PaperState
from modules.exchange.types import (
    Accepted,
    Book,
    Market,
    OrderRequest,
    OrderStatus,
    OrderType,
    Print,
    Refused,
    Side,
)
from tests.exchange.paper_market import PEPE, book, buy, sell

D = Decimal


def ledger(usdt: str = "1000", pepe: str = "0") -> Ledger:
    return Ledger(PaperState({"USDT": Money(D(usdt)), "PEPE": Money(D(pepe))}))


BOOK = book([("0.99", "100"), ("0.98", "50"), ("0.90", "1000")], [("1.01", "100"), ("1.02", "50"), ("1.10", "1000")])


def test_a_market_buy_walks_the_book_and_pays_fees_in_quote() -> None:
    account = ledger()
    assert isinstance(account.submit(buy("a", "120"), PEPE, BOOK, 5), Accepted)
    order = account.order("PEPEUSDT", "a")
    assert order is not None and order.status is OrderStatus.FILLED
    assert order.filled_quote == D("100") * D("1.01") + D("20") * D("1.02")
    fees = sum(fill.fee for fill in account.fills("PEPEUSDT", 0))
    assert fees == order.filled_quote * D("0.001")
    assert account.money("USDT").free == 1000 - order.filled_quote - fees
    assert account.money("PEPE").free == 120


def test_a_stop_in_a_gap_fills_in_the_gap() -> None:
    account = ledger(pepe="100")
    gap = book([("0.50", "60"), ("0.40", "100")], [("0.95", "10")])
    account.submit(sell("stop", "100"), PEPE, gap, 5)
    assert [(f.price, f.quantity) for f in account.fills("PEPEUSDT", 0)] == [(D("0.50"), 60), (D("0.40"), 40)]


def test_a_thin_book_fills_thinly_and_the_rest_is_cancelled() -> None:
    account = ledger(pepe="5000")
    account.submit(sell("a", "5000"), PEPE, BOOK, 5)
    order = account.order("PEPEUSDT", "a")
    assert order is not None and (order.status, order.filled) == (OrderStatus.CANCELED, 1150)
    assert account.money("PEPE") == Money(D(3850), D(0))


def test_a_buy_by_budget_spends_no_more_than_it() -> None:
    account = ledger()
    account.submit(buy("a", quote="150"), PEPE, BOOK, 5)
    order = account.order("PEPEUSDT", "a")
    assert order is not None and order.status is OrderStatus.FILLED
    assert 150 - D("1.02") < order.filled_quote <= 150 and order.quantity == order.filled


def test_what_we_took_does_not_stand_again_until_the_book_has_moved() -> None:
    account = ledger(usdt="100000")
    account.submit(buy("a", "100"), PEPE, BOOK, 0)
    account.submit(buy("b", "50"), PEPE, BOOK, 1000)
    assert [f.price for f in account.fills("PEPEUSDT", 0)] == [D("1.01"), D("1.02")]
    more = book([], [("1.01", "130"), ("1.02", "50")])  # 30 more than stood there
    account.submit(buy("c", "40", price="1.01", kind=OrderType.IOC), PEPE, more, 2000)
    assert account.order("PEPEUSDT", "c").filled == 30  # type: ignore[union-attr]
    gone = book([], [("1.02", "50"), ("1.10", "1000")])
    account.depth.standing(gone, Side.BUY, 3000)  # the price vanished: what comes later is somebody else's
    account.submit(buy("d", "100", price="1.01", kind=OrderType.IOC), PEPE, BOOK, 4000)
    assert account.order("PEPEUSDT", "d").filled == 100  # type: ignore[union-attr]
    account.submit(buy("e", "100", price="1.01", kind=OrderType.IOC), PEPE, BOOK, 4000 + HOLD_MS)
    assert account.order("PEPEUSDT", "e").filled == 100  # type: ignore[union-attr]


def test_ioc_takes_what_crosses_and_ends() -> None:
    account = ledger()
    account.submit(buy("a", "140", price="1.01", kind=OrderType.IOC), PEPE, BOOK, 5)
    order = account.order("PEPEUSDT", "a")
    assert order is not None and (order.status, order.filled) == (OrderStatus.CANCELED, 100)
    assert account.money("USDT").locked == 0


def test_post_only_that_would_cross_ends_unfilled() -> None:
    account = ledger()
    assert isinstance(account.submit(buy("a", "10", price="1.01", kind=OrderType.POST_ONLY), PEPE, BOOK, 5), Accepted)
    assert account.order("PEPEUSDT", "a").status is OrderStatus.CANCELED  # type: ignore[union-attr]
    assert account.money("USDT") == Money(D(1000), D(0))


def test_a_resting_order_locks_its_cost_and_frees_it_when_cancelled() -> None:
    account = ledger()
    account.submit(buy("a", "100", price="0.95"), PEPE, BOOK, 5)
    assert account.money("USDT").locked == D("95") * D("1.001")
    assert isinstance(account.cancel("PEPEUSDT", "a", 6), Accepted)
    assert account.money("USDT") == Money(D(1000), D(0))
    again = account.cancel("PEPEUSDT", "a", 7)
    assert isinstance(again, Refused) and again.code == "-2011"


def test_a_resting_order_fills_only_by_what_crossed_it() -> None:
    account = ledger()
    account.submit(buy("a", "100", price="0.95"), PEPE, BOOK, 10)
    touched = [Print(D("0.95"), D(1000), 11), Print(D("0.94"), D(1000), 9)]  # at its price; and before it
    assert not account.reach(PEPE, BOOK, touched, 12)
    assert account.reach(PEPE, BOOK, [*touched, Print(D("0.94"), D(30), 13)], 14)
    order = account.order("PEPEUSDT", "a")
    assert order is not None and (order.filled, order.status) == (30, OrderStatus.PARTIAL)
    assert not account.reach(PEPE, BOOK, [Print(D("0.94"), D(30), 13)], 15)  # the same trade counts once
    crossed = book([("0.90", "10")], [("0.93", "20"), ("0.96", "100")])
    assert account.reach(PEPE, crossed, [], 16)
    assert account.order("PEPEUSDT", "a").filled == 50  # type: ignore[union-attr]
    assert not account.reach(PEPE, crossed, [], 17)  # what we took does not stand again
    fills = account.fills("PEPEUSDT", 0)
    assert {(f.price, f.maker) for f in fills} == {(D("0.95"), True)}
    assert fills[0].fee == D("30") * D("0.95") * PEPE.maker_fee
    assert account.money("USDT").locked == D("0.95") * 50 * D("1.001")


def test_one_trade_through_does_not_fill_two_orders_twice() -> None:
    account = ledger()
    account.submit(buy("high", "30", price="0.96"), PEPE, BOOK, 10)
    account.submit(buy("low", "30", price="0.95"), PEPE, BOOK, 10)
    account.reach(PEPE, BOOK, [Print(D("0.94"), D(40), 11)], 12)
    filled = {client: account.order("PEPEUSDT", client).filled for client in ("high", "low")}  # type: ignore[union-attr]
    assert filled == {"high": 30, "low": 10}


def market_with(**changes: object) -> Market:
    return replace(PEPE, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("request_", "market", "code"), [
    (buy("x", "10"), market_with(trading=False), "30016"),
    (buy("x", "10"), market_with(api_allowed=False), "10007"),
    (buy("x", "10"), market_with(market_orders=False), "30051"),
    (buy("x", "10"), market_with(buys=False), "30001"),
    (sell("x", "10"), market_with(sells=False), "30001"),
    (buy("x", "0.5"), PEPE, "10096"),
    (buy("x", "0"), PEPE, "10102"),
    (buy("x", quote="-5"), PEPE, "10102"),
    (buy("x", "10", price="0.955"), PEPE, "33333"),
    (buy("x", "10", price="0"), PEPE, "33333"),
    (buy("x", quote="0.99"), PEPE, "30002"),
    (sell("x", "1"), PEPE, "30002"),
    (buy("x", "5000", price="0.95"), PEPE, "30004"),
    (buy("x", quote="1000"), PEPE, "30004"),  # the fee comes on top
    (sell("x", "101"), PEPE, "30005"),
])
def test_the_venues_refusals(request_: OrderRequest, market: Market, code: str) -> None:
    account = ledger(pepe="100")
    outcome = account.submit(request_, market, BOOK, 5)
    assert isinstance(outcome, Refused) and outcome.code == code and outcome.text
    assert account.snapshot() == ledger(pepe="100").snapshot()


def test_an_empty_book_refuses_a_market_order() -> None:
    outcome = ledger().submit(buy("x", "10"), PEPE, book(), 5)
    assert isinstance(outcome, Refused) and outcome.code == "30025"


def test_a_client_id_is_used_once() -> None:
    account = ledger()
    account.submit(buy("a", "10"), PEPE, BOOK, 5)
    outcome = account.submit(buy("a", "10"), PEPE, BOOK, 6)
    assert isinstance(outcome, Refused) and outcome.code == "30026"
    assert account.money("PEPE").free == 10


def test_the_file_stays_bounded() -> None:
    account = ledger(usdt="10000000")
    for number in range(KEEP_FILLS + 20):
        account.submit(buy(f"c{number}", "1"), market_with(min_notional=D("0.1")), BOOK, number * HOLD_MS)
    state = account.snapshot()
    assert len(state.fills) == KEEP_FILLS and len(state.orders) <= 401
    assert state.dropped_ms == 19 * HOLD_MS


levels = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 300)), min_size=0, max_size=8)
orders = st.lists(
    st.tuples(
        st.sampled_from(Side), st.sampled_from(OrderType), st.integers(1, 400), st.integers(40, 160), st.booleans(),
        levels, levels, st.integers(0, 15_000), st.integers(0, 200),
    ),
    max_size=25,
)


def _book(bids: list[tuple[int, int]], asks: list[tuple[int, int]], ms: int) -> Book:
    lower = {D(100 - price) / 100: D(quantity) for price, quantity in bids}
    upper = {D(100 + price) / 100: D(quantity) for price, quantity in asks}
    return Book("PEPEUSDT", tuple(sorted(lower.items(), reverse=True)), tuple(sorted(upper.items())), ms)


@settings(max_examples=150, deadline=None)
@given(orders)
def test_money_is_conserved_and_nothing_is_negative(course: list[tuple]) -> None:
    account = ledger(usdt="500", pepe="300")
    now = 0
    for number, (side, kind, size, price, by_quote, bids, asks, passed, printed) in enumerate(course):
        now += passed
        shown = _book(bids, asks, now)
        request = OrderRequest(
            f"c{number}", "PEPEUSDT", side, kind,
            None if by_quote and kind is OrderType.MARKET and side is Side.BUY else D(size),
            D(size) if by_quote and kind is OrderType.MARKET and side is Side.BUY else None,
            None if kind is OrderType.MARKET else D(price) / 100)
        standing = account.depth.standing(shown, side, now)
        before = len(account.fills("PEPEUSDT", 0))
        account.submit(request, PEPE, shown, now)
        taken = sum((f.quantity for f in account.fills("PEPEUSDT", 0)[before:]), D(0))
        assert taken <= sum((leg.quantity for leg in standing), D(0))
        account.reach(PEPE, shown, [Print(D(price) / 100, D(printed), now)] if printed else [], now)
        if number % 5 == 4 and account.resting():
            account.cancel("PEPEUSDT", account.resting()[0].client_id, now)
    _check_books(account)


def _check_books(account: Ledger) -> None:
    usdt, pepe = D(500), D(300)
    for fill in account.fills("PEPEUSDT", 0):
        sign = 1 if fill.side is Side.BUY else -1
        pepe += sign * fill.quantity
        usdt -= sign * fill.price * fill.quantity + fill.fee
    for asset, total in (("USDT", usdt), ("PEPE", pepe)):
        money = account.money(asset)
        assert money.free >= 0 and money.locked >= 0
        assert money.free + money.locked == total
    held = {"USDT": D(0), "PEPE": D(0)}
    for order in account.resting():
        held[order.hold_asset] += order.hold
    assert held == {asset: account.money(asset).locked for asset in held}


@given(levels, levels, st.integers(1, 500))
def test_sides_mirror_each_other(bids: list[tuple[int, int]], asks: list[tuple[int, int]], size: int) -> None:
    shown = _book(bids, asks, 0)
    mirrored = Book("PEPEUSDT", tuple((2 - p, q) for p, q in shown.asks), tuple((2 - p, q) for p, q in shown.bids), 0)
    bought = walk(Depth().standing(shown, Side.BUY, 0), Side.BUY, D(1), quantity=D(size))
    sold = walk(Depth().standing(mirrored, Side.SELL, 0), Side.SELL, D(1), quantity=D(size))
    assert [(2 - leg.price, leg.quantity) for leg in sold] == [(leg.price, leg.quantity) for leg in bought]
