"""Compiled parts of the grid's tick backtest: time goes on until somebody has to look."""

from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.arena import (
    EX_ASK,
    EX_AT,
    EX_BID,
    EX_DOUBT,
    NEXT_ANSWER,
    NEXT_REQUEST,
    O_KNOWN,
    O_NOTE,
    O_STATE,
    RESTS,
    ROWS,
    Arena,
    T,
)
from modules.backtest.ticks.engine import advance_to
from utils.compiled import kernel

# What `onward` stopped for. An order's note is HEARD once its answer was passed on.
LOOK, ANSWER, TOUCH, OVER = 0, 1, 2, 3
UNHEARD, HEARD = 1, 2


@kernel
def answered(a: Arena) -> int:
    """The row of an order whose answer has come and was not passed on; −1 where there is none."""
    for row in range(a.now[ROWS]):
        if a.orders[row, O_STATE] != ar.FREE and a.orders[row, O_KNOWN] > RESTS and a.orders[row, O_NOTE] == UNHEARD:
            return row
    return -1


@kernel
def onward(a: Arena, until: int, low: int, high: int) -> int:
    """Let time pass until `until` (ns; LOOK), an order's answer (ANSWER), the end of the tape (OVER), or the venue's
    message that brings its best bid to `low` ticks or less, or its best ask to `high` or more (TOUCH)."""
    while a.now[T] < until:
        stop = min(until, a.now[NEXT_REQUEST], a.now[NEXT_ANSWER])
        if a.now[EX_AT] < len(a.exch):
            stop = min(stop, a.exch[a.now[EX_AT]])
        more = advance_to(a, max(stop, a.now[T]))
        if answered(a) >= 0:
            return ANSWER
        bid, ask = a.now[EX_BID], a.now[EX_ASK]
        if a.now[EX_DOUBT] == 0 and bid >= 0 and ask < len(a.ex_asks) and (bid + a.base <= low
                                                                           or ask + a.base >= high):
            return TOUCH
        if not more:
            return OVER
    return LOOK
