"""The exchange's own touch, where the feed hears another venue than the one that is traded on.

The feed's streams are Binance's. On Bybit order flow is therefore read there, as the larger market, and the order is
priced here: a signal is offered with the exchange's own best prices, asked for every `EVERY_S`, and only while they are
fresh and near the feed's. What is old or far away refuses with `PRICE_ELSEWHERE`. A simulated flow says nothing of a
real market, nor a real one of the simulated: then every signal is refused so (`apart`).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from modules.exchange.api import MarketData
from modules.exchange.types import Unavailable
from modules.strategies.scalper.eye import Signal
from modules.strategies.scalper.reasons import Code

log = logging.getLogger(__name__)

EVERY_S, FRESH_S = 0.3, 3.0


def apart(feed_venue: str, futures_name: str) -> bool:
    """Whether one of feed and exchange is simulated and the other is not (settings `feed.venue`, `futures.name`)."""
    return (feed_venue == "simulated") != (futures_name == "simulated")


def apart_words(feed_venue: str, futures_name: str) -> dict[str, str]:
    """What happened, why, what to do."""
    right = "simulated" if futures_name == "simulated" else "binance_usdm"
    return {"what": "The scalper enters nothing",
            "why": f"Its order flow is of {feed_venue} (FEED_VENUE), its orders go to {futures_name} (FUTURES_NAME). "
                   "What is open stays guarded.",
            "todo": f"Set FEED_VENUE={right}, then /restartloop and /service scalper restart."}


@dataclass(frozen=True, slots=True)
class Touch:
    """Best prices, and when they were asked for (monotonic)."""

    bid: float
    ask: float
    asked_at: float


class Beside:
    """Own prices of some contracts. `most_bps`: how far the middle may be from the feed's, basis points. `apart`: the
    feed's flow says nothing of this exchange."""

    def __init__(self, market: MarketData, symbols: Iterable[str], most_bps: float, apart: bool = False,
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._market, self._symbols, self._most_bps, self._apart = market, tuple(symbols), most_bps, apart
        self._monotonic = monotonic
        self._touches: dict[str, Touch] = {}

    async def turn(self) -> None:
        """Ask for all of them; one that does not answer grows old."""
        await asyncio.gather(*map(self._ask, self._symbols))

    async def _ask(self, symbol: str) -> None:
        asked_at = self._monotonic()
        try:
            book = await self._market.book(symbol, 1)
        except Unavailable as problem:
            log.info("%s: the exchange's own price cannot be read: %s", symbol, problem)
            return
        if book.bids and book.asks:
            self._touches[symbol] = Touch(float(book.bids[0][0]), float(book.asks[0][0]), asked_at)

    def priced(self, signal: Signal) -> tuple[Code, Signal]:
        """The signal at the exchange's own prices; or the code of what is wrong with them, and the signal as it was."""
        touch = self._touches.get(signal.symbol)
        if self._apart or touch is None or self._monotonic() - touch.asked_at > FRESH_S:
            return Code.PRICE_ELSEWHERE, signal
        here, there = (touch.bid + touch.ask) / 2, (signal.bid + signal.ask) / 2
        if there <= 0 or abs(here / there - 1) * 10_000 > self._most_bps:
            return Code.PRICE_ELSEWHERE, signal
        return Code.OK, replace(signal, bid=touch.bid, ask=touch.ask)
