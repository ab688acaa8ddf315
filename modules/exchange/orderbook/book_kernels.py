"""Books and trade rings changed by compiled code: a message in `scratch` → the shared array, under its seqlock.

Layouts in `layout.py` and `ring.py`. Import only where numba is installed.
"""

from modules.exchange.orderbook import layout, rules
from modules.exchange.orderbook.jit import Ints, compiled, fence, inlined, move
from modules.exchange.orderbook.layout import (
    ABSENT,
    APPLIED,
    APPLIED_OK,
    ASK_EDGE,
    ASKS,
    BAD_FRAME,
    BID_EDGE,
    BIDS,
    BREAKS,
    BROKEN,
    CAPACITY,
    CROSSINGS,
    DOUBT,
    EVENT_MS,
    EVERYTHING,
    FIRST,
    HEADER,
    LAST_ID,
    LOCAL_NS,
    MALFORMED,
    MOST_CHANGES,
    OFF_GRID,
    OLD,
    OLD_FRAMES,
    PRICE_SCALE,
    QTY_SCALE,
    RULE,
    S_ASKS,
    S_BIDS,
    S_EVENT,
    S_FINAL,
    S_FIRST,
    S_LEVELS,
    S_PREVIOUS,
    S_TRADE,
    SEQ,
    STALE,
    STRICT,
    TRADE_MS,
    TRIMS,
    WAITING,
)
from modules.exchange.orderbook.parse_kernels import parse_depth

_CROSSED, _EMPTY, _GAP, _GRID, _BACKWARDS, _MALFORMED = (
    int(layout.Stale.CROSSED), int(layout.Stale.EMPTY), int(layout.Stale.GAP), int(layout.Stale.GRID),
    int(layout.Stale.BACKWARDS), int(layout.Stale.MALFORMED_FRAME))
verdict = compiled(rules.verdict)


@inlined
def _place(book: Ints, base: int, count: int, key: int) -> int:
    """Index of the first level whose key is not below `key`: looked for from the touch, then by halving."""
    low = count - 8
    if low > 0 and book[base + low] > key:
        high = low
        low = 0
        while low < high:
            middle = (low + high) >> 1
            if book[base + middle] < key:
                low = middle + 1
            else:
                high = middle
        return low
    at = count
    while at > 0 and book[base + at - 1] >= key:
        at -= 1
    return at


@inlined
def _trim(book: Ints, base: int, count: int, capacity: int, edge: int) -> int:
    """A full side forgets its farthest quarter; what lies there is unknown from here on."""
    gone = capacity // 4
    book[edge] = max(book[edge], book[base + gone])
    move(book, base, base + gone, count - gone)
    move(book, base + capacity, base + capacity + gone, count - gone)
    book[TRIMS] += 1
    return count - gone


@inlined
def set_level(book: Ints, base: int, count: int, key: int, qty: int, edge: int) -> int:
    """One level set, or taken away where `qty` is 0; returns the new count."""
    capacity = book[CAPACITY]
    at = _place(book, base, count, key)
    if at < count and book[base + at] == key:
        if qty != 0:
            book[base + capacity + at] = qty
            return count
        move(book, base + at, base + at + 1, count - at - 1)
        move(book, base + capacity + at, base + capacity + at + 1, count - at - 1)
        return count - 1
    if qty == 0:
        return count
    if count == capacity:
        count = _trim(book, base, count, capacity, edge)
        at = _place(book, base, count, key)
        if at == 0:
            book[edge] = max(book[edge], key + 1)
            return count
    move(book, base + at + 1, base + at, count - at)
    move(book, base + capacity + at + 1, base + capacity + at, count - at)
    book[base + at] = key
    book[base + capacity + at] = qty
    return count + 1


@inlined
def _condition(book: Ints) -> int:
    """What the book itself says after a whole message: 0, or the Stale it deserves."""
    bids, asks, capacity = book[BIDS], book[ASKS], book[CAPACITY]
    best_bid = book[HEADER + bids - 1] if bids > 0 else ABSENT
    best_ask = book[HEADER + 2 * capacity + asks - 1] if asks > 0 else ABSENT
    if bids > 0 and asks > 0 and best_bid >= -best_ask:
        book[CROSSINGS] += 1
        return _CROSSED
    # A side that has nothing within what is known has no best level: it may stand where we cannot see.
    if book[STRICT] == 0:
        return 0
    if best_bid < book[BID_EDGE] and book[BID_EDGE] != EVERYTHING:
        return _EMPTY
    if best_ask < book[ASK_EDGE] and book[ASK_EDGE] != EVERYTHING:
        return _EMPTY
    return 0


