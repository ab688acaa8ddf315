"""``python bot.py backtest showdown --candles FILES --funding FILES``: system C on recorded 1m candles.

    bot.py backtest showdown --candles btc_1m.parquet --funding funding.parquet --symbol BTCUSDT --json

Exit codes: 0 done, 1 the data cannot be used, 2 wrong arguments or settings.
"""

import argparse
import csv
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from modules.strategies.showdown.settings import ShowdownSettings
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.backtest.showdown import Result, Reviewer, Trade

OK, FAILED, WRONG = 0, 1, 2
RUNS = 200
ABSENT = "ETF flows, liquidation map, sentiment, CVD and basis are absent (neutral); open interest is waived"


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="bot.py backtest showdown", description="System C on recorded 1m candles.")
    parser.add_argument("--candles", nargs="+", type=Path, required=True, metavar="FILE", help="1m candles")
    parser.add_argument("--funding", nargs="+", type=Path, default=[], metavar="FILE",
                        help="settled funding: symbol, date, rate in the column open (freqtrade's layout)")
    parser.add_argument("--symbol", default="BTCUSDT", help="contract (default BTCUSDT)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of this run")
    parser.add_argument("--meta", action="store_true", help="let the meta-layer's model in models/showdown review each "
                                                            "trade, as live does")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write every trade (CSV)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    chosen = parser.parse_args(argv)
    from modules.backtest.frames import DataError
    try:
        own = changed(settings.showdown, chosen.set, bool(chosen.funding))
    except (ValidationError, ValueError) as problem:
        sys.stderr.write(f"--set: {problem}\n")
        return WRONG
    try:
        told, trades = backtest(chosen, own, reviewer(paths) if chosen.meta else None)
        if chosen.out:
            write(chosen.out, trades)
    except (DataError, OSError) as problem:
        sys.stderr.write(f"No backtest: {problem}\n")
        return FAILED
    sys.stdout.write((json.dumps(told) if chosen.json else text(told)) + "\n")
    return OK


def changed(own: ShowdownSettings, changes: list[str], funding: bool) -> ShowdownSettings:
    """The settings of the run: open interest waived, funding too where none is given. Raises ValueError."""
    values: dict[str, Any] = own.model_dump()
    values["waive"] = ("open_interest",) if funding else ("open_interest", "funding")
    for change in changes:
        name, equals, value = change.removeprefix("showdown.").partition("=")
        if not equals:
            raise ValueError(f"{change!r} is no NAME=VALUE")
        values[name] = value
    return ShowdownSettings.model_validate(values)


def reviewer(paths: Paths) -> "tuple[Reviewer, str]":
    """The meta-layer as live asks it, and its name. Raises DataError where there is none."""
    from modules.backtest.frames import DataError
    from modules.strategies.showdown import meta
    model, why = meta.load(paths.models)
    if model is None:
        raise DataError(f"--meta: {why}; train one with bot.py backtest showdown-meta --keep")
    asked = model  # mypy: not None within the function below
    aside = f" (stands aside: {model.scaler.aside})" if model.scaler.aside else ""
    return lambda question, decision: (
        (meta.opinion(asked, question, decision),) if decision.action != "flat" else ()), meta.identity(model) + aside


def backtest(chosen: argparse.Namespace, own: ShowdownSettings,
             review: "tuple[Reviewer, str] | None" = None) -> tuple[dict[str, Any], "tuple[Trade, ...]"]:
    """Run it; the report as plain values, and the trades. Raises DataError, OSError."""
    from modules.backtest.frames import DataError
    from modules.backtest.load import load, plain_symbol
    from modules.backtest.showdown import contract_of, run
    symbol = plain_symbol(chosen.symbol)
    counted: Counter[str] = Counter()
    began = time.perf_counter()
    frame = load(chosen.candles, counted, frozenset({symbol}))[0]
    minutes = minutes_of(frame)
    if minutes is None:
        raise DataError(f"{symbol}: the candles are not of 1m; give 1m candles, the others are made of them")
    funding = np.empty((0, 2))
    if chosen.funding:
        rates = load_rates(chosen.funding, symbol)
        funding = rates[(rates[:, 0] >= minutes[0, 0] - 86_400_000) & (rates[:, 0] <= minutes[-1, 0])]
    read_s = time.perf_counter() - began
    began = time.perf_counter()
    result = run(minutes, funding, own, own.paper_usdt, contract_of(minutes, symbol),
                 review[0] if review is not None else None)
    run_s = time.perf_counter() - began
    told = report(result, own, funding)
    told.update(symbol=symbol, read_s=round(read_s, 2), run_s=round(run_s, 2), absent=ABSENT,
                waived=list(own.waive), meta=review[1] if review is not None else "")
    return told, result.trades


