"""How much a token moves: the average true range as a share of its price (A12, A14)."""

import numpy as np
import numpy.typing as npt

PERIOD = 14


def atr_pct(candles: npt.NDArray[np.float64], period: int = PERIOD) -> float:
    """ATR of `candles` (n, 6) by Wilder's smoothing, in percent of the last close.

    The same value as TA-Lib's ATR: the first average is the mean of the first `period` true ranges, each further
    one weighs the newest range 1/period. NaN for fewer than `period` + 1 candles or a price of zero.
    """
    if len(candles) < period + 1 or candles[-1, 4] <= 0:
        return float("nan")
    high, low, close = candles[1:, 2], candles[1:, 3], candles[:-1, 4]
    ranges = np.maximum(high - low, np.maximum(np.abs(high - close), np.abs(low - close)))
    keep = 1.0 - 1.0 / period
    newer = ranges[period:]
    # Wilder's recursion unrolled: newest last, each older range weighs `keep` times less.
    weights = keep ** np.arange(len(newer) - 1, -1, -1, dtype=np.float64)
    atr = float(ranges[:period].mean()) * keep ** len(newer) + float(weights @ newer) / period
    return atr / float(candles[-1, 4]) * 100.0
