"""The rules of a signal, pure: imbalance, large orders, conditions, quality, levels (D4–D7, D9).

No time, no input or output: the same functions for live, tests and tuning. All are symmetric: with bids and asks,
buys and sells swapped and prices mirrored, LONG becomes SHORT and nothing else changes. Functions marked `kernel` take
and return plain numbers (what is unknown is NaN), so that tuning runs them compiled; live they are plain Python.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from modules.strategies.signals.reasons import Refusal
from utils.compiled import kernel

if TYPE_CHECKING:
    import numpy as np

    from modules.strategies.signals.settings import SignalSettings

    Levels = np.ndarray[Any, np.dtype[np.float64]] | Sequence[Sequence[float]]


class Direction(StrEnum):
    """Which way."""

    LONG = "LONG"
    SHORT = "SHORT"

    @property
    def sign(self) -> int:
        """+1 or -1."""
        return 1 if self is Direction.LONG else -1


class Priority(StrEnum):
    """Class of a signal (D7)."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"

    @property
    def place(self) -> int:
        """0, 1, 2: the place in settings that have one value for each class."""
        return ("HIGH", "MEDIUM", "LOW").index(self.value)


def imbalance_of(bid: float, ask: float) -> float:
    """(bid - ask) / (bid + ask) of two sums of quantities; 0 for an empty book (D4)."""
    return (bid - ask) / (bid + ask) if bid + ask > 0 else 0.0


def imbalance(bids: "Levels", asks: "Levels", levels: int = 10) -> float:
    """Imbalance of the best `levels`; rows are (price, quantity), best first (D4)."""
    return imbalance_of(sum(float(row[1]) for row in bids[:levels]), sum(float(row[1]) for row in asks[:levels]))


@dataclass(frozen=True, slots=True)
class LargeOrder:
    """A resting order far above the average level. `multiple`: of that average."""

    price: float
    quantity: float
    multiple: float


def large_orders(levels: "Levels", factor: float = 5.0) -> list[LargeOrder]:
    """Levels of one side over `factor` × the average size of its levels, best first (D4)."""
    sizes = [float(row[1]) for row in levels]
    average = sum(sizes) / len(sizes) if sizes else 0.0
    if average <= 0:
        return []
    return [LargeOrder(float(row[0]), size, size / average) for row, size in zip(levels, sizes, strict=True)
            if size > factor * average]


def intensity(window_quote: float, window_s: float, quote_24h: float) -> float | None:
    """The window's USDT a minute over the symbol's own average (24 h quote volume ÷ 1440); None if unknown (D5)."""
    if quote_24h <= 0 or window_s <= 0:
        return None
    return window_quote * 60 / window_s / (quote_24h / 1440)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one look sees of a symbol. `vwap`: 1 h; `intensity` None: unknown."""

    imbalance: float
    large_buys: int
    large_sells: int
    intensity: float | None
    price: float
    vwap: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A direction with its quality, or why there is none."""

    direction: Direction | None
    quality: int = 0
    priority: Priority | None = None
    refusal: Refusal | None = None


_CODES = (None, Refusal.IMBALANCE, Refusal.LARGE_TRADES, Refusal.NO_AVERAGE, Refusal.INTENSITY, Refusal.NO_CONTEXT,
          Refusal.VWAP_SIDE)
FINE, LEAN, LARGE, AVERAGE, PACE, CONTEXT, VWAP = range(len(_CODES))


@kernel
def met(lean: float, buys: int, sells: int, volume: float, price: float, vwap: float, need_lean: float,
        need_large: int, need_volume: float) -> tuple[int, int]:
    """D6 in plain numbers: (side +1, -1 or 0, FINE or the code of the first condition that fails)."""
    side = 1 if lean > need_lean else -1 if lean < -need_lean else 0
    if side == 0:
        return 0, LEAN
    if (buys if side > 0 else sells) < need_large:
        return side, LARGE
    if math.isnan(volume):
        return side, AVERAGE
    if volume <= need_volume:
        return side, PACE
    if math.isnan(vwap):
        return side, CONTEXT
    if (price - vwap) * side <= 0:
        return side, VWAP
    return side, FINE


