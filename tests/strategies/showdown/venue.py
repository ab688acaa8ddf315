"""A venue in memory: a steady market that can be asked as the real one is, and can fail."""

import numpy as np

from modules.exchange.types import Unavailable
from modules.strategies.showdown.records import TIMEFRAMES, Bars, Contract, Series
from modules.strategies.showdown.venue import Trade
from tests.strategies.showdown.market import CONTRACT, NOW


class MemoryVenue:
    """Two trades a second are left out: `per_minute` buys of 2 and sells of 1. `asked` notes every question."""

    def __init__(self, per_minute: int = 10) -> None:
        self.now, self.down = NOW + 30_000, False
        self.per_minute = per_minute
        self.asked: list[tuple[str, object, int]] = []
        self.born = 0  # candles before it do not exist
        self.known: Contract | None = CONTRACT

    def now_ms(self) -> int:
        return self.now

    def _note(self, what: str, which: object, start: int) -> None:
        if self.down:
            raise Unavailable("the venue does not answer")
        self.asked.append((what, which, start))

    async def candles(self, symbol: str, interval: str, start_ms: int, limit: int) -> Bars:
        self._note("candles", interval, start_ms)
        step = TIMEFRAMES[interval]
        opens = np.arange(max(-(-start_ms // step), -(-self.born // step)) * step, self.now + 1, step)[:limit]
        price = 50_000 + 100 * np.sin(opens / 7e6)
        return np.column_stack((opens, price, price + 5, price - 5, price, np.full(len(opens), 30.0),
                                np.full(len(opens), 20.0)))

    def _every(self, what: str, start_ms: int, step: int, value: float) -> Series:
        self._note(what, "", start_ms)
        times = np.arange(-(-start_ms // step) * step, self.now + 1, step)[:500]
        return np.column_stack((times, np.full(len(times), value)))

    async def open_interest(self, symbol: str, start_ms: int) -> Series:
        return self._every("open_interest", start_ms, 300_000, 1000.0)

    async def funding(self, symbol: str, start_ms: int) -> Series:
        return self._every("funding", start_ms, 28_800_000, 1e-5)

    async def basis(self, symbol: str, start_ms: int) -> Series:
        return self._every("basis", start_ms, 300_000, 1e-4)

    async def funding_now(self, symbol: str) -> tuple[float, float]:
        self._note("funding_now", "", 0)
        return 1e-5, 1e-4

    async def trades(self, symbol: str, from_id: int | None, start_ms: int) -> list[Trade]:
        self._note("trades", from_id, start_ms)
        gap = 60_000 // (2 * self.per_minute)
        first = from_id if from_id is not None else -(-start_ms // gap)
        return [Trade(number, number * gap, 2.0 if number % 2 else 1.0, bool(number % 2))
                for number in range(first, min(first + 1000, self.now // gap + 1))]

    async def contract(self, symbol: str) -> Contract | None:
        return self.known
