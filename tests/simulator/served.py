"""A perpetuals venue that serves on a free port, and the hand on its clock: what the tests of all dialects share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web

from modules.simulator.dialects.wing import Surroundings
from modules.simulator.fault_plan import FaultPlan
from modules.simulator.faults import Faults
from modules.simulator.perp.api import Account
from modules.simulator.perp.venue import PerpVenue

START_MS = 1_770_000_000_000


class Stage:
    """A venue of three contracts and its faults, before anything serves them."""

    def __init__(self, accounts: list[Account]) -> None:
        self.clock = [START_MS]
        self.venue = PerpVenue(3, 1, lambda: self.clock[0], accounts)
        self.faults = Faults(
            FaultPlan.empty(), elapsed=self.seconds, market_ms=lambda: self.clock[0], orders=lambda: 0,
            note=lambda row: None, act=lambda act: None)
        self.around = Surroundings(1.0, elapsed=self.seconds)

    def seconds(self) -> float:
        """The clock as wall seconds."""
        return self.clock[0] / 1000.0


async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> tuple[web.AppRunner, str]:
    """Serve every path; what has to be cleaned up, and the address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@dataclass(kw_only=True)
class Served:
    """A venue that serves, and the hand on its clock."""

    stage: Stage
    base: str
    session: ClientSession
    clients: list[Any] = field(default_factory=list)

    @property
    def venue(self) -> PerpVenue:
        """The venue behind the wire."""
        return self.stage.venue

    @property
    def faults(self) -> Faults:
        """What may go wrong."""
        return self.stage.faults

    @property
    def clock(self) -> list[int]:
        """Market time, ms, in a list of one."""
        return self.stage.clock

    def plan(self, *rules: dict[str, Any]) -> None:
        """Take a fault plan."""
        self.faults.replace(FaultPlan.parse({"rules": list(rules)}, "test"))

    def price(self, factor: float = 1.0) -> str:
        """BTC's mark price times a factor, on its tick."""
        spec = self.venue.specs[0]
        ticks = int(float(self.venue.market.marks.mark[0]) * factor / float(spec.tick))
        return f"{spec.price(ticks):.{spec.price_precision}f}"
