"""Lines of raw frames → columns, compiled: one pass over the bytes, nothing made per message.

Import only where numba is installed. Numbers are read by the live feed's own compiled functions.
"""

from typing import Any

from modules.backtest.ticks.tape import DEPTH, SNAPSHOT, TRADE
from modules.exchange.orderbook.jit import Ints, address, byte, compiled, inlined
from modules.exchange.orderbook.parse_kernels import decimal, next_key, number, skip, string_end, value_of

# Cells of the scratch
(V_EVENT, V_TIME, V_FIRST, V_LAST, V_PREVIOUS, V_SNAPSHOT, V_ID, V_PRICE, V_QTY, V_MAKER, V_KIND, V_NEXT, V_LAST_VALUE,
 V_COUNT, V_SYMBOL, V_MARKET) = range(16)
CELLS = 16
MISSING = -1
AGGREGATED = 100  # a kind of its own until it is known whether there are single trades as well
NOTHING, DAMAGED, FINE = 0, -1, -2  # what a line gave beside a kind: nothing for us; no message; finer than the scale
FULL = -3

Columns = tuple[Any, ...]


@inlined
def _same(buf: int, at: int, end: int, text: int, length: int) -> bool:
    """Whether the string whose quote is at `at` is the text of `length` bytes at address `text`."""
    if at + length + 1 >= end or byte(buf, at + length + 1) != 34:
        return False
    i = 0
    while i < length and byte(buf, at + 1 + i) == byte(text, i):
        i += 1
    return i == length


@inlined
def _levels(buf: int, end: int, at: int, price_scale: int, qty_scale: int, v: Ints, sign: int, price: Ints, qty: Ints,
            filled: int) -> int:
    """``[["price","quantity"],…]`` into the columns from `filled` on; v[V_COUNT] grows. The place behind."""
    if at >= end or byte(buf, at) != 91:
        return DAMAGED
    at += 1
    if at < end and byte(buf, at) == 93:
        return at + 1
    while at + 1 < end:
        place = filled + v[V_COUNT]
        if place >= len(price):
            return FULL
        if byte(buf, at) != 91:
            return DAMAGED
        at = decimal(buf, end, at + 1, price_scale, v, V_LAST_VALUE)
        if at < 0 or at >= end:
            return at if at < 0 else DAMAGED
        price[place] = sign * v[V_LAST_VALUE]
        at += 1
        while at < end and byte(buf, at) == 32:
            at += 1
        at = decimal(buf, end, at, qty_scale, v, V_LAST_VALUE)
        if at < 0 or at + 1 >= end or byte(buf, at) != 93:
            return at if at < 0 else DAMAGED
        qty[place] = v[V_LAST_VALUE]
        v[V_COUNT] += 1
        at += 1
        if byte(buf, at) == 93:
            return at + 1
        at += 1
        while at < end and byte(buf, at) == 32:
            at += 1
    return DAMAGED


@inlined
def _short(buf: int, end: int, name: int, at: int, v: Ints, price_scale: int, qty_scale: int, symbol: int,
           length: int, price: Ints, qty: Ints, filled: int) -> int:
    """The value of a one-letter field."""
    if name == 69:  # E
        return number(buf, end, at, v, V_EVENT)
    if name == 84:  # T
        return number(buf, end, at, v, V_TIME)
    if name == 85:  # U
        return number(buf, end, at, v, V_FIRST)
    if name == 117:  # u
        return number(buf, end, at, v, V_LAST)
    if name == 116:  # t
        return number(buf, end, at, v, V_ID)
    if name == 115:  # s
        v[V_SYMBOL] = 1 if _same(buf, at, end, symbol, length) else 0
        return string_end(buf, end, at)
    if name == 88:  # X: MARKET, or INSURANCE_FUND and the like, which were not on the book
        v[V_MARKET] = 1 if at + 2 < end and byte(buf, at + 1) == 77 else 0
        return string_end(buf, end, at)
    if name == 109:  # m
        v[V_MAKER] = 1 if byte(buf, at) == 116 else 0
        return skip(buf, end, at)
    if name == 101:  # e: the fourth letter tells depthUpdate, trade, aggTrade and markPriceUpdate apart
        v[V_KIND] = byte(buf, at + 1)
        return string_end(buf, end, at)
    if (name == 98 or name == 97) and byte(buf, at) == 91:  # b and a as lists
        return _levels(buf, end, at, price_scale, qty_scale, v, 1 if name == 98 else -1, price, qty, filled)
    if name == 112 and byte(buf, at) == 34:  # p
        return decimal(buf, end, at, price_scale, v, V_PRICE)
    if name == 113 and byte(buf, at) == 34:  # q
        return decimal(buf, end, at, qty_scale, v, V_QTY)
    return skip(buf, end, at)


@inlined
def _long(buf: int, end: int, key: int, length: int, at: int, v: Ints, price_scale: int, qty_scale: int, price: Ints,
          qty: Ints, filled: int) -> int:
    """The value of a field with a longer name."""
    if length == 2 and byte(buf, key) == 112 and byte(buf, key + 1) == 117:  # pu
        return number(buf, end, at, v, V_PREVIOUS)
    if length == 12 and byte(buf, key) == 108 and byte(buf, key + 4) == 85:  # lastUpdateId
        v[V_KIND] = 115  # s
        return number(buf, end, at, v, V_SNAPSHOT)
    if length == 4 and byte(buf, key) == 98 and byte(buf, key + 1) == 105:  # bids
        return _levels(buf, end, at, price_scale, qty_scale, v, 1, price, qty, filled)
    if length == 4 and byte(buf, key) == 97 and byte(buf, key + 1) == 115:  # asks
        return _levels(buf, end, at, price_scale, qty_scale, v, -1, price, qty, filled)
    return skip(buf, end, at)


