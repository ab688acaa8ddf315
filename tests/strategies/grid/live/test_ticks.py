"""Ticks keep their timetable: no session waits for a price that is late, for another's reading, or for its own turn."""

import asyncio
from typing import Any

from modules.exchange.types import PositionSide
from modules.strategies.grid.live.readings import STOPS, Pacer
from tests.strategies.grid.live.conftest import House
from tests.surroundings import until

LONG = PositionSide.LONG


async def test_prices_that_hang_stop_no_tick_and_old_ones_are_no_reason(house: House) -> None:
    house.user("ann", stale_after_s=10)
    account, market = house.world.account("ann"), house.world.market
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: len(account.waiting()) == 1, "a position with its stop", 60)
        prices, asked, back = market.touches, asyncio.Event(), asyncio.Event()

        async def hanging(symbols: frozenset[str]) -> Any:
            asked.set()
            await back.wait()
            return await prices(symbols)

        market.touches = hanging  # type: ignore[method-assign]
        await asyncio.wait_for(asked.wait(), 60)
        ticks = host.state.tick
        market.set("59600", 30_000)
        await until(lambda: host.state.tick > ticks + 10, "it ticks on", 60)
        await until(lambda: host.state.refusal == "PRICE_IS_OLD", "and sees how old its price is", 60)
        assert account.held[LONG] == account.sent[0].quantity and len(account.sent) == 1
        back.set()
        await until(lambda: len(account.sent) == 2, "with a new price it goes on", 60)


async def test_each_session_ticks_once_a_turn_however_late_the_turn_is_served(house: House) -> None:
    house.user("ann", tick_interval=1.0)
    house.user("cat", tick_interval=2.0)
    worker = house.worker()
    await worker._claim()
    await worker.market.refresh()
    hosts, first = worker.hosts, max(worker._due.values())
    counts = []
    for turn in range(6):  # instants of the timetable, not of the clock
        assert await worker._step_all(first + turn) == 1.0
        counts.append((hosts["ann"].state.tick, hosts["cat"].state.tick))
    assert counts == [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3)]
    await worker._step_all(first + 5.5)
    assert hosts["ann"].state.tick == 6, "between two turns nobody is due"
    await worker._step_all(first + 60.0)
    await worker._step_all(first + 60.5)
    assert hosts["ann"].state.tick == 7, "what was missed is not made up for in a rush"
    await worker._end()


class _Line:
    """Readings that count their turns."""

    def __init__(self) -> None:
        self.turns: list[str] = []

    async def routine(self, what: str, lane: object) -> None:
        self.turns.append(what)
        await asyncio.sleep(0)


async def test_a_reading_waits_once_and_no_longer_when_it_was_made() -> None:
    pacer, ann, bob = Pacer(1), _Line(), _Line()
    for _ in range(50):
        pacer.put(ann, "BALANCE")  # type: ignore[arg-type]
        pacer.put(ann, STOPS)  # type: ignore[arg-type]
    pacer.put(bob, "BALANCE")  # type: ignore[arg-type]
    assert pacer.length == 3
    pacer.drop(ann, "BALANCE")  # type: ignore[arg-type]
    work = asyncio.create_task(pacer.run())
    await until(lambda: not pacer.length and bob.turns, "all had their turn", 60)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert (ann.turns, bob.turns) == ([STOPS], ["BALANCE"])


async def test_nothing_is_opened_on_positions_that_were_read_too_long_ago(house: House) -> None:
    house.user("ann")
    account, market = house.world.account("ann"), house.world.market
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: len(account.waiting()) == 1, "a position with its stop", 60)
        read = asyncio.Event()

        async def later() -> None:
            await read.wait()

        account.before_positions = later
        before = account.calls["positions"]
        await until(lambda: not {"read POSITIONS"} & host._running, "no reading is under way", 60)
        host.readings.seen_at -= 10_000.0
        market.set("59600")
        await until(lambda: host.state.failures, "the order is refused here", 60)
        assert len(account.sent) == 1 and account.calls["positions"] > before, "and they are read anew"
        read.set()
        await until(lambda: not host.readings.too_old, "they are known", 60)
        market.set("59600", 10_000)
        await until(lambda: len(account.sent) == 2, "then it opens", 60)
