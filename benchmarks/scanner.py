"""What a scan costs: 2,500 tickers to suspects, and one candidate judged by both models.

    python -m benchmarks.scanner [--symbols 2500] [--repeat 200] [--json]

Limits (step 1): tickers to candidates at most 60 ms over ccxt's own parsing; one candidate of 500 candles through
features and both models at most 10 ms. Also measured: import time and resident memory of the scanner's process.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from modules.exchange.types import Candles, Market, Ticker
from modules.learning import datasets, features, jobs
from modules.learning.datasets import Bars
from modules.learning.predictor import Predictor
from modules.learning.settings import LearningSettings
from modules.strategies.hype import figures, rules
from modules.strategies.hype.board import MINUTE_MS, MarketBoard
from modules.strategies.hype.mood import Mood
from modules.strategies.hype.records import Strategy
from modules.strategies.hype.scanner import Scanner
from modules.strategies.hype.scanner_judge import judge
from modules.strategies.hype.settings import HypeSettings
from tests.hype.market_in_memory import Coin, MemoryMarket
from utils.paths import Paths

ROOT = Path(__file__).resolve().parent.parent
LIMITS_MS = {"scan_ms": 60.0, "judge_ms": 10.0}
NOW = 1_750_000_000_000 // MINUTE_MS * MINUTE_MS
IMPORT = """
import time; began = time.perf_counter()
import modules.strategies.hype.scanner_service
import psutil
print(time.perf_counter() - began, psutil.Process().memory_info().rss / 1e6)
"""


def tickers(count: int, rng: np.random.Generator) -> dict[str, Ticker]:
    """A market in which about two in a hundred show hype over 24 h."""
    prices, changes = 10.0 ** rng.uniform(-7, 2, count), rng.normal(0, 6.5, count)
    volumes = 10.0 ** rng.normal(5.5, 0.8, count)
    return {
        f"T{i:04d}USDT": Ticker(f"T{i:04d}USDT", p, p * 0.999, p * 1.001, v, c)
        for i, (p, v, c) in enumerate(zip(prices.tolist(), volumes.tolist(), changes.tolist(), strict=True))
    }


def timed(work: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Median and 95th percentile of `repeat` runs, ms."""
    spent = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        spent.append((time.perf_counter() - began) * 1000)
    return float(np.median(spent)), float(np.percentile(spent, 95))


def screening(symbols: int, repeat: int) -> tuple[float, float]:
    """Tickers → board → screen → ranking, as arrays."""
    rng = np.random.default_rng(1)
    board, settings = MarketBoard(), HypeSettings()
    board.set_markets({s: _market(s) for s in tickers(symbols, rng)})
    for minute in range(70):
        board.push(tickers(symbols, rng), NOW + minute * MINUTE_MS)
    now = tickers(symbols, rng)
    at = rules.bars(settings, Mood.NORMAL)

    def work() -> None:
        seen = board.push(now, NOW + 70 * MINUTE_MS)
        rules.screen(seen, at)
        rules.strength(seen, at)

    return timed(work, repeat)


async def whole_scan(symbols: int, repeat: int) -> tuple[float, float]:
    """A whole scan with its bookkeeping and report, on a venue in memory without suspects (no requests)."""
    rng = np.random.default_rng(2)
    flat = np.clip(rng.normal(0, 3, symbols), -10, 10)
    coins = {f"T{i:04d}USDT": Coin(growth_24h=float(change)) for i, change in enumerate(flat)}
    market = MemoryMarket({"BTCUSDT": Coin(price=60_000.0), **coins})
    with tempfile.TemporaryDirectory() as home:
        paths = Paths(Path(home)).prepare()
        scanner = Scanner(market, Predictor(paths.models), HypeSettings(), paths)
        await scanner.set_markets(refresh=False)
        ready = await market.tickers()

        async def prepared() -> dict[str, Ticker]:
            return ready

        market.tickers = prepared  # type: ignore[method-assign]
        spent = []
        for _ in range(repeat):
            market.hand.ms += 30_000
            began = time.perf_counter()
            await scanner.scan()
            scanner.view.write(time.monotonic())
            spent.append((time.perf_counter() - began) * 1000)
    return float(np.median(spent)), float(np.percentile(spent, 95))


def judging(repeat: int) -> tuple[float, float]:
    """500 candles → figures → features → feedback model → token model; models of the trainer's real size."""
    candles, hours = _walk(6000, 300_000), _walk(168, 3_600_000)
    with tempfile.TemporaryDirectory() as home:
        folder, bars = Path(home), Bars(0.5, 1.0, 1.0)
        recipe = jobs.recipe(folder, LearningSettings(min_rows=100), bars)
        end = int(candles[-1, 0]) + 600_000
        past = datasets.past_rows(candles, candles, recipe.rule, bars, ())
        jobs.run(jobs.TokenJob(recipe, "PEPEUSDT", jobs.pack(candles), end))
        jobs.run(jobs.FeedbackJob(recipe, jobs.pack(past), [], end))
        models, settings, last = Predictor(folder), HypeSettings(), candles[-500:]
        assert not hasattr(models.card("feedback"), "wanted"), "the feedback model was not made"
        assert not hasattr(models.card("PEPEUSDT"), "wanted"), "the token's model was not made"

        def work() -> None:
            figures.measure(last, hours, 1.0, 1e6, 9.0, 1.0, 6.0, 0.1, 1000.0)
            row = features.compute(last)[-1].tolist()
            context = features.context_row({"btc_1h_pct": 0.1})
            judge(models, "PEPEUSDT", Strategy.AGGRESSIVE, row, context, settings)

        return timed(work, repeat)


def _market(symbol: str) -> Market:
    from decimal import Decimal

    one = Decimal(1)
    return Market(symbol, symbol[:-4], "USDT", one, one, one, one, one)


def _walk(count: int, step: int) -> Candles:
    rng = np.random.default_rng(3)
    close = np.exp(np.cumsum(rng.normal(0, 0.006, count)))
    before = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(before, close) * 1.002, np.minimum(before, close) * 0.998
    return np.column_stack((NOW + np.arange(count) * step, before, high, low, close, rng.lognormal(6, 1, count)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=2500)
    parser.add_argument("--repeat", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    loaded = subprocess.run([sys.executable, "-c", IMPORT], cwd=ROOT, capture_output=True, text=True, check=True)
    import_s, rss_mb = map(float, loaded.stdout.split())
    screen, scan, verdict = (screening(asked.symbols, asked.repeat),
                             asyncio.run(whole_scan(asked.symbols, asked.repeat)), judging(asked.repeat))
    found = {"symbols": asked.symbols, "screen_ms": screen[0], "screen_p95_ms": screen[1], "scan_ms": scan[0],
             "scan_p95_ms": scan[1], "judge_ms": verdict[0], "judge_p95_ms": verdict[1], "import_s": import_s,
             "rss_mb": rss_mb}
    found = {name: round(value, 3) for name, value in found.items()}
    slow = [f"{name} {found[name]} over {limit}" for name, limit in LIMITS_MS.items() if found[name] > limit]
    if asked.json:
        print(json.dumps(found))
    else:
        print(*(f"{name:>14} {value:10}" for name, value in found.items()), *slow, sep="\n")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
