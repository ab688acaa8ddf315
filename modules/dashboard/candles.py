"""Live candles for charts: asked of the venue by the dashboard itself, in the lowest lane, for what somebody looks at.

1. A page says what it wants (`look`) and shows what is known; it never waits. What nobody has wanted for a while is not
   asked for.
2. All questions go in the lane of data: behind everything that trades, in the same count of the venue's weight, one at
   a time. The connection is opened by the first wish and given back when wishes have ended.
3. A venue that does not answer is said on the chart and asked again after a rest.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from modules.dashboard.lean import load_market
from modules.exchange.types import Unavailable
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.exchange.api import MarketData

log = logging.getLogger(__name__)
BARS, MOST = 300, 8
WANTED_S, EVERY_S, AGAIN_S, IDLE_S, TURN_S = 5.0, 3.0, 5.0, 60.0, 0.25
Row = tuple[int, float, float, float, float, float]
Open = Callable[[], Awaitable["MarketData"]]


@dataclass
class Shown:
    """Candles (seconds, open, high, low, close, volume of the base), oldest first, and why there are none."""

    rows: list[Row] = field(default_factory=list)
    problem: str = ""
    wanted_s: float = 0.0
    asked_s: float = float("-inf")


class LiveCandles:
    """What the pages look at. `look` may be called from their thread, `run` is a task of the loop."""

    def __init__(self, settings: "Settings", paths: Paths, opened: Open | None = None) -> None:
        self._settings, self._paths = settings, paths
        self._open = opened or self._of_venue
        self._known: dict[tuple[str, str], Shown] = {}

    def look(self, symbol: str, interval: str) -> Shown:
        """What is known now; from here on it is kept fresh for a while (rule 1)."""
        shown = self._known.setdefault((symbol, interval), Shown(problem="candles are being fetched"))
        shown.wanted_s = time.monotonic()
        return shown

    async def run(self) -> None:
        """Fetch what is wanted, until cancelled."""
        market: MarketData | None = None
        wanted_s = 0.0
        try:
            while True:
                due = self._due()
                if due:
                    wanted_s = time.monotonic()
                    market = await self._serve(due, market)
                elif market is not None and time.monotonic() - wanted_s > IDLE_S:
                    await self._close(market)
                    market = None
                await asyncio.sleep(TURN_S)
        finally:
            if market is not None:
                await self._close(market)

    def _due(self) -> list[tuple[str, str]]:
        now = time.monotonic()
        for key in [key for key, one in list(self._known.items()) if now - one.wanted_s > IDLE_S]:
            self._known.pop(key, None)
        fresh = [(one.wanted_s, key) for key, one in list(self._known.items())
                 if now - one.wanted_s <= WANTED_S and now - one.asked_s >= (AGAIN_S if one.problem else EVERY_S)]
        return [key for _, key in sorted(fresh, reverse=True)[:MOST]]

    async def _serve(self, due: list[tuple[str, str]], market: "MarketData | None") -> "MarketData | None":
        for key in due:
            shown = self._known.get(key)
            if shown is None:
                continue
            try:
                market = market or await self._open()
                candles = await market.candles(*key, BARS)
                shown.rows = [(round(opened_ms) // 1000, *row) for opened_ms, *row in candles[:, :6].tolist()]
                shown.problem = "" if shown.rows else "the exchange has no such candles"
            except (Unavailable, KeyError, ValueError, OSError) as problem:
                shown.problem = f"no candles now: {problem}"[:200]
                if market is not None:  # its address may be another by now
                    await self._close(market)
                market = None
            except Exception:  # border of this task: a chart may stay empty, the dashboard goes on
                log.exception("candles of %s %s", *key)
                shown.problem = "no candles now; the log of dashboard says why"
            shown.asked_s = time.monotonic()
        return market

    async def _close(self, market: "MarketData") -> None:
        try:
            await market.close()
        except (Unavailable, OSError) as problem:
            log.info("candles: %s", problem)

    async def _of_venue(self) -> "MarketData":
        # Only when a chart is looked at; in a thread, for it may take seconds and the heart beats on this loop.
        await asyncio.to_thread(load_market)
        gateway = await asyncio.to_thread(import_module, "modules.exchange.gateway")
        found: MarketData = await gateway.open_market(self._settings.exchange, self._paths)
        return found


def marks_on(rows: list[Row], marks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Marks moved to the candle in which they fell; those outside are left out. `s` in seconds."""
    if len(rows) < 2:
        return []
    step = min(after[0] - before[0] for before, after in zip(rows, rows[1:], strict=False)) or 1
    first, last = rows[0][0], rows[-1][0] + step
    return [{**mark, "s": first + (mark["s"] - first) // step * step} for mark in marks if first <= mark["s"] < last]
