"""Market data of a worker, fetched once for all its sessions: prices in one call, candles a contract and timeframe.

1. Prices of all contracts come in one call a tick; a call that is late or fails leaves the old ones, whose age the
   rules judge (`GRID_STALE_AFTER_S`).
2. Candles are kept closed, at least `FILL` of them, and only what is missing is fetched (E8), when one has closed.
3. Contracts with their tiers are asked for once, and again when an order does not fit them any more.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from modules.exchange.api import MarketClock
from modules.exchange.bitget_public import Touch
from modules.exchange.futures_types import Bracket as VenueBracket
from modules.exchange.futures_types import FuturesMarket
from modules.exchange.lanes import Lane, in_lane
from modules.exchange.types import Candles, Unavailable
from modules.strategies.grid.settings import INTERVAL_MS
from modules.strategies.grid.signals import FILL, Candle
from modules.strategies.grid.units import Bracket, Contract

log = logging.getLogger(__name__)

KEPT = FILL + 50
#: how long after a candle's end it is asked for, and again while it has not come, market ms
SETTLE_MS, AGAIN_MS = 500, 2_000
#: an order does not fit the contract as it is known here (least, largest, tick, step): Bitget's codes, the paper's own
CONTRACT_CODES = frozenset({"40017", "40020", "40808", "43009", "43011", "43027", "45110", "45111", "45112", "45115",
                            "45116", "-4005", "-4014", "-4023", "-4164"})
#: the exchange has no such contract (any more)
NO_CONTRACT = frozenset({"40034", "40309", "-1121"})
ANEW_S = 60.0


class Source(Protocol):
    """What is needed of a venue's market data. Calls raise Unavailable."""

    @property
    def clock(self) -> MarketClock:
        """Market time."""

    async def contracts(self, refresh: bool = False) -> Mapping[str, FuturesMarket]:
        """All contracts by symbol."""

    async def most_leverage(self, symbol: str) -> int:
        """The highest leverage of a contract, 0 for none such."""

    async def brackets(self, symbol: str) -> Sequence[VenueBracket]:
        """Leverage tiers of a contract."""

    async def touches(self, symbols: frozenset[str]) -> dict[str, Touch]:
        """Best prices."""

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        """Candles, oldest first."""


Series = tuple[str, str]
K = TypeVar("K")


class _Kept:
    """The closed candles of one contract and timeframe."""

    def __init__(self) -> None:
        self.candles: tuple[Candle, ...] = ()
        self.next_ask_ms = 0
        self.busy = False