def minutes_of(frame: Any) -> "np.ndarray[Any, np.dtype[np.float64]] | None":
    """1m candles (n, 7) of a loaded frame, half of the volume as taker's; None where they are not of 1m."""
    if len(frame.time) < 2 or int(np.median(np.diff(frame.time))) != 60_000:
        return None
    volume = np.asarray(frame.volume, dtype=np.float64)
    return np.column_stack([np.asarray(column, dtype=np.float64) for column in
                            (frame.time, frame.open, frame.high, frame.low, frame.close, volume, volume / 2)])


def load_rates(files: list[Path], symbol: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Settled rates (n, 2) from files in freqtrade's layout. Raises DataError."""
    import pandas as pd

    from modules.backtest.frames import DataError
    from modules.backtest.load import plain_symbol
    rows = []
    for path in files:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        lacking = {"symbol", "date", "open"} - set(table.columns)
        if lacking:
            raise DataError(f"{path.name} lacks the column {', '.join(sorted(lacking))}")
        names = {name: plain_symbol(str(name)) for name in table["symbol"].unique()}
        table = table[table["symbol"].map(names) == symbol]
        times = pd.to_datetime(table["date"], utc=True).astype("datetime64[ms, UTC]").astype("int64")
        rows.append(np.column_stack((times.to_numpy(np.float64), table["open"].to_numpy(np.float64))))
    found = np.concatenate(rows)
    if not len(found):
        raise DataError(f"no funding of {symbol} in {', '.join(path.name for path in files)}")
    return found[np.argsort(found[:, 0])]


def report(result: "Result", own: ShowdownSettings, funding: Any) -> dict[str, Any]:
    """Figures of a run beside buy-and-hold and entries drawn by lot with the same exits."""
    bars, trades = result.minutes, result.trades
    r = np.array([trade.r for trade in trades])
    equity = own.paper_usdt + np.cumsum([trade.net for trade in trades])
    peak = np.maximum.accumulate(np.concatenate(([own.paper_usdt], equity)))
    fall = float(((peak - np.concatenate(([own.paper_usdt], equity))) / peak).max()) * 100
    lots = by_lot(result, funding, own)
    return {
        "days": round((bars[-1, 0] - bars[0, 0]) / 86_400_000, 1), "instants": result.decided,
        "decisions": result.asked, "reasons": result.reasons, "trades": len(trades),
        "long": sum(trade.side > 0 for trade in trades),
        "net_pct": round(100 * (result.equity / own.paper_usdt - 1), 3), "max_drawdown_pct": round(fall, 3),
        "mean_r": _round(r.mean()) if len(r) else None, "mean_r_95": interval(r),
        "wins_pct": _round(100 * float((r > 0).mean())) if len(r) else None,
        "fees": _round(sum(trade.fees for trade in trades)), "funding": _round(sum(trade.funding for trade in trades)),
        "ended": dict(Counter(trade.ended for trade in trades)),
        "buy_and_hold_pct": round(100 * (bars[-1, 4] / bars[0, 1] - 1), 3),
        "by_lot_mean_r": _round(lots.mean()) if len(lots) else None,
        "by_lot_better_pct": _round(100 * float((lots >= r.mean()).mean())) if len(lots) else None,
    }


def by_lot(result: "Result", funding: Any, own: ShowdownSettings) -> Any:
    """Mean R of `RUNS` runs of as many entries at random instants and sides, each with a real trade's distances and the
    same exits and costs."""
    from modules.backtest.showdown_fills import units_of
    if not result.trades:
        return np.empty(0)
    draw, units = np.random.default_rng(7), units_of(result.contract)
    bars, means = result.minutes, []
    for _ in range(RUNS):
        found = [_drawn(bars, funding, like, int(draw.integers(0, max(1, len(bars) - 1000))), int(draw.choice((-1, 1))),
                        units, own).r for like in result.trades]
        means.append(float(np.mean(found)))
    return np.array(means)


def _drawn(bars: Any, funding: Any, like: "Trade", place: int, side: int, units: Any, own: ShowdownSettings) -> "Trade":
    """An entry at the open of a minute, as a quote would pay for it."""
    from decimal import Decimal

    from modules.backtest.showdown_fills import MAKER, Entry, follow
    from modules.strategies.showdown import positions
    price = positions.to_tick(Decimal(repr(float(bars[place, 1]))), units.tick, down=side > 0)
    sl, tp1, tp2 = (positions.to_tick(price * (1 + side * Decimal(repr(offset))), units.tick, down=side > 0)
                    for offset in like.offsets)
    much = max(units.step, Decimal(repr(like.quantity * like.entry / float(price))) // units.step * units.step)
    ms = int(bars[place, 0])
    trade = positions.Trade(
        id="lot", symbol="", mode="TEST", long=side > 0, decided_ms=ms, price=price, worst=price, sl=sl, tp1=tp1,
        tp2=tp2, quantity=much, risk=much * (abs(price - sl) + units.fee * (price + sl)), confidence=0.0, risk_level=1,
        reason="lot", stop=sl)
    return follow(bars, funding, trade, Entry(place, price, much, MAKER), units, own)


def interval(r: Any) -> list[float] | None:
    """95 % interval of the mean by 2,000 resamplings; None for fewer than five trades."""
    if len(r) < 5:
        return None
    draw = np.random.default_rng(11)
    means = r[draw.integers(0, len(r), (2000, len(r)))].mean(axis=1)
    return [_round(float(value)) for value in np.percentile(means, (2.5, 97.5))]


def _round(value: float) -> float:
    return round(float(value), 4)


def text(told: dict[str, Any]) -> str:
    """For a person."""
    span = told["mean_r_95"]
    between = f" (95 %: {span[0]:+.3f} … {span[1]:+.3f})" if span else " (too few trades for an interval)"
    mean = "–" if told["mean_r"] is None else f"{told['mean_r']:+.3f}"
    lot = "–" if told["by_lot_mean_r"] is None else (
        f"{told['by_lot_mean_r']:+.3f}; {told['by_lot_better_pct']:.0f} % of such runs do as well or better")
    return "\n".join([
        f"System C on {told['symbol']}, {told['days']} days: {told['trades']} trades ({told['long']} long), net "
        f"{told['net_pct']:+.2f} %, deepest fall {told['max_drawdown_pct']:.2f} %; buy and hold "
        f"{told['buy_and_hold_pct']:+.2f} %",
        f"Mean result {mean} R{between}; random entries with the same exits: {lot}",
        f"Ended: {told['ended']}; fees {told['fees']:.2f}, funding {told['funding']:.2f} USDT",
        f"Decisions: {told['decisions']} of {told['instants']} promising instants; {told['reasons']}",
        f"{told['absent']}. Waived: {', '.join(told['waived'])}. "
        f"Reviewed by: {told['meta'] or 'nobody'}; an adviser is never asked here.",
        f"Read in {told['read_s']} s, decided in {told['run_s']} s."])


def write(path: Path, trades: "tuple[Trade, ...]") -> None:
    """Every trade as a row. Raises OSError."""
    names = ("side", "decided_ms", "entry_ms", "exit_ms", "entry", "quantity", "risk", "net", "r", "fees", "funding",
             "ended", "reason")
    with open(path, "w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(names)
        rows.writerows([getattr(trade, name) for name in names] for trade in trades)
