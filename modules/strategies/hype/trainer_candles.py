"""Candles for training: what was collected on disk, the rest from the exchange, page by page."""

import asyncio
import logging
from pathlib import Path

import numpy as np

from modules.exchange.api import MarketData
from modules.exchange.types import Candles
from modules.learning.features import STEP_MS, closed
from modules.market import candles as disk
from modules.market import universe

log = logging.getLogger(__name__)

PAGE = 500  # what every venue gives at once
OTHER_MARKET = 1.5  # a price this many times off the stored one means that the file is of another market


async def history(market: MarketData, symbol: str, count: int, now_ms: int, folder: Path) -> Candles:
    """The last `count` closed 5m candles of a symbol, fewer for a young one; `folder` has the collected ones.

    Raises Unavailable.
    """
    begin = now_ms // STEP_MS * STEP_MS - count * STEP_MS
    stored = await asyncio.to_thread(_stored, disk.candle_path(folder, symbol), begin, now_ms)
    if not len(stored):
        return closed(await between(market, symbol, begin, now_ms), now_ms)
    fresh = await between(market, symbol, int(stored[-1, 0]), now_ms)
    if len(fresh) and not 1 / OTHER_MARKET < fresh[0, 1] / stored[-1, 1] < OTHER_MARKET:
        log.warning("the collected candles of %s do not fit the exchange's: not used", symbol)
        return closed(await between(market, symbol, begin, now_ms), now_ms)
    return closed(disk.joined(stored, fresh), now_ms)


async def between(market: MarketData, symbol: str, begin_ms: int, end_ms: int) -> Candles:
    """Candles that open from `begin_ms` to `end_ms`, ascending, none twice. Raises Unavailable."""
    parts: list[Candles] = []
    since = -(-begin_ms // STEP_MS) * STEP_MS
    while since <= end_ms:
        wanted = min(PAGE, (end_ms - since) // STEP_MS + 1)
        page = await market.candles(symbol, "5m", int(wanted), since)
        page = page[(page[:, 0] >= since) & (page[:, 0] <= end_ms)]
        if len(page):
            parts.append(page)
            since = int(page[-1, 0]) + STEP_MS
        else:  # listed later, or a hole: look behind it
            since += PAGE * STEP_MS
    return np.concatenate(parts) if parts else np.empty((0, 6))


def collected(folder: Path) -> list[str]:
    """Symbols with a file of collected candles."""
    return sorted(path.stem for path in folder.glob("*.csv"))


async def tradable(market: MarketData, least_quote_volume: float) -> list[str]:
    """Symbols that trade through the API with enough volume, most volume first. Raises Unavailable."""
    open_ones, tickers = universe.tradable(await market.markets()), await market.tickers()
    ranked = universe.by_volume(open_ones, tickers)
    return [symbol for symbol in ranked if tickers[symbol].quote_volume >= least_quote_volume]


def sample(symbols: list[str], count: int) -> list[str]:
    """`count` of the symbols, evenly over their ranks.

    Not the most active: today's volume is high where a pump has just run, and a model taught on those alone would
    think that pumps run.
    """
    if len(symbols) <= count:
        return list(symbols)
    places = np.linspace(0, len(symbols) - 1, count).astype(int)
    return [symbols[place] for place in places]


def _stored(path: Path, begin_ms: int, now_ms: int) -> Candles:
    """Collected candles from `begin_ms` on, if they reach back that far; a file that cannot be read counts as none."""
    try:
        stored = disk.read(path)
    except disk.CandleFileError as problem:
        log.warning("%s", problem)
        return np.empty((0, 6))
    if not len(stored) or stored[0, 0] > begin_ms:
        return np.empty((0, 6))
    return stored[(stored[:, 0] >= begin_ms) & (stored[:, 0] <= now_ms)]
