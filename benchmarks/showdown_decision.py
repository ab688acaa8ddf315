"""From the snapshot to the decision of system C (bar: 100 ms, here at p99), and from the database to its files.

    python -m benchmarks.showdown_decision [--decisions 500] [--json]

A venue in memory, a database of its own (SQLite), 300 candles of four intervals; a minute passes between two decisions,
and what is new is collected outside of the time. `stages_ms`: all stages over inputs that were read (what
`Desk.decide_ms` tells in life). `whole_ms`: reading the inputs from SQL, the stages, the record for replay, the files.
The first decision, which loads and compiles, is told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from modules.storage.decisions import DecisionLog
from modules.storage.sql.database import Database
from modules.storage.sql.insert import insert_rows
from modules.storage.sql.migrate import upgrade
from modules.storage.sql.settings import DatabaseSettings
from modules.storage.sql.tables import METADATA
from modules.strategies.showdown import replay
from modules.strategies.showdown.desk import Desk
from modules.strategies.showdown.files import RECORD, ShowdownFiles
from modules.strategies.showdown.settings import ShowdownSettings
from tests.strategies.showdown.market import SYMBOL
from tests.strategies.showdown.venue import MemoryVenue
from utils.paths import Paths

MINUTE_MS = 60_000
BAR_MS = 100.0
#: rows that the writer takes to SQL beside the decision, in life by a thread of its own
BESIDE = ("snapshots", "flows", "decisions")


def spread(values: list[float]) -> dict[str, float]:
    """Median, 99th percentile and longest, ms."""
    return {"median": round(float(np.median(values)), 2), "p99": round(float(np.percentile(values, 99)), 2),
            "longest": round(max(values), 2)}


async def measure(home: Path, decisions: int) -> dict[str, Any]:
    """Decide that often."""
    paths, venue = Paths(home).prepare(), MemoryVenue()
    database = Database.of(DatabaseSettings(), paths)
    upgrade(database)
    record = DecisionLog(paths.data / "decisions", RECORD, replay.head("benchmark"), disk_mb=50, keep_days=10,
                         file_mb=10)

    def put(table: str, rows: list[dict[str, Any]]) -> None:
        if table not in BESIDE:
            with database.begin() as connection:
                insert_rows(connection, METADATA.tables[table], rows)

    desk = Desk(venue, database, put, ShowdownFiles(paths, SYMBOL, True), ShowdownSettings(history_bars=300), record)
    stages, whole = [], []
    try:
        for _ in range(decisions + 1):
            await desk.collect()
            began = time.perf_counter()
            await desk.decide(venue.now)
            whole.append(1000 * (time.perf_counter() - began))
            stages.append(desk.decide_ms)
            venue.now += MINUTE_MS
    finally:
        await record.close()
        database.close()
    return {"decisions": decisions, "first_ms": round(whole[0], 2), "stages_ms": spread(stages[1:]),
            "whole_ms": spread(whole[1:]), "bar_ms": BAR_MS, "load": round(os.getloadavg()[0], 1)}


def main() -> int:
    """The command line; 1 where the bar is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coxswain-decision-") as folder:
        found = asyncio.run(measure(Path(folder), options.decisions))
    print(json.dumps(found, indent=None if options.json else 2))
    return 1 if found["stages_ms"]["p99"] > BAR_MS else 0


if __name__ == "__main__":
    sys.exit(main())
