"""Saves of many hosts in one transaction: an order waits for the commit that holds its intent, not for a queue of them.

While one batch is written the next one gathers. A host whose fence has fallen is told so and sends nothing more.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from modules.storage.sql.database import DatabaseAway
from modules.strategies.grid.live.host import Host
from modules.strategies.grid.store.records import Save
from modules.strategies.grid.store.sessions import Sessions

log = logging.getLogger(__name__)

BATCH = 250  # SQLite lets one write at a time: none is to take long


class Saver:
    """One writer of a worker. `lost` hears of hosts that are another worker's by now."""

    def __init__(self, sessions: Sessions, lost: Callable[[Host], None]) -> None:
        self._sessions, self._lost = sessions, lost
        self._waiting: dict[Host, list[asyncio.Future[bool]]] = {}
        self._event = asyncio.Event()
        self.away = ""
        self.saves = 0

    def keep(self, host: Host) -> Awaitable[bool]:
        """Save a host with the next batch; True once it is durable."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(host, []).append(future)
        self._event.set()
        return future

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            while not self._waiting:
                self._event.clear()
                await self._event.wait()
            hosts = list(self._waiting)[:BATCH]
            await self._write({host: self._waiting.pop(host) for host in hosts})

    async def flush(self, hosts: list[Host]) -> None:
        """Save these now, for an orderly end."""
        for at in range(0, len(hosts), BATCH):
            await self._write({host: [] for host in hosts[at:at + BATCH]})

    async def _write(self, batch: dict[Host, list[asyncio.Future[bool]]]) -> None:
        saves, events = [], {}
        for host in batch:
            events[host] = tuple(host.events)
            saves.append(Save(host.lease, host.state_bytes(), host.packed(), events[host]))
            host.changed = False
        try:
            fenced = await asyncio.to_thread(self._sessions.save, saves)
            self.away = ""
        except DatabaseAway as problem:
            if not self.away:
                log.error("grids cannot be saved, so no order leaves: %s", problem)
            self.away = str(problem)
            self._answer(batch, False)
            return
        except BaseException:
            self._answer(batch, False)
            raise
        self.saves += len(saves)
        for host, waiting in batch.items():
            good = host.lease.user_id not in fenced
            if good:
                host.events = host.events[len(events[host]):]
            else:
                self._lost(host)
            self._answer({host: waiting}, good)

    @staticmethod
    def _answer(batch: dict[Host, list[asyncio.Future[bool]]], good: bool) -> None:
        for host, waiting in batch.items():
            host.changed = host.changed or not good
            for future in waiting:
                if not future.done():
                    future.set_result(good)
