"""Bybit's wire around one perpetual venue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modules.simulator.dialects.bybit_auth import BybitGate
from modules.simulator.dialects.bybit_limits import Limits
from modules.simulator.dialects.bybit_wing import BybitWing
from modules.simulator.dialects.wing import Surroundings
from modules.simulator.fault_wire import Wire
from modules.simulator.side import Side
from modules.simulator.sockets.bybit_feed import BybitFeed
from modules.simulator.sockets.bybit_hub import BybitHub
from modules.simulator.sockets.bybit_private import BybitPrivate

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue


class BybitSide(Side):
    """Everything of the dialect."""

    root = "/v5/"
    sockets = ("/v5/public/linear", "/v5/private")

    def __init__(self, venue: PerpVenue, wire: Wire, around: Surroundings, limits: Limits | None = None) -> None:
        gate = BybitGate(venue.by_key, around.speed, around.wall_ms)
        self.wing = BybitWing(venue, gate, wire, around, limits)
        self.hub = BybitHub(gate, venue.now, around.elapsed, around.speed, around.shift_ms)
        super().__init__(venue, self.wing, self.hub, BybitFeed(venue, self.hub))
        self.private = BybitPrivate(venue, self.hub, self.wing.orders, self.wing.accounts)
