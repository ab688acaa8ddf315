"""Bytes of an aggTrade or trade message → the symbol's ring of trades, compiled. Layout in `ring.py`."""

from modules.exchange.orderbook.jit import Ints, address, byte, compiled, fence, inlined
from modules.exchange.orderbook.layout import ABSENT, APPLIED_OK, BAD_FRAME, OFF_GRID, OLD
from modules.exchange.orderbook.parse_kernels import decimal, next_key, number, skip, string_end, trailer, value_of
from modules.exchange.orderbook.ring import (
    BAD_TRADES,
    BEGUN,
    LAST_LOCAL_NS,
    LAST_TRADE_ID,
    MISSED,
    OLD_TRADES,
    PENDING,
    R_PRICE_SCALE,
    R_QTY_SCALE,
    RING_HEADER,
    SIZE,
    SLOT,
    T_BUYER_IS_MAKER,
    T_ID,
    T_LOCAL_NS,
    T_MS,
    T_PRICE,
    T_QTY,
    WRITTEN,
)


@inlined
def _trade_field(buf: int, end: int, first: int, at: int, ring: Ints) -> int:
    if first == 97 or first == 116:  # a: aggregate id; t: id of a single trade
        return number(buf, end, at, ring, PENDING + T_ID)
    if first == 84:  # T
        return number(buf, end, at, ring, PENDING + T_MS)
    if first == 112:  # p
        return decimal(buf, end, at, ring[R_PRICE_SCALE], ring, PENDING + T_PRICE)
    if first == 113:  # q
        return decimal(buf, end, at, ring[R_QTY_SCALE], ring, PENDING + T_QTY)
    if first == 109:  # m
        end = skip(buf, end, at)
        if end - at == 4 and byte(buf, at) == 116:
            ring[PENDING + T_BUYER_IS_MAKER] = 1
        elif end - at == 5 and byte(buf, at) == 102:
            ring[PENDING + T_BUYER_IS_MAKER] = 0
        return end
    return skip(buf, end, at)


@compiled
def parse_trade(raw: bytes, at: int, ring: Ints) -> int:
    """The trade object at `at` into the ring's pending slot: APPLIED_OK, BAD_FRAME or OFF_GRID."""
    buf, end = address(raw), len(raw)
    closing = 1 if at > 0 else 0  # a combined message wraps the object
    for slot in range(SLOT):
        ring[PENDING + slot] = ABSENT
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
        single = key_end - at == 3
        at = _trade_field(buf, end, byte(buf, at + 1), value, ring) if single else skip(buf, end, value)
        if at < 0:
            return OFF_GRID if at == -2 else BAD_FRAME
    if at >= end or not trailer(buf, end, at + 1, closing):
        return BAD_FRAME
    for slot in range(T_LOCAL_NS):
        if ring[PENDING + slot] == ABSENT:
            return BAD_FRAME
    return APPLIED_OK


@compiled
def on_trade(raw: bytes, at: int, ring: Ints, now_ns: int) -> int:
    """A trade message as it came, into the ring: APPLIED_OK, OLD (seen before), BAD_FRAME or OFF_GRID."""
    found = parse_trade(raw, at, ring)
    if found != APPLIED_OK:
        ring[BAD_TRADES] += 1
        return found
    trade_id = ring[PENDING + T_ID]
    if ring[BEGUN] == 1:
        if trade_id <= ring[LAST_TRADE_ID]:
            ring[OLD_TRADES] += 1
            return OLD
        ring[MISSED] += trade_id - ring[LAST_TRADE_ID] - 1
    ring[PENDING + T_LOCAL_NS] = now_ns
    place = RING_HEADER + (ring[WRITTEN] % ring[SIZE]) * SLOT
    for i in range(SLOT):
        ring[place + i] = ring[PENDING + i]
    ring[BEGUN], ring[LAST_TRADE_ID], ring[LAST_LOCAL_NS] = 1, trade_id, now_ns
    fence()
    ring[WRITTEN] += 1
    return APPLIED_OK


@compiled
def window_sums(ring: Ints, since_ms: int, large: int) -> tuple[int, int, int, int, int, float, float]:
    """Over the trades not older than `since_ms` (venue's time): number of buys, sells, large buys, large sells,
    1 if the ring reaches back that far, and the quote volume of buys and sells in units of price x quantity.

    `large`: least price x quantity, in units, of a large trade. The taker's side counts: m = true is a sell (D5).
    """
    buys = sells = large_buys = large_sells = 0
    bought = sold = 0.0
    at, reaches = ring[WRITTEN] - 1, 0
    oldest = max(0, ring[WRITTEN] - ring[SIZE])
    while at >= oldest:
        place = RING_HEADER + (at % ring[SIZE]) * SLOT
        if ring[place + T_MS] < since_ms:
            reaches = 1
            break
        worth = float(ring[place + T_PRICE]) * float(ring[place + T_QTY])
        if ring[place + T_BUYER_IS_MAKER] == 1:
            sells += 1
            sold += worth
            large_sells += worth >= large
        else:
            buys += 1
            bought += worth
            large_buys += worth >= large
        at -= 1
    return buys, sells, large_buys, large_sells, reaches, bought, sold
