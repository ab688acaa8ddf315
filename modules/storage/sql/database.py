"""An open database: connections, the schema brought up to date, and whether it answers."""

from collections.abc import Iterator
from contextlib import contextmanager
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


class Database:
    """One database of this installation. Cheap to make: connects when first used."""

    def __init__(self, url: URL, connect_s: float = 5.0) -> None:
        self.url = url
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
        locks for that). Raises DatabaseAway when the server is gone."""
        try:
            with self.engine.connect() as connection:
                with connection.execution_options(alone=alone).begin():
                    yield connection
        except SQLAlchemyError as problem:
            if is_away(problem):
                raise self._away(problem) from None
            raise

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
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("alone") else "BEGIN")


def _tune_sqlite(connection: Any, record: object) -> None:
    """Readers do not wait for the writer, a commit survives power loss, and we say where a transaction begins: the
    driver would begin none for a change of the schema."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
