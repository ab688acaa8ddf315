"""Looking at prices: the best bid of everything held, and how long it went unseen.

1. A few symbols are looked at by their books, many by the one call that has every ticker.
2. Only a price that makes sense is a price: positive, finite, not above the offer. Anything else is no look at all.
3. One answer that does not come holds up only its own symbol, and that for `WITHIN_S`: then it is asked anew.
4. Gaps between looks are measured in market time, because that is how far a price can run away.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Collection
from decimal import Decimal
from statistics import median

from modules.exchange.api import MarketData
from modules.exchange.lanes import Lane, in_lane
from modules.exchange.types import Book, Ticker, Unavailable

log = logging.getLogger(__name__)

BOOKS_UP_TO = 10
BOOK_LEVELS = 5
WITHIN_S = 3.0
REMEMBERED = 1_000


class Looks:
    """The eyes of the tracker."""

    def __init__(self, market: MarketData) -> None:
        self._market = market
        self._gaps: deque[int] = deque(maxlen=REMEMBERED)
        self._last_ms: int | None = None
        self._seen: dict[str, int] = {}
        self.within_s = WITHIN_S
        self.worst_gap_ms = 0
        self.failed = 0

    async def look(self, symbols: Collection[str]) -> dict[str, Decimal]:
        """Best bid by symbol; a symbol without a trustworthy price is missing (rule 2)."""
        if not symbols:
            self._last_ms = None  # nobody is unguarded while nothing is held
            self._seen = {}
            return {}
        try:
            found = await self._ask(symbols)
        except Unavailable as problem:
            self.failed += 1
            log.warning("look: %s", problem)
            return {}
        if found:
            self._measure()
            now_ms = self._market.clock.now_ms()
            self._seen = {symbol: now_ms if symbol in found else self._seen.get(symbol, 0) for symbol in symbols}
        return found

    async def glance(self, symbols: Collection[str]) -> dict[str, Decimal]:
        """Best bid of what is to be sold at once, between two looks."""
        try:
            return await self._ask(symbols)
        except Unavailable as problem:
            log.warning("glance: %s", problem)
            return {}

    def figures(self) -> dict[str, int]:
        """Facts for /status, market ms (rule 4). `seen_ms`: when the symbol that waits longest was last looked at."""
        return {"look_p50_ms": round(median(self._gaps)) if self._gaps else 0,
                "look_max_gap_ms": max(self._gaps, default=0), "worst_gap": self.worst_gap_ms,
                "seen_ms": min(self._seen.values(), default=0)}

    async def _ask(self, symbols: Collection[str]) -> dict[str, Decimal]:
        with in_lane(Lane.EXIT):  # guarding waits behind nobody's curiosity (X31)
            return await (self._books(symbols) if len(symbols) <= BOOKS_UP_TO else self._tickers(symbols))

    async def _books(self, symbols: Collection[str]) -> dict[str, Decimal]:
        answers = await asyncio.gather(*(self._book(symbol) for symbol in symbols))
        return {symbol: bid for symbol, bid in zip(symbols, answers, strict=True) if bid is not None}

    async def _book(self, symbol: str) -> Decimal | None:
        try:
            async with asyncio.timeout(self.within_s):
                return bid_of_book(await self._market.book(symbol, BOOK_LEVELS))
        except (Unavailable, TimeoutError) as problem:
            self.failed += 1
            log.warning("look at %s: %s", symbol, str(problem) or "no answer in time")
            return None

    async def _tickers(self, symbols: Collection[str]) -> dict[str, Decimal]:
        try:
            async with asyncio.timeout(self.within_s):
                tickers = await self._market.tickers()
        except TimeoutError:
            raise Unavailable("the list of tickers did not come in time") from None
        bids = {symbol: bid_of_ticker(tickers[symbol]) for symbol in symbols if symbol in tickers}
        return {symbol: bid for symbol, bid in bids.items() if bid is not None}

    def _measure(self) -> None:
        now_ms = self._market.clock.now_ms()
        if self._last_ms is not None:
            gap = now_ms - self._last_ms
            self._gaps.append(gap)
            self.worst_gap_ms = max(self.worst_gap_ms, gap)
        self._last_ms = now_ms


def bid_of_book(book: Book) -> Decimal | None:
    """The best bid, or None (rule 2)."""
    if not book.bids:
        return None
    bid = book.bids[0][0]
    if not bid.is_finite() or bid <= 0 or (book.asks and bid > book.asks[0][0]):
        return None
    return bid


def bid_of_ticker(ticker: Ticker) -> Decimal | None:
    """The best bid, or None (rule 2)."""
    if not math.isfinite(ticker.bid) or ticker.bid <= 0 or (ticker.ask > 0 and ticker.bid > ticker.ask):
        return None
    return Decimal(repr(ticker.bid))
