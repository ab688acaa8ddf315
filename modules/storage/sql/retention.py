"""Removing rows that are older than the settings keep, in small portions, so that no reader waits long."""

from sqlalchemy import delete, select

from modules.storage.sql.database import Database
from modules.storage.sql.settings import DatabaseSettings
from modules.storage.sql.tables import METADATA

DAY_MS = 86_400_000
PORTION = 5_000


def trim(database: Database, settings: DatabaseSettings, now_ms: int) -> dict[str, int]:
    """Remove old rows; how many of each table. Raises DatabaseAway: what was removed until then stays removed."""
    removed: dict[str, int] = {}
    for table in METADATA.sorted_tables:
        days = table.info.get("days")
        if days is None:
            continue
        by = table.columns[table.info["by"]]
        before = now_ms - getattr(settings, days) * DAY_MS
        while True:
            with database.begin() as connection:
                edge = connection.execute(
                    select(by).where(by < before).order_by(by).offset(PORTION - 1).limit(1)).scalar()
                gone = connection.execute(delete(table).where(by <= edge if edge is not None else by < before)).rowcount
            removed[table.name] = removed.get(table.name, 0) + gone
            if edge is None:
                break
    return removed
