"""Where everything of one book lies in its array of int64: written by one process, read by all.

``HEADER`` words, then four segments of ``capacity`` words: keys and quantities of the bids, keys and quantities of the
asks. A key is the price in units of ``10^-price_scale`` for a bid and its negative for an ask, so that both sides are
sorted alike: rising, the best level last (a change near the touch moves few levels). Quantities are whole units of
``10^-qty_scale``. Whole numbers, because equality decides (level found, quantity zero) and sums must not drift; a
venue writes every price and quantity of a symbol with a fixed number of decimals.

``BID_EDGE`` and ``ASK_EDGE`` are keys: every level at or above them is known. Further away a level that we hold is
right, but one that we do not hold is unknown, not zero (X28).
"""

from enum import IntEnum

SEQ = 0  # odd while the writer is inside
EPOCH = 1  # one more with each snapshot taken in
LAST_ID = 2
STALE = 3  # a Stale
EVENT_MS = 4  # E of the last message applied, venue's time
TRADE_MS = 5  # T of it: when the matching engine did it
LOCAL_NS = 6  # time.monotonic_ns when it arrived
BIDS = 7
ASKS = 8
BID_EDGE = 9
ASK_EDGE = 10
PRICE_SCALE = 11
QTY_SCALE = 12
CAPACITY = 13
RULE = 14
FIRST = 15  # 1 until the first message after a snapshot was applied
APPLIED = 16
OLD_FRAMES = 17
BREAKS = 18
MALFORMED = 19
CROSSINGS = 20
TRIMS = 21
STRICT = 22  # 1: a best level outside what is known makes the book stale (live); 0: only flagged (replays)
TRADE_STALE, TICKER_STALE, MARK_STALE = 23, 31, 38  # each a Stale, of the stream itself (X29)
TICKER = 24  # bid, bid quantity, ask, ask quantity, update id, event ms, local ns
MARK = 32  # mark, index (units of price), funding (1e-8), next funding ms, event ms, local ns
TOP = 40  # quantity of the best TOP_LEVELS bids, asks, and 1 if all of them are known: for the imbalance (D4)
TOP_LEVELS = 10
HEADER = 64

EVERYTHING = -(1 << 62)  # the edge of a side that is known to its end
MOST_CHANGES = 4096  # levels of one side in one message; more is taken for damage
# A message read, before it is applied: cells of the scratch array, then prices and quantities of both sides
S_EVENT, S_TRADE, S_FIRST, S_FINAL, S_PREVIOUS, S_BIDS, S_ASKS, S_LEVELS = range(8)
SCRATCH = S_LEVELS + 1 + 4 * MOST_CHANGES
ABSENT = -(1 << 60)

RULE_FUTURES, RULE_SPOT = 0, 1


class Stale(IntEnum):
    """Why a book must not be decided on. FRESH is the only one that may."""

    FRESH = 0
    STARTING = 1
    GAP = 2
    CROSSED = 3
    GRID = 4  # a price or quantity finer than the book's units: the tick or step size changed
    BACKWARDS = 5  # ids ran backwards: the venue began anew
    EMPTY = 6  # a side has no level within what is known
    GONE = 7  # not traded any more, or not wanted any more
    # From here on only doubt: the next message that follows on the last one proves that nothing was lost.
    MALFORMED_FRAME = 16
    SILENT = 17
    DISCONNECTED = 18
    LATE = 19
    SYNCING = 20  # a snapshot is in, the first message after it is not


DOUBT = 16

# What became of a message
APPLIED_OK = 1
OLD = 0
BROKEN = -1
WAITING = -2
BAD_FRAME = -3
OFF_GRID = -4
NOT_DEPTH = -5


def words(capacity: int) -> int:
    """Length of the array of a book with `capacity` levels a side."""
    return HEADER + 4 * capacity
