"""Entry indicators of the grid (E3) on closed candles: LWMA, Parabolic SAR as the seed writes it, CCI. Floats.

Sources: LWMA is TA-Lib's WMA of (high + low + 2 close) / 4; CCI is Lambert's, TA-Lib's CCI of the same period; the SAR
is the seed's own, which differs from Wilder's in its start and in that the first candle of a trend is not clamped.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from utils.compiled import kernel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Row = Sequence[float] | npt.NDArray[np.float64]

BUY, SELL, NEITHER = 1, -1, 0
# Candles that the first SAR looks at.
FIRST = 5


class Sar(NamedTuple):
    """State of the SAR after a closed candle: `trend` 1 up, −1 down, 0 not begun; the last two candles' extremes."""

    trend: int
    sar: float
    extreme: float
    step: float
    high1: float
    low1: float
    high2: float
    low2: float


@kernel
def first_sar(highs: "Row", lows: "Row", last: float, before: float, start: float) -> Sar:
    """The SAR begun on some candles (the seed takes up to five): `last` and `before` are the last two closes."""
    high, low = float(highs[0]), float(lows[0])
    for place in range(1, len(highs)):
        high, low = max(high, highs[place]), min(low, lows[place])
    n = len(highs)
    if last > before:
        return Sar(1, low, high, start, highs[n - 1], lows[n - 1], highs[n - 2], lows[n - 2])
    return Sar(-1, high, low, start, highs[n - 1], lows[n - 1], highs[n - 2], lows[n - 2])


@kernel
def next_sar(state: Sar, high: float, low: float, start: float, most: float) -> Sar:
    """One closed candle further. A cross of the SAR turns the trend and puts the SAR at the extreme."""
    sar = state.sar + state.step * (state.extreme - state.sar)
    extreme, step = state.extreme, state.step
    if state.trend > 0:
        sar = min(sar, state.low1, state.low2)
        if low < sar:
            return Sar(-1, extreme, low, start, high, low, state.high1, state.low1)
        if high > extreme:
            extreme, step = high, min(step + start, most)
    else:
        sar = max(sar, state.high1, state.high2)
        if high > sar:
            return Sar(1, extreme, high, start, high, low, state.high1, state.low1)
        if low < extreme:
            extreme, step = low, min(step + start, most)
    return Sar(state.trend, sar, extreme, step, high, low, state.high1, state.low1)


@kernel
def lwma(prices: "Row", end: int, period: int) -> float:
    """Linear weighted mean of the `period` prices before `end`; the newest weighs most (E3)."""
    total = 0.0
    for weight in range(1, period + 1):
        total += prices[end - period + weight - 1] * weight
    return total / (period * (period + 1) / 2)


@kernel
def cci(prices: "Row", end: int, period: int) -> float:
    """(typical − mean) ÷ (0.015 × mean deviation) over the `period` typical prices before `end`; 0 for a flat line."""
    mean = 0.0
    for place in range(end - period, end):
        mean += prices[place]
    mean /= period
    deviation = 0.0
    for place in range(end - period, end):
        deviation += abs(prices[place] - mean)
    deviation /= period
    # Equal prices can leave a mean that is a rounding error away from them, and a CCI of anything.
    if deviation <= 1e-12 * abs(mean):
        return 0.0
    return (prices[end - 1] - mean) / (0.015 * deviation)


@kernel
def signal_of(average: float, sar: float, reverse: bool) -> int:
    """SAR above the average → BUY, below → SELL, turned round by `reverse`."""
    found = BUY if sar > average else SELL if sar < average else NEITHER
    return -found if reverse else found


@kernel
def crossing(before: float, now: float, low: float, high: float) -> int:
    """CCI rising through `high` → SELL, falling through `low` → BUY (E3); NEITHER otherwise."""
    if before < high <= now:
        return SELL
    if before > low >= now:
        return BUY
    return NEITHER
