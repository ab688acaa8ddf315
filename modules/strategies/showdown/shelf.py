"""Rows on their way to the database's writer, which may be opened later: nothing waits for a database (P9)."""

import logging
from collections import deque
from typing import Any, Protocol

from modules.storage.sql.spool import SpoolFull

log = logging.getLogger(__name__)

MOST = 20_000


class Takes(Protocol):
    """A writer of rows (``storage.sql.writer.Writer``)."""

    def add(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Hand over rows. Raises SpoolFull, OSError."""

    def close(self) -> None:
        """Write what can be written, and end."""


class Shelf:
    """Keeps rows in memory until a writer is there."""

    def __init__(self) -> None:
        self._writer: Takes | None = None
        self._waiting: deque[tuple[str, list[dict[str, Any]]]] = deque(maxlen=MOST)

    def put(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Rows for a table. Raises OSError where the spool is full or the disk refuses."""
        if self._writer is None:
            self._waiting.append((table, rows))
            return
        try:
            self._writer.add(table, rows)
        except SpoolFull as problem:
            raise OSError(str(problem)) from problem

    def put_quietly(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Rows whose loss must stop nobody; it is logged."""
        try:
            self.put(table, rows)
        except OSError as problem:
            log.error("a row for %s is lost: %s", table, problem)

    def give(self, writer: Takes) -> None:
        """The writer is there."""
        self._writer = writer
        while self._waiting:
            table, rows = self._waiting.popleft()
            self.put_quietly(table, rows)

    def close(self) -> None:
        """Close the writer."""
        if self._writer is not None:
            self._writer.close()
