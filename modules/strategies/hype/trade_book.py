"""What the trade history says about limits and days: entries today, rests after sales, day summaries.

The history is read once at the start (its newest part); afterwards every trade passes through `record`.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from modules.storage.history import History
from modules.strategies.hype.files import DaySummary
from modules.strategies.hype.records import Trade

if TYPE_CHECKING:
    from modules.strategies.hype.settings import HypeSettings

log = logging.getLogger(__name__)

NEWEST = 5_000
DAY_MS = 86_400_000
# After a person sold by hand nothing buys the same thing straight back, whatever the cool-down says (X37).
MANUAL_REST_MS = 900_000
BY_HAND = frozenset({"manual", "flatten"})
STOPS = frozenset({"stop", "break_even"})


@dataclass(frozen=True, slots=True)
class Rest:
    """Until when a token rests, and after what."""

    until_ms: int
    why: str


class TradeBook:
    """The trades of one mode, as far as decisions need them."""

    def __init__(self, history: History[Trade], settings: "HypeSettings") -> None:
        self._history = history
        self._settings = settings
        self._lock = asyncio.Lock()
        self.recent: list[Trade] = []
        self._ids: set[str] = set()
        self._last_sale: dict[str, Trade] = {}

    def load(self) -> None:
        """Read the newest part of the history."""
        self.recent = self._history.newest(NEWEST)
        self._ids = {trade.id for trade in self.recent}
        self._last_sale = {trade.symbol: trade for trade in self.recent if trade.side == "SELL"}

    async def record(self, trade: Trade) -> bool:
        """Write a trade, once: False if its id is there already. Raises OSError when the disk refuses."""
        async with self._lock:
            if trade.id in self._ids:
                return False
            await asyncio.to_thread(self._history.append, trade)
            self.recent.append(trade)
            self._ids.add(trade.id)
            if trade.side == "SELL":
                self._last_sale[trade.symbol] = trade
            if len(self.recent) > 2 * NEWEST:
                del self.recent[:NEWEST]
            return True

    def find(self, trade_id: str) -> Trade | None:
        """A trade that is recorded."""
        return next((trade for trade in reversed(self.recent) if trade.id == trade_id), None)

    def closed(self, position_id: str) -> bool:
        """Whether a position has ended."""
        return any(trade.closes and trade.position_id == position_id for trade in reversed(self.recent))

    def entries_on(self, day_start_ms: int) -> int:
        """How many positions were opened since."""
        return sum(1 for trade in self.recent if trade.side == "BUY" and trade.market_ms >= day_start_ms)

    def rest(self, symbol: str) -> Rest:
        """How long a token rests after its last sale (A18, X37)."""
        sale = self._last_sale.get(symbol)
        if sale is None:
            return Rest(0, "")
        if sale.reason in STOPS:
            return Rest(sale.market_ms + round(self._settings.cooldown_after_stop_s * 1000), "a stop")
        rest_ms = round(self._settings.cooldown_after_sell_s * 1000)
        if sale.reason in BY_HAND:
            return Rest(sale.market_ms + max(rest_ms, MANUAL_REST_MS), "a sale by hand")
        return Rest(sale.market_ms + rest_ms, "a sale")

    def days_to_close(self, now_ms: int, last: DaySummary | None) -> list[DaySummary]:
        """Summaries of days that have ended and had trades, after the last one written, oldest first."""
        today = day_start(now_ms)
        days: dict[int, list[Trade]] = {}
        for trade in self.recent:
            start = day_start(trade.market_ms)
            if start < today and (last is None or day_name(start) > last.day):
                days.setdefault(start, []).append(trade)
        return [summary_of(start, trades) for start, trades in sorted(days.items())]


def day_start(market_ms: int) -> int:
    """Start of the UTC day."""
    return market_ms - market_ms % DAY_MS


def day_name(market_ms: int) -> str:
    """The UTC day as 2025-04-01."""
    return datetime.fromtimestamp(market_ms / 1000, UTC).strftime("%Y-%m-%d")


def summary_of(start_ms: int, trades: Iterable[Trade]) -> DaySummary:
    """One day: positions closed, how many of them won, and what all of the day's sales brought after fees."""
    fees = pnl = Decimal(0)
    results: dict[str, Decimal] = {}
    closed: dict[str, str] = {}
    for trade in trades:
        fees += trade.fee_usdt
        if trade.side == "SELL":
            pnl += trade.pnl_usdt or Decimal(0)
            results[trade.position_id] = results.get(trade.position_id, Decimal(0)) + (trade.pnl_usdt or Decimal(0))
            if trade.closes:
                closed[trade.position_id] = trade.symbol
    ranked = sorted(closed, key=lambda position: results[position])
    return DaySummary(
        day=day_name(start_ms), trades=len(closed), wins=sum(1 for position in closed if results[position] > 0),
        pnl_usdt=float(pnl), fees_usdt=float(fees), best=_named(ranked[-1:], closed, results),
        worst=_named(ranked[:1], closed, results),
    )


def _named(positions: list[str], symbols: dict[str, str], results: dict[str, Decimal]) -> str:
    return "".join(f"{symbols[position]} {results[position]:+.2f}" for position in positions)
