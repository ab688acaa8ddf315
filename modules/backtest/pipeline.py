"""From frames to a report: a strategy's wishes, the engine, the ratios."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.backtest import arrays as a
from modules.backtest import progress
from modules.backtest.engine import run
from modules.backtest.frames import Frame, refined, resampled
from modules.backtest.market import Steps, series_of
from modules.backtest.metrics import Metric, metrics, shuffle
from modules.backtest.report import Report
from modules.backtest.settings import BacktestSettings
from modules.backtest.strategies import STRATEGIES, Groups, Strategy
from modules.backtest.trades import Trades, curve_of, money_gap, trades_of
from modules.backtest.wishes import PPM, entries_of, rows_of
from modules.strategies.hype.exits import Rules

if TYPE_CHECKING:
    from modules.backtest.models import Fold


class MoneyFault(Exception):
    """start + Σ pnl is not the end: a fault of the program, no result may be shown."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A strategy of strategies.py and the settings of this run: its groups, and ``backtest``."""

    strategy: str
    groups: Groups

    @property
    def costs(self) -> BacktestSettings:
        """Account and costs."""
        found = self.groups["backtest"]
        assert isinstance(found, BacktestSettings)
        return found


def backtest(given: list[Frame], finer: list[Frame], chosen: Chosen, counted: Counter[str],
             read_s: float = 0.0, release: bool = False) -> Report:
    """One whole run. Raises DataError for candles that the rules cannot use, MoneyFault for a fault of the engine.

    With `release` the lists of frames are emptied, and their columns let go as soon as they are counted in ticks.
    """
    seconds = {"read": read_s}
    clock = _Laps(seconds)
    strategy = STRATEGIES[chosen.strategy]
    fine = {frame.symbol: frame for frame in finer}
    frames, walked = list(given), [refined(frame, fine[frame.symbol]) if frame.symbol in fine else frame
                                   for frame in given]
    if release:
        given.clear()
        finer.clear()
    fine.clear()
    if strategy.interval_ms:
        frames[:] = [resampled(frame, strategy.interval_ms) for frame in frames]
    symbols = [frame.symbol for frame in frames]
    progress.step(progress.READ, "signals")
    bar_ms = strategy.interval_ms or max(frame.interval_ms for frame in frames)
    wishes = strategy.wishes(frames, chosen.groups, counted)
    folds: list[Fold] = []
    clock.lap("signals")
    if chosen.costs.models != "off" and strategy.models is not None:
        progress.step(progress.SIGNALS, "models")
        wishes, folds = strategy.models(wishes, frames, chosen.groups)
        clock.lap("models")
    frames.clear()
    series, steps = series_of(walked, chosen.costs.min_notional_usdt, release=True)
    series = series._replace(exits=rows_of(wishes.sell_token, wishes.sell_ms, series),
                             covers=rows_of(wishes.cover_token, wishes.cover_ms, series))
    entries = entries_of(wishes, series, steps, chosen.costs, bar_ms)
    clock.lap("table")
    run_of = _Run(symbols, series, steps, strategy, chosen, strategy.exits(chosen.groups),
                  strategy.terms(chosen.groups))
    progress.step(progress.MODELS, "trading")
    made = run(series, entries, run_of.rules, run_of.terms)
    progress.step(progress.LOOP, "report")
    clock.lap("loop")
    report = _report(run_of, entries, made, counted, seconds)
    if folds:
        report = replace(report, folds=folds, without=_without(run_of, entries))
    clock.lap("report")
    return report


class _Laps:
    """Seconds of each part of a run."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._begin = time.perf_counter()

    def lap(self, name: str) -> None:
        """All since the lap before was `name`."""
        now = time.perf_counter()
        self._seconds[name] = now - self._begin
        self._begin = now


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same whatever the entries are."""

    symbols: Sequence[str]
    series: a.Series
    steps: Sequence[Steps]
    strategy: Strategy
    chosen: Chosen
    rules: Rules
    terms: a.Terms


def _trades(of: _Run, made: a.Made) -> Trades:
    """The trades of a run. Raises MoneyFault."""
    trades = trades_of(made, of.series, np.array([step.tick for step in of.steps]))
    gap = money_gap(trades, of.terms.start, int(made.totals[a.T_CASH]))
    if gap:
        raise MoneyFault(f"money is not conserved: {gap} units of 1e-8 USDT are missing; please report this")
    return trades


def _report(of: _Run, entries: a.Ints, made: a.Made, counted: Counter[str], seconds: dict[str, float]) -> Report:
    trades, curve = _trades(of, made), curve_of(made, of.series, of.terms.start)
    start = of.terms.start / a.MONEY
    codes = np.bincount(made.outcomes, minlength=len(a.REFUSALS))
    return Report(
        title=f"Backtest {of.chosen.strategy}", symbols=of.symbols, trades=trades,
        strategy=[of.strategy.kinds[code] for code in entries[trades.entry, a.E_STRATEGY].tolist()],
        confidence=(entries[trades.entry, a.E_CONFIDENCE] / 1e6).tolist(), curve=curve,
        metrics=metrics(trades, curve, start), shuffled=shuffle(trades, start),
        refused={name: int(codes[code]) for code, name in enumerate(a.REFUSALS) if code and codes[code]},
        candles=len(of.series.quote), seconds=seconds, settings=_settings(of.chosen),
        waived=of.strategy.assumed(of.symbols, of.chosen.groups), counted=counted,
    )


def _without(of: _Run, entries: a.Ints) -> list[Metric]:
    """The metrics of the same run with every wish approved at `backtest.confidence`: what the models are worth."""
    every = entries.copy()
    every[:, a.E_CONFIDENCE] = round(of.chosen.costs.confidence * PPM)
    made = run(of.series, every, of.rules, of.terms)
    return metrics(_trades(of, made), curve_of(made, of.series, of.terms.start), of.terms.start / a.MONEY)


def _settings(chosen: Chosen) -> dict[str, Any]:
    own = STRATEGIES[chosen.strategy].groups
    names = ("backtest", own[0], *(name for name in own[1:] if name == "learning" and chosen.costs.models != "off"))
    return {f"{group}.{name}": value for group in names for name, value in chosen.groups[group].model_dump().items()}
