"""The scalper's cost: a message's features and signal over the book, and the way from a message to the order's request.

    python -m benchmarks.scalper                       synthetic messages of 24 changes, compiled
    python -m benchmarks.scalper latency               message → order sent while 100 contracts change each 100 ms
    python -m benchmarks.scalper latency --symbols 0   the same without that load

Per message: `copy` + `take_in` as `Eye.look` calls them, timed one by one; the book itself (docs/FEED.md) comes on top.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


SLOTS = 1024  # trades of a ring


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Memory:
    """A book and a ring as the feed keeps them, changed as its writer would."""

    def __init__(self, seed: int = 1, book: Any = None, ring: Any = None) -> None:
        """`book` and `ring`: memory of another's, e.g. shared."""
        import numpy as np

        from modules.exchange.orderbook import layout as at
        from modules.exchange.orderbook import ring as rg
        self.np, self.at, self.rg = np, at, rg
        self.dice = np.random.default_rng(seed)
        self.book = np.zeros(at.words(2048), np.int64) if book is None else book
        self.ring = np.zeros(rg.words(SLOTS), np.int64) if ring is None else ring
        self.book[at.CAPACITY], self.book[at.PRICE_SCALE], self.book[at.QTY_SCALE] = 2048, 1, 3
        self.book[at.BID_EDGE] = self.book[at.ASK_EDGE] = at.EVERYTHING
        self.ring[rg.SIZE] = SLOTS
        self.mid, self.ms, self.trade = 600_000, 1_770_000_000_000, 0

    def message(self, trades: int) -> None:
        """One depth message, and some trades before it."""
        at, rg, dice = self.at, self.rg, self.dice
        self.ms += 100
        for _ in range(trades):
            place = rg.RING_HEADER + self.trade % SLOTS * rg.SLOT
            self.trade += 1
            self.ring[place:place + rg.SLOT] = (self.trade, self.ms, self.mid, dice.integers(1, 3000),
                                                dice.integers(0, 2), time.monotonic_ns())
            self.ring[rg.WRITTEN] = self.trade
        self.mid += int(dice.integers(-3, 4))
        self.book[at.SEQ] += 1
        for side, start in ((0, self.mid), (1, -self.mid - 1)):
            low = at.HEADER + 2 * side * 2048
            self.book[low:low + 500] = start - 499 + self.np.arange(500)
            self.book[low + 2048:low + 2548] = dice.integers(1, 5000, 500)
            self.book[at.BIDS + side] = 500
        self.book[at.EVENT_MS], self.book[at.LOCAL_NS] = self.ms, time.monotonic_ns()
        self.book[at.SEQ] += 1


def looks(count: int, trades: int) -> dict[str, float]:
    """µs of one look, everything of `Eye.look` included."""
    from modules.strategies.scalper.eye import Eye
    from modules.strategies.scalper.settings import ScalperSettings
    memory, eye = Memory(), Eye("BTCUSDT", ScalperSettings())
    memory.message(1)
    eye._words = (memory.book, memory.ring)
    eye._scales()
    eye.desk.context[:4] = (0.1, -0.2, 0.3, 12.0)
    took: list[float] = []
    spent: list[float] = []  # of this thread's own time on a processor: neighbours do not count
    codes: dict[str, int] = {}
    for _ in range(count + 200):
        memory.message(trades)
        assert eye.news()
        busy, begin = time.thread_time_ns(), time.perf_counter_ns()
        code = eye.look()
        spent.append((time.thread_time_ns() - busy) / 1000)
        took.append((time.perf_counter_ns() - begin) / 1000)
        codes[code.name] = codes.get(code.name, 0) + 1
    took, spent = took[200:], spent[200:]
    print("  codes:", ", ".join(f"{name} {many}" for name, many in codes.items()))
    shares = {f"p{share}": percentile(took, share / 100) for share in (50, 90, 99)}
    return {"mean of own time": sum(spent) / len(spent), **shares}


def main() -> None:
    """Print figures."""
    parser = argparse.ArgumentParser(description="What the scalper costs.")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("part", nargs="?", choices=("looks", "latency"), default="looks")
    parser.add_argument("--orders", type=int, default=200, help="latency: how many")
    parser.add_argument("--symbols", type=int, default=100, help="latency: contracts that change")
    parser.add_argument("--every-ms", type=float, default=100.0, help="latency: how often each of them changes")
    parser.add_argument("--plain", action="store_true", help="without compiled rules")
    chosen = parser.parse_args()
    if not chosen.plain:
        os.environ["COXSWAIN_COMPILED"] = "1"
    print(f"load {os.getloadavg()[0]:.1f}")
    if chosen.part == "latency":
        from benchmarks.scalper_latency import measure
        measure(chosen.orders, chosen.symbols, chosen.every_ms)
        return
    for trades in (0, 1, 10):
        told = looks(chosen.messages, trades)
        print(f"look with {trades} trades: " + ", ".join(f"{name} {value:.1f} µs" for name, value in told.items()))


if __name__ == "__main__":
    main()
