"""A venue whose every answer the test writes, and which remembers every request."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from modules.exchange.address import Address
from modules.exchange.link import Link
from modules.exchange.settings import ExchangeSettings

START_MS = 1_700_000_000_000


@dataclass
class Reply:
    """What to answer. `drop`: close the connection instead; `hang`: never answer."""

    body: Any = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: bool = False


Handler = Callable[[web.Request], Awaitable[Reply]]


class FakeVenue:
    """Answers by (method, last part of the path); the time is always told."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Reply | list[Reply] | Handler] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._released = asyncio.Event()
        self.set("GET", "time", {"serverTime": START_MS})

    def set(self, method: str, path: str, body: Any = "", **rest: Any) -> None:
        self.answers[(method, path)] = Reply(body, **rest)

    def count(self, method: str, path: str) -> int:
        return sum(1 for m, p, _ in self.requests if (m, p) == (method, path))

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self._released.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api/v3/").removeprefix("/")
        self.requests.append((request.method, path, dict(request.query)))
        self.headers.append(dict(request.headers))
        answer = self.answers.get((request.method, path), Reply({"code": 404, "msg": "none"}, 404))
        if callable(answer):
            answer = await answer(request)
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if answer.hang:
            await self._released.wait()
        if answer.drop or answer.hang:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        return web.Response(status=answer.status, text=text, headers=answer.headers,
                            content_type="text/html" if text.startswith("<") else "application/json")


def settings(**changes: Any) -> ExchangeSettings:
    return ExchangeSettings(**({"name": "mexc", "timeout_s": 0.5} | changes))


async def linked(venue: FakeVenue, speed: float = 1.0, **changes: Any) -> Link:
    """An open link to the fake venue."""

    async def resolve(session: Any) -> Address:
        return Address(venue.url, speed)

    return await Link(settings(base_url=venue.url, **changes), resolve).open()
