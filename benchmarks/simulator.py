"""What the simulated exchange costs: CPU share, memory, start-up and request latency.

    python -m benchmarks.simulator [--seconds 20] [--json]

Starts the simulator as a process of its own, twice: 300 tokens at speed 120 and 2,500 at speed 20, each polled
like a bot does (all tickers twice a second, candles of one pair ten times a second, a book twice a second).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import psutil

ROOT = Path(__file__).resolve().parent.parent
CASES = (("300 tokens, speed 120", 300, 120.0), ("2500 tokens, speed 20", 2500, 20.0))


async def _poll(base: str, path: str, every_s: float, until: float, spent: list[float]) -> None:
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < until:
            began = time.perf_counter()
            async with session.get(base + path) as answer:
                await answer.read()
                assert answer.status == 200, (path, answer.status)
            took = time.perf_counter() - began
            spent.append(took * 1000)
            await asyncio.sleep(max(0.0, every_s - took))


async def _case(name: str, tokens: int, speed: float, seconds: float) -> dict[str, object]:
    began = time.perf_counter()
    command = [sys.executable, "-m", "modules.simulator.cli", "--port", "0", "--tokens", str(tokens),
               "--speed", str(speed)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        assert child.stdout is not None
        line = await asyncio.to_thread(child.stdout.readline)
        start_s = time.perf_counter() - began
        base = line.split(" on ")[1].split(" ")[0]
        process = psutil.Process(child.pid)
        used = process.cpu_times()
        spent: dict[str, list[float]] = {"tickers": [], "klines": [], "depth": []}
        until, clock = time.monotonic() + seconds, time.perf_counter()
        await asyncio.gather(
            _poll(base, "/api/v3/ticker/24hr", 0.5, until, spent["tickers"]),
            _poll(base, "/api/v3/klines?symbol=ETHUSDT&interval=5m&limit=500", 0.1, until, spent["klines"]),
            _poll(base, "/api/v3/depth?symbol=BTCUSDT&limit=50", 0.5, until, spent["depth"]))
        wall = time.perf_counter() - clock
        after = process.cpu_times()
        busy = (after.user + after.system - used.user - used.system) / wall
        return {
            "case": name, "start_s": round(start_s, 2), "cpu_share": round(busy, 3),
            "rss_mb": round(process.memory_info().rss / 1e6, 1),
            **{f"{k}_ms_median": round(statistics.median(v), 2) for k, v in spent.items()},
            **{f"{k}_ms_p99": round(sorted(v)[int(len(v) * 0.99) - 1], 2) for k, v in spent.items()},
        }
    finally:
        child.terminate()
        child.wait(20)


def main() -> None:
    """Run both cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [asyncio.run(_case(*case, arguments.seconds)) for case in CASES]
    if arguments.json:
        print(json.dumps({"simulator": rows}))
        return
    for row in rows:
        print(row.pop("case"))
        for key, value in row.items():
            print(f"  {key:20} {value}")


if __name__ == "__main__":
    main()
