"""Closed 1m candles of each contract for the indicators (B2): the feed's where it hears them, else asked for."""

import asyncio
import logging

import numpy as np

from modules.exchange.api import MarketData
from modules.exchange.feed.reader import FeedReader
from modules.exchange.orderbook.views import Torn
from modules.exchange.types import Unavailable
from modules.strategies.scalper import indicators
from modules.strategies.scalper.eye import Eye
from modules.strategies.scalper.flow import Floats
from modules.strategies.scalper.settings import ScalperSettings

log = logging.getLogger(__name__)

INTERVAL, MINUTE_MS = "1m", 60_000
LATEST_MS = 3 * MINUTE_MS  # a context older than this is none
CLOSED = 8  # column of the feed's rows


class CandleDesk:
    """Keeps the context of all contracts fresh. One question a contract and minute at most."""

    def __init__(self, market: MarketData, settings: ScalperSettings) -> None:
        self._market, self._settings = market, settings
        self._rows: dict[str, Floats] = {}
        self._keep = indicators.warm_up(settings) + 5

    async def turn(self, eyes: dict[str, Eye], reader: FeedReader | None, now_ms: int) -> None:
        """Bring every contract up to the last closed minute; one that cannot be read loses its context in time."""
        await asyncio.gather(*(self._one(eye, reader, now_ms) for eye in eyes.values()))

    async def _one(self, eye: Eye, reader: FeedReader | None, now_ms: int) -> None:
        due = now_ms // MINUTE_MS * MINUTE_MS - MINUTE_MS  # open time of the newest candle that is closed
        if eye.context_ms < due:
            try:
                await self._fetch(eye.symbol, reader, due)
            except Unavailable as problem:
                log.info("candles of %s: %s", eye.symbol, problem)
        rows = self._rows.get(eye.symbol)
        if rows is None or not len(rows) or now_ms - rows[-1, 0] > LATEST_MS:
            eye.know(None, 0)
        elif int(rows[-1, 0]) != eye.context_ms:
            eye.know(indicators.latest(rows[:, 2], rows[:, 3], rows[:, 4], self._settings), int(rows[-1, 0]))

    async def _fetch(self, symbol: str, reader: FeedReader | None, due: int) -> None:
        before = self._rows.get(symbol)
        rows = self._of_feed(symbol, reader)
        if rows is None or not len(rows) or before is None or rows[0, 0] > before[-1, 0] + MINUTE_MS:
            found = await self._market.candles(symbol, INTERVAL, self._keep)
            rows = found[found[:, 0] <= due]
        self._rows[symbol] = joined(before, rows, self._keep)

    def _of_feed(self, symbol: str, reader: FeedReader | None) -> Floats | None:
        if reader is None:
            return None
        try:
            rows = reader.candles(symbol, INTERVAL).rows
        except (KeyError, Torn):
            return None
        closed: Floats = rows[rows[:, CLOSED] == 1][:, :6]
        return closed


def joined(before: Floats | None, new: Floats, keep: int) -> Floats:
    """Old and new rows, each time once (the newer row counts), without a hole: what lies before one is left out."""
    every = new if before is None else np.concatenate((before[:, :6], new[:, :6]))
    _, first = np.unique(every[::-1, 0], return_index=True)
    rows: Floats = every[::-1][first]
    holes = np.flatnonzero(np.diff(rows[:, 0]) != MINUTE_MS)
    if len(holes):
        rows = rows[holes[-1] + 1:]
    return rows[-keep:]
