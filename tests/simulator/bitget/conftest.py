"""A perpetuals venue behind Bitget's paths and sockets, on a free port, with a clock that tests move by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import ccxt.async_support as ccxt
import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, ClientWebSocketResponse, web
from yarl import URL

from benchmarks.conformance.bitget_at import config
from modules.simulator.bitget_side import BitgetSide
from modules.simulator.dialects.bitget_auth import PASSPHRASE, bitget_accounts, signature
from modules.simulator.dialects.bitget_limits import Limits
from modules.simulator.fault_wire import Wire
from modules.simulator.perp.api import Account
from tests.simulator.served import Served, Stage, serving

PERP = "BTC/USDT:USDT"
ONE = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES"}
COIN = {**ONE, "marginCoin": "USDT"}
MIX = "/api/v2/mix/"


@dataclass(kw_only=True)
class Bitget(Served):
    """A venue that serves, and the hand on its clock."""

    side: BitgetSide

    @property
    def trader(self) -> Account:
        """The account of `sim-key`."""
        return self.venue.accounts["bitget"]

    def pass_ms(self, ms: int) -> None:
        """Let market time pass, in slices as the server does."""
        until = self.clock[0] + ms
        while self.clock[0] < until:
            self.clock[0] = min(until, self.clock[0] + 100)
            self.venue.step()
            self.side.step(self.venue.market.ms)

    def client(self, **changes: Any) -> Any:
        """ccxt, unmodified, its clock set to the venue's."""
        client = ccxt.bitget({**config(self.base), **changes})
        client.nonce = lambda: self.clock[0]
        client.milliseconds = lambda: self.clock[0]
        self.clients.append(client)
        return client

    def headers(self, method: str, target: str, body: str, **changes: str) -> dict[str, str]:
        """What signs a request."""
        stamp = changes.pop("stamp", str(self.clock[0]))
        secret = changes.pop("secret", "sim-secret")
        found = {
            "ACCESS-KEY": "sim-key", "ACCESS-SIGN": signature(secret, stamp + method + target + body),
            "ACCESS-TIMESTAMP": stamp, "ACCESS-PASSPHRASE": PASSPHRASE} | changes
        return {name: value for name, value in found.items() if value}

    async def ask(
        self, method: str, path: str, params: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """One signed request by hand: status and content; (0, name of the error) where no answer came."""
        target = MIX + path if not path.startswith("/") else path
        body = json.dumps(params or {}) if method == "POST" else ""
        if method == "GET" and params:
            target += "?" + urlencode(params)
        try:
            async with self.session.request(
                    method, URL(self.base + target, encoded=True), data=body or None,
                    headers=headers if headers is not None else self.headers(method, target, body),
                    timeout=ClientTimeout(total=5)) as answer:
                content = await answer.text()
        except (ClientError, TimeoutError, ConnectionError) as problem:
            return 0, type(problem).__name__
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content

    async def good(self, method: str, path: str, params: dict[str, Any] | None = None) -> Any:
        """The data of a request that has to succeed."""
        status, content = await self.ask(method, path, params)
        assert status == 200, content
        assert content["code"] == "00000", content
        return content["data"]

    async def code(self, method: str, path: str, params: dict[str, Any] | None = None) -> str:
        """The code of a request that has to be refused; nothing but a code and words is told."""
        status, content = await self.ask(method, path, params)
        assert status >= 400, content
        assert content["data"] is None
        return str(content["code"])

    def order(self, **more: Any) -> dict[str, Any]:
        """A limit order below the market, in one-way mode."""
        return {**COIN, "marginMode": "crossed", "side": "buy", "orderType": "limit", "force": "gtc", "size": "0.01",
                "price": self.price(0.97), **more}

    def taking(self, side: str = "buy", **more: Any) -> dict[str, Any]:
        """A market order."""
        return {**COIN, "marginMode": "crossed", "side": side, "orderType": "market", "size": "0.01", **more}

    async def hedged(self) -> None:
        """Turn hedge mode on."""
        await self.good("POST", "account/set-position-mode", {"productType": "USDT-FUTURES", "posMode": "hedge_mode"})

    async def positions(self) -> dict[str, dict[str, Any]]:
        """Open positions by side."""
        rows = await self.good("GET", "position/all-position", {"productType": "USDT-FUTURES"})
        return {row["holdSide"]: row for row in rows}

    async def socket(self, family: str = "public") -> Socket:
        """A socket; the private one is logged in."""
        found = Socket(await self.session.ws_connect(f"{self.base}/v2/ws/{family}"))
        if family == "private":
            stamp = str(self.clock[0] // 1000)
            await found.say("login", {"apiKey": "sim-key", "passphrase": PASSPHRASE, "timestamp": stamp,
                                      "sign": signature("sim-secret", stamp + "GET/user/verify")})
            assert await found.hear() == {"event": "login", "code": 0}
        return found


@dataclass
class Socket:
    """A client's end."""

    raw: ClientWebSocketResponse

    async def say(self, op: str, *args: dict[str, str]) -> None:
        """A command."""
        await self.raw.send_json({"op": op, "args": list(args)})

    async def hear(self) -> Any:
        """The next frame."""
        return await asyncio.wait_for(self.raw.receive_json(), 60)

    async def join(self, channel: str, of: str = "BTCUSDT") -> Any:
        """Subscribe; the answer."""
        key = "coin" if channel == "account" else "instId"
        await self.say("subscribe", {"instType": "USDT-FUTURES", "channel": channel, key: of})
        return await self.hear()


Opener = Callable[..., Awaitable[Bitget]]


@pytest.fixture
async def open_bitget() -> AsyncIterator[Opener]:
    """Starts venues; all end with the test."""
    running: list[tuple[Bitget, web.AppRunner]] = []

    async def opener(limits: Limits | None = None) -> Bitget:
        stage = Stage([Account("trader", "sim-key", "sim-secret"), *bitget_accounts()])
        side = BitgetSide(stage.venue, Wire(stage.faults), stage.around, limits or Limits(times=1000))
        runner, base = await serving(side.serve)
        one = Bitget(stage=stage, side=side, base=base, session=ClientSession())
        one.pass_ms(3_000)  # some trades have happened
        running.append((one, runner))
        return one

    yield opener
    for one, runner in running:
        for client in one.clients:
            await client.close()
        await one.session.close()
        await one.side.hub.close()
        await runner.cleanup()


@pytest.fixture
async def bitget(open_bitget: Opener) -> Bitget:
    """One venue of three contracts."""
    return await open_bitget()
