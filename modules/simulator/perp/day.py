"""The 24 h ticker of a contract: closed minutes folded once a minute, the open one added when asked."""

from __future__ import annotations

from dataclasses import dataclass

from modules.simulator.perp.candles import Candles
from modules.simulator.perp.past import DAY
from modules.simulator.perp.tape import Tape


@dataclass(frozen=True, slots=True)
class Day:
    """Prices in ticks, volume in steps, quote in money (float). Ids are of single trades."""

    open: int
    high: int
    low: int
    last: int
    volume: int
    quote: float
    trades: int
    first_id: int
    last_id: int
    last_steps: int
    buy_volume: int
    buy_quote: float


class Days:
    """24 h tickers of all contracts."""

    def __init__(self, candles: Candles, tape: Tape) -> None:
        self._candles, self._tape = candles, tape
        self._folded: dict[int, tuple[int, list[float]]] = {}

    def forget(self, index: int) -> None:
        """A tick or step size changed."""
        self._folded.pop(index, None)

    def of(self, index: int) -> Day:
        """The last 24 hours up to now."""
        candles = self._candles
        minute, closed = self._folded.get(index, (-1, []))
        if minute != candles.minute:
            rows = candles.rows(index, candles.minute - DAY + 1, candles.minute)
            prices = rows[rows[:, 4] > 0] if (rows[:, 4] > 0).any() else rows
            closed = [
                float(prices[0, 0]), float(prices[:, 1].max()), float(prices[:, 2].min()),
                *(float(total) for total in rows[:, 4:].sum(axis=0))]
            self._folded[index] = candles.minute, closed
        now = candles.current(index, "1m")
        high, low = (max(closed[1], now.high), min(closed[2], now.low)) if now.trades else (closed[1], closed[2])
        trades, last_id = int(closed[5]) + now.trades, self._tape.next_trade[index] - 1
        newest = self._tape.recent(index, 1)
        return Day(
            int(closed[0]), int(high), int(low), now.close, int(closed[3]) + now.volume, closed[4] + now.quote, trades,
            max(0, last_id - trades + 1), last_id, newest[0].steps if newest else 1, int(closed[6]) + now.buy_volume,
            closed[7] + now.buy_quote)
