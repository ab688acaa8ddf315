"""Rows to the database, in batches, from a thread of its own: whoever writes never waits for a database (P9).

1. Every row goes to the spool first, then to the database: with the database down, rows wait on disk.
2. A batch is one transaction; rows are inserted so that repeating them changes nothing (see `insert`).
3. The database away: try again with growing waits, tell once an episode; nothing is lost.
4. A row that the database refuses for what it is (a value out of range) is found by halving the batch, written to
   ``refused.jsonl`` beside the spool with the reason, and told; the others go on.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from modules.storage.sql.database import Database, DatabaseAway
from modules.storage.sql.insert import insert_rows
from modules.storage.sql.migrate import NewerSchema, upgrade
from modules.storage.sql.settings import DatabaseSettings
from modules.storage.sql.spool import Entry, Spool
from modules.storage.sql.tables import METADATA
from utils.files import append_synced
from utils.paths import Paths

log = logging.getLogger(__name__)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WriterState:
    """How a writer does. `problem` is empty while the database takes rows."""

    problem: str
    written: int
    refused: int
    waiting_bytes: int


class Writer:
    """The one way of a process to write rows. `listen(problem)` is called from the writer's thread when the database
    goes away (the text says why) and when it is back (an empty text)."""

    def __init__(self, database: Database, spool: Spool, settings: DatabaseSettings,
                 listen: Callable[[str], None] | None = None) -> None:
        self.database = database
        self._spool = spool
        self._settings = settings
        self._listen = listen or (lambda problem: None)
        self._run = uuid4().hex[:12]
        self._number = self._handed = 0
        self._put_lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._idle = threading.Event()
        self._problem, self._written, self._refused = "", 0, 0
        self._ready = False
        self._thread = threading.Thread(target=self._work, name="sql-writer", daemon=True)

    @classmethod
    def open(cls, name: str, settings: DatabaseSettings, paths: Paths,
             listen: Callable[[str], None] | None = None) -> "Writer":
        """Start the writer of the process `name`. Raises AddressError, OSError."""
        spool = Spool(paths.data / "spool" / name, settings.spool_mb * 1_000_000)
        writer = cls(Database.of(settings, paths), spool, settings, listen)
        writer.start()
        return writer

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, table: str, rows: Sequence[Row], durable: bool = False) -> None:
        """Hand over rows; with `durable` they survive a power loss on return. A ``uid`` that is missing is given.

        Money may be Decimal. Raises KeyError for an unknown table or column, SpoolFull, OSError.
        """
        known = METADATA.tables[table].columns
        entries = []
        for row in rows:
            strange = [name for name in row if name not in known]
            if strange:
                raise KeyError(f"table {table} has no column {', '.join(strange)}")
            entries.append(Entry(table, self._with_uid(row) if "uid" in known else row))
        with self._put_lock:
            self._spool.put(entries, durable)
            self._handed += 1
            self._idle.clear()
        self._wake.set()

    def drain(self, timeout_s: float) -> bool:
        """Wait until all rows handed over are in the database; False when it takes longer."""
        self._wake.set()
        return self._idle.wait(timeout_s)

    def state(self) -> WriterState:
        """How it does."""
        return WriterState(self._problem, self._written, self._refused, self._spool.waiting_bytes())

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what can be written within the time, and end; the rest waits in the spool for the next start."""
        self.drain(timeout_s)
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout_s)
        self._spool.close()
        self.database.close()

    def _with_uid(self, row: Row) -> Row:
        if row.get("uid"):
            return row
        with self._put_lock:
            self._number += 1
            return {**row, "uid": f"{self._run}-{self._number}"}

    # -- the thread --------------------------------------------------------------------------------------

    def _work(self) -> None:
        wait = _FIRST_WAIT_S
        while not self._stop.is_set():
            try:
                self._prepare()
                busy = self._batch()
            except (DatabaseAway, NewerSchema, TimeoutError, OSError) as problem:
                self._tell(str(problem))
                self._stop.wait(wait)
                wait = min(2 * wait, _LONGEST_WAIT_S)
                continue
            except Exception:  # the border of this thread: told, and tried again
                log.exception("the writer of the database failed; its rows wait")
                self._tell("the writer failed, see the log of this process")
                self._stop.wait(_LONGEST_WAIT_S)
                continue
            wait = _FIRST_WAIT_S
            self._tell("")
            if not busy:
                self._wake.wait(1.0)
                self._wake.clear()
                self._stop.wait(self._settings.flush_ms / 1000)

    def _prepare(self) -> None:
        if not self._ready:
            upgrade(self.database)
            self._ready = True

    def _batch(self) -> bool:
        """Write one batch; False when nothing waits."""
        handed = self._handed
        entries, place = self._spool.take(self._settings.batch_rows)
        if not entries:
            self._spool.done(place)
            with self._put_lock:  # rows handed over since the look are not written yet
                if handed == self._handed:
                    self._idle.set()
            return False
        self._write(entries)
        self._spool.done(place)
        return True

    def _write(self, entries: list[Entry]) -> None:
        try:
            self._insert(entries)
        except DatabaseAway:
            raise
        except (SQLAlchemyError, ValueError, ArithmeticError, KeyError, TypeError) as problem:
            if len(entries) == 1:
                self._refuse(entries[0], problem)
                return
            middle = len(entries) // 2
            self._write(entries[:middle])
            self._write(entries[middle:])

    def _insert(self, entries: list[Entry]) -> None:
        by_table: dict[str, list[Row]] = defaultdict(list)
        for entry in entries:
            by_table[entry.table].append(entry.row)
        with self.database.begin() as connection:
            for table, rows in by_table.items():
                insert_rows(connection, METADATA.tables[table], rows)
        self._written += len(entries)

    def _refuse(self, entry: Entry, problem: Exception) -> None:
        reason = str(getattr(problem, "orig", None) or problem).splitlines()[0][:300]
        line = msgspec.json.encode({"table": entry.table, "row": entry.row, "reason": reason}) + b"\n"
        append_synced(self._spool.folder / "refused.jsonl", line)
        self._refused += 1
        log.error("the database refuses a row of %s (%s); it lies in %s", entry.table, reason,
                  self._spool.folder / "refused.jsonl")

    def _tell(self, problem: str) -> None:
        if bool(problem) != bool(self._problem):
            log.warning("database: %s", problem or "takes rows again")
            try:
                self._listen(problem)
            except Exception:  # a listener's fault must not stop the writing
                log.exception("the listener of the database failed")
        self._problem = problem
