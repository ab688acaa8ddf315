"""What the scalper keeps of its trades; one state file for each mode."""

from decimal import Decimal
from typing import Any

import msgspec

from modules.exchange.types import Mode
from modules.storage.json_state import JsonFile
from utils.paths import Paths

ZERO = Decimal(0)
LAST = 50
VIEW = "scalper_view.json"


class Trade(msgspec.Struct, kw_only=True):
    """One trade. `side` +1 long, −1 short; times ms of the market; prices of the venue, money in USDT.

    `id` is the cause of its orders: what led to one before leads to none again (X40). `parts` are the contributions to
    the score, `mood` where its sentiment came from. `opened_ms` 0: nothing is filled yet. `why`: how it ended.
    """

    id: str
    symbol: str
    side: int
    position_side: str
    asked_ms: int
    score: float
    quantity: Decimal
    price: Decimal
    stop: Decimal
    take: Decimal
    parts: dict[str, float] = {}
    mood: dict[str, Any] | None = None
    opened_ms: int = 0
    deadline_ms: int = 0
    closing: str = ""
    closed_ms: int = 0
    entry: Decimal = ZERO
    exit: Decimal = ZERO
    filled: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    pnl: Decimal = ZERO
    maker: bool = False
    why: str = ""

    @property
    def word(self) -> str:
        """BUY or SELL."""
        return "BUY" if self.side > 0 else "SELL"

    @property
    def value(self) -> Decimal:
        """USDT of the entry."""
        return self.filled * self.entry

    @property
    def pnl_pct(self) -> float:
        """Result after costs, % of the entry's value."""
        return float(self.pnl / self.value * 100) if self.value else 0.0


class State(msgspec.Struct, kw_only=True):
    """``data/[test_]scalper_state.json``. `free_ms`: when a contract may trade again; day figures are of UTC days.
    `stopped`: why a person wants no entries here, until /startscalper.
    """

    day: int = 0
    today: int = 0
    day_pnl: Decimal = ZERO
    day_equity: Decimal = ZERO
    number: int = 0
    free_ms: dict[str, int] = {}
    open: dict[str, Trade] = {}
    trades: int = 0
    wins: int = 0
    pnl: Decimal = ZERO
    fees: Decimal = ZERO
    last: list[Trade] = []
    stopped: str = ""


def state_file(paths: Paths, mode: Mode) -> JsonFile[State]:
    """The state of one mode."""
    prefix = "test_" if mode is Mode.TEST else ""
    return JsonFile(paths.data / f"{prefix}scalper_state.json", State, State)
