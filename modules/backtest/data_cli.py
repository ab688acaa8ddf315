"""``python bot.py data download|check|convert``: candles for backtests and training.

    bot.py data download PEPE BTC --since 2024-03-01 --until 2024-03-31    5m candles into data/market_data
    bot.py data download --top 50 --interval 1m --to minutes.parquet       continues where the file ends
    bot.py data download BTC --exchange mexc --interval 1h --days 90       into data/candles/mexc-1h
    bot.py data check data/market_data --json
    bot.py data convert pumps.parquet --to data/market_data

Exit codes: 0 done; 1 something could not be fetched, or rows cannot be used; 2 wrong arguments.
"""

import argparse
import asyncio
import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.backtest import progress
from modules.market import sets
from utils.figures import duration
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.backtest.data_download import Progress
    from modules.exchange.api import MarketData
    from modules.exchange.settings import ExchangeSettings

OK, FAILED, WRONG = 0, 1, 2
INTERVALS = tuple(sets.STEPS)
DAYS = 30
FETCHED = 0.95  # share of a download that is done before what came is checked


class Wrong(Exception):
    """Arguments that cannot be; the text says which and what would do."""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bot.py data", description="Download, check or convert candles.")
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    get = parts.add_parser("download", help="fetch candles from the exchange; continues where the files end")
    get.add_argument("symbols", nargs="*", metavar="SYMBOL", help="e.g. PEPEUSDT, PEPE/USDT or pepe")
    get.add_argument("--top", type=int, default=0, metavar="N", help="the N most traded tokens")
    get.add_argument("--interval", choices=INTERVALS, default="5m", help="length of a candle (default 5m)")
    get.add_argument("--exchange", choices=sets.EXCHANGES, help="whose candles (default: the setting EXCHANGE); no key "
                     "is needed, and none is sent to another than that")
    get.add_argument("--days", type=int, metavar="N", help=f"the last N days (default {DAYS})")
    get.add_argument("--since", metavar="DATE", help="first day, e.g. 2024-03-01 (UTC), instead of --days")
    get.add_argument("--until", metavar="DATE", help="last day, inclusive (default: now)")
    get.add_argument("--to", type=Path, metavar="FILE", help="one file (.csv, .parquet, .feather), or another folder "
                     "(default data/market_data for 5m of the exchange in use, else data/candles/EXCHANGE-INTERVAL)")
    get.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    get.add_argument("--progress", action="store_true", help="tell on stderr how far it is, for programs")
    check = parts.add_parser("check", help="count gaps, duplicates, unsorted, missing and impossible rows")
    check.add_argument("files", nargs="*", type=Path, metavar="FILE",
                       help="files or folders (default data/market_data)")
    check.add_argument("--set", metavar="NAME", dest="named", help="a set by its name, e.g. market_data or mexc-1h")
    check.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    check.add_argument("--progress", action="store_true", help="tell on stderr how far it is, for programs")
    turn = parts.add_parser("convert", help="write candles in another form, losslessly")
    turn.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV, Parquet, Feather, or folders of them")
    turn.add_argument("--to", type=Path, required=True, metavar="FILE",
                      help="one file, or a folder in the bot's own layout")
    turn.add_argument("--clean", action="store_true",
                      help="leave out unusable rows, sort, keep the later of duplicates; all of it is counted")
    turn.add_argument("--replace", action="store_true", help="write over what is there")
    return parser


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    chosen = arguments().parse_args(argv)
    from modules.backtest.frames import DataError
    from modules.exchange.types import Unavailable
    if getattr(chosen, "progress", False):
        progress.to_stderr()
    try:
        if chosen.part == "check":
            return _check(chosen, paths)
        if chosen.part == "convert":
            return _convert(chosen)
        return asyncio.run(_download(chosen, settings, paths))
    except Wrong as problem:
        _tell(str(problem))
        return WRONG
    except Unavailable as problem:
        _tell(f"The exchange gives no answer: {problem}")
    except (DataError, OSError) as problem:
        _tell(f"Not done: {problem}")
    except KeyboardInterrupt:
        _tell("Stopped. What was fetched is kept; the same command goes on from there.")
    return FAILED


