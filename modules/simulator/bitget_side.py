"""Bitget's wire around one perpetual venue: REST and sockets together, as the server and tests use them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from modules.simulator.dialects.bitget_auth import BitgetGate
from modules.simulator.dialects.bitget_limits import Limits
from modules.simulator.dialects.bitget_wing import BitgetWing
from modules.simulator.fault_wire import Wire
from modules.simulator.sockets.bitget_feed import BitgetFeed
from modules.simulator.sockets.bitget_hub import BitgetHub
from modules.simulator.sockets.bitget_private import BitgetPrivate

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

REST, SOCKETS = "/api/v2/", "/v2/ws/"


class BitgetSide:
    """Everything of the dialect. `wall_ms` also lets requests in that are stamped by that clock."""

    def __init__(
        self, venue: PerpVenue, wire: Wire, *, speed: float, wall_ms: Callable[[], int] | None = None,
        limits: Limits | None = None, shift_ms: Callable[[], int] = lambda: 0,
        outage: Callable[[], bool] = lambda: False, before: Callable[[], None] = lambda: None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        gate = BitgetGate(venue.by_key, speed, wall_ms)
        self.wing = BitgetWing(
            venue, gate, wire, speed=speed, limits=limits, shift_ms=shift_ms, outage=outage, before=before,
            elapsed=elapsed)
        self.hub = BitgetHub(gate, venue.now, elapsed, speed)
        self.feed = BitgetFeed(venue, self.hub)
        self.hub.feed = self.feed
        venue.listeners.append(self.feed)
        self.private = BitgetPrivate(venue, self.hub, self.wing.rounds)

    @staticmethod
    def owns(path: str) -> bool:
        """Whether a path is one of this wire."""
        return path.startswith((REST, SOCKETS))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """A request to one of its paths."""
        if request.path.startswith(SOCKETS):
            return await self.hub.open(request)
        return await self.wing.serve(request)

    def step(self, ms: int) -> None:
        """The market went on to `ms`: tell what is due."""
        self.feed.step(ms)
        self.hub.flush()

    def describe(self) -> dict[str, Any]:
        """For /sim/status."""
        return self.hub.describe()
