"""Databases for tests: SQLite always, PostgreSQL and MariaDB where a server answers; each test gets an empty one."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from modules.storage.sql.database import Database
from tests.storage.sql.servers import SERVERS, absent


@pytest.fixture(params=["sqlite", *SERVERS])
def url(request: pytest.FixtureRequest, tmp_path) -> Iterator[URL]:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        yield URL.create("sqlite", database=str(tmp_path / "test.db"))
        return
    if absent(request.param):
        pytest.skip(f"no {request.param} answers at its test address ({absent(request.param)})")
    server, name = make_url(SERVERS[request.param]), f"coxswain_test_{uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.set(database=name)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}" + (" WITH (FORCE)" if request.param == "postgresql" else "")))
    engine.dispose()


@pytest.fixture
def database(url: URL) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()
