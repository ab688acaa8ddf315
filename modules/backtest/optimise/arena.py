"""One trial: settings in, what each UTC day earned out, over candles that are loaded once and shared by all trials.

1. Wishes are made once over all candles (they never look ahead) and remembered while the settings that they read are
   the same; a trial of exits alone costs only the compiled loop.
2. The days are cut into segments. Each begins with an account of its own and ends with everything sold, so nothing
   that a trial holds reaches from the days it was fitted on into those it is judged by.
3. A trade counts on the UTC day of its last sale.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel

from modules.backtest import arrays as a
from modules.backtest.arrays import Floats, Ints, Series
from modules.backtest.engine import run
from modules.backtest.frames import Frame, resampled
from modules.backtest.market import series_of
from modules.backtest.optimise.reads import Remembered
from modules.backtest.optimise.space import Groups, Value, with_values
from modules.backtest.optimise.sweep import W_COST, W_EXIT, W_PNL, fits, sweep
from modules.backtest.rsi import settings_of
from modules.backtest.settings import BacktestSettings
from modules.backtest.strategies import STRATEGIES
from modules.backtest.trades import money_gap, trades_of
from modules.backtest.wishes import entries_of, rows_of
from modules.learning.talib_lite import talib

DAY_MS = 86_400_000
# Columns of a table of days: USDT earned, trades ended, sum of their results in %, how many won, USDT won.
PNL, COUNT, PCT, WON, GAIN = range(5)
COLUMNS = 5
MOST_RSIS = 40


class MoneyFault(Exception):
    """start + Σ pnl is not the end: a fault of the program, no result may be used."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Days from `begin` to before `end`, counted from the first day of the candles."""

    begin: int
    end: int


class Trials(Protocol):
    """What a search asks of an arena, whatever it is over."""

    held: dict[str, Value]
    base: dict[str, BaseModel]
    first_day: int
    days: int

    def start_usdt(self) -> float:
        """Cash at the start of every segment."""

    def trials(self, many: Sequence[dict[str, Value]], segments: Sequence[Segment]) -> list[Floats | str]:
        """Tables of days (days, 5); a text where settings are refused."""


