"""What risk rules say to people, spot and futures alike: what happened, why, what to do. Short enough for a phone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from modules.execution.risk_state import Broken, Limit, Measure, Moved, Trading, Warned

NAMES = {
    Limit.DAY_LOSS: "loss of the day", Limit.WEEK_LOSS: "loss of the week", Limit.DRAWDOWN: "fall from the peak",
    Limit.EXPOSURE: "share of equity in positions", Limit.LOSING_STREAK: "losing streak",
    Limit.STALE_EQUITY: "age of equity", Limit.STALE_DATA: "age of prices",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """What is said otherwise of spot and of futures: each state as (what, what to do), how FLATTEN and DRAIN end, and
    FLATTEN without a state that can be read as (what, what to do)."""

    states: Mapping[Trading, tuple[str, str]]
    flat: str
    drained: str
    closing: tuple[str, str]


def moved(decision: Moved, wording: Wording) -> dict[str, Any]:
    """The trading state changed."""
    what, todo = wording.states[decision.new]
    if decision.old is Trading.FLATTENING and decision.new is Trading.HALTED:
        what = wording.flat
    if decision.old is Trading.DRAINING and decision.new is Trading.PAUSED:
        what = wording.drained
    halted = decision.new is Trading.HALTED and decision.old is not Trading.FLATTENING
    return {"what": what, "why": decision.reason, "todo": todo, "level": "alert" if halted else "warning"}


def closing_all(wording: Wording) -> dict[str, Any]:
    """FLATTEN while the risk state cannot be read."""
    what, todo = wording.closing
    return {"what": what, "why": "The risk state cannot be read; exits do not need it", "level": "warning",
            "todo": todo}


def anew(reason: str) -> dict[str, Any]:
    """A person accepted that a state which cannot be read is set aside."""
    return {"what": "The risk state starts anew", "why": f"It could not be read: {reason}", "level": "warning",
            "todo": "Losses of today and the peak count from now. /risk shows every limit."}


def figures(seen: Measure) -> str:
    """Value, limit and share of it."""
    digits = 0 if seen.limit is Limit.LOSING_STREAK else 2
    unit = seen.unit if seen.unit.startswith("%") else f" {seen.unit}"
    return f"{seen.value:.{digits}f} of at most {seen.allowed:.{digits}f}{unit} ({seen.used_pct:.0f} % of the limit)"


def warned(decision: Warned) -> dict[str, Any]:
    """80 % of a limit."""
    seen = decision.measure
    return {"what": f"Close to a limit: {NAMES[seen.limit]}", "why": figures(seen), "level": "warning",
            "todo": "Nothing is stopped yet. /risk shows every limit, /pause stops entries now."}


def broken(decision: Broken) -> dict[str, Any]:
    """A limit was reached: entries stop, exits go on (X35)."""
    seen = decision.measure
    level = "warning" if seen.limit in (Limit.STALE_DATA, Limit.STALE_EQUITY) else "alert"
    return {"what": f"Entries stop: {NAMES[seen.limit]}", "why": figures(seen), "level": level,
            "todo": f"Exits go on. {_ends(decision)} /flatten would sell everything."}


def _ends(decision: Broken) -> str:
    if decision.until_ms:
        return f"Entries open again at {moment(decision.until_ms)} (market time)."
    if decision.measure.limit is Limit.DRAWDOWN:
        return "A person has to accept it: /resume."
    return "Entries open again by themselves once it is below the limit."


def lifted(limit: Limit) -> dict[str, Any]:
    """An episode is over."""
    return {"what": f"Back within its limit: {NAMES[limit]}", "why": "This limit stops no entries any more",
            "todo": "/risk shows what else does."}


def declined(reason: str) -> dict[str, Any]:
    """A command that cannot be followed."""
    return {"what": "Not done", "why": reason, "todo": "/risk shows the state.", "level": "warning"}


def unreadable(reason: str) -> dict[str, Any]:
    """The stored state cannot be used (X35)."""
    return {"what": "Entries stop: the risk state cannot be read", "why": reason, "level": "alert",
            "todo": "Exits go on. Restore a backup, or /resume to start it anew (today's loss and the peak are lost)."}


def unwritten(problem: str) -> dict[str, Any]:
    """The state cannot be written."""
    return {"what": "Entries stop: the risk state cannot be written", "why": problem, "level": "alert",
            "todo": "Exits go on. Make room on the disk; entries open again by themselves."}


def moment(ms: int) -> str:
    """A moment of market time."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
