"""A futures dialect in the simulator's HTTP server: requests meet the faults, then the dialect."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aiohttp import web

from modules.simulator.dialects.call import Request
from modules.simulator.dialects.dialect import Dialect
from modules.simulator.dialects.reply import Reply
from modules.simulator.fault_plan import READS
from modules.simulator.fault_wire import Aim, Hands, Wire
from modules.simulator.fault_words import Classify, Words
from modules.simulator.faults import Asked
from modules.simulator.perp.api import Account, Order
from modules.simulator.perp_past import PerpPast

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

_LAGGING = tuple(name for name in READS if name != "data")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the server gives to a wire. `elapsed` tells wall seconds."""

    speed: float
    wall_ms: Callable[[], int] | None = None  # requests that are stamped by this clock are let in as well
    shift_ms: Callable[[], int] = lambda: 0  # how wrong the venue tells its time
    outage: Callable[[], bool] = lambda: False
    before: Callable[[], None] = lambda: None  # called ahead of every execution (the server's lease of market time)
    elapsed: Callable[[], float] = time.monotonic


class Wing(ABC):
    """REST of one venue of perpetual futures in a dialect's words. Subclasses make `dialect`."""

    key_header: str
    words: Words
    classify: Classify
    dialect: Dialect

    def __init__(self, venue: PerpVenue, wire: Wire, around: Surroundings) -> None:
        self._past = PerpPast(venue, around.elapsed, around.speed)
        venue.listeners.append(self._past)
        self._venue, self._wire, self._around = venue, wire, around

    @abstractmethod
    def aimed_at(self, account: Account, params: Mapping[str, Any]) -> Order | None:
        """The order that a request is about (of all orders of a contract one that is open)."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, with what the fault plan does to it."""
        path, _, query = request.raw_path.partition("?")
        body = (await request.read()).decode("utf-8", "replace")
        asking = Request(request.method, path, query, body, request.headers, request.remote or "?")

        async def execute(lag_s: float = 0.0) -> Reply:
            self._around.before()
            return await self.dialect.handle(asking, self._past.view(lag_s) if lag_s else None)

        params = self.dialect.params_of(asking)
        symbol = params.get("symbol")
        asked = Asked(request.method, path, self.classify(request.method, path),
                      symbol if isinstance(symbol, str) else None)
        key = request.headers.get(self.key_header)
        hands = Hands(lambda: self._aim(params, key), self._around.outage, self.words, _LAGGING)
        return await self._wire.answer(request, asked, hands, execute)

    def _aim(self, params: dict[str, Any], key: str | None) -> Aim | None:
        """The order that a request is about, in the hands of the faults."""
        account = self.dialect.owner(key)
        order = self.aimed_at(account, params) if account is not None else None
        if order is None:
            return None

        def fill(share: Decimal) -> bool:
            return self._venue.fill_share(order, share)

        return Aim(fill, lambda: order.status.final)
