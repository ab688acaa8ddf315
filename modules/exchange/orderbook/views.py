"""What a book shows, read whole from its shared array: never torn, with its doubts beside it.

A seqlock: the writer makes `SEQ` odd before and even after a change; whoever reads the same even number before and
after has copied one state. A writer that died in the middle leaves it odd for ever: that is `Torn`, not a wait.
"""

import threading
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook.layout import Stale

Ints = np.ndarray[Any, np.dtype[np.int64]]
PATIENCE_S = 0.05  # a change takes microseconds; longer means that the writer was halted or died in the middle
_barrier = threading.Lock()


class Torn(Exception):
    """No whole state could be read: the writer died, or was halted, in the middle of a change."""


@dataclass(frozen=True, slots=True)
class BookView:
    """The best levels of one book at one instant. Prices and quantities are floats; `exact` has them as Decimal.

    `bids` and `asks` are arrays (n, 2) of price and quantity, best first, known without a hole. `whole` is False where
    fewer are known than were asked for: what follows is unknown, not empty.
    """

    epoch: int
    last_id: int
    stale: Stale
    event_ms: int
    local_ns: int
    bids: np.ndarray[Any, np.dtype[np.float64]]
    asks: np.ndarray[Any, np.dtype[np.float64]]
    whole: bool
    price_scale: int
    qty_scale: int

    @property
    def usable(self) -> bool:
        """May be decided on: not stale, and both sides have a best level."""
        return self.stale is Stale.FRESH and len(self.bids) > 0 and len(self.asks) > 0

    @property
    def age_s(self) -> float:
        """Seconds since the last message was applied."""
        return (time.monotonic_ns() - self.local_ns) / 1e9

    @property
    def mid(self) -> float:
        """Middle of the best prices. Raises IndexError on an empty side."""
        return float(self.bids[0, 0] + self.asks[0, 0]) / 2

    @property
    def spread_pct(self) -> float:
        """Spread in percent of the mid."""
        return float(self.asks[0, 0] - self.bids[0, 0]) / self.mid * 100

    def imbalance(self, levels: int = 10) -> float:
        """(bid - ask) / (bid + ask) of the quantities of the best `levels`; 0 for an empty book (D4)."""
        bid, ask = float(self.bids[:levels, 1].sum()), float(self.asks[:levels, 1].sum())
        return (bid - ask) / (bid + ask) if bid + ask > 0 else 0.0

    def exact(self, side: str) -> list[tuple[Decimal, Decimal]]:
        """The levels of ``"bids"`` or ``"asks"`` as the venue wrote them."""
        levels = self.bids if side == "bids" else self.asks
        price, qty = Decimal(1).scaleb(-self.price_scale), Decimal(1).scaleb(-self.qty_scale)
        return [(round(p / float(price)) * price, round(q / float(qty)) * qty) for p, q in levels.tolist()]


@dataclass(frozen=True, slots=True)
class Depth:
    """Quote value of both sides within some percent of the mid. Not `whole`: a lower bound (D2)."""

    bid_quote: float
    ask_quote: float
    whole: bool


def copy(words: Ints, levels: int | None) -> tuple[list[int], tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Header, then keys and quantities of the best `levels` of bids and asks (None: all): one state. Raises Torn."""
    deadline = 0.0
    while True:
        before = int(words[at.SEQ])
        if not before & 1:
            with _barrier:
                header = words[:at.HEADER].tolist()
                capacity = header[at.CAPACITY]
                sides = [_side(words, side, header[at.BIDS + side], capacity, levels) for side in (0, 1)]
            with _barrier:  # a lock is a barrier: on processors that read out of order as well
                after = int(words[at.SEQ])
            if before == after:
                return header, sides[0], sides[1]
        now = time.monotonic()
        deadline = deadline or now + PATIENCE_S
        if now > deadline:
            raise Torn("the book is being changed and nobody goes on with it: is the feed process alive?")
        time.sleep(0)


def _side(words: Ints, side: int, count: int, capacity: int, levels: int | None) -> tuple[Ints, Ints]:
    """Copies; a count read in the middle of a change may be anything."""
    count = min(max(count, 0), capacity)
    size = count if levels is None else min(count, levels)
    end = at.HEADER + 2 * side * capacity + count
    return words[end - size:end].copy(), words[end + capacity - size:end + capacity].copy()


def view(words: Ints, levels: int = 20) -> BookView:
    """The best `levels` of both sides. Raises Torn."""
    header, bids, asks = copy(words, levels)
    price, qty = 10.0 ** header[at.PRICE_SCALE], 10.0 ** header[at.QTY_SCALE]
    shown, whole = [], True
    for side, (keys, quantities) in enumerate((bids, asks)):
        edge = header[at.BID_EDGE + side]
        known = keys >= edge
        count = int(known.sum())
        whole &= count >= levels or edge == at.EVERYTHING
        first = len(keys) - count
        levels_of = np.empty((count, 2))
        levels_of[:, 0] = np.abs(keys[first:][::-1]) / price
        levels_of[:, 1] = quantities[first:][::-1] / qty
        shown.append(levels_of)
    return BookView(header[at.EPOCH], header[at.LAST_ID], Stale(header[at.STALE]), header[at.EVENT_MS],
                    header[at.LOCAL_NS], shown[0], shown[1], whole, header[at.PRICE_SCALE], header[at.QTY_SCALE])


def depth_within(words: Ints, pct: float) -> Depth:
    """Quote value within `pct` percent of the mid. Raises Torn; zero, not whole, where a side is empty."""
    header, bids, asks = copy(words, None)
    if not len(bids[0]) or not len(asks[0]):
        return Depth(0.0, 0.0, False)
    mid = (int(bids[0][-1]) - int(asks[0][-1])) / 2
    found, whole = [], True
    for side, (keys, quantities) in enumerate((bids, asks)):
        limit = mid * (1 - pct / 100) if side == 0 else -mid * (1 + pct / 100)
        near = keys >= limit
        found.append(float((np.abs(keys[near]) * quantities[near].astype(np.float64)).sum()))
        whole &= header[at.BID_EDGE + side] <= limit
    unit = 10.0 ** (header[at.PRICE_SCALE] + header[at.QTY_SCALE])
    return Depth(found[0] / unit, found[1] / unit, bool(whole))
