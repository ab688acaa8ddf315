"""A database of every earlier schema is brought up to date, with its rows, on every kind of database."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, Boolean, Float, Integer, MetaData, Numeric, Table, func, inspect, select

from modules.storage.sql import migrate
from modules.storage.sql.database import Database
from modules.storage.sql.migrate import differences, upgrade
from tests.storage.sql.conftest import database, url  # noqa: F401 - pytest's own way of sharing fixtures


def revisions() -> list[str]:
    """All schemas that ever were, oldest first, without the newest."""
    scripts = ScriptDirectory.from_config(migrate._config())
    return [script.revision for script in scripts.walk_revisions()][:0:-1]


def at(opened: Database, wanted: str) -> None:
    """A database as the program of that schema left it."""
    with opened.begin(alone=True) as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, wanted)


def row(table: Table) -> dict[str, Any]:
    """A value for each column that needs one."""
    def value(kind: Any) -> Any:
        if isinstance(kind, Boolean):
            return True
        if isinstance(kind, Integer | BigInteger):
            return 7
        if isinstance(kind, Numeric) and not isinstance(kind, Float):
            return Decimal("1.5")
        return 1.5 if isinstance(kind, Float) else datetime(2025, 1, 1, tzinfo=UTC) if "DATE" in str(kind) else "{}"

    return {column.name: value(column.type) for column in table.columns}


@pytest.mark.parametrize("revision", revisions())
def test_an_earlier_schema_is_brought_up_to_date_with_its_rows(database: Database, revision: str) -> None:  # noqa: F811
    at(database, revision)
    with database.begin() as connection:
        old = MetaData()
        old.reflect(connection)
        names = [name for name in old.tables if name != "alembic_version"]
        assert names
        for name in names:
            connection.execute(old.tables[name].insert().values(row(old.tables[name])))
    assert upgrade(database) == (revision, migrate.head())
    with database.begin() as connection:
        assert differences(connection) == []
        there = set(inspect(connection).get_table_names())
        counts = {name: connection.execute(select(func.count()).select_from(old.tables[name])).scalar_one()
                  for name in names if name in there}
    assert counts == dict.fromkeys(names, 1)
