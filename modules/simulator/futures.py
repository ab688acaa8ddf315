"""Perpetual futures of a simulator: the venue, its REST and its sockets on the same port, stepped by the wall clock."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from aiohttp import web

from modules.simulator.acts import ActError
from modules.simulator.bitget_side import BitgetSide
from modules.simulator.bybit_side import BybitSide
from modules.simulator.clock import VenueClock
from modules.simulator.dialects.binance_auth import BinanceGate
from modules.simulator.dialects.binance_wing import BinanceWing
from modules.simulator.dialects.bitget_auth import bitget_accounts
from modules.simulator.dialects.bitget_limits import Limits
from modules.simulator.dialects.bybit_auth import bybit_accounts
from modules.simulator.dialects.wing import Surroundings
from modules.simulator.fault_wire import Wire
from modules.simulator.faults import Faults
from modules.simulator.perp.acts import PerpAct
from modules.simulator.perp.api import Account
from modules.simulator.perp.venue import KeptError, PerpVenue
from modules.simulator.settings import SimulatorSettings
from modules.simulator.sockets.faults import StreamFaults
from modules.simulator.sockets.feed import MarketFeed
from modules.simulator.sockets.hub import Hub
from modules.simulator.sockets.live import PerpFeed, PerpSource
from modules.simulator.sockets.routes import Routes
from modules.simulator.sockets.user_stream import UserStreams
from utils.wall import now_ms as wall_ms

REST = ("/fapi/", "/futures/data/", "/sapi/")
LOOK_S = 0.02  # how often the market is looked after, wall seconds
CHECK_S = 0.5


class FuturesError(Exception):
    """The futures cannot start; the message says why and what to do."""


def futures_accounts(bitget_users: int = 0) -> list[Account]:
    """The same keys as on the spot side; behind Bitget's and Bybit's wires they are accounts of their own."""
    return [
        Account("trader", "sim-key", "sim-secret"), Account("withdrawer", "sim-withdraw-key", "sim-withdraw-secret"),
        *bitget_accounts(bitget_users), *bybit_accounts()]


class Futures:
    """One perpetual venue with Binance USD-M's wire. Raises FuturesError."""

    def __init__(
        self, options: SimulatorSettings, clock: VenueClock, faults: Faults, wire: Wire, *,
        shift_ms: Callable[[], int], outage: Callable[[], bool], before: Callable[[], None],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._elapsed = elapsed
        state = options.state / "futures" if options.state is not None else None
        try:
            self.venue = PerpVenue(
                options.futures, options.seed, clock.now, futures_accounts(options.bitget_users), speed=options.speed,
                start_usdt=Decimal(str(options.start_usdt)), state=state)
        except (KeptError, ActError, OSError) as problem:
            raise FuturesError(f"futures: {problem}") from problem
        source = PerpSource(self.venue)
        self.feed = MarketFeed(source)
        self.hub = Hub(self.feed, clock.now, elapsed, options.speed)
        self.feed.publish = self.hub.publish
        self._perp_feed = PerpFeed(source, self.feed)
        self.stream_faults = StreamFaults(self.hub)
        self.stream_faults.expire = self.hub.keys.expire_now
        self.stream_faults.snapshot = self._snapshot
        self.stream_faults.symbols = tuple(self.venue.by_symbol)
        self._told: list[tuple[str, str, bytes]] = []  # users' events, sent once they are durable
        users = UserStreams(
            self.venue, lambda *event: self._told.append(event), lambda name: bool(self.hub.connections))
        self.venue.listeners += [self._perp_feed, users]
        self.venue.after_commit.append(self._send_told)
        around = Surroundings(
            options.speed, wall_ms if options.accept_wall_time else None, shift_ms, outage, before, elapsed)
        gate = BinanceGate(self.venue.by_key, around.speed, around.wall_ms)
        self.wing = BinanceWing(self.venue, gate, self.hub.keys, wire, around)
        self.bitget = BitgetSide(self.venue, wire, around, Limits(address_1m=options.bitget_calls))
        self.bybit = BybitSide(self.venue, wire, around)
        self.stream_faults.also += [self.bitget.faults, self.bybit.faults]
        faults.attach(self.stream_faults)
        self.routes = Routes(self.hub)
        self._checked = elapsed()

    def _send_told(self) -> None:
        told, self._told = self._told, []
        for account, event, data in told:
            self.hub.to_account(account, event, data)

    # -- the wire ----------------------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """A request to one of the futures' paths."""
        path = request.path
        if path == "/sim/book":
            return self._book(request)
        if path == "/fapi/v1/depth" and request.method == "GET":
            return await self._depth(request)
        if path.startswith(REST):
            return await self.wing.serve(request)
        if BitgetSide.owns(path):
            return await self.bitget.serve(request)
        if BybitSide.owns(path):
            return await self.bybit.serve(request)
        return await self.routes.open(request)

    async def _depth(self, request: web.Request) -> web.StreamResponse:
        """The snapshot; an older one where the fault plan says so."""
        if self.stream_faults.active:
            limit = request.query.get("limit", "500")
            old = self.stream_faults.old_snapshot(
                request.query.get("symbol", ""), int(limit) if limit.isdigit() else 500)
            if old is not None:
                return web.Response(body=old, content_type="application/json")
        return await self.wing.serve(request)

    def _book(self, request: web.Request) -> web.Response:
        """The book as it truly is, faults or not: what every client's has to equal at the same update id."""
        symbol, limit = request.query.get("symbol", ""), request.query.get("limit", "1000")
        body = self._snapshot(symbol, int(limit) if limit.isdigit() else 1000)
        if body is None:
            return web.json_response({"error": f"no book of '{symbol}'"}, status=404)
        return web.Response(body=body, content_type="application/json")

    def _snapshot(self, symbol: str, limit: int) -> bytes | None:
        index = self.venue.by_symbol.get(symbol)
        if index is None:
            return None
        spec, ms = self.venue.specs[index], self.venue.now()
        last, bids, asks = self.venue.depth(index, limit)
        sides = {
            name: [[f"{tick * spec.tick:f}", f"{steps * spec.step:f}"] for tick, steps in levels]
            for name, levels in (("bids", bids), ("asks", asks))}
        return json.dumps({"lastUpdateId": last, "E": ms, "T": ms, **sides}, separators=(",", ":")).encode()

    # -- /sim/ -------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """For /sim/status."""
        venue = self.venue
        return {
            "dialect": "binance_usdm", "contracts": len(venue.by_symbol), "slice_ms": venue.slice_ms,
            "market_ms": venue.market.ms, "sockets": self.hub.describe(),
            "bitget_sockets": self.bitget.describe(), "bybit_sockets": self.bybit.describe()}

    def act(self, data: dict[str, Any]) -> dict[str, Any]:
        """Do an act. Raises ActError."""
        act = PerpAct.parse(data)
        self.venue.deeds.do(act)
        self.hub.flush()
        return act.model_dump(mode="json", exclude_unset=True)

    # -- time --------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Advance the market to now and send what it said. Raises OSError where the disk failed."""
        if self.venue.broken is not None:
            raise self.venue.broken
        venue = self.venue
        before = venue.market.ms
        venue.step()
        if venue.market.ms != before:
            self._perp_feed.step(venue.market.ms)
            self.bitget.step(venue.market.ms)
            self.bybit.step(venue.market.ms)
        self.hub.flush()
        now = self._elapsed()
        if now - self._checked >= CHECK_S:
            self._checked = now
            self.hub.check()
            self.bitget.hub.check()
            self.bybit.hub.check()
        elif self.stream_faults.active:
            self.stream_faults.check()
            self.hub.flush()

    async def run(self, stop: asyncio.Event) -> None:
        """Look after the market until `stop`. Raises OSError where the disk failed."""
        while not stop.is_set():
            self.step()
            try:
                await asyncio.wait_for(stop.wait(), LOOK_S)
            except TimeoutError:
                continue

    async def close(self) -> None:
        """End the sockets, keep the market, release files."""
        await self.hub.close()
        await self.bitget.hub.close()
        await self.bybit.hub.close()
        self.venue.close()
