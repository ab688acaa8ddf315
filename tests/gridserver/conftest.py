"""A store on each kind of database, and users to put into it."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.engine import URL

from modules.storage.sql.database import Database
from modules.storage.sql.migrate import upgrade
from modules.storage.vault import Vault, new_key
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import Credentials, NewUser, Webhook
from modules.strategies.grid.store.store import GridStore
from tests.gridserver.house import House, server
from tests.storage.sql.conftest import database, url  # noqa: F401

Maker = Callable[[], GridStore]


def user(user_id: str = "user-1", **more: object) -> NewUser:
    """A user whose key is named after him."""
    given = {"bot_id": "bot-1", "token": f"hash-of-{user_id}", "symbol": "BTCUSDT", "custom": {"leverage": 5},
             "settings": GridSettings().model_dump(), "webhook": Webhook("https://hooks.example/x", "hook-secret"),
             "credentials": Credentials(f"key-{user_id}", "very-secret", "pass-phrase", demo=True)} | more
    return NewUser(user_id=user_id, **given)  # type: ignore[arg-type]


@pytest.fixture
def store(database: Database) -> GridStore:  # noqa: F811
    """An empty store, of each kind of database."""
    upgrade(database)
    return GridStore(database, Vault([new_key()]))


@pytest.fixture
def light(tmp_path) -> Iterator[GridStore]:
    """An empty store on SQLite, for what does not depend on the database."""
    opened = Database(URL.create("sqlite", database=str(tmp_path / "grid.db")))
    upgrade(opened)
    yield GridStore(opened, Vault([new_key()]))
    opened.close()


@pytest.fixture
def house(light: GridStore) -> House:
    """The server on SQLite, without a socket."""
    return House(light, server())
