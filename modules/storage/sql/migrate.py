"""Bringing a database's schema up to date (Alembic); several processes may try at once, one does it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from modules.storage.sql.database import Database
from modules.storage.sql.tables import METADATA

_SCRIPTS = Path(__file__).with_name("migrations")
_ALEMBIC = threading.Lock()  # Alembic keeps its state in a module: one thread of a process at a time
_LOCK = 7_264_011  # an advisory lock of this program


class NewerSchema(Exception):
    """The database was made by a newer Coxswain than this one."""


def upgrade(database: Database) -> tuple[str | None, str]:
    """Migrate to this program's schema; returns the revisions (before, after).

    Raises DatabaseAway, and NewerSchema where the database is ahead of this program: nothing is changed then.
    """
    with _ALEMBIC, _one_at_a_time(database), database.begin(alone=True) as connection:
        before = revision(connection)
        newest = head()
        if before is not None and before not in _known():
            raise NewerSchema(f"{database.name} has the schema {before}, which this version of Coxswain does not know "
                              f"(its own is {newest}). Update Coxswain, or give another database.")
        if before != newest:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return before, newest


def revision(connection: Connection) -> str | None:
    """The schema that a database has; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest schema that this program knows."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return newest


def differences(connection: Connection) -> list[Any]:
    """Where the tables in the database are not those declared; for the doctor and the tests."""
    return list(compare_metadata(MigrationContext.configure(connection), METADATA))


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config


@contextmanager
def _one_at_a_time(database: Database) -> Iterator[None]:
    """Held on its own connection until the migration is committed: MariaDB commits tables before the revision."""
    family = database.url.get_backend_name()
    if family == "sqlite":  # its transaction is alone already
        yield
        return
    with database.begin() as guard:
        if family == "postgresql":
            guard.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            yield
            return
        if guard.execute(text(f"SELECT GET_LOCK('coxswain_{_LOCK}', 60)")).scalar() != 1:
            raise TimeoutError("another process migrates the database for more than a minute; try again")
        try:
            yield
        finally:
            guard.execute(text(f"SELECT RELEASE_LOCK('coxswain_{_LOCK}')"))
