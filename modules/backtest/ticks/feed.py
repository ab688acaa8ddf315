"""The hot loop of the tick engine: messages into both books for as long as nothing happens to an order of ours.

One call goes through all messages up to an instant, with everything that it needs at hand: what a message costs decides
how fast a backtest is. A message that may fill an order of ours is left to `engine.py`, untouched.
"""

from typing import Any

from modules.backtest.ticks.arena import (
    EX_ASK,
    EX_AT,
    EX_BID,
    EX_DOUBT,
    LO_ASK,
    LO_AT,
    LO_BID,
    LO_DOUBT,
    LO_TRADE,
    NEVER,
    O_PRICE,
    O_SIDE,
    O_STATE,
    RESTING,
    RESTS,
    ROWS,
    Floats,
    Ints,
    Keys,
    T,
)
from modules.backtest.ticks.books import clear, levels, requeue
from modules.backtest.ticks.tape import DEPTH, GAP, SNAPSHOT, TRADE
from utils.compiled import kernel, part


@part
def touched(orders: Ints, rows: int, base: int, bid: int, ask: int, width: int) -> bool:
    """Whether the other side's best price has come to an order that rests."""
    for row in range(rows):
        if orders[row, O_STATE] == RESTS:
            at = orders[row, O_PRICE] - base
            if (orders[row, O_SIDE] > 0 and ask < width and at >= ask) or (
                    orders[row, O_SIDE] < 0 and bid >= 0 and at <= bid):
                return True
    return False


@part
def reached(orders: Ints, rows: int, key: int) -> bool:
    """Whether a trade (`key` above 0: a seller took bids) concerns an order that rests."""
    side, price = (1, key) if key > 0 else (-1, -key)
    for row in range(rows):
        if orders[row, O_STATE] == RESTS and orders[row, O_SIDE] == side and (
                side * (orders[row, O_PRICE] - price) >= 0):
            return True
    return False


@part
def hear(kind: Any, begin: Ints, key: Keys, qty: Ints, message: int, bids: Ints, asks: Ints, base: int, now: Ints,
         far: Ints) -> None:
    """A message reaches the trader's own book."""
    what, first = kind[message], begin[message]
    if what == TRADE:
        now[LO_TRADE] = first
    elif what == GAP:
        now[LO_DOUBT] = 1
    elif what <= SNAPSHOT:
        if what == SNAPSHOT:
            clear(bids, asks)
            now[LO_BID], now[LO_ASK], now[LO_DOUBT] = -1, len(asks), 0
        now[LO_BID], now[LO_ASK], gone = levels(key, qty, first, begin[message + 1], bids, asks, base, now[LO_BID],
                                                now[LO_ASK])
        far[0] += gone


@kernel
def feed(kind: Any, exch: Ints, local: Ints, begin: Ints, key: Keys, qty: Ints, order: Keys, ex_bids: Ints,
         ex_asks: Ints, lo_bids: Ints, lo_asks: Ints, base: int, now: Ints, orders: Ints, front: Floats, traded: Floats,
         model: int, power: float, until: int, far: Ints) -> None:
    """Messages up to `until`, or to the first of the venue's that needs the engine (it is then the next one)."""
    total, width = len(kind), len(ex_bids)
    ex, lo, resting, rows = now[EX_AT], now[LO_AT], now[RESTING], now[ROWS]
    bid, ask = now[EX_BID], now[EX_ASK]
    while True:
        venue = exch[ex] if ex < total else NEVER
        here = local[order[lo]] if lo < total else NEVER
        if min(venue, here) > until:
            break
        if venue <= here:
            what = kind[ex]
            first, behind = begin[ex], begin[ex + 1]
            if what == DEPTH:
                if resting > 0:
                    requeue(key, qty, first, behind, ex_bids, ex_asks, base, orders, front, traded, rows, model, power)
                bid, ask, _ = levels(key, qty, first, behind, ex_bids, ex_asks, base, bid, ask)
                if resting > 0 and touched(orders, rows, base, bid, ask, width):
                    now[T] = max(now[T], venue)
                    ex += 1
                    now[RESTING] = -resting  # the engine fills what was touched
                    break
            elif what == TRADE:
                if resting > 0 and reached(orders, rows, key[first]):
                    break
            elif what == SNAPSHOT and resting == 0:
                clear(ex_bids, ex_asks)
                bid, ask, _ = levels(key, qty, first, behind, ex_bids, ex_asks, base, -1, width)
                now[EX_DOUBT] = 0
            elif what == GAP:
                now[EX_DOUBT] = 1
            else:
                break
            ex += 1
            now[T] = max(now[T], venue)
            continue
        hear(kind, begin, key, qty, order[lo], lo_bids, lo_asks, base, now, far)
        lo += 1
        now[T] = here
    now[EX_AT], now[LO_AT], now[EX_BID], now[EX_ASK] = ex, lo, bid, ask
