"""Why a system opens nothing: checks in the order of cause, the first that fails is the headline. For every page."""

from collections.abc import Iterable
from typing import Any

from modules.dashboard.pages.sources import Sources

Check = dict[str, Any]


def check(name: str, ok: bool, text: str, todo: str = "") -> Check:
    """One row: `text` says how it is, `todo` what to do where it is not `ok`."""
    return {"name": name, "ok": ok, "text": text, "todo": todo}


def explained(checks: Iterable[Check], good: str = "Nothing stands in the way of trading.",
              lead: str = "Not trading") -> dict[str, Any]:
    """The headline and every check."""
    rows = list(checks)
    failed = next((row for row in rows if not row["ok"]), None)
    return {"headline": f"{lead} because {failed['text']}" if failed else good, "checks": rows}


def alive(sources: Sources, service: str, start: str) -> Check:
    """Whether a service runs; `start`: the command that starts it."""
    found = next((one for one in sources.services() if one.name == service), None)
    if found is None or found.state == "stopped":
        return check(service, False, f"the service {service} is stopped", start)
    if found.state != "ready":
        why = f": {found.last_error}" if found.last_error else ""
        return check(service, False, f"the service {service} is {found.state}{why}", f"/logs {service}")
    return check(service, True, "it runs")
