"""The seed's label (A8): 1 where the price six hours after stands 5 % or more above, else 0.

Pure functions over 5m candles. What candles do not tell is not labelled; nothing is guessed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modules.learning.features import STEP_MS

Floats = npt.NDArray[np.float64]

HOUR_MS = 3_600_000
LATE_MS = 3 * STEP_MS  # the candle that tells the price after may begin this much later, no more


@dataclass(frozen=True, slots=True)
class Rule:
    """When a candidate counts as grown. `any_time`: reached at any time within, not only at the end."""

    after_ms: int
    growth_pct: float
    any_time: bool = False

    def title(self) -> str:
        """``+5 % after 6 h``."""
        when = "within" if self.any_time else "after"
        return f"+{self.growth_pct:g} % {when} {self.after_ms / HOUR_MS:g} h"


@dataclass(frozen=True, slots=True)
class Label:
    """The outcome of one candidate. `price_after` is the price that decided, `growth_pct` its distance."""

    label: int
    price_after: float
    growth_pct: float


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Why there is no label. `final`: waiting longer cannot help."""

    reason: str
    final: bool


def label_one(candles: Floats, at_ms: int, price: float, rule: Rule) -> Label | Unlabelled:
    """The label of a candidate judged at `at_ms` for `price`.

    The price after is the open of the first 5m candle that begins at or after `at_ms` + `rule.after_ms`, at most
    LATE_MS late. With `any_time`, the highest high of the candles that begin in between decides if it is above.
    """
    if not price > 0:
        return Unlabelled(f"its price was {price}", final=True)
    due = at_ms + rule.after_ms
    times = candles[:, 0]
    place = int(np.searchsorted(times, due))
    if place == len(times):
        return Unlabelled("no candle at or after the time of the label", final=False)
    if times[place] > due + LATE_MS:
        return Unlabelled(f"no candle within {LATE_MS // 60_000} minutes of the time of the label", final=True)
    after = float(candles[place, 1])
    if rule.any_time:
        inside = candles[(times >= at_ms) & (times < due)]
        if len(inside) * STEP_MS < rule.after_ms - 2 * LATE_MS:
            return Unlabelled("candles within the time are missing", final=True)
        after = max(after, float(inside[:, 2].max()))
    if not after > 0:
        return Unlabelled(f"the candle shows the price {after}", final=True)
    growth = (after / price - 1.0) * 100.0
    return Label(int(growth >= rule.growth_pct), after, growth)


def label_rows(candles: Floats, rule: Rule, step_ms: int = STEP_MS) -> Floats:
    """The label of every candle taken as a candidate at its close, shape (n,); NaN where it cannot be told.

    Equals `label_one` at each candle's close for its close price (a test holds them together). `step_ms`: length of
    the candles; the one that tells the price after may begin three of them late.
    """
    times, opens, close = candles[:, 0], candles[:, 1], candles[:, 4]
    at = times + step_ms
    due = at + rule.after_ms
    place = np.searchsorted(times, due)
    known = place < len(times)
    after = np.full(len(times), np.nan)
    late = times[np.minimum(place, len(times) - 1)] - due
    known &= late <= 3 * step_ms
    after[known] = opens[place[known]]
    if rule.any_time:
        _raise_to_highest(after, candles, at, due, rule, step_ms)
    with np.errstate(invalid="ignore", divide="ignore"):
        growth = (after / close - 1.0) * 100.0
        label = np.where(growth >= rule.growth_pct, 1.0, 0.0)
    label[~np.isfinite(growth) | ~(after > 0) | ~(close > 0)] = np.nan
    return label


def _raise_to_highest(after: Floats, candles: Floats, at: Floats, due: Floats, rule: Rule, step_ms: int) -> None:
    """Raise `after` to the highest high between `at` and `due`; NaN where candles are missing there."""
    times, high = candles[:, 0], candles[:, 2]
    first, last = np.searchsorted(times, at), np.searchsorted(times, due)
    for row in np.flatnonzero(np.isfinite(after)):
        inside = high[first[row] : last[row]]
        if len(inside) * step_ms < rule.after_ms - 6 * step_ms or not len(inside):
            after[row] = np.nan
        else:
            after[row] = max(after[row], inside.max())
