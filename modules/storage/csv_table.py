"""CSV tables (P8): a fixed header, appended durably under a lock, damaged rows set aside and reported.

1. The header is checked before every append and read: a file with other columns is refused, never mixed. A header
   that no program ever wrote (torn, or no names of columns) is damage as in rule 3, and the whole rows are kept.
2. A row is one line: line breaks within a cell become blanks, so that a damaged row never swallows its neighbours.
3. A row torn by a crash (wrong number of cells, no line end) is moved to ``NAME.damaged-STAMP`` and reported.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from modules.storage.damage import Damage, StateError, report, set_aside_name
from utils.files import append_synced, locked, read_whole, write_atomic

Row = dict[str, str]
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class CsvTable:
    """One CSV file with exactly the columns given."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self.columns = tuple(columns)

    def append(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows, durably. A missing column raises KeyError; an absent value is an empty cell (None).

        Raises StateError for a file with other columns (rule 1), OSError when the disk refuses: nothing was added.
        """
        body = self._format([self._cells(row) for row in rows])
        if not body:
            return
        with locked(self.path):
            if self._empty():
                write_atomic(self.path, self._format([self.columns]) + body)
                return
            if not self._check_header() or not self._ends_whole():
                self._mend()
            append_synced(self.path, body)

    def read(self) -> list[Row]:
        """All rows as text, oldest first. Raises StateError for a file with other columns (rule 1)."""
        if self._empty():
            return []
        with locked(self.path):  # or an append might be seen half-way and taken for a torn row
            whole = self._check_header()
            good, bad = self._parse()
            if bad or not whole:
                good = self._mend()
        return good

    def replace(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Write the whole table anew, atomically."""
        body = self._format([self.columns, *(self._cells(row) for row in rows)])
        with locked(self.path):
            write_atomic(self.path, body)

    def problem(self) -> str:
        """What is wrong with the table, "" if nothing is; changes nothing (for the doctor). Raises OSError."""
        if self._empty():
            return ""
        with locked(self.path):
            try:
                whole = self._check_header()
            except StateError as problem:
                return str(problem)
            if not whole:
                return "the line with the names of the columns is damaged; the next reading sets it aside"
            _, bad = self._parse()
        return f"{len(bad)} torn row(s); the next reading sets them aside" if bad else ""

    def _empty(self) -> bool:
        try:
            return self.path.stat().st_size == 0
        except FileNotFoundError:
            return True

    def _cells(self, row: Mapping[str, object]) -> list[str]:
        return ["" if row[name] is None else " ".join(str(row[name]).splitlines()) for name in self.columns]

    @staticmethod
    def _format(rows: Sequence[Sequence[str]]) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        return text.getvalue().encode("utf-8")

    def _check_header(self) -> bool:
        """Whether the header is ours; False where it is damaged. Raises StateError for another version's (rule 1)."""
        line = self._header_line()
        try:
            header = next(csv.reader([line]), [])
        except csv.Error:
            return False
        if tuple(header) == self.columns:
            return True
        if not line.endswith("\n") or not header or not all(_NAME.fullmatch(name) for name in header):
            return False
        raise StateError(
            f"{self.path.name} has the columns {','.join(header)}; expected {','.join(self.columns)}. "
            "It is from another version: move it away, the program starts a new one."
        )

    def _header_line(self) -> str:
        with open(self.path, encoding="utf-8", errors="replace", newline="") as lines:
            return lines.readline()

    def _ends_whole(self) -> bool:
        with open(self.path, "rb") as content:
            content.seek(-1, os.SEEK_END)
            return content.read(1) == b"\n"

    def _parse(self) -> tuple[list[Row], list[str]]:
        """Whole rows, and the lines that are none."""
        text = read_whole(self.path).decode("utf-8", errors="replace")
        lines = text.split("\n")[1:]
        torn = lines.pop() if lines else ""
        bad = [torn] if torn else []
        good = self._rows(csv.reader(lines)) if "\ufffd" not in text else None
        if good is None or len(good) != len(lines):
            good = []
            for line in lines:
                row = None if "\ufffd" in line else self._rows(csv.reader([line], strict=True))
                if row:
                    good.extend(row)
                elif line.strip():
                    bad.append(line)
        return good, bad

    def _rows(self, cells: Iterable[list[str]]) -> list[Row] | None:
        """None if any row has another number of cells, or cannot be read."""
        try:
            return [dict(zip(self.columns, row, strict=True)) for row in cells]
        except (ValueError, csv.Error):
            return None

    def _mend(self) -> list[Row]:
        good, bad = self._parse()
        if not self._check_header():
            bad.insert(0, self._header_line().rstrip("\n"))
        aside = set_aside_name(self.path)
        write_atomic(aside, "\n".join(bad).encode("utf-8"))
        write_atomic(self.path, self._format([self.columns, *(self._cells(row) for row in good)]))
        report(Damage(self.path, f"{len(bad)} torn row(s)", aside, f"{len(good)} whole rows were kept"))
        return good
