"""The scanner's figures (figures.py) for many candles of a token at once; a test holds both equal.

The scanner looks every half minute; a backtest looks once, at the close of each 5m candle, which then is the newest
candle of the scanner's window of 500, and part of the newest hour of its 168.
"""

import numpy as np

from modules.backtest.arrays import Floats, Ints
from modules.backtest.frames import Frame
from modules.market.volatility import PERIOD
from modules.strategies.hype.figures import (
    HOUR_CANDLES,
    MIN_CANDLES,
    MIN_DAYS_HOURS,
    QUARTER_CANDLES,
    USUAL_CANDLES,
)
from modules.strategies.hype.scanner_probe import CANDLES, HOURS
from utils.compiled import kernel

INTERVAL_MS = 300_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

# Columns of `look_closely`.
SURGE_1H, SURGE_15M, ATR, RISING, FALL, BOUNCE, BELOW = range(7)
COLUMNS = 7


def growth_over(frame: Frame, span_ms: int) -> Floats:
    """Percent from the close `span_ms` before to each close; NaN where no candle closed then (two late at most)."""
    wanted = frame.time - span_ms
    place = np.searchsorted(frame.time, wanted, side="right") - 1
    known = (place >= 0) & (wanted - frame.time[np.maximum(place, 0)] <= 2 * INTERVAL_MS)
    before = np.where(known, frame.close[np.maximum(place, 0)], np.nan)
    grown: Floats = (frame.close / before - 1.0) * 100.0
    return grown


def volume_of_day(frame: Frame) -> Floats:
    """USDT traded in the 24 h up to each close."""
    total = np.concatenate(([0.0], np.cumsum(frame.quote())))
    begin = np.searchsorted(frame.time, frame.time - DAY_MS, side="right")
    found: Floats = total[1:] - total[begin]
    return found


def hour_bounds(frame: Frame) -> tuple[Ints, Ints]:
    """(first row of each hour that has candles, number of the hour of each row)."""
    hour = frame.time // HOUR_MS
    first = np.flatnonzero(np.append(True, np.diff(hour) > 0))
    number = np.cumsum(np.append(0, np.diff(hour) > 0))
    return first.astype(np.int64), number.astype(np.int64)


def look_closely(frame: Frame, rows: Ints) -> Floats:
    """Surges, ATR, rising share, fall, bounce and distance below the high at the close of each of `rows`: (m, 7)."""
    first, number = hour_bounds(frame)
    tops = np.maximum.reduceat(frame.high, first)
    lows = np.minimum.reduceat(frame.low, first)
    found = np.full((len(rows), COLUMNS), np.nan)
    _look(frame.high, frame.low, frame.close, frame.quote(), first, number, tops, lows, rows.astype(np.int64), found)
    return found


@kernel
def _look(high: Floats, low: Floats, close: Floats, quote: Floats, first: Ints, number: Ints, tops: Floats,
          lows: Floats, rows: Ints, found: Floats) -> None:
    for place in range(len(rows)):
        at = rows[place]
        begin = max(at + 1 - CANDLES, 0)
        count = at + 1 - begin
        if count >= MIN_CANDLES:
            found[place, SURGE_1H] = _surge(quote, begin, at, HOUR_CANDLES)
            found[place, SURGE_15M] = _surge(quote, begin, at, QUARTER_CANDLES)
        if count >= PERIOD + 1:
            found[place, ATR] = _atr_pct(high, low, close, begin, at)
        if count >= HOUR_CANDLES + 1:
            risen = 0
            for row in range(at - HOUR_CANDLES + 1, at + 1):
                if close[row] > close[row - 1]:
                    risen += 1
            found[place, RISING] = risen / HOUR_CANDLES
        _recover(high, low, close, first, number, tops, lows, at, found[place])


@kernel
def _surge(quote: Floats, begin: int, at: int, last: int) -> float:
    """figures.surge"""
    end = at + 1 - HOUR_CANDLES
    start = max(begin, end - USUAL_CANDLES)
    before = 0.0
    for row in range(start, end):
        before += quote[row]
    usual = before / (end - start) * last
    now = 0.0
    for row in range(at + 1 - last, at + 1):
        now += quote[row]
    if usual <= 0.0:
        return np.inf if now > 0.0 else np.nan
    return now / usual


@kernel
def _atr_pct(high: Floats, low: Floats, close: Floats, begin: int, at: int) -> float:
    """volatility.atr_pct, by Wilder's recursion."""
    atr = 0.0
    for row in range(begin + 1, at + 1):
        before = close[row - 1]
        span = max(high[row] - low[row], max(abs(high[row] - before), abs(low[row] - before)))
        seen = row - begin
        atr = atr + span / PERIOD if seen <= PERIOD else atr * (1.0 - 1.0 / PERIOD) + span / PERIOD
    return atr / close[at] * 100.0


@kernel
def _recover(high: Floats, low: Floats, close: Floats, first: Ints, number: Ints, tops: Floats, lows: Floats, at: int,
             found: Floats) -> None:
    """figures.recovery over the last hours; the newest hour has only its candles up to `at`."""
    newest = number[at]
    oldest = max(newest + 1 - HOURS, 0)
    if newest + 1 - oldest < MIN_DAYS_HOURS:
        return
    top, bottom = high[first[newest]], low[first[newest]]
    for row in range(first[newest] + 1, at + 1):
        top, bottom = max(top, high[row]), min(bottom, low[row])
    top_at = newest
    for hour in range(newest - 1, oldest - 1, -1):  # the first of equal highs, as argmax
        if tops[hour] >= top:
            top, top_at = tops[hour], hour
    for hour in range(top_at, newest):
        bottom = min(bottom, lows[hour])
    price = close[at]
    found[FALL], found[BOUNCE] = (1.0 - bottom / top) * 100.0, (price / bottom - 1.0) * 100.0
    found[BELOW] = (1.0 - price / top) * 100.0
