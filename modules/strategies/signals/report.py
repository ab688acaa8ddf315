"""The report of a day or week (D10): what was generated and triggered, and what it was worth beside its control; pure.

Generated: every signal that the rules made, also those that a limit (D8) held back. Sent: those that went out.
Triggered: a target or the stop was reached before the time was over. What ended within the period is judged, whenever
it began. Results are net of fees; intervals are 90 % (`stats`). Efficiency: the part of the best moves that was kept,
Σ net % / Σ best %. Sharpe is per signal: mean net R / its standard deviation, not annualised.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from modules.strategies.signals import stats
from modules.strategies.signals.reasons import Refusal
from modules.strategies.signals.stats import Done, Figures

Kind = Literal["day", "week"]
LIMITS = (Refusal.CLASS_LIMIT, Refusal.DAY_LIMIT, Refusal.CONCURRENT, Refusal.CORRELATED, Refusal.HELD_BACK)
TREND = 8
LEAST = 30
TRIGGERED = ("TP1", "TP2", "SL")


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar day or an ISO week (from Monday) of the report's time zone; `end_ms` is not within."""

    kind: Kind
    name: str
    begin_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Row:
    """One stored signal or control. `closed_ms` 0: open. `best_pct`: its best move, % of the entry."""

    symbol: str
    priority: str
    control: bool
    ms: int
    quality: float
    sent: bool = False
    closed_ms: int = 0
    outcome: str = ""
    first: str = ""
    net_r: float = 0.0
    net_pct: float = 0.0
    best_pct: float = 0.0

    def done(self) -> Done:
        """As statistics take it."""
        return Done(self.symbol, self.priority, self.control, self.ms, self.closed_ms, self.outcome, self.net_r,
                    self.net_pct, self.quality)


def period(kind: Kind, ms: int, zone: str, back: int = 0) -> Period:
    """The period that `ms` (market time) lies in, or the one `back` before it."""
    local = datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(zone)).date()
    if kind == "day":
        first = local - timedelta(days=back)
        return Period(kind, first.isoformat(), _start(first, zone), _start(first + timedelta(days=1), zone))
    first = local - timedelta(days=local.weekday() + 7 * back)
    year, week, _ = first.isocalendar()
    return Period(kind, f"{year}-W{week:02d}", _start(first, zone), _start(first + timedelta(days=7), zone))


def month_of(ms: int, zone: str) -> str:
    """``2026-11``: the calendar month of the zone."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(zone)).strftime("%Y-%m")


def _start(day: date, zone: str) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def build(span: Period, rows: Sequence[Row], refused: dict[str, int], now_ms: int, zone: str) -> dict[str, Any]:
    """Everything that text and picture show, plain values. `rows`: of this period and of the trend before it."""
    born = [one for one in rows if not one.control and span.begin_ms <= one.ms < span.end_ms]
    ended = [one for one in rows if one.closed_ms and span.begin_ms <= one.closed_ms < span.end_ms]
    own, control = ([one for one in ended if one.control == side] for side in (False, True))
    done = [one.done() for one in ended]
    limits = {code.value: refused[code] for code in LIMITS if refused.get(code)}
    by_symbol = stats.by(done, lambda one: one.symbol)
    ranked = sorted(((name, pair[0]) for name, pair in by_symbol.items() if pair[0].count),
                    key=lambda one: -one[1].total_pct)
    best = sum(one.best_pct for one in own)
    lead, error = stats.lead([one.net_r for one in own], [one.net_r for one in control])
    return {
        "kind": span.kind, "name": span.name, "begin_ms": span.begin_ms, "end_ms": span.end_ms, "ms": now_ms,
        "zone": zone, "whole": now_ms >= span.end_ms,
        "generated": len(born) + sum(limits.values()), "limits": limits, "sent": sum(one.sent for one in born),
        "open": sum(not one.closed_ms or one.closed_ms >= span.end_ms for one in born), "ended": len(own),
        "triggered": sum((one.first or one.outcome) in TRIGGERED for one in own),
        "outcomes": _count(one.outcome for one in own), "all": pair(stats.by(done, lambda one: "").get("")),
        "lead": [lead, stats.Z * error if math.isfinite(error) else None],
        "class": _groups(stats.by(done, lambda one: one.priority)), "symbol": _groups(by_symbol),
        "hour": _groups(stats.by(done, lambda one: _hour(one.ms, zone))),
        "best": [_place(one) for one in ranked[:3] if one[1].total_pct > 0],
        "worst": [_place(one) for one in ranked[:-4:-1] if one[1].total_pct < 0],
        "efficiency": sum(one.net_pct for one in own) / best if best > 0 else None,
        "trend": _trend(span, rows, zone), "curve": _curve(own), "control_curve": _curve(control),
    }


def _trend(span: Period, rows: Sequence[Row], zone: str) -> list[dict[str, Any]]:
    """Quality and result of the periods up to this one, oldest first."""
    found = []
    for back in range(TREND - 1, -1, -1):
        one = period(span.kind, span.begin_ms, zone, back)
        own = [row for row in rows if not row.control and one.begin_ms <= row.ms < one.end_ms]
        judged = [row.net_r for row in own if row.closed_ms]
        found.append({"name": one.name, "count": len(own),
                      "quality": sum(row.quality for row in own) / len(own) if own else None,
                      "mean_r": sum(judged) / len(judged) if judged else None})
    return found


def _curve(rows: Iterable[Row]) -> list[tuple[int, float]]:
    """(market ms, running mean's numerator): net R summed up by the time of the end."""
    total, found = 0.0, []
    for one in sorted(rows, key=lambda row: row.closed_ms):
        total += one.net_r
        found.append((one.closed_ms, total))
    return found


def _hour(ms: int, zone: str) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(zone)).strftime("%H")


def _count(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))


def _place(one: tuple[str, Figures]) -> dict[str, Any]:
    return {"symbol": one[0], "count": one[1].count, "total_pct": one[1].total_pct, "mean_r": one[1].mean_r}


def _groups(found: dict[str, tuple[Figures, Figures]]) -> dict[str, Any]:
    return {name: pair(both) for name, both in found.items()}


def pair(both: tuple[Figures, Figures] | None) -> dict[str, Any]:
    """Plain values of (signals, control); what is not a number, or has no end, is None."""
    own, control = both or (stats.figures(()), stats.figures(()))
    return {"signals": _plain(own), "control": _plain(control)}


def _plain(one: Figures) -> dict[str, Any]:
    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "count": one.count, "wins": one.wins, "win_rate": one.win_rate,
        "win_between": [finite(value) for value in one.win_between], "mean_r": one.mean_r,
        "r_between": [finite(value) for value in one.r_between], "mean_pct": one.mean_pct, "total_pct": one.total_pct,
        "hold_s": one.hold_s, "sharpe": one.sharpe, "drawdown_pct": one.drawdown_pct}


def verdict(found: dict[str, Any]) -> str:
    """One sentence; none is drawn from a handful."""
    own, control = found["all"]["signals"]["count"], found["all"]["control"]["count"]
    lead, half = found["lead"]
    if half is None or min(own, control) < LEAST:
        return f"Too few for a verdict ({own} and {control}; {LEAST} of each are needed)."
    words = "better than" if lead > half else "worse than" if lead < -half else "not distinguishable from"
    return f"The signals were {words} their control group: {lead:+.2f} R (±{half:.2f}).".replace("-", "−")
