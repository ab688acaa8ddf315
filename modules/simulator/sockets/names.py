"""The grammar of stream names, and which of the three families each belongs to.

Since 2026-04-23 the venue serves a stream only to sockets of its own category (X26); what is asked of the wrong
one is accepted, answered with `"result": null`, and stays silent for ever: no error tells of the mistake (seen by
several clients' maintainers after the change, e.g. cryptofeed's issue 1128). The old `/ws` and `/stream` without
a category still answer and deliver only what is public. `/sim/status` names such subscriptions as `unheard`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

INTERVALS: dict[str, int] = {
    "1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000,
    "2h": 7_200_000, "4h": 14_400_000, "6h": 21_600_000, "8h": 28_800_000, "12h": 43_200_000, "1d": 86_400_000,
    "3d": 259_200_000, "1w": 604_800_000, "1M": 2_592_000_000}


class Family(Enum):
    """The category of a socket."""

    PUBLIC = "public"  # order book: depth, bookTicker; single trades as well
    MARKET = "market"  # aggTrade, klines, mark prices, tickers, liquidations
    PRIVATE = "private"  # user streams


class Kind(Enum):
    """What a market stream tells."""

    DEPTH = "depth"  # differences
    PARTIAL = "partial"  # the best levels, whole
    BOOK_TICKER = "bookTicker"
    ALL_BOOK_TICKERS = "!bookTicker"
    TRADE = "trade"
    AGG_TRADE = "aggTrade"
    KLINE = "kline"
    CONTINUOUS = "continuousKline"
    MARK = "markPrice"
    ALL_MARKS = "!markPrice"
    MINI = "miniTicker"
    ALL_MINIS = "!miniTicker"
    TICKER = "ticker"
    ALL_TICKERS = "!ticker"
    FORCE = "forceOrder"
    ALL_FORCES = "!forceOrder"
    CONTRACT = "!contractInfo"


_PUBLIC = frozenset({Kind.DEPTH, Kind.PARTIAL, Kind.BOOK_TICKER, Kind.ALL_BOOK_TICKERS, Kind.TRADE})
_ALL: dict[str, tuple[Kind, int]] = {
    "!bookTicker": (Kind.ALL_BOOK_TICKERS, 5000), "!markPrice@arr": (Kind.ALL_MARKS, 3000),
    "!markPrice@arr@1s": (Kind.ALL_MARKS, 1000), "!miniTicker@arr": (Kind.ALL_MINIS, 1000),
    "!ticker@arr": (Kind.ALL_TICKERS, 1000), "!forceOrder@arr": (Kind.ALL_FORCES, 1000),
    "!contractInfo": (Kind.CONTRACT, 0)}
_PLAIN: dict[str, tuple[Kind, int]] = {
    "bookTicker": (Kind.BOOK_TICKER, 0), "trade": (Kind.TRADE, 0), "aggTrade": (Kind.AGG_TRADE, 100),
    "markPrice": (Kind.MARK, 3000), "markPrice@1s": (Kind.MARK, 1000), "miniTicker": (Kind.MINI, 500),
    "ticker": (Kind.TICKER, 2000), "forceOrder": (Kind.FORCE, 1000)}
_DEPTH = re.compile(r"depth(5|10|20)?(?:@(0|100|250|500)ms)?")
_KLINE = re.compile(r"(?:kline|continuousKline)_(\w+)")


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that exists: what it tells, of whom, how often (ms of market time; 0 as it happens)."""

    name: str
    kind: Kind
    symbol: str | None  # as the venue writes it, BTCUSDT; None for all of them
    every_ms: int
    levels: int = 0
    interval: str = ""

    @property
    def family(self) -> Family:
        """The only category of sockets that hears it."""
        return Family.PUBLIC if self.kind in _PUBLIC else Family.MARKET


@lru_cache(maxsize=65_536)
def parse(name: str) -> Stream | None:
    """The stream of a name; None where the grammar knows none. Names are case-sensitive, symbols lower case."""
    if name in _ALL:
        kind, every = _ALL[name]
        return Stream(name, kind, None, every)
    symbol, _, what = name.partition("@")
    if not symbol or not what or symbol != symbol.lower():
        return None
    if what in _PLAIN:
        kind, every = _PLAIN[what]
        return Stream(name, kind, symbol.upper(), every)
    if (match := _DEPTH.fullmatch(what)) is not None:
        levels = int(match[1] or 0)
        every = int(match[2]) if match[2] is not None else 250
        return Stream(name, Kind.PARTIAL if levels else Kind.DEPTH, symbol.upper(), every, levels)
    if (match := _KLINE.fullmatch(what)) is not None and match[1] in INTERVALS:
        if what.startswith("kline"):
            return Stream(name, Kind.KLINE, symbol.upper(), 250, interval=match[1])
        pair, _, contract = symbol.partition("_")
        if contract == "perpetual":
            return Stream(name, Kind.CONTINUOUS, pair.upper(), 250, interval=match[1])
    return None
