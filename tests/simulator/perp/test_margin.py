"""Brackets, the liquidation price as a formula, liquidation as it happens, funding."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.simulator.perp.api import Execution, IncomeKind, Leg, Position, Status
from modules.simulator.perp.margin import liquidation_price, maintenance
from modules.simulator.perp.specs import make_specs
from tests.simulator.perp.conftest import D, World

SPECS, _ = make_specs(40, 1)
HOUR = 3_600_000


@pytest.mark.parametrize("index", [0, 2, 10, 35])
def test_maintenance_is_continuous_and_rises(index: int) -> None:
    spec = SPECS[index]
    for one, following in zip(spec.brackets, spec.brackets[1:], strict=False):
        assert one.cap == following.floor and one.leverage > following.leverage and one.rate < following.rate
        edge = Decimal(one.cap)
        assert maintenance(spec, edge) == edge * following.rate - following.cum
        assert one.rate <= 1 / Decimal(one.leverage)  # maintenance never exceeds the initial margin


@given(index=st.sampled_from([0, 1, 2, 10]), long=st.booleans(), steps=st.integers(1, 3000),
       share=st.decimals("0.02", "0.9", places=3), off=st.decimals("0.9", "1.1", places=3))
def test_margin_equals_maintenance_at_the_liquidation_price(
    index: int, long: bool, steps: int, share: Decimal, off: Decimal
) -> None:
    spec = SPECS[index]
    mark = Decimal(100)
    sign = 1 if long else -1
    leg = Position(spec.symbol, Leg.BOTH, sign * steps, sign * steps * spec.step * mark * off)
    wallet = abs(leg.cost) * share
    price = liquidation_price(spec, [leg], wallet, mark)
    if price:
        margin = wallet + leg.steps * spec.step * price - leg.cost
        assert abs(margin - maintenance(spec, abs(leg.steps) * spec.step * price)) < D("1e-9") * (1 + abs(leg.cost))
    else:
        assert long and share > D("0.4")  # only a long can survive any fall


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_liquidation_comes_at_the_computed_price_and_not_before(isolated: bool, side: str) -> None:
    world = World(2, start_usdt=D(5_000))
    venue, trader = world.venue, world.trader
    if isolated:
        venue.set_isolated(trader, "BTCUSDT", True)
    world.go()
    world.order(side, "1.4")
    resting = world.order(side, "0.01", world.bid - 5000 if side == "BUY" else world.ask + 5000)
    at = venue.position_view(trader, "BTCUSDT", Leg.BOTH).liquidation
    assert at > 0
    sign = 1 if side == "BUY" else -1
    for beyond in (D("0.0015"), D("-0.0015")):  # 0.15 % before it, then 0.15 % past it
        mark = venue.market.marks.mark[0]
        venue.market.jump(0, float(at * (1 + sign * beyond) / mark))
        venue.market.marks.refresh(0.0)
        mark = venue.market.marks.mark[0]
        assert (mark > at) == (sign * beyond > 0)
        venue.guard.watch()
        held = trader.position("BTCUSDT", Leg.BOTH).steps
        assert bool(held) == (beyond > 0), (mark, at)
    assert resting.status is Status.CANCELED
    forced = world.mirror.forced[-1]
    assert forced.side.value != side and forced.steps == 1400
    assert any(what is Execution.CALCULATED for what, _, _ in world.mirror.orders)
    assert trader.wallet >= 0
    world.identity()
    world.go()
    world.books_agree()


def test_a_gap_beyond_bankruptcy_is_the_funds_loss() -> None:
    world = World(2, start_usdt=D(5_000))
    world.go()
    world.order("BUY", "1.4")
    world.jump(0.85)
    world.go()
    assert not world.trader.legs() and world.trader.wallet >= 0
    clears = [row for row in world.venue.income_of(world.trader) if row.kind is IncomeKind.INSURANCE_CLEAR]
    assert clears or world.trader.wallet == 0
    world.identity()


def test_isolated_loses_its_margin_and_no_more() -> None:
    world = World(2, start_usdt=D(50_000))
    world.venue.set_isolated(world.trader, "BTCUSDT", True)
    world.go()
    world.order("BUY", "1")
    margin = world.trader.position("BTCUSDT", Leg.BOTH).isolated_wallet
    before = world.trader.wallet
    world.jump(0.8)
    world.go()
    assert not world.trader.legs()
    lost = before - world.trader.wallet
    assert abs(lost - margin) < D("0.01")
    world.identity()


def test_a_margin_call_comes_once_before() -> None:
    world = World(2, start_usdt=D(5_000))
    world.go()
    world.order("BUY", "1.4")
    at = world.venue.position_view(world.trader, "BTCUSDT", Leg.BOTH).liquidation
    mark = world.venue.market.marks.mark[0]
    world.jump(float(at * D("1.0007") / mark))
    if world.trader.legs():
        world.venue.guard.watch()
        world.venue.guard.watch()
        assert world.mirror.calls == 1


@settings(max_examples=10, deadline=None)
@given(rate=st.decimals("-0.01", "0.01", places=6), long=st.booleans(), isolated=st.booleans())
def test_funding_pays_quantity_times_mark_times_rate(rate: Decimal, long: bool, isolated: bool) -> None:
    start = 1_760_000_000_000 // (8 * HOUR) * 8 * HOUR + 8 * HOUR - 1000
    world = World(1, start=start, start_usdt=D(100_000))
    if isolated:
        world.venue.set_isolated(world.trader, "BTCUSDT", True)
    world.order("BUY" if long else "SELL", "0.5")
    world.venue.marks.override[0] = rate
    world.venue.marks.refresh(0.0)
    world.go(15)
    paid = [row for row in world.venue.income_of(world.trader) if row.kind is IncomeKind.FUNDING_FEE]
    settled_ms, settled, mark = world.venue.marks.settled[0][-1]
    expected = (-D("0.5") * (1 if long else -1) * mark * settled).quantize(D("1e-8"))
    assert settled_ms == start + 1000 and settled == rate
    assert [row.amount for row in paid] == ([expected] if expected else [])
    held = world.trader.position("BTCUSDT", Leg.BOTH)
    if isolated:
        assert held.isolated_wallet == (abs(held.cost) / 20).quantize(D("1e-8")) + expected
    assert world.venue.marks.next_funding(0) == start + 1000 + 8 * HOUR
    assert world.venue.marks.funding_history(0, None, None, 5)[-1][1] == rate
    world.identity()
