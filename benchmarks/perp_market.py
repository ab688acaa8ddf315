"""What the perpetual venue's market costs: milliseconds for each 100 ms slice, with and without somebody listening.

    python -m benchmarks.perp_market [--slices 600] [--json]

One process, one core: no sockets (they are `perp_sockets.py`'s), every listener call made.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import tracemalloc
from decimal import Decimal

from modules.simulator.perp.api import Account, Kind, Levels, Listener, NewOrder, Print, Side
from modules.simulator.perp.venue import PerpVenue

CONTRACTS = (30, 100, 200)
START_MS = 1_760_000_000_000


class Count(Listener):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.diffs = self.levels = self.prints = self.touches = 0

    def depth(
        self, index: int, ms: int, bids: Levels, asks: Levels, first_id: int, last_id: int, prev_last_id: int
    ) -> None:
        self.diffs += 1
        self.levels += len(bids) + len(asks)

    def book_ticker(
        self, index: int, ms: int, update_id: int, bid: int, bid_qty: int, ask: int, ask_qty: int
    ) -> None:
        self.touches += 1

    def trade(self, index: int, one: Print) -> None:
        self.prints += 1


def run(contracts: int, slices: int) -> dict[str, float]:
    """One venue for a while; a user with a position and resting orders in five contracts is part of it."""
    clock = [START_MS]
    account = Account("trader", "key", "secret")
    began = time.perf_counter()
    venue = PerpVenue(contracts, 1, lambda: clock[0], [account], start_usdt=Decimal(1_000_000))
    born = time.perf_counter() - began
    heard = Count()
    venue.listeners.append(heard)
    for index in range(5):
        spec = venue.specs[index]
        qty = spec.qty(max(1, int(2000 / float(spec.price(venue.touch(index)[0])) / float(spec.step))))
        venue.place(account, NewOrder(spec.symbol, Side.BUY, Kind.MARKET, qty))
        venue.place(account, NewOrder(spec.symbol, Side.SELL, Kind.LIMIT, qty, spec.price(venue.touch(index)[2] + 50)))
    spent: list[float] = []
    for _ in range(slices):
        clock[0] += 100
        start = time.perf_counter()
        venue.step()
        spent.append((time.perf_counter() - start) * 1000)
    order = sorted(spent)
    began = time.perf_counter()
    for _ in range(50):
        venue.depth(0, 1000)
    snapshot = (time.perf_counter() - began) * 1000 / 50
    return {
        "contracts": contracts, "start_s": round(born, 3), "ms_per_slice": round(statistics.mean(spent), 3),
        "p50_ms": round(order[len(order) // 2], 3), "p99_ms": round(order[int(len(order) * 0.99)], 3),
        "core_share_at_speed_1": round(statistics.mean(spent) / 100, 4), "levels_per_slice": heard.levels / slices,
        "diffs_per_slice": heard.diffs / slices, "prints_per_slice": heard.prints / slices,
        "touches_per_slice": heard.touches / slices, "snapshot_1000_ms": round(snapshot, 3)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=600)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for contracts in CONTRACTS:
        row = run(contracts, options.slices)
        tracemalloc.start()
        run(contracts, 20)
        row["peak_mb"] = round(tracemalloc.get_traced_memory()[1] / 1e6, 1)
        tracemalloc.stop()
        rows.append(row)
    if options.json:
        print(json.dumps({"cases": rows}))
        return
    for row in rows:
        print(" · ".join(f"{name} {value:g}" for name, value in row.items()))


if __name__ == "__main__":
    main()
