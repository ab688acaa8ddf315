"""Market structure from confirmed swings (C2): nothing here ever changes what was said of the past.

1. A bar is a swing high when its high is above those of the `k` bars before it and not below those of the `k` bars
   after it; it exists from the close of the last of these on (`confirmed_ms`), and for good: no repainting.
2. Each swing is named by the one of its kind before it: a high above it HH, else LH; a low below it LL, else HL.
3. Trend: up while the last high is HH and the last low HL, down while they are LH and LL, else range.
4. Broken: in an uptrend a close below the last swing low, in a downtrend one above the last swing high; a broken
   trend is a range until the next swing.
"""

import numpy as np
from numpy.typing import NDArray

from modules.strategies.showdown.records import CLOSE, HIGH, LOW, OPEN_MS, Bars, Swing, Trend


def swings(bars: Bars, step_ms: int, k: int) -> tuple[Swing, ...]:
    """Every swing that the closed `bars` (n, 7) confirm, by the time of its confirmation, named (rules 1, 2)."""
    highs = _turns(bars[:, HIGH], k)
    lows = _turns(-bars[:, LOW], k)
    opens = bars[:, OPEN_MS].tolist()  # plain floats: a backtest comes here a hundred thousand times
    sides = (("high", highs.tolist(), bars[:, HIGH].tolist()), ("low", lows.tolist(), bars[:, LOW].tolist()))
    found: list[Swing] = []
    before: dict[str, float] = {}
    for place in np.flatnonzero(highs | lows).tolist():
        for kind, turned, prices in sides:
            if turned[place]:
                price = prices[place]
                label = _label(kind, price, before.get(kind))
                confirmed = int(opens[place + k]) + step_ms
                found.append(Swing(kind, int(opens[place]), price, confirmed, label))  # type: ignore[arg-type]
                before[kind] = price
    return tuple(found)


def _turns(values: NDArray[np.float64], k: int) -> NDArray[np.bool_]:
    """Where `values` are above the `k` before and not below the `k` after (rule 1)."""
    turned = np.zeros(len(values), dtype=np.bool_)
    if len(values) < 2 * k + 1:
        return turned
    middle = values[k:len(values) - k]
    good = np.ones(len(middle), dtype=np.bool_)
    for shift in range(1, k + 1):
        good &= middle > values[k - shift:len(values) - k - shift]
        good &= middle >= values[k + shift:len(values) - k + shift]
    turned[k:len(values) - k] = good
    return turned


def _label(kind: str, price: float, before: float | None) -> str:
    if before is None:
        return ""
    if kind == "high":
        return "HH" if price > before else "LH"
    return "LL" if price < before else "HL"


def trend(found: tuple[Swing, ...], bars: Bars) -> tuple[Trend, bool]:
    """The trend now and whether it is broken (rules 3, 4); ``unknown`` before two swings of each kind."""
    high = next((one for one in reversed(found) if one.kind == "high"), None)
    low = next((one for one in reversed(found) if one.kind == "low"), None)
    if high is None or low is None or not high.label or not low.label:
        return "unknown", False
    newest = max(high.confirmed_ms, low.confirmed_ms)
    since = bars[bars[:, OPEN_MS] >= newest, CLOSE]
    if high.label == "HH" and low.label == "HL":
        return ("range", True) if len(since) and float(since.min()) < low.price else ("up", False)
    if high.label == "LH" and low.label == "LL":
        return ("range", True) if len(since) and float(since.max()) > high.price else ("down", False)
    return "range", False
