"""``python bot.py backtest grid --candles FILES``: the hedging grid's live rules on past candles, contract by contract.

    bot.py backtest grid --candles btc-1m.parquet --out results.csv
    bot.py backtest grid --candles coins.parquet --lot-usdt 50 --set pair_global_profit=0.5 --json

Each contract is a session of its own with its own balance. Exit codes: 0 done, 1 the candles cannot be used, 2 wrong
arguments or settings.
"""

import argparse
import csv
import dataclasses
import io
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.backtest.prepare import compiled
from modules.strategies.grid.past import Costs, Past, Result, Untestable, run_past
from modules.strategies.grid.settings import INTERVAL_MS, GridSettings
from utils.files import write_atomic
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.backtest.frames import Frame

OK, FAILED, WRONG = 0, 1, 2
CODES = {1: "SINGLE_ORDER_PROFIT", 2: "PAIR_GLOBAL_PROFIT", 3: "GLOBAL_PROFIT", 4: "MAX_LOSS", 5: "FIRST", 6: "ADD",
         7: "LIQUIDATED", 8: "PROTECTIVE_STOP"}
COLUMNS = ("symbol", "time_utc", "action", "side", "price", "quantity", "realised_usdt", "fee_usdt", "positions")
ASSUMED = (
    "each contract is a session of its own with its own balance, cross margin",
    "a candle is walked open, nearer end, farther end, close (close above open: low first)",
    "orders are filled at the price that makes them due, worse by the slippage; a gap fills at its own price",
    "funding of every 8 h is paid by longs and received by shorts at one rate; one maintenance rate",
    "a liquidation loses the whole balance and ends that contract's run",
    "positions open at the end are counted at the last close",
)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bot.py backtest grid", description="Test the hedging grid on past candles.")
    add = parser.add_argument
    add("--candles", nargs="+", type=Path, default=[], metavar="FILE",
        help="CSV, Parquet or Feather, or folders (default: the collected data/market_data)")
    add("--symbols", nargs="+", default=[], metavar="SYMBOL", help="only these contracts")
    add("--since", metavar="DATE", help="first day, e.g. 2025-05-10 (UTC)")
    add("--until", metavar="DATE", help="last day, inclusive")
    add("--balance", type=float, metavar="USDT", help="balance of each contract (default: grid.paper_usdt)")
    add("--fee-pct", type=float, default=0.06, help="taker fee, %% (default 0.06)")
    add("--slippage-pct", type=float, default=0.01, help="slippage of a fill, %% (default 0.01)")
    add("--funding-pct", type=float, default=0.01, help="funding of 8 h that longs pay, %% (default 0.01)")
    add("--maintenance-pct", type=float, default=0.5, help="maintenance margin, %% of notional (default 0.5)")
    add("--lot-usdt", type=float, default=0.0, help="scale all lots so that the first is worth this; 0 = as they are")
    add("--set", action="append", default=[], metavar="NAME=VALUE", dest="changes", help="a setting of the grid")
    add("--out", type=Path, metavar="FILE", help="write every order and the totals (CSV)")
    add("--curve", type=int, default=0, metavar="N", help="about N points of the curve in the JSON")
    add("--json", action="store_true", help="print one JSON object instead of text")
    add("--progress", action="store_true", help="tell on stderr how far it is, for programs")
    return parser


