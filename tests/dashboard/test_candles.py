"""Live candles: only what somebody looks at is asked for, the venue's silence is told, the connection is given back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from modules.dashboard import candles as module
from modules.dashboard.candles import LiveCandles, marks_on
from modules.exchange.types import Unavailable
from tests.surroundings import until
from tests.telegram.house import House


class Market:
    """Candles of one minute; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.silent = False
        self.closed = 0

    async def candles(self, symbol: str, interval: str, limit: int) -> Any:
        self.asked.append((symbol, interval))
        if self.silent:
            raise Unavailable("the exchange does not answer")
        return np.array([[60_000.0 * n, 1.0, 3.0, 0.5, 2.0, 9.0] for n in range(3)])

    async def close(self) -> None:
        self.closed += 1


@asynccontextmanager
async def running(house: House, market: Market) -> AsyncIterator[LiveCandles]:
    async def opened() -> Any:
        return market

    found = LiveCandles(house.settings, house.paths, opened)
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_S", 0.01)


async def test_what_is_looked_at_comes_and_the_connection_is_given_back(house: House) -> None:
    market = Market()
    async with running(house, market) as live:
        assert "being fetched" in live.look("PEPEUSDT", "1m").problem and not market.asked
        await until(lambda: live.look("PEPEUSDT", "1m").rows, "candles")
        shown = live.look("PEPEUSDT", "1m")
        assert shown.rows[1] == (60, 1.0, 3.0, 0.5, 2.0, 9.0) and shown.problem == ""
    assert market.closed == 1


async def test_nobody_looks_nothing_is_asked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WANTED_S", 0.05)
    monkeypatch.setattr(module, "EVERY_S", 0.0)
    monkeypatch.setattr(module, "IDLE_S", 0.1)
    market = Market()
    async with running(house, market) as live:
        live.look("PEPEUSDT", "1m")
        await until(lambda: market.closed == 1, "the connection is given back")  # nobody looks any more
        asked = len(market.asked)
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert len(market.asked) == asked
        await until(lambda: live.look("PEPEUSDT", "1m").rows, "it comes again when somebody looks")


async def test_silence_is_told_and_what_was_known_stays(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.0)
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    market = Market()
    async with running(house, market) as live:
        await until(lambda: live.look("A", "1m").rows, "candles")
        market.silent = True
        await until(lambda: "does not answer" in live.look("A", "1m").problem, "why there are none")
        assert live.look("A", "1m").rows
        market.silent = False
        await until(lambda: not live.look("A", "1m").problem, "well again")
        assert market.closed >= 1


async def test_an_exchange_that_is_not_there_is_told(house: House) -> None:
    found = LiveCandles(house.settings, house.paths)  # the simulated exchange does not run
    task = asyncio.create_task(found.run())
    await until(lambda: "no candles now" in found.look("BTCUSDT", "5m").problem, "why there are none")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_marks_stand_on_their_candle() -> None:
    rows = [(600, 1.0, 1.0, 1.0, 1.0, 1.0), (900, 1.0, 1.0, 1.0, 1.0, 1.0)]
    marks = [{"s": 899, "n": 1}, {"s": 900, "n": 2}, {"s": 1199, "n": 3}, {"s": 599, "n": 4}, {"s": 1200, "n": 5}]
    assert [(one["s"], one["n"]) for one in marks_on(rows, marks)] == [(600, 1), (900, 2), (900, 3)]
    assert marks_on(rows[:1], marks) == []
