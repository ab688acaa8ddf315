"""The simulator's own endpoints below /sim/: no part of the exchange, never touched by faults."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from aiohttp import web

from modules.simulator.acts import Act, ActError
from modules.simulator.fault_plan import FaultPlan, PlanError
from modules.simulator.journal import truth

if TYPE_CHECKING:
    from modules.simulator.server import Simulator


class Own:
    """Status, truth, fault plan and acts of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def add_to(self, app: web.Application) -> None:
        """Put the endpoints into an application."""
        app.router.add_get("/sim/status", self.status)
        app.router.add_get("/sim/truth", self.truth)
        app.router.add_get("/sim/faults", self.get_faults)
        app.router.add_post("/sim/faults", self.set_faults)
        app.router.add_post("/sim/act", self.act)

    async def status(self, request: web.Request) -> web.Response:
        """Which market this is, how late it is there, what was injected."""
        sim = self._simulator
        market_ms = sim.clock.now()
        sim.lease(market_ms)
        return web.json_response({
            "market_ms": market_ms, "speed": sim.options.speed, "seed": sim.options.seed,
            "tokens": sim.options.tokens, "pairs": len(sim.venue.pairs.listed(market_ms)), "pid": os.getpid(),
            "port": sim.port, "started_market_ms": sim.clock.start_ms, "market": sim.venue.source.describe(),
            "dialect": "mexc", "ends_ms": sim.venue.source.last_ms(), "faults": sim.faults.counts(),
            "futures": futures.status() if (futures := sim.door.futures) is not None else None,
        })

    async def truth(self, request: web.Request) -> web.Response:
        """What the venue holds to be true."""
        venue, market_ms = self._simulator.venue, self._simulator.clock.now()
        venue.advance(market_ms)
        return web.json_response({
            "market_ms": market_ms,
            "accounts": truth(venue.accounts.values(), venue.orders.values(), venue.fills, venue.transfers),
            "futures": futures.venue.truth() if (futures := self._simulator.door.futures) is not None else None,
        })

    async def get_faults(self, request: web.Request) -> web.Response:
        """The fault plan and its counters."""
        return web.json_response(self._simulator.faults.describe())

    async def set_faults(self, request: web.Request) -> web.Response:
        """Take another fault plan; 400 where it cannot be used, then the old one stays."""
        try:
            self._simulator.faults.replace(FaultPlan.parse(await _content(request), "request"))
        except (PlanError, ValueError, RecursionError) as problem:
            return web.json_response({"error": str(problem)}, status=400)
        return await self.get_faults(request)

    async def act(self, request: web.Request) -> web.Response:
        """Do something to the venue; 400 where it cannot be understood, 409 where it cannot be done."""
        try:
            data = await _content(request)
            if isinstance(data, dict) and data.pop("futures", None):
                return self._futures_act(data)
            act = Act.parse(data)
        except (ActError, ValueError, RecursionError) as problem:
            return web.json_response({"error": str(problem)}, status=400)
        try:
            self._simulator.faults.act(act, "request")
        except ActError as problem:
            return web.json_response({"error": str(problem)}, status=409)
        return web.json_response({"done": act.model_dump(mode="json", exclude_unset=True)})

    def _futures_act(self, data: dict[str, Any]) -> web.Response:
        """An act marked `"futures": true`."""
        from modules.simulator.perp.acts import PerpAct  # loaded for those who use futures

        PerpAct.parse(data)
        try:
            return web.json_response({"done": self._simulator.door.act(data)})
        except ActError as problem:
            return web.json_response({"error": str(problem)}, status=409)


async def _content(request: web.Request) -> Any:
    return json.loads(await request.text())
