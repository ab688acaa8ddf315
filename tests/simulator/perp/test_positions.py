"""Positions, money and modes: laws of conservation under any trading, hedge and one-way, isolated and cross."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from modules.simulator.perp.api import Leg, Refused, Status, Tif, Why
from tests.simulator.perp.conftest import D, World, refused

TRADES = st.lists(st.tuples(
    st.sampled_from(["BUY", "SELL"]), st.integers(2, 600), st.sampled_from(["market", "maker", "deep", "reduce"]),
    st.integers(0, 4), st.sampled_from([Leg.LONG, Leg.SHORT])), max_size=30)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), hedge=st.booleans(), isolated=st.booleans(), trades=TRADES)
def test_money_is_conserved(
    seed: int, hedge: bool, isolated: bool, trades: list[tuple[str, int, str, int, Leg]]
) -> None:
    """wallet = Σ income; a leg's steps = Σ fills; equity = start + Σ (mark − price) × qty − fees."""
    world = World(1, seed=seed, start_usdt=D(100_000))
    if hedge:
        world.venue.set_hedge(world.trader, True)
    if isolated:
        world.venue.set_isolated(world.trader, "BTCUSDT", True)
    for side, qty, how, slices, leg in trades:
        price = None if how in ("market", "reduce") else (world.bid if side == "BUY" else world.ask)
        if how == "deep" and price is not None:
            price += -60 if side == "BUY" else 60
        try:
            world.order(side, f"{qty / 1000:.3f}", price, leg=leg if hedge else None,
                        reduce=how == "reduce" and not hedge)
        except Refused as problem:
            assert problem.why in (Why.REDUCE_ONLY, Why.INSUFFICIENT_MARGIN)
        world.go(slices)
    world.identity()
    fills = world.venue.fills_of(world.trader)
    mark = world.venue.market.marks.mark[0]
    for leg in Leg:
        held = world.trader.positions.get(("BTCUSDT", leg))
        net = sum((f.qty * f.side.sign for f in fills if f.leg is leg), Decimal(0))
        assert (held.steps if held else 0) * world.venue.specs[0].step == net
    view = world.venue.view(world.trader)
    flow = sum(((mark - f.price) * f.qty * f.side.sign - f.fee for f in fills), Decimal(0))
    assert abs(view.margin_balance - 100_000 - flow) < D("0.00001")
    assert view.available >= 0 and (isolated or view.cross_wallet == view.wallet)
    if not world.trader.legs():
        assert view.initial_margin == view.order_margin and view.unrealized == 0
    world.go()
    world.books_agree()


def test_one_way_turns_through_zero(world: World) -> None:
    world.go()
    world.order("BUY", "0.5")
    entry = world.trader.position("BTCUSDT", Leg.BOTH).cost / D("0.5")
    order = world.order("SELL", "0.8")
    held = world.trader.position("BTCUSDT", Leg.BOTH)
    fills = [fill for fill in world.venue.fills_of(world.trader) if fill.order_id == order.id]
    assert held.steps == -300
    closed = sum(fill.realized for fill in fills)
    rest, gained = D("0.5"), D(0)
    for fill in fills:
        part = min(rest, fill.qty)
        gained, rest = gained + (fill.price - entry) * part, rest - part
    assert abs(closed - gained) < D("1e-7")


def test_both_legs_of_hedge_mode_live_side_by_side(world: World) -> None:
    world.venue.set_hedge(world.trader, True)
    world.go()
    world.order("BUY", "0.3", leg=Leg.LONG)
    world.order("SELL", "0.2", leg=Leg.SHORT)
    assert {(p.leg, p.steps) for p in world.trader.legs()} == {(Leg.LONG, 300), (Leg.SHORT, -200)}
    refused(Why.LEG_MISMATCH, lambda: world.order("BUY", "0.1"))
    refused(Why.BAD_COMBINATION, lambda: world.order("SELL", "0.1", leg=Leg.LONG, reduce=True))
    refused(Why.REDUCE_ONLY, lambda: world.order("SELL", "0.4", leg=Leg.LONG))  # X25: closes at most what is there
    world.order("BUY", "0.2", leg=Leg.SHORT)
    assert [p.leg for p in world.trader.legs()] == [Leg.LONG]
    refused(Why.MODE_OPEN_POSITIONS, lambda: world.venue.set_hedge(world.trader, False))


def test_modes_change_only_when_nothing_stands(world: World) -> None:
    venue, trader = world.venue, world.trader
    world.go()
    refused(Why.SAME_MODE, lambda: venue.set_hedge(trader, False))
    refused(Why.SAME_MARGIN_TYPE, lambda: venue.set_isolated(trader, "BTCUSDT", False))
    order = world.order("BUY", "0.01", world.bid - 100)
    refused(Why.MODE_OPEN_ORDERS, lambda: venue.set_hedge(trader, True))
    refused(Why.MARGIN_TYPE_OPEN_ORDERS, lambda: venue.set_isolated(trader, "BTCUSDT", True))
    venue.cancel(trader, order)
    world.order("BUY", "0.01")
    refused(Why.MARGIN_TYPE_OPEN_POSITION, lambda: venue.set_isolated(trader, "BTCUSDT", True))
    refused(Why.BAD_LEVERAGE, lambda: venue.set_leverage(trader, "BTCUSDT", 126))


