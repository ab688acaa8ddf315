"""Which symbols are watched (D2): a funnel of minimums, cheapest question first, then the score.

Order: volume → spread → open interest → depth and volatility, so that each dearer question is asked for fewer symbols.
Weight of a scan of N listed symbols: 56 for all at once (exchangeInfo 1, 24 h 40, touches 5, marks 10), 1 for each that
passes the spread (open interest), 1 + the snapshot's weight (5, 10 or 20) for each that passes open interest; a book
that the feed holds already costs nothing. A depth that does not span 1 % is a lower bound and marked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from modules.exchange.feed.rest import Listed
from modules.exchange.types import Unavailable
from modules.strategies.signals import context
from modules.strategies.signals.context import Rows
from modules.strategies.signals.rest import (
    INTEREST_WEIGHT,
    MARKS_WEIGHT,
    SPREADS_WEIGHT,
    TICKERS_WEIGHT,
    Day,
)
from modules.strategies.signals.settings import SignalSettings

VOLUME_FULL, DEPTH_FULL, ATR_FULL, TRADES_FULL = 100e6, 2e6, 0.1, 10.0
DEPTH_PCT = 1.0
CHOSEN, RANK = "CHOSEN", "RANK"
NOT_TRADING, VOLUME, SPREAD, INTEREST, NO_DATA = "NOT_TRADING", "VOLUME", "SPREAD", "OPEN_INTEREST", "NO_DATA"
STEPS = (NOT_TRADING, VOLUME, SPREAD, INTEREST, NO_DATA, RANK, CHOSEN)


class Place(msgspec.Struct, kw_only=True):
    """One symbol in a scan: where it fell, and with which figures (USDT, %, as far as they were asked for)."""

    symbol: str
    reason: str
    score: float | None = None
    volume: float | None = None
    spread_pct: float | None = None
    open_interest: float | None = None
    depth: float | None = None
    depth_whole: bool = True
    atr_ratio: float | None = None
    trades_s: float | None = None
    tick: float = 0.0


class Scan(msgspec.Struct, kw_only=True):
    """A whole scan. `weight`: what it cost."""

    ms: int = 0
    places: list[Place] = []
    weight: int = 0

    @property
    def chosen(self) -> list[str]:
        """By score, best first."""
        return [one.symbol for one in self.places if one.reason == CHOSEN]

    def funnel(self) -> dict[str, int]:
        """How many fell at each step."""
        return {step: sum(one.reason == step for one in self.places) for step in STEPS}


def score(volume: float, depth: float, atr_ratio: float, trades_s: float) -> float:
    """0–100 (D2)."""
    return 100 * (0.35 * min(volume / VOLUME_FULL, 1) + 0.25 * min(depth / DEPTH_FULL, 1)
                  + 0.20 * min(atr_ratio / ATR_FULL, 1) + 0.20 * min(trades_s / TRADES_FULL, 1))


class Rest(Protocol):
    """What a scan asks. Raises Unavailable."""

    async def listed(self) -> dict[str, Listed]: ...
    async def days(self) -> dict[str, Day]: ...
    async def spreads(self) -> dict[str, float]: ...
    async def marks(self) -> dict[str, float]: ...
    async def open_interest(self, symbol: str) -> float: ...
    async def depth_usdt(self, symbol: str, levels: int, pct: float) -> tuple[float, bool]: ...
    async def candles(self, symbol: str, interval: str, limit: int) -> Rows: ...
    def depth_weight(self, levels: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What the feed knows of a symbol without a question; None where it does not."""

    depth: float | None = None
    depth_whole: bool = True
    rows: Rows | None = None


