"""`bot.py simulate --replay FILE` for raw frames: the recording on Binance USD-M's sockets and REST, one port."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable

from aiohttp import web

from modules.simulator.acts import Act, ActError
from modules.simulator.clock import VenueClock
from modules.simulator.fault_plan import FaultPlan, PlanError
from modules.simulator.faults import Faults
from modules.simulator.listening import StartError, listen
from modules.simulator.raw_replay import RawReplay
from modules.simulator.raw_replay_reader import RecordingError
from modules.simulator.raw_replay_rest import ReplayRest
from modules.simulator.server import Simulator
from modules.simulator.settings import SimulatorSettings
from modules.simulator.sockets.faults import StreamFaults
from modules.simulator.sockets.feed import MarketFeed
from modules.simulator.sockets.hub import Hub
from modules.simulator.sockets.routes import Routes

log = logging.getLogger(__name__)
TICK_S = 0.02  # how often what is due is played, wall seconds
CHECK_S = 0.5


class ReplayServer:
    """A recording put together with its clock, its wire and its faults."""

    def __init__(
        self, options: SimulatorSettings, plan: FaultPlan, *, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        assert options.replay is not None
        self.options, self.port = options, 0
        self._elapsed = elapsed
        try:
            self.replay = RawReplay.load(options.replay)
        except RecordingError as problem:
            raise StartError(str(problem)) from problem
        self.clock = VenueClock(self.replay.start_ms, options.speed, elapsed)
        self.feed = MarketFeed(self.replay, native=self.replay.native, slice_ms=0)
        self.hub = Hub(self.feed, self.clock.now, elapsed, options.speed)
        self.feed.publish = self.hub.publish
        self.replay.connect(self.feed, self.hub.publish)
        self.feed.step(self.replay.now_ms)
        self.stream_faults = StreamFaults(self.hub)
        self.stream_faults.expire = self.hub.keys.expire_now
        self.rest = ReplayRest(self.replay, self.clock.now, self.stream_faults)
        self.stream_faults.snapshot = self.rest.snapshot
        self.stream_faults.symbols = tuple(self.replay.symbols)
        self.faults = Faults(
            plan, elapsed=elapsed, market_ms=self.clock.now, orders=lambda: 0, note=lambda row: None, act=_no_act)
        self.faults.attach(self.stream_faults)
        self._checked = elapsed()

    def app(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application()
        Routes(self.hub).add_to(app)
        self.rest.add_to(app)
        app.router.add_get("/sim/status", self._status)
        app.router.add_get("/sim/book", self._book)
        app.router.add_get("/sim/faults", self._faults)
        app.router.add_post("/sim/faults", self._set_faults)
        app.router.add_post("/sim/act", self._act)
        return app

    def step(self) -> None:
        """Play what is due, send it, look after the connections."""
        self.faults.check_events()
        self.replay.advance(self.clock.now())
        self.hub.flush()
        now = self._elapsed()
        if now - self._checked >= CHECK_S:
            self._checked = now
            self.hub.check()
        elif self.stream_faults.active:
            self.stream_faults.check()
            self.hub.flush()

    async def run(self, stop: asyncio.Event) -> None:
        """Play until `stop`."""
        while not stop.is_set():
            self.step()
            try:
                await asyncio.wait_for(stop.wait(), TICK_S)
            except TimeoutError:
                continue

    # -- the simulator's own paths -------------------------------------------------------------------------

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response({
            "market_ms": self.clock.now(), "speed": self.options.speed, "pid": os.getpid(), "port": self.port,
            "started_market_ms": self.clock.start_ms, "market": f"raw frames {self.replay.name}",
            "dialect": "binance_usdm", "replay": self.replay.describe(), "sockets": self.hub.describe(),
            "faults": self.faults.counts()})

    async def _book(self, request: web.Request) -> web.Response:
        """The book as it truly is, faults or not: what every client's has to equal at the same update id."""
        symbol = request.query.get("symbol", "")
        limit = request.query.get("limit", "1000")
        body = self.rest.snapshot(symbol, int(limit) if limit.isdigit() else 1000)
        if body is None:
            return web.json_response({"error": f"no book of '{symbol}'"}, status=404)
        return web.Response(body=body, content_type="application/json")

    async def _faults(self, request: web.Request) -> web.Response:
        return web.json_response(self.faults.describe())

    async def _set_faults(self, request: web.Request) -> web.Response:
        try:
            self.faults.replace(FaultPlan.parse(await request.json(), "request"))
        except (PlanError, ValueError, RecursionError) as problem:
            return web.json_response({"error": str(problem)}, status=400)
        return await self._faults(request)

    async def _act(self, request: web.Request) -> web.Response:
        try:
            act = Act.parse(await request.json())
        except (ActError, ValueError, RecursionError) as problem:
            return web.json_response({"error": str(problem)}, status=400)
        try:
            self.faults.act(act, "request")
        except ActError as problem:
            return web.json_response({"error": str(problem)}, status=409)
        self.hub.flush()
        return web.json_response({"done": act.model_dump(mode="json", exclude_unset=True)})


def _no_act(act: Act) -> None:
    raise ActError(f"{act.action}: a replay of raw frames has no accounts and no orders; only acts on sockets")


async def serve_replay(options: SimulatorSettings, ready: Callable[[int], None], stop: asyncio.Event) -> None:
    """Play a recording until `stop`; `ready` gets the port. Raises StartError."""
    server = ReplayServer(options, Simulator.fault_plan(options))
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=2.0)
    try:
        server.port = await listen(runner, options.host, options.port)
        ready(server.port)
        await server.run(stop)
    finally:
        await runner.cleanup()
