"""What all parts of the store share: the database, its clock, the audit."""

from typing import Any

from sqlalchemy import Connection, TextClause, insert, text

from modules.storage.sql.database import Database
from modules.storage.sql.grid_tables import grid_audit
from utils.vault import Vault

# One clock for all machines: the database's. julianday has the ms that strftime('%s') has not.
_CLOCK = {
    "sqlite": "SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    "postgresql": "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    "mysql": "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)",
}
_CLOCKS: dict[str, TextClause] = {name: text(words) for name, words in _CLOCK.items()}
_CLOCKS["mariadb"] = _CLOCKS["mysql"]


class Part:
    """One part of the store. Every call is one transaction and blocks: call it from a thread. Raises DatabaseAway."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database = database
        self.vault = vault


def clock_ms(connection: Connection) -> int:
    """The database's time in ms since 1970 UTC."""
    return int(connection.execute(_CLOCKS[connection.dialect.name]).scalar_one())


def note(connection: Connection, who: str, what: str, user_id: str = "", address: str = "", outcome: str = "done",
         body: dict[str, Any] | None = None) -> None:
    """One line of the audit, in the transaction of what it tells of. Never give it a secret."""
    connection.execute(insert(grid_audit).values(
        ms=clock_ms(connection), who=who[:80], what=what[:40], user_id=user_id[:64], address=address[:64],
        outcome=outcome[:40], body=body))
