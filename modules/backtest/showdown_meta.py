"""``python bot.py backtest showdown-meta``: the meta-layer of system C, trained on backtested trades and judged unseen.

    bot.py backtest showdown-meta --candles perps_1m.parquet --funding funding.parquet [--symbols BTCUSDT,…] [--keep]

1. Every contract of the files goes through the backtest of system C; each trade's figures (`meta.row`) and its net
   result in R (units of the risk taken, after fees and funding) become a row.
2. Walk-forward over time: what teaches had ended a day (embargo) before the first trade that is judged; one
   configuration, nothing chosen by the outcome. A trade's rank is its score's percentile among earlier unseen ones.
3. The gate (modules/learning/gate.py) lets it speak only if what it takes earns more than taking every trade, with the
   whole 95 % interval by days. `--keep` puts the model into ``models/showdown``; one that may not speak stands aside.
Exit codes: 0 done, whatever the verdict; 1 the data cannot be used or are too few; 2 wrong arguments.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from utils.paths import Paths
from utils.version import describe

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.backtest.showdown import Trade
    from modules.learning.fit import Fitted
    from modules.strategies.showdown.settings import ShowdownSettings

OK, FAILED, WRONG = 0, 1, 2
EMBARGO_MS = 86_400_000
ABSENT = ("ETF flows, liquidation map, sentiment, CVD, basis and open interest are absent: the model learns nothing of "
          "them")


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="bot.py backtest showdown-meta",
                                     description="Train and judge the meta-layer of system C on recorded 1m candles.")
    parser.add_argument("--candles", nargs="+", type=Path, required=True, metavar="FILE", help="1m candles")
    parser.add_argument("--funding", nargs="+", type=Path, default=[], metavar="FILE",
                        help="settled funding: symbol, date, rate in the column open (freqtrade's layout)")
    parser.add_argument("--symbols", default="", metavar="A,B", help="only these contracts (default: all in the files)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of this run")
    parser.add_argument("--keep", action="store_true", help="put the model into models/showdown")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    chosen = parser.parse_args(argv)
    from modules.backtest.frames import DataError
    from modules.backtest.showdown_cli import changed
    from modules.learning.fit import TooLittle
    try:
        own = changed(settings.showdown, chosen.set, bool(chosen.funding))
    except (ValidationError, ValueError) as problem:
        sys.stderr.write(f"--set: {problem}\n")
        return WRONG
    try:
        trades = collect(chosen.candles, chosen.funding, chosen.symbols, own)
        fitted, told = judge(trades)
        if chosen.keep:
            told["kept"] = keep(fitted, trades, paths.models)
    except (DataError, OSError, TooLittle) as problem:
        sys.stderr.write(f"No model: {problem}\n")
        return FAILED
    sys.stdout.write((json.dumps(told) if chosen.json else text(told)) + "\n")
    return OK


def collect(candles: list[Path], funding: list[Path], symbols: str,
            own: "ShowdownSettings") -> "dict[str, list[Trade]]":
    """The trades of every contract. Raises DataError, OSError."""
    from modules.backtest.frames import DataError
    from modules.backtest.load import load, plain_symbol
    from modules.backtest.showdown import contract_of, run
    from modules.backtest.showdown_cli import load_rates, minutes_of
    wanted = frozenset(plain_symbol(name) for name in symbols.split(",") if name.strip())
    found: dict[str, list[Trade]] = {}
    for frame in load(candles, Counter(), wanted):
        minutes = minutes_of(frame)
        if minutes is None:
            raise DataError(f"{frame.symbol}: the candles are not of 1m; give 1m candles, the others are made of them")
        rates = np.empty((0, 2))
        if funding:
            try:
                rates = load_rates(funding, frame.symbol)
            except DataError as problem:
                sys.stderr.write(f"{frame.symbol} is left out: {problem}\n")
                continue
        result = run(minutes, rates, own, own.paper_usdt, contract_of(minutes, frame.symbol))
        found[frame.symbol] = list(result.trades)
        sys.stderr.write(f"{frame.symbol}: {len(result.trades)} trades\n")
    return found


def judge(trades: "dict[str, list[Trade]]") -> "tuple[Fitted, dict[str, Any]]":
    """Train, judge walk-forward (rule 2); the model and the report. Raises TooLittle."""
    from modules.learning import fit, gate
    from modules.learning.settings import LearningSettings
    from modules.strategies.showdown import meta
    every = sorted((trade for own in trades.values() for trade in own), key=lambda one: (one.decided_ms, one.entry))
    if not every:
        raise fit.TooLittle("no trade came out of these candles")
    net = np.array([trade.r for trade in every])
    times = np.array([float(trade.decided_ms) for trade in every])
    longest = max(trade.exit_ms - trade.decided_ms for trade in every)
    rows = fit.Rows(np.array([trade.figures for trade in every]), (net > 0).astype(np.float64), times,
                    np.ones(len(every), np.bool_), net)
    fitted = fit.fit(rows, longest + EMBARGO_MS, LearningSettings(approve_confidence=meta.SKIP_BELOW))
    decision = gate.decide(fitted.gate)
    return fitted, {
        "program": describe(), "trades": {name: len(own) for name, own in trades.items()}, "rows": len(every),
        "from_ms": int(times[0]), "to_ms": int(times[-1]), "longest_h": round(longest / 3_600_000, 1),
        "speaks": decision.speaks, "why": in_r(decision.reason), "metrics": _plain(fitted.metrics),
        "gate": _plain(fitted.gate), "sized": sized(fitted), "absent": ABSENT}


def sized(fitted: "Fitted") -> dict[str, Any] | None:
    """Net R per trade offered, with every trade whole and with the meta-layer's sizes (skipped ones count 0), and the
    difference with its 95 % interval by days; over trades that were ranked unseen. None where there are none."""
    from modules.learning.gate import DAY_MS, RESAMPLES
    from modules.strategies.showdown import meta
    if fitted.shown is None:
        return None
    ranked = np.isfinite(fitted.shown.confidence) & np.isfinite(fitted.shown.net)
    if not ranked.any():
        return None
    net, times = fitted.shown.net[ranked], fitted.shown.times[ranked]
    scales = np.array([meta.scale_of(float(rank)) for rank in fitted.shown.confidence[ranked]])
    gain = (scales - 1.0) * net
    days = np.unique(times // DAY_MS, return_inverse=True)[1]
    sums, counts = np.bincount(days, gain), np.bincount(days)
    draws = np.random.default_rng(7).integers(0, len(sums), (RESAMPLES, len(sums)))
    low, high = np.quantile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), (0.025, 0.975))
    return {"n": int(ranked.sum()), "days": len(sums), "taken": int((scales > 0).sum()),
            "whole_r": round(float(net.mean()), 4), "sized_r": round(float((scales * net).mean()), 4),
            "gain_r": round(float(gain.mean()), 4), "gain_r_95": [round(float(low), 4), round(float(high), 4)]}


def keep(fitted: "Fitted", trades: "dict[str, list[Trade]]", models: Path) -> str:
    """Put the model into place; a standing one that may speak stays unless this one is better. Raises OSError."""
    import platform

    from modules.learning import gate, modelfiles
    from modules.learning.features import VERSION
    from modules.learning.fit import load_lightgbm
    from modules.learning.modelfiles import Manifest, Versions
    from modules.strategies.showdown import meta
    folder = meta.folder_of(models)
    standing = modelfiles.read_manifest(folder, meta.NAME)
    if isinstance(standing, Manifest) and not standing.aside and not gate.replaces(standing.gate, fitted.gate):
        return f"the standing model {standing.generation} stays: this one is not better"
    times = [trade.decided_ms for own in trades.values() for trade in own]
    made = modelfiles.save(folder, Manifest(
        format=modelfiles.FORMAT, name=meta.NAME, generation="", files={}, features=meta.FEATURES, label=meta.LABEL,
        origin="candles", rows=len(times), labelled_rows=0, from_ms=min(times), to_ms=max(times), trained_ms=max(times),
        threshold=fitted.scaler.threshold, aside=in_r(fitted.scaler.aside), metrics=fitted.metrics, gate=fitted.gate,
        versions=Versions(features=VERSION, lightgbm=str(load_lightgbm().__version__),
                          python=platform.python_version())),
        fitted.text, _said(fitted))
    return f"model {made.generation} stands in {folder.name}/" + ("" if not made.aside else " and stands aside")


def in_r(words: str) -> str:
    """The gate's sentence with the unit of system C: R instead of percent."""
    return words.replace(" Hype trading loses here", " It loses").replace(" %", " R").replace("candidate", "trade")


