"""What the venue takes, refuses, changes and ends."""

from __future__ import annotations

import pytest

from modules.simulator.perp.api import Execution, Kind, Leg, NewOrder, Side, Status, Tif, Why
from tests.simulator.perp.conftest import D, World, refused


def test_a_market_order_walks_the_book_and_pays_the_taker_fee(world: World) -> None:
    world.go()
    order = world.order("BUY", "3")
    fills = world.venue.fills_of(world.trader)
    assert order.status is Status.FILLED and sum(fill.qty for fill in fills) == 3
    assert [fill.price for fill in fills] == sorted(fill.price for fill in fills)
    assert all(fill.fee == (fill.quote * D("0.0005")).quantize(D("1e-8")) for fill in fills)
    world.identity()


@pytest.mark.parametrize(("why", "side", "qty", "offset", "options"), [
    (Why.BAD_PRECISION, "BUY", "0.0001", 0, {}),
    (Why.QTY_TOO_SMALL, "BUY", "0", 0, {}),
    (Why.QTY_TOO_LARGE, "BUY", "100000", 0, {}),
    (Why.MIN_NOTIONAL, "BUY", "0.001", 0, {}),
    (Why.PRICE_ABOVE_BAND, "BUY", "0.01", 40_000, {}),
    (Why.PRICE_BELOW_BAND, "SELL", "0.01", -40_000, {}),
    (Why.PRICE_TOO_LOW, "BUY", "10", -617_900, {}),
    (Why.POST_ONLY, "BUY", "0.01", 10, {"tif": Tif.GTX}),
    (Why.FOK, "BUY", "90", 0, {"tif": Tif.FOK}),
    (Why.INSUFFICIENT_MARGIN, "BUY", "60", 0, {}),
    (Why.REDUCE_ONLY, "SELL", "0.01", 0, {"reduce": True}),
    (Why.LEG_MISMATCH, "BUY", "0.01", 0, {"leg": Leg.LONG}),
    (Why.BAD_COMBINATION, "BUY", "0.01", 0, {"tif": Tif.GTD}),
])
def test_refusals(world: World, why: Why, side: str, qty: str, offset: int, options: dict[str, object]) -> None:
    world.go()
    if why is Why.FOK:
        world.venue.transfer(world.trader, D(10**7))
    before, told = world.trader.wallet, len(world.mirror.orders)
    refused(why, lambda: world.order(side, qty, world.ask + offset, **options))  # type: ignore[arg-type]
    assert world.trader.wallet == before and len(world.mirror.orders) == told
    assert not world.venue.open_orders(world.trader)


def test_prices_between_ticks_unknown_symbols_and_algo_kinds_are_refused(world: World) -> None:
    world.go()
    eth = world.venue.specs[2]  # SOL: tick 0.01, step 1
    refused(Why.BAD_PRECISION, lambda: world.venue.place(
        world.trader, NewOrder(eth.symbol, Side.BUY, Kind.LIMIT, D(1), D("140.001"))))
    refused(Why.UNKNOWN_SYMBOL, lambda: world.venue.place(
        world.trader, NewOrder("NOPEUSDT", Side.BUY, Kind.MARKET, D(1))))
    refused(Why.ALGO_PATH, lambda: world.venue.place(
        world.trader, NewOrder("BTCUSDT", Side.SELL, Kind.STOP_MARKET, D(1))))


def test_ioc_takes_what_is_there_and_expires(world: World) -> None:
    world.go()
    world.venue.transfer(world.trader, D(10**7))
    there = world.venue.touch(0)[3]
    order = world.order("BUY", "90", world.ask, tif=Tif.IOC)
    assert order.status is Status.EXPIRED and order.filled == there
    assert not world.venue.open_orders(world.trader)


def test_post_only_rests_and_pays_the_maker_fee(world: World) -> None:
    world.go()
    order = world.order("SELL", "0.01", world.ask, tif=Tif.GTX)
    world.jump(1.001)
    fill = world.venue.fills_of(world.trader)[0]
    assert order.status is Status.FILLED and fill.maker
    assert fill.fee == (fill.quote * D("0.0002")).quantize(D("1e-8"))


