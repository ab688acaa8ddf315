"""``python bot.py backtest {hype,rsi,grid} --candles FILES``: the live rules on past candles.

    bot.py backtest hype --candles data/market_data --out results.csv --html report.html
    bot.py backtest hype --candles pumps.parquet --set trail_fall_pct=2 --set backtest.fee_pct=0.05 --json

Exit codes: 0 done, 1 the candles cannot be used, 2 wrong arguments or settings.
"""

import argparse
import difflib
import importlib
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from modules.backtest import progress
from modules.backtest.prepare import compiled, fresh
from modules.backtest.settings import BacktestSettings
from modules.backtest.strategies import STRATEGIES
from utils.files import write_atomic
from utils.mistakes import wrong
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.backtest.frames import Frame
    from modules.backtest.pipeline import Chosen
    from modules.backtest.report import Report

OK, FAILED, WRONG = 0, 1, 2
_HELP = {"-h", "--help"}
ON_TICKS = ("imbalance", "signals")  # need --ticks; ticks/cli.py has them
_OTHERS = {"grid": "grid_cli", "showdown": "showdown_cli", "showdown-meta": "showdown_meta"}


class Wrong(Exception):
    """Arguments or settings that cannot be; the text says which and what would do."""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bot.py backtest", description="Test the live rules on past candles.",
        epilog="With options of their own: bot.py backtest grid --help, backtest showdown --help, and on recorded "
               "frames backtest imbalance --help (signals; scalper --ticks, grid --ticks as well)")
    parser.add_argument("strategy", choices=tuple(STRATEGIES),
                        help="; ".join(f"{name}: {each.about}" for name, each in STRATEGIES.items()))
    parser.add_argument("--candles", nargs="+", type=Path, metavar="FILE",
                        help="CSV, Parquet or Feather files, or folders (default: the collected data/market_data)")
    parser.add_argument("--ticks", nargs="+", type=Path, metavar="FILE",
                        help="recorded frames instead of candles (see backtest imbalance --help)")
    parser.add_argument("--finer", nargs="+", type=Path, default=[], metavar="FILE",
                        help="finer candles of the same tokens: they decide what came first within a candle")
    parser.add_argument("--symbols", nargs="+", default=[], metavar="SYMBOL", help="only these tokens")
    parser.add_argument("--since", metavar="DATE", help="first day, e.g. 2024-03-01 (UTC)")
    parser.add_argument("--until", metavar="DATE", help="last day, inclusive")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="changes",
                        help="a setting of this run, e.g. trail_fall_pct=2 or backtest.fee_pct=0.05")
    parser.add_argument("--models", choices=("off", "walk-forward"),
                        help="walk-forward: a model fitted on the past of each fold judges the entries (hype); the "
                             "same as --set backtest.models=…")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write every trade and the totals (CSV)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as one page")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--curve", type=int, default=0, metavar="N", help="about N points of the curve in the JSON")
    parser.add_argument("--progress", action="store_true", help="tell on stderr how far it is, for programs")
    return parser


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    if _HELP & set(argv) and ("--ticks" in argv or argv[0] in ON_TICKS):  # --ticks takes no --help for its files
        argv = [*(name for name in argv[:1] if name[0] != "-"), "--help", "--ticks"]
    other = _elsewhere(argv)
    if other:
        return int(importlib.import_module(other).main(argv if "--ticks" in argv else argv[1:], settings, paths))
    if argv and argv[0] in ON_TICKS:
        _tell(f"{argv[0]} runs on recorded frames: bot.py backtest {argv[0]} --ticks FILES (recordings lie in "
              "data/recordings)")
        return WRONG
    if argv and not argv[0].startswith("-") and argv[0] not in STRATEGIES:
        _tell(f"There is no strategy {argv[0]!r}. There are: {', '.join((*STRATEGIES, *_OTHERS))}; on recorded frames "
              f"(--ticks): {', '.join(ON_TICKS)}, scalper, grid.")
        return WRONG
    chosen = arguments().parse_args(argv)
    results_of(chosen, paths)
    changes = [*chosen.changes, *([f"backtest.models={chosen.models}"] if chosen.models else [])]
    if chosen.progress:
        progress.to_stderr()
    code, problem = checked(chosen, changes, settings, paths)
    if problem:
        _tell(problem)
        return code
    _compile(chosen, paths)
    from modules.backtest.frames import DataError
    from modules.backtest.pipeline import MoneyFault
    try:
        report = _run(chosen, settings_of(chosen.strategy, changes, settings), paths)
        write(chosen, report)
    except Wrong as problem:
        _tell(str(problem))
        return WRONG
    except (DataError, MoneyFault, OSError) as problem:
        _tell(f"No backtest: {problem}")
        return FAILED
    except KeyboardInterrupt:
        _tell("Stopped. Nothing was written.")
        return FAILED
    return OK


