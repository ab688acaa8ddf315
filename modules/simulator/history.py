"""Candles of any interval, aggregated exactly from one-minute candles, cut off at the present instant."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from modules.simulator.market import Market
from modules.simulator.paths import MINUTES, DayRow
from modules.simulator.universe import DAY_MS, MINUTE_MS, Token

#: interval name → minutes; week and month have rules of their own
INTERVALS: dict[str, int] = {
    "1m": 1, "5m": 5, "15m": 15, "30m": 30, "60m": 60, "4h": 240, "8h": 480, "1d": 1440, "1W": 10_080, "1M": 43_200,
}
_WEEK_MS = 7 * DAY_MS
_MONDAY_MS = 4 * DAY_MS  # 1970-01-05


@dataclass(frozen=True, slots=True)
class Candles:
    """Rows of (open time, open, high, low, close, base volume, quote volume, close time).

    Times in ms; prices in ticks, volume in base steps, quote volume in 10^-4 USDT; int64, shape (n, 8).
    """

    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)


class History:
    """Candles of one market."""

    def __init__(self, market: Market, hours_kept: int = 15_000) -> None:
        self._market = market
        self._hours: OrderedDict[tuple[int, int], NDArray[np.int64]] = OrderedDict()
        self._kept = hours_kept

    def candles(
        self, token: Token, interval: str, now_ms: int, start_ms: int | None, end_ms: int | None, limit: int
    ) -> Candles:
        """At most `limit` candles that open in [start, end), never after now.

        With a start the oldest come first in the choice, without one the newest.
        Raises KeyError for an unknown interval.
        """
        size = INTERVALS[interval]
        first = opening(token.list_ms, interval)
        last = now_ms if token.delist_ms is None else min(now_ms, token.delist_ms - 1)
        stop = min(last, end_ms - 1) if end_ms is not None else last
        begin = max(first, start_ms) if start_ms is not None else first
        if begin > stop:
            return Candles(np.zeros((0, 8), np.int64))
        if start_ms is not None:
            begin = begin if opening(begin, interval) == begin else following(begin, interval)
        opens: list[int] = []
        if start_ms is not None:
            moment = begin
            while moment <= stop and len(opens) < limit:
                opens.append(moment)
                moment = following(moment, interval)
        else:
            moment = opening(stop, interval)
            while moment >= begin and len(opens) < limit:
                opens.append(moment)
                moment = opening(moment - 1, interval)
            opens.reverse()
        if not opens:
            return Candles(np.zeros((0, 8), np.int64))
        until = following(opens[-1], interval)
        fine = self._fine(token, opens[0], min(until, last + 1), now_ms, size)
        return Candles(_aggregate(fine, np.array(opens, np.int64), interval))

    def _fine(self, token: Token, start_ms: int, end_ms: int, now_ms: int, size: int) -> NDArray[np.int64]:
        """Minutes (or hours, for long intervals) of [start, end), the last one cut off at now."""
        parts: list[NDArray[np.int64]] = []
        today = now_ms // DAY_MS
        for day in range(start_ms // DAY_MS, (end_ms - 1) // DAY_MS + 1):
            if day == today or size < 60:
                part = self._minutes(token, day, now_ms)
            else:
                part = self._hours_of(token, day)
            parts.append(part[(part[:, 0] >= start_ms) & (part[:, 0] < end_ms)])
        return np.concatenate(parts)

    def _minutes(self, token: Token, day: int, now_ms: int) -> NDArray[np.int64]:
        rows = _table(self._market.row(token.slot, day), day, 1)
        from_ms = token.list_ms // MINUTE_MS * MINUTE_MS
        keep = rows[:, 0] >= from_ms
        if now_ms // DAY_MS == day:
            minute = now_ms // MINUTE_MS
            keep &= rows[:, 0] <= minute * MINUTE_MS
            now = self._market.moment(token.slot, now_ms)
            rows[minute - day * MINUTES, 1:7] = (
                now.open[0], now.high[0], now.low[0], now.last[0], now.volume[0], now.quote[0])
        return rows[keep]

    def _hours_of(self, token: Token, day: int) -> NDArray[np.int64]:
        found = self._hours.get((token.slot, day))
        if found is None:
            if day == token.list_ms // DAY_MS:  # the day of the listing begins in the middle
                return self._minutes(token, day, (day + 1) * DAY_MS)
            found = self._hours[(token.slot, day)] = _table(self._market.row(token.slot, day), day, 60)
            while len(self._hours) > self._kept:
                self._hours.popitem(last=False)
        return found


def opening(ms: int, interval: str) -> int:
    """When the candle that holds an instant opened."""
    if interval == "1W":
        return (ms - _MONDAY_MS) // _WEEK_MS * _WEEK_MS + _MONDAY_MS
    if interval == "1M":
        date = datetime.fromtimestamp(ms // 1000, UTC)
        return int(datetime(date.year, date.month, 1, tzinfo=UTC).timestamp()) * 1000
    size = INTERVALS[interval] * MINUTE_MS
    return ms // size * size


def following(ms: int, interval: str) -> int:
    """When the candle after the one that holds an instant opens."""
    if interval == "1M":
        return opening(opening(ms, interval) + 32 * DAY_MS, interval)
    return opening(ms, interval) + INTERVALS[interval] * MINUTE_MS


def _table(row: DayRow, day: int, size: int) -> NDArray[np.int64]:
    """A day's rows of `size` minutes: time, open, high, low, close, volume, quote."""
    shape = (MINUTES // size, size)
    table = np.empty((shape[0], 7), np.int64)
    table[:, 0] = day * DAY_MS + np.arange(shape[0]) * size * MINUTE_MS
    table[:, 1] = row.open.reshape(shape)[:, 0]
    table[:, 2] = row.high.reshape(shape).max(axis=1)
    table[:, 3] = row.low.reshape(shape).min(axis=1)
    table[:, 4] = row.close.reshape(shape)[:, -1]
    table[:, 5] = row.volume.reshape(shape).sum(axis=1)
    table[:, 6] = row.quote.reshape(shape).sum(axis=1)
    return table


def _aggregate(fine: NDArray[np.int64], opens: NDArray[np.int64], interval: str) -> NDArray[np.int64]:
    """Fine candles joined into those that open at `opens`."""
    starts = np.searchsorted(fine[:, 0], opens, side="left")
    ends = np.concatenate((starts[1:], [len(fine)]))
    filled = ends > starts
    opens, starts, ends = opens[filled], starts[filled], ends[filled]
    result = np.empty((len(opens), 8), np.int64)
    if not len(opens):
        return result
    result[:, 0] = opens
    result[:, 1] = fine[starts, 1]
    result[:, 2] = np.maximum.reduceat(fine[:, 2], starts)
    result[:, 3] = np.minimum.reduceat(fine[:, 3], starts)
    result[:, 4] = fine[ends - 1, 4]
    result[:, 5] = np.add.reduceat(fine[:, 5], starts)
    result[:, 6] = np.add.reduceat(fine[:, 6], starts)
    result[:, 7] = [following(int(ms), interval) for ms in opens]
    return result
