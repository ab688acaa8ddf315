"""Figures of one token from its candles and its book: growth, surge of volume, fall and recovery, depth. Pure.

All of them are ratios of the token's own history, so that a coin of 1e-8 and one of 1e3 are measured alike.
"""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from modules.market.volatility import atr_pct
from modules.strategies.hype.rules import Figures

Floats = npt.NDArray[np.float64]
TIME, OPEN, HIGH, LOW, CLOSE, VOLUME = range(6)

HOUR_CANDLES = 12  # of 5 minutes
QUARTER_CANDLES = 3
USUAL_CANDLES = 288  # the day before the last hour is what is usual
MIN_USUAL_CANDLES = 48
MIN_CANDLES = HOUR_CANDLES + MIN_USUAL_CANDLES
MIN_DAYS_HOURS = 24


def measure(
    candles: Floats, hours: Floats, price: float, quote_volume: float, growth_24h: float,
    growth_5m: float, growth_1h: float, spread_pct: float, depth_usdt: float,
) -> Figures:
    """All figures of a suspect.

    `candles` are 5m (n, 6), `hours` 1h (m, 6), both oldest first, the last row may be open. Growth over 5m and 1h
    come from the scanner's own minutes where it has them (finite), else from the candles.
    """
    fall, bounce, below = recovery(hours, price)
    return Figures(
        price=price,
        spread_pct=spread_pct,
        quote_volume=quote_volume,
        growth_5m=growth_5m if np.isfinite(growth_5m) else growth(candles, 1, price),
        growth_1h=growth_1h if np.isfinite(growth_1h) else growth(candles, HOUR_CANDLES, price),
        growth_24h=growth_24h,
        surge_1h=surge(candles, HOUR_CANDLES),
        surge_15m=surge(candles, QUARTER_CANDLES),
        atr_pct=atr_pct(candles),
        depth_usdt=depth_usdt,
        rising_share=rising_share(candles),
        fall_pct=fall,
        bounce_pct=bounce,
        below_high_pct=below,
    )


def growth(candles: Floats, back: int, price: float) -> float:
    """Percent from the close `back` whole candles before the current one to `price`; NaN where there is none."""
    if len(candles) < back + 2:
        return float("nan")
    before = float(candles[-2 - back, CLOSE])
    return (price / before - 1.0) * 100.0 if before > 0 else float("nan")


def surge(candles: Floats, last: int) -> float:
    """Quote volume of the last `last` candles over what the day before the last hour made usual in that time.

    The candle in progress counts with what it has so far, so a surge is understated, never invented.
    NaN where fewer than 48 candles say what is usual; infinite where nothing was traded before.
    """
    if len(candles) < MIN_CANDLES:
        return float("nan")
    quote = candles[:, CLOSE] * candles[:, VOLUME]
    before = quote[max(0, len(quote) - HOUR_CANDLES - USUAL_CANDLES) : len(quote) - HOUR_CANDLES]
    usual = float(before.mean()) * last
    now = float(quote[-last:].sum())
    if usual <= 0:
        return float("inf") if now > 0 else float("nan")
    return now / usual


def rising_share(candles: Floats) -> float:
    """Share of the last hour's 5m candles that closed above the one before; NaN where there are too few."""
    closes = candles[-HOUR_CANDLES - 1 :, CLOSE]
    if len(closes) < HOUR_CANDLES + 1:
        return float("nan")
    return float(np.mean(np.diff(closes) > 0))


def recovery(hours: Floats, price: float) -> tuple[float, float, float]:
    """(deepest fall from the high to a low after it, rise from that low to `price`, `price` below the high), percent.

    The high is that of all `hours`, the low the lowest after it. NaN for less than a day of history.
    """
    if len(hours) < MIN_DAYS_HOURS:
        return float("nan"), float("nan"), float("nan")
    top_at = int(np.argmax(hours[:, HIGH]))
    top = float(hours[top_at, HIGH])
    low = float(hours[top_at:, LOW].min())
    if top <= 0 or low <= 0:
        return float("nan"), float("nan"), float("nan")
    return (1.0 - low / top) * 100.0, (price / low - 1.0) * 100.0, (1.0 - price / top) * 100.0


Levels = Sequence[tuple[Decimal, Decimal]]


def read_book(bids: Levels, asks: Levels, within_pct: float = 1.0) -> tuple[float, float, float, float]:
    """(mid price, spread in percent of it, USDT within `within_pct` on the bid side and on the ask side).

    NaN price and spread where a side is empty.
    """
    if not bids or not asks:
        return float("nan"), float("nan"), 0.0, 0.0
    bid, ask = float(bids[0][0]), float(asks[0][0])
    mid = float(f"{(bid + ask) / 2.0:.12g}")  # without the noise of the division: it is shown to people
    floor, ceiling = mid * (1.0 - within_pct / 100.0), mid * (1.0 + within_pct / 100.0)
    below = sum(float(p) * float(q) for p, q in bids if float(p) >= floor)
    above = sum(float(p) * float(q) for p, q in asks if float(p) <= ceiling)
    return mid, (ask - bid) / mid * 100.0, below, above
