"""Inserting a row that may be there already, the same on every database: replaying what was written is harmless."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert `rows`; one whose key is known replaces the old one or is passed over, as the table declares.

    Within `rows` the last of a key counts (the first where old rows are kept): a statement may not touch a row twice.
    """
    replace = table.info["repeat"] == "replace"
    by_key: dict[tuple[Any, ...], dict[str, Any]] = {}
    names = [column.key for column in table.primary_key]
    for row in rows:
        key = tuple(row[name] for name in names)
        if replace or key not in by_key:
            by_key[key] = row
    columns = [column.key for column in table.columns]
    full = [{name: row.get(name) for name in columns} for row in by_key.values()]
    connection.execute(_statement(connection.dialect.name, table, replace), full)


def _statement(dialect: str, table: Table, replace: bool) -> Any:
    keys = [column.key for column in table.primary_key]
    rest = [column for column in table.columns if not column.primary_key]
    if dialect in ("mysql", "mariadb"):
        made = mysql.insert(table)
        if replace:
            return made.on_duplicate_key_update({column.name: made.inserted[column.key] for column in rest})
        return made.on_duplicate_key_update({table.columns[keys[0]].name: table.columns[keys[0]]})
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    other = make(table)
    on = [table.columns[name] for name in keys]
    if replace:
        return other.on_conflict_do_update(
            index_elements=on, set_={column.name: other.excluded[column.key] for column in rest})
    return other.on_conflict_do_nothing(index_elements=on)
