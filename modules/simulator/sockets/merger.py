"""Differences of a book gathered for a slower stream.

The venue's rules (its page "How to manage a local order book correctly"): a frame carries the first and last update
id of its window, and `pu`, the last id of the frame before on the same stream; a level is told with its quantity at
the window's end, "0" where it is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

Levels = list[tuple[int, int]]


@dataclass(slots=True)
class Gathered:
    """What changed in a window: last quantity by tick."""

    first: int
    last: int
    previous: int
    ms: int
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)


class Merger:
    """The window of one stream. Windows end at multiples of `every_ms` of market time."""

    def __init__(self, every_ms: int) -> None:
        self.every_ms = every_ms
        self._open: Gathered | None = None
        self._window = 0

    def add(
        self, ms: int, first: int, last: int, previous: int,
        bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]],
    ) -> None:
        """A difference as the market told it."""
        gathered = self._open
        if gathered is None:
            gathered = self._open = Gathered(first, last, previous, ms)
            self._window = -(-ms // self.every_ms)  # what happens at a window's very end belongs to it
        gathered.last, gathered.ms = last, ms
        gathered.bids.update(bids)
        gathered.asks.update(asks)

    def take(self, ms: int) -> Gathered | None:
        """The window's content once it is over at `ms`."""
        if self._open is None or ms < self._window * self.every_ms:
            return None
        gathered, self._open = self._open, None
        return gathered
