"""Candles fetched from the exchange, resumable: what is stored is never asked for again, a cut costs one batch.

1. Candles lie in the bot's own layout, one CSV for each symbol, while they come; pages are gathered to batches, because
   every merge rewrites the file.
2. A symbol continues at both ends of what is stored: after its last candle upwards, before its first one downwards
   (to the listing), so that a cut never leaves a hole behind.
3. Only closed candles are stored. A page without candles is a gap; nothing is invented.
4. Requests travel in the lane of data, behind everything that trades (X31); a few symbols at a time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modules.backtest.frames import DataError
from modules.exchange.types import Unavailable
from modules.market import candles
from modules.market.sets import STEPS

if TYPE_CHECKING:
    from modules.exchange.api import MarketData

PAGE = 500  # the smallest of the venues' limits
BATCH = 10  # pages in one merge
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which candles: from `since_ms` to before `until_ms`, market time."""

    interval: str
    since_ms: int
    until_ms: int

    @property
    def step_ms(self) -> int:
        """Length of a candle."""
        return STEPS[self.interval]


@dataclass(slots=True)
class Symbol:
    """How far one symbol has come. `share` is of its whole span; `problem` says why it ended early."""

    name: str
    added: int = 0
    stored: int = 0
    share: float = 0.0
    done: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """After every batch. `eta_s` is None at first."""

    last: Symbol
    done: int
    of: int
    share: float
    eta_s: float | None


async def download(market: "MarketData", symbols: Sequence[str], wanted: Wanted,
                   folder: Path) -> AsyncIterator[Progress]:
    """Fetch all symbols; one that fails does not stop the others."""
    queue: asyncio.Queue[Symbol] = asyncio.Queue()
    gate = asyncio.Semaphore(AT_ONCE)
    states = [Symbol(name) for name in symbols]

    async def one(state: Symbol) -> None:
        async with gate:
            try:
                await _symbol(market, state, wanted, folder, queue)
            except (Unavailable, DataError, OSError) as problem:
                state.problem = str(problem)
            finally:
                state.done, state.share = True, 1.0
                queue.put_nowait(replace(state))

    began = time.monotonic()
    tasks = [asyncio.create_task(one(state), name=f"candles {state.name}") for state in states]
    try:
        while not all(state.done for state in states) or not queue.empty():
            last = await queue.get()
            share = sum(state.share for state in states) / len(states)
            spent = time.monotonic() - began
            eta = spent / share * (1 - share) if share > 0.02 else None
            yield Progress(last, sum(state.done for state in states), len(states), share, eta)
        await asyncio.gather(*tasks)  # raises what nobody foresaw
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _symbol(market: "MarketData", state: Symbol, wanted: Wanted, folder: Path,
                  queue: "asyncio.Queue[Symbol]") -> None:
    path = candles.candle_path(folder, state.name)
    stored = await asyncio.to_thread(read_stored, path)
    state.stored = len(stored)
    if len(stored) > 1 and int(np.median(np.diff(stored[:, 0]))) != wanted.step_ms:
        raise DataError(f"{path.name} holds candles of another length than {wanted.interval}; give another place "
                        "(--to)")
    chunks = await chunks_of(market, state.name, stored, wanted)
    whole = sum(end - begin for begin, end, _ in chunks) or 1
    behind = 0
    for begin, end, upwards in chunks:
        found, problem = await _pages(market, state.name, wanted, begin, end)
        if len(found) and (upwards or problem is None):
            added = await asyncio.to_thread(candles.merge, path, found, market.clock.now_ms(), wanted.step_ms)
            state.added += added
            state.stored += added
        if problem is not None:
            raise problem
        behind += end - begin
        state.share = behind / whole
        queue.put_nowait(replace(state))


async def chunks_of(market: "MarketData", symbol: str, stored: candles.Floats,
                    wanted: Wanted) -> list[tuple[int, int, bool]]:
    """What to fetch, as (begin, end, upwards), in the order of rule 2."""
    size = BATCH * PAGE * wanted.step_ms
    if len(stored):
        first, after = int(stored[0, 0]), int(stored[-1, 0]) + wanted.step_ms
    else:
        first = after = await listed_ms(market, symbol, wanted.since_ms, wanted.until_ms)
    found = [(begin, min(begin + size, wanted.until_ms), True) for begin in range(after, wanted.until_ms, size)]
    if len(stored) and wanted.since_ms < first:
        listed = await listed_ms(market, symbol, wanted.since_ms, first)
        found += [(max(end - size, listed), end, False) for end in range(first, listed, -size)]
    return found


async def listed_ms(market: "MarketData", symbol: str, begin: int, end: int) -> int:
    """Where a symbol's candles begin within the span, to the day; `end` where there are none."""
    day = STEPS["1d"]
    if end - begin < 30 * day:
        return begin
    days = await market.candles(symbol, "1d", PAGE, begin // day * day)
    return int(days[0, 0]) if len(days) else end


async def _pages(market: "MarketData", symbol: str, wanted: Wanted, at: int,
                 end: int) -> tuple[candles.Floats, Unavailable | None]:
    """Closed candles from `at` to before `end`, as far as they came, and what stood in the way of the rest."""
    pages: list[candles.Floats] = []
    step, problem = wanted.step_ms, None
    while at < end and at + step <= market.clock.now_ms():
        try:
            page = await market.candles(symbol, wanted.interval, PAGE, at)
        except Unavailable as trouble:
            problem = trouble
            break
        page = page[(page[:, 0] >= at) & (page[:, 0] < end) & (page[:, 0] + step <= market.clock.now_ms())]
        if not len(page):  # nothing more up to the end
            break
        pages.append(page)
        at = int(page[-1, 0]) + step
    return (np.concatenate(pages) if pages else np.empty((0, 6))), problem


def read_stored(path: Path) -> candles.Floats:
    """What is stored; a file that cannot be read is set aside by the next merge."""
    try:
        return candles.read(path)
    except candles.CandleFileError:
        return np.empty((0, 6))
