"""Conditional orders: what triggers them, what they become, how they end."""

from __future__ import annotations

import pytest

from modules.simulator.perp.api import AlgoStatus, Kind, Leg, Status, Why, Working
from tests.simulator.perp.conftest import D, World, refused


@pytest.mark.parametrize("working", list(Working))
@pytest.mark.parametrize(("side", "kind", "offset", "move"), [
    ("SELL", Kind.STOP_MARKET, -400, 0.998), ("BUY", Kind.STOP_MARKET, 400, 1.002),
    ("SELL", Kind.TAKE_PROFIT_MARKET, 400, 1.002), ("BUY", Kind.TAKE_PROFIT_MARKET, -400, 0.998)])
def test_triggers_on_its_side_and_not_before(
    world: World, working: Working, side: str, kind: Kind, offset: int, move: float
) -> None:
    world.go(5)
    world.order("BUY" if side == "SELL" else "SELL", "0.1")
    algo = world.algo(side, kind, world.venue.candles.last(0) + offset, "0.1", working=working, reduce_only=True)
    world.jump(2 - move)  # the other way
    world.go(2)
    assert algo.status is AlgoStatus.NEW
    world.jump(move * move)
    world.until(lambda: algo.status is AlgoStatus.FINISHED, 100)
    order = world.venue.find(world.trader, "BTCUSDT", order_id=algo.order_id)
    assert (order.status, order.kind, order.orig_kind, order.algo_id) == (Status.FILLED, Kind.MARKET, kind, algo.id)
    assert not world.trader.legs()


def test_close_position_closes_what_is_there_and_only_one_may_wait(world: World) -> None:
    world.go(5)
    world.order("BUY", "0.1")
    stop = world.algo("SELL", Kind.STOP_MARKET, world.bid - 400, close_position=True)
    refused(Why.CLOSE_POSITION_EXISTS,
            lambda: world.algo("SELL", Kind.STOP_MARKET, world.bid - 500, close_position=True))
    take = world.algo("SELL", Kind.TAKE_PROFIT_MARKET, world.bid + 4000, close_position=True)
    world.order("BUY", "0.15")
    world.jump(0.998)
    world.until(lambda: stop.status is AlgoStatus.FINISHED, 50)
    assert not world.trader.legs() and take.status is AlgoStatus.NEW
    world.jump(1.02)
    world.until(lambda: take.status is AlgoStatus.EXPIRED, 50)
    assert not world.trader.legs()


def test_a_triggered_order_that_is_refused_ends_rejected(world: World) -> None:
    world.go(5)
    world.order("BUY", "0.1")
    algo = world.algo("SELL", Kind.STOP_MARKET, world.bid - 400, "0.1", reduce_only=True)
    world.order("SELL", "0.1")
    world.jump(0.998)
    world.until(lambda: algo.status is AlgoStatus.REJECTED, 50)
    assert "reduce" in algo.reason and not world.trader.legs()


def test_a_stop_limit_rests_at_its_price(world: World) -> None:
    world.go(5)
    price = world.ask + 5000
    algo = world.algo("BUY", Kind.STOP, world.ask + 300, "0.01", price=price)
    world.jump(1.0015)
    world.until(lambda: algo.order_id > 0, 50)
    order = world.venue.find(world.trader, "BTCUSDT", order_id=algo.order_id)
    assert order.kind is Kind.LIMIT and order.price == price and order.status is Status.FILLED


def test_a_trailing_stop_follows_and_triggers_on_the_way_back(world: World) -> None:
    world.go(5)
    world.order("BUY", "0.1")
    algo = world.algo("SELL", Kind.TRAILING_STOP_MARKET, None, "0.1", callback=D("0.5"), reduce_only=True,
                      activation=world.venue.specs[0].price(world.ask + 300))
    assert not algo.active
    world.jump(0.999)
    assert algo.status is AlgoStatus.NEW and not algo.active
    for _ in range(3):
        world.jump(1.002)
        world.go(5)
    peak = algo.peak
    assert algo.active and algo.trigger == int((peak * D("0.995")).to_integral_value())
    world.jump(0.993)
    world.until(lambda: algo.status is AlgoStatus.FINISHED, 50)
    assert not world.trader.legs()


@pytest.mark.parametrize(("why", "side", "kind", "offset", "options"), [
    (Why.WOULD_TRIGGER, "SELL", Kind.STOP_MARKET, 500, {"qty": "0.1"}),
    (Why.WOULD_TRIGGER, "BUY", Kind.TAKE_PROFIT_MARKET, 500, {"qty": "0.1"}),
    (Why.BAD_COMBINATION, "SELL", Kind.STOP, -500, {"qty": "0.1"}),
    (Why.BAD_COMBINATION, "SELL", Kind.STOP_MARKET, -500, {}),
    (Why.BAD_COMBINATION, "SELL", Kind.STOP_MARKET, -500, {"qty": "0.1", "close_position": True}),
    (Why.BAD_COMBINATION, "SELL", Kind.MARKET, -500, {"qty": "0.1"}),
    (Why.LEG_MISMATCH, "SELL", Kind.STOP_MARKET, -500, {"qty": "0.1", "leg": Leg.LONG}),
    (Why.BAD_CALLBACK, "SELL", Kind.TRAILING_STOP_MARKET, None, {"qty": "0.1", "callback": D(20)}),
    (Why.BAD_PRECISION, "SELL", Kind.STOP_MARKET, -500, {"qty": "0.00001"})])
def test_refusals(
    world: World, why: Why, side: str, kind: Kind, offset: int | None, options: dict[str, object]
) -> None:
    world.go(3)
    trigger = world.venue.candles.last(0) + offset if offset is not None else None
    refused(why, lambda: world.algo(side, kind, trigger, **options))  # type: ignore[arg-type]
    assert not world.venue.open_algos(world.trader)


def test_they_live_apart_from_orders(world: World) -> None:
    world.go(3)
    algo = world.algo("SELL", Kind.STOP_MARKET, world.bid - 900, "0.1", client_id="mine")
    refused(Why.DUPLICATE_CLIENT_ID, lambda: world.algo("SELL", Kind.STOP_MARKET, world.bid - 900, "0.1",
                                                       client_id="mine"))
    assert not world.venue.open_orders(world.trader) and not world.venue.cancel_all(world.trader, "BTCUSDT")
    assert algo.status is AlgoStatus.NEW
    assert world.venue.find_algo(world.trader, client_id="mine") is algo
    assert world.venue.cancel_all_algo(world.trader, "BTCUSDT") == [algo]
    refused(Why.CANCEL_REJECTED, lambda: world.venue.cancel_algo(world.trader, algo))
