"""The market at an instant: last prices, best bid and ask, 24-hour statistics of every pair, and candles.

A price at an instant lies on the path of its one-minute candle, open → one extreme → the other → close, at
moments drawn by hash. So what is quoted live and what the candle shows later are the same thing: a candle in
progress is the part of the path already walked, and there is no seam between history and now.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.simulator.paths import MINUTES, DayRow
from modules.simulator.randomness import key64, uniform_cells
from modules.simulator.source import Source
from modules.simulator.universe import MINUTE_MS, Calendar

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(slots=True)
class Panel:
    """One day of all slots; rows are slots, columns minutes. Hours are aggregated once it is full."""

    open: NDArray[np.int32]
    high: NDArray[np.int32]
    low: NDArray[np.int32]
    close: NDArray[np.int32]
    volume: Ints
    quote: Ints
    filled: int = 0
    hour_high: NDArray[np.int32] | None = None
    hour_low: NDArray[np.int32] | None = None
    hour_volume: Ints | None = None
    hour_quote: Ints | None = None

    @classmethod
    def empty(cls, slots: int) -> Panel:
        """A panel with room for every slot."""
        opened, high, low, close = (np.zeros((slots, MINUTES), np.int32) for _ in range(4))
        volume, quote = (np.zeros((slots, MINUTES), np.int64) for _ in range(2))
        return cls(opened, high, low, close, volume, quote)

    def put(self, slot: int, row: DayRow) -> None:
        """Fill one slot."""
        self.open[slot], self.high[slot], self.low[slot], self.close[slot] = row.open, row.high, row.low, row.close
        self.volume[slot], self.quote[slot] = row.volume, row.quote

    def finish(self) -> None:
        """Aggregate the hours."""
        shape = (len(self.open), 24, 60)
        self.hour_high = self.high.reshape(shape).max(axis=2)
        self.hour_low = self.low.reshape(shape).min(axis=2)
        self.hour_volume = self.volume.reshape(shape).sum(axis=2)
        self.hour_quote = self.quote.reshape(shape).sum(axis=2)


@dataclass(frozen=True, slots=True)
class Moment:
    """Where single minutes stand at an instant; arrays over the asked slots. Prices in ticks."""

    last: Ints
    high: Ints  # of the minute in progress, so far
    low: Ints
    open: Ints
    volume: Ints
    quote: Ints


@dataclass(frozen=True, slots=True)
class Board:
    """All pairs at an instant, in ticks, base steps and 10^-4 USDT; arrays over slots."""

    ms: int
    calendar: Calendar
    last: Ints
    bid: Ints
    ask: Ints
    open24: Ints
    high24: Ints
    low24: Ints
    volume24: Ints
    quote24: Ints


class Market:
    """Prices of every pair at any instant, from a source of daily rows."""

    def __init__(self, source: Source, rows_kept: int = 400) -> None:
        self.source = source
        self._path_key = key64(source.key, "path")
        self._panels: OrderedDict[int, Panel] = OrderedDict()
        self._rows: OrderedDict[tuple[int, int], DayRow] = OrderedDict()
        self._rows_kept = rows_kept
        self._all = np.arange(source.slots)

    # -- storage -----------------------------------------------------------------------------------------

    def panel(self, day: int) -> Panel:
        """The day of all slots, made whole now if it is not yet."""
        self.prepare(day, self.source.slots)
        return self._panels[day]

    def prepare(self, day: int, rows: int) -> bool:
        """Make up to `rows` more rows of a day ahead of its time; True when the day is whole."""
        panel = self._panels.get(day)
        if panel is None:
            panel = self._panels[day] = Panel.empty(self.source.slots)
            for old in sorted(self._panels)[:-3]:
                del self._panels[old]
            if day not in self._panels:  # older than what is kept: hold it anyway, asked for on purpose
                self._panels[day] = panel
        target = min(self.source.slots, panel.filled + rows)
        while panel.filled < target:
            panel.put(panel.filled, self.source.row(panel.filled, day))
            panel.filled += 1
        if panel.filled == self.source.slots and panel.hour_high is None:
            panel.finish()
        return panel.hour_high is not None

    def row(self, slot: int, day: int) -> DayRow:
        """One slot's day, from the panels or made for it alone."""
        panel = self._panels.get(day)
        if panel is not None and slot < panel.filled:
            return DayRow(panel.open[slot], panel.high[slot], panel.low[slot], panel.close[slot],
                          panel.volume[slot], panel.quote[slot])
        found = self._rows.get((slot, day))
        if found is None:
            found = self._rows[(slot, day)] = self.source.row(slot, day)
            while len(self._rows) > self._rows_kept:
                self._rows.popitem(last=False)
        else:
            self._rows.move_to_end((slot, day))
        return found

    # -- one instant -------------------------------------------------------------------------------------

    def _turns(
        self, slots: Ints, minute: int, opened: Ints, high: Ints, low: Ints, close: Ints
    ) -> tuple[Floats, Ints, Floats, Ints]:
        """When (fraction of the minute) and where (ticks) the paths turn: first and second extreme."""
        cells = np.int64(minute) * 8192 + slots * 2
        first_at = 0.08 + 0.42 * uniform_cells(self._path_key, cells)
        draw = uniform_cells(self._path_key, cells + 1)
        second_at = first_at + (0.95 - first_at) * (0.25 + 0.65 * draw)
        low_first = (close >= opened) ^ (draw * 1000.0 % 1.0 < 0.22)
        first = np.where(low_first, low, high)
        second = np.where(low_first, high, low)
        return first_at, first, second_at, second

    def _walk(self, slots: Ints, minute: int, frac: float, columns: tuple[Ints, ...]) -> Moment:
        opened, high, low, close, volume, quote = columns
        first_at, first, second_at, second = self._turns(slots, minute, opened, high, low, close)
        last = np.where(
            frac < first_at, opened + (first - opened) * (frac / first_at),
            np.where(frac < second_at,
                     first + (second - first) * ((frac - first_at) / (second_at - first_at)),
                     second + (close - second) * ((frac - second_at) / (1.0 - second_at))))
        last = np.rint(last).astype(np.int64)
        top = np.maximum(opened, last)
        bottom = np.minimum(opened, last)
        for at, extreme in ((first_at, first), (second_at, second)):
            reached = frac >= at
            top = np.where(reached, np.maximum(top, extreme), top)
            bottom = np.where(reached, np.minimum(bottom, extreme), bottom)
        return Moment(last, top, bottom, opened, np.floor(volume * frac).astype(np.int64),
                      np.floor(quote * frac).astype(np.int64))

    def moment(self, slot: int, ms: int) -> Moment:
        """One slot's minute in progress (arrays of length 1)."""
        minute, rest = divmod(ms, MINUTE_MS)
        day, at = divmod(minute, MINUTES)
        row = self.row(slot, day)
        columns = tuple(
            np.asarray(part[at : at + 1], dtype=np.int64)
            for part in (row.open, row.high, row.low, row.close, row.volume, row.quote))
        return self._walk(np.array([slot]), minute, rest / MINUTE_MS, columns)

    def legs(self, slot: int, minute: int) -> tuple[list[tuple[float, float]], float]:
        """The path of a slot's minute as (fraction, ticks) corners, and its base volume in steps."""
        day, at = divmod(minute, MINUTES)
        row = self.row(slot, day)
        opened, high, low, close = (
            np.asarray(part[at : at + 1], dtype=np.int64) for part in (row.open, row.high, row.low, row.close))
        first_at, first, second_at, second = self._turns(np.array([slot]), minute, opened, high, low, close)
        corners = [(0.0, float(opened[0])), (float(first_at[0]), float(first[0])),
                   (float(second_at[0]), float(second[0])), (1.0, float(close[0]))]
        return corners, float(row.volume[at])

    def price(self, slot: int, ms: int) -> int:
        """Last price of a slot, ticks."""
        return int(self.moment(slot, ms).last[0])

    def spread(self, slot: int, ms: int) -> int:
        """Width between best bid and best ask of the model's own makers, ticks (≥ 1)."""
        minute = ms // MINUTE_MS
        day, at = divmod(minute - 1, MINUTES)
        row = self.row(slot, day)
        calendar = self.source.calendar(minute // MINUTES)
        return int(_spread(calendar.rel_spread[slot : slot + 1], row.high[at : at + 1], row.low[at : at + 1],
                           row.close[at : at + 1])[0])

    def touch(self, slot: int, ms: int) -> tuple[int, int]:
        """Best bid and ask of the model's makers, ticks."""
        last, spread = self.price(slot, ms), self.spread(slot, ms)
        bid = max(1, last - spread // 2)
        return bid, bid + spread

    # -- all pairs ---------------------------------------------------------------------------------------

    def board(self, ms: int) -> Board:
        """Every pair at an instant."""
        minute, rest = divmod(ms, MINUTE_MS)
        day, at = divmod(minute, MINUTES)
        today, before = self.panel(day), self.panel(day - 1)
        columns = tuple(
            part[:, at].astype(np.int64)
            for part in (today.open, today.high, today.low, today.close, today.volume, today.quote))
        now = self._walk(self._all, minute, rest / MINUTE_MS, columns)
        high, low, volume, quote = _rolling(before, today, at, now)
        previous, column = (today, at - 1) if at else (before, MINUTES - 1)
        calendar = self.source.calendar(day)
        width = _spread(calendar.rel_spread, previous.high[:, column], previous.low[:, column],
                        previous.close[:, column])
        bid = np.maximum(1, now.last - width // 2)
        opened = before.open[:, at + 1] if at + 1 < MINUTES else today.open[:, 0]
        return Board(ms, calendar, now.last, bid, bid + width, opened.astype(np.int64), high, low, volume, quote)


def _spread(rel: Floats, high: NDArray[np.int32], low: NDArray[np.int32], close: NDArray[np.int32]) -> Ints:
    """Ticks between bid and ask: the pair's usual spread, wider after a wild minute."""
    wide = rel * close + 0.10 * (high - low)
    result: Ints = np.maximum(1, np.rint(wide)).astype(np.int64)
    return result


def _rolling(before: Panel, today: Panel, at: int, now: Moment) -> tuple[Ints, Ints, Ints, Ints]:
    """High, low, volume, quote volume of the 1,439 minutes before this one, and of this one so far."""
    assert before.hour_high is not None and before.hour_low is not None
    assert before.hour_volume is not None and before.hour_quote is not None
    assert today.hour_high is not None and today.hour_low is not None
    assert today.hour_volume is not None and today.hour_quote is not None
    hour = at // 60
    edge = at + 1  # first minute of yesterday inside the window
    edge_end = (edge + 59) // 60 * 60
    first_hour = edge_end // 60
    high, low = now.high.copy(), now.low.copy()
    volume, quote = now.volume.copy(), now.quote.copy()
    parts = (
        (before.high[:, edge:edge_end], before.low[:, edge:edge_end], before.volume[:, edge:edge_end],
         before.quote[:, edge:edge_end]),
        (before.hour_high[:, first_hour:], before.hour_low[:, first_hour:], before.hour_volume[:, first_hour:],
         before.hour_quote[:, first_hour:]),
        (today.hour_high[:, :hour], today.hour_low[:, :hour], today.hour_volume[:, :hour],
         today.hour_quote[:, :hour]),
        (today.high[:, hour * 60 : at], today.low[:, hour * 60 : at], today.volume[:, hour * 60 : at],
         today.quote[:, hour * 60 : at]),
    )
    for top, bottom, base, worth in parts:
        if top.shape[1]:
            high = np.maximum(high, top.max(axis=1))
            low = np.minimum(low, bottom.min(axis=1))
            volume += base.sum(axis=1)
            quote += worth.sum(axis=1)
    return high, low, volume, quote
