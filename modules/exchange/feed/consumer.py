"""What a plug-in of the feed process gets: every message, in order, right after it was taken in.

An analyzer that must see each message runs inside the feed: handing 2,000 messages a second to another process costs
more than the analysis, and a reader of shared memory that sleeps sees the newest state, not each one.
"""

from typing import Protocol

from modules.exchange.orderbook.book import Ints
from modules.exchange.orderbook.layout import Stale


class Consumer(Protocol):
    """All calls come from the feed's own loop, and must be quick. A consumer that raises is dropped, with an alert."""

    def on_depth(self, symbol: str, book: Ints, event_ms: int) -> None:
        """The book changed and may be decided on (`orderbook.layout`; use `orderbook.views` or the kernels on it)."""

    def on_trade(self, symbol: str, ring: Ints, event_ms: int) -> None:
        """A trade was taken in: the newest of the ring (`orderbook.ring`)."""

    def on_stale(self, symbol: str, reason: Stale) -> None:
        """The book may not be decided on from here on."""
