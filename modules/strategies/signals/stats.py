"""What signals were worth (D10): win rate, net R and % after fees with intervals, beside the control group.

Intervals are 90 %: Wilson's for shares, Student's t for means (its normal limit above 30). R-multiples have heavy
tails, so with few signals the interval is rough: n is always told. A class is demoted when at least `demote_after`
signals have ended and its mean net R does not beat its control's by `demote_z` standard errors of the difference; it
comes back by itself when it does (demoted signals are followed on).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean, stdev

from modules.strategies.signals.rules import Priority, worst_of
from modules.strategies.signals.settings import SignalSettings

Z = 1.6449
_T = {1: 6.31, 2: 2.92, 3: 2.35, 4: 2.13, 5: 2.02, 6: 1.94, 7: 1.89, 8: 1.86, 9: 1.83, 10: 1.81, 12: 1.78, 15: 1.75,
      20: 1.72, 30: 1.70}


@dataclass(frozen=True, slots=True)
class Done:
    """One ended signal or control."""

    symbol: str
    priority: str
    control: bool
    ms: int
    closed_ms: int
    outcome: str
    net_r: float
    net_pct: float
    quality: float = 0.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one group. Intervals are (low, high), 90 %; nan for none."""

    count: int
    wins: int
    win_rate: float
    win_between: tuple[float, float]
    mean_r: float
    r_between: tuple[float, float]
    mean_pct: float
    total_pct: float
    hold_s: float
    sharpe: float
    drawdown_pct: float


def figures(group: Iterable[Done]) -> Figures:
    """Figures of ended signals; empty groups give zeros and nan intervals."""
    done = sorted(group, key=lambda one: one.closed_ms)
    count = len(done)
    if not count:
        none = (math.nan, math.nan)
        return Figures(0, 0, 0.0, none, 0.0, none, 0.0, 0.0, 0.0, 0.0, 0.0)
    wins = sum(one.net_r > 0 for one in done)
    rs, pcts = [one.net_r for one in done], [one.net_pct for one in done]
    mean, half = fmean(rs), _half(rs)
    spread = stdev(rs) if count > 1 else 0.0
    hold_s = fmean([(one.closed_ms - one.ms) / 1000 for one in done])
    return Figures(count, wins, wins / count, wilson(wins, count), mean, (mean - half, mean + half), fmean(pcts),
                   sum(pcts), hold_s, mean / spread if spread else 0.0, drawdown(pcts))


def wilson(wins: int, count: int, z: float = Z) -> tuple[float, float]:
    """Wilson's score interval of a share."""
    if not count:
        return math.nan, math.nan
    share, square = wins / count, z * z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = z / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _half(values: list[float]) -> float:
    count = len(values)
    if count < 2:
        return math.inf
    nearest = max((df for df in _T if df <= count - 1), default=1)
    return (_T[nearest] if count <= 31 else Z) * stdev(values) / math.sqrt(count)


def drawdown(values: Iterable[float]) -> float:
    """Largest fall of the running sum, in its unit (positive)."""
    total = peak = worst = 0.0
    for value in values:
        total += value
        peak = max(peak, total)
        worst = max(worst, peak - total)
    return worst


def by(done: Iterable[Done], key: Callable[[Done], str]) -> dict[str, tuple[Figures, Figures]]:
    """(signals, controls) of each group."""
    groups: dict[str, tuple[list[Done], list[Done]]] = {}
    for one in done:
        groups.setdefault(key(one), ([], []))[one.control].append(one)
    return {name: (figures(own), figures(control)) for name, (own, control) in sorted(groups.items())}


def hour_of(one: Done) -> str:
    """Hour of the day, UTC."""
    return f"{one.ms // 3_600_000 % 24:02d}"


def lead(own: list[float], control: list[float]) -> tuple[float, float]:
    """(difference of the means, its standard error); the error is inf where a group has fewer than two."""
    if len(own) < 2 or len(control) < 2:
        return 0.0, math.inf
    error = math.sqrt(stdev(own) ** 2 / len(own) + stdev(control) ** 2 / len(control))
    return fmean(own) - fmean(control), error


def demotions(done: list[Done], settings: SignalSettings) -> dict[str, str]:
    """Class → why it is demoted."""
    found = {}
    for priority in Priority:
        own = [one.net_r for one in done if one.priority == priority and not one.control]
        control = [one.net_r for one in done if one.priority == priority and one.control]
        if len(own) < settings.demote_after or len(control) < settings.demote_after:
            continue
        difference, error = lead(own, control)
        if difference < settings.demote_z * error:
            found[priority.value] = (f"{difference:+.3f} R against its control (±{error:.3f}), n = {len(own)} and "
                                     f"{len(control)}")
    return found


def sent_as(priority: str, demoted: dict[str, str]) -> str:
    """The class that a signal goes out as: one lower where its own is demoted, "" where it is not sent."""
    if priority not in demoted:
        return priority
    lower = worst_of(Priority(priority))
    return sent_as(lower, demoted) if lower else ""
