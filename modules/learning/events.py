"""Moments in a token's past that the scanner would have looked at, found in 5m candles, vectorised.

The same growth and surge figures as the live screening, at the close of each candle. Spread, depth and the seconds
within a candle are not in candles: history stands in for candidates only until there are enough real ones.
"""

import numpy as np
import numpy.typing as npt

from modules.learning.features import DAY, HOUR

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

FADE_PCT = -0.5
QUARTER = 3  # candles
GAP = HOUR // 2  # candles between two moments of one token: neighbours tell the same story twice


def hype_moments(candles: Floats, growth_5m_pct: float, growth_1h_pct: float, volume_surge: float) -> Index:
    """Rows at whose close the token grew fast enough, with volume, and was not falling back; GAP apart."""
    close = candles[:, 4]
    five, hour = growth(close, 1), growth(close, HOUR)
    quote = close * candles[:, 5]
    surge = np.fmax(_surge(quote, HOUR), _surge(quote, QUARTER))
    with np.errstate(invalid="ignore"):
        hit = ((five >= growth_5m_pct) | (hour >= growth_1h_pct)) & (surge >= volume_surge) & (five >= FADE_PCT)
    kept: list[int] = []
    for row in np.flatnonzero(hit).tolist():
        if not kept or row - kept[-1] >= GAP:
            kept.append(row)
    return np.array(kept, dtype=np.int64)


def moving(candles: Floats, growth_5m_pct: float, growth_1h_pct: float) -> npt.NDArray[np.bool_]:
    """Rows with at least half of the growth that counts as hype: what a token's own model will be asked about."""
    close = candles[:, 4]
    with np.errstate(invalid="ignore"):
        five, hour = growth(close, 1) >= growth_5m_pct / 2, growth(close, HOUR) >= growth_1h_pct / 2
    hit: npt.NDArray[np.bool_] = five | hour
    return hit


def growth(close: Floats, back: int) -> Floats:
    """Percent over `back` candles; NaN at the beginning."""
    found = np.full(len(close), np.nan)
    found[back:] = (close[back:] / close[:-back] - 1.0) * 100.0
    return found


def _surge(quote: Floats, last: int) -> Floats:
    """Quote volume of the last `last` candles over the usual of the day before the last hour."""
    sums = np.concatenate([[0.0], np.cumsum(quote)])
    rows = np.arange(len(quote))
    end = rows + 1 - HOUR
    begin = np.maximum(end - DAY, 0)
    known = end - begin >= DAY // 2
    found = np.full(len(quote), np.nan)
    now = sums[rows + 1] - sums[np.maximum(rows + 1 - last, 0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = (sums[np.maximum(end, 0)] - sums[begin]) / np.maximum(end - begin, 1) * last
        found[known] = (now / usual)[known]
    return found
