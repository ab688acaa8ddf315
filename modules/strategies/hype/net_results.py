"""What a candidate of the past would have earned by the tracker's own exits, net of costs: the label of a net result.

1. Bought at the open after the candle it was known at, sold as `exits.step` says, both with `cost_pct` a side (fee,
   half the spread, slippage). Without numba: for the trainer, which labels a few thousand candidates. The backtest
   walks the same rules compiled (modules/backtest/outcomes.py); a test holds both together.
2. A candle does not tell whether its low or its high came first: both ways are walked, the worse one counts.
3. What is held after `CAP_MS` is sold at that close. Where the candles end before, the result is not known (NaN).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modules.strategies.hype import exits
from modules.strategies.hype.exits import PPM, Plan, Rules, State

Floats = npt.NDArray[np.float64]

CAP_MS = 48 * 3_600_000
TICKS = 10_000_000  # of the price paid: fine enough for any token
STEPS = 1_000_000
ATR_CANDLES = 14
Sales = list[tuple[int, int]]  # (steps, price in ticks)


def net_results(candles: Floats, rows: Sequence[int], rules: Rules, cost_pct: float, step_ms: int = 300_000,
                strategy: int = 0, confidence: float = 0.80) -> Floats:
    """Net percent of a purchase after each of `rows` (places in `candles`, (n, 6)); NaN where not known."""
    found = np.full(len(rows), np.nan)
    atr = _atr_ppm(candles)
    for place, row in enumerate(rows):
        found[place] = _one(candles, int(row) + 1, rules, cost_pct / 100.0, step_ms, strategy, confidence,
                            int(atr[row]))
    return found


def _one(candles: Floats, at: int, rules: Rules, cost: float, step_ms: int, strategy: int, confidence: float,
         atr_ppm: int) -> float:
    """One trade from candle `at` on."""
    if at >= len(candles) or candles[at, 0] - candles[at - 1, 0] > 2 * step_ms or candles[at, 5] <= 0:
        return float("nan")
    half = cost / 2.0  # one half moves the price, the other is the fee
    paid = float(candles[at, 1]) * (1.0 + half)
    last = int(np.searchsorted(candles[:, 0], candles[at, 0] + CAP_MS))
    ticks = np.rint(candles[at:last, 1:5] / paid * TICKS).astype(np.int64)
    even = int(np.ceil(TICKS * (1.0 + half) / (1.0 - half) ** 2))
    plan = exits.make_plan(rules, strategy, round(confidence * PPM), atr_ppm, TICKS, STEPS, even, 1,
                           int(candles[at, 0]))
    state = exits.first_state(plan, TICKS, STEPS)
    got, place = 0.0, 0
    while state.quantity > 0:
        place += _quiet(ticks[place:], plan, state)
        if place >= len(ticks):
            if last >= len(candles) and candles[-1, 0] + step_ms < candles[at, 0] + CAP_MS:
                return float("nan")  # rule 3
            got += float(state.quantity) * float(ticks[-1, 3])
            break
        state, sales = _candle(plan, state, ticks[place].tolist(), int(candles[at + place, 0]))
        got += sum(float(steps) * price for steps, price in sales)
        place += 1
    return (got * (1.0 - half) ** 2 / (float(STEPS) * TICKS * (1.0 + half)) - 1.0) * 100.0


def _quiet(ticks: npt.NDArray[np.int64], plan: Plan, state: State) -> int:
    """Candles that reach neither the stop nor the next target; while the stop trails, none is passed over."""
    if state.hit >= plan.levels or plan.deadline_ms > 0:
        return 0
    loud = np.flatnonzero((ticks[:, 2] <= state.stop) | (ticks[:, 1] >= plan.tp[state.hit]))
    return int(loud[0]) if len(loud) else len(ticks)


def _candle(plan: Plan, state: State, candle: list[int], now_ms: int) -> tuple[State, Sales]:
    """A whole candle, the worse of both ways (rule 2)."""
    opened, high, low, close = candle
    ways = [_walk(plan, state, prices, now_ms) for prices in ((opened, low, high, close), (opened, high, low, close))]
    return min(ways, key=lambda way: way[0].quantity * close + sum(steps * price for steps, price in way[1]))


def _walk(plan: Plan, state: State, prices: tuple[int, ...], now_ms: int) -> tuple[State, Sales]:
    """From price to price through every level between them: a stop fills at the stop, a target at the target."""
    sales: Sales = []

    def look(price: int) -> None:
        nonlocal state
        _, steps, after = exits.step(plan, state, price, now_ms)
        if steps > 0:
            sales.append((steps, price))
        state = after

    look(prices[0])
    for before, to in zip(prices, prices[1:], strict=False):
        if to > before:
            while state.quantity > 0 and state.hit < plan.levels and plan.tp[state.hit] <= to:
                look(plan.tp[state.hit])
        else:
            stop = state.stop
            if state.hit >= plan.levels:
                stop = max(stop, exits.trail_stop(state.peak, plan.trail_ppm))
            if stop > to:
                look(min(before, stop))
        look(to)
    return state, sales


def _atr_ppm(candles: Floats) -> npt.NDArray[np.int64]:
    """ATR(14) over the price at each close, ppm, by the mean of true ranges; 0 where not known."""
    before = np.concatenate((candles[:1, 1], candles[:-1, 4]))
    span = np.maximum(candles[:, 2], before) - np.minimum(candles[:, 3], before)
    total = np.concatenate(([0.0], np.cumsum(span)))
    found = np.zeros(len(candles), np.int64)
    n = ATR_CANDLES
    if len(candles) >= n:
        found[n - 1:] = np.rint((total[n:] - total[:-n]) / n / candles[n - 1:, 4] * PPM).astype(np.int64)
    return found
