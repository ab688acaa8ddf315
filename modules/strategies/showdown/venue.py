"""What the collector asks of the venue, and how Binance USD-M answers: candles, open interest, funding, basis, trades.

Limits of the venue's history: candles 1,500 a call, open interest 500 a call and 30 days back, funding 1,000 a call,
trades 1,000 a call. Every call raises Unavailable when no trustworthy answer came (X15).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Protocol

import msgspec
import numpy as np

from modules.exchange.link import Link
from modules.exchange.parsing import FIRST_MS, LAST_MS, Unreadable, decode
from modules.exchange.wire import Endpoint
from modules.strategies.showdown.records import Bars, Contract, Series

IP = "ip"  # Binance counts all weights of an address together
KLINES = Endpoint("fapiPublicGetKlines", "fapi/v1/klines", 10, bucket=IP)
INTEREST = Endpoint("fapiDataGetOpenInterestHist", "futures/data/openInterestHist", 1, bucket="futures/data")
FUNDING = Endpoint("fapiPublicGetFundingRate", "fapi/v1/fundingRate", 1, bucket=IP)
PREMIUM = Endpoint("fapiPublicGetPremiumIndex", "fapi/v1/premiumIndex", 1, bucket=IP)
PREMIUMS = Endpoint("fapiPublicGetPremiumIndexKlines", "fapi/v1/premiumIndexKlines", 5, bucket=IP)
TRADES = Endpoint("fapiPublicGetAggTrades", "fapi/v1/aggTrades", 20, bucket=IP)
KLINES_A_CALL, INTEREST_A_CALL, FUNDING_A_CALL, TRADES_A_CALL = 1500, 500, 1000, 1000
INTEREST_KEPT_MS = 29 * 86_400_000  # the venue keeps 30 days, and refuses an older start

Number = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?\Z", max_length=40)]


@dataclass(frozen=True, slots=True)
class Trade:
    """One aggregate trade; `buy`: the taker bought."""

    id: int
    ms: int
    quantity: float
    buy: bool


class Source(Protocol):
    """The venue as the collector sees it. Times are market ms."""

    def now_ms(self) -> int:
        """Market time. Raises Unavailable while it is not known."""

    async def candles(self, symbol: str, interval: str, start_ms: int, limit: int) -> Bars:
        """Candles from `start_ms` on, oldest first, (n, 7); the last may still be open."""

    async def open_interest(self, symbol: str, start_ms: int) -> Series:
        """Open interest in contracts every 5 minutes from `start_ms` on."""

    async def funding(self, symbol: str, start_ms: int) -> Series:
        """Settled funding rates from `start_ms` on."""

    async def funding_now(self, symbol: str) -> tuple[float, float]:
        """The coming funding rate, and the basis (mark ÷ index − 1)."""

    async def basis(self, symbol: str, start_ms: int) -> Series:
        """Premium of the contract over its index, closed 5m candles from `start_ms` on."""

    async def trades(self, symbol: str, from_id: int | None, start_ms: int) -> Sequence[Trade]:
        """At most 1,000 trades from an id on, or from a time on."""

    async def contract(self, symbol: str) -> Contract | None:
        """The venue's limits; None for a contract that it does not have or does not trade."""


class _Interest(msgspec.Struct):
    sumOpenInterest: Number
    timestamp: int


class _Funding(msgspec.Struct):
    fundingTime: int
    fundingRate: Number


class _Premium(msgspec.Struct):
    markPrice: Number
    indexPrice: Number
    lastFundingRate: Number


class _Trade(msgspec.Struct):
    a: int
    q: Number
    T: int
    m: bool


