"""What both tick engines run in `ticks.py`: one post-only order at the touch, buying and selling in turns."""

from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.arena import Arena, T
from modules.backtest.ticks.engine import advance, cancel, row_of, submit
from utils.compiled import kernel


@kernel
def quote(a: Arena, every: int, qty: int, patience: int) -> int:
    """The whole tape; orders sent."""
    order, sent = 0, 0
    while advance(a, every):
        if a.now[ar.LO_BID] < 0 or a.now[ar.LO_ASK] >= len(a.lo_asks):
            continue
        if order > 0:
            row = row_of(a, order)
            if a.orders[row, ar.O_KNOWN] <= ar.RESTS:
                if a.now[T] - sent > patience:
                    cancel(a, order)
                continue
        if a.now[ar.POSITION] <= 0:
            order = submit(a, 1, ar.POST_ONLY, a.now[ar.LO_BID] + a.base, qty)
        else:
            order = submit(a, -1, ar.POST_ONLY, a.now[ar.LO_ASK] + a.base, qty)
        sent = a.now[T]
    return order
