"""What the risk service of spot says to people where futures say it otherwise."""

from typing import Any

from modules.execution.risk_state import Trading
from modules.execution.risk_words import Wording

SPOT = Wording({
    Trading.ACTIVE: ("Entries are open again", "/risk shows every limit."),
    Trading.PAUSED: ("Paused: nothing is bought", "Positions are guarded as before. /resume buys again."),
    Trading.DRAINING: ("Draining: nothing is bought, positions leave by their exits",
                       "Told again when all are closed. /resume buys again."),
    Trading.FLATTENING: ("Selling everything", "Each sale is told; flat is confirmed twice. /drain stops selling."),
    Trading.HALTED: ("HALTED: nothing is bought", "Positions are guarded as before. /resume asks what is accepted."),
}, flat="Flat: everything is sold, confirmed twice", drained="Drained: every position is closed",
    closing=("Selling everything", "/tracked shows what is left."))


def cannot_sell(symbols: list[str], quantities: list[str]) -> dict[str, Any]:
    """FLATTEN meets what cannot be sold now."""
    told = ", ".join(f"{symbol} {quantity}" for symbol, quantity in zip(symbols, quantities, strict=True))
    return {"what": f"Cannot be sold now: {told}", "why": "Halted, delisted or not in the account", "level": "warning",
            "todo": "Sold as soon as it trades; not flat until then. /cleartracked drops what is gone."}
