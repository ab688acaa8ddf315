"""A process that writes state without a pause, as the tracker does: first the position, then the trade, then a row."""

import sys
from pathlib import Path

import msgspec

from modules.storage.csv_table import CsvTable
from modules.storage.history import History
from modules.storage.json_state import JsonFile
from utils.files import locked, write_atomic
from utils.paths import Paths


class Count(msgspec.Struct, frozen=True):
    n: int


def state(paths: Paths) -> JsonFile[Count]:
    return JsonFile(paths.data / "tracked_tokens.json", Count, lambda: Count(0))


def trades(paths: Paths) -> History[Count]:
    return History(paths.data / "trade_history.json", Count, segment_bytes=400)


def rows(paths: Paths) -> CsvTable:
    return CsvTable(paths.data / "candidate_tokens.csv", ("n", "text"))


def write_model(paths: Paths, n: int) -> None:
    """Three files that belong together, under the lock of the model's name."""
    with locked(paths.models / "PEPEUSDT"):
        for part in ("model", "scaler", "features"):
            write_atomic(paths.models / f"PEPEUSDT_{part}.pkl", str(n).encode(), durable=False)


def main(home: str) -> None:
    paths = Paths(Path(home)).prepare()
    n = state(paths).load().n
    while True:
        n += 1
        state(paths).save(Count(n))
        trades(paths).append(Count(n))
        rows(paths).append([{"n": n, "text": 'a "quoted", text'}])
        write_model(paths, n)


if __name__ == "__main__":
    main(sys.argv[1])
