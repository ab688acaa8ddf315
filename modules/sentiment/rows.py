"""Rows of texts from CSV and JSONL files that others made, and back: nothing in them can stop the reading."""

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from utils.files import patiently

ADDED = ("score", "label", "confidence", "provider")
_JSONL = (".jsonl", ".ndjson", ".json")
_MOST_FIELD = 64 << 20  # characters of one CSV field: megabyte texts are texts
GIVEN = "_given"  # a column of the input that has the name of one of ours is kept as NAME_given
_REST = "_rest"  # cells beyond the header


class Wrong(Exception):
    """Arguments that cannot be; the text says which and what would do."""


@dataclass(slots=True)
class Shape:
    """What was odd about a file."""

    broken: int = 0  # lines that are no rows
    mended: int = 0  # rows with bytes that are no UTF-8


def read_rows(path: Path, column: str, shape: Shape) -> Iterator[tuple[dict[str, Any], float]]:
    """Each row with the share of the file that is read. UTF-8 (or UTF-16 with its mark), broken bytes become "�".

    Raises Wrong when no row has the column, OSError when the file cannot be read.
    """
    size = max(1, path.stat().st_size)
    with open(path, "rb") as raw:
        encoding = "utf-16" if raw.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        raw.seek(0)
        with open(path, encoding=encoding, errors="replace", newline="") as lines:
            kind = _json_rows if path.suffix.lower() in _JSONL else _csv_rows
            for row in kind(path, lines, column, shape):
                if any(isinstance(each, str) and "\ufffd" in each for each in row.values()):
                    shape.mended += 1
                yield row, min(1.0, _at(lines) / size)


def _at(lines: TextIO) -> int:
    return lines.buffer.tell()  # TextIO.tell refuses while iterating


def _csv_rows(path: Path, lines: TextIO, column: str, shape: Shape) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(_MOST_FIELD)
    reader = csv.reader(line.replace("\0", "") for line in lines)
    try:
        header = next(reader, None)
    except csv.Error as problem:
        raise Wrong(f"{path.name} is no CSV file: {problem}.") from problem
    if header is None:
        raise Wrong(f"{path.name} is empty; expected a first line with the names of the columns.")
    if column not in header:
        raise Wrong(f"{path.name} has no column {column!r}. It has: {', '.join(header[:30])}.")
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:  # a field beyond the limit
            shape.broken += 1
            continue
        if cells is None:
            return
        if cells:
            row: dict[str, Any] = {name: cells[at] if at < len(cells) else "" for at, name in enumerate(header)}
            if len(cells) > len(header):
                row[_REST] = json.dumps(cells[len(header):], ensure_ascii=False)
            yield row


def _json_rows(path: Path, lines: TextIO, column: str, shape: Shape) -> Iterator[dict[str, Any]]:
    found = seen = 0
    names: list[str] = []
    for line in lines:
        if not line.strip():
            continue
        row: Any
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            shape.broken += 1
            continue
        seen, found, names = seen + 1, found + (column in row), names or list(row)[:30]
        yield row
    if seen and not found:
        raise Wrong(f"{path.name} has no field {column!r}. Its first row has: {', '.join(names)}.")
    if not seen:
        other = f"; it has {shape.broken} other lines" if shape.broken else ""
        raise Wrong(f"{path.name} holds no line that is a JSON object{other}.")


def with_score(row: dict[str, Any], added: dict[str, Any]) -> dict[str, Any]:
    """The row and what was added; a cell of the input under the same name stays, as NAME_given."""
    return {**{name + GIVEN if name in ADDED else name: cell for name, cell in row.items()}, **added}


class Output:
    """The file that is written: aside, and renamed into place only when everything went well."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._aside = path.with_name(f".{path.name}.{os.getpid()}-0.tmp")
        self._json = path.suffix.lower() in _JSONL
        self._columns: list[str] = []

    def __enter__(self) -> "Output":
        """Raises OSError."""
        if not self._path.parent.is_dir():
            raise OSError(f"the folder {self._path.parent} does not exist; make it first")
        self._file = open(self._aside, "w", encoding="utf-8", errors="replace", newline="")
        self._csv = csv.writer(self._file, lineterminator="\n")
        return self

    def add(self, row: dict[str, Any]) -> None:
        """Write one row. A CSV file has the columns of the first row; cells beyond the header go into no column."""
        if self._json:
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
            return
        if not self._columns:
            self._columns = [*(name for name in row if name not in ADDED and name != _REST), *ADDED]
            self._csv.writerow(self._columns)
        self._csv.writerow(["" if (cell := row.get(name)) is None else cell for name in self._columns])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Raises OSError."""
        if kind is None:
            if not self._json and not self._columns:
                self._csv.writerow(ADDED)
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        try:
            if kind is None:
                patiently(lambda: os.replace(self._aside, self._path))
        finally:
            self._aside.unlink(missing_ok=True)
