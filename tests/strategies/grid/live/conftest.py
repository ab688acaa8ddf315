"""A store on SQLite, a small exchange, and workers over both."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.engine import URL

from modules.storage.sql.database import Database
from modules.storage.sql.grid_tables import grid_sessions
from modules.storage.sql.migrate import upgrade
from modules.strategies.grid import events as ev
from modules.strategies.grid.live.host import Host
from modules.strategies.grid.live.settings import GridLiveSettings
from modules.strategies.grid.live.worker import Worker
from modules.strategies.grid.store.records import Wanted
from modules.strategies.grid.store.store import GridStore
from tests.strategies.grid.live.world import World, new_user
from tests.surroundings import until
from utils.paths import Paths
from utils.vault import Vault, new_key


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GridStore]:
    """An empty store on SQLite."""
    database = Database(URL.create("sqlite", database=str(tmp_path / "grid.db")), connect_s=30)
    upgrade(database)
    yield GridStore(database, Vault([new_key()]))
    database.close()


class House:
    """A store, an exchange, and the workers of a test."""

    def __init__(self, store: GridStore, paths: Paths) -> None:
        self.store, self.paths = store, paths
        self.world = World()
        self.said: list[tuple[str, ev.Notice]] = []

    def user(self, user_id: str, start: bool = True, **settings: Any) -> None:
        """One more user; his grid is wanted."""
        self.store.users.add(new_user(user_id, **settings), "test")
        if start:
            self.store.sessions.want(user_id, Wanted.RUNNING, "test")

    def worker(self, name: str = "w1", lease_s: float = 60.0, sessions: int = 100, **live: Any) -> Worker:
        """A worker that is not running yet. It hears of wishes soon, but its lease outlives every pause of a busy
        machine: an order refused for a lease that is over would wait for market time, which a test moves by hand."""
        def say(host: Host, notice: ev.Notice) -> None:
            self.said.append((host.lease.user_id, notice))

        settings = GridLiveSettings(lease_s=lease_s, sessions=sessions, save_s=0.2, **live)
        made = Worker(self.store, self.world.market, settings, name, self.paths, say,  # type: ignore[arg-type]
                      status_s=1000.0, open_account=self.world.open)
        made.renew_s = min(made.renew_s, 0.5)
        return made

    @asynccontextmanager
    async def running(self, worker: Worker, orderly: bool = True) -> AsyncIterator[Worker]:
        """A worker at work. `orderly` False: it dies, nothing is saved or given back, and its leases run out."""
        stop = asyncio.Event()
        task = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            if orderly:
                stop.set()
            else:
                for host in worker.hosts.values():
                    host.lost = True
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if not orderly:
                await asyncio.gather(*(host.close() for host in worker.hosts.values()))
                with self.store.database.begin(alone=True) as connection:
                    connection.execute(update(grid_sessions).where(
                        grid_sessions.c.lease_holder == worker.holder).values(lease_until_ms=1))

    async def host(self, worker: Worker, user_id: str) -> Host:
        """A user's host, started and known."""
        await until(lambda: user_id in worker.hosts and worker.hosts[user_id].state.started, f"{user_id} starts", 60)
        return worker.hosts[user_id]


@pytest.fixture
def house(store: GridStore, tmp_path: Path) -> House:
    """A store and an exchange without users."""
    return House(store, Paths(tmp_path))


Condition = Callable[[], Any]