def test_leverage_decides_margin_and_the_largest_position(world: World) -> None:
    world.venue.transfer(world.trader, D(10**6))
    world.go()
    assert world.venue.set_leverage(world.trader, "BTCUSDT", 125) == 50_000
    refused(Why.LEVERAGE_CAP, lambda: world.order("BUY", "1"))
    world.venue.set_leverage(world.trader, "BTCUSDT", 50)
    world.order("BUY", "1")
    view = world.venue.position_view(world.trader, "BTCUSDT", Leg.BOTH)
    assert view.initial_margin == view.notional / 50
    refused(Why.LEVERAGE_CAP, lambda: world.venue.set_leverage(world.trader, "BTCUSDT", 125))
    world.venue.set_leverage(world.trader, "BTCUSDT", 10)
    assert world.venue.position_view(world.trader, "BTCUSDT", Leg.BOTH).initial_margin == view.notional / 10


def test_reduce_only_orders_end_with_their_position(world: World) -> None:
    world.go()
    world.order("BUY", "0.2")
    target = world.order("SELL", "0.5", world.ask + 2000, reduce=True)  # more than is held: fills what is held
    world.order("SELL", "0.2", reduce=True)
    assert target.status is Status.EXPIRED and not world.trader.legs()


def test_a_reduce_only_maker_never_opens(world: World) -> None:
    world.go()
    world.order("BUY", "0.2")
    target = world.order("SELL", "0.5", world.ask + 30, reduce=True)
    world.jump(1.001)
    assert (target.filled, target.status) == (200, Status.EXPIRED)
    assert not world.trader.legs()
    world.go()
    world.books_agree()


def test_isolated_margin_moves_by_hand_down_to_what_is_needed(world: World) -> None:
    venue, trader = world.venue, world.trader
    venue.set_isolated(trader, "BTCUSDT", True)
    world.go()
    refused(Why.NO_POSITION, lambda: venue.move_margin(trader, "BTCUSDT", None, D(10)))
    world.order("BUY", "0.1")
    held = trader.position("BTCUSDT", Leg.BOTH)
    assert held.isolated_wallet == (held.cost / 20).quantize(D("1e-8"))
    before = venue.position_view(trader, "BTCUSDT", Leg.BOTH).liquidation
    venue.move_margin(trader, "BTCUSDT", None, D(200))
    assert venue.position_view(trader, "BTCUSDT", Leg.BOTH).liquidation < before
    refused(Why.MARGIN_NOT_THERE, lambda: venue.move_margin(trader, "BTCUSDT", None, D(-400)))
    refused(Why.INSUFFICIENT_MARGIN, lambda: venue.move_margin(trader, "BTCUSDT", None, D(10**6)))
    venue.move_margin(trader, "BTCUSDT", None, D(-150))
    view = venue.view(trader)
    assert view.cross_wallet == view.wallet - held.isolated_wallet
    world.order("SELL", "0.1")
    assert held.isolated_wallet == 0 and venue.view(trader).cross_wallet == trader.wallet
    world.identity()


def test_transfers_leave_what_margin_needs(world: World) -> None:
    world.go()
    world.order("BUY", "1")
    view = world.venue.view(world.trader)
    refused(Why.INSUFFICIENT_MARGIN, lambda: world.venue.transfer(world.trader, -(view.available + 1)))
    world.venue.transfer(world.trader, D(-100))
    world.venue.transfer(world.trader, D("33.5"))
    world.identity()


def test_orders_hold_margin_and_give_it_back(world: World) -> None:
    world.go()
    before = world.venue.view(world.trader).available
    order = world.order("BUY", "1", world.bid - 100)
    held = world.venue.view(world.trader)
    assert held.order_margin == order.price * order.tick / 20 and held.available == before - held.order_margin
    other = world.order("SELL", "0.4", world.ask + 100)  # smaller than the buys: needs no more
    assert world.venue.view(world.trader).order_margin == held.order_margin
    world.venue.cancel(world.trader, order)
    world.venue.cancel(world.trader, other)
    assert world.venue.view(world.trader).available == before


def test_gtx_that_would_take_after_a_modify_changes_nothing(world: World) -> None:
    world.go()
    order = world.order("BUY", "0.1", world.bid - 5, tif=Tif.GTX)
    price = order.price
    refused(Why.POST_ONLY, lambda: world.venue.modify(
        world.trader, order, order.side, D("0.1"), world.venue.specs[0].price(world.ask + 3)))
    assert order.price == price and order.status is Status.NEW
