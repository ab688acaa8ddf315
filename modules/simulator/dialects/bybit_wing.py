"""REST of one venue of perpetual futures in Bybit's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects.bitget_rounds import Rounds
from modules.simulator.dialects.bybit import BybitDialect
from modules.simulator.dialects.bybit_account import Accounts
from modules.simulator.dialects.bybit_auth import KEY_HEADER, BybitGate
from modules.simulator.dialects.bybit_faults import WORDS, request_class
from modules.simulator.dialects.bybit_limits import BybitLimits, Limits
from modules.simulator.dialects.bybit_orders import Orders
from modules.simulator.dialects.bybit_routes import routes
from modules.simulator.dialects.wing import Surroundings, Wing
from modules.simulator.fault_wire import Wire
from modules.simulator.perp.api import Account, Order

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue


class BybitWing(Wing):
    """Bybit's paths."""

    key_header, words, classify = KEY_HEADER, WORDS, staticmethod(request_class)

    def __init__(
        self, venue: PerpVenue, gate: BybitGate, wire: Wire, around: Surroundings, limits: Limits | None = None
    ) -> None:
        super().__init__(venue, wire, around)
        self.orders = Orders(venue, Rounds(venue))
        self.accounts = Accounts(venue, self.orders)
        self.dialect = BybitDialect(gate, BybitLimits(limits or Limits()), routes(venue, self.orders, self.accounts),
                                    venue.now, around.shift_ms)

    def aimed_at(self, account: Account, params: Mapping[str, Any]) -> Order | None:
        """The order that a request is about."""
        return self.orders.aimed_at(account, params)
