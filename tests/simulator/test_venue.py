"""The venue's laws: money is conserved, orders end as they must, the market reaches what rests."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules.simulator.accounts import Account, Order, OrderType, Status
from modules.simulator.book import BUY, SELL
from modules.simulator.errors import Reason, Refused
from modules.simulator.rules import NewOrder
from modules.simulator.source import ModelSource
from modules.simulator.universe import DAY_MS
from modules.simulator.venue import Change, Venue

START = 20_490 * DAY_MS + 41_234_567
SOURCE = ModelSource(4, 15)


class Bench:
    """A venue whose time is set by the test."""

    def __init__(self, fee_asset: str = "quote") -> None:
        self.ms = START
        self.changes: list[Change] = []
        self.accounts = [Account("one", "k1", "s1"), Account("two", "k2", "s2")]
        for account in self.accounts:
            account.balance("USDT").free = Decimal(1_000_000)
        self.venue = Venue(
            SOURCE, self.accounts, lambda: self.ms, fee_asset=fee_asset, commit=self.changes.append)  # type: ignore[arg-type]
        self.token = next(
            t for t in SOURCE.calendar(START // DAY_MS).tokens[10:]
            if t.api_open and t.in_defaults and t.market_orders and START - t.list_ms > DAY_MS)

    def price(self, ticks: int) -> Decimal:
        return Decimal(ticks).scaleb(-self.token.price_scale)

    def place(
        self, who: int, side: str, kind: OrderType, *, steps: int | None = None, quote: Decimal | None = None,
        ticks: int | None = None, client_id: str | None = None,
    ) -> Order:
        qty = Decimal(steps).scaleb(-self.token.base_scale) if steps is not None else None
        ask = NewOrder(self.token.symbol, side, kind, qty, quote, self.price(ticks) if ticks else None, client_id)
        return self.venue.place(self.accounts[who], ask)

    def ladder(self, side: str) -> list[tuple[int, int]]:
        return self.venue.model_book.ladder(self.token.slot, self.ms, side)

    def totals(self, asset: str) -> Decimal:
        return sum((a.balance(asset).free + a.balance(asset).locked for a in self.accounts), Decimal(0))


def check_books(bench: Bench) -> None:
    """Balances follow from fills alone; holds are what open orders hold; nothing is negative."""
    venue = bench.venue
    for account in bench.accounts:
        usdt, base = Decimal(1_000_000), Decimal(0)
        for fill in (f for f in venue.fills if f.account == account.name):
            sign = 1 if fill.side == BUY else -1
            usdt -= sign * fill.quote
            base += sign * fill.qty
            if fill.fee_asset == "USDT":
                usdt -= fill.fee
            else:
                base -= fill.fee
        for asset, expected in (("USDT", usdt), (bench.token.base, base)):
            balance = account.balance(asset)
            assert balance.free + balance.locked == expected
            assert balance.free >= 0 and balance.locked >= 0
            held = sum((o.hold for o in venue.open_orders(account, None) if o.hold_asset == asset), Decimal(0))
            assert balance.locked == held
    for order in venue.orders.values():
        mine = [f for f in venue.fills if f.order == order.id]
        assert sum((f.qty for f in mine), Decimal(0)) == order.amount(order.filled)
        assert sum((f.quote for f in mine), Decimal(0)) == order.filled_quote
        assert order.steps is None or order.filled <= order.steps
        assert order.hold == 0 or not order.status.final


actions = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from([BUY, SELL]), st.sampled_from(list(OrderType)), st.integers(1, 4000),
        st.integers(-40, 40), st.integers(0, 200_000), st.booleans()),
    min_size=1, max_size=14)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions, st.sampled_from(["quote", "received"]))
def test_money_is_conserved_whatever_is_done(steps, fee_asset) -> None:
    bench = Bench(fee_asset)
    for who, side, kind, size, offset, wait_ms, cancel in steps:
        bench.ms += wait_ms
        last = bench.venue.market.price(bench.token.slot, bench.ms)
        worth = size * 5 * 10 ** (bench.token.price_scale + bench.token.base_scale) // last
        try:
            if kind is OrderType.MARKET and side == BUY:
                bench.place(who, side, kind, quote=Decimal(size * 5))
            else:
                ticks = None if kind is OrderType.MARKET else max(1, last + last * offset // 1000)
                bench.place(who, side, kind, steps=max(1, worth), ticks=ticks)
        except Refused:
            pass
        opened = bench.venue.open_orders(bench.accounts[who], None)
        if cancel and opened:
            bench.venue.cancel(opened[0])
        check_books(bench)
    bench.ms += 3_600_000
    bench.venue.advance(bench.ms)
    check_books(bench)


def test_a_market_order_takes_level_after_level_and_leaves_a_hole_that_refills() -> None:
    bench = Bench()
    asks = bench.ladder(SELL)
    want = asks[0][1] + asks[1][1] + 1
    order = bench.place(0, BUY, OrderType.MARKET, steps=want)
    assert order.status is Status.FILLED
    prices = [f.price for f in bench.venue.fills]
    assert prices == [bench.price(t) for t, _ in asks[:3]]
    hole = dict(bench.ladder(SELL))
    assert asks[0][0] not in hole and asks[1][0] not in hole, "what was taken does not stand any more"
    bench.ms += 600_000
    last = bench.venue.model_book.ladder(bench.token.slot, bench.ms, SELL)
    assert len(last) > 40, "makers come back"


def test_no_fill_beyond_what_stands() -> None:
    bench = Bench()
    stands = sum(q for _, q in bench.ladder(BUY))
    bench.accounts[0].balance(bench.token.base).free = Decimal(10) ** 12
    last = bench.venue.market.price(bench.token.slot, bench.ms)
    wanted = min(stands * 2, int(99_000 / (last * bench.token.tick) * 10**bench.token.base_scale))
    order = bench.place(0, SELL, OrderType.MARKET, steps=wanted)
    assert order.filled == min(wanted, stands)
    if wanted > stands:
        assert order.status is Status.PARTIALLY_CANCELED


def test_a_second_taker_finds_what_the_first_one_left() -> None:
    bench = Bench()
    asks = bench.ladder(SELL)
    bench.place(0, BUY, OrderType.MARKET, steps=asks[0][1])
    bench.place(1, BUY, OrderType.MARKET, steps=asks[1][1] // 2)
    assert bench.venue.fills[-1].price >= bench.price(asks[1][0])


def test_fill_or_kill_is_all_or_nothing() -> None:
    bench = Bench()
    asks = bench.ladder(SELL)
    limit = asks[2][0]
    stands = sum(q for _, q in asks[:3])
    killed = bench.place(0, BUY, OrderType.FOK, steps=stands + 1, ticks=limit)
    assert (killed.status, killed.filled) == (Status.CANCELED, 0)
    assert bench.accounts[0].balance("USDT").free == 1_000_000
    partly = bench.place(0, BUY, OrderType.IOC, steps=stands + 1, ticks=limit)
    assert (partly.status, partly.filled) == (Status.PARTIALLY_CANCELED, stands)


def test_users_trade_with_each_other_at_the_better_price() -> None:
    bench = Bench()
    bid, ask = bench.ladder(BUY)[0][0], bench.ladder(SELL)[0][0]
    assert ask - bid >= 2, "the pair of this test has room inside its spread"
    maker = bench.place(0, BUY, OrderType.LIMIT, steps=5000, ticks=bid + 1)
    bench.accounts[1].balance(bench.token.base).free = Decimal(10**9)
    bench.place(1, SELL, OrderType.MARKET, steps=3000)
    assert maker.filled == 3000 and maker.status is Status.PARTIALLY_FILLED
    made, took = (next(f for f in bench.venue.fills if f.maker is flag) for flag in (True, False))
    assert made.price == took.price == bench.price(bid + 1)
    assert made.fee == made.quote * bench.token.maker
    assert (maker.limit, maker.remaining) in bench.venue.depth(bench.token, bench.ms, BUY, 1)


def _wait(bench: Bench, order: Order, done: Callable[[], bool], minutes: int = 600) -> None:
    for _ in range(minutes):
        bench.ms += 60_000
        bench.venue.advance(bench.ms)
        if done():
            return
    raise AssertionError(f"nothing reached {order}")


def test_a_resting_bid_is_filled_when_the_price_falls_through_it() -> None:
    bench = Bench()
    lows = bench.venue.history.candles(bench.token, "1m", START + 12 * 3_600_000, START + 120_000, None, 600).rows[:, 3]
    price = int(lows.min()) + max(2, int(lows.min()) // 500)
    assert price < bench.ladder(SELL)[0][0]
    order = bench.place(0, BUY, OrderType.LIMIT, steps=_worth_steps(bench, price, 20), ticks=price)
    assert order.status is Status.NEW
    _wait(bench, order, lambda: order.status is Status.FILLED, 700)
    assert all(f.maker and f.price == bench.price(price) for f in bench.venue.fills)


def test_a_resting_order_far_away_stays() -> None:
    bench = Bench()
    price = bench.ladder(BUY)[0][0] * 6 // 10
    order = bench.place(0, BUY, OrderType.LIMIT, steps=_worth_steps(bench, price, 20), ticks=price)
    bench.ms += 1_800_000
    bench.venue.advance(bench.ms)
    assert order.status is Status.NEW and order.filled == 0


def test_a_large_order_inside_the_spread_is_filled_in_parts() -> None:
    bench = Bench()
    bid = bench.ladder(BUY)[0][0]
    steps = _worth_steps(bench, bid, 200_000)
    order = bench.place(0, BUY, OrderType.LIMIT, steps=steps, ticks=bid + 1)
    _wait(bench, order, lambda: order.filled > 0)
    assert order.status is Status.PARTIALLY_FILLED and 0 < order.filled < steps
    traded = bench.venue.history.candles(bench.token, "1m", bench.ms, START - 60_000, None, 1000).rows[:, 5].sum()
    assert order.filled <= traded + sum(q for _, q in bench.ladder(SELL)), "no more than the market traded"


def _worth_steps(bench: Bench, ticks: int, usdt: int) -> int:
    return usdt * 10 ** (bench.token.price_scale + bench.token.base_scale) // ticks + 1


def test_the_hold_of_a_limit_order_is_given_back_to_the_last_cent() -> None:
    bench = Bench()
    price = bench.ladder(BUY)[0][0] * 9 // 10
    order = bench.place(0, BUY, OrderType.LIMIT, steps=_worth_steps(bench, price, 100), ticks=price)
    assert bench.accounts[0].balance("USDT").locked == order.hold > 100
    bench.venue.cancel(order)
    assert bench.accounts[0].balance("USDT").free == 1_000_000
    with pytest.raises(Refused) as refused:
        bench.venue.cancel(order)
    assert refused.value.reason is Reason.NOT_CANCELABLE


def test_commission_in_the_received_coin() -> None:
    bench = Bench("received")
    order = bench.place(0, BUY, OrderType.MARKET, quote=Decimal(100))
    fill = bench.venue.fills[0]
    assert fill.fee_asset == bench.token.base and fill.fee == (fill.qty * bench.token.taker).quantize(Decimal("1e-12"))
    fees = sum((f.fee for f in bench.venue.fills), Decimal(0))
    assert bench.accounts[0].balance(bench.token.base).free == order.amount(order.filled) - fees


def test_every_change_is_committed_with_what_it_touched() -> None:
    bench = Bench()
    order = bench.place(0, BUY, OrderType.MARKET, quote=Decimal(50), client_id="c-1")
    change = bench.changes[-1]
    assert [o.id for o in change.orders] == [order.id] and [f.order for f in change.fills] == [order.id]
    assert [a.name for a in change.accounts] == ["one"]
    assert bench.venue.find_order(bench.accounts[0], bench.token.symbol, None, "c-1") is order
    assert bench.venue.find_order(bench.accounts[1], bench.token.symbol, order.id, None) is None, "not another's"
