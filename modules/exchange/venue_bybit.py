"""Bybit v5, linear perpetuals in USDT, over ccxt: market data.

ccxt signs and sends; its implicit methods are called, because its unified ones put words into orders that the venue
passes over (`clientOrderId`, `trigger`, `positionSide`, `trailingPercent`: WIRE).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from modules.exchange import bybit_public as public
from modules.exchange.api import MarketClock
from modules.exchange.bybit_codes import BYBIT, CALLS_A_SECOND
from modules.exchange.futures_types import Bracket, FuturesMarket, Mark
from modules.exchange.link import Link, Venue
from modules.exchange.prompt import promptly
from modules.exchange.types import Book, Candles, Market, Print, Ticker, Unavailable
from modules.exchange.wire import Endpoint

#: what calls of this address are counted for, and what calls of an endpoint of the account that take ten a second are
ADDRESS = "address"


def _public(method: str, path: str) -> Endpoint:
    return Endpoint("publicGetV5Market" + method, f"v5/market/{path}", 1, bucket=ADDRESS)


TIME = _public("Time", "time")
CONTRACTS = _public("InstrumentsInfo", "instruments-info")
TICKERS = _public("Tickers", "tickers")
KLINES = _public("Kline", "kline")
TRADES = _public("RecentTrade", "recent-trade")
DEPTH = _public("Orderbook", "orderbook")
RISK = _public("RiskLimit", "risk-limit")
INTEREST = _public("OpenInterest", "open-interest")
FUNDING = _public("FundingHistory", "funding/history")

LINEAR = {"category": "linear"}
INTERVALS = {"1m": ("1", 60_000), "3m": ("3", 180_000), "5m": ("5", 300_000), "15m": ("15", 900_000),
             "30m": ("30", 1_800_000), "1h": ("60", 3_600_000), "2h": ("120", 7_200_000), "4h": ("240", 14_400_000),
             "6h": ("360", 21_600_000), "12h": ("720", 43_200_000), "1d": ("D", 86_400_000)}
PERIODS = {"5m": "5min", "15m": "15min", "30m": "30min", "1h": "1h", "4h": "4h", "1d": "1d"}
KLINES_A_CALL = 1000
DEPTHS = (1, 25, 50, 100, 200, 500)
MOST_PAGES = 20
TESTNET, TESTNET_WS = "https://api-testnet.bybit.com", "wss://stream-testnet.bybit.com"
STREAMS_WS = "wss://stream.bybit.com"


def _point(api: dict[str, Any], url: str) -> None:
    for name in ("spot", "futures", "v2", "public", "private"):
        api[name] = url


# ccxt would resynchronise and retry on its own; here nobody but the gateway does (X4, X32).
BYBIT_LINEAR = Venue("bybit", BYBIT, TIME, CALLS_A_SECOND, 1.0, "bybit.com", "FUTURES", _point,
                     {"adjustForTimeDifference": False}, read_time=public.server_ms)


class BybitMarket:
    """Public data. Implements ``futures_api.FuturesMarketData``."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.clock: MarketClock = link.clock
        self._contracts: dict[str, FuturesMarket] = {}
        self._brackets: dict[str, list[Bracket]] = {}

    async def contracts(self, refresh: bool = False) -> Mapping[str, FuturesMarket]:
        if refresh or not self._contracts:
            found: dict[str, FuturesMarket] = {}
            cursor = ""
            for _ in range(MOST_PAGES):
                asked = _with(cursor, {**LINEAR, "limit": 1000})
                body = await promptly(partial(self.link.ask_public, CONTRACTS, asked))
                rows, cursor = self.link.readable(partial(public.contracts, body), CONTRACTS)
                found |= rows
                if not cursor:
                    break
            if cursor or not found:
                raise Unavailable("The list of Bybit's contracts has no end, or nothing in it. It is asked again.")
            self._contracts = found
        return self._contracts

    async def markets(self, refresh: bool = False) -> dict[str, Market]:
        return dict(await self.contracts(refresh))

    async def brackets(self, symbol: str) -> Sequence[Bracket]:
        """Risk limits of a contract, smallest notional first; public at Bybit, and kept."""
        if symbol not in self._brackets:
            body = await self.link.ask_public(RISK, {**LINEAR, "symbol": symbol})
            self._brackets[symbol] = self.link.readable(lambda: public.brackets(body, symbol), RISK)
        return self._brackets[symbol]

    async def marks(self) -> Mapping[str, Mark]:
        body = await self.link.ask_public(TICKERS, LINEAR)
        return self.link.readable(lambda: public.marks(body), TICKERS)

    async def tickers(self) -> dict[str, Ticker]:
        body = await self.link.ask_public(TICKERS, LINEAR)
        return self.link.readable(lambda: public.tickers(body), TICKERS)

    async def open_interest(self) -> dict[str, Decimal]:
        """Open interest of every contract, in base."""
        body = await self.link.ask_public(TICKERS, LINEAR)
        return self.link.readable(lambda: public.open_interest(body), TICKERS)

    async def interest_history(self, symbol: str, period: str, limit: int = 50) -> list[tuple[int, Decimal]]:
        """(ms, open interest in base), oldest first; raises ValueError for a period that the venue does not have."""
        if period not in PERIODS:
            raise ValueError(f"{period} is no period of Bybit; choose from {', '.join(PERIODS)}")
        body = await self.link.ask_public(INTEREST, {
            **LINEAR, "symbol": symbol, "intervalTime": PERIODS[period], "limit": min(limit, 200)})
        return self.link.readable(lambda: public.interest_history(body), INTEREST)

    async def funding_history(self, symbol: str, limit: int = 100) -> list[tuple[int, Decimal]]:
        """(ms, rate), oldest first."""
        body = await self.link.ask_public(FUNDING, {**LINEAR, "symbol": symbol, "limit": min(limit, 200)})
        return self.link.readable(lambda: public.funding_history(body), FUNDING)

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        """At most `limit` candles, oldest first; raises ValueError for an interval that the venue does not have."""
        if interval not in INTERVALS:
            raise ValueError(f"{interval} is no interval of Bybit; choose from {', '.join(INTERVALS)}")
        pages: list[Candles] = []
        left, start = limit, since_ms
        if since_ms is None and limit > KLINES_A_CALL:
            start = self.clock.now_ms() - limit * INTERVALS[interval][1]
        while left > 0:
            asked = min(left, KLINES_A_CALL)
            page = await self._klines(symbol, interval, asked, start)
            if len(page) == 0:
                break
            pages.append(page)
            left -= len(page)
            start = int(page[-1, 0]) + 1
            if len(page) < asked:
                break
        return np.concatenate(pages) if pages else np.empty((0, 6), dtype=np.float64)

    async def _klines(self, symbol: str, interval: str, limit: int, start: int | None) -> Candles:
        word, ms = INTERVALS[interval]
        params: dict[str, str | int] = {**LINEAR, "symbol": symbol, "interval": word, "limit": limit}
        if start is not None:  # both ends: with a beginning alone nothing says which of too many rows are told
            first = -(-start // ms) * ms
            params |= {"start": first, "end": first + (limit - 1) * ms}
        body = await self.link.ask_public(KLINES, params)
        return self.link.readable(lambda: public.candles(body, symbol), KLINES)

    async def book(self, symbol: str, limit: int = 50) -> Book:
        served = next((one for one in DEPTHS if one >= limit), DEPTHS[-1])
        body = await self.link.ask_public(DEPTH, {**LINEAR, "symbol": symbol, "limit": served})
        return self.link.readable(lambda: public.book(symbol, body), DEPTH)

    async def trades(self, symbol: str, limit: int = 500) -> Sequence[Print]:
        body = await self.link.ask_public(TRADES, {**LINEAR, "symbol": symbol, "limit": min(limit, 1000)})
        return self.link.readable(lambda: public.prints(body), TRADES)

    async def close(self) -> None:
        await self.link.close()


def _with(cursor: str, params: Mapping[str, str | int]) -> dict[str, str | int]:
    """Parameters of a page; the venue gives its cursors encoded, the query is encoded again."""
    return {**params, **({"cursor": cursor} if cursor else {})}
