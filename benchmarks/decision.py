"""From the decision to sell to the request leaving the process, with the intent on disk in between (X1, issue 3).

    python -m benchmarks.decision [--orders 500] [--folder DIR] [--history 500] [--json]

A desk on a venue in memory: a price under the stop is given to the rules, the exit passes its checklist, its intent is
written and flushed to disk, and the account is asked to place it; the clock stops there. `history` intents lie in the
journal before. `fsync` is what the disk alone takes for the same line, measured in the same folder between the orders.
The bar: at most 5 ms at the 99th percentile.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from modules.exchange.types import Mode, OrderRequest
from modules.execution.ledger import Ledger
from modules.strategies.hype.desk import Desk
from modules.strategies.hype.desk_exit import decide
from modules.strategies.hype.records import Position
from tests.hype.tracker_house import House

BAR_MS = 5.0
LINE_BYTES = 700
STOP = {"AAAUSDT": Decimal("0.9")}


async def one(house: House, desk: Desk, position: Position, leaving: list[float]) -> float:
    """Milliseconds of one order, from the decision on."""
    house.account.coins["AAA"] = position.quantity
    desk.put(position)
    began = time.perf_counter()
    decide(desk, house.venue.listed, STOP, house.venue.clock.ms)
    await asyncio.wait(list(desk.busy.values()))
    if "AAAUSDT" in desk.positions:
        raise SystemExit("an exit did not get through: the benchmark measures nothing")
    return (leaving.pop() - began) * 1000


def flush_alone(path: Path) -> float:
    """Milliseconds of appending and flushing a line of the journal's size."""
    began = time.perf_counter()
    with open(path, "ab") as out:
        out.write(b"x" * LINE_BYTES + b"\n")
        out.flush()
        os.fsync(out.fileno())
    return (time.perf_counter() - began) * 1000


async def measure(folder: Path, orders: int, history: int) -> dict[str, Any]:
    """The whole benchmark in an empty folder."""
    house = House(folder)
    house.venue.add("AAAUSDT")
    position = await house.bought()
    desk = house.tracker.desks[Mode.TEST]
    leaving: list[float] = []

    def leaves(request: OrderRequest) -> None:
        leaving.append(time.perf_counter())

    house.account.on_place = leaves
    times: list[float] = []
    disk: list[float] = []
    for number in range(history + orders):
        house.venue.clock.pass_s(60)
        own = msgspec.structs.replace(position, id=f"{position.id[:20]}{number}", applied=())
        desk.books.ledger = Ledger("spot", "TEST")  # these coins came from nowhere: their fills are not known
        took = await one(house, desk, own, leaving)
        if number >= history:
            times.append(took)
            disk.append(flush_alone(folder / "alone"))
    return {"orders": orders, "journal_lines_before": len(house.tracker.journal.entries),
            **_figures("decision_to_request_ms", times), **_figures("fsync_ms", disk), "bar_ms": BAR_MS,
            "held": _percentile(times, 99) <= BAR_MS}


def _figures(name: str, values: list[float]) -> dict[str, float]:
    return {f"{name}_p50": round(statistics.median(values), 3), f"{name}_p99": round(_percentile(values, 99), 3),
            f"{name}_max": round(max(values), 3)}


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def main() -> int:
    """0 if the bar was held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "", allow_abbrev=False)
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--history", type=int, default=500, help="orders before the measured ones")
    parser.add_argument("--folder", type=Path, help="where to write; a folder on the disk to be measured")
    parser.add_argument("--json", action="store_true", help="print nothing but one JSON object")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        found = asyncio.run(measure(Path(folder), asked.orders, asked.history))
    print(json.dumps(found) if asked.json else json.dumps(found, indent=1))
    return 0 if found["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
