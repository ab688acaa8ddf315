"""Acts: the owner's hand and the venue's, as the faults' list asks for them."""

from __future__ import annotations

from typing import Any

import pytest

from modules.simulator.acts import ActError
from modules.simulator.perp.acts import ACTIONS, PerpAct
from modules.simulator.perp.api import IncomeKind, Kind, Leg, Status, Why
from tests.simulator.perp.conftest import D, World, refused


def act(world: World, action: str, **more: Any) -> None:
    world.venue.deeds.do(PerpAct.parse({"action": action, **more}))


def test_manual_trades_and_a_manual_close(world: World) -> None:
    world.go(2)
    act(world, "buy", symbol="BTCUSDT", qty="0.2")
    act(world, "sell", symbol="ETHUSDT", qty="1", price=None)
    assert {leg.symbol: leg.steps for leg in world.trader.legs()} == {"BTCUSDT": 200, "ETHUSDT": -1000}
    act(world, "close", symbol="BTCUSDT")
    act(world, "close", symbol="ETHUSDT")
    assert not world.trader.legs()
    with pytest.raises(ActError, match="no position"):
        act(world, "close", symbol="BTCUSDT")
    world.identity()


def test_mode_and_leverage_flipped_by_hand(world: World) -> None:
    act(world, "hedge", on=True)
    act(world, "leverage", symbol="BTCUSDT", leverage=3)
    act(world, "isolated", symbol="BTCUSDT", on=True)
    assert world.trader.hedge and world.trader.setup("BTCUSDT").leverage == 3
    with pytest.raises(ActError, match="refuses"):
        act(world, "hedge", on=True)


def test_a_delisting_settles_positions_at_the_mark(world: World) -> None:
    world.go(2)
    world.order("BUY", "0.2")
    resting = world.order("BUY", "0.1", world.bid - 500)
    algo = world.algo("SELL", Kind.STOP_MARKET, world.bid - 900, close_position=True)
    act(world, "delist", symbol="BTCUSDT")
    assert resting.status is Status.CANCELED and algo.status.value == "CANCELED" and not world.trader.legs()
    refused(Why.UNKNOWN_SYMBOL, lambda: world.venue.index("BTCUSDT"))
    before = len(world.mirror.prints)
    world.go(10)
    assert not [one for index, one in world.mirror.prints[before:] if index == 0]
    assert world.venue.view(world.trader).unrealized == 0 and world.venue.truth()
    world.identity()


def test_a_delisted_contract_may_still_be_shown(world: World) -> None:
    act(world, "delist", symbol="ETHUSDT", shown=True)
    refused(Why.SYMBOL_CLOSED, lambda: world.order("BUY", "1", index=1))


def test_halt_and_resume(world: World) -> None:
    world.go()
    act(world, "halt", symbol="BTCUSDT")
    refused(Why.SYMBOL_CLOSED, lambda: world.order("BUY", "0.1"))
    act(world, "resume", symbol="BTCUSDT")
    assert world.order("BUY", "0.1").filled == 100


def test_a_rename_carries_the_position(world: World) -> None:
    world.go()
    world.order("BUY", "0.2")
    act(world, "rename", symbol="BTCUSDT", to="XBTUSDT")
    assert [(leg.symbol, leg.steps) for leg in world.trader.legs()] == [("XBTUSDT", 200)]
    refused(Why.UNKNOWN_SYMBOL, lambda: world.venue.index("BTCUSDT"))
    assert world.order("SELL", "0.2").symbol == "XBTUSDT"
    assert not world.trader.legs()


