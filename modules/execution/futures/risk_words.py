"""What the risk service of futures says to people where spot says it otherwise."""

from typing import Any

from modules.execution.risk_state import Moved, Trading

_DONE = {
    Trading.ACTIVE: ("Entries are open again", "/risk shows every limit."),
    Trading.PAUSED: ("Paused: nothing is opened", "Stops and targets stay on the exchange. /resume opens again."),
    Trading.DRAINING: ("Draining: nothing is opened, positions leave by their exits",
                       "Told again when all are closed. /resume opens again."),
    Trading.FLATTENING: ("Closing everything", "Flat is confirmed twice and told here. /drain stops closing."),
    Trading.HALTED: ("HALTED: nothing is opened", "Stops stay on the exchange. /resume asks what is accepted."),
}


def moved(decision: Moved) -> dict[str, Any]:
    """The trading state changed."""
    what, todo = _DONE[decision.new]
    if decision.old is Trading.FLATTENING and decision.new is Trading.HALTED:
        what = "Flat: everything is closed, confirmed twice"
    if decision.old is Trading.DRAINING and decision.new is Trading.PAUSED:
        what = "Drained: every position is closed"
    halted = decision.new is Trading.HALTED and decision.old is not Trading.FLATTENING
    return {"what": what, "why": decision.reason, "todo": todo, "level": "alert" if halted else "warning"}


def closing_all() -> dict[str, Any]:
    """FLATTEN while the risk state cannot be read."""
    return {"what": "Closing everything", "why": "The risk state cannot be read; exits do not need it",
            "level": "warning", "todo": "/risk shows what is left."}