def test_client_ids_are_unique_among_open_orders_only(world: World) -> None:
    world.go()
    first = world.order("BUY", "0.01", world.bid - 100, client="mine")
    refused(Why.DUPLICATE_CLIENT_ID, lambda: world.order("BUY", "0.01", world.bid - 100, client="mine"))
    world.venue.cancel(world.trader, first)
    second = world.order("BUY", "0.01", world.bid - 100, client="mine")
    assert second.id != first.id
    assert world.venue.find(world.trader, "BTCUSDT", client_id="mine") is second
    assert world.venue.find(world.trader, "BTCUSDT", order_id=first.id) is first


def test_cancel_twice_is_refused_and_strangers_find_nothing(world: World) -> None:
    world.go()
    order = world.order("BUY", "0.01", world.bid - 100)
    refused(Why.ORDER_NOT_FOUND, lambda: world.venue.find(world.other, "BTCUSDT", order_id=order.id))
    refused(Why.CANCEL_REJECTED, lambda: world.venue.cancel(world.other, order))
    world.venue.cancel(world.trader, order)
    refused(Why.CANCEL_REJECTED, lambda: world.venue.cancel(world.trader, order))
    assert [what for what, _, _ in world.mirror.orders] == [Execution.NEW, Execution.CANCELED]


def test_modify_less_keeps_the_place_a_new_price_does_not(world: World) -> None:
    world.go()
    tick = world.bid - 2
    order = world.order("BUY", "0.5", tick)
    later = world.order("BUY", "0.5", tick, account=world.other)
    price = world.venue.specs[0].price(tick)
    world.venue.modify(world.trader, order, Side.BUY, D("0.3"), price)
    queue = world.venue.market.books.resting(0)
    assert queue.index(order) < queue.index(later) and order.qty == 300
    world.venue.modify(world.trader, order, Side.BUY, D("0.4"), price)
    queue = world.venue.market.books.resting(0)
    assert queue.index(order) > queue.index(later)
    refused(Why.NO_CHANGE_NEEDED, lambda: world.venue.modify(world.trader, order, Side.BUY, D("0.4"), price))
    world.go()
    world.books_agree()


def test_modify_through_the_market_takes(world: World) -> None:
    world.go()
    order = world.order("BUY", "0.1", world.bid - 20)
    world.venue.modify(world.trader, order, Side.BUY, D("0.1"), world.venue.specs[0].price(world.ask + 50))
    assert order.status is Status.FILLED and not world.venue.fills_of(world.trader)[0].maker


def test_countdown_cancels_unless_asked_again(world: World) -> None:
    world.go()
    order = world.order("BUY", "0.01", world.bid - 3000)
    world.venue.countdown(world.trader, "BTCUSDT", 1000)
    world.go(8)
    world.venue.countdown(world.trader, "BTCUSDT", 1000)
    world.go(8)
    assert order.status is Status.NEW
    world.go(4)
    assert order.status is Status.CANCELED


def test_good_till_date(world: World) -> None:
    world.go()
    order = world.order("BUY", "0.01", world.bid - 3000, tif=Tif.GTD, good_till=world.ms + 650)
    world.go(5)
    assert order.status is Status.NEW
    world.go(3)
    assert order.status is Status.EXPIRED


def test_a_share_filled_on_demand(world: World) -> None:
    world.go()
    order = world.order("BUY", "0.1", world.bid - 500)
    assert world.venue.fill_share(order, D("0.4")) and order.filled == 40
    assert world.venue.fill_share(order, D(1)) and order.status is Status.FILLED
    assert not world.venue.fill_share(order, D(1))
    world.go()
    world.books_agree()
    world.identity()


def test_orders_are_stamped_with_the_clocks_time(world: World) -> None:
    world.go()
    world.ms += 57  # in the middle of a slice
    order = world.order("BUY", "0.01")
    assert order.created_ms == world.ms  # X5: never before the request was signed
    world.go()
    assert all(b.ms >= a.ms for (_, a), (_, b) in zip(world.mirror.prints, world.mirror.prints[1:], strict=False)
               if a is not b and world.mirror.prints)
