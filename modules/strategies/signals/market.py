"""What a look needs of the feed, and market time from its messages; the feed's reader offers exactly this."""

import time
from collections.abc import Callable
from typing import Protocol

from modules.exchange.feed.reader import Candles, Liveness
from modules.exchange.orderbook.trades import Rows
from modules.exchange.orderbook.views import BookView


class Source(Protocol):
    """The shared memory of a feed (`FeedReader`). Raises Torn, KeyError for a symbol it does not hear."""

    @property
    def alive(self) -> bool:
        """The feed works."""

    @property
    def life(self) -> int:
        """Another number: another memory."""

    def symbols(self) -> list[str]:
        """Heard now."""

    def book(self, symbol: str, levels: int = 20) -> BookView:
        """Best levels."""

    def trades(self, symbol: str, since: int = 0) -> Rows:
        """Trades from a running number on."""

    def candles(self, symbol: str, interval: str) -> Candles:
        """Context."""

    def liveness(self, symbol: str) -> Liveness:
        """Ages of the streams."""


class MarketNow:
    """Market time between messages: the newest event's time, run on by the monotonic clock; never falls."""

    def __init__(self, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.speed, self._monotonic = speed, monotonic
        self._anchor_ms, self._anchor_at, self._told = 0.0, 0.0, 0

    @property
    def known(self) -> bool:
        """Some event was heard."""
        return self._anchor_ms > 0

    def heard(self, event_ms: int) -> None:
        """An event of the venue."""
        at = self._monotonic()
        if event_ms >= self._anchor_ms + (at - self._anchor_at) * self.speed * 1000 or not self.known:
            self._anchor_ms, self._anchor_at = float(event_ms), at

    def __call__(self) -> int:
        """Milliseconds of market time; 0 before the first event."""
        if not self.known:
            return 0
        ms = int(self._anchor_ms + (self._monotonic() - self._anchor_at) * self.speed * 1000)
        self._told = max(self._told, ms)
        return self._told