def _elsewhere(argv: list[str]) -> str:
    """The module that reads these arguments; "" for this one."""
    if "--ticks" in argv:
        return "modules.backtest.ticks.cli"
    own = _OTHERS.get(argv[0]) if argv else None
    return f"modules.backtest.{own}" if own else ""


def _compile(chosen: argparse.Namespace, paths: Paths) -> None:
    """Have the rules compiled, and say so: the first time takes its time."""
    if fresh(paths.data / "cache"):
        progress.step(0.0, "compiling the rules, once")
        if not chosen.progress:
            _tell("The rules are compiled first: about half a minute, once.")
    plain = compiled(paths.data / "cache")
    if plain:
        _tell(f"Runs as plain Python, about a hundred times slower: {plain}.")


def checked(chosen: argparse.Namespace, changes: Sequence[str], settings: "Settings", paths: Paths) -> tuple[int, str]:
    """(exit code, what is wrong) before anything heavy is loaded: arguments and settings first, then files."""
    try:
        span_of(chosen.since, chosen.until)
        groups_of((*STRATEGIES[chosen.strategy].groups, "backtest", "hype"), changes, settings)
    except Wrong as problem:
        return WRONG, str(problem)
    if folder := a_folder(chosen):
        return WRONG, folder
    lacking = missing(chosen, paths)
    return FAILED, f"No backtest: {lacking}" if lacking else ""


def a_folder(chosen: argparse.Namespace) -> str:
    """Which result would be written over a folder; "" if none."""
    return next((f"{name} {path}: is a folder; name a file in it"
                 for name, path in (("--out", chosen.out), ("--html", chosen.html)) if path and path.is_dir()), "")


def missing(chosen: argparse.Namespace, paths: Paths) -> str:
    """Which files are not there, with the way out; "" if none."""
    gone = [str(path) for path in (*(chosen.candles or []), *chosen.finer) if not path.exists()]
    if gone:
        return f"{', '.join(gone)}: there is no such file or folder"
    if not chosen.candles and not any(paths.market_data.glob("*.csv")):
        return (f"no candles lie in {paths.market_data}. Fetch some with: bot.py data download --top 50, or give files "
                "with --candles FILE")
    return ""


def results_of(chosen: argparse.Namespace, paths: Paths) -> None:
    """The scalper's trades and totals go to ``data/results.csv`` where no other file is named (B7)."""
    if chosen.strategy == "scalper" and chosen.out is None:
        chosen.out = paths.data / "results.csv"


def _run(chosen: argparse.Namespace, settings: "Chosen", paths: Paths) -> "Report":
    from modules.backtest.load import load, plain_symbol
    from modules.backtest.pipeline import backtest
    begin, end = span_of(chosen.since, chosen.until)
    counted: Counter[str] = Counter()
    started = time.perf_counter()
    only = frozenset(plain_symbol(symbol) for symbol in chosen.symbols)
    held = [between(load(chosen.candles or [paths.market_data], counted, only), begin, end),
            between(load(chosen.finer, counted, only), begin, end) if chosen.finer else []]
    read_s = time.perf_counter() - started
    return backtest(held[0], held[1], settings, counted, read_s, release=True)


def between(frames: "Sequence[Frame]", begin: int, end: int) -> "list[Frame]":
    """Only candles from `begin` to before `end`. Raises DataError when none is left."""
    from modules.backtest.frames import DataError
    cut = [frame.rows(slice(*frame.time.searchsorted((begin, end)))) for frame in frames]
    left = [frame for frame in cut if len(frame)]
    if not left:
        raise DataError("no candle lies between the days given")
    return left


