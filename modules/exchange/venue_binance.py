"""Binance USD-M futures over ccxt: market data of perpetual contracts.

ccxt signs and sends; its implicit methods are called, because its unified ones lose money here: attached stops travel
as junk (WIRE trap 2) and open orders without a symbol are refused (trap 6).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modules.exchange import binance_parse as parse
from modules.exchange.api import MarketClock
from modules.exchange.binance_codes import BINANCE, LIMIT_A_MINUTE, USED_WEIGHT
from modules.exchange.futures_types import FuturesMarket, Mark
from modules.exchange.link import Link, Venue
from modules.exchange.prompt import promptly
from modules.exchange.types import Book, Candles, Market, Print, Ticker
from modules.exchange.wire import Endpoint


def _public(method: str, path: str, weight: int) -> Endpoint:
    return Endpoint("fapiPublicGet" + method, path, weight, bucket=USED_WEIGHT)


TIME = _public("Time", "fapi/v1/time", 1)
INFO = _public("ExchangeInfo", "fapi/v1/exchangeInfo", 1)
TICKERS = _public("Ticker24hr", "fapi/v1/ticker/24hr", 40)
TOUCH = _public("TickerBookTicker", "fapi/v1/ticker/bookTicker", 5)
MARKS = _public("PremiumIndex", "fapi/v1/premiumIndex", 10)
KLINES = _public("Klines", "fapi/v1/klines", 10)
TRADES = _public("AggTrades", "fapi/v1/aggTrades", 20)
DEPTH = {limit: _public("Depth", "fapi/v1/depth", weight)
         for limit, weight in ((5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20))}

INTERVALS = {"1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000,
             "2h": 7_200_000, "4h": 14_400_000, "6h": 21_600_000, "12h": 43_200_000, "1d": 86_400_000}
KLINES_A_CALL = 1500
TESTNET, TESTNET_WS = "https://testnet.binancefuture.com", "wss://fstream.binancefuture.com"
STREAMS_WS = "wss://fstream.binance.com"


def _point(api: dict[str, Any], url: str) -> None:
    for name, path in (("fapiPublic", "v1"), ("fapiPrivate", "v1"), ("fapiPublicV2", "v2"), ("fapiPrivateV2", "v2"),
                       ("fapiPublicV3", "v3"), ("fapiPrivateV3", "v3")):
        api[name] = f"{url}/fapi/{path}"
    api["fapiData"] = f"{url}/futures/data"


# ccxt resynchronises and retries on its own where it is allowed to; here nobody but the gateway does (X4, X32).
BINANCE_USDM = Venue("binanceusdm", BINANCE, TIME, LIMIT_A_MINUTE, 60.0, "fapi.binance.com", "FUTURES", _point,
                     {"adjustForTimeDifference": False})


class BinanceMarket:
    """Public data. Implements ``futures_api.FuturesMarketData``."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.clock: MarketClock = link.clock
        self._contracts: dict[str, FuturesMarket] = {}

    async def contracts(self, refresh: bool = False) -> Mapping[str, FuturesMarket]:
        if refresh or not self._contracts:
            body = await promptly(lambda: self.link.ask_public(INFO, {}))
            self._contracts = self.link.readable(lambda: parse.markets(body), INFO)
        return self._contracts

    async def markets(self, refresh: bool = False) -> dict[str, Market]:
        return dict(await self.contracts(refresh))

    async def marks(self) -> Mapping[str, Mark]:
        body = await self.link.ask_public(MARKS, {})
        return self.link.readable(lambda: parse.marks(body), MARKS)

    async def tickers(self) -> dict[str, Ticker]:
        day = await self.link.ask_public(TICKERS, {})
        touch = await self.link.ask_public(TOUCH, {})
        return self.link.readable(lambda: parse.tickers(day, touch), TICKERS)

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        """At most `limit` candles, oldest first; raises ValueError for an interval that the venue does not have."""
        if interval not in INTERVALS:
            raise ValueError(f"{interval} is no interval of the venue; choose from {', '.join(INTERVALS)}")
        pages: list[Candles] = []
        left, start = limit, since_ms
        if since_ms is None and limit > KLINES_A_CALL:
            start = self.clock.now_ms() - limit * INTERVALS[interval]
        while left > 0:
            page = await self._klines(symbol, interval, min(left, KLINES_A_CALL), start)
            if len(page) == 0:
                break
            pages.append(page)
            left -= len(page)
            start = int(page[-1, 0]) + 1
            if len(page) < KLINES_A_CALL:
                break
        return np.concatenate(pages) if pages else np.empty((0, 6), dtype=np.float64)

    async def _klines(self, symbol: str, interval: str, limit: int, start: int | None) -> Candles:
        params: dict[str, str | int] = {"symbol": symbol, "interval": interval, "limit": limit}
        if start is not None:
            params["startTime"] = start
        body = await self.link.ask_public(KLINES, params)
        return self.link.readable(lambda: parse.candles(body), KLINES)

    async def book(self, symbol: str, limit: int = 50) -> Book:
        served = next((one for one in DEPTH if one >= limit), 1000)
        body = await self.link.ask_public(DEPTH[served], {"symbol": symbol, "limit": served})
        return self.link.readable(lambda: parse.book(symbol, body, self.clock.now_ms()), DEPTH[served])

    async def trades(self, symbol: str, limit: int = 500) -> Sequence[Print]:
        body = await self.link.ask_public(TRADES, {"symbol": symbol, "limit": limit})
        return self.link.readable(lambda: parse.prints(body), TRADES)

    async def close(self) -> None:
        await self.link.close()
