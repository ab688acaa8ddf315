"""What risk rules say to people, spot and futures alike: what happened, why, what to do. Short enough for a phone."""

from datetime import UTC, datetime
from typing import Any

from modules.execution.risk_state import Broken, Limit, Measure, Warned

NAMES = {
    Limit.DAY_LOSS: "loss of the day", Limit.WEEK_LOSS: "loss of the week", Limit.DRAWDOWN: "fall from the peak",
    Limit.EXPOSURE: "share of equity in positions", Limit.LOSING_STREAK: "losing streak",
    Limit.STALE_EQUITY: "age of equity", Limit.STALE_DATA: "age of prices",
}


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
