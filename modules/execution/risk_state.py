"""What the risk rules remember, what they are told, and what they decide: plain data (X34–X36).

The state of one mode lies in ``data/[test_]risk_state.json``; the tracker is its only writer. A state that cannot be
read is ``Unreadable``: it refuses entries and nothing else (X35).
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import msgspec

from modules.exchange.types import Mode
from modules.storage.damage import StateError
from modules.storage.json_state import JsonFile
from utils.paths import Paths


class Trading(StrEnum):
    """ACTIVE trades. PAUSED: no entries. DRAINING: no entries, until the exits have closed all. FLATTENING: waiting
    entries are cancelled, then all is sold. HALTED: stopped by a limit or the kill switch. Exits run in all of them.
    """

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    DRAINING = "DRAINING"
    FLATTENING = "FLATTENING"
    HALTED = "HALTED"


class Command(StrEnum):
    PAUSE = "PAUSE"
    RESUME = "RESUME"
    DRAIN = "DRAIN"
    FLATTEN = "FLATTEN"
    SHUTDOWN = "SHUTDOWN"


class Limit(StrEnum):
    DAY_LOSS = "DAY_LOSS"
    WEEK_LOSS = "WEEK_LOSS"
    DRAWDOWN = "DRAWDOWN"
    EXPOSURE = "EXPOSURE"
    LOSING_STREAK = "LOSING_STREAK"
    STALE_EQUITY = "STALE_EQUITY"
    STALE_DATA = "STALE_DATA"


class RiskState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The risk of one scope (system and mode). Money in quote, times in market ms; 0 means never.

    `peak` is the highest equity ever seen, corrected for transfers. `latched` holds broken limits with the moment that
    lifts them (0: a person). `episodes` says which limits were warned about. `counted` are the newest closed trades,
    so that none counts twice after a crash. `closing`: a FLATTEN has cancelled its entries and sells. `moved`: the sum
    of transfers that were counted, where their books keep one (futures).
    """

    scope: str
    trading: Trading = Trading.ACTIVE
    reason: str = ""
    by: str = ""
    since_ms: int = 0
    killed: bool = False
    equity: Decimal | None = None
    equity_ms: int = 0
    exposure: Decimal = Decimal(0)
    peak: Decimal | None = None
    day: str = ""
    day_start: Decimal | None = None
    week: str = ""
    week_start: Decimal | None = None
    data_ms: int = 0
    streak: int = 0
    counted: tuple[str, ...] = ()
    latched: dict[Limit, int] = {}
    episodes: dict[Limit, str] = {}
    closing: bool = False
    flat_since_ms: int = 0
    moved: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The stored state cannot be used; entries are refused until a person mends it."""

    reason: str


def lasting(state: RiskState) -> RiskState:
    """What a crash must not take back; the figures of the moment are left out."""
    return msgspec.structs.replace(state, equity=None, equity_ms=0, exposure=Decimal(0), data_ms=0, peak=None)


def scope_of(system: str, mode: Mode) -> str:
    """The declared scope of a drawdown: one system in one mode (X34)."""
    return f"{system}/{mode}"


def risk_file(paths: Paths, system: str, mode: Mode) -> JsonFile[RiskState]:
    """``data/[test_]risk_state.json``."""
    name = "test_risk_state.json" if mode is Mode.TEST else "risk_state.json"
    return JsonFile(paths.data / name, RiskState, lambda: RiskState(scope=scope_of(system, mode)))


def futures_scope(system: str, mode: Mode) -> str:
    """The scope of a system on futures: the futures account that it trades, as that system has seen it."""
    return f"futures {system}/{mode}"


def futures_risk_file(data: Path, system: str, mode: Mode) -> JsonFile[RiskState]:
    """``[test_]futures_SYSTEM_risk.json`` in the data folder; its writer is the system's keeper."""
    prefix = "test_" if mode is Mode.TEST else ""
    return JsonFile(data / f"{prefix}futures_{system}_risk.json", RiskState,
                    lambda: RiskState(scope=futures_scope(system, mode)))


def load_risk(file: JsonFile[RiskState], scope: str) -> RiskState | Unreadable:
    """The stored state, or why it cannot be used (X35): damaged, unreachable, or of another scope."""
    try:
        state = file.load()
    except (StateError, OSError) as problem:
        return Unreadable(str(problem))
    if state.scope != scope:
        return Unreadable(f"{file.path.name} belongs to {state.scope}, not to {scope}")
    return state


# Events. `ms` is market time.


@dataclass(frozen=True, slots=True)
class Started:
    """The tracker started again: an unfinished FLATTEN or DRAIN goes on."""

    ms: int


@dataclass(frozen=True, slots=True)
class EquitySeen:
    """Cash and positions at their bids, fees paid; `exposure` is what is in positions."""

    ms: int
    equity: Decimal
    exposure: Decimal


@dataclass(frozen=True, slots=True)
class DataSeen:
    """`data_ms` is when the newest trustworthy prices were taken."""

    ms: int
    data_ms: int


@dataclass(frozen=True, slots=True)
class TradeClosed:
    """A position closed with `pnl` in quote, net of all fees."""

    ms: int
    id: str
    pnl: Decimal


@dataclass(frozen=True, slots=True)
class Transferred:
    """A person moved money in (positive) or out: neither gain nor loss."""

    ms: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """The kill switch was found on or off."""

    ms: int
    on: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Commanded:
    """A person's command. `accept_drawdown` is needed to resume after the drawdown limit, and starts a new peak."""

    ms: int
    command: Command
    by: str
    reason: str = ""
    accept_drawdown: bool = False


@dataclass(frozen=True, slots=True)
class EntriesCleared:
    """How many entry orders are still open at the venue; None where it did not say (X15)."""

    ms: int
    remaining: int | None


@dataclass(frozen=True, slots=True)
class FlatSeen:
    """Whether nothing is held, by the venue; None where it did not say (X15)."""

    ms: int
    flat: bool | None


Event = (Started | EquitySeen | DataSeen | TradeClosed | Transferred | KillSwitch | Commanded | EntriesCleared
         | FlatSeen)


# Decisions. None of them can stop an exit (X35).


@dataclass(frozen=True, slots=True)
class Measure:
    """A limit now: `value` of at most `allowed`, both in `unit`."""

    limit: Limit
    value: Decimal
    allowed: Decimal
    unit: str

    @property
    def used_pct(self) -> Decimal:
        return self.value / self.allowed * 100


@dataclass(frozen=True, slots=True)
class Warned:
    """Once an episode, at 80 % of the limit."""

    measure: Measure


@dataclass(frozen=True, slots=True)
class Broken:
    """Once an episode; entries stop. `until_ms` lifts it; 0: a person, or the value itself."""

    measure: Measure
    until_ms: int


@dataclass(frozen=True, slots=True)
class Lifted:
    """An episode is over."""

    limit: Limit


@dataclass(frozen=True, slots=True)
class Moved:
    """The trading state changed."""

    old: Trading
    new: Trading
    reason: str


@dataclass(frozen=True, slots=True)
class CancelEntries:
    """Cancel every waiting entry order; then tell EntriesCleared."""


@dataclass(frozen=True, slots=True)
class ClosePositions:
    """Sell everything of this scope; then tell FlatSeen. Asked again as long as something is held."""


@dataclass(frozen=True, slots=True)
class StopServices:
    """SHUTDOWN: end the processes; protective orders stay on the exchange."""


@dataclass(frozen=True, slots=True)
class Declined:
    """A command or an event that cannot be followed, and why."""

    reason: str


Decision = Warned | Broken | Lifted | Moved | CancelEntries | ClosePositions | StopServices | Declined