class Arena:
    """A strategy on candles. `base`: the present settings, by group; `held`: what every trial but the empty one has."""

    def __init__(self, strategy: str, frames: Sequence[Frame], base: Groups,
                 held: dict[str, Value] | None = None) -> None:
        self.held = held or {}
        self.strategy = STRATEGIES[strategy]
        self.base: dict[str, BaseModel] = dict(base)
        costs = self.base["backtest"]
        assert isinstance(costs, BacktestSettings)
        self.costs = costs
        self.frames = list(frames)
        interval = self.strategy.interval_ms
        self._seen = [resampled(frame, interval) for frame in frames] if interval else self.frames
        self._bar_ms = interval or max(frame.interval_ms for frame in frames)
        self.series, self.steps = series_of(self.frames, costs.min_notional_usdt)
        self._tick = np.array([step.tick for step in self.steps])
        self._rsis: dict[int, Floats] = {}
        self._wanted = Remembered(self._wishes)
        self.first_day = int(min(frame.time[0] for frame in frames)) // DAY_MS
        self.days = self.series.last_ms // DAY_MS - self.first_day + 1

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_wanted", "_rsis", "strategy")} | {
            "strategy_name": self.strategy.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In a worker: arrays that are mapped or lie in a shared store look like any other to the compiled code."""
        self.strategy = STRATEGIES[state.pop("strategy_name")]
        self.__dict__.update(state)
        self.series = self.series._replace(candles=_plain(self.series.candles), quote=_plain(self.series.quote),
                                           tokens=_plain(self.series.tokens), unit=_plain(self.series.unit))
        self._rsis = {}
        self._wanted = Remembered(self._wishes)

    def start_usdt(self) -> float:
        """Cash at the start of every segment."""
        return self.costs.start_usdt

    def groups(self, values: dict[str, Value]) -> dict[str, BaseModel]:
        """The settings of a trial. Raises ValueError where they cannot be together."""
        return with_values(self.base, values)

    def trial(self, values: dict[str, Value], segments: Sequence[Segment]) -> Floats:
        """Table of days (days, 5); NaN on days outside the segments. Raises ValueError for refused settings."""
        groups = self.groups(values)
        entries, sell_at, cover_at = self._wanted(groups)
        series = self.series._replace(exits=sell_at, covers=cover_at)
        rules, terms = self.strategy.exits(groups), self.strategy.terms(groups)
        found = np.full((self.days, COLUMNS), np.nan)
        times = series.candles[a.TIME, entries[:, a.E_AT]]
        for segment in segments:
            part = self.part(series, segment)
            begin, end = np.searchsorted(times, self.span(segment))
            made = run(part, entries[begin:end], rules, terms)
            found[segment.begin:segment.end] = self._days(made, part, segment, terms.start)
        return found

    def trials(self, many: Sequence[dict[str, Value]], segments: Sequence[Segment]) -> list[Floats | str]:
        """`trial` for many settings; a text where the settings refuse them. Rule sets of RSI go in one pass."""
        groups: list[dict[str, BaseModel] | str] = []
        for values in many:
            try:
                groups.append(self.groups(values))
            except ValueError as refused:
                groups.append(str(refused))
        if self.strategy.name == "rsi" and all(isinstance(each, str) or self._sweeps(each) for each in groups):
            return self._swept(groups, segments)
        return [each if isinstance(each, str) else self.trial(values, segments)
                for values, each in zip(many, groups, strict=True)]

    def _sweeps(self, groups: Groups) -> bool:
        rules = groups["rsi"]
        return getattr(rules, "direction", "long") == "long" and fits(self.series, self.strategy.terms(groups),
                                                                       self.costs)

    def _swept(self, many: Sequence[dict[str, BaseModel] | str], segments: Sequence[Segment]) -> list[Floats | str]:
        """All rule sets in one compiled pass a segment and set of terms."""
        found: list[Floats | str] = [each if isinstance(each, str) else np.full((self.days, COLUMNS), np.nan)
                                     for each in many]
        by_terms: dict[a.Terms, list[int]] = {}
        for place, each in enumerate(many):
            if not isinstance(each, str):
                by_terms.setdefault(self.strategy.terms(each), []).append(place)
        close, scale = self.frames[0].close, 10.0 ** self.steps[0].places
        for terms, places in by_terms.items():
            wanted = [settings_of(many[place]) for place in places]  # type: ignore[arg-type]
            periods = sorted({each.rsi_period for each in wanted})
            rsis = np.stack([self._rsi(period) for period in periods])
            which = np.array([periods.index(each.rsi_period) for each in wanted], np.int64)
            for segment in segments:
                part = self.part(self.series, segment)
                begin, end = (int(each) for each in part.tokens[0, :2])
                made = sweep(part, close, rsis, which, wanted, terms, scale, begin, end)
                for place, rows in zip(places, made, strict=True):
                    table = found[place]
                    assert not isinstance(table, str)
                    day = part.candles[a.TIME, rows[:, W_EXIT]] // DAY_MS - self.first_day - segment.begin
                    table[segment.begin:segment.end] = by_day(
                        day, rows[:, W_PNL] / a.MONEY, rows[:, W_PNL] / np.maximum(rows[:, W_COST], 1) * 100.0,
                        segment.end - segment.begin)
        return found

    def _rsi(self, period: int) -> Floats:
        if period not in self._rsis:
            if len(self._rsis) >= MOST_RSIS:
                self._rsis.clear()
            self._rsis[period] = talib.RSI(self.frames[0].close, period)
        return self._rsis[period]

    def span(self, segment: Segment) -> tuple[int, int]:
        """First ms of a segment, and the first one after it."""
        return (self.first_day + segment.begin) * DAY_MS, (self.first_day + segment.end) * DAY_MS

    def part(self, series: Series, segment: Segment) -> Series:
        """The same arrays, every token's rows cut to the segment (rule 2)."""
        first, after = self.span(segment)
        tokens = series.tokens.copy()
        for row in tokens:
            time = series.candles[a.TIME, row[a.K_BEGIN]:row[a.K_END]]
            cut = np.searchsorted(time, (first, after))
            row[a.K_BEGIN], row[a.K_END] = row[a.K_BEGIN] + cut[0], row[a.K_BEGIN] + cut[1]
        return series._replace(tokens=tokens, last_ms=min(series.last_ms, after - 1))

    def _wishes(self, groups: Groups) -> tuple[Ints, Ints, Ints]:
        """(table of entries over all candles, candles at whose open a signal sells, and those where one covers)."""
        wishes = self.strategy.wishes(self._seen, groups, Counter())
        entries = entries_of(wishes, self.series, self.steps, self.costs, self._bar_ms)
        return (entries, rows_of(wishes.sell_token, wishes.sell_ms, self.series),
                rows_of(wishes.cover_token, wishes.cover_ms, self.series))

    def _days(self, made: a.Made, series: Series, segment: Segment, start: int) -> Floats:
        trades = trades_of(made, series, self._tick)
        if money_gap(trades, start, int(made.totals[a.T_CASH])):
            raise MoneyFault("money is not conserved in a trial; please report this")
        day = trades.closed_ms // DAY_MS - self.first_day - segment.begin
        return by_day(day, trades.pnl / a.MONEY, trades.pnl_pct, segment.end - segment.begin)


def _plain(values: Any) -> Any:
    """The same values as a plain, writable array: a second kind of array would compile every kernel again."""
    return np.asarray(values) if values.flags.writeable else np.array(values)


def by_day(day: Ints, pnl: Floats, pct: Floats, days: int) -> Floats:
    """Table of days (days, 5) of trades that ended on these days."""
    table = np.zeros((days, COLUMNS))
    for column, weights in ((PNL, pnl), (COUNT, np.ones(len(pnl))), (PCT, pct), (WON, pnl > 0),
                            (GAIN, np.maximum(pnl, 0.0))):
        table[:, column] = np.bincount(day, weights, days)[:days]
    return table
