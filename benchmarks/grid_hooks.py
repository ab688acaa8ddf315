"""Webhooks beside `grid_sessions`: a receiver on the last core, and the server's sender on the worker's core."""

import asyncio
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import psutil

ROOM_S = 60.0


def receiver(line: Connection) -> None:
    """Takes every event, checks that it is signed, counts; until the line says anything."""
    import hashlib
    import hmac

    from aiohttp import web

    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    got = {"arrived": 0, "unsigned": 0}

    async def take(request: web.Request) -> web.Response:
        body, stamp = await request.read(), request.headers["X-Webhook-Timestamp"]
        good = hmac.new(b"hook-secret", stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        got["arrived"] += 1
        got["unsigned"] += request.headers["X-Webhook-Signature"] != f"sha256={good}"
        return web.Response()

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/{tail:.*}", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        line.send(runner.addresses[0][1])
        await asyncio.to_thread(line.recv)
        line.send(got)
        await runner.cleanup()

    asyncio.run(main())


def sender(line: Connection, database: str, key: str) -> None:
    """The server's sender over the same database; tells its counts and CPU seconds at the end."""
    from sqlalchemy.engine import make_url

    from modules.gridserver.sender import Sender
    from modules.gridserver.settings import GridServerSettings
    from modules.storage.sql.database import Database
    from modules.strategies.grid.store.store import GridStore
    from utils.vault import Vault

    os.sched_setaffinity(0, {0})

    async def main() -> None:
        store = GridStore(Database(make_url(database), connect_s=30), Vault([key]))
        made = Sender(store, GridServerSettings(webhook_loopback=True, webhook_http=True))
        work = asyncio.create_task(made.run())
        line.send("ready")
        await asyncio.to_thread(line.recv)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        spent = psutil.Process().cpu_times()
        line.send({"sent": made.sent, "failures": made.failures, "queued": store.events.waiting()["queued"],
                   "sender_cpu_s": round(spent.user + spent.system, 1),
                   "sender_mb": round(psutil.Process().memory_info().rss / 2**20)})
        store.close()

    asyncio.run(main())


class Beside:
    """A process of these, and the line to it."""

    def __init__(self, target: Any, *given: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=target, args=(theirs, *given))
        self._process.start()
        self.first = self._told()

    def _told(self) -> Any:
        if not self._line.poll(ROOM_S):
            raise SystemExit("a process of the benchmark does not answer")
        return self._line.recv()

    def end(self) -> Any:
        """What it counted."""
        self._line.send("end")
        found = self._told()
        self._process.join(20)
        return found

    def close(self) -> None:
        if self._process.is_alive():
            self._process.kill()
            self._process.join(5)


@contextmanager
def beside(target: Any, *given: Any) -> Iterator[Beside]:
    """One of them, gone afterwards."""
    one = Beside(target, *given)
    try:
        yield one
    finally:
        one.close()