async def scan(rest: Rest, settings: SignalSettings, now_ms: int, known: Callable[[str], Known],
               size: int) -> Scan:
    """The whole funnel. Raises Unavailable where the figures of all symbols cannot be had; one symbol that cannot be
    asked falls with NO_DATA."""
    places = await _cheap(rest, settings)
    weight = 1 + TICKERS_WEIGHT + SPREADS_WEIGHT + MARKS_WEIGHT
    marks = await rest.marks()
    for place in places:
        if place.reason:
            continue
        weight += INTEREST_WEIGHT
        await _interest(rest, settings, marks, place)
    for place in places:
        if not place.reason:
            weight += await _score(rest, settings, place, known(place.symbol))
    ranked = sorted((one for one in places if not one.reason), key=lambda one: (-(one.score or 0), one.symbol))
    for number, place in enumerate(ranked):
        place.reason = CHOSEN if number < size else RANK
    rest_of = sorted((one for one in places if one not in ranked), key=lambda one: -(one.volume or 0))
    return Scan(ms=now_ms, places=[*ranked, *rest_of], weight=weight)


async def _cheap(rest: Rest, settings: SignalSettings) -> list[Place]:
    """Volume and spread: two questions for all symbols."""
    listed, days, spreads = await rest.listed(), await rest.days(), await rest.spreads()
    places = []
    for symbol, one in listed.items():
        day, spread = days.get(symbol), spreads.get(symbol)
        place = Place(symbol=symbol, reason="", volume=day.volume if day else None, spread_pct=spread,
                      trades_s=day.trades / 86_400 if day else None, tick=one.tick)
        if not one.trading:
            place.reason = NOT_TRADING
        elif day is None or spread is None:
            place.reason = NO_DATA
        elif day.volume < settings.min_volume_usdt:
            place.reason = VOLUME
        elif spread > settings.max_spread_pct:
            place.reason = SPREAD
        places.append(place)
    return places


async def _interest(rest: Rest, settings: SignalSettings, marks: dict[str, float], place: Place) -> None:
    try:
        contracts = await rest.open_interest(place.symbol)
    except Unavailable:
        place.reason = NO_DATA
        return
    mark = marks.get(place.symbol)
    if mark is None:
        place.reason = NO_DATA
        return
    place.open_interest = contracts * mark
    if place.open_interest < settings.min_open_interest_usdt:
        place.reason = INTEREST


async def _score(rest: Rest, settings: SignalSettings, place: Place, known: Known) -> int:
    """Depth, volatility, score; returns the weight it cost."""
    weight = 0
    try:
        if known.depth is not None:
            place.depth, place.depth_whole = known.depth, known.depth_whole
        else:
            weight += rest.depth_weight(settings.depth_levels)
            place.depth, place.depth_whole = await rest.depth_usdt(place.symbol, settings.depth_levels, DEPTH_PCT)
        rows = known.rows
        if rows is None:
            weight += 1
            rows = await rest.candles(place.symbol, "15m", 99)
    except Unavailable:
        place.reason = NO_DATA
        return weight
    swing = context.atr(rows)
    if swing is None:
        place.reason = NO_DATA
        return weight
    place.atr_ratio = swing / float(rows[-1, context.CLOSE])
    place.score = score(place.volume or 0, place.depth, place.atr_ratio, place.trades_s or 0)
    return weight


async def check(rest: Rest, settings: SignalSettings, chosen: list[str]) -> dict[str, str]:
    """The quick check: which of the chosen break a minimum now, and why. Raises Unavailable."""
    places = {one.symbol: one for one in await _cheap(rest, settings)}
    marks = await rest.marks()
    fallen = {}
    for symbol in chosen:
        place = places.get(symbol, Place(symbol=symbol, reason=NOT_TRADING))
        if not place.reason:
            await _interest(rest, settings, marks, place)
        if place.reason and place.reason != NO_DATA:  # what cannot be asked now is no breach
            fallen[symbol] = place.reason
    return fallen


def rows_of(found: Scan) -> list[dict[str, object]]:
    """Rows of table `universe`."""
    return [{"ms": found.ms, "symbol": one.symbol, "chosen": one.reason == CHOSEN, "score": one.score,
             "reason": one.reason, "body": msgspec.to_builtins(one)} for one in found.places]
