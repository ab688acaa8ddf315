"""What in-memory venues of the tests share: a market clock set by hand, and public data that tells nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from modules.exchange.api import MarketClock
from modules.exchange.types import Book, Candles, Market, Print, Ticker, Unavailable


@dataclass
class HandClock:
    """Market time, moved by the test."""

    ms: int
    speed: float = 1.0

    def now_ms(self) -> int:
        return self.ms


class QuietMarket:
    """Implements api.MarketData with every query unavailable; a test's venue answers those that it is about."""

    def __init__(self, now_ms: int) -> None:
        self.hand = HandClock(now_ms)
        self.clock: MarketClock = self.hand
        self.closed = False

    async def markets(self, refresh: bool = False) -> dict[str, Market]:
        raise Unavailable("no markets here")

    async def tickers(self) -> dict[str, Ticker]:
        raise Unavailable("no tickers here")

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        raise Unavailable("no candles here")

    async def book(self, symbol: str, limit: int = 50) -> Book:
        raise Unavailable("no books here")

    async def trades(self, symbol: str, limit: int = 500) -> Sequence[Print]:
        raise Unavailable("no trades here")

    async def close(self) -> None:
        self.closed = True