def judge(seen: Inputs, settings: "SignalSettings") -> Verdict:
    """D6 and D7: the first condition that fails refuses."""
    side, code = met(seen.imbalance, seen.large_buys, seen.large_sells,
                     math.nan if seen.intensity is None else seen.intensity, seen.price,
                     math.nan if seen.vwap is None else seen.vwap, settings.imbalance, settings.large_trades,
                     settings.intensity)
    direction = None if side == 0 else Direction.LONG if side > 0 else Direction.SHORT
    if code != FINE or direction is None:
        return Verdict(direction, refusal=_CODES[code])
    large = seen.large_buys if side > 0 else seen.large_sells
    score = quality(seen.imbalance, seen.intensity or 0.0, large)
    priority = priority_of(score, settings)
    return Verdict(direction, score, priority, None if priority else Refusal.QUALITY)


@kernel
def quality(lean: float, volume: float, large: int) -> int:
    """0–100 (D7). `large`: trades of the signal's own side."""
    size = abs(lean)
    score = 35 if size > 0.4 else 25 if size > 0.3 else 15
    score += 30 if volume >= 2 else 20 if volume >= 1.5 else 10
    return score + min(8 * max(large, 0), 35)


def priority_of(score: int, settings: "SignalSettings") -> Priority | None:
    """Class of a quality; None below the lowest."""
    if score >= settings.quality_high:
        return Priority.HIGH
    if score >= settings.quality_medium:
        return Priority.MEDIUM
    return Priority.LOW if score >= settings.quality_low else None


def confidence(score: int, confirmations: int, settings: "SignalSettings") -> float:
    """Quality as a share, raised by each optional confirmation; at most 0.99 (D6). Not a probability."""
    return min(0.99, score / 100 + settings.confirm_bonus * confirmations)


@dataclass(frozen=True, slots=True)
class Plan:
    """Prices of a signal and what follows from them (D9). `size_pct`: of capital."""

    entry: float
    stop: float
    tp1: float
    tp2: float
    risk_reward: float
    size_pct: float


@kernel
def on_tick(price: float, tick: float, way: int) -> float:
    """`price` on the grid of `tick`: down (`way` -1), up (+1) or to the nearest (0); as it is where `tick` is 0."""
    if tick <= 0:
        return price
    steps = price / tick
    nearest = math.floor(steps + 0.5)
    if way != 0 and abs(steps - nearest) > 1e-6:  # what is on the grid but for rounding stays
        nearest = math.floor(steps) if way < 0 else math.ceil(steps)
    places = max(0, 3 - math.floor(math.log10(tick)))  # a tick may have several digits: 0.025
    return round(nearest * tick, places)


@kernel
def risk_of(sign: int, entry: float, atr: float, swing: float, atr_factor: float, max_stop_pct: float) -> float:
    """Distance of the stop: the wider of `atr_factor` ATR and the swing (one on the wrong side of the entry does not
    count); -1 where it is none, or too far."""
    risk = max(atr_factor * atr, (entry - swing) * sign)
    return risk if 0 < risk <= entry * max_stop_pct / 100 else -1.0


@kernel
def levels_of(sign: int, entry: float, risk: float, tp1_r: float, tp2_r: float, tick: float
              ) -> tuple[float, float, float]:
    """(stop, TP1, TP2) on the symbol's grid of prices (D9).

    The stop never stands nearer than the rule says; one R is then its distance as it stands, and the targets go to
    the nearest tick, one at least beyond the entry, the second never before the first.
    """
    stop = on_tick(entry - sign * risk, tick, -sign)
    risk = abs(entry - stop)
    first = on_tick(entry + sign * max(risk * tp1_r, tick), tick, 0)
    second = on_tick(entry + sign * max(risk * tp2_r, tick), tick, 0)
    return stop, first, second


def plan(direction: Direction, entry: float, atr: float, swing: float, settings: "SignalSettings",
         tick: float = 0.0) -> Plan | None:
    """Entry, stop, targets. `swing`: the last swing low for LONG, high for SHORT; `tick`: the symbol's price step (0:
    not known, prices are not rounded). None: the stop would be too far."""
    sign = direction.sign
    risk = risk_of(sign, entry, atr, swing, settings.atr_factor, settings.max_stop_pct)
    if risk <= 0:
        return None
    stop, tp1, tp2 = levels_of(sign, entry, risk, settings.tp1_r, settings.tp2_r, tick)
    if stop <= 0 or min(tp1, tp2) <= 0:
        return None  # a tick so coarse that there is no price left below
    risk = abs(entry - stop)
    size = min(settings.risk_pct / (risk / entry * 100) * 100, settings.max_size_pct)
    return Plan(entry, stop, tp1, tp2, abs(tp2 - entry) / risk, size)


def worst_of(priority: Priority) -> Priority | None:
    """The next lower class; None below LOW."""
    order = list(Priority)
    place = order.index(priority) + 1
    return order[place] if place < len(order) else None
