"""What the signal bot asks by REST: the universe's figures and trades that were missed; weights are counted (X31)."""

from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import msgspec

from modules.exchange.address import resolver
from modules.exchange.feed.rest import DEPTH_WEIGHT, FuturesRest, budget_page
from modules.exchange.feed.settings import FeedSettings
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Unavailable
from modules.strategies.signals.follower import Tick
from utils.paths import Paths

T = TypeVar("T")
REST_URL, WS_URL = "https://fapi.binance.com", "wss://fstream.binance.com"
TICKERS_WEIGHT, SPREADS_WEIGHT, MARKS_WEIGHT, INTEREST_WEIGHT, TRADES_WEIGHT = 40, 5, 10, 1, 20


class _Day(msgspec.Struct):
    symbol: str
    quoteVolume: str
    count: int


class _Touch(msgspec.Struct):
    symbol: str
    bidPrice: str
    askPrice: str


class _Mark(msgspec.Struct):
    symbol: str
    markPrice: str


class _Interest(msgspec.Struct):
    openInterest: str


class _Time(msgspec.Struct):
    serverTime: int


class _Agg(msgspec.Struct):
    a: int
    p: str
    T: int


@dataclass(frozen=True, slots=True)
class Day:
    """24 h of a symbol: quote volume in USDT and count of trades."""

    volume: float
    trades: int


@dataclass(frozen=True, slots=True)
class Address:
    """Where the venue is."""

    rest: str
    streams: str
    speed: float


async def address(feed: FeedSettings, exchange: ExchangeSettings, paths: Paths,
                  session: aiohttp.ClientSession) -> Address:
    """The venue of the feed. Raises Unavailable while no simulated exchange runs."""
    if feed.venue != "simulated":
        return Address(feed.rest_url or REST_URL, feed.ws_url or WS_URL, 1.0)
    simulated = exchange.model_copy(update={"name": "simulated", "base_url": feed.rest_url or exchange.base_url})
    found = await resolver(simulated, paths)(session)
    return Address(found.url, feed.ws_url or found.url.replace("http", "ws", 1), found.speed)


class SignalRest(FuturesRest):
    """More public questions. Every call raises Unavailable."""

    @classmethod
    def of(cls, session: aiohttp.ClientSession, base: str, feed: FeedSettings, paths: Paths,
           speed: float) -> "SignalRest":
        """With the weights that all processes share."""
        return cls(session, base, budget_page(paths, f"{feed.venue}-futures"), feed.weight_limit, speed)

    async def days(self) -> dict[str, Day]:
        """24 h figures of all symbols."""
        found = _decode(await self._get("/fapi/v1/ticker/24hr", {}, TICKERS_WEIGHT), list[_Day], "ticker/24hr")
        return {one.symbol: Day(float(one.quoteVolume), one.count) for one in found}

    async def spreads(self) -> dict[str, float]:
        """Spread of all symbols, % of the mid; those with an empty side are left out."""
        raw = await self._get("/fapi/v1/ticker/bookTicker", {}, SPREADS_WEIGHT)
        found = {}
        for one in _decode(raw, list[_Touch], "bookTicker"):
            bid, ask = float(one.bidPrice), float(one.askPrice)
            if 0 < bid <= ask:
                found[one.symbol] = (ask - bid) / (ask + bid) * 200
        return found

    async def marks(self) -> dict[str, float]:
        """Mark prices of all symbols."""
        raw = await self._get("/fapi/v1/premiumIndex", {}, MARKS_WEIGHT)
        return {one.symbol: float(one.markPrice) for one in _decode(raw, list[_Mark], "premiumIndex")}

    async def open_interest(self, symbol: str) -> float:
        """Open interest in contracts."""
        raw = await self._get("/fapi/v1/openInterest", {"symbol": symbol}, INTEREST_WEIGHT)
        return float(_decode(raw, _Interest, "openInterest").openInterest)

    async def depth_usdt(self, symbol: str, levels: int, pct: float) -> tuple[float, bool]:
        """(USDT of both sides within `pct` % of the mid, whether the snapshot spans that far)."""
        book = await self.snapshot(symbol, levels)
        bids = [(float(p), float(q)) for p, q in book.bids]
        asks = [(float(p), float(q)) for p, q in book.asks]
        if not bids or not asks:
            return 0.0, False
        mid = (bids[0][0] + asks[0][0]) / 2
        low, high = mid * (1 - pct / 100), mid * (1 + pct / 100)
        inside = sum(p * q for p, q in bids if p >= low) + sum(p * q for p, q in asks if p <= high)
        whole = (bids[-1][0] <= low or len(bids) < levels) and (asks[-1][0] >= high or len(asks) < levels)
        return inside, whole

    async def trades_from(self, symbol: str, from_id: int, limit: int) -> list[Tick]:
        """Aggregate trades from an id on, oldest first."""
        query = {"symbol": symbol, "fromId": str(from_id), "limit": str(limit)}
        raw = await self._get("/fapi/v1/aggTrades", query, TRADES_WEIGHT)
        return [Tick(one.a, one.T, float(one.p)) for one in _decode(raw, list[_Agg], "aggTrades")]

    async def time_ms(self) -> int:
        """The venue's time."""
        return _decode(await self._get("/fapi/v1/time", {}, 1), _Time, "time").serverTime

    async def ping(self) -> None:
        """Does it answer?"""
        await self._get("/fapi/v1/ping", {}, 1)

    @staticmethod
    def depth_weight(levels: int) -> int:
        """What a snapshot costs."""
        return DEPTH_WEIGHT[levels]


def _decode(raw: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, ValueError) as problem:
        raise Unavailable(f"{what}: the answer cannot be read ({problem}): {raw[:80]!r}") from problem
