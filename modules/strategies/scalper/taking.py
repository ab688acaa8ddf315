"""What lies in the feed's memory → order flow and a judgement: the compiled way of one message.

`copy` takes the best levels and the new trades of one contract into arrays of our own; the caller checks that nothing
was being written meanwhile, and only then `take_in` changes any sum.
"""

import numpy as np

from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import ring as rg
from modules.strategies.scalper import flow as fl
from modules.strategies.scalper import rules
from modules.strategies.scalper.flow import Floats, Flow, Ints
from modules.strategies.scalper.terms import Terms
from utils.compiled import kernel

# Cells of `head`
EVENT_MS, STALE, EPOCH, LOCAL_NS, COUNT, NEXT, OVERRUN, MISSED, LAST_MS = range(9)
HEAD = 9
MOST = 512  # trades taken at once
_MARGIN = 64  # slots that the writer may reach while we copy

# Plain numbers: compiled code does not look into other modules' globals by attribute of an attribute any cheaper
_HEADER, _SLOT = at.HEADER, rg.SLOT


@kernel
def copy(book: Ints, ring: Ints, since: int, levels: Ints, trades: Ints, head: Ints) -> None:
    """Header, best levels, and trades from running number `since` on (−1: none, begin with the next)."""
    head[EVENT_MS], head[STALE], head[EPOCH] = book[at.EVENT_MS], book[at.STALE], book[at.EPOCH]
    head[LOCAL_NS] = book[at.LOCAL_NS]
    capacity = book[at.CAPACITY]
    for side in range(2):
        count = min(max(book[at.BIDS + side], 0), capacity)
        first = _HEADER + 2 * side * capacity + count - 1
        edge = book[at.BID_EDGE + side]
        for place in range(fl.DEPTH):
            row = first - place
            if place < count and book[row] >= edge:
                levels[2 * side, place], levels[2 * side + 1, place] = abs(book[row]), book[row + capacity]
            else:
                levels[2 * side, place] = levels[2 * side + 1, place] = 0
    written, size = ring[rg.WRITTEN], ring[rg.SIZE]
    oldest = max(ring[rg.FIRST_NUMBER], written - size + _MARGIN)
    first = written if since < 0 else min(max(since, oldest), written)
    head[OVERRUN] = max(0, oldest - since) if since >= 0 else 0
    count = min(written - first, MOST)
    for place in range(count):
        row = rg.RING_HEADER + (first + place) % size * _SLOT
        trades[place, 0], trades[place, 1] = ring[row + rg.T_MS], ring[row + rg.T_PRICE]
        trades[place, 2], trades[place, 3] = ring[row + rg.T_QTY], ring[row + rg.T_BUYER_IS_MAKER]
    head[COUNT], head[NEXT], head[MISSED] = count, first + count, ring[rg.MISSED]


@kernel
def take_in(flow: Flow, terms: Terms, levels: Ints, trades: Ints, head: Ints, context: Floats, features: Floats,
            parts: Floats) -> int:
    """What was copied into the windows, then the judgement at the newest event: a code of `reasons`."""
    for row in range(head[COUNT]):
        fl.on_trade(flow, terms, trades[row, 0], trades[row, 1], trades[row, 2], trades[row, 3])
    now = max(head[EVENT_MS], flow.cells[fl.T_MS])
    head[LAST_MS] = now
    if levels[fl.BID_QTY, 0] <= 0 or levels[fl.ASK_QTY, 0] <= 0:
        fl.hole(flow, now)
        return 3  # Code.BOOK_PARTIAL
    fl.on_book(flow, head[EVENT_MS], levels[fl.BID_PRICE, 0], levels[fl.BID_QTY, 0], levels[fl.ASK_PRICE, 0],
               levels[fl.ASK_QTY, 0])
    return rules.look(flow, terms, levels, now, context, features, parts)


class Desk:
    """Arrays of one contract that `copy` fills."""

    def __init__(self) -> None:
        self.levels = np.zeros((4, fl.DEPTH), np.int64)
        self.trades = np.zeros((MOST, 4), np.int64)
        self.head = np.zeros(HEAD, np.int64)
        self.context = np.zeros(rules.CONTEXT)
        self.features = np.zeros(fl.FEATURES)
        self.parts = np.zeros(rules.PARTS)
