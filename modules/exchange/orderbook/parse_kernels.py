"""Bytes of a depth or trade message → whole numbers in a scratch array, compiled.

A message is read whole and checked before anything is done with it: a truncated or damaged one changes nothing.
Layout of the scratch in `layout.py`. Import only where numba is installed.
"""

from modules.exchange.orderbook.jit import Ints, address, byte, compiled, inlined
from modules.exchange.orderbook.layout import (
    ABSENT,
    APPLIED_OK,
    BAD_FRAME,
    MOST_CHANGES,
    OFF_GRID,
    S_ASKS,
    S_BIDS,
    S_EVENT,
    S_FINAL,
    S_FIRST,
    S_LEVELS,
    S_PREVIOUS,
    S_TRADE,
)

_OVERFLOW = 900_000_000_000_000_000


@inlined
def number(buf: int, end: int, at: int, scratch: Ints, slot: int) -> int:
    """A whole number without quotes into scratch[slot]; returns the place behind it, -1 if there is none."""
    value, start = 0, at
    while at < end and 48 <= byte(buf, at) <= 57:
        value = value * 10 + (byte(buf, at) - 48)
        at += 1
    scratch[slot] = value
    return at if 0 < at - start <= 18 else -1


@inlined
def decimal(buf: int, end: int, at: int, scale: int, scratch: Ints, slot: int) -> int:
    """``"123.45"`` with its quotes, in units of 10^-scale; the place behind it, -1 malformed, -2 finer than that."""
    if at >= end or byte(buf, at) != 34:
        return -1
    at += 1
    value, digits, places, seen_dot, fine = 0, 0, 0, False, False
    while at < end:
        c = byte(buf, at)
        if 48 <= c <= 57:
            if seen_dot and places == scale:
                fine = fine or c != 48
            else:
                value = value * 10 + (c - 48)
                if value > _OVERFLOW:
                    return -1
                if seen_dot:
                    places += 1
            digits += 1
        elif c == 46 and not seen_dot:
            seen_dot = True
        else:
            break
        at += 1
    if at >= end or byte(buf, at) != 34 or digits == 0:
        return -1
    while places < scale:
        value *= 10
        places += 1
        if value > _OVERFLOW:
            return -1
    scratch[slot] = value
    return -2 if fine else at + 1


@inlined
def string_end(buf: int, end: int, at: int) -> int:
    """Behind the string that begins at `at`."""
    if at >= end or byte(buf, at) != 34:
        return -1
    at += 1
    while at < end:
        if byte(buf, at) == 92:
            at += 1
        elif byte(buf, at) == 34:
            return at + 1
        at += 1
    return -1


@inlined
def skip(buf: int, end: int, at: int) -> int:
    """Behind any value: fields that a venue adds later must not stop the feed."""
    depth = 0
    while at < end:
        c = byte(buf, at)
        if c == 34:
            at = string_end(buf, end, at)
            if at < 0:
                return -1
        elif c == 91 or c == 123:
            depth += 1
            at += 1
        elif c == 93 or c == 125:
            if depth == 0:
                return at
            depth -= 1
            at += 1
        elif c == 44 and depth == 0:
            return at
        else:
            at += 1
        if depth == 0 and (c == 34 or c == 93 or c == 125):
            return at
    return -1


@inlined
def _side(buf: int, end: int, at: int, price_scale: int, qty_scale: int, scratch: Ints, base: int, counter: int) -> int:
    """``[["price","quantity"],…]`` into scratch; the place behind it, -1 or -2."""
    n = 0
    if at >= end or byte(buf, at) != 91:
        return -1
    at += 1
    if at < end and byte(buf, at) == 93:
        scratch[counter] = 0
        return at + 1
    while at + 1 < end:
        if byte(buf, at) != 91 or n == MOST_CHANGES:
            return -1
        at = decimal(buf, end, at + 1, price_scale, scratch, base + 2 * n)
        if at < 0 or at >= end or byte(buf, at) != 44:
            return at if at < 0 else -1
        at += 1
        while at < end and byte(buf, at) == 32:
            at += 1
        at = decimal(buf, end, at, qty_scale, scratch, base + 2 * n + 1)
        if at < 0 or at + 1 >= end or byte(buf, at) != 93:
            return at if at < 0 else -1
        n += 1
        at += 1
        if byte(buf, at) == 93:
            scratch[counter] = n
            return at + 1
        if byte(buf, at) != 44:
            return -1
        at += 1
        while at < end and byte(buf, at) == 32:
            at += 1
    return -1


