"""REST of one venue of perpetual futures in Bitget's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects.bitget import BitgetDialect
from modules.simulator.dialects.bitget_auth import KEY_HEADER, BitgetGate
from modules.simulator.dialects.bitget_faults import WORDS, request_class
from modules.simulator.dialects.bitget_limits import BitgetLimits, Limits
from modules.simulator.dialects.bitget_orders import Orders
from modules.simulator.dialects.bitget_presets import Presets
from modules.simulator.dialects.bitget_rounds import Rounds
from modules.simulator.dialects.bitget_routes import routes
from modules.simulator.dialects.wing import Surroundings, Wing
from modules.simulator.fault_wire import Wire
from modules.simulator.perp.api import Account, Order

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue


class BitgetWing(Wing):
    """Bitget's paths."""

    key_header, words, classify = KEY_HEADER, WORDS, staticmethod(request_class)

    def __init__(
        self, venue: PerpVenue, gate: BitgetGate, wire: Wire, around: Surroundings, limits: Limits | None = None
    ) -> None:
        super().__init__(venue, wire, around)
        self.presets = Presets(venue)
        self.rounds = Rounds(venue)
        self._orders = Orders(venue)
        counts = BitgetLimits(limits or Limits(), around.speed)
        self.dialect = BitgetDialect(gate, counts, routes(venue, self.rounds), venue.now, around.shift_ms)

    def aimed_at(self, account: Account, params: Mapping[str, Any]) -> Order | None:
        """The order that a request is about."""
        return self._orders.aimed_at(account, params)
