"""A perpetuals venue behind its Binance paths, on a free port, with a clock that tests move by hand."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import ccxt.async_support as ccxt
import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, web
from yarl import URL

from benchmarks.conformance.ccxt_at import config
from modules.simulator.dialects.binance_auth import BinanceGate
from modules.simulator.dialects.binance_weights import Limits
from modules.simulator.dialects.binance_wing import BinanceWing
from modules.simulator.fault_wire import Wire
from modules.simulator.perp.api import Account
from modules.simulator.sockets.listen_keys import ListenKeys
from tests.simulator.served import Served, Stage, serving

PERP = "BTC/USDT:USDT"


class Market(Served):
    """A venue that serves, and the hand on its clock."""

    @property
    def trader(self) -> Account:
        """The only account."""
        return self.venue.accounts["trader"]

    def pass_ms(self, ms: int) -> None:
        """Let market time pass."""
        self.clock[0] += ms
        self.venue.step()

    def client(self) -> Any:
        """ccxt, unmodified, its clock set to the venue's."""
        client = ccxt.binanceusdm(config(self.base))
        client.nonce = lambda: self.clock[0]
        self.clients.append(client)
        return client

    async def ask(
        self, method: str, path: str, params: dict[str, Any] | None = None, *, signed: bool = True, key: str = "sim-key"
    ) -> tuple[int, Any]:
        """One request by hand: status and content; (0, name of the error) where no answer came."""
        query = {name: str(value) for name, value in (params or {}).items()}
        if signed:
            query["timestamp"] = str(self.clock[0])
        text = urlencode(query)
        if signed:
            text += "&signature=" + hmac.new(b"sim-secret", text.encode(), hashlib.sha256).hexdigest()
        try:
            async with self.session.request(
                    method, URL(f"{self.base}{path}?{text}", encoded=True), headers={"X-MBX-APIKEY": key},
                    timeout=ClientTimeout(total=5)) as answer:
                content = await answer.text()
                return answer.status, json.loads(content) if content[:1] in ("{", "[") else content
        except (ClientError, TimeoutError, ConnectionError) as problem:
            return 0, type(problem).__name__

    async def good(self, method: str, path: str, params: dict[str, Any] | None = None) -> Any:
        """The content of a signed request that has to succeed."""
        status, content = await self.ask(method, path, params)
        assert status == 200, content
        return content

    async def code(self, method: str, path: str, params: dict[str, Any] | None = None) -> int:
        """The code of a signed request that has to be refused."""
        status, content = await self.ask(method, path, params)
        assert status >= 400, content
        return int(content["code"])

    def size(self, usdt: float = 300.0) -> str:
        """So much BTC."""
        spec = self.venue.specs[0]
        return str(spec.qty(int(usdt / float(self.venue.market.marks.mark[0]) / float(spec.step))))

    def order(self, **more: Any) -> dict[str, Any]:
        """A limit order below the market."""
        return {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": self.size(),
                "price": self.price(0.97), **more}

    def market_order(self, side: str = "BUY", **more: Any) -> dict[str, Any]:
        """A market order, answered when it is filled."""
        return {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": self.size(),
                "newOrderRespType": "RESULT", **more}


Opener = Callable[..., Awaitable[Market]]


@pytest.fixture
async def open_market() -> AsyncIterator[Opener]:
    """Starts markets; all end with the test."""
    running: list[tuple[Market, web.AppRunner]] = []

    async def opener(limits: Limits | None = None) -> Market:
        stage = Stage([Account("trader", "sim-key", "sim-secret")])
        keys = ListenKeys(lambda: stage.clock[0])
        wing = BinanceWing(stage.venue, BinanceGate(stage.venue.by_key, 1.0), keys, Wire(stage.faults), stage.around,
                           limits)
        runner, base = await serving(wing.serve)
        market = Market(stage=stage, base=base, session=ClientSession())
        market.pass_ms(30_000)  # some trades have happened
        running.append((market, runner))
        return market

    yield opener
    for market, runner in running:
        for client in market.clients:
            await client.close()
        await market.session.close()
        await runner.cleanup()


@pytest.fixture
async def market(open_market: Opener) -> Market:
    """One venue with three contracts."""
    return await open_market()
