"""Candles on disk: ``data/market_data/SYMBOL.csv``, one file a symbol, 5-minute candles.

1. Columns ``time,open,high,low,close,volume``; time is the candle's open in UTC, ``2025-04-01T09:30:00Z`` (a file
   with milliseconds since the epoch is read too). Volume is in the base currency.
2. Rows ascend by time, each time stands once; a candle fetched again replaces the stored one.
3. Only closed candles are stored: one in progress would freeze half a volume for ever.
4. A merge rewrites the file beside it and renames it in, under the file's lock; a crash leaves the old file.
5. A gap stays a gap. `gaps` tells where; nothing is invented to fill them.
"""

import csv
import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from utils.files import locked, write_atomic
from utils.wall import stamp

Floats = npt.NDArray[np.float64]
COLUMNS = ("time", "open", "high", "low", "close", "volume")
INTERVAL_MS = 300_000


class CandleFileError(Exception):
    """A candle file that cannot be read; the text names the file, what is wrong and what to do."""


def candle_path(folder: Path, symbol: str) -> Path:
    """Where a symbol's candles lie."""
    return folder / f"{symbol}.csv"


def read(path: Path) -> Floats:
    """Stored candles, shape (n, 6), time in ms; empty where there is no file. Raises CandleFileError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return np.empty((0, 6))
    except (OSError, UnicodeDecodeError) as problem:
        raise CandleFileError(f"{path.name} cannot be read: {problem}. Remove it and collect it again.") from problem
    rows = list(csv.reader(io.StringIO(text)))
    if not rows or tuple(cell.strip().lower() for cell in rows[0]) != COLUMNS:
        found = ",".join(rows[0]) if rows else "nothing"
        raise CandleFileError(f"{path.name} begins with {found}; expected {','.join(COLUMNS)}. Remove it and collect "
                              "it again.")
    try:
        return _table(rows[1:])
    except ValueError as problem:
        raise CandleFileError(f"{path.name} holds a row that is no candle ({problem}). Remove it and collect it "
                              "again.") from problem


def merge(path: Path, fresh: Floats, now_ms: int, interval_ms: int = INTERVAL_MS) -> int:
    """Add closed candles to the file (rules 2–4); returns how many times are new.

    An unreadable file is set aside as ``NAME.damaged-STAMP`` and begun anew: candles can be fetched again.
    """
    closed = fresh[fresh[:, 0] + interval_ms <= now_ms]
    with locked(path):
        try:
            stored = read(path)
        except CandleFileError:
            os.replace(path, path.with_name(f"{path.name}.damaged-{stamp()}"))
            stored = np.empty((0, 6))
        merged = joined(stored, closed)
        if len(merged) != len(stored) or not np.array_equal(merged, stored):
            write_atomic(path, _text(merged))
    return len(merged) - len(stored)


def joined(stored: Floats, fresh: Floats) -> Floats:
    """Both as one ascending series; where a time stands in both, `fresh` wins."""
    both = np.concatenate((fresh, stored))
    _, first = np.unique(both[:, 0], return_index=True)  # the first occurrence: fresh before stored
    result: Floats = both[first]
    return result


def gaps(candles: Floats, interval_ms: int = INTERVAL_MS) -> list[tuple[int, int]]:
    """Missing stretches as (open time of the first missing candle, open time of the next stored one)."""
    times = candles[:, 0].astype(np.int64)
    at = np.flatnonzero(np.diff(times) > interval_ms)
    return [(int(times[i]) + interval_ms, int(times[i + 1])) for i in at]


def _table(rows: list[list[str]]) -> Floats:
    rows = [row for row in rows if row]
    if not rows:
        return np.empty((0, 6))
    out = np.empty((len(rows), 6))
    out[:, 0] = _times([row[0] for row in rows])
    out[:, 1:] = np.array([row[1:6] for row in rows], dtype=np.float64)
    if any(len(row) != len(COLUMNS) for row in rows):
        raise ValueError("a row has another number of cells")
    if not np.isfinite(out).all() or (np.diff(out[:, 0]) <= 0).any():
        raise ValueError("a number is missing, or the times do not ascend")
    return out


def _times(cells: list[str]) -> Floats:
    if cells[0].isdigit():
        return np.array(cells, dtype=np.float64)
    plain = np.array([cell.removesuffix("Z") for cell in cells], dtype="datetime64[ms]")
    if np.isnat(plain).any():
        raise ValueError("a time is missing")
    return plain.astype(np.int64).astype(np.float64)


def _text(candles: Floats) -> bytes:
    times = np.datetime_as_string(candles[:, 0].astype(np.int64).astype("datetime64[ms]"), unit="s")
    lines = [",".join(COLUMNS)]
    for time, row in zip(times.tolist(), candles[:, 1:].tolist(), strict=True):
        lines.append(f"{time}Z," + ",".join(map(repr, row)))
    return ("\n".join(lines) + "\n").encode("ascii")
