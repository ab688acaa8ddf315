"""``python bot.py db {status,upgrade,trim}``: what the database holds, its schema, its old rows.

Exit codes: 0 done, 1 the database is away or ahead of this program, 2 wrong arguments or settings.
"""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from utils.paths import Paths
from utils.wall import now_ms

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.storage.sql.database import Database


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="bot.py db", description="Look after the database (settings db.*).")
    parser.add_argument("what", choices=("status", "upgrade", "trim"),
                        help="status: schema and rows; upgrade: bring the schema up to date; trim: remove old rows")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(argv)
    from modules.storage.sql.address import AddressError
    from modules.storage.sql.database import Database, DatabaseAway
    from modules.storage.sql.migrate import NewerSchema
    try:
        database = Database.of(settings.db, paths)
    except AddressError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    try:
        told = _do(chosen.what, database, settings, paths)
    except (DatabaseAway, NewerSchema, TimeoutError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    finally:
        database.close()
    sys.stdout.write((json.dumps(told) if chosen.json else _text(told)) + "\n")
    return 0


def _do(what: str, database: "Database", settings: "Settings", paths: Paths) -> dict[str, Any]:
    from sqlalchemy import func, inspect, select

    from modules.storage.sql.migrate import differences, head, revision, upgrade
    from modules.storage.sql.retention import trim
    from modules.storage.sql.tables import METADATA
    told: dict[str, Any] = {"database": database.name}
    if what == "upgrade":
        told["before"], told["schema"] = upgrade(database)
        return told
    if what == "trim":
        upgrade(database)
        told["removed"] = trim(database, settings.db, now_ms())
        return told
    with database.begin() as connection:
        told |= {"schema": revision(connection), "newest": head()}
        there = set(inspect(connection).get_table_names())
        told["rows"] = {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                        for table in METADATA.sorted_tables if table.name in there}
        told["differences"] = [str(one) for one in differences(connection)] if told["schema"] == head() else []
    told["waiting_bytes"] = {folder.name: sum(file.stat().st_size for file in folder.glob("*.spool"))
                             for folder in sorted((paths.data / "spool").glob("*"))}
    return told


def _text(told: dict[str, Any]) -> str:
    lines = []
    for name, value in told.items():
        if isinstance(value, dict):
            lines += [f"{name.replace('_', ' ')}:", *(f"  {key:28} {number:>12,}" for key, number in value.items())]
        else:
            lines.append(f"{name}: {value if value not in (None, []) else 'none'}")
    return "\n".join(lines)
