"""``python bot.py optimize STRATEGY``: better settings, searched on the past and judged on days they have not seen.

    bot.py optimize hype --candles pumps.parquet --trials 300
    bot.py optimize rsi --space rsi_period=5:30:5 --space target_pct=0.5:4:log --objective sharpe --folds 6
    bot.py optimize signals --ticks data/recordings/binance_usdm --symbols BTCUSDT ETHUSDT --trials 60
    bot.py optimize scalper --ticks data/recordings/binance_usdm --symbols BTCUSDT --trials 60
    bot.py optimize list | apply VERSION | rollback

The same command goes on with a search that was stopped. Exit codes: 0 done (held up or not), 1 failed or stopped,
2 wrong arguments or settings.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from modules.backtest.prepare import compiled
from modules.backtest.strategies import STRATEGIES
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

OK, FAILED, WRONG = 0, 1, 2
VERSION_COMMANDS = ("list", "apply", "rollback")
ON_CANDLES = {"grid": "the hedging grid's levels, lots and targets; none whose worst case breaks its limit"}
ON_TICKS = {"signals": "the signal bot's conditions and exits, on recorded frames",
            "scalper": "with --ticks on recorded frames, weights and thresholds of order flow included"}
OBJECTIVES = ("net_per_trade", "net", "sharpe", "sortino", "calmar", "profit_factor", "drawdown", "win_rate")


def arguments() -> argparse.ArgumentParser:
    """The command line of a search."""
    parser = argparse.ArgumentParser(
        prog="bot.py optimize", description="Search better settings, walk-forward.",
        epilog="bot.py optimize list | apply VERSION | rollback: versions that held up. docs/OPTIMISER.md tells more.")
    add = parser.add_argument
    add("strategy", choices=tuple(dict.fromkeys((*STRATEGIES, *ON_CANDLES, *ON_TICKS))),
        help="; ".join(f"{name}: {about}" for name, about in [*((s.name, s.about) for s in STRATEGIES.values()),
                                                              *ON_CANDLES.items(), *ON_TICKS.items()]))
    add("--ticks", nargs="*", metavar="FILE",
        help="signals, scalper: recorded frames or folders of them (none named: what the feed has recorded of its "
             "venue)")
    add("--top", type=int, default=0, metavar="N",
        help="on recordings: only the N symbols with the most recorded messages (default: all that are named)")
    add("--candles", nargs="+", metavar="FILE", help="files or folders (default: the collected data/market_data)")
    add("--symbols", nargs="+", default=[], metavar="SYMBOL", help="only these tokens")
    add("--since", metavar="DATE", help="first day, e.g. 2024-03-01 (UTC)")
    add("--until", metavar="DATE", help="last day, inclusive")
    add("--lot-usdt", type=float, default=0.0, metavar="USDT",
        help="grid: scale all lots so that the first is worth this; 0 = as they are")
    add("--space", action="append", default=[], metavar="NAME=LOW:HIGH[:STEP|log]",
        help="a setting to search, or NAME=A,B,C, or NAME alone for its own range (default: those declared)")
    add("--fix", action="append", default=[], metavar="NAME=VALUE", help="a setting for the whole search")
    add("--trials", type=int, default=200, metavar="N", help="trials in all (default 200)")
    add("--stage1", type=float, default=0.5, metavar="SHARE",
        help="share of trials spread over the space before Optuna goes on (default 0.5)")
    add("--grid", action="store_true", help="every combination instead; needs steps or choices")
    add("--objective", action="append", default=[], choices=OBJECTIVES,
        help="what is better (default net_per_trade, grid: net); several: their Pareto front, the first one is judged")
    add("--folds", type=int, default=4, metavar="N", help="walk-forward folds (default 4)")
    add("--walk", choices=("anchored", "rolling"), default="anchored",
        help="fit on all days before a fold, or on as many as the first fit had")
    add("--first", type=float, default=0.4, metavar="SHARE", help="share of days that only fit (default 0.4)")
    add("--min-trades", type=int, default=30, metavar="N", help="least trades on the longest fit (default 30)")
    add("--max-drawdown", type=float, default=0.0, metavar="PCT", help="deepest drawdown, %% (default: no limit)")
    add("--seed", type=int, default=1)
    add("--name", metavar="NAME", help="name of the study, to go on with it (default: from what is asked)")
    add("--again", action="store_true", help="begin the study anew")
    add("--apply", action="store_true", help="apply the settings at once if they held up")
    add("--json", action="store_true", help="print one JSON object instead of text")
    add("--progress", action="store_true", help="tell on stderr how far it is, for programs")
    return parser


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    if argv and argv[0] in VERSION_COMMANDS:
        from modules.backtest.optimise.version_cli import main as versions
        return versions(argv, settings, paths)
    chosen = arguments().parse_args(argv)
    problem = wrong(chosen)
    if problem:
        _tell(problem)
        return WRONG
    plain = compiled(paths.data / "cache")
    if plain:
        _tell(f"Runs as plain Python, about a hundred times slower: {plain}.")
    from modules.backtest.frames import DataError
    from modules.backtest.optimise.folds import FoldError
    from modules.backtest.optimise.journal import StudyError
    from modules.backtest.optimise.session import Wrong, optimise
    from modules.backtest.optimise.space import SpaceError
    from modules.backtest.ticks.tape import TapeError
    from modules.exchange.captures import CaptureError
    from modules.storage.damage import StateError
    from modules.strategies.grid.past import Untestable
    from utils.compute import ComputeError
    try:
        sys.stdout.write(optimise(chosen, settings, paths) + "\n")
    except (Wrong, SpaceError) as problem_found:
        _tell(str(problem_found))
        return WRONG
    except (DataError, TapeError, CaptureError, FoldError, StudyError, ComputeError, StateError, Untestable,
            OSError) as failed:
        _tell(f"No optimisation: {failed}")
        return FAILED
    except KeyboardInterrupt:
        _tell("Stopped. Every finished trial is kept; the same command goes on from there.")
        return FAILED
    return OK


def wrong(chosen: argparse.Namespace) -> str:
    """What is wrong with the numbers of the command line; "" if nothing."""
    ticks = chosen.strategy in ON_TICKS and (chosen.strategy not in STRATEGIES or chosen.ticks is not None)
    problems = [
        (not 1 <= chosen.trials <= 1_000_000, f"--trials {chosen.trials}: from 1 to 1,000,000"),
        (not 0 < chosen.stage1 <= 1, f"--stage1 {chosen.stage1}: a share above 0 and at most 1"),
        (not 1 <= chosen.folds <= 100, f"--folds {chosen.folds}: from 1 to 100"),
        (not 0.05 <= chosen.first <= 0.95, f"--first {chosen.first}: a share from 0.05 to 0.95"),
        (not 0 <= chosen.top <= 200, f"--top {chosen.top}: from 1 to 200, or 0 for all"),
        (bool(chosen.top) and (not ticks or bool(chosen.symbols)),
         "--top: only for searches on recordings, and without --symbols"),
        (chosen.ticks is not None and chosen.strategy not in ON_TICKS,
         f"--ticks: {chosen.strategy} is searched on candles; leave it out"),
        (chosen.strategy == "scalper" and ticks and bool(chosen.candles),
         "--candles: not with --ticks for scalper, whose candles are made from the recorded trades"),
        (ticks and bool(chosen.since or chosen.until),
         f"--since, --until: give the files of these days with --ticks for {chosen.strategy}"),
        (not 0 <= chosen.lot_usdt <= 1e7, f"--lot-usdt {chosen.lot_usdt:g}: from 0 to 10,000,000"),
        (bool(chosen.lot_usdt) and chosen.strategy != "grid", "--lot-usdt: only for grid"),
        (chosen.min_trades < 0, f"--min-trades {chosen.min_trades}: 0 or more"),
        (not 0 <= chosen.max_drawdown <= 100, f"--max-drawdown {chosen.max_drawdown}: from 0 to 100 %"),
        (bool(chosen.name) and not str(chosen.name).replace("-", "").replace("_", "").replace(".", "").isalnum(),
         f"--name {chosen.name}: letters, figures, - and _ only"),
        (bool(chosen.name) and str(chosen.name).startswith("."), f"--name {chosen.name}: must not begin with a dot"),
    ]
    return "\n".join(text for bad, text in problems if bad)


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
