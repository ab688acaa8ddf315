"""The paths of Binance USD-M in the simulator's HTTP server: requests meet the faults, then the dialect."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from aiohttp import web

from modules.simulator.dialects.binance import BinanceDialect
from modules.simulator.dialects.binance_account import Keys
from modules.simulator.dialects.binance_auth import BinanceGate
from modules.simulator.dialects.binance_faults import WORDS, request_class
from modules.simulator.dialects.binance_orders import Orders
from modules.simulator.dialects.binance_routes import routes
from modules.simulator.dialects.binance_weights import BinanceWeights, Limits
from modules.simulator.dialects.mexc import Reply
from modules.simulator.fault_plan import READS
from modules.simulator.fault_wire import Aim, Hands, Wire
from modules.simulator.faults import Asked
from modules.simulator.perp_past import PerpPast

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

_LAGGING = tuple(name for name in READS if name != "data")
PATHS = ("/fapi/{path:.*}", "/futures/data/{path:.*}", "/sapi/{path:.*}")


class BinanceWing:
    """REST of one venue of perpetual futures in Binance's words."""

    def __init__(
        self, venue: PerpVenue, gate: BinanceGate, keys: Keys, wire: Wire, *, speed: float,
        limits: Limits | None = None, shift_ms: Callable[[], int] = lambda: 0,
        outage: Callable[[], bool] = lambda: False, before: Callable[[], None] = lambda: None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """`before` is called ahead of every execution (the server's lease of market time)."""
        self._past = PerpPast(venue, elapsed, speed)
        venue.listeners.append(self._past)
        limits = limits or Limits()
        self._venue, self._wire, self._outage, self._before = venue, wire, outage, before
        self._orders = Orders(venue)
        weights = BinanceWeights(limits, speed)
        self.dialect = BinanceDialect(gate, weights, routes(venue, keys, limits), venue.now, shift_ms)

    def add_to(self, app: web.Application) -> None:
        """Put the paths into an application."""
        for path in PATHS:
            app.router.add_route("*", path, self.serve)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, with what the fault plan does to it."""
        path, _, query = request.raw_path.partition("?")
        body = (await request.read()).decode("utf-8", "replace")
        key = request.headers.get("X-MBX-APIKEY")

        async def execute(lag_s: float = 0.0) -> Reply:
            self._before()
            seen = self._past.view(lag_s) if lag_s else None
            return await self.dialect.handle(request.method, path, query, body, key, request.remote or "?", seen)

        params = self.dialect.params_of(query, body)
        asked = Asked(request.method, path, request_class(request.method, path), params.get("symbol"))
        hands = Hands(lambda: self._aim(params, key), self._outage, WORDS, _LAGGING)
        return await self._wire.answer(request, asked, hands, execute)

    def _aim(self, params: dict[str, str], key: str | None) -> Aim | None:
        """The order that a request is about, in the hands of the faults."""
        account = self.dialect.holder(key)
        order = self._orders.aimed_at(account, params) if account is not None else None
        if order is None:
            return None

        def fill(share: Decimal) -> bool:
            return self._venue.fill_share(order, share)

        return Aim(fill, lambda: order.status.final)
