"""An open database: connections, the schema brought up to date, and whether it answers.

SQLite lets one transaction write at a time. Its own wait asks every 100 ms, and who writes often then keeps others out
by chance for ever; so transactions `alone` of one process queue here, and ask for SQLite's lock every few milliseconds.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from modules.storage.sql.address import shown, url_of
from modules.storage.sql.settings import DatabaseSettings
from utils.paths import Paths
from utils.redact import redact


class DatabaseAway(Exception):
    """The database does not answer, or refuses the user; the text is fit for a person and holds no password."""


#: how long SQLite itself waits for its lock before we ask again, ms; and our pause between, s
SQLITE_WAIT_MS, SQLITE_PAUSE_S = 10, 0.002


class Database:
    """One database of this installation. Cheap to make: connects when first used."""

    def __init__(self, url: URL, connect_s: float = 5.0) -> None:
        self.url = url
        self.connect_s = connect_s
        self._writing = threading.Lock()
        self.engine: Engine = create_engine(url, pool_pre_ping=True, pool_recycle=1800, **_options(url, connect_s))
        if url.get_backend_name() == "sqlite":
            event.listen(self.engine, "connect", _tune_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @classmethod
    def of(cls, settings: DatabaseSettings, paths: Paths) -> "Database":
        """The database of the settings. Raises AddressError."""
        return cls(url_of(settings, paths), settings.connect_s)

    @property
    def name(self) -> str:
        """For people: the address without password."""
        return shown(self.url)

    @contextmanager
    def begin(self, alone: bool = False) -> Iterator[Connection]:
        """A transaction: all of it or nothing. `alone`: on SQLite, no other writes from its beginning on (a server has
        locks for that). Raises DatabaseAway when the server is gone, or the file is written by others for too long."""
        queue = alone and self.url.get_backend_name() == "sqlite"
        until = time.monotonic() + self.connect_s if queue else 0.0
        try:
            with ExitStack() as stack:
                if queue:
                    stack.enter_context(self._turn())
                connection = stack.enter_context(self.engine.connect())
                with connection.execution_options(alone=until).begin():
                    yield connection
        except SQLAlchemyError as problem:
            if is_away(problem):
                raise self._away(problem) from None
            raise

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """This process's one write to SQLite. Raises DatabaseAway."""
        if not self._writing.acquire(timeout=self.connect_s):
            raise DatabaseAway(f"{self.name}: this process's writes wait for one that does not end")
        try:
            yield
        finally:
            self._writing.release()

    def ping(self) -> None:
        """Ask for nothing. Raises DatabaseAway."""
        with self.begin() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def _away(self, problem: Exception) -> DatabaseAway:
        cause = getattr(problem, "orig", None) or problem
        return DatabaseAway(f"{self.name}: {redact(str(cause).strip().splitlines()[0][:200])}")


def is_away(problem: Exception) -> bool:
    """Whether a failure says that the database is gone or busy, not that a row is bad."""
    if isinstance(problem, DBAPIError) and problem.connection_invalidated:
        return True
    if isinstance(problem, InterfaceError):
        return True
    if isinstance(problem, OperationalError):
        return "no such" not in str(problem.orig)
    cause = getattr(problem, "orig", None)
    return isinstance(cause, OSError)


def _options(url: URL, connect_s: float) -> dict[str, Any]:
    family = url.get_backend_name()
    if family == "sqlite":
        return {"connect_args": {"timeout": connect_s, "check_same_thread": False}}
    if family == "postgresql":
        return {"connect_args": {"timeout": connect_s}}
    return {"connect_args": {"connect_timeout": max(1, round(connect_s)), "read_timeout": 60, "write_timeout": 60,
                             "charset": "utf8mb4"}}


def _begin_sqlite(connection: Connection) -> None:
    until = connection.get_execution_options().get("alone") or 0.0
    if not until:
        connection.exec_driver_sql("BEGIN")
        return
    own_wait_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {SQLITE_WAIT_MS}")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except OperationalError as problem:
                if "locked" not in str(problem.orig) or time.monotonic() > until:
                    raise
            time.sleep(random.uniform(0.5, 1.5) * SQLITE_PAUSE_S)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {own_wait_ms}")


def _tune_sqlite(connection: Any, record: object) -> None:
    """Readers do not wait for the writer, a commit survives power loss, and we say where a transaction begins: the
    driver would begin none for a change of the schema."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
