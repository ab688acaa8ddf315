"""A market in memory for the trainer's tests: candles that exist, a clock that is set by hand, faults on request."""

from decimal import Decimal
from typing import Any

import numpy as np

from modules.exchange.api import MarketClock
from modules.exchange.types import Book, Candles, Market, Ticker, Unavailable
from modules.learning.features import STEP_MS


class HandClock:
    """Market time, moved by the test."""

    speed = 1.0

    def __init__(self, now_ms: int) -> None:
        self.now = now_ms

    def now_ms(self) -> int:
        return self.now


class MemoryMarket:
    """Implements api.MarketData over candles by symbol; tells only candles that have opened by now."""

    def __init__(self, candles: dict[str, Candles], now_ms: int, page: int = 500) -> None:
        self.table = candles
        self.hand = HandClock(now_ms)
        self.clock: MarketClock = self.hand
        self.page = page
        self.calls: list[tuple[str, int, int | None]] = []
        self.away = False
        self.gone: set[str] = set()
        self.closed = False

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        self.calls.append((symbol, limit, since_ms))
        assert interval == "5m"
        if self.away or symbol in self.gone or symbol not in self.table:
            raise Unavailable(f"no answer for {symbol}")
        known = self.table[symbol]
        known = known[known[:, 0] <= self.hand.now]
        if since_ms is None:
            return known[-min(limit, self.page) :]
        known = known[known[:, 0] >= since_ms]
        return known[: min(limit, self.page)]

    async def markets(self, refresh: bool = False) -> dict[str, Market]:
        step = Decimal("0.0001")
        return {symbol: Market(symbol, symbol[:-4], "USDT", step, step, Decimal(1), step, step)
                for symbol in self.table}

    async def tickers(self) -> dict[str, Ticker]:
        if self.away:
            raise Unavailable("no answer")
        return {symbol: Ticker(symbol, 1.0, 1.0, 1.0, 1e6 - number, 0.0) for number, symbol in enumerate(self.table)}

    async def book(self, symbol: str, limit: int = 50) -> Book:
        raise Unavailable("no books here")

    async def trades(self, symbol: str, limit: int = 500) -> list[Any]:
        return []

    async def close(self) -> None:
        self.closed = True


def ending(candles: Candles, now_ms: int) -> Candles:
    """The candles moved in time so that the last one is open at `now_ms`."""
    moved = np.array(candles)
    moved[:, 0] += now_ms // STEP_MS * STEP_MS - moved[-1, 0]
    return moved
