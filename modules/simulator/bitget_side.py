"""Bitget's wire around one perpetual venue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modules.simulator.dialects.bitget_auth import BitgetGate
from modules.simulator.dialects.bitget_limits import Limits
from modules.simulator.dialects.bitget_wing import BitgetWing
from modules.simulator.dialects.wing import Surroundings
from modules.simulator.fault_wire import Wire
from modules.simulator.side import Side
from modules.simulator.sockets.bitget_feed import BitgetFeed
from modules.simulator.sockets.bitget_hub import BitgetHub
from modules.simulator.sockets.bitget_private import BitgetPrivate

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue


class BitgetSide(Side):
    """Everything of the dialect."""

    root = "/api/v2/"
    sockets = ("/v2/ws/public", "/v2/ws/private")

    def __init__(self, venue: PerpVenue, wire: Wire, around: Surroundings, limits: Limits | None = None) -> None:
        gate = BitgetGate(venue.by_key, around.speed, around.wall_ms)
        self.wing = BitgetWing(venue, gate, wire, around, limits)
        self.hub = BitgetHub(gate, venue.now, around.elapsed, around.speed)
        super().__init__(venue, self.wing, self.hub, BitgetFeed(venue, self.hub))
        self.private = BitgetPrivate(venue, self.hub, self.wing.rounds)
