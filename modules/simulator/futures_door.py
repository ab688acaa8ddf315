"""The futures' paths of a simulator; what is behind them is made when somebody first asks, and costs nothing before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from modules.simulator.futures import Futures

log = logging.getLogger(__name__)
_REST = ("/fapi/{path:.*}", "/futures/data/{path:.*}", "/sapi/{path:.*}", "/api/v2/{path:.*}", "/v5/{path:.*}")
_FAMILIES = ("/public", "/market", "/private", "")
_BITGET_SOCKETS = ("/v2/ws/public", "/v2/ws/private")
_SOCKETS = ("/ws", "/ws/{streams:.*}", "/stream")


class FuturesDoor:
    """`make` builds the futures."""

    def __init__(self, make: Callable[[], Futures]) -> None:
        self._make = make
        self.futures: Futures | None = None
        self._opened = asyncio.Event()

    def open(self) -> Futures:
        """The futures, made at the first call. Raises FuturesError."""
        if self.futures is None:
            self.futures = self._make()
            self._opened.set()
            log.info("futures: %d contracts opened", len(self.futures.venue.by_symbol))
        return self.futures

    def orders(self) -> int:
        """How many orders the futures have taken, 0 where nobody has asked for them."""
        return len(self.futures.venue.ledger.orders) if self.futures is not None else 0

    def add_to(self, app: web.Application) -> None:
        """Put the paths into an application."""
        for path in _REST:
            app.router.add_route("*", path, self._serve)
        for family in _FAMILIES:
            for path in _SOCKETS:
                app.router.add_get(family + path, self._serve)
        for path in _BITGET_SOCKETS:
            app.router.add_get(path, self._serve)
        app.router.add_get("/sim/book", self._serve)
        app.on_shutdown.append(self._on_shutdown)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        return await self.open().serve(request)

    async def _on_shutdown(self, app: web.Application) -> None:
        if self.futures is not None:
            await self.futures.close()

    def act(self, data: dict[str, Any]) -> dict[str, Any]:
        """Do an act to the futures. Raises ActError."""
        return self.open().act(data)

    async def run(self, stop: asyncio.Event) -> None:
        """Look after the futures once they are open, until `stop`. Raises OSError where their disk failed."""
        opened, ended = asyncio.create_task(self._opened.wait()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((opened, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            opened.cancel()
            ended.cancel()
        if self.futures is not None:
            await self.futures.run(stop)
