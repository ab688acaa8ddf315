"""What the risk service of futures says to people where spot says it otherwise."""

from modules.execution.risk_state import Trading
from modules.execution.risk_words import Wording

FUTURES = Wording({
    Trading.ACTIVE: ("Entries are open again", "/risk shows every limit."),
    Trading.PAUSED: ("Paused: nothing is opened", "Stops and targets stay on the exchange. /resume opens again."),
    Trading.DRAINING: ("Draining: nothing is opened, positions leave by their exits",
                       "Told again when all are closed. /resume opens again."),
    Trading.FLATTENING: ("Closing everything", "Flat is confirmed twice and told here. /drain stops closing."),
    Trading.HALTED: ("HALTED: nothing is opened", "Stops stay on the exchange. /resume asks what is accepted."),
}, flat="Flat: everything is closed, confirmed twice", drained="Drained: every position is closed",
    closing=("Closing everything", "/risk shows what is left."))
