"""Fetches candles into ``data/market_data/``, page by page from where a file ends: it can be stopped and resumed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modules.market import candles

if TYPE_CHECKING:
    from modules.exchange.api import MarketData

INTERVAL = "5m"
PAGE = 500  # the smallest of the venues' limits
PAGES_MOST = 200
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Collected:
    """What became of one symbol. `problem` is empty where all went well; what was fetched before it is stored."""

    symbol: str
    added: int
    total: int
    gaps: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """After each symbol: how many are done, and how long the rest will take at the pace so far (None at first)."""

    last: Collected
    done: int
    of: int
    eta_s: float | None


async def collect(market: "MarketData", symbol: str, folder: Path, count: int) -> Collected:
    """Have at least the newest `count` closed candles of a symbol on disk, as far as the venue has them.

    Continues where the file ends; a file that ends before the wanted range is continued without a gap. Raises
    what `market` raises (Unavailable) when the first page cannot be had.
    """
    path = candles.candle_path(folder, symbol)
    now = market.clock.now_ms()
    wanted_from = (now // candles.INTERVAL_MS - count) * candles.INTERVAL_MS
    stored = await asyncio.to_thread(_stored, path)
    since = wanted_from
    if len(stored) and stored[0, 0] <= wanted_from:
        since = int(stored[-1, 0]) + candles.INTERVAL_MS
    added = 0
    for _ in range(PAGES_MOST):
        if since + candles.INTERVAL_MS > now:
            break
        page = await market.candles(symbol, INTERVAL, PAGE, since)
        page = page[page[:, 0] >= since]
        if len(page):
            added += await asyncio.to_thread(candles.merge, path, page, now)
        reached = int(page[-1, 0]) if len(page) else since + (PAGE - 1) * candles.INTERVAL_MS  # none listed then
        since = reached + candles.INTERVAL_MS
    stored = await asyncio.to_thread(_stored, path)
    return Collected(symbol, added, len(stored), len(candles.gaps(stored)))


async def collect_all(market: "MarketData", symbols: Sequence[str], folder: Path, count: int,
                      failures: tuple[type[Exception], ...]) -> AsyncIterator[Progress]:
    """Collect many symbols, a few at a time. An exception of `failures` fails its symbol, not the others."""
    began = time.monotonic()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(symbol: str) -> Collected:
        async with gate:
            try:
                return await collect(market, symbol, folder, count)
            except failures as problem:
                return Collected(symbol, 0, 0, 0, str(problem))

    tasks = [asyncio.create_task(one(symbol)) for symbol in symbols]
    try:
        for done, task in enumerate(asyncio.as_completed(tasks), start=1):
            last = await task
            pace = (time.monotonic() - began) / done
            yield Progress(last, done, len(tasks), pace * (len(tasks) - done) if done >= 3 else None)
    finally:
        for task in tasks:
            task.cancel()


def _stored(path: Path) -> candles.Floats:
    try:
        return candles.read(path)
    except candles.CandleFileError:
        return np.empty((0, 6))  # merge sets it aside
