"""The rules of a signal, pure: imbalance, large orders, conditions, quality, levels (D4–D7, D9).

No time, no input or output: the same functions for live, tests and tuning. All are symmetric: with bids and asks,
buys and sells swapped and prices mirrored, LONG becomes SHORT and nothing else changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from modules.strategies.signals.reasons import Refusal

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


def judge(seen: Inputs, settings: "SignalSettings") -> Verdict:
    """D6 and D7: the first condition that fails refuses."""
    if seen.imbalance > settings.imbalance:
        direction = Direction.LONG
    elif seen.imbalance < -settings.imbalance:
        direction = Direction.SHORT
    else:
        return Verdict(None, refusal=Refusal.IMBALANCE)
    large = seen.large_buys if direction is Direction.LONG else seen.large_sells
    if large < settings.large_trades:
        return Verdict(direction, refusal=Refusal.LARGE_TRADES)
    if seen.intensity is None:
        return Verdict(direction, refusal=Refusal.NO_AVERAGE)
    if seen.intensity <= settings.intensity:
        return Verdict(direction, refusal=Refusal.INTENSITY)
    if seen.vwap is None:
        return Verdict(direction, refusal=Refusal.NO_CONTEXT)
    if (seen.price - seen.vwap) * direction.sign <= 0:
        return Verdict(direction, refusal=Refusal.VWAP_SIDE)
    score = quality(seen.imbalance, seen.intensity, large)
    priority = priority_of(score, settings)
    return Verdict(direction, score, priority, None if priority else Refusal.QUALITY)


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


def plan(direction: Direction, entry: float, atr: float, swing: float, settings: "SignalSettings") -> Plan | None:
    """Entry, stop, targets. `swing`: the last swing low for LONG, high for SHORT. None: the stop would be too far.

    The stop is the wider of `atr_factor` ATR and the swing; a swing on the wrong side of the entry does not count.
    """
    sign = direction.sign
    risk = max(settings.atr_factor * atr, (entry - swing) * sign)
    if not 0 < risk <= entry * settings.max_stop_pct / 100:
        return None
    size = min(settings.risk_pct / (risk / entry * 100) * 100, settings.max_size_pct)
    return Plan(entry, entry - sign * risk, entry + sign * risk * settings.tp1_r, entry + sign * risk * settings.tp2_r,
                settings.tp2_r, size)


def worst_of(priority: Priority) -> Priority | None:
    """The next lower class; None below LOW."""
    order = list(Priority)
    place = order.index(priority) + 1
    return order[place] if place < len(order) else None
