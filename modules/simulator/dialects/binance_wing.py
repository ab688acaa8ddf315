"""REST of one venue of perpetual futures in Binance's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects.binance import KEY_HEADER, BinanceDialect
from modules.simulator.dialects.binance_account import Keys
from modules.simulator.dialects.binance_auth import BinanceGate
from modules.simulator.dialects.binance_faults import WORDS, request_class
from modules.simulator.dialects.binance_orders import Orders
from modules.simulator.dialects.binance_routes import routes
from modules.simulator.dialects.binance_weights import BinanceWeights, Limits
from modules.simulator.dialects.wing import Surroundings, Wing
from modules.simulator.fault_wire import Wire
from modules.simulator.perp.api import Account, Order

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue


class BinanceWing(Wing):
    """Binance's paths."""

    key_header, words, classify = KEY_HEADER, WORDS, staticmethod(request_class)

    def __init__(
        self, venue: PerpVenue, gate: BinanceGate, keys: Keys, wire: Wire, around: Surroundings,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(venue, wire, around)
        limits = limits or Limits()
        self._orders = Orders(venue)
        weights = BinanceWeights(limits, around.speed)
        self.dialect = BinanceDialect(gate, weights, routes(venue, keys, limits), venue.now, around.shift_ms)

    def aimed_at(self, account: Account, params: Mapping[str, Any]) -> Order | None:
        """The order that a request is about."""
        return self._orders.aimed_at(account, params)
