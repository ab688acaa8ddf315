"""``python bot.py analyse {lookahead,warmup} STRATEGY --candles FILES``: can what a backtest shows be had live?

    bot.py analyse lookahead hype --candles pumps.parquet --symbols PEPEUSDT
    bot.py analyse warmup rsi --candles data/market_data --json

Exit codes: 0 nothing found; 1 it looks ahead, its warm-up is too short, or the candles cannot be used; 2 wrong
arguments.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.backtest.cli import FAILED, OK, WRONG, Wrong, between, settings_of, span_of
from modules.backtest.prepare import compiled
from modules.backtest.strategies import STRATEGIES
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.backtest.analyse import Lookahead, WarmUp
    from modules.backtest.frames import Frame

SHOWN = 20


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bot.py analyse", description="Look for look-ahead, or missing warm-up.")
    parser.add_argument("what", choices=("lookahead", "warmup"),
                        help="lookahead: signals and figures that change once later candles are there; warmup: how "
                             "many candles the figures need before them")
    parser.add_argument("strategy", choices=tuple(STRATEGIES))
    parser.add_argument("--candles", nargs="+", type=Path, metavar="FILE",
                        help="CSV, Parquet or Feather files, or folders (default: the collected data/market_data)")
    parser.add_argument("--symbols", nargs="+", default=[], metavar="SYMBOL", help="only these tokens")
    parser.add_argument("--since", metavar="DATE", help="first day, e.g. 2024-03-01 (UTC)")
    parser.add_argument("--until", metavar="DATE", help="last day, inclusive")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="changes",
                        help="a setting of this run")
    parser.add_argument("--cuts", type=_cuts, default=20, metavar="N",
                        help="times at which the candles are cut off (lookahead; default 20)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def _cuts(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number from 1 to 100000")
    return int(text)


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    chosen = arguments().parse_args(argv)
    plain = compiled(paths.data / "cache")
    if plain:
        _tell(f"Runs as plain Python, about a hundred times slower: {plain}.")
    from modules.backtest.frames import DataError
    try:
        return _run(chosen, settings, paths)
    except Wrong as problem:
        _tell(str(problem))
        return WRONG
    except (DataError, OSError) as problem:
        _tell(f"No analysis: {problem}")
        return FAILED
    except KeyboardInterrupt:
        _tell("Stopped.")
        return FAILED


def _run(chosen: argparse.Namespace, settings: "Settings", paths: Paths) -> int:
    from modules.backtest import analyse
    strategy, groups = STRATEGIES[chosen.strategy], settings_of(chosen.strategy, chosen.changes, settings).groups
    begin, end = span_of(chosen.since, chosen.until)
    counted: Counter[str] = Counter()
    frames = _frames(chosen, paths, counted, begin, end)
    if chosen.what == "lookahead":
        found = analyse.lookahead(strategy, frames, groups, chosen.cuts, _progress("cuts"))
        _say(chosen, _lookahead_object(found), _lookahead_text(chosen.strategy, found), counted)
        return FAILED if found.differences else OK
    told = analyse.warm_up(strategy, frames, groups, _progress("places"))
    _say(chosen, {**asdict(told), "enough": told.enough}, _warm_up_text(chosen.strategy, told), counted)
    return OK if told.enough else FAILED


def _frames(chosen: argparse.Namespace, paths: Paths, counted: Counter[str], begin: int, end: int) -> "list[Frame]":
    from modules.backtest.frames import resampled
    from modules.backtest.load import load, plain_symbol
    only = frozenset(plain_symbol(symbol) for symbol in chosen.symbols)
    frames = between(load(chosen.candles or [paths.market_data], counted, only), begin, end)
    interval = STRATEGIES[chosen.strategy].interval_ms
    return [resampled(frame, interval) for frame in frames] if interval else frames


def _lookahead_object(found: "Lookahead") -> dict[str, Any]:
    return {"biased": bool(found.differences), "cuts": found.cuts, "signals": found.wishes, "figures": found.figures,
            "differences": [asdict(each) for each in found.differences]}


def _lookahead_text(name: str, found: "Lookahead") -> list[str]:
    compared = f"{found.wishes:,} signals and {found.figures:,} figures compared at {found.cuts} times"
    if not found.differences:
        return [f"{name} does not look ahead: {compared}; none became different once later candles were there."]
    names = Counter(each.what for each in found.differences)
    lines = [f"{name} LOOKS AHEAD: {compared}; different were "
             + ", ".join(f"{what} ({count} ×)" for what, count in names.most_common()) + ".",
             "Its results on past candles cannot be had live. Differences:"]
    for each in found.differences[:SHOWN]:
        more = f" (the newest of {each.rows} candles)" if each.rows > 1 else ""
        lines.append(f"  {each.symbol} {_utc(each.time_ms)} {each.what}: {each.told}{more}; cut at {_utc(each.cut_ms)}")
    if len(found.differences) > SHOWN:
        lines.append(f"  … and {len(found.differences) - SHOWN:,} more (--json lists all)")
    return lines


def _warm_up_text(name: str, told: "WarmUp") -> list[str]:
    lines = [f"{name} declares a warm-up of {told.declared} candles; looked at {told.places} places.",
             "Largest change of any figure by the candles before it:"]
    lines += [f"  {count:>8,}  {_percent(change)}" for count, change in told.curve.items()]
    lines.append("Fewest candles that leave a figure unchanged (to one in a million):")
    for figure, count in sorted(told.needed.items(), key=lambda item: -(item[1] if item[1] is not None else 1 << 60)):
        short = count is None or count > told.declared
        lines.append(f"  {figure:<16} {'never: it changes with every candle more' if count is None else f'{count:,}'}"
                     + ("   MORE THAN DECLARED" if short else ""))
    lines.append("The declared warm-up is enough." if told.enough else
                 "The declared warm-up is too short: raise it in the strategy's declaration, or shorten the figure.")
    return lines


def _percent(change: float) -> str:
    return "none" if change == 0 else "known or not known at all" if change >= 1 else f"{change:.2e}"


def _say(chosen: argparse.Namespace, told: dict[str, Any], lines: list[str], counted: Counter[str]) -> None:
    if chosen.json:
        sys.stdout.write(json.dumps({**told, "data": {what: count for what, count in counted.items() if count}}) + "\n")
        return
    noted = [f"  {count:,} × {what}" for what, count in sorted(counted.items()) if count]
    sys.stdout.write("\n".join([*lines, *(["Data:", *noted] if noted else [])]) + "\n")


def _progress(what: str) -> Callable[[int, int], None]:
    """A line on the terminal that counts; nothing where nobody looks at it."""
    def tell(done: int, whole: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done} of {whole} {what}" + ("\n" if done == whole else ""))
            sys.stderr.flush()
    return tell


def _utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