@inlined
def _field(buf: int, end: int, key: int, length: int, at: int, scratch: Ints, price_scale: int, qty_scale: int) -> int:
    """The value of the key at [key, key + length): those of a depth message into scratch, others passed over."""
    first = byte(buf, key)
    if length == 1:
        if first == 69:  # E
            return number(buf, end, at, scratch, S_EVENT)
        if first == 84:  # T
            return number(buf, end, at, scratch, S_TRADE)
        if first == 85:  # U
            return number(buf, end, at, scratch, S_FIRST)
        if first == 117:  # u
            return number(buf, end, at, scratch, S_FINAL)
        if first == 98:  # b
            return _side(buf, end, at, price_scale, qty_scale, scratch, S_LEVELS, S_BIDS)
        if first == 97:  # a
            return _side(buf, end, at, price_scale, qty_scale, scratch, S_LEVELS + 2 * MOST_CHANGES, S_ASKS)
    elif length == 2 and first == 112 and byte(buf, key + 1) == 117:  # pu
        return number(buf, end, at, scratch, S_PREVIOUS)
    return skip(buf, end, at)


@inlined
def trailer(buf: int, end: int, at: int, closing: int) -> bool:
    """Nothing but `closing` braces and white space to the end: the message is whole."""
    for i in range(at, end):
        c = byte(buf, i)
        if c == 125:
            closing -= 1
        elif c != 32 and c != 10 and c != 13:
            return False
    return closing == 0


@inlined
def next_key(buf: int, end: int, at: int) -> int:
    """The place of the next key's quote, or of the brace that closes the object; `end` if there is neither."""
    while at < end and (byte(buf, at) == 32 or byte(buf, at) == 44):
        at += 1
    return at


@inlined
def value_of(buf: int, end: int, key: int, key_end: int) -> int:
    """Where the value of the key at [key, key_end) begins; -1 if that is no key."""
    if key_end < 0 or key_end >= end or byte(buf, key_end) != 58 or key_end - key < 3:
        return -1
    at = key_end + 1
    while at < end and byte(buf, at) == 32:
        at += 1
    return at


@inlined
def _filled(scratch: Ints) -> bool:
    """Every field of a depth message that the book needs was there."""
    for slot in (S_EVENT, S_FIRST, S_FINAL, S_BIDS, S_ASKS):  # noqa: SIM110 - compiled code has no generators
        if scratch[slot] == ABSENT:
            return False
    return True


@compiled
def parse_depth(raw: bytes, at: int, scratch: Ints, price_scale: int, qty_scale: int) -> int:
    """The depth object at `at` into scratch. Returns APPLIED_OK, BAD_FRAME or OFF_GRID."""
    buf, end = address(raw), len(raw)
    closing = 1 if at > 0 else 0  # a combined message wraps the object
    for slot in range(S_LEVELS):
        scratch[slot] = ABSENT
    if at >= end or byte(buf, at) != 123:
        return BAD_FRAME
    at += 1
    while at < end:
        at = next_key(buf, end, at)
        if at < end and byte(buf, at) == 125:
            break
        key_end = string_end(buf, end, at)
        value = value_of(buf, end, at, key_end)
        if value < 0:
            return BAD_FRAME
        at = _field(buf, end, at + 1, key_end - at - 2, value, scratch, price_scale, qty_scale)
        if at < 0:
            return OFF_GRID if at == -2 else BAD_FRAME
    if at >= end or not trailer(buf, end, at + 1, closing):
        return BAD_FRAME
    return APPLIED_OK if _filled(scratch) else BAD_FRAME