class SharedMarket:
    """Prices and candles of every contract that a session of this worker trades."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.clock = source.clock
        self.touches: dict[str, Touch] = {}
        self._symbols: dict[str, int] = {}
        self._series: dict[Series, _Kept] = {}
        self._watched: dict[Series, int] = {}
        self._contracts: dict[str, Contract] = {}
        self._anew_at = -ANEW_S
        self._tasks: set[asyncio.Task[None]] = set()
        self._prices: asyncio.Task[None] | None = None
        self.problem = ""

    # -- who watches what --------------------------------------------------------------------------

    def watch(self, symbol: str, timeframe: str) -> None:
        """A session trades this."""
        self._symbols[symbol] = self._symbols.get(symbol, 0) + 1
        self._watched[symbol, timeframe] = self._watched.get((symbol, timeframe), 0) + 1
        self._series.setdefault((symbol, timeframe), _Kept())

    def unwatch(self, symbol: str, timeframe: str) -> None:
        """A session of this ended."""
        _less(self._symbols, symbol)
        _less(self._watched, (symbol, timeframe))
        if (symbol, timeframe) not in self._watched:
            self._series.pop((symbol, timeframe), None)

    # -- prices ------------------------------------------------------------------------------------

    async def wait_prices(self, patience_s: float) -> None:
        """Ask for new prices and wait for them, no longer than `patience_s`: those that are late count for the next
        tick, and nobody's tick waits for them."""
        if self._prices is None or self._prices.done():
            self._prices = asyncio.create_task(self.refresh(), name="prices")
        await asyncio.wait({self._prices}, timeout=patience_s)
        if self._prices.done():
            self._prices.result()

    async def refresh(self) -> None:
        """New prices of everything watched; on failure the old ones stay, and `problem` says why."""
        if not self._symbols:
            return
        try:
            with in_lane(Lane.EXIT):  # exits of all users hang on this one call
                self.touches.update(await self.source.touches(frozenset(self._symbols)))
            self.problem = ""
        except Unavailable as problem:
            self.problem = str(problem)

    # -- candles -----------------------------------------------------------------------------------

    def candles(self, symbol: str, timeframe: str) -> tuple[Candle, ...]:
        """The closed candles at hand, oldest first; none while they have not come."""
        kept = self._series.get((symbol, timeframe))
        return () if kept is None else kept.candles

    def look(self, changed: Callable[[Series], None]) -> None:
        """Fetch what has closed since; `changed` is told of series with a new candle."""
        now_ms = self.clock.now_ms()
        for series, kept in self._series.items():
            if not kept.busy and now_ms >= kept.next_ask_ms:
                kept.busy = True
                task = asyncio.create_task(self._fetch(series, kept, changed), name=f"candles {series}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _fetch(self, series: Series, kept: _Kept, changed: Callable[[Series], None]) -> None:
        symbol, timeframe = series
        interval = INTERVAL_MS[timeframe]
        last = kept.candles[-1].time if kept.candles else 0
        try:
            rows = await self.source.candles(symbol, timeframe, KEPT if not last else 200,
                                             None if not last else last + 1)
            now_ms = self.clock.now_ms()
            found = tuple(Candle(int(row[0]), *(float(value) for value in row[1:5])) for row in rows
                          if int(row[0]) + interval <= now_ms and int(row[0]) > last)
            kept.candles = (*kept.candles, *found)[-KEPT:]
            newest = kept.candles[-1].time if kept.candles else 0
            closes = newest + 2 * interval + SETTLE_MS
            kept.next_ask_ms = closes if newest and closes > now_ms else now_ms + AGAIN_MS
            if found:
                changed(series)
        except (Unavailable, ValueError) as problem:
            log.info("no candles of %s %s: %s", symbol, timeframe, problem)
            kept.next_ask_ms = self.clock.now_ms() + AGAIN_MS
        finally:
            kept.busy = False

    # -- contracts ---------------------------------------------------------------------------------

    async def contract(self, symbol: str) -> Contract:
        """A contract as the rules need it. Raises Unavailable; KeyError for one that the venue does not have."""
        if symbol not in self._contracts:
            try:
                self._contracts[symbol] = await contract_of(self.source, symbol)
            except KeyError:
                raise KeyError(f"the exchange has no contract {symbol}") from None
        return self._contracts[symbol]

    async def contract_anew(self, symbol: str) -> Contract:
        """A contract as the venue tells it now; asked at most once a minute. Raises Unavailable; KeyError for one that
        the venue has no more."""
        now = time.monotonic()
        if now - self._anew_at >= ANEW_S:
            self._anew_at = now
            await self.source.contracts(refresh=True)
            self._contracts.clear()
        return await self.contract(symbol)

    async def close(self) -> None:
        """Drop what is being fetched."""
        tasks = [*self._tasks, *([self._prices] if self._prices is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _less(counts: dict[K, int], name: K) -> None:
    """One watcher less; the last one takes the name with him."""
    counts[name] = counts.get(name, 0) - 1
    if counts[name] <= 0:
        del counts[name]


async def contract_of(source: Source, symbol: str) -> Contract:
    """A contract with its tiers as the rules need it. Raises Unavailable; KeyError for one that there is not."""
    market = (await source.contracts())[symbol]
    tiers = await source.brackets(symbol)
    brackets = tuple(Bracket(one.cap, one.leverage, one.rate, one.cum) for one in tiers)
    return Contract(symbol, market.tick, market.step, market.least, market.min_notional, market.market_max,
                    await source.most_leverage(symbol), max(market.taker_fee, Decimal(0)), brackets)
