"""Where a symbol's latest trades lie in its array of int64: a ring that one process writes and all read.

``RING_HEADER`` words, then ``size`` slots of ``SLOT`` words. The running number of a trade picks its slot; `WRITTEN`
is raised after the slot is whole, so who looks at `WRITTEN` before and after knows what was overwritten meanwhile.
"""

WRITTEN = 0  # trades ever written; the newest has the running number WRITTEN - 1
SIZE = 1
LAST_TRADE_ID = 2
MISSED = 3  # aggregate ids that were skipped by the stream: trades lost
OLD_TRADES = 4
BAD_TRADES = 5
R_PRICE_SCALE = 6
R_QTY_SCALE = 7
LAST_LOCAL_NS = 8
BEGUN = 9  # 1 once a first trade was seen
FIRST_NUMBER = 10  # running number of the first trade of the symbol that has the ring now
PENDING = 12  # a trade just read, before it is taken in: SLOT words
RING_HEADER = 24

T_ID, T_MS, T_PRICE, T_QTY, T_BUYER_IS_MAKER, T_LOCAL_NS = range(6)  # buyer is the maker: the taker sold (D5)
SLOT = 6


def words(size: int) -> int:
    """Length of the array of a ring of `size` trades."""
    return RING_HEADER + size * SLOT