def _said(fitted: "Fitted") -> Any:
    import msgspec
    return msgspec.structs.replace(fitted.scaler, aside=in_r(fitted.scaler.aside))


def _plain(record: Any) -> Any:
    import msgspec
    return msgspec.to_builtins(record) if record is not None else None


def text(told: dict[str, Any]) -> str:
    """For a person."""
    from modules.backtest.replay_words import clock
    lines = [f"Meta-layer of system C: {told['rows']} trades of {len(told['trades'])} contracts, "
             f"{clock(told['from_ms'])} to {clock(told['to_ms'])}, longest {told['longest_h']:g} h",
             f"{'SPEAKS' if told['speaks'] else 'STANDS ASIDE'}: {told['why']}"]
    metrics, sizes = told["metrics"], told["sized"]
    if metrics is not None:
        auc = metrics["auc"]
        lines.append(f"Unseen: {metrics['judged']} trades, AUC {auc['mean']:.3f} [{auc['low']:.3f}, "
                     f"{auc['high']:.3f}], Brier {metrics['brier']:.4f} against {metrics['brier_constant']:.4f} for a "
                     "constant")
    if sizes is not None:
        low, high = sizes["gain_r_95"]
        lines.append(f"Sized: {sizes['n']} trades on {sizes['days']} days, {sizes['taken']} taken; per trade offered "
                     f"{sizes['whole_r']:+.3f} R whole, {sizes['sized_r']:+.3f} R with it; difference "
                     f"{sizes['gain_r']:+.3f} R [{low:+.3f}, {high:+.3f}]")
    return "\n".join([*lines, f"{told['absent']}.", *([told["kept"]] if "kept" in told else [])])
