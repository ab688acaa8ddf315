"""The two books of the tick engine and what the venue does with resting orders as they change. Kernels.

A level array has one cell per tick; the best prices are kept beside. Where a new bid meets older asks the asks are
taken to be gone: the newer word counts, as each message tells one side before the other.
"""

from modules.backtest.ticks.arena import (
    O_LEFT,
    O_PRICE,
    O_SIDE,
    O_STATE,
    QUEUE_POWER,
    RESTS,
    ROWS,
    Arena,
    Floats,
    Ints,
    Keys,
)
from utils.compiled import kernel, part


@part
def next_bid(bids: Ints, at: int) -> int:
    """The best bid at or below a cell; −1 where there is none."""
    while at >= 0 and bids[at] == 0:
        at -= 1
    return at


@part
def next_ask(asks: Ints, at: int) -> int:
    """The best ask at or above a cell; the width of the book where there is none."""
    while at < len(asks) and asks[at] == 0:
        at += 1
    return at


@part
def levels(keys: Keys, quantities: Ints, first: int, behind: int, bids: Ints, asks: Ints, base: int, bid: int,
           ask: int) -> tuple[int, int, int]:
    """Changes `first:behind` of the tape into a book whose best cells are `bid` and `ask`.

    Returns both best cells as they are then, and how many levels lay outside the book.
    """
    width, far = len(bids), 0
    for i in range(first, behind):
        key, qty = keys[i], quantities[i]
        at = (key if key > 0 else -key) - base
        if at < 0 or at >= width:
            far += 1
        elif key > 0:
            bids[at] = qty
            if qty > 0 and at > bid:
                bid = at
                if at >= ask:
                    ask = next_ask(asks, at + 1)
            elif at == bid:
                bid = next_bid(bids, at)
        else:
            asks[at] = qty
            if qty > 0 and at < ask:
                ask = at
                if at <= bid:
                    bid = next_bid(bids, at - 1)
            elif at == ask:
                ask = next_ask(asks, at)
    return bid, ask, far


@part
def requeue(keys: Keys, quantities: Ints, first: int, behind: int, bids: Ints, asks: Ints, base: int, orders: Ints,
            front: Floats, traded: Floats, rows: int, model: int, power: float) -> None:
    """Before a depth message is applied to the venue's book: places in the queue of our resting orders move."""
    for row in range(rows):
        if orders[row, O_STATE] != RESTS:
            continue
        price, side = orders[row, O_PRICE], orders[row, O_SIDE]
        wanted, at = side * price, price - base
        if at < 0 or at >= len(bids):
            continue
        for i in range(first, behind):
            if keys[i] == wanted:
                old = bids[at] if side > 0 else asks[at]
                front[row] = moved(front[row], traded[row], old, quantities[i], model, power)
                traded[row] = 0.0


@part
def moved(front: float, traded: float, old: int, new: int, model: int, power: float) -> float:
    """What stands before us after a level went from `old` to `new`; `traded` of the fall was trades, counted already.

    QUEUE_BACK: a fall that no trade explains is taken to be behind us, the worse of all cases; never more before us
    than stands there. QUEUE_POWER: a part ``back^n / (back^n + front^n)`` of it is behind us, the rest before (the
    probability queue of hftbacktest, after Rigtorp, "Estimating order queue position").
    """
    gone = old - new - traded
    if model != QUEUE_POWER or gone < 0:
        return min(front, float(new))
    back = max(old - front, 0.0)
    ahead = max(front, 0.0) ** power
    behind = back ** power
    share = behind / (behind + ahead) if behind + ahead > 0 else 1.0
    estimate = front - (1.0 - share) * gone + min(back - share * gone, 0.0)
    return min(estimate, float(new))


@kernel
def clear(bids: Ints, asks: Ints) -> None:
    """Empty a book: a snapshot begins anew."""
    bids[:] = 0
    asks[:] = 0


@kernel
def best_row(a: Arena, side: int) -> int:
    """The row of the resting order of a side that is served first (best price, then oldest); −1 where none rests."""
    found = -1
    for row in range(a.now[ROWS]):
        if a.orders[row, O_STATE] != RESTS or a.orders[row, O_SIDE] != side or a.orders[row, O_LEFT] == 0:
            continue
        better = 1 if found < 0 else side * (a.orders[row, O_PRICE] - a.orders[found, O_PRICE])
        if better > 0 or (better == 0 and a.orders[row, 0] < a.orders[found, 0]):
            found = row
    return found
