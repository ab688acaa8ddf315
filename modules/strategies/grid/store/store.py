"""The store put together: open it once a process, call it from threads (every call blocks on SQL).

A worker's day::

    store = GridStore.open(settings, paths)                  # migrates the schema
    held = store.sessions.claim(holder, ttl_s, most)         # sessions nobody holds; each with its last saved state
    renewal = store.sessions.renew(holder, ttl_s)            # often; what is missing there is lost: stop it at once
    keys = store.users.credentials(user_id)                  # again whenever Wish.key_version grew
    lost = store.sessions.save([Save(lease, saved(state), facts, events)])
    for said in store.sessions.commands(user_id): …; store.sessions.command_done(lease, said.number, "done")
    store.sessions.release(leases)                           # at an orderly end
"""

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from modules.storage.sql.database import Database
from modules.storage.sql.grid_tables import grid_audit
from modules.storage.sql.migrate import upgrade
from modules.strategies.grid.store.base import clock_ms, note
from modules.strategies.grid.store.events import Events
from modules.strategies.grid.store.sessions import Sessions
from modules.strategies.grid.store.users import Users
from utils.paths import Paths
from utils.vault import Place, Vault

if TYPE_CHECKING:
    from config.settings import Settings


def vault_place(settings: "Settings", paths: Paths) -> Place:
    """Where the keys are that users' secrets are sealed with."""
    return Place("GRIDSERVER_SECRET_KEY", paths.config / "grid.key", settings.gridserver.secret_key.get_secret_value())


class GridStore:
    """Users, sessions and events of system E."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database = database
        self.vault = vault
        self.users = Users(database, vault)
        self.sessions = Sessions(database, vault)
        self.events = Events(database, vault)

    @classmethod
    def open(cls, settings: "Settings", paths: Paths) -> "GridStore":
        """The store of this installation, its schema up to date. Raises AddressError, DatabaseAway, NewerSchema,
        VaultError."""
        vault = Vault.of(vault_place(settings, paths))
        database = Database.of(settings.db, paths)
        upgrade(database)
        return cls(database, vault)

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()

    def now_ms(self) -> int:
        """The database's clock."""
        with self.database.begin() as connection:
            return clock_ms(connection)

    def audit(self, who: str, what: str, user_id: str = "", address: str = "", outcome: str = "done",
              body: dict[str, Any] | None = None) -> None:
        """One line of the audit on its own (a refusal, for instance). Never give it a secret."""
        with self.database.begin(alone=True) as connection:
            note(connection, who, what, user_id, address, outcome, body)

    def audited(self, user_id: str = "", most: int = 100, before: int = 0) -> list[dict[str, Any]]:
        """Lines of the audit, newest first; of one user or of all, those before a number."""
        c = grid_audit.c
        wanted = ([c.user_id == user_id] if user_id else []) + ([c.number < before] if before else [])
        with self.database.begin() as connection:
            rows = connection.execute(select(grid_audit).where(*wanted).order_by(c.number.desc()).limit(most)).all()
        return [dict(row._mapping) for row in rows]
