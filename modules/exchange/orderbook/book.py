"""One exact book over a shared array: what all users of it rely on, whichever of the two implementations works.

`CompiledBook` (numba) is the live one; `plain.PlainBook` needs only what the program always has. Their results are
equal; `open_book` picks the compiled one where numba is installed.
"""

import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook.layout import Stale
from utils.environment import to_install

if TYPE_CHECKING:
    from modules.exchange.orderbook.messages import Snapshot

Ints = np.ndarray[Any, np.dtype[np.int64]]
Levels = tuple[Sequence[int], Sequence[int]]  # keys rising, quantities


class Ids(NamedTuple):
    """What a depth message says of its place: U, u, pu (-1: none) and its time."""

    first: int
    final: int
    previous: int
    event_ms: int


class Book(Protocol):
    """A book that is written here. Readers use `views` on `array`."""

    array: Ints

    def on_depth(self, raw: bytes, start: int, now_ns: int) -> int:
        """A depth message: `raw` as it came, its object at `start` (0: the whole is the object; else one brace
        follows). APPLIED_OK, OLD, BROKEN, WAITING, BAD_FRAME or OFF_GRID of `layout`."""

    def on_ticker(self, raw: bytes, start: int, now_ns: int) -> int:
        """A bookTicker message, into the ticker words."""

    def ids(self, raw: bytes, start: int) -> Ids | None:
        """Where a depth message belongs, nothing changed; None for a damaged one."""

    def load(self, bids: Levels, asks: Levels, last_id: int, event_ms: int, bid_edge: int, ask_edge: int) -> None:
        """All levels anew. Stale (SYNCING) until the first message after it."""

    def mark_stale(self, reason: Stale) -> None:
        """Stale at once; a doubt does not cover up a reason that only a snapshot mends."""


def prepare(words: Ints, price_scale: int, qty_scale: int, *, rule: int = at.RULE_FUTURES, strict: bool = True) -> Ints:
    """An empty, stale book in an array of ``layout.words(capacity)``; the epoch goes on where it was."""
    epoch, seq = int(words[at.EPOCH]), int(words[at.SEQ])
    words[at.SEQ] = seq | 1
    words[at.STALE] = Stale.STARTING
    words[at.LAST_ID:at.HEADER] = 0
    words[at.STALE], words[at.EPOCH] = Stale.STARTING, epoch
    words[at.PRICE_SCALE], words[at.QTY_SCALE] = price_scale, qty_scale
    words[at.CAPACITY] = (len(words) - at.HEADER) // 4
    words[at.RULE], words[at.STRICT] = rule, strict
    words[at.BID_EDGE] = words[at.ASK_EDGE] = at.EVERYTHING
    words[at.SEQ] = (seq | 1) + 1
    return words


def load_snapshot(book: Book, snapshot: "Snapshot", limit: int) -> None:
    """A REST snapshot into the book; `limit` is the depth that was asked for (0: the whole book).

    Raises OffGrid where the units are too coarse for it, ValueError where it is no order book.
    """
    from modules.exchange.orderbook.messages import units

    price_scale, qty_scale = int(book.array[at.PRICE_SCALE]), int(book.array[at.QTY_SCALE])
    sides = []
    for sign, levels in ((1, snapshot.bids), (-1, snapshot.asks)):
        found = {sign * units(price, price_scale): units(qty, qty_scale) for price, qty in levels}
        keys = sorted(key for key, qty in found.items() if qty)
        cut = keys[-(int(book.array[at.CAPACITY]) * 3 // 4):]
        # A full answer ends where it was cut; a shorter one is the whole side (X28).
        known = bool(limit) and len(levels) >= limit or len(cut) < len(keys)
        sides.append((cut, [found[key] for key in cut], cut[0] if known and cut else at.EVERYTHING))
    (bids, bid_qty, bid_edge), (asks, ask_qty, ask_edge) = sides
    book.load((bids, bid_qty), (asks, ask_qty), snapshot.lastUpdateId, snapshot.E, bid_edge, ask_edge)


class CompiledBook:
    """One book over a shared array, changed by compiled code."""

    def __init__(self, words: Ints, scratch: Ints) -> None:
        from modules.exchange.orderbook import book_kernels, parse_kernels, ticker_kernels

        self.array = words
        self._scratch = scratch
        self._on_depth, self._on_ticker = book_kernels.on_depth, ticker_kernels.on_ticker
        self._replace, self._mark = book_kernels.replace, book_kernels.mark_stale
        self._parse = parse_kernels.parse_depth

    def on_depth(self, raw: bytes, start: int, now_ns: int) -> int:
        return self._on_depth(raw, start, self.array, self._scratch, now_ns)

    def on_ticker(self, raw: bytes, start: int, now_ns: int) -> int:
        return self._on_ticker(raw, start, self.array, self._scratch, now_ns)

    def ids(self, raw: bytes, start: int) -> Ids | None:
        scratch = self._scratch
        if self._parse(raw, start, scratch, int(self.array[at.PRICE_SCALE]), int(self.array[at.QTY_SCALE])) \
                != at.APPLIED_OK:
            return None
        return Ids(int(scratch[at.S_FIRST]), int(scratch[at.S_FINAL]), int(scratch[at.S_PREVIOUS]),
                   int(scratch[at.S_EVENT]))

    def load(self, bids: Levels, asks: Levels, last_id: int, event_ms: int, bid_edge: int, ask_edge: int) -> None:
        pairs = [np.array([*zip(*side, strict=True)], np.int64).reshape(-1) for side in (bids, asks)]
        self._replace(self.array, pairs[0], pairs[1], last_id, event_ms, bid_edge, ask_edge, int(Stale.SYNCING))

    def mark_stale(self, reason: Stale) -> None:
        self._mark(self.array, int(reason))


def opener(*, compiled: bool | None = None) -> tuple[Callable[[Ints], Book], str]:
    """What makes a book over an array, and "" or why it is the plain one.

    `compiled`: False for the plain book, True to insist on the other.
    """
    missing = importlib.util.find_spec("numba") is None
    if compiled is False or (missing and compiled is None):
        from modules.exchange.orderbook.plain import PlainBook

        why = f"numba is not installed ({to_install('requirements-backtest.txt')})" if missing else "asked for"
        return PlainBook, why
    scratch = np.zeros(at.SCRATCH, np.int64)
    return lambda words: CompiledBook(words, scratch), ""


def warm(make_book: Callable[[Ints], Book], on_trade: Callable[[bytes, int, Ints, int], int]) -> None:
    """Have everything compiled, or loaded from the cache, before the first message: the first time takes a quarter of
    a minute, in which no message would be read."""
    from modules.exchange.orderbook import ring

    book = make_book(prepare(np.zeros(at.words(64), np.int64), 1, 1))
    ticks = np.zeros(ring.words(4), np.int64)
    ticks[ring.SIZE] = 4
    book.ids(b"{}", 0)
    book.on_depth(b"{}", 0, 1)
    book.load(([1], [1]), ([-2], [1]), 1, 1, 0, 0)
    book.on_depth(b'{"E":1,"U":1,"u":1,"pu":1,"b":[["0.1","0.2"]],"a":[]}', 0, 1)
    book.on_ticker(b"{}", 0, 1)
    book.mark_stale(Stale.GAP)
    on_trade(b"{}", 0, ticks, 1)
