"""``python bot.py backtest {imbalance,scalper,signals,grid} --ticks FILES``: the same report, from recorded raw frames.

    bot.py backtest imbalance --ticks btcusdt_20240808.gz --out results.csv --html report.html
    bot.py backtest signals --ticks data/recordings/binance_usdm --symbols BTCUSDT ETHUSDT --set signals.imbalance=0.35
    bot.py backtest imbalance --ticks data/recordings --symbols BTCUSDT --set ticks.entry_ms=20 --json

Exit codes: 0 done, 1 the files cannot be used, 2 wrong arguments or settings.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modules.backtest.cli import FAILED, OK, WRONG, Wrong, a_folder, groups_of, results_of, write
from modules.backtest.prepare import compiled, digest
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

NAMES = ("imbalance", "scalper", "signals", "grid")
MANY = ("signals",)  # of several symbols at once
WITH_CANDLES = ("signals", "grid")
TOLD = "ticks"  # lies in the cache once the tick engine was compiled into it


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bot.py backtest", description="Test rules on recorded trades and depth.")
    parser.add_argument("strategy", choices=NAMES, help="imbalance: enter with the book's imbalance, leave by the live "
                                                        "exit rules; scalper: the live scalper's rules; signals: the "
                                                        "signal bot's own rules; grid: the hedging grid's live session")
    parser.add_argument("--ticks", nargs="+", type=Path, required=True, metavar="FILE",
                        help="recordings, captures (.gz, .zst, plain), archives of trades, or folders of them")
    parser.add_argument("--symbols", nargs="+", default=[], metavar="SYMBOL",
                        help="which symbol, where there are many; signals: which ones (default: all)")
    parser.add_argument("--candles", nargs="+", type=Path, default=[], metavar="FILE",
                        help="signals: candles of 15m or finer from before the recording, for VWAP, volume and ATR; "
                             "grid: candles of its timeframe or finer, for the entry signal")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="changes",
                        help="a setting of this run, e.g. ticks.entry_ms=20 or imbalance.enter=0.6")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write every trade and the totals (CSV)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as one page")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--curve", type=int, default=0, metavar="N", help="about N points of the curve in the JSON")
    parser.add_argument("--progress", action="store_true", help=argparse.SUPPRESS)
    return parser


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    chosen = arguments().parse_args(argv)
    results_of(chosen, paths)
    if len(chosen.symbols) > 1 and chosen.strategy not in MANY:
        sys.stderr.write("--symbols: one symbol at a time; run it once for each\n")
        return WRONG
    if chosen.candles and chosen.strategy not in WITH_CANDLES:
        sys.stderr.write(f"--candles: {chosen.strategy} looks at no candles; leave it out\n")
        return WRONG
    if folder := a_folder(chosen):
        sys.stderr.write(f"{folder}\n")
        return WRONG
    if missing := [str(path) for path in (*chosen.ticks, *chosen.candles) if not path.exists()]:
        sys.stderr.write(f"No backtest: there is no {', '.join(missing)}\n")
        return FAILED
    fresh = not (paths.data / "cache" / f"compiled-{digest()}" / TOLD).exists()
    if fresh:
        sys.stderr.write("The first run on ticks compiles the engine: half a minute, once.\n")
    plain = compiled(paths.data / "cache")
    if plain:
        sys.stderr.write(f"Ticks need compiled code: {plain}.\n")
        return FAILED
    from modules.backtest.frames import DataError
    from modules.backtest.pipeline import MoneyFault
    from modules.backtest.ticks.pipeline import TICK_STRATEGIES, backtest_ticks
    from modules.backtest.ticks.tape import TapeError
    from modules.exchange.captures import CaptureError
    try:
        groups = groups_of(("ticks", *TICK_STRATEGIES[chosen.strategy].groups), chosen.changes, settings)
        symbols = [symbol.upper().replace("/", "") for symbol in chosen.symbols]
        whole = TICK_STRATEGIES[chosen.strategy].whole
        report = (whole(chosen.ticks, symbols, groups, chosen.candles) if whole is not None else
                  backtest_ticks(chosen.ticks, symbols[0] if symbols else None, chosen.strategy, groups))
        note = paths.data / "cache" / f"compiled-{digest()}" / TOLD
        if note.parent.is_dir():
            note.touch()
        write(chosen, report)
    except Wrong as problem:
        sys.stderr.write(f"{problem}\n")
        return WRONG
    except (TapeError, CaptureError, DataError, MoneyFault, OSError) as problem:
        sys.stderr.write(f"No backtest: {problem}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Nothing was written.\n")
        return FAILED
    return OK
