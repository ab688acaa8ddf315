"""A store on each kind of database, and users to put into it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, delete, text
from sqlalchemy.engine import URL, make_url

from modules.storage.sql.database import Database
from modules.storage.sql.migrate import upgrade
from modules.storage.sql.tables import METADATA
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import Credentials, NewUser, Webhook
from modules.strategies.grid.store.store import GridStore
from tests.gridserver.house import House, server
from tests.storage.sql.servers import SERVERS, absent
from utils.vault import Vault, new_key


def user(user_id: str = "user-1", **more: object) -> NewUser:
    """A user whose key is named after him."""
    given = {"bot_id": "bot-1", "token": f"hash-of-{user_id}", "symbol": "BTCUSDT", "custom": {"leverage": 5},
             "settings": GridSettings().model_dump(), "webhook": Webhook("https://hooks.example/x", "hook-secret"),
             "credentials": Credentials(f"key-{user_id}", "very-secret", "pass-phrase", demo=True)} | more
    return NewUser(user_id=user_id, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite file with the schema, made once: migrating takes longer than any of these tests."""
    file = tmp_path_factory.mktemp("grid") / "empty.db"
    opened = Database(URL.create("sqlite", database=str(file)))
    upgrade(opened)
    opened.close()
    return file


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Database]]:
    """One migrated database on each server that answers, made when first asked for, gone at the end."""
    made: dict[str, Database] = {}
    yield made
    for kind, opened in made.items():
        opened.close()
        engine = create_engine(make_url(SERVERS[kind]), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            forced = " WITH (FORCE)" if kind == "postgresql" else ""
            connection.execute(text(f"DROP DATABASE {opened.url.database}{forced}"))
        engine.dispose()


def _on_server(kind: str, made: dict[str, Database]) -> Database:
    if kind not in made:
        name = f"coxswain_test_{uuid4().hex[:12]}"
        engine = create_engine(make_url(SERVERS[kind]), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        made[kind] = Database(make_url(SERVERS[kind]).set(database=name))
        upgrade(made[kind])
    with made[kind].begin() as connection:
        for table in METADATA.sorted_tables:
            if table.name.startswith("grid_"):
                connection.execute(delete(table))
    return made[kind]


@pytest.fixture(params=["sqlite", *SERVERS])
def store(request: pytest.FixtureRequest, light: GridStore, servers: dict[str, Database]) -> GridStore:
    """An empty store, of each kind of database."""
    kind = str(request.param)
    if kind == "sqlite":
        return light
    if absent(kind):
        pytest.skip(f"no {kind} answers at its test address ({absent(kind)})")
    return GridStore(_on_server(kind, servers), Vault([new_key()]))


@pytest.fixture
def light(tmp_path: Path, migrated: Path) -> Iterator[GridStore]:
    """An empty store on SQLite, for what does not depend on the database."""
    opened = Database(URL.create("sqlite", database=str(shutil.copy(migrated, tmp_path / "grid.db"))))
    yield GridStore(opened, Vault([new_key()]))
    opened.close()


@pytest.fixture
def house(light: GridStore) -> House:
    """The server on SQLite, without a socket."""
    return House(light, server())