class BinanceSource:
    """Implements `Source` over an open futures market (``futures_gateway.open_futures``)."""

    def __init__(self, market: Any) -> None:
        self._market = market
        self._link: Link = market.link

    def now_ms(self) -> int:
        return int(self._market.clock.now_ms())

    async def candles(self, symbol: str, interval: str, start_ms: int, limit: int) -> Bars:
        asked: dict[str, str | int] = {"symbol": symbol, "interval": interval, "startTime": start_ms,
                                       "limit": min(limit, KLINES_A_CALL)}
        body = await self._link.ask_public(KLINES, asked)
        return self._link.readable(lambda: read_klines(body), KLINES)

    async def open_interest(self, symbol: str, start_ms: int) -> Series:
        start = max(start_ms, self.now_ms() - INTEREST_KEPT_MS)
        body = await self._link.ask_public(INTEREST, {"symbol": symbol, "period": "5m", "startTime": start,
                                                      "endTime": self.now_ms(), "limit": INTEREST_A_CALL})
        return self._link.readable(lambda: _series((one.timestamp, one.sumOpenInterest)
                                                   for one in decode(body, list[_Interest])), INTEREST)

    async def funding(self, symbol: str, start_ms: int) -> Series:
        body = await self._link.ask_public(FUNDING, {"symbol": symbol, "startTime": start_ms, "limit": FUNDING_A_CALL})
        return self._link.readable(lambda: _series((one.fundingTime, one.fundingRate)
                                                   for one in decode(body, list[_Funding])), FUNDING)

    async def funding_now(self, symbol: str) -> tuple[float, float]:
        body = await self._link.ask_public(PREMIUM, {"symbol": symbol})
        return self._link.readable(lambda: _premium(decode(body, _Premium)), PREMIUM)

    async def basis(self, symbol: str, start_ms: int) -> Series:
        body = await self._link.ask_public(PREMIUMS, {"symbol": symbol, "interval": "5m", "startTime": start_ms,
                                                      "limit": INTEREST_A_CALL})
        now = self.now_ms()
        rows = self._link.readable(lambda: _rows(body), PREMIUMS)
        return self._link.readable(lambda: _series((int(row[6]) + 1, row[4]) for row in rows if int(row[6]) < now),
                                   PREMIUMS)

    async def trades(self, symbol: str, from_id: int | None, start_ms: int) -> Sequence[Trade]:
        asked: dict[str, str | int] = {"symbol": symbol, "limit": TRADES_A_CALL}
        asked.update({"startTime": start_ms} if from_id is None else {"fromId": from_id})
        body = await self._link.ask_public(TRADES, asked)
        return self._link.readable(lambda: [Trade(one.a, one.T, _finite(one.q), not one.m)
                                            for one in decode(body, list[_Trade])], TRADES)

    async def contract(self, symbol: str) -> Contract | None:
        found = (await self._market.contracts()).get(symbol)
        if found is None or not found.trading:
            return None
        return Contract(tick=_text(found.tick), step=_text(found.step), min_notional=_text(found.min_notional),
                        max_quantity=_text(found.limit_max), fee=_text(found.taker_fee))


def read_klines(body: str) -> Bars:
    """Binance's candles as (n, 7). Raises Unreadable."""
    rows = _rows(body)
    try:
        found = np.array([[int(row[0]), *(float(row[place]) for place in (1, 2, 3, 4, 5, 9))] for row in rows],
                         dtype=np.float64).reshape(-1, 7)
    except (ValueError, TypeError, IndexError) as problem:
        raise Unreadable(f"a candle cannot be read ({problem})") from problem
    if not np.isfinite(found).all() or (np.diff(found[:, 0]) <= 0).any():
        raise Unreadable("the candles are out of order or hold no numbers")
    return found


def _rows(body: str) -> list[list[Any]]:
    return decode(body, list[list[Any]])


def _series(rows: Any) -> Series:
    try:
        found = np.array([(int(ms), float(value)) for ms, value in rows], dtype=np.float64).reshape(-1, 2)
    except (ValueError, TypeError, IndexError) as problem:
        raise Unreadable(f"a value cannot be read ({problem})") from problem
    if not np.isfinite(found).all() or not ((found[:, 0] > FIRST_MS) & (found[:, 0] < LAST_MS)).all():
        raise Unreadable("a value or its time cannot be")
    return found


def _premium(found: _Premium) -> tuple[float, float]:
    mark, index = _finite(found.markPrice), _finite(found.indexPrice)
    if mark <= 0 or index <= 0:
        raise Unreadable(f"mark price {found.markPrice} or index price {found.indexPrice} cannot be")
    return float(found.lastFundingRate), mark / index - 1


def _finite(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e15:
        raise Unreadable(f"{text} cannot be")
    return value


def _text(value: Decimal) -> str:
    return format(value, "f")
