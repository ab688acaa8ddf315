"""Keeps one book true to the venue's (X28): buffers, asks for a snapshot, joins the two, and starts over at a break.

1. Without a trusted book every depth message is kept; a snapshot is wanted.
2. The snapshot waits until a message follows on it by the venue's rule (`rules`); only then the book is loaded and the
   messages are applied. A snapshot older than the first message kept is thrown away and another one is wanted.
3. A break makes the book stale at once; the breaking message is the first one kept for the next start.
4. Doubt (silence, a damaged message, a cut line) keeps the levels: the next message that follows on proves them, one
   that does not is a break.
5. Near the edge of what is known a new snapshot is joined while the old book lives on.

Pure: no clock, no network; whoever drives it sends `on_frame` and `on_snapshot` and looks at `wants`.
"""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook.book import Book, load_snapshot
from modules.exchange.orderbook.layout import Stale
from modules.exchange.orderbook.messages import OffGrid, Snapshot
from modules.exchange.orderbook.rules import verdict

MOST_KEPT = 2_000  # messages that wait for a snapshot: over three minutes at 100 ms
THIN_LEVELS = 60  # fewer known levels than this on a side: time for a new snapshot


class Wants(IntEnum):
    """What the book needs from outside."""

    NOTHING = 0
    SNAPSHOT = 1
    UNITS = 2  # the exchange's tick and step sizes anew, then `restart`


class _Kept(NamedTuple):
    raw: bytes
    start: int
    now_ns: int


@dataclass(slots=True)
class Counts:
    """What happened to this book."""

    snapshots: int = 0
    too_old: int = 0
    thrown_away: int = 0  # messages kept that overflowed


class Synchroniser:
    """One symbol's book and its way back to the truth."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.wants = Wants.SNAPSHOT
        self.counts = Counts()
        self._kept: deque[_Kept] = deque()
        self._snapshot: tuple[Snapshot, int] | None = None
        self._renewing = False

    @property
    def stale(self) -> Stale:
        return Stale(int(self.book.array[at.STALE]))

    def on_frame(self, raw: bytes, start: int, now_ns: int) -> int:
        """A depth message; returns what became of it (`layout`)."""
        found = self.book.on_depth(raw, start, now_ns)
        if found == at.APPLIED_OK and not self._renewing:
            return found
        if found == at.APPLIED_OK:
            self._keep(raw, start, now_ns)
            self._join()
        elif found == at.WAITING:
            self._keep(raw, start, now_ns)
            if self._snapshot is not None:
                self._join()
        elif found == at.BROKEN:
            self._start_over()
            self._keep(raw, start, now_ns)
        elif found == at.OFF_GRID:
            self.on_off_grid()
        elif found == at.BAD_FRAME and self._kept:  # what was kept has a hole now
            self._kept.clear()
        return found

    def on_snapshot(self, snapshot: Snapshot, limit: int) -> None:
        """The answer to ``Wants.SNAPSHOT``; `limit` is the depth that was asked for."""
        self.counts.snapshots += 1
        if self.wants is Wants.SNAPSHOT:
            self.wants = Wants.NOTHING
        self._snapshot = (snapshot, limit)
        self._join()

    def on_off_grid(self) -> None:
        """A number finer than the book's units, on whichever stream of the symbol."""
        self.book.mark_stale(Stale.GRID)
        self._start_over()
        self.wants = Wants.UNITS

    def doubt(self, reason: Stale) -> None:
        """Something may have been lost (rule 4)."""
        self.book.mark_stale(reason)

    def restart(self, reason: Stale = Stale.STARTING) -> None:
        """From the beginning, e.g. with new units."""
        self.book.mark_stale(reason)
        self._start_over()

    def look_for_edge(self) -> bool:
        """True if a new snapshot is wanted because too few levels are known (rule 5)."""
        if self._renewing or self.stale is not Stale.FRESH:
            return False
        words = self.book.array
        capacity = int(words[at.CAPACITY])
        for side in (0, 1):
            count, edge = int(words[at.BIDS + side]), int(words[at.BID_EDGE + side])
            top = at.HEADER + 2 * side * capacity + count
            known = int((words[max(top - THIN_LEVELS, top - count):top] >= edge).sum())
            if edge != at.EVERYTHING and known < THIN_LEVELS:
                self._renewing, self.wants = True, Wants.SNAPSHOT
                return True
        return False

    def _start_over(self) -> None:
        self._kept.clear()
        self._snapshot, self._renewing, self.wants = None, False, Wants.SNAPSHOT

    def _keep(self, raw: bytes, start: int, now_ns: int) -> None:
        if len(self._kept) == MOST_KEPT:
            self.counts.thrown_away += MOST_KEPT
            self._kept.clear()
        self._kept.append(_Kept(raw, start, now_ns))

    def _join(self) -> None:
        """Rule 2, if a snapshot waits."""
        if self._snapshot is None:
            return
        snapshot, limit = self._snapshot
        rule, last_id = int(self.book.array[at.RULE]), snapshot.lastUpdateId
        while self._kept:
            ids = self.book.ids(self._kept[0].raw, self._kept[0].start)
            if ids is None:
                self._kept.popleft()
                continue
            said = verdict(rule, last_id, 1, 0, ids.first, ids.final, ids.previous, ids.event_ms)
            if said == at.OLD:
                self._kept.popleft()
                continue
            self._snapshot = None
            if said == at.APPLIED_OK:
                self._load(snapshot, limit)
            else:
                self.counts.too_old += 1
                self.wants = Wants.SNAPSHOT
            return

    def _load(self, snapshot: Snapshot, limit: int) -> None:
        kept, self._renewing = list(self._kept), False
        self._kept.clear()
        try:
            load_snapshot(self.book, snapshot, limit)
        except OffGrid:
            self.on_off_grid()
            return
        except ValueError:
            self._kept.extend(kept)
            self.wants = Wants.SNAPSHOT
            return
        self.wants = Wants.NOTHING
        for number, one in enumerate(kept):
            found = self.book.on_depth(one.raw, one.start, one.now_ns)
            if found == at.BROKEN:
                self._start_over()
                self._kept.extend(kept[number:])
                return


def empty_words(capacity: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Memory of a book of this process alone."""
    return np.zeros(at.words(capacity), np.int64)
