"""The service ``gridserver``: REST for users and platforms, and the sender of their webhooks. It trades nothing itself:
workers hold the sessions (`modules/strategies/grid/live`); both meet in SQL.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from modules.gridserver.app import application
from modules.gridserver.bitget import BitgetVenue
from modules.gridserver.desk import Desk
from modules.gridserver.guard import Guard
from modules.gridserver.sender import Sender
from modules.gridserver.settings import GridServerSettings
from modules.gridserver.venue import Venue
from modules.storage.sql.database import DatabaseAway
from modules.strategies.grid.store.store import GridStore
from modules.supervision.service import ServiceRun
from utils.buckets import Buckets
from utils.listening import listening
from utils.patient_http import PatientHttp

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)
FACTS_S = 2.0


class AddressInUse(Exception):
    """The server cannot listen where it should."""


class Http(PatientHttp):
    """Who sends or reads drop by drop is cut off; a platform may have many connections from one address."""

    most = 256


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the service's own end it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


class Parts:
    """What runs in one process."""

    def __init__(self, store: GridStore, venue: Venue, settings: "Settings") -> None:
        server = settings.gridserver
        self.store, self.venue = store, venue
        self.sender = Sender(store, server)
        self._began = time.monotonic()
        self.desk = Desk(store, venue, settings.grid, server)
        self.guard = Guard(application(self.desk, self.health), Buckets(server.address_s, server.address_s * 2),
                           server.body_kb * 1024)

    def health(self) -> dict[str, Any]:
        """What /health tells beside the sessions."""
        return {"status": "healthy", "uptime": int(time.monotonic() - self._began)}


async def main(run: ServiceRun, settings: "Settings") -> None:
    """Run until ``run.stop``. Raises AddressInUse, AddressError, DatabaseAway, NewerSchema, VaultError."""
    server = settings.gridserver
    listener = listen(server)
    try:
        store = await asyncio.to_thread(GridStore.open, settings, run.paths)
        venue = BitgetVenue(settings, run.paths)
        try:
            parts = Parts(store, venue, settings)
            _told_keys(run, server)
            port = int(listener.getsockname()[1])
            run.ready(url=f"http://{server.host}:{port}", port=port)
            await _live(run, parts, listener)
        finally:
            await venue.close()
            await asyncio.to_thread(store.close)
    finally:
        listener.close()


def _told_keys(run: ServiceRun, server: GridServerSettings) -> None:
    """Without a platform key nobody can add users: said once, with the mend."""
    missing = [name for name, key in (("PLATFORM_API_KEY", server.platform_key), ("ADMIN_API_KEY", server.admin_key))
               if not key.get_secret_value()]
    if missing:
        run.outbox.say(f"The grid server runs without {' and '.join(missing)}.", level="info", key="gridserver-keys",
                       why="Who has no key may add no users and see no sessions.",
                       todo=f"Put {' and '.join(missing)} (16 characters or more) into .env, then "
                            "/service gridserver restart.")


async def _live(run: ServiceRun, parts: Parts, listener: socket.socket) -> None:
    """Server, sender and facts together; one that ends by itself ends the service, and it is started again."""
    server = Server(uvicorn.Config(
        parts.guard, log_config=None, access_log=False, lifespan="off", http=Http, ws="none", proxy_headers=True,
        forwarded_allow_ips="127.0.0.1", server_header=False, timeout_keep_alive=30, limit_concurrency=1000,
        h11_max_incomplete_event_size=32_768, timeout_graceful_shutdown=3))
    http = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    works = [http, asyncio.create_task(parts.sender.run(), name="webhooks"),
             asyncio.create_task(_facts(run, parts), name="facts")]
    stopped = asyncio.create_task(run.stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait({stopped, *works}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            task.result()
            raise RuntimeError(f"{task.get_name()} of the grid server ended by itself")
    finally:
        server.should_exit = True
        for task in (stopped, *works[1:]):
            task.cancel()
        await asyncio.gather(stopped, *works, return_exceptions=True)


async def _facts(run: ServiceRun, parts: Parts) -> None:
    while True:
        try:
            counts = await asyncio.to_thread(parts.store.sessions.counts)
            queue = await asyncio.to_thread(parts.store.events.waiting)
            run.tell(users=sum(counts.values()), running=sum(counts.values()) - counts.get("STOPPED", 0),
                     webhooks_waiting=queue["queued"], webhooks_dead=queue["dead"], webhooks_sent=parts.sender.sent,
                     webhook_failures=parts.sender.failures, turned_away=parts.guard.refused,
                     mistakes=parts.guard.failed, database="")
        except DatabaseAway as problem:
            run.tell(database=str(problem))
        await asyncio.sleep(FACTS_S)


def listen(server: GridServerSettings) -> socket.socket:
    """A listening socket. Raises AddressInUse with the mend."""
    try:
        return listening(server.host, server.port, 512)
    except OSError as problem:
        raise AddressInUse(f"The grid server cannot listen on {server.host} port {server.port}: {problem.strerror}. "
                           "Set SERVER_PORT to a free port (0: any), or GRIDSERVER_HOST to an address of this machine."
                           ) from None
