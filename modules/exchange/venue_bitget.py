"""Bitget USDT futures (v2 mix, classic): market data of perpetual contracts, shared by all users of this process."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modules.exchange import bitget_parse as parse
from modules.exchange import bitget_public as public
from modules.exchange.api import MarketClock
from modules.exchange.bitget_codes import BITGET
from modules.exchange.bitget_settings import BitgetSettings
from modules.exchange.bitget_turns import ADDRESS
from modules.exchange.bitget_wire import BitgetLink, endpoint
from modules.exchange.ccxt_lite import load_class
from modules.exchange.futures_types import Bracket, FuturesMarket, Mark
from modules.exchange.link import Venue
from modules.exchange.types import Book, Candles, Market, Print, Ticker
from modules.exchange.wire import Endpoint

TIME = Endpoint("GET /api/v2/public/time", "public/time", 1, bucket=ADDRESS)
CONTRACTS = endpoint("GET", "market/contracts", signed=False)
TICKERS = endpoint("GET", "market/tickers", signed=False)
FUNDING = endpoint("GET", "market/current-fund-rate", signed=False)
CANDLES = endpoint("GET", "market/candles", signed=False)
DEPTH = endpoint("GET", "market/merge-depth", signed=False)
TRADES = endpoint("GET", "market/fills", signed=False)
TIERS = endpoint("GET", "market/query-position-lever", signed=False)

PRODUCT = {"productType": parse.PRODUCT}
#: ours → Bitget's; days begin at UTC only in the `utc` form
GRANULARITY = {"1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1H", "1H": "1H", "2h": "2H",
               "4h": "4H", "4H": "4H", "6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc", "1D": "1Dutc"}
INTERVAL_MS = {"1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1H": 3_600_000,
               "2H": 7_200_000, "4H": 14_400_000, "6Hutc": 21_600_000, "12Hutc": 43_200_000, "1Dutc": 86_400_000}
CANDLES_A_CALL = 1000
DEPTHS = (1, 5, 15, 50)


def _nowhere(api: dict[str, Any], url: str) -> None:
    """Callers ask the link for the address themselves."""


def venue(settings: BitgetSettings) -> Venue:
    """Bitget as `Link` wants it: windows of a second, because the address's minute is used evenly."""
    load_class("bitget")  # `wire` needs ccxt's root of exceptions; this keeps its other exchanges out
    return Venue("bitget", BITGET, TIME, settings.calls_a_second, 1.0, "bitget.com", "BITGET", _nowhere,
                 read_time=public.server_ms)


class BitgetMarket:
    """Public data. Implements ``futures_api.FuturesMarketData``, and what the grid's sessions share of it."""

    def __init__(self, link: BitgetLink) -> None:
        self.link = link
        self.clock: MarketClock = link.clock
        self._contracts: dict[str, FuturesMarket] = {}
        self._leverages: dict[str, int] = {}
        self._brackets: dict[str, list[Bracket]] = {}

    async def contracts(self, refresh: bool = False) -> Mapping[str, FuturesMarket]:
        if refresh or not self._contracts:
            body = await self.link.ask_public(CONTRACTS, PRODUCT)
            self._contracts = self.link.readable(lambda: public.markets(body), CONTRACTS)
            self._leverages = self.link.readable(lambda: public.leverages(body), CONTRACTS)
        return self._contracts

    async def markets(self, refresh: bool = False) -> dict[str, Market]:
        return dict(await self.contracts(refresh))

    async def most_leverage(self, symbol: str) -> int:
        """The highest leverage that a contract allows at all; 0 for one that the venue does not have."""
        await self.contracts()
        return self._leverages.get(symbol, 0)

    async def brackets(self, symbol: str) -> Sequence[Bracket]:
        """Leverage tiers of a contract, smallest notional first; public at Bitget, and kept."""
        if symbol not in self._brackets:
            body = await self.link.ask_public(TIERS, {"symbol": symbol, **PRODUCT})
            self._brackets[symbol] = self.link.readable(lambda: public.brackets(body, symbol), TIERS)
        return self._brackets[symbol]

    async def touches(self, symbols: frozenset[str]) -> dict[str, public.Touch]:
        """Best prices of these contracts, in one call for all of them."""
        body = await self.link.ask_public(TICKERS, PRODUCT)
        return self.link.readable(lambda: public.touches(body, symbols), TICKERS)

    async def marks(self) -> Mapping[str, Mark]:
        body = await self.link.ask_public(TICKERS, PRODUCT)
        funding = await self.link.ask_public(FUNDING, PRODUCT)
        return self.link.readable(lambda: public.marks(body, funding), TICKERS)

    async def tickers(self) -> dict[str, Ticker]:
        body = await self.link.ask_public(TICKERS, PRODUCT)
        return self.link.readable(lambda: public.tickers(body), TICKERS)

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        """At most `limit` candles, oldest first; raises ValueError for an interval that the venue does not have."""
        if interval not in GRANULARITY:
            raise ValueError(f"{interval} is no interval of Bitget; choose from {', '.join(GRANULARITY)}")
        name = GRANULARITY[interval]
        pages: list[Candles] = []
        left, start = limit, since_ms
        if since_ms is None and limit > CANDLES_A_CALL:
            start = self.clock.now_ms() - limit * INTERVAL_MS[name]
        while left > 0:
            page = await self._page(symbol, name, min(left, CANDLES_A_CALL), start)
            if len(page) == 0:
                break
            pages.append(page)
            left -= len(page)
            start = int(page[-1, 0]) + 1
            if len(page) < CANDLES_A_CALL:
                break
        return np.concatenate(pages) if pages else np.empty((0, 6), dtype=np.float64)

    async def _page(self, symbol: str, name: str, limit: int, start: int | None) -> Candles:
        params: dict[str, str | int] = {"symbol": symbol, **PRODUCT, "granularity": name, "limit": limit}
        if start is not None:
            params["startTime"] = start
            params["endTime"] = start + (limit + 1) * INTERVAL_MS[name]
        body = await self.link.ask_public(CANDLES, params)
        found = self.link.readable(lambda: public.candles(body), CANDLES)
        return found if start is None else found[found[:, 0] >= start][:limit]

    async def book(self, symbol: str, limit: int = 50) -> Book:
        served = next((one for one in DEPTHS if one >= limit), None)
        body = await self.link.ask_public(DEPTH, {"symbol": symbol, **PRODUCT,
                                                  "limit": "max" if served is None else served})
        return self.link.readable(lambda: public.book(symbol, body), DEPTH)

    async def trades(self, symbol: str, limit: int = 500) -> Sequence[Print]:
        body = await self.link.ask_public(TRADES, {"symbol": symbol, **PRODUCT, "limit": min(limit, 1000)})
        return self.link.readable(lambda: public.prints(body), TRADES)

    async def close(self) -> None:
        await self.link.close()