def _check(chosen: argparse.Namespace, paths: Paths) -> int:
    from modules.backtest.data_check import as_json, check, good, text
    name = "" if chosen.files else chosen.named or sets.COLLECTED
    try:
        found = check(chosen.files or [sets.folder_of(paths, name)])
    except ValueError as problem:
        raise Wrong(str(problem)) from None
    _say(json.dumps({"set": name, **as_json(found)}) if chosen.json else text(found))
    return OK if good(found) else FAILED


def _convert(chosen: argparse.Namespace) -> int:
    from modules.backtest.data_check import examine
    from modules.backtest.data_files import Token, is_folder, write
    from modules.backtest.frames import cleaned
    from modules.backtest.load import NUMBERS, files_of, tokens
    target: Path = chosen.to
    counted: Counter[str] = Counter()
    unusable = 0
    found: list[Token] = []
    for path in files_of(chosen.files):
        for symbol, columns in tokens(path):
            if chosen.clean:
                frame = cleaned(symbol, columns, counted)
                columns = {"time": frame.time, **{name: getattr(frame, name) for name in NUMBERS}}
            else:
                unusable += examine(path.name, symbol, columns).unusable
            found.append((symbol, columns))
    names = [symbol for symbol, _ in found]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise Wrong(f"{', '.join(twice[:5])}: comes in more than one file; give each token once.")
    there = [path for name in names if (path := target / f"{name}.csv").exists()] if is_folder(target) else (
        [target] if target.exists() else [])
    if there and not chosen.replace:
        raise Wrong(f"{there[0]} exists already; nothing was written. Give another name, or --replace.")
    for path in there:
        path.unlink()
    count = write(target, found)
    kept = ", ".join(f"{number:,} × {what}" for what, number in sorted(counted.items()) if number)
    _say(f"{count:,} rows of {len(found)} symbols written to {target}." + (f" Counted: {kept}." if kept else ""))
    if unusable:
        _tell(f"{unusable:,} of these rows cannot be used (missing or impossible numbers) and were written as they "
              "stand; --clean leaves them out, data check counts them.")
    return OK


async def _download(chosen: argparse.Namespace, settings: "Settings", paths: Paths) -> int:
    from modules.backtest.data_files import is_folder
    from modules.exchange.gateway import open_market
    from modules.exchange.lanes import Lane
    exchange = _exchange(chosen.exchange, settings.exchange)
    name = "" if chosen.to else sets.set_name(exchange.name, chosen.interval, settings.exchange.name)
    target: Path = chosen.to or sets.folder_of(paths, name)
    if not chosen.symbols and chosen.top < 1:
        raise Wrong("name the tokens, or say --top N for the N most traded")
    span_of(chosen.since, chosen.until, 1 << 60, chosen.days)
    folder = target if is_folder(target) else target.with_name("." + target.name.replace(".", "-") + "-parts")
    progress.step(0.0, "asking the exchange")
    market = await open_market(exchange, paths, lane=Lane.DATA)
    try:
        since, until = span_of(chosen.since, chosen.until, market.clock.now_ms(), chosen.days)
        symbols = await _symbols(market, chosen.symbols, chosen.top)
        if folder != target:
            _unpack(target, folder)
        told = {"set": name, "exchange": exchange.name, "interval": chosen.interval, "since_ms": since,
                "until_ms": until, **await _fetch(market, symbols, chosen, (since, until), folder)}
    finally:
        await market.close()
    found = await asyncio.to_thread(_put_together, target, folder, symbols)
    _say(json.dumps({**told, **found}) if chosen.json else _summary(target, told, found))
    return FAILED if told["failed"] else OK


def _exchange(name: str | None, own: "ExchangeSettings") -> "ExchangeSettings":
    """Settings of the exchange that is meant; another one than the program's gets neither its address nor its key."""
    if not name or name == own.name:
        return own
    return type(own)(name=name, proxy=own.proxy, ca_file=own.ca_file, timeout_s=own.timeout_s)