@pytest.mark.parametrize("tick", ["1", "0.01"])
def test_another_tick_size_keeps_worths(tick: str) -> None:
    world = World(2, speed=20.0)
    world.go(150)
    world.order("BUY", "0.2")
    resting = world.order("BUY", "0.1", world.bid - 500)
    old = world.venue.specs[0]
    last, candle = world.venue.candles.last(0) * old.tick, world.venue.candles.klines(0, "1h", None, None, 3)[0]
    day = world.venue.day(0).high * old.tick
    held = world.venue.position_view(world.trader, "BTCUSDT", Leg.BOTH).entry
    act(world, "tick_size", symbol="BTCUSDT", tick=tick)
    new = world.venue.specs[0]
    assert resting.status is Status.CANCELED and new.tick == D(tick)
    world.go(3)
    world.books_agree()
    assert abs(world.venue.candles.last(0) * new.tick - last) < 60
    assert abs(world.venue.candles.klines(0, "1h", None, None, 3)[0].high * new.tick - candle.high * old.tick) <= 1
    assert abs(world.venue.day(0).high * new.tick - day) < 80
    assert world.venue.position_view(world.trader, "BTCUSDT", Leg.BOTH).entry == held
    world.order("BUY", "0.1", world.bid)


def test_another_step_counts_positions_in_it_or_is_refused(world: World) -> None:
    world.go()
    world.order("BUY", "0.25")
    with pytest.raises(ActError, match="no multiple"):
        act(world, "tick_size", symbol="BTCUSDT", step="0.1")
    act(world, "tick_size", symbol="BTCUSDT", step="0.01")
    assert world.trader.position("BTCUSDT", Leg.BOTH).steps == 25
    world.order("SELL", "0.25")
    assert not world.trader.legs()
    world.go()
    world.books_agree()


def test_jump_liquidate_funding_transfer_keys(world: World) -> None:
    world.go()
    price = world.bid
    act(world, "jump", symbol="BTCUSDT", pct="-7.5")
    world.go()
    assert abs(world.bid / price - 0.925) < 0.005
    world.order("BUY", "0.2")
    act(world, "liquidate")
    assert not world.trader.legs() and world.mirror.forced
    act(world, "funding_rate", symbol="BTCUSDT", rate="-0.003")
    assert world.venue.marks.rate[0] == D("-0.003")
    act(world, "transfer", amount="-50")
    kinds = [row.kind for row in world.venue.income_of(world.trader)]
    assert kinds.count(IncomeKind.TRANSFER) == 2
    act(world, "revoke_key")
    assert world.venue.by_key("key") is None
    act(world, "restore_key")
    assert world.venue.by_key("key") is world.trader
    world.identity()


def test_funding_is_settled_when_asked_for(world: World) -> None:
    world.go()
    world.order("BUY", "0.2")
    act(world, "funding_rate", symbol="BTCUSDT", rate="0.002")
    act(world, "settle_funding")
    (paid,) = [row.amount for row in world.venue.income_of(world.trader) if row.kind is IncomeKind.FUNDING_FEE]
    mark = world.venue.market.marks.settled[0][-1][2]
    assert paid == -D("0.2") * mark * D("0.002")
    assert world.venue.marks.next_funding(0) == world.venue.market.ms + 28_800_000
    world.go()
    assert sum(row.kind is IncomeKind.FUNDING_FEE for row in world.venue.income_of(world.trader)) == 1
    world.identity()


@pytest.mark.parametrize("data", [
    {"action": "dance"}, {"action": "buy"}, {"action": "buy", "symbol": "BTCUSDT", "qty": "-1"},
    {"action": "halt", "symbol": "BTCUSDT", "qty": "1"}, {"action": "tick_size", "symbol": "BTCUSDT"},
    {"action": "tick_size", "symbol": "BTCUSDT", "tick": "0.3"}, {"action": "rename", "symbol": "A", "to": "b"},
    [], None, {"action": "jump", "symbol": "BTCUSDT", "pct": "NaN"}])
def test_what_cannot_be_understood_is_refused(data: object) -> None:
    with pytest.raises(ActError):
        PerpAct.parse(data)


def test_acts_on_what_is_not_there(world: World) -> None:
    for data in ({"action": "halt", "symbol": "NOPEUSDT"}, {"action": "close", "symbol": "BTCUSDT"},
                 {"action": "cancel"}, {"action": "liquidate"}, {"action": "hedge", "on": True, "account": "nobody"}):
        with pytest.raises(ActError):
            world.venue.deeds.do(PerpAct.parse(data))
    assert len(ACTIONS) == 20
