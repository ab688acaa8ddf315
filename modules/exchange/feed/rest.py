"""The few questions that the feed asks by REST, counted with all other processes' requests (X31, X33)."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec
import numpy as np

from modules.exchange.budget import PAGE_SIZE, Budget
from modules.exchange.feed.engine import Units
from modules.exchange.feed.page import CANDLE_ROW, Floats
from modules.exchange.lanes import Lane
from modules.exchange.limiter import Limiter, Shed
from modules.exchange.orderbook.messages import Snapshot
from modules.exchange.page import Page, SharedPage
from modules.exchange.types import Unavailable
from utils.paths import Paths

log = logging.getLogger(__name__)

ADDRESS = "all"  # the venue counts weight for each address, whatever the endpoint
WINDOW_S = 60.0
DEPTH_WEIGHT = {100: 5, 500: 10, 1000: 20}
PATIENCE_S = 90.0
TIMEOUT_S = 10.0
_RETRY_LATER = (418, 429)
T = TypeVar("T")


class _Symbol(msgspec.Struct):
    symbol: str
    status: str
    contractType: str = "PERPETUAL"
    quoteAsset: str = "USDT"
    filters: list[dict[str, msgspec.Raw]] = []


class _Info(msgspec.Struct):
    symbols: list[_Symbol]


class _Ticker(msgspec.Struct):
    symbol: str
    quoteVolume: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A symbol as the venue lists it. `tick`: price step; 0 where the venue does not say."""

    trading: bool
    units: Units
    tick: float = 0.0


def budget_page(paths: Paths, venue: str) -> Page:
    """The page on which all processes count this venue's weights; where the disk refuses, one of our own."""
    try:
        return SharedPage(paths.run / f"exchange-{venue}.budget1", PAGE_SIZE)
    except OSError as problem:
        log.error("requests to %s cannot be counted together with other processes: %s", venue, problem)
        return Page(PAGE_SIZE)


class FuturesRest:
    """Public REST of Binance USD-M. Every call raises Unavailable when no trustworthy answer came."""

    def __init__(self, session: aiohttp.ClientSession, base: str, page: Page, weight_limit: int,
                 speed: float = 1.0) -> None:
        self._session, self._base = session, base.rstrip("/")
        self._limiter = Limiter(Budget(page, weight_limit, WINDOW_S, lambda: speed))
        self.heard: Callable[[str, bytes], None] | None = None  # gets every answer: path with query, body

    async def snapshot(self, symbol: str, limit: int) -> Snapshot:
        """The book to `limit` levels a side."""
        raw = await self._get("/fapi/v1/depth", {"symbol": symbol, "limit": str(limit)}, DEPTH_WEIGHT[limit])
        return _decode(raw, Snapshot, "depth")

    async def listed(self) -> dict[str, Listed]:
        """All perpetual symbols in USDT."""
        return listed_of(await self._get("/fapi/v1/exchangeInfo", {}, 1))

    async def largest(self) -> list[str]:
        """Symbols by 24 h quote volume, largest first."""
        tickers = _decode(await self._get("/fapi/v1/ticker/24hr", {}, 40), list[_Ticker], "ticker/24hr")
        return [one.symbol for one in sorted(tickers, key=lambda t: Decimal(t.quoteVolume), reverse=True)]

    async def candles(self, symbol: str, interval: str, limit: int) -> Floats:
        """Rows (n, CANDLE_ROW), oldest first; the last one may be open still."""
        weight = 1 if limit < 100 else 2 if limit < 500 else 5
        raw = await self._get("/fapi/v1/klines", {"symbol": symbol, "interval": interval, "limit": str(limit)}, weight)
        return candle_rows(raw)

    async def _get(self, path: str, query: Mapping[str, str], weight: int) -> bytes:
        try:
            ticket = await self._limiter.take(ADDRESS, weight, Lane.DATA, PATIENCE_S, TIMEOUT_S)
        except Shed as shed:
            raise Unavailable(str(shed)) from shed
        try:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            async with self._session.get(self._base + path, params=query, timeout=timeout) as answer:
                raw = await answer.read()
                self._heed(answer)
                if answer.status != 200:
                    raise Unavailable(f"{path} {query.get('symbol', '')}: HTTP {answer.status} {raw[:120]!r}")
                if self.heard is not None:
                    self.heard(f"{path}?{urlencode(query)}", raw)
                return raw
        except (aiohttp.ClientError, OSError, TimeoutError) as problem:
            raise Unavailable(f"{path} {query.get('symbol', '')}: {type(problem).__name__}") from problem
        finally:
            self._limiter.done(ticket)

    def _heed(self, answer: aiohttp.ClientResponse) -> None:
        used = answer.headers.get("X-MBX-USED-WEIGHT-1M", "")
        if used.isdigit():
            self._limiter.told(ADDRESS, float(used))
        if answer.status in _RETRY_LATER:
            after = answer.headers.get("Retry-After", "")
            self._limiter.refused(ADDRESS, float(after) if after.isdigit() else None, banned=answer.status == 418)


def listed_of(raw: bytes) -> dict[str, Listed]:
    """The perpetual symbols in USDT of an answer of exchangeInfo. Raises Unavailable."""
    found = {}
    for one in _decode(raw, _Info, "exchangeInfo").symbols:
        if one.quoteAsset == "USDT" and one.contractType == "PERPETUAL":
            found[one.symbol] = Listed(one.status == "TRADING", _units(one), float(_sizes(one).get("PRICE_FILTER", 0)))
    if not found:
        raise Unavailable("The venue lists no perpetual symbol at all; that cannot be. It is asked again.")
    return found


def candle_rows(raw: bytes) -> Floats:
    """Rows (n, CANDLE_ROW) of an answer of klines, oldest first; the last one counts as open. Raises Unavailable."""
    found = _decode(raw, list[tuple[int, str, str, str, str, str, int, str, int, str, str, str]], "klines")
    rows = np.empty((len(found), CANDLE_ROW))
    for at, k in enumerate(found):
        rows[at] = (k[0], float(k[1]), float(k[2]), float(k[3]), float(k[4]), float(k[5]), float(k[7]),
                    float(k[9]), float(at < len(found) - 1))
    return rows


def _units(one: _Symbol) -> Units:
    """Decimals of the tick and step sizes."""
    sizes = {"PRICE_FILTER": "0.01", "LOT_SIZE": "0.001"} | _sizes(one)
    return Units(_decimals(sizes["PRICE_FILTER"]), _decimals(sizes["LOT_SIZE"]))


def _sizes(one: _Symbol) -> dict[str, str]:
    """Tick and step size, as far as the filters name them."""
    fields = {"PRICE_FILTER": "tickSize", "LOT_SIZE": "stepSize"}
    sizes = {}
    for rule in one.filters:
        kind = msgspec.json.decode(rule.get("filterType", msgspec.Raw(b'""')))
        if kind in fields and fields[kind] in rule:
            sizes[kind] = msgspec.json.decode(rule[fields[kind]], type=str)
    return sizes


def _decimals(size: str) -> int:
    exponent = Decimal(size).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _decode(raw: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, ValueError) as problem:
        raise Unavailable(f"{what}: the answer cannot be read ({problem}): {raw[:80]!r}") from problem
