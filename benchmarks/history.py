"""What an append to a history costs, at its tenth record and at its millionth (issue 2, P8).

    python -m benchmarks.history [--records 1000000] [--appends 300]

Prints one JSON object: microseconds of an append (median and 95th percentile), with the flush to disk and without,
and what reading the newest 100 records and the whole history takes.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from modules.storage.history import History

BATCH = 5000


class Sale(msgspec.Struct, frozen=True):
    """A record of the size of a trade."""

    id: str
    symbol: str
    side: str
    market_ms: int
    price: str
    quantity: str
    fee_usdt: str
    reason: str


def sale(number: int) -> Sale:
    """Record `number`."""
    return Sale(f"t{number:09d}", "PEPEUSDT", "SELL", 1_743_499_800_000 + number, "0.00001234", "4051863.8", "0.025",
                "TP1")


def append_us(log: History[Sale], first: int, count: int) -> dict[str, float]:
    """Microseconds of `count` appends."""
    times = []
    for number in range(first, first + count):
        began = time.perf_counter()
        log.append(sale(number))
        times.append((time.perf_counter() - began) * 1e6)
    return {"median_us": round(statistics.median(times), 1), "p95_us": round(sorted(times)[int(count * 0.95)], 1)}


def timed_ms(action: Callable[[], Any]) -> float:
    """Milliseconds of an action."""
    began = time.perf_counter()
    action()
    return round((time.perf_counter() - began) * 1e3, 1)


def measure(folder: Path, records: int, appends: int) -> dict[str, Any]:
    """Both lengths on the disk of `folder`."""
    small = History(folder / "small.json", Sale)
    small.extend(sale(number) for number in range(10))
    large = History(folder / "large.json", Sale)
    for start in range(0, records, BATCH):
        large.extend(sale(number) for number in range(start, min(start + BATCH, records)))
    report: dict[str, Any] = {"records": records, "segments": len(large.segments())}
    report["append_to_10"] = append_us(small, 10, appends)
    report["append_to_many"] = append_us(large, records, appends)
    real = os.fsync
    os.fsync = lambda fd: None
    try:
        report["append_to_10_without_flush"] = append_us(small, 10, appends)
        report["append_to_many_without_flush"] = append_us(large, records, appends)
    finally:
        os.fsync = real
    report["newest_100_ms"] = timed_ms(lambda: large.newest(100))
    report["read_all_ms"] = timed_ms(lambda: sum(1 for _ in large.records()))
    return report


def main() -> None:
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--appends", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), options.records, options.appends)))


if __name__ == "__main__":
    main()
