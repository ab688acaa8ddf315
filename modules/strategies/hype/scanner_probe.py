"""A close look at one suspect: its own candles and book, its exact figures, its strategy (A2)."""

import asyncio
import logging
from dataclasses import dataclass

import numpy as np

from modules.exchange.api import MarketData
from modules.exchange.types import Candles, Unavailable
from modules.strategies.hype import figures, rules
from modules.strategies.hype.reasons import Refusal
from modules.strategies.hype.records import Strategy

log = logging.getLogger(__name__)
CANDLES = 500
HOURS = 168
HOUR_MS = 3_600_000
BOOK_LEVELS = 50
AT_ONCE = 4  # requests in flight: the rest of the weight is the tracker's


@dataclass(frozen=True, slots=True)
class Hint:
    """What the whole-market scan knows of a suspect."""

    symbol: str
    price: float
    quote_volume: float
    growth_5m: float
    growth_1h: float
    growth_24h: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """A suspect looked at: `strategy` is None where something stands against it. Depth in USDT within 1 %."""

    symbol: str
    market_ms: int
    figures: rules.Figures | None
    strategy: Strategy | None
    refusals: tuple[Refusal, ...]
    candles: Candles
    both_depths: float
    note: str = ""


class Prober:
    """Fetches and measures suspects; hourly candles are kept until their hour is over."""

    def __init__(self, market: MarketData) -> None:
        self._market = market
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._hours: dict[str, tuple[int, Candles]] = {}

    async def look(self, hint: Hint, at: rules.Bars) -> Suspect:
        """The suspect as it is now; never raises for what the venue does."""
        now = self._market.clock.now_ms()
        try:
            async with self._gate:
                candles, hours, book = await asyncio.gather(
                    self._market.candles(hint.symbol, "5m", CANDLES),
                    self._long_view(hint.symbol, now),
                    self._market.book(hint.symbol, BOOK_LEVELS),
                )
        except Unavailable as problem:
            log.info("%s cannot be looked at: %s", hint.symbol, problem)
            return _unseen(hint.symbol, now, str(problem))
        mid, spread, below, above = figures.read_book(book.bids, book.asks)
        if not np.isfinite(mid) or len(candles) < figures.HOUR_CANDLES + 2:
            note = f"{len(candles)} candles, {len(book.bids)} bids and {len(book.asks)} asks"
            return _unseen(hint.symbol, now, note)
        found = figures.measure(
            candles, hours, mid, hint.quote_volume, hint.growth_24h, hint.growth_5m, hint.growth_1h, spread,
            min(below, above),
        )
        return _weigh(Suspect(hint.symbol, now, found, None, (), candles, below + above), at)

    async def _long_view(self, symbol: str, now_ms: int) -> Candles:
        hour = now_ms // HOUR_MS
        kept = self._hours.get(symbol)
        if kept is None or kept[0] != hour:
            kept = (hour, await self._market.candles(symbol, "1h", HOURS))
            self._hours = {name: item for name, item in self._hours.items() if item[0] == hour}
            self._hours[symbol] = kept
        return kept[1]


def _weigh(suspect: Suspect, at: rules.Bars) -> Suspect:
    assert suspect.figures is not None
    refusals = rules.inspect(suspect.figures, at)
    strategy = None if refusals else rules.classify(suspect.figures, at)
    if strategy is None and not refusals:
        refusals = rules.why_unclassified(suspect.figures, at)
    return Suspect(suspect.symbol, suspect.market_ms, suspect.figures, strategy, refusals, suspect.candles,
                   suspect.both_depths)


def _unseen(symbol: str, now_ms: int, note: str) -> Suspect:
    return Suspect(symbol, now_ms, None, None, (Refusal.NO_DATA,), np.empty((0, 6)), 0.0, note)
