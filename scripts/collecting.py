"""Collecting candles by hand: all symbols (``collect_all_data``), or one that is then trained (``collect_and_save``).

Both continue where the files end, so they can be stopped with Ctrl-C and started again. Exit codes: 0 done,
1 something could not be fetched, 2 wrong arguments or settings.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from config.settings import Settings, SettingsError, load_settings
from modules.exchange.api import MarketData
from modules.exchange.gateway import open_market
from modules.exchange.types import Unavailable
from modules.market import collector, universe
from modules.strategies.hype.files import LearningFiles
from modules.supervision.messages import Inbox
from utils.paths import Paths, default_paths

DEFAULT_COUNT = 3000
Job = Callable[[MarketData, Paths, argparse.Namespace], Coroutine[Any, Any, int]]


def collect_all_data(argv: list[str]) -> int:
    """Candles of every tradable symbol, most traded first."""
    parser = _parser("collect_all_data", "Fetch 5-minute candles of all tradable symbols into data/market_data.")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only the N most traded (default: all)")
    return _run(parser, argv, _all)


def collect_and_save(argv: list[str]) -> int:
    """Candles of one symbol, which is then put into pending_training.json."""
    parser = _parser("collect_and_save", "Fetch one symbol's 5-minute candles and have a model trained of it.")
    parser.add_argument("symbol", help="e.g. PEPEUSDT, PEPE/USDT or pepe")
    return _run(parser, argv, _one)


async def _all(market: MarketData, paths: Paths, asked: argparse.Namespace) -> int:
    tickers = await market.tickers()
    symbols = universe.by_volume(universe.tradable(await market.markets()), tickers)
    if asked.limit:
        symbols = symbols[: asked.limit]
    failed = added = 0
    async for step in collector.collect_all(market, symbols, paths.market_data, asked.candles, (Unavailable, OSError)):
        failed += bool(step.last.problem)
        added += step.last.added
        rest = "" if step.eta_s is None else f", about {step.eta_s:.0f} s left"
        print(f"{step.done}/{step.of} {_line(step.last)}{rest}", flush=True)
    print(f"{len(symbols) - failed} symbols collected, {added} new candles in {paths.market_data}"
          + (f"; {failed} failed, run it again to fetch them" if failed else ""))
    return 1 if failed else 0


async def _one(market: MarketData, paths: Paths, asked: argparse.Namespace) -> int:
    symbol, near = universe.resolve(asked.symbol, set(await market.markets()))
    if symbol is None:
        hint = f" Near: {', '.join(near)}." if near else ""
        print(f"{asked.symbol}: no such symbol on the exchange.{hint}", file=sys.stderr)
        return 2
    print(_line(await collector.collect(market, symbol, paths.market_data, asked.candles)))
    LearningFiles(paths).pending.update(lambda waiting: {**waiting, symbol: "collected by hand"})
    Inbox(paths.inbox, "trainer").post("token", {"symbol": symbol}, "collect_and_save")
    print(f"{symbol} waits for training; a running trainer takes it now, else /starttrain or train_pending_models.")
    return 0


def _line(found: collector.Collected) -> str:
    if found.problem:
        return f"{found.symbol}: {found.problem}"
    gaps = f", {found.gaps} gaps" if found.gaps else ""
    return f"{found.symbol}: {found.added} new, {found.total} stored{gaps}"


def _parser(name: str, text: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description=text)
    parser.add_argument("--candles", type=int, default=DEFAULT_COUNT, metavar="N",
                        help="newest candles wanted of each symbol (default %(default)s, 10 days)")
    return parser


def _run(parser: argparse.ArgumentParser, argv: list[str], job: Job) -> int:
    asked = parser.parse_args(argv)
    if asked.candles < 1 or getattr(asked, "limit", 0) < 0:
        parser.error("--candles must be at least 1, --limit at least 0")
    paths = default_paths().prepare()
    try:
        settings = load_settings(paths)
    except SettingsError as problem:
        print(*problem.problems, sep="\n", file=sys.stderr)
        return 2
    try:
        return asyncio.run(_with_market(settings, paths, asked, job))
    except Unavailable as problem:
        print(f"The exchange gives no answer: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. What was fetched is kept; run it again to go on.", file=sys.stderr)
        return 1


async def _with_market(settings: Settings, paths: Paths, asked: argparse.Namespace, job: Job) -> int:
    market = await open_market(settings.exchange, paths)
    try:
        return await job(market, paths, asked)
    finally:
        await market.close()
