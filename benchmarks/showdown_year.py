"""A year of candles of four intervals through all stages of system C (bar: 30 s).

    python -m benchmarks.showdown_year [--days 365] [--json]

A random market with trends, made from a seed: 1m candles, joined to 5m, 15m and 1h; the backtest's own `run`, with the
live stages and the live review. Tells instants, decisions, trades, CPU and wall seconds, and the machine's load.
"""

import argparse
import json
import os
import time

import numpy as np

from modules.backtest import showdown
from modules.strategies.showdown.records import Bars
from modules.strategies.showdown.settings import ShowdownSettings

START = 1_767_225_600_000


def market(days: int, seed: int = 3) -> Bars:
    """1m candles (n, 7) of a market that trends now and then."""
    draw = np.random.default_rng(seed)
    count = days * 1440
    drift = np.repeat(draw.choice((-1.0, 0.0, 1.0), count // 480 + 1), 480)[:count] * 0.00012
    close = 50_000 * np.exp(np.cumsum(draw.normal(drift, 0.0006)))
    first = np.concatenate(([50_000.0], close[:-1]))
    spread = np.abs(draw.normal(0, 0.0003, count)) * close
    volume = np.full(count, 10.0)
    return np.column_stack((START + 60_000.0 * np.arange(count), first, np.maximum(first, close) + spread,
                            np.minimum(first, close) - spread, close, volume, volume / 2))


def main() -> None:
    """Run it once and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    minutes = market(chosen.days)
    settlements = chosen.days * 3 + 3
    funding = np.column_stack((START + 28_800_000.0 * np.arange(-3, settlements - 3), np.full(settlements, 1e-5)))
    cpu, wall = time.process_time(), time.perf_counter()
    result = showdown.run(minutes, funding, ShowdownSettings(waive=("open_interest",)), 10_000.0)
    told = {"minutes": len(minutes), "instants": result.decided, "decisions": result.asked,
            "trades": len(result.trades), "cpu_s": round(time.process_time() - cpu, 1),
            "wall_s": round(time.perf_counter() - wall, 1), "load": [round(one, 1) for one in os.getloadavg()]}
    print(json.dumps(told) if chosen.json else "  ".join(f"{name} {value}" for name, value in told.items()))


if __name__ == "__main__":
    main()
