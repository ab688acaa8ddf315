"""Users and their keys: added whole or not at all, keys sealed, replaced without touching the grid."""

import hashlib
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from modules.storage.sql.grid_tables import (
    grid_commands,
    grid_events,
    grid_keys,
    grid_sessions,
    grid_states,
    grid_users,
)
from modules.strategies.grid.store.base import Part, clock_ms, note
from modules.strategies.grid.store.records import (
    PAPER,
    Credentials,
    KeyInUse,
    NewUser,
    NoUser,
    Taken,
    Wanted,
    Webhook,
)

_ALL = (grid_commands, grid_events, grid_states, grid_sessions, grid_keys, grid_users)


class Users(Part):
    """Who may trade, with which key, and where their events go."""

    def add(self, new: NewUser, who: str, address: str = "") -> None:
        """A user with key, settings and a stopped grid. Raises Taken, KeyInUse; nothing is half-created."""
        with self.database.begin(alone=True) as connection:
            now = clock_ms(connection)
            self._free(connection, new.user_id, new.credentials.api_key)
            try:
                connection.execute(insert(grid_users).values(
                    user_id=new.user_id, bot_id=new.bot_id, token=new.token, webhook_url=new.webhook.url,
                    webhook_secret=self.vault.seal(new.webhook.secret), created_ms=now, updated_ms=now))
                connection.execute(insert(grid_keys).values(
                    user_id=new.user_id, version=1, **self._sealed(new.user_id, new.credentials), updated_ms=now))
            except IntegrityError:  # between the look and the insert, on a server
                raise Taken(f"userId {new.user_id} or its exchange key was taken at this moment; ask again.") from None
            connection.execute(insert(grid_sessions).values(
                user_id=new.user_id, symbol=new.symbol, custom=new.custom, settings=new.settings, version=1,
                wanted=Wanted.STOPPED.value, started_ms=0, updated_ms=now, lease_holder="", lease_until_ms=0, fence=0))
            note(connection, who, "user added", new.user_id, address, body={"symbol": new.symbol})

    def _free(self, connection: Connection, user_id: str, api_key: str) -> None:
        if connection.execute(select(grid_users.c.user_id).where(grid_users.c.user_id == user_id)).first():
            raise Taken(f"userId {user_id} exists already. PUT …/{user_id}/keys replaces its key, "
                        f"PUT …/{user_id}/settings its settings.")
        self._key_free(connection, user_id, api_key)

    def _key_free(self, connection: Connection, user_id: str, api_key: str) -> None:
        other = connection.execute(select(grid_keys.c.user_id).where(
            grid_keys.c.fingerprint == fingerprint(api_key, user_id), grid_keys.c.user_id != user_id)).first()
        if other:
            raise KeyInUse("exchange.apiKey is in use by another user: two grids on one account would confuse their "
                           "positions. Give each user a key of an account (or sub-account) of its own.")

    def _sealed(self, user_id: str, given: Credentials) -> dict[str, Any]:
        body = "\n".join((given.api_key, given.api_secret, given.passphrase))
        return {"sealed": self.vault.seal(body), "fingerprint": fingerprint(given.api_key, user_id), "demo": given.demo,
                "refused": ""}

    def credentials(self, user_id: str) -> Credentials:
        """The user's key, opened. Raises NoUser, VaultError."""
        with self.database.begin() as connection:
            row = connection.execute(select(grid_keys).where(grid_keys.c.user_id == user_id)).first()
        if row is None:
            raise _absent(user_id)
        name, secret, passphrase = self.vault.open(row.sealed).split("\n")
        return Credentials(name, secret, passphrase, bool(row.demo), row.version)

    def replace_key(self, user_id: str, given: Credentials, who: str, address: str = "") -> int:
        """Another key for the same grid; returns its version. Raises NoUser, KeyInUse."""
        with self.database.begin(alone=True) as connection:
            row = connection.execute(select(grid_keys.c.version).where(grid_keys.c.user_id == user_id)
                                     .with_for_update()).first()
            if row is None:
                raise _absent(user_id)
            self._key_free(connection, user_id, given.api_key)
            version = int(row.version) + 1
            try:
                connection.execute(update(grid_keys).where(grid_keys.c.user_id == user_id).values(
                    **self._sealed(user_id, given), version=version, updated_ms=clock_ms(connection)))
            except IntegrityError:
                raise KeyInUse("exchange.apiKey was taken by another user at this moment.") from None
            note(connection, who, "key replaced", user_id, address, body={"version": version})
        return version

    def key_refused(self, user_id: str, version: int, why: str) -> None:
        """The venue refuses (or, `why` empty, takes again) this version of the key; a newer one is not touched."""
        with self.database.begin(alone=True) as connection:
            connection.execute(update(grid_keys).where(
                grid_keys.c.user_id == user_id, grid_keys.c.version == version).values(refused=why[:500]))

    def token(self, user_id: str) -> str | None:
        """SHA-256 of the user's token, None where there is no such user."""
        with self.database.begin() as connection:
            found = connection.execute(select(grid_users.c.token).where(grid_users.c.user_id == user_id)).scalar()
        return None if found is None else str(found)

    def replace_token(self, user_id: str, token: str, who: str, address: str = "") -> None:
        """Another token (its SHA-256); the old one is void. Raises NoUser."""
        self._change(user_id, "token replaced", who, address, token=token)

    def webhook(self, user_id: str) -> Webhook:
        """Where the user's events go. Raises NoUser, VaultError."""
        with self.database.begin() as connection:
            row = connection.execute(select(grid_users.c.webhook_url, grid_users.c.webhook_secret)
                                     .where(grid_users.c.user_id == user_id)).first()
        if row is None:
            raise _absent(user_id)
        return Webhook(row.webhook_url, self.vault.open(row.webhook_secret))

    def replace_webhook(self, user_id: str, given: Webhook, who: str, address: str = "") -> None:
        """Another place for the events; those that wait are due at once. Raises NoUser."""
        self._change(user_id, "webhook replaced", who, address, webhook_url=given.url,
                     webhook_secret=self.vault.seal(given.secret))
        with self.database.begin(alone=True) as connection:
            connection.execute(update(grid_events).where(
                grid_events.c.user_id == user_id, grid_events.c.state == "queued").values(due_ms=clock_ms(connection)))

    def _change(self, user_id: str, what: str, who: str, address: str, **values: Any) -> None:
        with self.database.begin(alone=True) as connection:
            done = connection.execute(update(grid_users).where(grid_users.c.user_id == user_id).values(
                **values, updated_ms=clock_ms(connection)))
            if not done.rowcount:
                raise _absent(user_id)
            note(connection, who, what, user_id, address)

    def remove(self, user_id: str, who: str, address: str = "", body: dict[str, Any] | None = None) -> None:
        """Everything of a user, the key first of all; the audit stays. Raises NoUser.

        A worker that still holds the session is fenced by its absence: no row, no write.
        """
        with self.database.begin(alone=True) as connection:
            if not connection.execute(select(grid_users.c.user_id).where(grid_users.c.user_id == user_id)).first():
                raise _absent(user_id)
            for table in _ALL:
                connection.execute(delete(table).where(table.c.user_id == user_id))
            note(connection, who, "user removed", user_id, address, body=body)

    def rotate(self, who: str) -> int:
        """Seal every secret anew with the newest key; how many. All or none. Raises VaultError."""
        count = 0
        with self.database.begin(alone=True) as connection:
            for table, column in ((grid_keys, grid_keys.c.sealed), (grid_users, grid_users.c.webhook_secret)):
                for user_id, sealed in connection.execute(select(table.c.user_id, column).with_for_update()).all():
                    connection.execute(update(table).where(table.c.user_id == user_id)
                                       .values({column.name: self.vault.renewed(sealed)}))
                    count += 1
            note(connection, who, "secrets sealed anew", body={"count": count})
        return count


def fingerprint(api_key: str, user_id: str) -> str:
    """A key's name, hashed: enough to see the same one twice. Paper accounts are one a user, whatever the key."""
    if api_key.startswith(PAPER):
        api_key = f"{PAPER}\n{user_id}"
    return hashlib.sha256(b"coxswain-grid-key:" + api_key.encode()).hexdigest()


def _absent(user_id: str) -> NoUser:
    return NoUser(f"There is no user {user_id}.")
