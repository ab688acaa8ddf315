"""A perpetuals venue behind Bybit's paths and sockets, on a free port, with a clock that tests move by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, ClientWebSocketResponse, web
from yarl import URL

from modules.simulator.bybit_side import BybitSide
from modules.simulator.dialects.bybit_auth import bybit_accounts, signature
from modules.simulator.dialects.bybit_limits import Limits
from modules.simulator.fault_wire import Wire
from modules.simulator.perp.api import Account
from tests.simulator.served import Served, Stage, serving

BTC = {"category": "linear", "symbol": "BTCUSDT"}
WINDOW = "5000"


@dataclass(kw_only=True)
class Bybit(Served):
    """A venue that serves, and the hand on its clock."""

    side: BybitSide

    @property
    def trader(self) -> Account:
        """The account of `sim-key`."""
        return self.venue.accounts["bybit"]

    def pass_ms(self, ms: int) -> None:
        """Let market time pass, in slices as the server does."""
        until = self.clock[0] + ms
        while self.clock[0] < until:
            self.clock[0] = min(until, self.clock[0] + 100)
            self.venue.step()
            self.side.step(self.venue.market.ms)

    def headers(self, payload: str, **changes: str) -> dict[str, str]:
        """What signs a request."""
        stamp, secret = changes.pop("stamp", str(self.clock[0])), changes.pop("secret", "sim-secret")
        key = changes.pop("key", "sim-key")
        return {"X-BAPI-API-KEY": key, "X-BAPI-TIMESTAMP": stamp, "X-BAPI-RECV-WINDOW": WINDOW,
                "X-BAPI-SIGN": signature(secret, stamp + key + WINDOW + payload)} | changes

    async def ask(self, method: str, path: str, params: dict[str, Any] | None = None,
                  **changes: str) -> tuple[int, Any, Any]:
        """One signed request by hand: status, content, headers; (0, name of the error, {}) where no answer came."""
        query = urlencode(params or {}) if method == "GET" else ""
        body = json.dumps(params or {}) if method == "POST" else ""
        target = f"{self.base}/v5/{path}" + (f"?{query}" if query else "")
        try:
            async with self.session.request(
                    method, URL(target, encoded=True), data=body or None, timeout=ClientTimeout(total=5),
                    headers=self.headers(query or body, **changes)) as answer:
                text = await answer.text()
        except (ClientError, TimeoutError, ConnectionError) as problem:
            return 0, type(problem).__name__, {}
        try:
            return answer.status, json.loads(text), answer.headers
        except ValueError:
            return answer.status, text, answer.headers

    async def good(self, method: str, path: str, params: dict[str, Any] | None = None) -> Any:
        """The result of a request that has to succeed."""
        status, content, _ = await self.ask(method, path, params)
        assert (status, content["retCode"]) == (200, 0), content
        return content["result"]

    async def code(self, method: str, path: str, params: dict[str, Any] | None = None, **changes: str) -> int:
        """The code of a request that has to be refused: with HTTP 200, as the venue does."""
        status, content, _ = await self.ask(method, path, params, **changes)
        assert status == 200 and content["retCode"] != 0 and content["result"] == {}, content
        return int(content["retCode"])

    def limit(self, **more: Any) -> dict[str, Any]:
        """A limit order below the market, in one-way mode."""
        return {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": self.price(0.97), **more}

    def taking(self, side: str = "Buy", **more: Any) -> dict[str, Any]:
        """A market order."""
        return {**BTC, "side": side, "orderType": "Market", "qty": "0.01", **more}

    def stop(self, **more: Any) -> dict[str, Any]:
        """A stop of a long position, all of it."""
        return {**BTC, "side": "Sell", "orderType": "Market", "qty": "0", "triggerPrice": self.price(0.95),
                "triggerDirection": 2, "triggerBy": "MarkPrice", "reduceOnly": True, "closeOnTrigger": True, **more}

    async def create(self, order: dict[str, Any]) -> str:
        """Place it; the venue's id."""
        return str((await self.good("POST", "order/create", order))["orderId"])

    async def rows(self, path: str, **more: Any) -> list[dict[str, Any]]:
        """A list about BTC."""
        found: list[dict[str, Any]] = (await self.good("GET", path, {**BTC, **more}))["list"]
        return found

    async def hedged(self) -> None:
        """Turn hedge mode on."""
        await self.good("POST", "position/switch-mode", {"category": "linear", "coin": "USDT", "mode": 3})

    async def socket(self, path: str = "public/linear", **changes: str) -> Socket:
        """A socket; the private one asks to be let in."""
        found = Socket(await self.session.ws_connect(f"{self.base}/v5/{path}"))
        if path == "private":
            expires = changes.get("expires", str(self.clock[0] + 5_000))
            sign = signature(changes.get("secret", "sim-secret"), f"GET/realtime{expires}")
            await found.say("auth", "sim-key", int(expires), sign)
        return found


@dataclass
class Socket:
    """A client's end."""

    raw: ClientWebSocketResponse

    async def say(self, op: str, *args: Any) -> None:
        """A command."""
        await self.raw.send_json({"op": op, "args": list(args), "req_id": "1"})

    async def hear(self) -> Any:
        """The next frame."""
        return await asyncio.wait_for(self.raw.receive_json(), 60)

    async def hear_of(self, topic: str) -> Any:
        """The next frame of a topic."""
        while (found := await self.hear()).get("topic") != topic:
            continue
        return found


Opener = Callable[..., Awaitable[Bybit]]


@pytest.fixture
async def open_bybit() -> AsyncIterator[Opener]:
    """Starts venues; all end with the test."""
    running: list[tuple[Bybit, web.AppRunner]] = []

    async def opener(limits: Limits | None = None) -> Bybit:
        stage = Stage([Account("trader", "sim-key", "sim-secret"), *bybit_accounts()])
        side = BybitSide(stage.venue, Wire(stage.faults), stage.around, limits or Limits(times=1000, address_5s=10**6))
        runner, base = await serving(side.serve)
        one = Bybit(stage=stage, side=side, base=base, session=ClientSession())
        one.pass_ms(3_000)  # some trades have happened
        running.append((one, runner))
        return one

    yield opener
    for one, runner in running:
        await one.session.close()
        await one.side.hub.close()
        await runner.cleanup()


@pytest.fixture
async def bybit(open_bybit: Opener) -> Bybit:
    """One venue of three contracts."""
    return await open_bybit()
