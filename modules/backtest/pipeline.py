"""From frames to a report: signals, the engine, the ratios. Two rule sets: ``hype`` and ``rsi``."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.backtest import arrays as a
from modules.backtest.engine import run
from modules.backtest.frames import Frame, refined, resampled
from modules.backtest.market import Steps, series_of
from modules.backtest.measure import INTERVAL_MS
from modules.backtest.metrics import metrics, shuffle
from modules.backtest.report import Report
from modules.backtest.rsi import rsi_table
from modules.backtest.settings import BacktestSettings, RsiSettings
from modules.backtest.signals import BTC, NO_BTC, WAIVED, entries_of, hype_signals
from modules.backtest.trades import curve_of, money_gap, trades_of
from modules.strategies.hype.exit_rules import ppm, rules_of
from modules.strategies.hype.exit_table import STRATEGIES
from modules.strategies.hype.settings import HypeSettings


class MoneyFault(Exception):
    """start + Σ pnl is not the end: a fault of the program, no result may be shown."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The settings of a run. `only` are the tokens traded (BTC may be among the frames for the mood alone)."""

    strategy: str
    hype: HypeSettings
    costs: BacktestSettings
    rsi: RsiSettings


def backtest(frames: Sequence[Frame], finer: Sequence[Frame], chosen: Chosen, counted: Counter[str],
             read_s: float = 0.0) -> Report:
    """One whole run. Raises DataError for candles that the rules cannot use, MoneyFault for a fault of the engine."""
    seconds = {"read": read_s}
    started = time.perf_counter()
    fine = {frame.symbol: frame for frame in finer}
    walked = [refined(frame, fine[frame.symbol]) if frame.symbol in fine else frame for frame in frames]
    if chosen.strategy == "rsi":
        series, steps = series_of(walked, chosen.costs.min_notional_usdt)
        entries, sell_at = rsi_table(walked, steps, chosen.rsi)
        series = series._replace(exits=sell_at)
    else:
        signals = hype_signals([resampled(frame, INTERVAL_MS) for frame in frames], chosen.hype, chosen.costs, counted)
        series, steps = series_of(walked, chosen.costs.min_notional_usdt)
        entries = entries_of(signals, series, steps, chosen.costs, INTERVAL_MS)
    symbols = [frame.symbol for frame in frames]
    del frames, walked, finer, fine  # a third of the memory; the caller keeps none either
    seconds["signals"] = time.perf_counter() - started
    started = time.perf_counter()
    terms = terms_of(chosen.hype, chosen.costs, plain=chosen.strategy == "rsi")
    made = run(series, entries, rules_of(chosen.hype), terms)
    seconds["loop"] = time.perf_counter() - started
    started = time.perf_counter()
    report = _report(symbols, series, steps, entries, terms, made, chosen, counted, seconds)
    seconds["report"] = time.perf_counter() - started
    return report


def terms_of(hype: HypeSettings, costs: BacktestSettings, plain: bool = False) -> a.Terms:
    """The account's terms from the live limits (A18); `plain` leaves out the limits of the hype bot."""
    start = round(costs.start_usdt * a.MONEY)
    most = a.NEVER // 4
    return a.Terms(
        start=start, trade_size=_units(hype.trade_usdt), share_ppm=ppm(hype.trade_share_pct, 100),
        max_token=most if plain else _units(hype.max_token_usdt), max_open=hype.max_open_trades,
        max_exposure=most if plain else _units(hype.max_exposure_usdt),
        max_per_day=1 << 40 if plain else hype.max_trades_per_day,
        cool_stop_ms=0 if plain else round(hype.cooldown_after_stop_s * 1000),
        cool_sell_ms=0 if plain else round(hype.cooldown_after_sell_s * 1000),
        rejudge_ms=0 if plain else round(hype.rejudge_after_s * 1000),
        max_age_ms=most if plain else round(hype.max_proposal_age_s * 1000),
        max_slippage_ppm=10 ** 9 if plain else ppm(hype.max_slippage_pct, 100), fee_ppm=ppm(costs.fee_pct, 100),
        half_spread_ppm=ppm(costs.spread_pct / 2, 100), slippage_ppm=ppm(costs.slippage_pct, 100),
        impact_ppm=ppm(costs.impact_pct, 100), most_slippage_ppm=ppm(costs.most_slippage_pct, 100),
    )


def _units(usdt: float) -> int:
    return round(usdt * a.MONEY)


def _report(symbols: Sequence[str], series: a.Series, steps: Sequence[Steps], entries: a.Ints, terms: a.Terms,
            made: a.Made, chosen: Chosen, counted: Counter[str], seconds: dict[str, float]) -> Report:
    trades = trades_of(made, series, np.array([step.tick for step in steps]))
    gap = money_gap(trades, terms.start, int(made.totals[a.T_CASH]))
    if gap:
        raise MoneyFault(f"money is not conserved: {gap} units of 1e-8 USDT are missing; please report this")
    curve = curve_of(made, series, terms.start)
    start = terms.start / a.MONEY
    codes = np.bincount(made.outcomes, minlength=len(a.REFUSALS))
    hype = chosen.strategy == "hype"
    waived = [*WAIVED, *([] if BTC in symbols else [NO_BTC])] if hype else []
    return Report(
        title=f"Backtest {chosen.strategy}", symbols=symbols, trades=trades,
        strategy=[STRATEGIES[code] if hype else "rsi" for code in entries[trades.entry, a.E_STRATEGY].tolist()],
        confidence=(entries[trades.entry, a.E_CONFIDENCE] / 1e6).tolist(), curve=curve,
        metrics=metrics(trades, curve, start), shuffled=shuffle(trades, start),
        refused={name: int(codes[code]) for code, name in enumerate(a.REFUSALS) if code and codes[code]},
        candles=len(series.quote), seconds=seconds, settings=_settings(chosen), waived=waived, counted=counted,
    )


def _settings(chosen: Chosen) -> dict[str, Any]:
    groups = {"backtest": chosen.costs, ("hype" if chosen.strategy == "hype" else "rsi"):
              chosen.hype if chosen.strategy == "hype" else chosen.rsi}
    return {f"{group}.{name}": value for group, model in groups.items() for name, value in model.model_dump().items()}