@inlined
def top_sums(book: Ints, levels: int) -> tuple[int, int, int]:
    """Quantity of the best `levels` of each side, and 1 if all of them are known."""
    capacity, known, first, total = book[CAPACITY], 1, 0, 0
    for side in range(2):
        base, count = HEADER + 2 * side * capacity, book[BIDS + side]
        edge = book[BID_EDGE + side]
        first, total, i = total, 0, count - 1
        while i >= 0 and i >= count - levels and book[base + i] >= edge:
            total += book[base + capacity + i]
            i -= 1
        if count - 1 - i < levels and edge != EVERYTHING:
            known = 0
    return first, total, known


@inlined
def _change(book: Ints, scratch: Ints, now_ns: int) -> int:
    """The message in `scratch` into the book, with the seqlock held."""
    book[SEQ] += 1
    fence()
    base, count, capacity = HEADER, book[BIDS], book[CAPACITY]
    for i in range(scratch[S_BIDS]):
        count = set_level(book, base, count, scratch[S_LEVELS + 2 * i], scratch[S_LEVELS + 2 * i + 1], BID_EDGE)
    book[BIDS] = count
    base, count, first = HEADER + 2 * capacity, book[ASKS], S_LEVELS + 2 * MOST_CHANGES
    for i in range(scratch[S_ASKS]):
        count = set_level(book, base, count, -scratch[first + 2 * i], scratch[first + 2 * i + 1], ASK_EDGE)
    book[ASKS] = count
    book[LAST_ID] = scratch[S_FINAL]
    book[EVENT_MS] = scratch[S_EVENT]
    book[TRADE_MS] = scratch[S_TRADE] if scratch[S_TRADE] != ABSENT else scratch[S_EVENT]
    book[LOCAL_NS] = now_ns
    book[FIRST] = 0
    book[APPLIED] += 1
    book[layout.TOP], book[layout.TOP + 1], book[layout.TOP + 2] = top_sums(book, layout.TOP_LEVELS)
    stale = _condition(book)
    book[STALE] = stale
    fence()
    book[SEQ] += 1
    return APPLIED_OK if stale == 0 else BROKEN


@compiled
def mark_stale(book: Ints, reason: int) -> None:
    """Stale at once. A doubt never covers up a reason that only a snapshot mends."""
    if reason >= DOUBT and book[STALE] != 0:
        return
    book[SEQ] += 1
    fence()
    book[STALE] = reason
    fence()
    book[SEQ] += 1


@compiled
def on_depth(buf: bytes, at: int, book: Ints, scratch: Ints, now_ns: int) -> int:
    """A depth message as it came, onto the book: APPLIED_OK, OLD, BROKEN, WAITING (for a snapshot), BAD_FRAME or
    OFF_GRID. The object begins at `at`."""
    found = parse_depth(buf, at, scratch, book[PRICE_SCALE], book[QTY_SCALE])
    if found == BAD_FRAME:
        book[MALFORMED] += 1
        mark_stale(book, _MALFORMED)
        return BAD_FRAME
    if found == OFF_GRID:
        mark_stale(book, _GRID)
        return OFF_GRID
    return on_scratch(book, scratch, now_ns)


@compiled
def on_scratch(book: Ints, scratch: Ints, now_ns: int) -> int:
    """The message in `scratch` onto the book, by the venue's rule."""
    if 0 < book[STALE] < DOUBT:
        return WAITING
    said = verdict(book[RULE], book[LAST_ID], book[FIRST], book[EVENT_MS], scratch[S_FIRST], scratch[S_FINAL],
                   scratch[S_PREVIOUS], scratch[S_EVENT])
    if said == APPLIED_OK:
        return _change(book, scratch, now_ns)
    if said == OLD:
        book[OLD_FRAMES] += 1
        return OLD
    book[BREAKS] += 1
    backwards = scratch[S_FINAL] <= book[LAST_ID]
    mark_stale(book, _BACKWARDS if backwards else _GAP)
    return BROKEN


@compiled
def replace(book: Ints, bids: Ints, asks: Ints, last_id: int, event_ms: int, bid_edge: int, ask_edge: int,
            stale: int) -> None:
    """All levels anew from a snapshot: `bids`, `asks` are [key, quantity] pairs, flat, keys rising."""
    book[SEQ] += 1
    fence()
    capacity = book[CAPACITY]
    for base, count, pairs, edge, known in ((HEADER, BIDS, bids, BID_EDGE, bid_edge),
                                            (HEADER + 2 * capacity, ASKS, asks, ASK_EDGE, ask_edge)):
        size = len(pairs) // 2
        for i in range(size):
            book[base + i] = pairs[2 * i]
            book[base + capacity + i] = pairs[2 * i + 1]
        book[count] = size
        book[edge] = known
    book[LAST_ID], book[EVENT_MS], book[TRADE_MS] = last_id, event_ms, event_ms
    book[FIRST] = 1
    book[layout.EPOCH] += 1
    book[STALE] = stale
    fence()
    book[SEQ] += 1
