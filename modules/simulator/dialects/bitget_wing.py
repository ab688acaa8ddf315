"""The paths of Bitget in the simulator's HTTP server: requests meet the faults, then the dialect."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aiohttp import web

from modules.simulator.dialects.bitget import BitgetDialect
from modules.simulator.dialects.bitget_auth import BitgetGate
from modules.simulator.dialects.bitget_faults import WORDS, request_class
from modules.simulator.dialects.bitget_limits import BitgetLimits, Limits
from modules.simulator.dialects.bitget_orders import Orders
from modules.simulator.dialects.bitget_presets import Presets
from modules.simulator.dialects.bitget_rounds import Rounds
from modules.simulator.dialects.bitget_routes import routes
from modules.simulator.dialects.mexc import Reply
from modules.simulator.fault_plan import READS
from modules.simulator.fault_wire import Aim, Hands, Wire
from modules.simulator.faults import Asked
from modules.simulator.perp_past import PerpPast

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

_LAGGING = tuple(name for name in READS if name != "data")
PATHS = (
    "/api/v2/mix/{path:.*}", "/api/v2/public/{path:.*}", "/api/v2/spot/{path:.*}", "/api/v2/margin/{path:.*}",
    "/api/v2/common/{path:.*}")


class BitgetWing:
    """REST of one venue of perpetual futures in Bitget's words."""

    def __init__(
        self, venue: PerpVenue, gate: BitgetGate, wire: Wire, *, speed: float, limits: Limits | None = None,
        shift_ms: Callable[[], int] = lambda: 0, outage: Callable[[], bool] = lambda: False,
        before: Callable[[], None] = lambda: None, elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """`before` is called ahead of every execution (the server's lease of market time)."""
        self._past = PerpPast(venue, elapsed, speed)
        venue.listeners.append(self._past)
        self.presets = Presets(venue)
        self.rounds = Rounds(venue)
        self._venue, self._wire, self._outage, self._before = venue, wire, outage, before
        self._orders = Orders(venue)
        counts = BitgetLimits(limits or Limits(), speed)
        self.dialect = BitgetDialect(gate, counts, routes(venue, self.rounds), venue.now, shift_ms)

    def add_to(self, app: web.Application) -> None:
        """Put the paths into an application."""
        for path in PATHS:
            app.router.add_route("*", path, self.serve)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, with what the fault plan does to it."""
        path, _, query = request.raw_path.partition("?")
        body = (await request.read()).decode("utf-8", "replace")

        async def execute(lag_s: float = 0.0) -> Reply:
            self._before()
            seen = self._past.view(lag_s) if lag_s else None
            return await self.dialect.handle(
                request.method, path, query, body, request.headers, request.remote or "?", seen)

        params = self.dialect.params_of(request.method, query, body)
        symbol = params.get("symbol")
        asked = Asked(request.method, path, request_class(request.method, path),
                      symbol if isinstance(symbol, str) else None)
        key = request.headers.get("ACCESS-KEY")
        hands = Hands(lambda: self._aim(params, key), self._outage, WORDS, _LAGGING)
        return await self._wire.answer(request, asked, hands, execute)

    def _aim(self, params: dict[str, Any], key: str | None) -> Aim | None:
        """The order that a request is about, in the hands of the faults."""
        account = self.dialect.gate.owner(key)
        order = self._orders.aimed_at(account, params) if account is not None else None
        if order is None:
            return None

        def fill(share: Decimal) -> bool:
            return self._venue.fill_share(order, share)

        return Aim(fill, lambda: order.status.final)
