"""A market in memory for the trainer's tests: candles that exist, a clock that is set by hand, faults on request."""

from decimal import Decimal

import numpy as np

from modules.exchange.types import Candles, Market, Ticker, Unavailable
from modules.learning.features import STEP_MS
from tests.quiet_market import QuietMarket


class MemoryMarket(QuietMarket):
    """Candles by symbol; tells only those that have opened by now."""

    def __init__(self, candles: dict[str, Candles], now_ms: int, page: int = 500) -> None:
        super().__init__(now_ms)
        self.table = candles
        self.page = page
        self.calls: list[tuple[str, int, int | None]] = []
        self.away = False
        self.gone: set[str] = set()

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        self.calls.append((symbol, limit, since_ms))
        assert interval == "5m"
        if self.away or symbol in self.gone or symbol not in self.table:
            raise Unavailable(f"no answer for {symbol}")
        known = self.table[symbol]
        known = known[known[:, 0] <= self.hand.ms]
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


def ending(candles: Candles, now_ms: int) -> Candles:
    """The candles moved in time so that the last one is open at `now_ms`."""
    moved = np.array(candles)
    moved[:, 0] += now_ms // STEP_MS * STEP_MS - moved[-1, 0]
    return moved
