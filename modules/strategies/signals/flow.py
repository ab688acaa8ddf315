"""Trade flow of the last minutes (D5): an incremental window, and the same in one go.

Quantities and prices are whole units as the feed has them, sums are whole numbers: taking in and letting go never
drifts, so the window equals its batch form exactly. `m` = true (the buyer is the maker) is a *sell*.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trade:
    """One aggregate trade. `price` × `qty` is in units of 10^-scale USDT; `sold`: the taker sold."""

    id: int
    ms: int
    price: int
    qty: int
    sold: bool


@dataclass(frozen=True, slots=True)
class Flow:
    """The window. Quote sums in USDT."""

    large_buys: int
    large_sells: int
    buy_quote: float
    sell_quote: float
    trades: int

    @property
    def quote(self) -> float:
        """USDT of both sides."""
        return self.buy_quote + self.sell_quote


def flow_of(trades: Iterable[Trade], now_ms: int, window_ms: int, large_units: int, unit: float) -> Flow:
    """The batch form: trades not older than `window_ms` at `now_ms`; large from `large_units` (price × qty) on."""
    counts, sums, seen = [0, 0], [0, 0], 0
    for trade in trades:
        if now_ms - trade.ms <= window_ms:
            worth, side = trade.price * trade.qty, int(trade.sold)
            sums[side] += worth
            counts[side] += worth >= large_units
            seen += 1
    return Flow(counts[0], counts[1], sums[0] * unit, sums[1] * unit, seen)


class FlowWindow:
    """The same, incremental: `add` each trade in order, ask `flow(now)`.

    `scale`: decimals of price and of quantity together. `whole(now)` is False until the window is covered without a
    hole: from the first trade, or from the trade after a gap in the ids, a whole window must have passed.
    """

    def __init__(self, window_s: float, large_usdt: float, scale: int) -> None:
        self.window_ms = int(window_s * 1000)
        self.scale = scale
        self._unit = 10.0 ** -scale
        self._large = round(large_usdt * 10**scale)
        self._kept: deque[tuple[int, int, int]] = deque()  # ms, worth, 1 if sold
        self._counts, self._sums = [0, 0], [0, 0]
        self._last_id: int | None = None
        self._known_from: int | None = None

    @property
    def last_id(self) -> int | None:
        """Id of the newest trade."""
        return self._last_id

    def covered_from(self, ms: int) -> None:
        """Every trade since `ms` is known (the feed heard the symbol from then on)."""
        self._known_from = ms if self._known_from is None else min(self._known_from, ms)

    def add(self, trade_id: int, ms: int, price: int, qty: int, sold: bool) -> bool:
        """Take in the next trade; False (and nothing changes) for one that is known. Ids are without holes."""
        if self._last_id is not None and trade_id <= self._last_id:
            return False
        if self._last_id is None:
            self.covered_from(ms)
        elif trade_id != self._last_id + 1:
            self._known_from = ms
        self._last_id = trade_id
        worth, side = price * qty, int(sold)
        self._kept.append((ms, worth, side))
        self._sums[side] += worth
        self._counts[side] += worth >= self._large
        return True

    def lost(self, ms: int) -> None:
        """Trades up to `ms` may be missing."""
        self._known_from = ms

    def flow(self, now_ms: int) -> Flow:
        """The window that ends at `now_ms`, which never falls."""
        kept, oldest = self._kept, now_ms - self.window_ms
        while kept and kept[0][0] < oldest:
            _, worth, side = kept.popleft()
            self._sums[side] -= worth
            self._counts[side] -= worth >= self._large
        return Flow(self._counts[0], self._counts[1], self._sums[0] * self._unit, self._sums[1] * self._unit,
                    len(kept))

    def whole(self, now_ms: int) -> bool:
        """The whole window is known, without a hole."""
        return self._known_from is not None and now_ms - self._known_from >= self.window_ms
