"""What the tick engine works on: the tape, two books, the orders and the fills of one run, as bundles of arrays.

Prices are ticks, quantities steps, times ns of the venue's clock. The venue's book follows `exch_ns`, the trader's own
follows `local_ns`: a decision sees only what had arrived.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modules.backtest.ticks.tape import TRADE, Tape, TapeError

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
NEVER = 1 << 62

BUY, SELL = 1, -1
LIMIT, POST_ONLY, IOC, MARKET = 0, 1, 2, 3
# Cells of `Arena.now`. ROWS: order rows in use so far, all others are free
(T, EX_AT, LO_AT, EX_BID, EX_ASK, LO_BID, LO_ASK, EX_DOUBT, LO_DOUBT, POSITION, LIVE, FILLS, NEXT_REQUEST, NEXT_ANSWER,
 FAULT, LAST_ID, LO_TRADE, RESTING, ROWS) = range(19)
NOW_CELLS = 19
# Columns of `Arena.orders`; a row is free where O_STATE is FREE
(O_ID, O_STATE, O_SIDE, O_TYPE, O_PRICE, O_QTY, O_LEFT, O_ARRIVES, O_ANSWERED, O_CANCEL, O_KNOWN, O_SEEN,
 O_REDUCE, O_NOTE) = range(14)
O_COLUMNS = 14
# O_STATE is the venue's truth, O_KNOWN what the trader has heard of it
FREE, SENT, RESTS, FILLED, CANCELED, REFUSED = range(6)
# Columns of `Arena.fills`: order, side, price, quantity, maker, venue's ns, position after, the order's note.
# Side 0 is funding: price is the mark, quantity the rate in 1e-8.
F_ORDER, F_SIDE, F_PRICE, F_QTY, F_MAKER, F_NS, F_POSITION, F_NOTE = range(8)
F_COLUMNS = 8
# Cells of `Arena.rules`
R_ENTRY_NS, R_ANSWER_NS, R_QUEUE, R_TRUST, R_SLIP, R_PARTIAL = range(6)
R_CELLS = 6
QUEUE_BACK, QUEUE_POWER = 0, 1  # only trades move us forward; or cancellations do as well, by where they likely stood
# Cells of `Arena.now[FAULT]`
FAULT_ORDERS, FAULT_FILLS = 1, 2
MOST_ORDERS = 256
WIDEST = 1 << 22  # ticks of a book
_HEADROOM = 0.25  # of the traded range's middle, on either side of it


class Arena(NamedTuple):
    """One run. `base` is the tick of the books' first cell; levels outside the books are not known (`far` counts)."""

    kind: npt.NDArray[np.uint8]
    exch: Ints
    local: Ints
    begin: Ints
    key: Keys
    qty: Ints
    order: Keys
    ex_bids: Ints
    ex_asks: Ints
    lo_bids: Ints
    lo_asks: Ints
    base: int
    now: Ints
    rules: Ints
    power: float
    orders: Ints
    front: Floats
    traded: Floats
    fills: Ints
    far: Ints


def arena_of(tape: Tape, *, entry_ns: int = 0, answer_ns: int = 0, queue: int = QUEUE_BACK, power: float = 3.0,
             trust: bool = False, slip_ticks: int = 0, most_fills: int = 100_000, partial: bool = True) -> Arena:
    """A fresh run over a tape.

    `entry_ns`, `answer_ns`: an order's way to the venue and the answer's way back. `queue`: how a resting order moves
    forward; `power` is the exponent of QUEUE_POWER. `trust`: decide before the first snapshot, too. `slip_ticks`: paid
    on top by every taker. `partial`: a resting order gets no more than what traded beyond its place in the queue.
    Raises TapeError where the prices span too much.
    """
    base, width = _span(tape)
    ex_bids, ex_asks, lo_bids, lo_asks = (np.zeros(width, np.int64) for _ in range(4))
    now = np.zeros(NOW_CELLS, np.int64)
    now[[EX_BID, LO_BID]] = -1
    now[[EX_ASK, LO_ASK]] = width
    now[[EX_DOUBT, LO_DOUBT]] = 0 if trust else 1
    now[[NEXT_REQUEST, NEXT_ANSWER]] = NEVER
    now[LO_TRADE] = -1
    now[T] = min(int(tape.exch_ns[0]), int(tape.local_ns[tape.local_order[0]])) - 1
    rules = np.zeros(R_CELLS, np.int64)
    rules[[R_ENTRY_NS, R_ANSWER_NS, R_QUEUE, R_TRUST, R_SLIP, R_PARTIAL]] = (
        entry_ns, answer_ns, queue, trust, slip_ticks, partial)
    return Arena(tape.kind, tape.exch_ns, tape.local_ns, tape.begin, tape.key, tape.qty, tape.local_order,
                 ex_bids, ex_asks, lo_bids, lo_asks, base, now, rules, power,
                 np.zeros((MOST_ORDERS, O_COLUMNS), np.int64), np.zeros(MOST_ORDERS),
                 np.zeros(MOST_ORDERS), np.zeros((most_fills, F_COLUMNS), np.int64), np.zeros(1, np.int64))


def _span(tape: Tape) -> tuple[int, int]:
    """First tick and width of the books: all prices in the tape, cut to a wide band around where trading went on."""
    keys = np.abs(tape.key)
    low, high = int(keys.min()), int(keys.max())
    traded = keys[tape.begin[:-1][tape.kind == TRADE]]
    middle = int(np.median(traded)) if len(traded) else (low + high) // 2
    reach = max(int(middle * _HEADROOM), WIDEST // 8)
    if len(traded):
        low, high = min(max(low, middle - reach), int(traded.min())), max(min(high, middle + reach), int(traded.max()))
    if high - low + 3 > WIDEST:
        raise TapeError(f"{tape.symbol}: prices span {high - low:,} ticks, more than a book of {WIDEST:,} holds")
    return low - 1, high - low + 3
