"""How many rows wait for the database, seen from outside: reads the spools' files, changes and locks nothing."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from utils.files import read_whole

COUNTED_BYTES = 8_000_000
_BLOCK = 1_000_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """`rows`: counted, beyond the first 8 MB reckoned from those; `damaged`, `refused`: whether such were set aside."""

    rows: int
    bytes: int
    damaged: bool
    refused: bool


def waiting(folder: Path) -> Waiting:
    """What one spool holds (``data/spool/SERVICE``); a spool that is being written is seen as it is just now."""
    segments = sorted(folder.glob("[0-9]*.spool"))
    try:
        done = msgspec.json.decode(read_whole(folder / "done.json"), type=tuple[int, int])
    except (OSError, msgspec.MsgspecError):
        done = (0, 0)
    total = counted = rows = 0
    for path in segments:
        number = int(path.stem)
        if number < done[0]:
            continue
        try:
            start = done[1] if number == done[0] else 0
            size = max(0, path.stat().st_size - start)
            if counted < COUNTED_BYTES:
                read, found = _lines(path, start, COUNTED_BYTES - counted)
                counted, rows = counted + read, rows + found
        except OSError:  # written away meanwhile
            continue
        total += size
    if counted and total > counted:
        rows = round(rows * total / counted)
    return Waiting(rows, total, (folder / "damaged.txt").exists(), (folder / "refused.jsonl").exists())


def _lines(path: Path, start: int, most: int) -> tuple[int, int]:
    """(bytes read, lines ended in them)."""
    read = rows = 0
    with open(path, "rb") as held:
        held.seek(start)
        while read < most and (block := held.read(min(_BLOCK, most - read))):
            read += len(block)
            rows += block.count(b"\n")
    return read, rows
