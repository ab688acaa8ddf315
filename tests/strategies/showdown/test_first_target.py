"""The first target as an order on the exchange: it stands from the first fill on, and is taken once, awake or not."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path

import pytest

from modules.exchange import futures_paper
from modules.exchange.futures_types import TriggerState
from modules.exchange.types import OrderRequest, OrderType, Side
from modules.execution.futures import desk, exits
from modules.strategies.showdown import chase, first_target
from tests.execution.futures.house import SYMBOL, House
from tests.strategies.showdown.trading import OWN, Trading, decision


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futures_paper, "AGAIN_S", -1.0)
    monkeypatch.setattr(desk, "FLAT_FOR_S", 0.0)
    monkeypatch.setattr(exits, "PAUSE_S", 0.001)
    monkeypatch.setattr(chase, "LEAST_REST_S", 0.02)
    monkeypatch.setattr(chase, "PAUSE_S", 0.005)
    monkeypatch.setattr(first_target, "RETRY_S", 0.01)


@pytest.fixture(params=[True, False], ids=["hedge", "one-way"])
async def trading(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Trading]:
    made = Trading(tmp_path, OWN.model_copy(update={"chase_rest_s": 0.02}))
    made.house = House(tmp_path, made.venue, hedge=request.param)
    await made.open()
    if not request.param:
        await made.house.account.set_hedge(False)
        await made.house.desk.verify([SYMBOL])
    yield made
    await made.close()


async def standing(at: Trading) -> list[TriggerState]:
    """Orders that wait at the first target, by the venue."""
    return [one for one in await at.house.triggers()
            if one.kind == "TAKE_PROFIT_MARKET" and one.trigger == at.trades[0].tp1]


async def in_position(at: Trading, side: int = 1) -> None:
    await at.enter(side)
    await at.turns(3)
    assert [one.quantity for one in await standing(at)] == [D("0.500")]


@pytest.mark.parametrize("side", [1, -1])
async def test_it_stands_beside_stop_and_second_target(trading, side):
    await in_position(trading, side)
    kinds = sorted((one.kind, one.quantity is None) for one in await trading.house.triggers())
    assert kinds == [("STOP_MARKET", True), ("TAKE_PROFIT_MARKET", False), ("TAKE_PROFIT_MARKET", True)]
    placed = len(trading.house.account.placed)
    await trading.turns(5)
    assert len(trading.house.account.placed) == placed and not await trading.house.naked()
    assert (await trading.house.settle()).clean and not [w for w in trading.house.words if w.key.startswith("foreign")]


@pytest.mark.parametrize("side", [1, -1])
async def test_taken_while_the_service_is_down_it_is_found_and_the_stop_goes_to_the_entry(trading, side):
    await in_position(trading, side)
    trade = trading.trades[0]
    trading.venue.price[SYMBOL] = trade.tp1
    assert abs(await trading.held()) == D("0.5")  # the venue acts, nobody else is awake
    trading.venue.price[SYMBOL] = trade.tp1 - side * D(5)
    await trading.die()
    await trading.until(lambda: trading.trades[0].part_done and trading.trades[0].stop != trade.sl)
    now = trading.trades[0]
    assert (now.leave, abs(await trading.held())) == (D("0.5"), D("0.5"))
    assert not trading.house.account.orders_of("exit") and not await standing(trading)
    stops = [one for one in await trading.house.triggers() if one.kind == "STOP_MARKET"]
    assert [one.trigger for one in stops] == [now.stop] and not await trading.house.naked()
    assert (await trading.house.settle()).clean and not [w for w in trading.house.words if w.key.startswith("foreign")]
    trading.venue.price[SYMBOL] = now.stop - side
    await trading.until(lambda: not trading.trades)
    assert [one.ended for one in trading.ended()] == ["break-even"]


async def test_back_beyond_the_entry_by_then_the_rest_is_closed_at_once(trading):
    await in_position(trading)
    trade = trading.trades[0]
    trading.venue.price[SYMBOL] = trade.tp1
    assert await trading.held() == D("0.5")
    trading.venue.price[SYMBOL] = trade.sl + 5  # its old stop was not reached and stands
    await trading.die()
    assert not await trading.house.naked()
    await trading.until(lambda: not trading.trades)
    assert await trading.held() == 0 and (await trading.house.settle()).clean
    assert len(trading.ended()) == 1 and trading.ended()[0].quantity == 1


@pytest.mark.parametrize("fault", ["guard lost", "guard swallowed", "guard refused", "guard passed"])
async def test_whatever_its_placing_meets_half_is_closed_once(trading, fault):
    await trading.enter()
    account = trading.house.account
    for one in await standing(trading):
        await account.cancel_trigger(SYMBOL, one.client_id)
    account.faults.append(fault)
    await trading.turns(3)
    assert not account.faults
    trade = trading.trades[0]
    assert len(await standing(trading)) <= 1
    trading.venue.price[SYMBOL] = trade.tp1
    await trading.until(lambda: trading.trades[0].part_done)
    assert await trading.held() == D("0.5") and not await trading.house.naked()
    assert (await trading.house.settle()).clean


async def test_cancelled_by_hand_it_is_placed_again(trading):
    await in_position(trading)
    (one,) = await standing(trading)
    await trading.house.account.cancel_trigger(SYMBOL, one.client_id)
    await trading.turns(3)
    (again,) = await standing(trading)
    assert again.client_id != one.client_id


async def test_the_order_follows_what_is_held(trading):
    await in_position(trading)
    leg = trading.trader.leg(trading.trades[0])
    await trading.house.account.place(OrderRequest("by-hand", SYMBOL, Side.SELL, OrderType.MARKET, D("0.4"),
                                                   position_side=leg.side, reduce_only=True))
    await trading.turns(4)
    assert [one.quantity for one in await standing(trading)] == [D("0.300")]
    assert trading.trades[0].stays == D("0.300")


async def test_it_stands_while_quotes_still_go_out(trading):
    """A part is filled, the rest rests: the target is on the exchange for that part already."""
    trading.trader.settings = OWN.model_copy(update={"chase_rest_s": 30, "emergency": False})
    trading.venue.depth = D("0.1")
    trading.trader.offer(decision(trading.venue))
    end = time.monotonic() + 60
    while time.monotonic() < end and not (trading.trades and await standing(trading)):
        if await trading.house.account.open_orders():
            trading.venue.price[SYMBOL] = D("1999.95")  # the best offers are under the quote: a part is filled
        await trading.house.desk.look()
        await trading.trader.turn()
        await asyncio.sleep(0.005)
    trade = trading.trades[0]
    assert trade.entering and await standing(trading)
    assert (await standing(trading))[0].quantity == (await trading.held()) / 2 // D("0.001") * D("0.001")


def minute(at: Trading, high: D, after: int) -> None:
    """A 1m candle of the venue, so many minutes after the entry's own."""
    entered = -(-at.trades[0].entered_ms // 60_000) * 60_000
    price = float(at.venue.price[SYMBOL])
    at.minutes.append((entered + after * 60_000, price, float(high), price, price, 1.0))
    before = at.venue.clock.now_ms
    at.venue.clock.now_ms = lambda: before() + (after + 2) * 60_000  # type: ignore[method-assign]


async def test_reached_while_the_paper_account_was_away_it_is_judged_by_candles(trading):
    """The price went through the target and came back while nothing of ours lived."""
    await in_position(trading)
    trade = trading.trades[0]
    minute(trading, trade.tp1, 1)
    await trading.die()
    await trading.until(lambda: trading.trades[0].part_done and trading.trades[0].stop != trade.sl
                        if trading.trades else True)
    assert [fill.quantity for fill in trading.house.account.orders_of("exit")][0] == D("0.5")
    assert any("while the program was down" in text for text in trading.said())
    assert not await trading.house.naked()


@pytest.mark.parametrize(("short_of", "after"), [("0.01", 1), ("0", -1)], ids=["not reached", "before the entry"])
async def test_a_target_that_was_not_reached_since_the_entry_stays(trading, short_of, after):
    await in_position(trading)
    trade = trading.trades[0]
    minute(trading, trade.tp1 - D(short_of), after)
    await trading.die()
    await trading.turns(4)
    assert trading.trades[0].leave is None and [one.quantity for one in await standing(trading)] == [D("0.500")]
    assert not trading.house.account.orders_of("exit")


async def test_live_the_exchanges_own_order_is_believed_rather_than_candles(trading):
    """The order stood all the time and waits still: the mark price did not reach it."""
    await in_position(trading)
    trade = trading.trades[0]
    await trading.trader._alter(trade, mode="LIVE")
    minute(trading, trade.tp1, 1)
    await trading.die()
    await trading.turns(4)
    assert trading.trades[0].leave is None and [one.quantity for one in await standing(trading)] == [D("0.500")]


async def test_live_an_order_that_never_arrived_proves_nothing_and_the_candles_judge(trading):
    """A death between its intent and the request: nothing stood on the exchange when the price was there."""
    await trading.enter()
    trade = trading.trades[0]
    for one in await standing(trading):
        await trading.house.account.cancel_trigger(SYMBOL, one.client_id)
    trading.house.account.faults.append("guard swallowed")
    await trading.house.desk.look()
    await trading.trader.turn()
    await asyncio.gather(*trading.trader._busy.values())
    assert not trading.house.account.faults and not await standing(trading)
    await trading.trader._alter(trade, mode="LIVE")
    minute(trading, trade.tp1, 1)
    await trading.die()
    await trading.until(lambda: trading.trades[0].part_done)
    assert await trading.held() == D("0.5") and any("while the program was down" in text for text in trading.said())
