"""What the rest of the program may ask of an exchange: market data, and an account in two implementations."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from modules.exchange.types import (
    Balance,
    Book,
    Candles,
    Fill,
    Lookup,
    Market,
    Mode,
    OrderRequest,
    OrderState,
    Outcome,
    Print,
    Ticker,
)


class MarketClock(Protocol):
    """Market time: the exchange's clock (DESIGN, Time)."""

    speed: float

    def now_ms(self) -> int:
        """Milliseconds of market time; never falls. Raises Unavailable while the offset is unknown (X32)."""


class MarketData(Protocol):
    """Public data of one venue. Every call raises Unavailable when no trustworthy answer came."""

    @property
    def clock(self) -> MarketClock:
        """Market time; read only, so that a venue may offer a richer clock of its own."""

    async def markets(self, refresh: bool = False) -> dict[str, Market]:
        """All markets by symbol; kept until asked to refresh."""

    async def tickers(self) -> dict[str, Ticker]:
        """Every USDT pair's ticker, in one call."""

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        """At most `limit` candles of `interval` (1m 5m 15m 1h 4h 1d), oldest first."""

    async def book(self, symbol: str, limit: int = 50) -> Book:
        """Order book to `limit` levels a side."""

    async def trades(self, symbol: str, limit: int = 500) -> Sequence[Print]:
        """Latest public trades, oldest first."""

    async def close(self) -> None:
        """Release connections."""


class Account(Protocol):
    """One account: the venue's (LIVE) or paper (TEST). Strategies never ask which."""

    mode: Mode

    async def balances(self) -> dict[str, Balance]:
        """Non-zero balances by asset. Raises Unavailable."""

    async def place(self, request: OrderRequest) -> Outcome:
        """Send an order, once. Never raises for what the venue or network does."""

    async def cancel(self, symbol: str, client_id: str) -> Outcome:
        """Cancel by client id."""

    async def order(self, symbol: str, client_id: str) -> Lookup:
        """What became of an order."""

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderState]:
        """Live orders. Raises Unavailable."""

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        """Own executions from `since_ms` (market time) on, oldest first. Raises Unavailable."""

    async def close(self) -> None:
        """Release connections, flush state."""


def quantize_down(value: Decimal, step: Decimal) -> Decimal:
    """`value` rounded down to a whole number of `step`s (never sell or spend more than asked)."""
    return (value // step) * step
