"""Which Telegram updates have been taken (X40): recorded durably before anything is done about them, never twice.

1. The file is JSON Lines: ``{"id": 5, "what": "/sellall"}`` when taken (flushed to disk), ``{"done": 5}`` afterwards.
2. Ids are remembered as a set, not as a highest one: after a quiet week Telegram goes on with a random number.
3. What was taken but not done when the program died is told to people at the next start, never carried out again.
4. A torn last line (crash while writing) was never acted on.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from utils.files import append_synced, write_atomic

log = logging.getLogger(__name__)
REMEMBERED = 1000
LONGEST_TEXT = 200


class UpdateLog:
    """The record of one bot's updates."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken: dict[int, str] = {}
        self._open: dict[int, str] = {}
        self._lines = 0

    def load(self) -> list[str]:
        """Read the record; returns what was begun and never finished (rule 3)."""
        try:
            content = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            content = ""
        for line in content.splitlines():
            self._read(line)
        unfinished = list(self._open.values())
        self._open.clear()
        self._compact()
        return unfinished

    async def take(self, items: Sequence[tuple[int, str]]) -> set[int]:
        """Record these updates; returns the ids that are new. Durable when it returns. Raises OSError."""
        new = {number: what[:LONGEST_TEXT] for number, what in items if number not in self._taken}
        if new:
            rows = "".join(json.dumps({"id": number, "what": what}) + "\n" for number, what in new.items())
            await asyncio.to_thread(append_synced, self._path, rows.encode("utf-8"))
            self._taken.update(new)
            self._open.update(new)
            self._lines += len(new)
        return set(new)

    def done(self, number: int) -> None:
        """It was carried out (or refused): not flushed, losing it only makes rule 3 speak once too often."""
        self._open.pop(number, None)
        try:
            with open(self._path, "ab") as out:
                out.write(json.dumps({"done": number}).encode("utf-8") + b"\n")
        except OSError as problem:
            log.error("the record of updates cannot be written: %s", problem)
        self._lines += 1
        if self._lines > 6 * REMEMBERED and not self._open:
            self._compact()

    def _read(self, line: str) -> None:
        try:
            row = json.loads(line)
            if "done" in row:
                self._open.pop(int(row["done"]), None)
            else:
                self._taken[int(row["id"])] = str(row["what"])
                self._open[int(row["id"])] = str(row["what"])
        except (ValueError, KeyError, TypeError):
            log.warning("a torn line in %s was passed over", self._path.name)

    def _compact(self) -> None:
        """Keep the newest ids only."""
        for number in list(self._taken)[:-REMEMBERED]:
            del self._taken[number]
        rows = "".join(json.dumps({"id": number, "what": what}) + "\n" + json.dumps({"done": number}) + "\n"
                       for number, what in self._taken.items())
        write_atomic(self._path, rows.encode("utf-8"))
        self._lines = 2 * len(self._taken)
