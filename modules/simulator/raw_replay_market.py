"""The market as a replay knows it: books, trades, candles and 24 h figures of what was played so far.

What the recording does not hold is derived and said so: aggregate trades from single ones (neighbours of the same
time, price and side are one taker's), candles from trades, slower depth streams from finer ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import nlargest, nsmallest

from modules.simulator.sockets.digits import Digits
from modules.simulator.sockets.frames import Candle, Day, Mark, Writer
from modules.simulator.sockets.merger import Levels
from modules.simulator.sockets.times import candle_end

MINUTE_MS = 60_000
DAY_MS = 86_400_000
_KEPT_TRADES = 10_000
_KEPT_CHANGES = 20_000


@dataclass(frozen=True, slots=True)
class Agg:
    """An aggregate trade."""

    id: int
    first: int
    last: int
    tick: int
    steps: int
    maker: bool
    ms: int


@dataclass(slots=True)
class ReplayBook:
    """The book, whole once a snapshot of the recording was applied (X28). Levels are steps by tick."""

    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    last_id: int = 0
    ms: int = 0
    whole: bool = False
    breaks: int = 0
    waiting: deque[tuple[int, int, int, int, Levels, Levels]] = field(
        default_factory=lambda: deque(maxlen=_KEPT_CHANGES))

    def snapshot(self, last_id: int, ms: int, bids: Levels, asks: Levels) -> None:
        """Begin from a snapshot, then apply what waited for it."""
        self.bids, self.asks = dict(bids), dict(asks)
        self.last_id, self.ms, self.whole = last_id, ms, True
        waiting = list(self.waiting)
        self.waiting.clear()
        for one in waiting:
            self.apply(*one)

    def apply(self, ms: int, first: int, last: int, previous: int, bids: Levels, asks: Levels) -> None:
        """A difference; before a snapshot, and behind a hole in the recording, it waits for one."""
        if not self.whole:
            self.waiting.append((ms, first, last, previous, bids, asks))
            return
        if last < self.last_id:
            return  # X28: older than the snapshot
        if previous != self.last_id and first > self.last_id + 1:
            self.breaks += 1
            self.whole = False
            self.waiting.append((ms, first, last, previous, bids, asks))
            return
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            for tick, steps in changes:
                if steps:
                    side[tick] = steps
                else:
                    side.pop(tick, None)
        self.last_id, self.ms = last, ms

    def top(self, limit: int) -> tuple[Levels, Levels]:
        """The best levels, best first."""
        if limit > 50:
            return (sorted(self.bids.items(), reverse=True)[:limit], sorted(self.asks.items())[:limit])
        return nlargest(limit, self.bids.items()), nsmallest(limit, self.asks.items())


@dataclass(slots=True)
class ReplaySymbol:
    """One symbol of a recording."""

    writer: Writer
    tick: Decimal
    step: Decimal
    book: ReplayBook = field(default_factory=ReplayBook)
    minutes: list[Candle] = field(default_factory=list)
    trades: deque[Agg] = field(default_factory=lambda: deque(maxlen=_KEPT_TRADES))
    last_qty: int = 0
    touch: tuple[int, int, int, int, int, int] | None = None  # ms, id, bid, its steps, ask, its steps
    has_depth: bool = False
    mark: Mark | None = None

    def traded(self, ms: int, ids: tuple[int, int], tick: int, steps: int, maker: bool) -> None:
        """Put a trade (single or aggregate, trade ids first … last) into the candles."""
        open_ms = ms // MINUTE_MS * MINUTE_MS
        candle = self.minutes[-1] if self.minutes else None
        if candle is None or open_ms > candle.open_ms:
            candle = Candle(open_ms, tick, tick, tick, tick, first=ids[0])
            self.minutes.append(candle)
        add(candle, tick, tick, tick, steps, tick * steps, ids[1] - ids[0] + 1)
        candle.last = ids[1]
        if not maker:
            candle.taker += steps
            candle.taker_quote += tick * steps
        self.last_qty = steps

    def candle(self, interval: str, open_ms: int) -> Candle | None:
        """A candle of any interval out of minutes; None where nobody traded in it."""
        if interval == "1m":
            at = bisect_left(self.minutes, open_ms, key=_open_ms)
            found = at < len(self.minutes) and self.minutes[at].open_ms == open_ms
            return self.minutes[at] if found else None
        return self.sum(open_ms, candle_end(interval, open_ms), open_ms)

    def sum(self, from_ms: int, to_ms: int, open_ms: int) -> Candle | None:
        """The minutes that open in [from_ms, to_ms] as one candle."""
        total: Candle | None = None
        for at in range(bisect_left(self.minutes, from_ms, key=_open_ms), len(self.minutes)):
            one = self.minutes[at]
            if one.open_ms > to_ms:
                break
            if total is None:
                total = Candle(open_ms, one.open, one.high, one.low, one.close, first=one.first)
            add(total, one.high, one.low, one.close, one.volume, one.quote, one.count)
            total.taker += one.taker
            total.taker_quote += one.taker_quote
            total.last = one.last
        return total

    def day(self, ms: int) -> Day | None:
        """The last 24 hours."""
        candle = self.sum(ms - DAY_MS, ms, max(ms - DAY_MS, 0))
        return Day(candle, ms, self.last_qty) if candle is not None else None


def add(candle: Candle, high: int, low: int, close: int, volume: int, quote: int, count: int) -> None:
    """Let what came later into a candle."""
    candle.high, candle.low, candle.close = max(candle.high, high), min(candle.low, low), close
    candle.volume += volume
    candle.quote += quote
    candle.count += count


def writer_for(symbol: str, price_decimals: int, qty_decimals: int) -> tuple[Writer, Decimal, Decimal]:
    """How a symbol is written whose numbers have these decimals, and its tick and step."""
    tick, step = Decimal(1).scaleb(-price_decimals), Decimal(1).scaleb(-qty_decimals)
    return Writer(symbol, Digits(tick), Digits(step), Digits(tick * step)), tick, step


def _open_ms(candle: Candle) -> int:
    return candle.open_ms


