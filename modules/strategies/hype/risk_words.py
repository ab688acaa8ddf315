"""What the risk service of spot says to people; the words that futures say as well are in `execution/risk_words.py`."""

from typing import Any

from modules.execution.risk_state import Moved, Trading
from modules.execution.risk_words import (
    NAMES,
    broken,
    declined,
    figures,
    lifted,
    moment,
    unreadable,
    unwritten,
    warned,
)

__all__ = ["NAMES", "broken", "cannot_sell", "declined", "figures", "lifted", "moment", "moved", "unreadable",
           "unwritten", "warned"]

_DONE = {
    Trading.ACTIVE: ("Entries are open again", "/risk shows every limit."),
    Trading.PAUSED: ("Paused: nothing is bought", "Positions are guarded as before. /resume buys again."),
    Trading.DRAINING: ("Draining: nothing is bought, positions leave by their exits",
                       "Told again when all are closed. /resume buys again."),
    Trading.FLATTENING: ("Selling everything", "Each sale is told; flat is confirmed twice. /drain stops selling."),
    Trading.HALTED: ("HALTED: nothing is bought", "Positions are guarded as before. /resume asks what is accepted."),
}


def moved(decision: Moved) -> dict[str, Any]:
    """The trading state changed."""
    what, todo = _DONE[decision.new]
    if decision.old is Trading.FLATTENING and decision.new is Trading.HALTED:
        what = "Flat: everything is sold, confirmed twice"
    if decision.old is Trading.DRAINING and decision.new is Trading.PAUSED:
        what = "Drained: every position is closed"
    halted = decision.new is Trading.HALTED and decision.old is not Trading.FLATTENING
    return {"what": what, "why": decision.reason, "todo": todo, "level": "alert" if halted else "warning"}


def cannot_sell(symbols: list[str], quantities: list[str]) -> dict[str, Any]:
    """FLATTEN meets what cannot be sold now."""
    told = ", ".join(f"{symbol} {quantity}" for symbol, quantity in zip(symbols, quantities, strict=True))
    return {"what": f"Cannot be sold now: {told}", "why": "Halted, delisted or not in the account", "level": "warning",
            "todo": "Sold as soon as it trades; not flat until then. /cleartracked drops what is gone."}
