"""What is wrong with candles, counted for each symbol: gaps, duplicates, order, missing and impossible numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from modules.backtest import progress
from modules.backtest.frames import DataError, Frame, cleaned
from modules.backtest.load import Columns, files_of, tokens

SHOWN_GAPS = 5


@dataclass(frozen=True, slots=True)
class Checked:
    """One symbol of one file. `gaps`: the longest stretches without candles as (first missing ms, next ms), longest
    first; `missing`: how many candles all gaps lack. `unusable` rows a backtest leaves out.
    """

    file: str
    symbol: str
    rows: int
    interval_ms: int
    first_ms: int
    last_ms: int
    unsorted: int
    duplicates: int
    nan: int
    impossible: int
    zero_volume: int
    gap_count: int
    missing: int
    gaps: tuple[tuple[int, int], ...]
    problem: str = ""

    @property
    def unusable(self) -> int:
        """Rows that cannot be used; all of them where there is a problem with the whole."""
        return self.rows if self.problem else self.nan + self.impossible


def check(given: Sequence[Path], done: float = 0.0) -> list[Checked]:
    """Every symbol of every file, in the order of the files. `done`: the share of the run that lies before.

    Raises DataError where a file is not there, OSError.
    """
    found: list[Checked] = []
    paths = files_of(given)
    for number, path in enumerate(paths):
        progress.step(done + (1 - done) * number / len(paths), f"reading {path.name}")
        try:
            for symbol, columns in tokens(path):
                found.append(examine(path.name, symbol, columns))
        except DataError as problem:
            found.append(_whole(path.name, "", 0, str(problem)))
    return found


def examine(file: str, symbol: str, columns: Columns) -> Checked:
    """One token's rows as they stand in the file."""
    counted: Counter[str] = Counter()
    rows = len(columns["time"])
    try:
        frame = cleaned(symbol, columns, counted)
    except DataError as problem:
        return _whole(file, symbol, rows, str(problem))
    gaps = _gaps(frame)
    lacking = sum((end - begin) // frame.interval_ms for begin, end in gaps) if frame.interval_ms else 0
    return Checked(file, symbol, rows, frame.interval_ms, int(frame.time[0]), int(frame.time[-1]),
                   counted["unsorted rows"], counted["duplicate rows (the later one counts)"],
                   counted["rows with missing numbers (left out)"], counted["impossible candles (left out)"],
                   counted["candles without volume"], len(gaps), lacking,
                   tuple(sorted(gaps, key=lambda gap: gap[0] - gap[1])[:SHOWN_GAPS]))


def _whole(file: str, symbol: str, rows: int, problem: str) -> Checked:
    return Checked(file, symbol, rows, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (), problem)


def _gaps(frame: Frame) -> list[tuple[int, int]]:
    if not frame.interval_ms:
        return []
    at = np.flatnonzero(np.diff(frame.time) > frame.interval_ms)
    return [(int(frame.time[i]) + frame.interval_ms, int(frame.time[i + 1])) for i in at]


def good(found: Sequence[Checked]) -> bool:
    """Whether every row can be used."""
    return bool(found) and not any(one.unusable or one.problem for one in found)


def as_json(found: Sequence[Checked]) -> dict[str, Any]:
    """For a program."""
    return {"usable": good(found), "rows": sum(one.rows for one in found),
            "symbols": [{**asdict(one), "unusable": one.unusable} for one in found]}


def text(found: Sequence[Checked]) -> str:
    """For a person: the whole, then each symbol with something to tell."""
    rows = [line for one in found for line in _lines(one)]
    spans = [one for one in found if not one.problem]
    names = len({one.symbol for one in spans})
    if spans:
        span = f", {utc(min(one.first_ms for one in spans))} … {utc(max(one.last_ms for one in spans))}"
    else:
        span = ""
    counts = {"unsorted": sum(one.unsorted for one in found), "duplicates": sum(one.duplicates for one in found),
              "gaps": sum(one.gap_count for one in found), "without volume": sum(one.zero_volume for one in found)}
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing odd"
    unusable = sum(one.unusable for one in found)
    rows.append(f"{sum(one.rows for one in found):,} rows of {names} symbols{span}: {told}; "
                + (f"{unusable:,} rows CANNOT BE USED." if not good(found) else "every row can be used."))
    return "\n".join(rows)


def _lines(one: Checked) -> list[str]:
    if one.problem:
        return [f"{one.file}: {one.problem}"]
    parts = [(one.nan, "rows with missing numbers"), (one.impossible, "impossible candles"),
             (one.unsorted, "unsorted rows"), (one.duplicates, "duplicate rows"),
             (one.zero_volume, "candles without volume"), (one.gap_count, f"gaps ({one.missing:,} candles missing)")]
    told = ", ".join(f"{count:,} {name}" for count, name in parts if count)
    if not told:
        return []
    longest = [f"    no candles {utc(begin)} … {utc(end)} ({(end - begin) // one.interval_ms:,})"
               for begin, end in one.gaps]
    return [f"{one.symbol} ({one.file}, {one.rows:,} × {one.interval_ms // 1000} s): {told}", *longest]


def utc(ms: int) -> str:
    """2024-01-01 00:05"""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
