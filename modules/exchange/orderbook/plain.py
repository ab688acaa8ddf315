"""The book without numba: typed messages, sorted lists; the same layout, the same results.

The lists are the book; after each message the best `published` levels go to the shared array, for whoever reads it.
"""

from array import array
from bisect import bisect_left

import msgspec

from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook.book import Ids, Ints, Levels
from modules.exchange.orderbook.layout import Stale
from modules.exchange.orderbook.messages import BookTicker, Depth, OffGrid, units
from modules.exchange.orderbook.rules import verdict

_DEPTH = msgspec.json.Decoder(Depth)
_TICKER = msgspec.json.Decoder(BookTicker)
_GARBAGE = (msgspec.MsgspecError, ValueError)  # ValueError includes UnicodeDecodeError


def payload(raw: bytes, start: int) -> bytes | memoryview:
    """The object inside a combined message (`start` > 0 is its place), or the whole of a plain one."""
    if start == 0:
        return raw
    end = len(raw.rstrip())
    if raw[end - 1:end] != b"}":
        raise ValueError("the message is cut off")
    return memoryview(raw)[start:end - 1]


class PlainBook:
    """One book over a shared array (`layout`)."""

    def __init__(self, words: Ints, published: int = 100) -> None:
        self.array = words
        self._cells = memoryview(words.data).cast("B").cast("q")
        self._published = published
        self._sides: tuple[tuple[list[int], list[int]], tuple[list[int], list[int]]] = (([], []), ([], []))
        self._edges = [at.EVERYTHING, at.EVERYTHING]

    def on_depth(self, raw: bytes, start: int, now_ns: int) -> int:
        cells = self._cells
        try:
            message = _DEPTH.decode(payload(raw, start))
            bids = [(units(p, cells[at.PRICE_SCALE]), units(q, cells[at.QTY_SCALE])) for p, q in message.b]
            asks = [(-units(p, cells[at.PRICE_SCALE]), units(q, cells[at.QTY_SCALE])) for p, q in message.a]
        except OffGrid:
            self.mark_stale(Stale.GRID)
            return at.OFF_GRID
        except _GARBAGE:
            cells[at.MALFORMED] += 1
            self.mark_stale(Stale.MALFORMED_FRAME)
            return at.BAD_FRAME
        if 0 < cells[at.STALE] < at.DOUBT:
            return at.WAITING
        said = verdict(cells[at.RULE], cells[at.LAST_ID], cells[at.FIRST], cells[at.EVENT_MS], message.U, message.u,
                       -1 if message.pu is None else message.pu, message.E)
        if said == at.APPLIED_OK:
            return self._change(message, bids, asks, now_ns)
        if said == at.OLD:
            cells[at.OLD_FRAMES] += 1
            return at.OLD
        cells[at.BREAKS] += 1
        self.mark_stale(Stale.BACKWARDS if message.u <= cells[at.LAST_ID] else Stale.GAP)
        return at.BROKEN

    def on_ticker(self, raw: bytes, start: int, now_ns: int) -> int:
        cells = self._cells
        try:
            said = _TICKER.decode(payload(raw, start))
            found = [units(text, cells[scale]) for text, scale in (
                (said.b, at.PRICE_SCALE), (said.B, at.QTY_SCALE), (said.a, at.PRICE_SCALE), (said.A, at.QTY_SCALE))]
        except OffGrid:
            return at.OFF_GRID
        except _GARBAGE:
            return at.BAD_FRAME
        if said.u < cells[at.TICKER + 4]:
            return at.OLD
        cells[at.SEQ] += 1
        cells[at.TICKER:at.TICKER + 7] = array("q", [*found, said.u, said.E, now_ns])
        cells[at.SEQ] += 1
        return at.APPLIED_OK

    def ids(self, raw: bytes, start: int) -> Ids | None:
        try:
            message = _DEPTH.decode(payload(raw, start))
        except _GARBAGE:
            return None
        return Ids(message.U, message.u, -1 if message.pu is None else message.pu, message.E)

    def load(self, bids: Levels, asks: Levels, last_id: int, event_ms: int, bid_edge: int, ask_edge: int) -> None:
        cells = self._cells
        cells[at.SEQ] += 1
        self._sides = ((list(bids[0]), list(bids[1])), (list(asks[0]), list(asks[1])))
        self._edges = [bid_edge, ask_edge]
        cells[at.LAST_ID], cells[at.EVENT_MS], cells[at.TRADE_MS] = last_id, event_ms, event_ms
        cells[at.FIRST] = 1
        cells[at.EPOCH] += 1
        cells[at.STALE] = Stale.SYNCING
        self._publish()
        cells[at.SEQ] += 1

    def mark_stale(self, reason: Stale) -> None:
        cells = self._cells
        if reason >= at.DOUBT and cells[at.STALE] != Stale.FRESH:
            return
        cells[at.SEQ] += 1
        cells[at.STALE] = reason
        cells[at.SEQ] += 1

    def _change(self, message: Depth, bids: list[tuple[int, int]], asks: list[tuple[int, int]], now_ns: int) -> int:
        cells = self._cells
        cells[at.SEQ] += 1
        for side, changes in enumerate((bids, asks)):
            self._set_levels(side, changes)
        cells[at.LAST_ID], cells[at.EVENT_MS], cells[at.LOCAL_NS] = message.u, message.E, now_ns
        cells[at.TRADE_MS] = message.E if message.T is None else message.T
        cells[at.FIRST] = 0
        cells[at.APPLIED] += 1
        self._top()
        stale = self._condition()
        cells[at.STALE] = stale
        self._publish()
        cells[at.SEQ] += 1
        return at.APPLIED_OK if stale == Stale.FRESH else at.BROKEN

    def _set_levels(self, side: int, changes: list[tuple[int, int]]) -> None:
        keys, quantities = self._sides[side]
        for key, qty in changes:
            place = bisect_left(keys, key)
            known = place < len(keys) and keys[place] == key
            if known and qty:
                quantities[place] = qty
            elif known:
                del keys[place], quantities[place]
            elif qty:
                if len(keys) == self._cells[at.CAPACITY]:
                    self._trim(side)
                    place = bisect_left(keys, key)
                    if place == 0:
                        self._edges[side] = max(self._edges[side], key + 1)
                        continue
                keys.insert(place, key)
                quantities.insert(place, qty)

    def _trim(self, side: int) -> None:
        """A full side forgets its farthest quarter; what lies there is unknown from here on."""
        keys, quantities = self._sides[side]
        gone = len(keys) // 4
        self._edges[side] = max(self._edges[side], keys[gone])
        del keys[:gone], quantities[:gone]
        self._cells[at.TRIMS] += 1

    def _condition(self) -> Stale:
        (bids, _), (asks, _) = self._sides
        if bids and asks and bids[-1] >= -asks[-1]:
            self._cells[at.CROSSINGS] += 1
            return Stale.CROSSED
        if self._cells[at.STRICT]:
            for keys, edge in zip((bids, asks), self._edges, strict=True):
                if edge != at.EVERYTHING and (not keys or keys[-1] < edge):
                    return Stale.EMPTY
        return Stale.FRESH

    def _top(self) -> None:
        """Quantity of the best levels that are known."""
        known = 1
        for side, (keys, quantities) in enumerate(self._sides):
            count, edge = at.TOP_LEVELS, self._edges[side]
            if keys and keys[max(0, len(keys) - count)] < edge:
                count = len(keys) - bisect_left(keys, edge)
            self._cells[at.TOP + side] = sum(quantities[-count:]) if count else 0
            known &= min(count, len(keys)) == at.TOP_LEVELS or edge == at.EVERYTHING
        self._cells[at.TOP + 2] = known

    def _publish(self) -> None:
        cells, capacity = self._cells, self._cells[at.CAPACITY]
        for side, (keys, quantities) in enumerate(self._sides):
            first = max(0, len(keys) - self._published)
            size, base = len(keys) - first, at.HEADER + 2 * side * capacity
            cells[base:base + size] = array("q", keys[first:])
            cells[base + capacity:base + capacity + size] = array("q", quantities[first:])
            cells[at.BIDS + side] = size
            edge = self._edges[side]
            cells[at.BID_EDGE + side] = max(edge, keys[first]) if first else edge