def main(argv: Sequence[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    chosen = arguments().parse_args(argv)
    plain = compiled(paths.data / "cache")
    if plain:
        sys.stderr.write(f"Runs as plain Python, about a hundred times slower: {plain}.\n")
    from modules.backtest.cli import Wrong, between, groups_of, span_of
    from modules.backtest.frames import DataError
    from modules.backtest.load import load, plain_symbol
    try:
        grid = groups_of(("grid",), [_full(change) for change in chosen.changes], settings)["grid"]
        assert isinstance(grid, GridSettings)
        costs = _costs(chosen, grid)
        counted: Counter[str] = Counter()
        started = time.perf_counter()
        only = frozenset(plain_symbol(symbol) for symbol in chosen.symbols)
        files = chosen.candles or [paths.market_data]
        frames = between(load(files, counted, only), *span_of(chosen.since, chosen.until))
        read_s = time.perf_counter() - started
        results, left_out = _all(frames, grid, costs, chosen.progress)
        seconds = {"read": read_s, "run": time.perf_counter() - started - read_s}
        write(chosen, results, left_out, frames, costs, seconds, grid)
    except Wrong as problem:
        sys.stderr.write(f"{problem}\n")
        return WRONG
    except (DataError, Untestable, OSError) as problem:
        sys.stderr.write(f"No backtest: {problem}\n")
        return FAILED
    return OK


def _full(change: str) -> str:
    """``name=value`` is a setting of the grid's group."""
    return change if "." in change.split("=")[0] else f"grid.{change}"


def _costs(chosen: argparse.Namespace, grid: GridSettings) -> Costs:
    """Raises Wrong naming every figure that cannot be."""
    from modules.backtest.cli import Wrong
    balance = chosen.balance if chosen.balance is not None else grid.paper_usdt
    bounds = {"balance": (balance, 1.0, 1e9), "fee-pct": (chosen.fee_pct, 0, 5), "slippage-pct":
              (chosen.slippage_pct, 0, 10), "funding-pct": (chosen.funding_pct, -3, 3), "maintenance-pct":
              (chosen.maintenance_pct, 0, 50), "lot-usdt": (chosen.lot_usdt, 0, 1e7)}
    wrong = [f"--{name} {value:g}: give {low:g} to {high:g}" for name, (value, low, high) in bounds.items()
             if not low <= value <= high]
    if wrong:
        raise Wrong("\n".join(wrong))
    return Costs(balance, chosen.fee_pct, chosen.slippage_pct, chosen.funding_pct, chosen.maintenance_pct,
                 chosen.lot_usdt)


def _all(frames: "Sequence[Frame]", grid: GridSettings, costs: Costs,
         tell: bool) -> tuple[list[Result], dict[str, str]]:
    """Every contract's run; those that could not be tested with the reason. Raises Untestable where none could."""
    from modules.backtest import progress
    if tell:
        progress.to_stderr()
    results: list[Result] = []
    left_out: dict[str, str] = {}
    for number, frame in enumerate(frames):
        progress.step(number / len(frames), f"testing {frame.symbol}")
        try:
            results.append(run_past(grid, costs, past_of(frame, grid)))
        except Untestable as problem:
            left_out[frame.symbol] = str(problem)
    if not results:
        raise Untestable("; ".join(left_out.values()))
    return results, left_out


def past_of(frame: "Frame", grid: GridSettings) -> Past:
    """A frame as the grid's backtest takes it. Raises DataError where its candles are longer than the signals'."""
    import numpy as np

    from modules.backtest.frames import resampled
    longer = resampled(frame, INTERVAL_MS[grid.timeframe])
    prices = np.column_stack((frame.open, frame.high, frame.low, frame.close))
    return Past(frame.symbol, frame.time, prices, longer.time, longer.high, longer.low, longer.close)


def told(result: Result, costs: Costs) -> dict[str, Any]:
    """A result as JSON has it, without arrays."""
    skip = ("deals", "curve", "closes", "scale")
    found = {field.name: getattr(result, field.name) for field in dataclasses.fields(result) if field.name not in skip}
    return {**found, "pnl": result.equity - result.start, "pnl_pct": (result.equity / costs.balance - 1) * 100,
            "market_pct": (result.last / result.first - 1) * 100,
            "drawdown_pct": result.drawdown / costs.balance * 100}


def csv_text(results: Sequence[Result], frames: "Sequence[Frame]") -> str:
    """Every order, then a line of totals for each contract."""
    from modules.backtest.report import utc
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    times = {frame.symbol: frame.time for frame in frames}
    for result in results:
        scale = result.scale
        for candle, code, side, steps, price, realised, fee, held in result.deals.tolist():
            writer.writerow((result.symbol, utc(int(times[result.symbol][candle])), CODES[code],
                             {1: "BUY", -1: "SELL", 0: ""}[side], price * scale.price, steps * scale.step,
                             f"{scale.usdt(realised):.8f}", f"{scale.usdt(fee):.8f}", held))
        writer.writerow((result.symbol, "", "TOTAL", "", "", "", f"{result.equity - result.start:.8f}",
                         f"{result.fees:.8f}", len(result.deals)))
    return out.getvalue()


def write(chosen: argparse.Namespace, results: Sequence[Result], left_out: dict[str, str],
          frames: "Sequence[Frame]", costs: Costs, seconds: dict[str, float], grid: GridSettings) -> None:
    """Files and terminal. Raises OSError."""
    if chosen.out:
        write_atomic(chosen.out, csv_text(results, frames).encode())
    rows = [told(result, costs) for result in results]
    candles = sum(result.candles for result in results)
    if chosen.json:
        total = {"pnl": sum(row["pnl"] for row in rows), "liquidated": sum(row["liquidated"] for row in rows),
                 "fees": sum(row["fees"] for row in rows), "funding": sum(row["funding"] for row in rows),
                 "identity": all(row["identity"] for row in rows)}
        from modules.backtest.grid_report import report_of
        from modules.backtest.report import json_object
        report = report_of(results, frames, costs, CODES, ASSUMED, {
            f"grid.{name}": value for name, value in grid.model_dump().items()}, seconds)
        whole = json_object(report)
        if chosen.curve:
            from modules.backtest.curve import curve_object
            whole["curve"] = curve_object(report, chosen.curve)
        sys.stdout.write(json.dumps({**whole, "strategy": "grid", "contracts": rows, "total": total,
                                     "left_out": left_out, "candles": candles, "assumed": ASSUMED}) + "\n")
        return
    lines = [f"{'contract':<14}{'pnl USDT':>10}{'pnl %':>8}{'market %':>10}{'fall %':>8}{'lowest':>10}{'grids':>7}"
             f"{'adds':>6}{'pair':>6}{'single':>7}{'stop':>5}{'fees':>9}{'funding':>9}  worst case"]
    for row in rows:
        count = row["counts"]
        lines.append(f"{row['symbol']:<14}{row['pnl']:>10.2f}{row['pnl_pct']:>8.2f}{row['market_pct']:>10.1f}"
                     f"{row['drawdown_pct']:>8.1f}{row['lowest']:>10.0f}{count['first']:>7}{count['add']:>6}"
                     f"{count['pair']:>6}{count['single']:>7}{count['stop']:>5}{row['fees']:>9.2f}"
                     f"{row['funding']:>9.2f}  {row['worst']:.0f}{'  LIQUIDATED' if row['liquidated'] else ''}")
    lines.append(f"Total {sum(row['pnl'] for row in rows):.2f} USDT on {len(rows)} × {costs.balance:g}; money identity "
                 + ("holds" if all(row["identity"] for row in rows) else "BROKEN: report this"))
    lines += [f"Left out: {text}" for text in left_out.values()]
    lines += ["Assumed:", *(f"  {text}" for text in ASSUMED),
              f"{candles:,} candles, " + ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())]
    sys.stdout.write("\n".join(lines) + "\n")