async def _fetch(market: "MarketData", symbols: Sequence[str], chosen: argparse.Namespace, span: tuple[int, int],
                 folder: Path) -> dict[str, Any]:
    """Download with progress; which symbols there are now, how many candles are new, and which failed why."""
    from modules.backtest.data_download import Wanted, download
    failed: dict[str, str] = {}
    added = 0
    terminal = sys.stderr.isatty()
    async for step in download(market, symbols, Wanted(chosen.interval, *span), folder):
        last = step.last
        if last.done:
            added += last.added
            failed |= {last.name: last.problem} if last.problem else {}
        if chosen.progress:
            progress.step(step.share * FETCHED, f"{step.done} of {step.of} tokens, {last.name}")
        elif last.done:
            _tell(("\r\x1b[K" if terminal else "") + _line(step))
        elif terminal:
            sys.stderr.write("\r\x1b[K" + _line(step))
            sys.stderr.flush()
    return {"asked": len(symbols), "added": added, "failed": failed}


def _line(step: "Progress") -> str:
    last = step.last
    what = last.problem or f"{last.added:,} new, {last.stored:,} stored"
    left = "" if step.eta_s is None or step.done == step.of else f", about {duration(step.eta_s)} left"
    return f"{step.done}/{step.of} {step.share * 100:3.0f} % {last.name}: {what}{left}"


async def _symbols(market: "MarketData", given: Sequence[str], top: int) -> list[str]:
    """The symbols that are meant. Raises Wrong for one that does not exist."""
    from modules.market import universe
    markets = await market.markets()
    found: list[str] = []
    for text in given:
        symbol, near = universe.resolve(text, markets.keys())
        if symbol is None:
            raise Wrong(f"{text}: no such symbol on the exchange." + (f" Near: {', '.join(near)}." if near else ""))
        found.append(symbol)
    if top > 0:
        found += universe.by_volume(universe.tradable(markets), await market.tickers())[:top]
    return list(dict.fromkeys(found))


def _unpack(target: Path, folder: Path) -> None:
    """What a file holds already becomes the parts that are continued; parts of a cut run win."""
    from modules.backtest.data_files import write
    from modules.backtest.load import tokens
    if target.exists():
        write(folder, [(name, columns) for name, columns in tokens(target) if not (folder / f"{name}.csv").exists()])


def _put_together(target: Path, folder: Path, symbols: Sequence[str]) -> dict[str, Any]:
    """Make the one file where one is wanted, and check what was fetched."""
    from modules.backtest.data_check import as_json, check
    from modules.backtest.data_files import columns_of, write
    from modules.market import candles
    if folder != target:
        parts = sorted(folder.glob("*.csv"))
        found = [(path.stem, columns_of(rows)) for path in parts if len(rows := candles.read(path))]
        if found:
            write(target, found)
        shutil.rmtree(folder, ignore_errors=True)
    there = [target] if folder != target else [candles.candle_path(folder, name) for name in symbols]
    return as_json(check([path for path in there if path.exists()], FETCHED))


def _summary(target: Path, told: dict[str, Any], found: dict[str, Any]) -> str:
    holes, failed = sum(one["gap_count"] for one in found["symbols"]), list(told["failed"])
    return (f"{told['asked'] - len(failed)} of {told['asked']} symbols are in {target}"
            + (f"; {holes} gaps, which stay gaps (data check tells where)" if holes else "")
            + (f"; {len(failed)} failed ({', '.join(failed[:5])}): run it again to fetch them" if failed else ""))


def span_of(since: str | None, until: str | None, now_ms: int, days: int | None = None) -> tuple[int, int]:
    """First and last ms (exclusive). Raises Wrong."""
    from modules.backtest import cli
    if days is not None and (days < 1 or since):
        raise Wrong(f"--days is {days}; it must be 1 or more" if days < 1 else "give --days or --since, not both")
    try:
        begin, end = cli.span_of(since, until)
    except cli.Wrong as problem:
        raise Wrong(str(problem)) from None
    end = min(end, now_ms)
    begin = begin if since else max(end - (days or DAYS) * 86_400_000, 0)
    if begin >= end:
        raise Wrong(f"the first day {since} has not come yet")
    return begin, end


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
