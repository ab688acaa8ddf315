"""Bytes of a bookTicker message → the ticker words of the symbol's book, compiled. Layout in `layout.py`."""

from modules.exchange.orderbook.jit import Ints, address, byte, compiled, fence, inlined
from modules.exchange.orderbook.layout import (
    ABSENT,
    APPLIED_OK,
    BAD_FRAME,
    OFF_GRID,
    OLD,
    PRICE_SCALE,
    QTY_SCALE,
    S_EVENT,
    S_FINAL,
    S_LEVELS,
    SEQ,
    TICKER,
)
from modules.exchange.orderbook.parse_kernels import decimal, next_key, number, skip, string_end, trailer, value_of


@inlined
def _ticker_field(buf: int, end: int, first: int, at: int, scratch: Ints, price_scale: int, qty_scale: int) -> int:
    if first == 98:  # b
        return decimal(buf, end, at, price_scale, scratch, S_LEVELS)
    if first == 66:  # B
        return decimal(buf, end, at, qty_scale, scratch, S_LEVELS + 1)
    if first == 97:  # a
        return decimal(buf, end, at, price_scale, scratch, S_LEVELS + 2)
    if first == 65:  # A
        return decimal(buf, end, at, qty_scale, scratch, S_LEVELS + 3)
    if first == 117:  # u
        return number(buf, end, at, scratch, S_FINAL)
    if first == 69:  # E
        return number(buf, end, at, scratch, S_EVENT)
    return skip(buf, end, at)


@compiled
def parse_ticker(raw: bytes, at: int, scratch: Ints, price_scale: int, qty_scale: int) -> int:
    """The bookTicker object at `at` into scratch: APPLIED_OK, BAD_FRAME or OFF_GRID."""
    buf, end = address(raw), len(raw)
    closing = 1 if at > 0 else 0
    for slot in range(S_LEVELS + 4):
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
        first = byte(buf, at + 1) if key_end - at == 3 else 0
        at = _ticker_field(buf, end, first, value, scratch, price_scale, qty_scale)
        if at < 0:
            return OFF_GRID if at == -2 else BAD_FRAME
    if at >= end or not trailer(buf, end, at + 1, closing):
        return BAD_FRAME
    for slot in range(S_LEVELS, S_LEVELS + 4):
        if scratch[slot] == ABSENT:
            return BAD_FRAME
    return APPLIED_OK if scratch[S_FINAL] != ABSENT else BAD_FRAME


@compiled
def on_ticker(raw: bytes, at: int, book: Ints, scratch: Ints, now_ns: int) -> int:
    """The bookTicker object at `at` into the book's ticker words: APPLIED_OK, OLD, BAD_FRAME or OFF_GRID."""
    found = parse_ticker(raw, at, scratch, book[PRICE_SCALE], book[QTY_SCALE])
    if found != APPLIED_OK:
        return found
    if scratch[S_FINAL] < book[TICKER + 4]:
        return OLD
    book[SEQ] += 1
    fence()
    for i in range(4):
        book[TICKER + i] = scratch[S_LEVELS + i]
    book[TICKER + 4] = scratch[S_FINAL]
    book[TICKER + 5] = max(scratch[S_EVENT], 0)  # the spot venue tells no time
    book[TICKER + 6] = now_ns
    fence()
    book[SEQ] += 1
    return APPLIED_OK