@inlined
def _object(buf: int, end: int, at: int, v: Ints, price_scale: int, qty_scale: int, symbol: int, length: int,
            price: Ints, qty: Ints, filled: int) -> int:
    """One JSON object at `at`: what we need of it into `v` and the columns; the place behind, or below 0."""
    at += 1
    while at < end:
        at = next_key(buf, end, at)
        if at < end and byte(buf, at) == 125:
            return at + 1
        key_end = string_end(buf, end, at)
        value = value_of(buf, end, at, key_end)
        if value < 0:
            return DAMAGED
        size = key_end - at - 2
        if size == 1:
            at = _short(buf, end, byte(buf, at + 1), value, v, price_scale, qty_scale, symbol, length, price, qty,
                        filled)
        else:
            at = _long(buf, end, at + 1, size, value, v, price_scale, qty_scale, price, qty, filled)
        if at < 0:
            return at
    return DAMAGED


@inlined
def _kind(v: Ints) -> int:
    """What the object was: a kind of message, or NOTHING."""
    if v[V_KIND] == 115:
        return SNAPSHOT if v[V_SNAPSHOT] >= 0 else NOTHING
    if v[V_SYMBOL] != 1:
        return NOTHING
    if v[V_KIND] == 100:  # depthUpdate
        return DEPTH if v[V_LAST] >= 0 and v[V_FIRST] >= 0 else DAMAGED
    if v[V_KIND] == 116:  # trade
        return TRADE if v[V_PRICE] > 0 and v[V_QTY] > 0 and v[V_MARKET] != 0 else NOTHING
    if v[V_KIND] == 97:  # aggTrade
        return AGGREGATED if v[V_PRICE] > 0 and v[V_QTY] > 0 else NOTHING
    return NOTHING


@inlined
def _data(buf: int, end: int, at: int) -> int:
    """Where the object of a combined message begins; `at` itself where the message is raw."""
    if at + 10 < end and byte(buf, at + 1) == 34 and byte(buf, at + 2) == 115 and byte(buf, at + 3) == 116:
        place = string_end(buf, end, at + 10)  # behind {"stream":
        if place > 0 and place + 8 < end and byte(buf, place + 2) == 100:
            return place + 8  # behind ,"data":
    return at


@compiled
def read_lines(text: Any, symbol: bytes, price_scale: int, qty_scale: int, v: Ints, kind: Any, exch: Ints, local: Ints,
               count: Ints, first: Ints, last: Ints, before: Ints, price: Ints, qty: Ints, seen: Ints) -> int:
    """Lines ``<ns> <message>`` of `symbol` into the columns.

    `seen` counts: 0 rows, 1 changes, 2 damaged lines, 3 trades, 4 aggregated trades (kind AGGREGATED). Returns 0, FINE
    where a price or quantity is finer than its scale, or FULL where the columns are too short.
    """
    buf, size, name, length = address(text), len(text), address(symbol), len(symbol)
    at = 0
    while at < size:
        end = at
        while end < size and byte(buf, end) != 10:
            end += 1
        for cell in range(CELLS):
            v[cell] = MISSING
        v[V_COUNT] = 0
        place = number(buf, end, at, v, V_NEXT)
        stamp = v[V_NEXT]
        if place < 0:  # nineteen digits are one too many for `number`
            stamp, place = 0, at
            while place < end and 48 <= byte(buf, place) <= 57:
                stamp = stamp * 10 + (byte(buf, place) - 48)
                place += 1
        if place + 2 >= end or byte(buf, place) != 32 or byte(buf, place + 1) != 123:
            seen[2] += end > at
            at = end + 1
            continue
        begin = _data(buf, end, place + 1)
        behind = _object(buf, end, begin, v, price_scale, qty_scale, name, length, price, qty, seen[1])
        if behind <= FINE:
            return behind
        found = _kind(v) if behind > 0 else DAMAGED
        at = end + 1
        if found == DAMAGED:
            seen[2] += 1
            continue
        if found == NOTHING:
            continue
        row = seen[0]
        if row >= len(kind):
            return FULL
        if found == SNAPSHOT:
            last[row], first[row], before[row] = v[V_SNAPSHOT], v[V_SNAPSHOT], MISSING
        else:
            last[row], first[row], before[row] = v[V_LAST], v[V_FIRST], v[V_PREVIOUS]
        if found != SNAPSHOT and found != DEPTH:
            if seen[1] >= len(price):
                return FULL
            price[seen[1]] = v[V_PRICE] if v[V_MAKER] == 1 else -v[V_PRICE]
            qty[seen[1]] = v[V_QTY]
            v[V_COUNT] = 1
            seen[3 if found == TRADE else 4] += 1
        kind[row] = found
        exch[row] = v[V_TIME] if v[V_TIME] >= 0 else v[V_EVENT]
        local[row] = stamp
        count[row] = v[V_COUNT]
        seen[0] += 1
        seen[1] += v[V_COUNT]
    return 0
