"""A market in memory for the paper account: the test moves book, trades and time."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np

from modules.exchange.lanes import Lane, task_lane
from modules.exchange.paper import PaperAccount
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import (
    Book,
    Candles,
    Market,
    OrderRequest,
    OrderType,
    Print,
    Side,
    Ticker,
    Unavailable,
)
from utils.paths import Paths

D = Decimal
PEPE = Market("PEPEUSDT", "PEPE", "USDT", D("0.01"), D("1"), D("1"), D("0.001"), D("0.0005"))


def book(bids: Sequence[tuple[str, str]] = (), asks: Sequence[tuple[str, str]] = (), ms: int = 0) -> Book:
    def exact(side: Sequence[tuple[str, str]]) -> tuple[tuple[Decimal, Decimal], ...]:
        return tuple((D(price), D(quantity)) for price, quantity in side)

    return Book("PEPEUSDT", exact(bids), exact(asks), ms)


class Clock:
    """Market time that stands until the test moves it."""

    speed = 1000.0

    def __init__(self) -> None:
        self.ms = 1_000_000

    def now_ms(self) -> int:
        return self.ms


class MemoryMarket:
    """Implements MarketData; `refuse` makes every query unavailable."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.pairs = {"PEPEUSDT": PEPE}
        self._known: dict[str, Market] = {}
        self.now = book([("0.99", "100"), ("0.98", "100")], [("1.01", "100"), ("1.02", "100")])
        self.tape: list[Print] = []
        self.refuse = False
        self.asked: list[str] = []
        self.lanes: list[Lane] = []

    def _answer(self, what: str) -> None:
        self.asked.append(what)
        self.lanes.append(task_lane())
        if self.refuse:
            raise Unavailable("the exchange is away")

    async def markets(self, refresh: bool = False) -> dict[str, Market]:
        self._answer("markets")
        if refresh or not self._known:
            self._known = self.pairs
        return self._known

    async def tickers(self) -> dict[str, Ticker]:
        return {}

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        return np.empty((0, 6))

    async def book(self, symbol: str, limit: int = 50) -> Book:
        self._answer("book")
        return self.now

    async def trades(self, symbol: str, limit: int = 500) -> Sequence[Print]:
        self._answer("trades")
        return self.tape

    async def close(self) -> None:
        return None


async def opened(market: MemoryMarket, home: Path, usdt: float = 1000.0, latency_ms: int = 0) -> PaperAccount:
    settings = ExchangeSettings(paper_usdt=usdt, paper_latency_ms=latency_ms)
    return await PaperAccount.open(market, settings, Paths(home).prepare())


def buy(client_id: str, quantity: str | None = None, *, quote: str | None = None, price: str | None = None,
        kind: OrderType | None = None) -> OrderRequest:
    return _request(client_id, Side.BUY, quantity, quote, price, kind)


def sell(client_id: str, quantity: str, *, price: str | None = None, kind: OrderType | None = None) -> OrderRequest:
    return _request(client_id, Side.SELL, quantity, None, price, kind)


def _request(client_id: str, side: Side, quantity: str | None, quote: str | None, price: str | None,
             kind: OrderType | None) -> OrderRequest:
    return OrderRequest(
        client_id, "PEPEUSDT", side, kind or (OrderType.MARKET if price is None else OrderType.LIMIT),
        None if quantity is None else D(quantity), None if quote is None else D(quote),
        None if price is None else D(price))
