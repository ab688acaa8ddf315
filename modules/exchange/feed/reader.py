"""How other processes read the feed's memory: typed, never torn, with staleness and ages in sight.

    reader = FeedReader(paths)            # PageError where no feed runs
    book = reader.book("BTCUSDT", 20)     # BookView: bids, asks, stale, age_s, imbalance(10)
    if book.usable: …
    for symbol, kind in reader.changes(): …   # what changed since the last call, in order

A feed that was started again has other memory: `alive` turns False and `refresh` opens the new one.
"""

import time
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from modules.exchange.feed import page as pages
from modules.exchange.feed.engine import MARK_EXTRA
from modules.exchange.feed.page import PageError, attach
from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import ring, views
from modules.exchange.orderbook import trades as flow
from modules.exchange.orderbook.layout import Stale
from modules.exchange.orderbook.views import PATIENCE_S, BookView, Depth, Torn
from utils.paths import Paths

BEAT_WITHIN_S = 2.0
MARK_SILENT_S = 4.0
KIND_NAMES = ("depth", "trade", "ticker", "candle", "mark", "stale")


@dataclass(frozen=True, slots=True)
class TickerView:
    """Best level of both sides from bookTicker, and mark price, index and funding; each stream's own staleness."""

    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal
    local_ns: int
    mark: Decimal
    index: Decimal
    funding_rate: Decimal
    next_funding_ms: int
    mark_local_ns: int
    stale: Stale = Stale.FRESH
    mark_stale: Stale = Stale.FRESH


@dataclass(frozen=True, slots=True)
class Candles:
    """Rows (n, 9): open ms, open, high, low, close, volume, quote volume, taker buy volume, 1 if closed."""

    rows: np.ndarray[Any, np.dtype[np.float64]]
    local_ns: int
    event_ms: int
    stale: Stale = Stale.FRESH


@dataclass(frozen=True, slots=True)
class Liveness:
    """One symbol's streams: why each may not be used (`stale`: the book), and seconds since it was heard (inf: never).
    `candle_stale`: the worst of all intervals.
    """

    stale: Stale
    depth_age_s: float
    trade_age_s: float
    ticker_age_s: float
    mark_age_s: float
    trade_stale: Stale = Stale.FRESH
    ticker_stale: Stale = Stale.FRESH
    mark_stale: Stale = Stale.FRESH
    candle_stale: Stale = Stale.FRESH

    @property
    def trades_silent(self) -> bool:
        """Whether trades may be missing: their own clock says so, or the mark price is silent, which comes every second
        on the same line whatever happens (X29).
        """
        return self.trade_stale is not Stale.FRESH or self.mark_age_s > MARK_SILENT_S


