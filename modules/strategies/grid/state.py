"""The state of one session: everything that must survive a restart, as one immutable record that goes to JSON and back.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from modules.strategies.grid import rules
from modules.strategies.grid.events import Quote, Reason
from modules.strategies.grid.ledger import ZERO, LegLedger, summed
from modules.strategies.grid.reconcile import LegCheck
from modules.strategies.grid.rules import BUY, SELL, Rules
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.signals import Signals
from modules.strategies.grid.units import Contract, Scale, rules_of, scale_of

DAY_MS = 86_400_000


class Mode(StrEnum):
    """STARTING until balance and both positions were read (X16). Exits run in all but STOPPED."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    DRAINING = "DRAINING"
    DAY_STOPPED = "DAY_STOPPED"
    STOPPED = "STOPPED"


class Phase(StrEnum):
    """Where an order of ours is. SETTLING: at its end, but fills that it tells of have not come yet (X17)."""

    SENT = "SENT"
    ACCEPTED = "ACCEPTED"
    UNKNOWN = "UNKNOWN"
    SETTLING = "SETTLING"


class Pending(msgspec.Struct, frozen=True):
    """An order under way."""

    slot: str
    generation: int
    side: int
    opens: bool
    quantity: Decimal
    reason: Reason
    target: str = ""
    level: int = 0
    filled: Decimal = ZERO
    phase: Phase = Phase.SENT
    since_ms: int = 0
    told: Decimal = ZERO


class Closing(msgspec.Struct, frozen=True):
    """Everything is being closed (E4, X36): why, how many positions there were, how often both sides were seen flat."""

    reason: Reason
    positions: int
    flat_seen: int = 0
    asked: bool = False


class SessionState(msgspec.Struct, frozen=True):
    """One (user, symbol). `wish` is what people want: RUNNING, PAUSED, DRAINING or STOPPED; `mode` what holds."""

    buy: LegLedger = LegLedger(BUY)
    sell: LegLedger = LegLedger(SELL)
    buy_leg: tuple[int, int, int, int] = (0, 0, 0, 0)
    sell_leg: tuple[int, int, int, int] = (0, 0, 0, 0)
    buy_check: LegCheck = LegCheck()
    sell_check: LegCheck = LegCheck()
    wish: Mode = Mode.RUNNING
    started: bool = False
    stopped_day: int = -1
    closing: Closing | None = None
    pending: tuple[Pending, ...] = ()
    generations: dict[str, int] = {}
    serial: int = 1
    signals: Signals = Signals()
    fresh: bool = False
    tick: int = 0
    quote: Quote | None = None
    balance: Decimal | None = None
    available: Decimal = ZERO
    balance_tick: int = -1
    breaker_open: bool = False
    day: int = 0
    day_realised: Decimal = ZERO
    day_fees: Decimal = ZERO
    day_funding: Decimal = ZERO
    failures: int = 0
    not_before_ms: int = 0
    exit_failures: int = 0
    exit_not_before_ms: int = 0
    protected: tuple[tuple[Decimal, Decimal], tuple[Decimal, Decimal]] = ((ZERO, ZERO), (ZERO, ZERO))
    refusal: str = ""
    trades: int = 0
    wins: int = 0

    def ledger(self, side: int) -> LegLedger:
        """The ledger of a side."""
        return self.buy if side > 0 else self.sell

    def check(self, side: int) -> LegCheck:
        """The reconciliation of a side."""
        return self.buy_check if side > 0 else self.sell_check

    def under_way(self, side: int, opens: bool | None = None) -> bool:
        """Whether an order of that side (and kind) is under way."""
        return any(one.side == side and opens in (None, one.opens) for one in self.pending)

    @property
    def mode(self) -> Mode:
        """What holds now."""
        if self.wish is Mode.STOPPED:
            return Mode.STOPPED
        if not self.started:
            return Mode.STARTING
        return Mode.DAY_STOPPED if self.stopped_day == self.day else self.wish

    @property
    def day_result(self) -> Decimal:
        """Realised − fees ± funding of the UTC day; what is still open comes on top (E4)."""
        return self.day_realised - self.day_fees + self.day_funding


class Rulebook(msgspec.Struct, frozen=True):
    """Settings and contract of a session, with what is reckoned from them once."""

    settings: GridSettings
    contract: Contract
    scale: Scale
    rules: Rules


def rulebook(settings: GridSettings, contract: Contract) -> Rulebook:
    """The rulebook that settings and contract mean."""
    scale = scale_of(contract)
    return Rulebook(settings, contract, scale, rules_of(settings, contract, scale))


def with_ledger(state: SessionState, ledger: LegLedger, book: Rulebook) -> SessionState:
    """The state with a side's ledger changed, and its sums with it."""
    sums = tuple(summed(ledger, book.scale))
    if ledger.side > 0:
        return msgspec.structs.replace(state, buy=ledger, buy_leg=sums)
    return msgspec.structs.replace(state, sell=ledger, sell_leg=sums)


def with_check(state: SessionState, side: int, check: LegCheck) -> SessionState:
    """The state with a side's reconciliation changed."""
    return (msgspec.structs.replace(state, buy_check=check) if side > 0
            else msgspec.structs.replace(state, sell_check=check))


def legs_of(state: SessionState) -> tuple[rules.Leg, rules.Leg]:
    """Both sides as the rules see them."""
    return rules.Leg(*state.buy_leg), rules.Leg(*state.sell_leg)


def saved(state: SessionState) -> bytes:
    """The state as JSON."""
    return msgspec.json.encode(state)


def restored(data: bytes) -> SessionState:
    """A saved state, to go on with: what must be read from the venue anew is unknown again (X16).

    Orders that were under way are `UNKNOWN` until the venue has told. Raises msgspec.DecodeError for what is no state.
    """
    state = msgspec.json.decode(data, type=SessionState)
    pending = tuple(msgspec.structs.replace(one, phase=Phase.UNKNOWN) if one.phase is not Phase.SETTLING else one
                    for one in state.pending)
    unsure = [msgspec.structs.replace(state.check(side), sure=False) for side in (BUY, SELL)]
    return msgspec.structs.replace(state, pending=pending, buy_check=unsure[0], sell_check=unsure[1], quote=None,
                                   balance_tick=-1, started=False, fresh=False, breaker_open=False)
