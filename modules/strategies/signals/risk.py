"""Limits before a signal goes out (D8), pure over what is kept: counts of the day, open signals, losses.

Correlation is of aligned log returns over a stated window, times both directions: a short of what moves against an
open long is the same bet. Unknown counts as 1. A loss is any signal that ended with a net result below zero; only
signals that every other limit would have let through count as held back. What is not sent (a demoted class) is
followed, and takes nobody's place.
"""

import math
from collections.abc import Callable, Mapping

from modules.strategies.signals.reasons import Refusal
from modules.strategies.signals.records import Counts, State
from modules.strategies.signals.rules import Priority
from modules.strategies.signals.settings import SignalSettings

DAY_MS = 86_400_000
LEAST_PAIRS = 20
Correlation = Callable[[str, str], float | None]


def correlation(one: Mapping[int, float], other: Mapping[int, float], bars: int) -> float | None:
    """Pearson's of the last `bars` returns that both have at the same time; None for fewer than 20 or no movement."""
    shared = sorted(one.keys() & other.keys())[-bars:]
    count = len(shared)
    if count < LEAST_PAIRS:
        return None
    a, b = [one[ms] for ms in shared], [other[ms] for ms in shared]
    mean_a, mean_b = math.fsum(a) / count, math.fsum(b) / count
    both = math.fsum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    square_a = math.fsum((x - mean_a) ** 2 for x in a)
    square_b = math.fsum((y - mean_b) ** 2 for y in b)
    if square_a <= 0 or square_b <= 0:
        return None
    return max(-1.0, min(1.0, both / math.sqrt(square_a * square_b)))


def roll(counts: Counts, now_ms: int) -> None:
    """Begin a new day's counts. A clock that runs backwards does not give the day's limits back."""
    day = now_ms // DAY_MS
    if day > counts.day:
        counts.day, counts.sent = day, {}


def refuse(state: State, symbol: str, sign: int, priority: Priority, now_ms: int, settings: SignalSettings,
           correlated: Correlation) -> tuple[Refusal, str] | None:
    """Which limit refuses a signal, with words; None: it may go out. Changes only the day's roll."""
    roll(state.counts, now_ms)
    entries = [one for one in state.open.values() if one.kind == "ENTRY" and not one.follow.outcome]
    live = [one for one in entries if one.sent_as]
    if any(one.symbol == symbol for one in entries):
        return Refusal.SYMBOL_OPEN, f"{symbol} has a signal open"
    counts = state.counts
    cap = (settings.high_a_day, settings.medium_a_day, settings.low_a_day)[priority.place]
    if counts.sent.get(priority, 0) >= cap:
        return Refusal.CLASS_LIMIT, f"{cap} {priority} signals went out today"
    if sum(counts.sent.values()) >= settings.all_a_day:
        return Refusal.DAY_LIMIT, f"{settings.all_a_day} signals went out today"
    if len(live) >= settings.concurrent:
        return Refusal.CONCURRENT, f"{len(live)} are open"
    for other in live:
        found = correlated(symbol, other.symbol)
        signed = 1.0 if found is None else found * sign * other.follow.sign
        if signed > settings.max_correlation:
            how = "unknown, counts as 1" if found is None else f"{signed:+.2f}"
            return Refusal.CORRELATED, f"with the open {other.direction} of {other.symbol}: {how}"
    scope = scope_of(symbol, settings)
    if counts.hold_back.get(scope, 0) > 0:
        return Refusal.HELD_BACK, f"{counts.hold_back[scope]} to be held back after a loss"
    return None


def scope_of(symbol: str, settings: SignalSettings) -> str:
    """Whose signals a loss of this symbol holds back."""
    return "" if settings.hold_back_scope == "all" else symbol


def held_back(counts: Counts, symbol: str, settings: SignalSettings) -> None:
    """One signal was held back."""
    scope = scope_of(symbol, settings)
    counts.hold_back[scope] -= 1
    counts.held_back += 1
    if counts.hold_back[scope] <= 0:
        del counts.hold_back[scope]


def lost(counts: Counts, symbol: str, settings: SignalSettings) -> None:
    """A signal ended with a loss: the next ones are held back."""
    if settings.hold_back:
        counts.hold_back[scope_of(symbol, settings)] = settings.hold_back


def sent(counts: Counts, priority: str) -> None:
    """A signal goes out."""
    counts.sent[priority] = counts.sent.get(priority, 0) + 1
