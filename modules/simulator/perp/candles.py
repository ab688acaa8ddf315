"""One-minute candles of all contracts from their prints, what came before, and every longer interval from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from modules.simulator.perp.past import COLUMNS, DAY, Floats, Past

MINUTE_MS = 60_000
INTERVALS: dict[str, int] = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480, "12h": 720,
    "1d": 1440, "3d": 4320, "1w": 10_080, "1M": 43_200}
_WEEK_SHIFT = 4 * DAY  # the epoch was a Thursday, weeks begin on Monday


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices in ticks, volumes in steps, quote in money (float), `open_ms` … `close_ms` inclusive."""

    open_ms: int
    close_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote: float
    trades: int
    buy_volume: int
    buy_quote: float


def begin_of(minute: int, interval: str) -> int:
    """First minute of the interval that a minute lies in."""
    size = INTERVALS[interval]
    if interval == "1M":
        moment = datetime.fromtimestamp(minute * 60, UTC)
        return int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp()) // 60
    shift = _WEEK_SHIFT if interval == "1w" else 0
    return (minute - shift) // size * size + shift


def end_of(begin: int, interval: str) -> int:
    """First minute after the interval that begins at a minute."""
    if interval != "1M":
        return begin + INTERVALS[interval]
    return begin_of(begin + 32 * DAY, "1M")


class Candles:
    """All candles. The open minute is a list for each contract, closed ones rows of an array per minute."""

    def __init__(self, past: Past, first_ticks: list[int]) -> None:
        self.past = past
        self.minute = past.birth
        self._closed: list[Floats] = []  # (contracts, 9) for each minute since the birth
        self._open: list[list[float]] = [self._empty(tick) for tick in first_ticks]

    @staticmethod
    def _empty(tick: float) -> list[float]:
        return [tick, tick, tick, tick, 0.0, 0.0, 0.0, 0.0, 0.0]

    def add(self, index: int, tick: int, steps: int, quote: float, buy: bool, trades: int) -> None:
        """One print of the open minute."""
        row = self._open[index]
        if not row[4]:
            row[0] = row[1] = row[2] = tick  # the first print opens it
        elif tick > row[1]:
            row[1] = tick
        elif tick < row[2]:
            row[2] = tick
        row[3] = tick
        row[4] += steps
        row[5] += quote
        row[6] += trades
        if buy:
            row[7] += steps
            row[8] += quote

    def roll(self, minute: int) -> list[Floats]:
        """Close every minute before `minute`; the rows that closed."""
        closed: list[Floats] = []
        while self.minute < minute:
            rows = np.array(self._open)
            closed.append(rows)
            self._closed.append(rows)
            self._open = [self._empty(row[3]) for row in self._open]
            self.minute += 1
        return closed

    def opened(self) -> Floats:
        """Rows of the open minute."""
        return np.array(self._open)

    def restore(self, rows: list[Floats], minute: int, opened: Floats | None = None) -> None:
        """Put kept minutes back, `opened` behind them; up to `minute` the last close then stands still."""
        self._closed = rows
        self.minute = self.past.birth + len(rows)
        if opened is not None:
            self._open = opened.tolist()
        elif rows:
            self._open = [self._empty(float(close)) for close in rows[-1][:, 3]]
        self.roll(minute)

    def rescale(self, index: int, ticks: float, steps: float) -> None:
        """Another tick or step size."""
        for rows in self._closed:
            rows[index, :4] = np.round(rows[index, :4] * ticks)
            rows[index, [4, 7]] *= steps
        row = self._open[index]
        self._open[index] = [round(v * ticks) for v in row[:4]] + [row[4] * steps, *row[5:7], row[7] * steps, row[8]]

    def last(self, index: int) -> int:
        """Last traded price, ticks."""
        return int(self._open[index][3])

    def rows(self, index: int, first: int, last: int) -> Floats:
        """Rows of minutes [first, last), the open one included; begins later where there is no more past."""
        birth = self.past.birth
        parts = [self.past.rows(index, first, min(last, birth))] if first < birth else []
        since = self._closed[max(0, first - birth):max(0, last - birth)]
        if since:
            parts.append(np.stack([rows[index] for rows in since]))
        if last > self.minute >= first:
            parts.append(np.array([self._open[index]]))
        return np.concatenate(parts) if parts else np.zeros((0, COLUMNS))

    def current(self, index: int, interval: str) -> Candle:
        """The open candle of an interval."""
        begin = begin_of(self.minute, interval)
        return self._fold(self.rows(index, begin, self.minute + 1), begin, interval)

    def klines(self, index: int, interval: str, first_ms: int | None, last_ms: int | None, limit: int) -> list[Candle]:
        """Candles that open in [first_ms, last_ms], oldest first: from `first_ms` on, without it the newest ones."""
        size = INTERVALS[interval]
        last = self.minute if last_ms is None else min(self.minute, last_ms // MINUTE_MS)
        if first_ms is None:
            first = max(self.past.first, last - (limit + 1) * size)
            begins = self._begins(first, last, interval, 0)[-limit:]
        else:
            first = max(self.past.first, -(-first_ms // MINUTE_MS))
            begins = self._begins(first, min(last, first + (limit + 2) * size), interval, first)[:limit]
        if not begins:
            return []
        start = begins[0]
        rows = self.rows(index, start, min(self.minute + 1, end_of(begins[-1], interval)))
        return [
            self._fold(rows[begin - start:end_of(begin, interval) - start], begin, interval) for begin in begins]

    @staticmethod
    def _begins(first: int, last: int, interval: str, not_before: int) -> list[int]:
        begins: list[int] = []
        at = begin_of(first, interval)
        while at <= last:
            if at >= max(not_before, first):
                begins.append(at)
            at = end_of(at, interval)
        return begins

    @staticmethod
    def _fold(rows: Floats, begin: int, interval: str) -> Candle:
        sums = rows[:, 4:].sum(axis=0)
        traded = rows[rows[:, 4] > 0]
        prices = traded if len(traded) else rows
        return Candle(
            begin * MINUTE_MS, end_of(begin, interval) * MINUTE_MS - 1, int(prices[0, 0]), int(prices[:, 1].max()),
            int(prices[:, 2].min()), int(prices[-1, 3]), int(sums[0]), float(sums[1]), int(sums[2]), int(sums[3]),
            float(sums[4]))
