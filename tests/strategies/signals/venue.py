"""A futures venue on loopback whose books, trades and REST figures let the signal bot find signals all the time."""

import asyncio
import random
from typing import Any

from aiohttp import web

from tests.exchange.feed.venue import Venue
from tests.exchange.orderbook.wire import compact

STEP_MS = 900_000


class SignalVenue(Venue):
    """Each symbol has trade ids of its own without holes; `trades` keeps all of them, as REST answers them."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        super().__init__(symbols)
        self.trades: dict[str, list[tuple[int, int, float]]] = {name: [] for name in symbols}
        self.mute: set[str] = set()  # kinds of streams that say nothing
        self.gone: set[str] = set()

    async def start(self) -> "SignalVenue":
        application = web.Application()
        for family in ("public", "market", "private"):
            application.router.add_get(f"/{family}/stream", self._socket)
        for path, answer in (("fapi/v1/depth", self._depth), ("fapi/v1/exchangeInfo", self._info),
                             ("fapi/v1/klines", self._klines), ("fapi/v1/ticker/24hr", self._tickers),
                             ("fapi/v1/ticker/bookTicker", self._touches), ("fapi/v1/premiumIndex", self._marks),
                             ("fapi/v1/openInterest", self._interest), ("fapi/v1/aggTrades", self._trades),
                             ("fapi/v1/time", self._time)):
            application.router.add_get(f"/{path}", answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    @property
    def ms(self) -> int:
        return max(truth.ms for truth in self.truths.values())

    async def tick(self) -> None:
        """A message of each kind; what is muted happens, and is not told."""
        for name, truth in self.truths.items():
            if name in self.gone:
                continue
            low, raw = name.lower(), truth.frame()
            if "depth" not in self.mute:
                await self.send(f"{low}@depth@100ms", raw)
            await self.trade(name)
            price = truth.text(truth.middle)
            if "mark" not in self.mute:
                await self.tell(f"{low}@markPrice@1s", {
                    "e": "markPriceUpdate", "E": truth.ms, "s": name, "p": price + "25", "i": price, "r": "0.0001",
                    "T": truth.ms + 1000})

    async def trade(self, name: str) -> None:
        truth, kept = self.truths[name], self.trades[name]
        number, price = len(kept) + 1, truth.text(truth.middle)
        kept.append((number, truth.ms, float(price)))
        if "trade" not in self.mute:
            await self.tell(f"{name.lower()}@aggTrade", {
                "e": "aggTrade", "E": truth.ms, "s": name, "a": number, "p": price, "q": "2.0", "f": number,
                "l": number, "T": truth.ms, "m": number % 2 == 0})

    def delist(self, name: str) -> None:
        """Not listed any more: nothing is told, nothing is answered."""
        self.gone.add(name)
        del self.listed[name]

    async def ticks(self, count: int, pause_s: float = 0.002) -> None:
        for _ in range(count):
            await self.tick()
            await asyncio.sleep(pause_s)

    async def _klines(self, request: web.Request) -> web.Response:
        """Candles below the price (a long is above VWAP), with so little volume that any trade is much."""
        last = self.ms // STEP_MS * STEP_MS
        return web.json_response([
            [at, "990", "991", "989", str(990 + random.Random(at).random()), "10", at + STEP_MS - 1, "9900", 2, "4",
             "8", "0"] for at in range(last - (int(request.query["limit"]) - 1) * STEP_MS, last + 1, STEP_MS)])

    async def _tickers(self, request: web.Request) -> web.Response:
        return web.json_response([{"symbol": name, "quoteVolume": "1000000", "count": 864_000} for name in self.listed])

    async def _touches(self, request: web.Request) -> web.Response:
        return web.json_response([{"symbol": name, "bidPrice": self.truths[name].text(max(self.truths[name].bids)),
                                   "askPrice": self.truths[name].text(min(self.truths[name].asks))}
                                  for name in self.listed])

    async def _marks(self, request: web.Request) -> web.Response:
        return web.json_response([{"symbol": name, "markPrice": self.truths[name].text(self.truths[name].middle)}
                                  for name in self.listed])

    async def _interest(self, request: web.Request) -> web.Response:
        return web.json_response({"openInterest": "1000000"})

    async def _trades(self, request: web.Request) -> web.Response:
        name, first = request.query["symbol"], int(request.query["fromId"])
        if name in self.gone:
            return web.Response(status=400, text='{"code":-1121,"msg":"Invalid symbol."}')
        rows: list[dict[str, Any]] = [{"a": number, "T": ms, "p": str(price)} for number, ms, price in self.trades[name]
                                      if number >= first]
        return web.Response(body=compact(rows[:int(request.query["limit"])]), content_type="application/json")

    async def _time(self, request: web.Request) -> web.Response:
        return web.json_response({"serverTime": self.ms})
