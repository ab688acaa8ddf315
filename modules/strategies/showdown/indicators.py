"""ATR, momentum and session of the snapshot (C2): pure, floats, closed bars only."""

import math
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from modules.strategies.showdown.records import CLOSE, HIGH, LOW, Bars

FADES_BELOW = 0.6  # of what momentum was before


def atr(bars: Bars, length: int) -> NDArray[np.float64]:
    """Average true range by Wilder's smoothing (New Concepts in Technical Trading Systems, 1978), one value a bar.

    The first `length` values are NaN; the first known one is the plain mean of `length` true ranges.
    """
    out = np.full(len(bars), math.nan)
    if len(bars) <= length:
        return out
    before = bars[:-1, CLOSE]
    ranges = np.maximum(bars[1:, HIGH], before) - np.minimum(bars[1:, LOW], before)
    value = float(ranges[:length].mean())
    smoothed = [value]
    for width in ranges[length:].tolist():
        value += (width - value) / length
        smoothed.append(value)
    out[length:] = smoothed
    return out


def momentum(bars: Bars, ranges: NDArray[np.float64], length: int, back: int = 0) -> float:
    """tanh((C − C[n bars ago]) ÷ (ATR × √n)), −1 … 1, as it was `back` bars ago; 0 where the bars do not suffice.

    ATR × √n is about what a random walk covers in n bars, so 0.46 is half of such a move.
    """
    last = len(bars) - 1 - back
    if last - length < 0 or not math.isfinite(ranges[last]) or ranges[last] <= 0:
        return 0.0
    moved = float(bars[last, CLOSE] - bars[last - length, CLOSE])
    return math.tanh(moved / (float(ranges[last]) * math.sqrt(length)))


def is_fading(now: float, before: float) -> bool:
    """Whether a push loses its strength: it was one (over 0.2), and is now under 60 % of it or turned."""
    return abs(before) > 0.2 and now * math.copysign(1.0, before) < FADES_BELOW * abs(before)


def session(ms: int) -> str:
    """Whose hours it is, in UTC: Asia 22–07, EU 07–13, US 13–22."""
    hour = datetime.fromtimestamp(ms / 1000, UTC).hour
    return "EU" if 7 <= hour < 13 else "US" if 13 <= hour < 22 else "Asia"