class FeedReader:
    """Reads one feed. Raises PageError at first when there is none, KeyError for a symbol it does not hear."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._open()

    def _open(self) -> None:
        self._page = attach(self._paths)
        self._words = self._page.words
        self._life = int(self._words[pages.H_LIFE])
        self._table, self._slots = -1, dict[str, int]()
        self._seen = int(self._words[pages.H_EVENT_COUNT])

    @property
    def life(self) -> int:
        """Number of this life of the feed: another one means that all epochs begin anew."""
        return self._life

    @property
    def alive(self) -> bool:
        """The feed wrote its heartbeat lately and has not ended. Without it nothing here may be decided on."""
        beat_s = (time.monotonic_ns() - int(self._words[pages.H_BEAT_NS])) / 1e9
        return not self._words[pages.H_ENDED] and 0 <= beat_s < BEAT_WITHIN_S

    def refresh(self) -> bool:
        """Open the memory of a new feed, if there is one. True if the feed is alive now."""
        if not self.alive:
            try:
                self._open()
            except PageError:
                return False
        return self.alive

    def symbols(self) -> list[str]:
        """What the feed hears now."""
        return sorted(self._names())

    def book(self, symbol: str, levels: int = 20) -> BookView:
        """The best levels; its `stale` says SILENT where the feed itself is not alive. Raises Torn, KeyError."""
        words = self._page.book(self._slot(symbol))
        view = views.view(words, levels)
        if view.stale is Stale.FRESH and not self.alive:
            view = BookView(view.epoch, view.last_id, Stale.SILENT, view.event_ms, view.local_ns, view.bids, view.asks,
                            view.whole, view.price_scale, view.qty_scale)
        self._same(symbol, words)
        return view

    def depth_within(self, symbol: str, pct: float) -> Depth:
        """Quote value within `pct` percent of the mid, a lower bound where it says so (D2)."""
        return views.depth_within(self._page.book(self._slot(symbol)), pct)

    def ticker(self, symbol: str) -> TickerView:
        """bookTicker and mark price. Raises Torn."""
        words = self._page.book(self._slot(symbol))
        header = _whole_header(words)
        price, qty = Decimal(1).scaleb(-header[at.PRICE_SCALE]), Decimal(1).scaleb(-header[at.QTY_SCALE])
        fine = price.scaleb(-MARK_EXTRA)
        tick, mark = header[at.TICKER:at.TICKER + 7], header[at.MARK:at.MARK + 6]
        return TickerView(tick[0] * price, tick[1] * qty, tick[2] * price, tick[3] * qty, tick[6], mark[0] * fine,
                          mark[1] * fine, mark[2] * Decimal("1e-8"), mark[3], mark[5],
                          self._stale(header[at.TICKER_STALE]), self._stale(header[at.MARK_STALE]))

    def trades(self, symbol: str, since: int = 0) -> flow.Rows:
        """Trades from running number `since` on (`Rows.next_number` of the call before), in whole units."""
        return flow.since(self._page.ring(self._slot(symbol)), since)

    def trades_as_floats(self, symbol: str, since: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
        """(n, 4): time ms, price, quantity, 1 where the taker sold."""
        words = self._page.ring(self._slot(symbol))
        return flow.as_floats(words, flow.since(words, since).trades)

    def window(self, symbol: str, since_ms: int, large_quote: float) -> flow.Window:
        """Trade flow since `since_ms` of the venue's time (D5); not `whole` while the stream of trades is stale."""
        slot = self._slot(symbol)
        found = flow.window(self._page.ring(slot), since_ms, large_quote)
        fresh = self._stale(self._page.book(slot)[at.TRADE_STALE]) is Stale.FRESH
        return found if fresh else replace(found, whole=False)

    def candles(self, symbol: str, interval: str) -> Candles:
        """The context of closed candles and the running one. Raises Torn, KeyError for an interval not heard."""
        if interval not in self._page.shape.intervals:
            raise KeyError(f"the feed does not hear {interval} candles; add it to feed.intervals")
        words, rows = self._page.candles(self._slot(symbol), self._page.shape.intervals.index(interval))
        deadline = time.monotonic() + PATIENCE_S
        while True:
            before = int(words[pages.C_SEQ])
            if not before & 1:
                found = Candles(rows[:max(0, int(words[pages.C_COUNT]))].copy(), int(words[pages.C_LOCAL_NS]),
                                int(words[pages.C_EVENT_MS]), self._stale(words[pages.C_STALE]))
                if int(words[pages.C_SEQ]) == before:
                    return found
            if time.monotonic() > deadline:
                raise Torn("the candles are being changed and nobody goes on with it: is the feed process alive?")
            time.sleep(0)

    def liveness(self, symbol: str) -> Liveness:
        """Each stream's own clock (X29)."""
        slot = self._slot(symbol)
        words, now = self._page.book(slot), time.monotonic_ns()
        heard = (words[at.LOCAL_NS], self._page.ring(slot)[ring.LAST_LOCAL_NS], words[at.TICKER + 6],
                 words[at.MARK + 5])
        depth, trade, ticker, mark = ((now - int(one)) / 1e9 if one else float("inf") for one in heard)
        tables = range(len(self._page.shape.intervals))
        candles = max((int(self._page.candles(slot, one)[0][pages.C_STALE]) for one in tables), default=0)
        return Liveness(self._stale(words[at.STALE]), depth, trade, ticker, mark, self._stale(words[at.TRADE_STALE]),
                        self._stale(words[at.TICKER_STALE]), self._stale(words[at.MARK_STALE]), self._stale(candles))

    def _stale(self, word: int | np.int64) -> Stale:
        """A stream's verdict; nothing is fresh of a feed that does not live."""
        found = Stale(int(word))
        return Stale.SILENT if found is Stale.FRESH and not self.alive else found

    @property
    def table(self) -> int:
        """Another number: symbols have other places, `words` must be asked for again."""
        return int(self._words[pages.H_TABLE])

    def words(self, symbol: str) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]:
        """The arrays of a symbol's book and trades themselves (orderbook/layout.py, ring.py), for compiled readers.

        Whoever reads them keeps the rules of `views`: equal even SEQ before and after, WRITTEN looked at again.
        """
        slot = self._slot(symbol)
        return self._page.book(slot), self._page.ring(slot)

    def changes(self) -> tuple[list[tuple[str, str]], int]:
        """(symbol, kind) of everything that changed since the last call, in order, and how many were overwritten
        before they were read (then look at every symbol)."""
        count = int(self._words[pages.H_EVENT_COUNT])
        first = max(self._seen, count - pages.EVENTS + 64)  # the writer may be a few ahead by now
        codes = self._page.events[np.arange(first, count) % pages.EVENTS].tolist()
        missed, self._seen = first - self._seen, count
        names = {slot: name for name, slot in self._names().items()}
        return [(names[code // pages.KINDS], KIND_NAMES[code % pages.KINDS]) for code in codes
                if code // pages.KINDS in names], missed

    def _names(self) -> dict[str, int]:
        version = int(self._words[pages.H_TABLE])
        if version != self._table:
            slots = range(self._page.shape.slots)
            self._slots = {name: slot for slot in slots if (name := self._page.name(slot))}
            self._table = version
        return self._slots

    def _slot(self, symbol: str) -> int:
        found = self._names().get(symbol)
        if found is None:
            raise KeyError(f"the feed does not hear {symbol}")
        return found

    def _same(self, symbol: str, words: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """The place did not go to another symbol while it was read."""
        if int(self._words[pages.H_TABLE]) != self._table and self._names().get(symbol) is None:
            raise KeyError(f"the feed does not hear {symbol} any more")


def _whole_header(words: np.ndarray[Any, np.dtype[np.int64]]) -> list[int]:
    return views.copy(words, 0)[0]