def span_of(since: str | None, until: str | None) -> tuple[int, int]:
    """First and last ms (exclusive) of the days. Raises Wrong for no date, or an end before the start."""
    def day(text: str) -> int:
        try:
            return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
        except ValueError:
            raise Wrong(f"{text!r} is no date; write 2024-03-01") from None
    begin = day(since) if since else 0
    end = day(until) + 86_400_000 if until else 1 << 62
    if end <= begin:
        raise Wrong(f"the end {until} lies before the start {since}")
    return begin, end


def settings_of(strategy: str, changes: Sequence[str], settings: "Settings") -> "Chosen":
    """The bot's own settings with this run's changes. Raises Wrong naming every problem."""
    from modules.backtest.pipeline import Chosen
    made = groups_of((*STRATEGIES[strategy].groups, "backtest", "hype"), changes, settings)
    costs = made["backtest"]
    assert isinstance(costs, BacktestSettings)
    if costs.models != "off" and STRATEGIES[strategy].models is None:
        raise Wrong(f"no model judges the entries of {strategy}: leave backtest.models (--models) off")
    return Chosen(strategy, made)


def groups_of(names: Sequence[str], changes: Sequence[str], settings: "Settings") -> dict[str, BaseModel]:
    """The groups of settings of these names, with this run's changes. Raises Wrong naming every problem."""
    names = tuple(dict.fromkeys(names))
    groups: dict[str, BaseModel] = {name: getattr(settings, name) for name in names}
    values: dict[str, dict[str, Any]] = {name: model.model_dump() for name, model in groups.items()}
    for change in changes:
        group, name, text = _parsed(change, groups)
        old = values[group][name]
        values[group][name] = _listed(text) if isinstance(old, tuple) else text
    made: dict[str, BaseModel] = {}
    problems: list[str] = []
    for name, model in groups.items():
        try:
            made[name] = type(model).model_validate(values[name])
        except ValidationError as errors:
            problems += [f"{name}.{'.'.join(map(str, error['loc']))}: {wrong(error)}"
                         for error in errors.errors(include_url=False)]
    if problems:
        raise Wrong("\n".join(problems))
    return made


def _parsed(change: str, groups: dict[str, BaseModel]) -> tuple[str, str, str]:
    """(group, setting, value) of ``name=value`` or ``group.name=value``."""
    name, sign, text = change.partition("=")
    if not sign:
        raise Wrong(f"--set {change}: write name=value")
    group, dot, field = name.strip().partition(".")
    known = {f"{each}.{one}" for each, model in groups.items() for one in type(model).model_fields}
    found = [each for each in groups if f"{each}.{name.strip()}" in known] if not dot else [group]
    full = f"{found[0]}.{name.strip()}" if found and not dot else name.strip()
    if full not in known:
        near = difflib.get_close_matches(full if dot else f"hype.{full}", known, 3, 0.5)
        raise Wrong(f"--set {name}: there is no such setting." + (f" Near to it: {', '.join(near)}" if near else ""))
    group, _, field = full.partition(".")
    return group, field, text.strip()


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def write(chosen: argparse.Namespace, report: "Report") -> None:
    """Files and terminal. Raises OSError."""
    from modules.backtest.report import csv_text, json_object, short_text
    if chosen.out:
        write_atomic(chosen.out, csv_text(report).encode())
    if chosen.html:
        from modules.backtest.page import page
        write_atomic(chosen.html, page(report).encode())
    if chosen.json:
        told = json_object(report)
        if chosen.curve:
            from modules.backtest.curve import curve_object
            told["curve"] = curve_object(report, max(chosen.curve, 10))
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    noted = [f"  {count:,} × {what}" for what, count in sorted(report.counted.items())
             if count and not what.startswith(("candles: ", "suspects: "))]
    refused = ", ".join(f"{count} {code}" for code, count in report.refused.items())
    lines = [short_text(report), *(["Data:", *noted] if noted else []),
             *([f"Entries not bought: {refused}"] if refused else []),
             *(["Assumed:", *(f"  {text}" for text in report.waived)] if report.waived else []),
             "Seconds: " + ", ".join(f"{name} {value:.2f}" for name, value in report.seconds.items()),
             *(f"Written: {path}" for path in (chosen.out, chosen.html) if path)]
    sys.stdout.write("\n".join(lines) + "\n")


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
