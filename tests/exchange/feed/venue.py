"""A venue on loopback, small and honest: books that move, the streams and REST answers that the feed asks for, and
faults on order. Every state of every book is kept, so that the feed's can be compared with the truth."""

import asyncio
import json
import random
from collections import defaultdict
from typing import Any

from aiohttp import WSMsgType, web

from tests.exchange.orderbook.wire import Truth, compact

STEP_MS = 60_000


class Venue:
    """`symbols` with their books; `tick()` moves them all and sends what happened."""

    def __init__(self, symbols: tuple[str, ...], seed: int = 1) -> None:
        self.dice = random.Random(seed)
        self.truths = {name: Truth(random.Random(f"{seed}{name}"), symbol=name) for name in symbols}
        self.listed: dict[str, dict[str, Any]] = {name: {"status": "TRADING", "tick": "0.1"} for name in symbols}
        self.sockets: dict[web.WebSocketResponse, tuple[str, set[str]]] = {}
        self.asked: dict[str, int] = defaultdict(int)
        self.controls: list[dict[str, Any]] = []
        self.refuse: list[int] = []  # HTTP status of the next handshakes
        self.refuse_rest: list[int] = []
        self.trade_id = 100
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> "Venue":
        app = web.Application()
        for family in ("public", "market", "private"):
            app.router.add_get(f"/{family}/stream", self._socket)
            app.router.add_get(f"/{family}/ws", self._socket)
        app.router.add_get("/fapi/v1/depth", self._depth)
        app.router.add_get("/fapi/v1/exchangeInfo", self._info)
        app.router.add_get("/fapi/v1/klines", self._klines)
        app.router.add_get("/fapi/v1/ticker/24hr", self._tickers)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def close(self) -> None:
        await self.cut()
        assert self._runner is not None
        await self._runner.cleanup()

    async def cut(self) -> None:
        """Every socket, without a word."""
        for socket in list(self.sockets):
            await socket.close()

    async def tick(self) -> None:
        """One message of each kind for each symbol."""
        for name, truth in self.truths.items():
            await self.send(f"{name.lower()}@depth@100ms", truth.frame())
            self.trade_id += 1
            price = truth.text(truth.middle)
            await self.tell(f"{name.lower()}@aggTrade", {"e": "aggTrade", "E": truth.ms, "s": name, "a": self.trade_id,
                                                         "p": price, "q": "2.0", "f": 1, "l": 1, "T": truth.ms,
                                                         "m": self.trade_id % 2 == 0})
            await self.tell(f"{name.lower()}@bookTicker", {
                "e": "bookTicker", "u": truth.last_id, "s": name, "b": truth.text(max(truth.bids)), "B": "1.0",
                "a": truth.text(min(truth.asks)), "A": "2.0", "T": truth.ms, "E": truth.ms})
            await self.tell(f"{name.lower()}@markPrice@1s", {
                "e": "markPriceUpdate", "E": truth.ms, "s": name, "p": price + "25", "i": price, "r": "-0.00010000",
                "T": truth.ms + 1000})

    async def candle(self, name: str, interval: str, number: int, *, closed: bool) -> None:
        await self.tell(f"{name.lower()}@kline_{interval}", {"e": "kline", "E": number, "s": name, "k": {
            "t": number * STEP_MS, "T": (number + 1) * STEP_MS - 1, "s": name, "i": interval, "f": 1, "L": 2,
            "o": "1.0", "c": str(float(number)), "h": "3.0", "l": "0.5", "v": "10", "n": 2, "x": closed, "q": "20",
            "V": "4", "Q": "8", "B": "0"}})

    async def tell(self, stream: str, data: dict[str, Any]) -> None:
        await self.send(stream, compact({"stream": stream, "data": data}))

    async def send(self, stream: str, raw: bytes) -> None:
        for socket, (_, streams) in list(self.sockets.items()):
            if stream in streams and not socket.closed:
                try:
                    await socket.send_str(raw.decode("utf-8", "replace"))
                except ConnectionError:  # this client has just gone
                    continue

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.refuse:
            return web.Response(status=self.refuse.pop(0), headers={"Retry-After": "0"})
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        family = request.path.split("/")[1]
        self.sockets[socket] = (family, set(filter(None, request.query.get("streams", "").split("/"))))
        self.asked[family] += 1
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._control(socket, json.loads(message.data))
        finally:
            del self.sockets[socket]
        return socket

    async def _control(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        self.controls.append(said)
        family, streams = self.sockets[socket]
        streams = streams | set(said["params"]) if said["method"] == "SUBSCRIBE" else streams - set(said["params"])
        self.sockets[socket] = (family, streams)
        await socket.send_str(json.dumps({"result": None, "id": said["id"]}))

    async def _depth(self, request: web.Request) -> web.Response:
        self.asked["depth"] += 1
        if self.refuse_rest:
            return web.Response(status=self.refuse_rest.pop(0), text="{}", headers={"Retry-After": "1"})
        body = self.truths[request.query["symbol"]].snapshot(int(request.query["limit"]))
        await asyncio.sleep(0)
        return web.Response(body=body, content_type="application/json", headers={"X-MBX-USED-WEIGHT-1M": "20"})

    async def _info(self, request: web.Request) -> web.Response:
        return web.json_response({"symbols": [
            {"symbol": name, "status": one["status"], "contractType": "PERPETUAL", "quoteAsset": "USDT", "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": one["tick"], "minPrice": "0.1"},
                {"filterType": "LOT_SIZE", "stepSize": "0.1"}]} for name, one in self.listed.items()]})

    async def _klines(self, request: web.Request) -> web.Response:
        self.asked["klines"] += 1
        last = 50
        return web.json_response([
            [n * STEP_MS, "1", "2", "0.5", str(float(n)), "10", (n + 1) * STEP_MS - 1, "20", 2, "4", "8", "0"]
            for n in range(last - int(request.query["limit"]) + 1, last + 1)])

    async def _tickers(self, request: web.Request) -> web.Response:
        return web.json_response([{"symbol": name, "quoteVolume": str(1000 - n)} for n, name in enumerate(self.listed)])
