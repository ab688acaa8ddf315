"""What candles tell beside the book, pure: ATR, swing, 1 h VWAP, RSI and the optional confirmations (D6, D9).

Rows are the feed's candles (n, 9): open ms, open, high, low, close, volume, quote volume, taker buy volume, closed.
Floats: these are indicators. The last row may be open still.
"""

from typing import Any

import numpy as np

Rows = np.ndarray[Any, np.dtype[np.float64]]
MS, OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE, TAKER, CLOSED = range(9)
ATR_BARS, RSI_BARS, LEVEL_BARS, PIVOT = 14, 9, 60, 2
DAY_MS, HOUR_MS = 86_400_000, 3_600_000


def closed(rows: Rows) -> Rows:
    """The closed candles only: what an open one tells may be taken back."""
    return rows[:-1] if len(rows) and not rows[-1, CLOSED] else rows


def atr(rows: Rows, bars: int = ATR_BARS) -> float | None:
    """Average true range over the last `bars` closed candles (simple mean, as in Wilder's first value)."""
    done = closed(rows)
    if len(done) < bars + 1:
        return None
    before = done[-bars - 1:-1, CLOSE]
    high, low = np.maximum(done[-bars:, HIGH], before), np.minimum(done[-bars:, LOW], before)
    return float((high - low).mean())


def swing(rows: Rows, bars: int, side: int) -> float | None:
    """The lowest low (`side` +1) or highest high (-1) of the last `bars` candles, the running one included."""
    if not len(rows):
        return None
    recent = rows[-bars:]
    return float(recent[:, LOW].min() if side > 0 else recent[:, HIGH].max())


def vwap(rows: Rows, now_ms: int, step_ms: int, span_ms: int = HOUR_MS) -> float | None:
    """Quote ÷ base volume of the last `span_ms`; the candle that the span begins in counts by the share inside it."""
    since = now_ms - span_ms
    if not len(rows) or rows[0, MS] > since:
        return None
    inside = rows[rows[:, MS] + step_ms > since]
    if len(inside) > 1 and (np.diff(inside[:, MS]) != step_ms).any():
        return None
    share = np.clip((inside[:, MS] + step_ms - since) / step_ms, 0.0, 1.0)
    base = float((inside[:, VOLUME] * share).sum())
    return float((inside[:, QUOTE] * share).sum()) / base if base > 0 else None


def quote_24h(rows: Rows, now_ms: int, step_ms: int) -> float | None:
    """Quote volume of the last 24 h; None where the candles do not reach back so far."""
    since = now_ms - DAY_MS
    if not len(rows) or rows[0, MS] > since:
        return None
    inside = rows[rows[:, MS] + step_ms > since]
    share = np.clip((inside[:, MS] + step_ms - since) / step_ms, 0.0, 1.0)
    return float((inside[:, QUOTE] * share).sum())


def rsi(closes: Rows, bars: int = RSI_BARS) -> Rows:
    """Wilder's RSI; NaN for the first `bars` values. 50 where nothing moved."""
    out = np.full(len(closes), np.nan)
    if len(closes) <= bars:
        return out
    moves = np.diff(closes)
    gain, loss = np.maximum(moves, 0.0), np.maximum(-moves, 0.0)
    up, down = float(gain[:bars].mean()), float(loss[:bars].mean())
    out[bars] = _strength(up, down)
    for at in range(bars, len(moves)):
        up += (float(gain[at]) - up) / bars
        down += (float(loss[at]) - down) / bars
        out[at + 1] = _strength(up, down)
    return out


def _strength(up: float, down: float) -> float:
    return 100 * (up / (up + down)) if up + down > 0 else 50.0


def confirmations(rows: Rows, price: float, reach: float, side: int) -> list[str]:
    """Which optional confirmations speak for `side` (+1 long): RSI(9) under 30 / over 70, RSI divergence, a support
    or resistance tested. `reach`: how near a level counts as tested (price units). A short is the mirror of a long.
    """
    done = closed(rows)
    if len(done) < RSI_BARS + 2 * PIVOT + 2:
        return []
    strength = rsi(done[:, CLOSE])
    lows = done[:, LOW] if side > 0 else -done[:, HIGH]
    mirrored = strength if side > 0 else 100 - strength
    found = []
    if mirrored[-1] < 30:
        found.append("RSI oversold" if side > 0 else "RSI overbought")
    pivots = _pivots(lows)
    recent = [at for at in pivots if at >= len(done) - LEVEL_BARS and not np.isnan(mirrored[at])]
    if len(recent) >= 2:
        old, new = recent[-2], recent[-1]
        if lows[new] < lows[old] and mirrored[new] > mirrored[old]:
            found.append("RSI divergence")
    levels = [float(lows[at]) for at in recent if at < len(done) - 2 * PIVOT]
    if any(abs(price * side - level) <= reach for level in levels):
        found.append("support tested" if side > 0 else "resistance tested")
    return found


def _pivots(lows: Rows) -> list[int]:
    """Places that are the strict lowest of PIVOT neighbours on each side."""
    return [at for at in range(PIVOT, len(lows) - PIVOT)
            if all(lows[at] < lows[at + d] for d in range(-PIVOT, PIVOT + 1) if d)]


def returns(rows: Rows, bars: int) -> dict[int, float]:
    """Log returns of the last `bars` closed candles by their opening time: for alignment with another symbol's."""
    done = closed(rows)[-bars - 1:]
    if len(done) < 2:
        return {}
    step = np.diff(done[:, MS])
    moves = np.diff(np.log(done[:, CLOSE]))
    usual = step.min()
    return {int(ms): float(move) for ms, move, gap in zip(done[1:, MS], moves, step, strict=True) if gap == usual}
