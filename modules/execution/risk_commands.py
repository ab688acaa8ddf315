"""The words of X36, as moves of the trading state, each with a preview of the exact exposure before it acts.

    PAUSE     no new entries; everything else goes on; RESUME ends it
    DRAIN     no entries, waiting ones cancelled; exits run; once flat: PAUSED
    FLATTEN   waiting entries are cancelled first, then all is sold; flat confirmed twice: HALTED
    SHUTDOWN  the processes end; protective orders stay on the exchange; the trading state stays as it is

The kill switch halts from anywhere, but never interrupts a FLATTEN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from modules.execution.findings import plain
from modules.execution.risk_state import (
    CancelEntries,
    ClosePositions,
    Command,
    Commanded,
    Decision,
    Declined,
    EntriesCleared,
    FlatSeen,
    KillSwitch,
    Limit,
    Moved,
    RiskState,
    StopServices,
    Trading,
)

Step = tuple[RiskState, list[Decision]]

_A, _P, _D, _F, _H = Trading.ACTIVE, Trading.PAUSED, Trading.DRAINING, Trading.FLATTENING, Trading.HALTED
MOVES: dict[Command, dict[Trading, Trading]] = {
    Command.PAUSE: {_A: _P},
    Command.RESUME: {_P: _A, _D: _A, _H: _A},
    Command.DRAIN: {_A: _D, _P: _D, _F: _D},
    Command.FLATTEN: {_A: _F, _P: _F, _D: _F, _H: _F},
    Command.SHUTDOWN: {state: state for state in Trading},
}


def refusal(state: RiskState, wanted: Command, accept_drawdown: bool = False) -> str:
    """Why a command cannot be followed now; empty if it can."""
    if state.trading not in MOVES[wanted]:
        if wanted is Command.RESUME:
            return "everything is being sold; DRAIN ends that, then RESUME" if state.trading is _F \
                else "nothing to resume: trading is active"
        return f"it is {state.trading} already, which is stricter" if state.trading is not MOVES[wanted].get(_A) \
            else f"it is {state.trading} already"
    if wanted is Command.RESUME and state.killed:
        return "the kill switch is on; take it off first"
    if wanted is Command.RESUME and Limit.DRAWDOWN in state.latched and not accept_drawdown:
        return "the drawdown limit is broken; resume by accepting it, which counts from today's equity anew"
    return ""


def command(state: RiskState, event: Commanded) -> Step:
    """Follow a person's command, or decline it with the reason."""
    problem = refusal(state, event.command, event.accept_drawdown)
    if problem:
        return state, [Declined(f"{event.command}: {problem}")]
    if event.command is Command.SHUTDOWN:
        return state, [CancelEntries(), StopServices()]
    new = MOVES[event.command][state.trading]
    reason = "" if new is _A else event.reason or f"{event.command} by {event.by}"
    moved = replace(state, trading=new, reason=reason, by=event.by, since_ms=event.ms, closing=False, flat_since_ms=0)
    if new is _A and event.accept_drawdown and Limit.DRAWDOWN in state.latched:
        moved = _accepted(moved)
    decisions: list[Decision] = [Moved(state.trading, new, reason)]
    if new in (_D, _F):
        decisions.append(CancelEntries())
    return moved, decisions


def kill(state: RiskState, event: KillSwitch) -> Step:
    """On: halted at once (a FLATTEN goes on). Off: a person may resume; nothing resumes by itself."""
    flipped = replace(state, killed=event.on)
    if not event.on or state.killed or state.trading in (_F, _H):
        return flipped, []
    reason = event.reason or "the kill switch was pulled"
    moved = replace(flipped, trading=_H, reason=reason, by="kill switch", since_ms=event.ms, flat_since_ms=0)
    return moved, [Moved(state.trading, _H, reason), CancelEntries()]


def entries_cleared(state: RiskState, event: EntriesCleared) -> Step:
    """FLATTEN sells only once no entry is left that could buy again; not knowing is not none (X15)."""
    if state.trading is not _F or state.closing:
        return state, []
    if event.remaining != 0:
        return state, [CancelEntries()]
    return replace(state, closing=True), [ClosePositions()]


def flat_seen(state: RiskState, event: FlatSeen, apart_ms: int) -> Step:
    """Flat is believed when seen twice, `apart_ms` apart; not knowing neither counts nor resets."""
    ends = {_F: (_H, "everything is sold; confirmed twice"), _D: (_P, "all positions are closed")}
    if state.trading not in ends or event.flat is None or (state.trading is _F and not state.closing):
        return state, []
    if not event.flat:
        again: list[Decision] = [ClosePositions()] if state.trading is _F else []
        return replace(state, flat_since_ms=0), again
    if not state.flat_since_ms:
        return replace(state, flat_since_ms=event.ms), []
    if event.ms - state.flat_since_ms < apart_ms:
        return state, []
    new, reason = ends[state.trading]
    moved = replace(state, trading=new, reason=reason, since_ms=event.ms, closing=False, flat_since_ms=0)
    return moved, [Moved(state.trading, new, reason)]


def started(state: RiskState) -> Step:
    """What a crash interrupted goes on; what was seen before it, a flat too, does not count any more."""
    state = replace(state, equity_ms=0, data_ms=0)
    if state.trading is _F:
        return replace(state, flat_since_ms=0), [ClosePositions() if state.closing else CancelEntries()]
    if state.trading in (_D, _H):
        return replace(state, flat_since_ms=0), [CancelEntries()]
    return state, []


def _accepted(state: RiskState) -> RiskState:
    """The drawdown is accepted: a new peak begins at the present equity."""
    latched = {limit: until for limit, until in state.latched.items() if limit is not Limit.DRAWDOWN}
    episodes = {limit: word for limit, word in state.episodes.items() if limit is not Limit.DRAWDOWN}
    return replace(state, peak=state.equity, latched=latched, episodes=episodes)


@dataclass(frozen=True, slots=True)
class Exposed:
    """One position as it could be sold now. `price` is the bid, None where there is no fresh one; `sellable` is False
    for dust and for halted or delisted tokens. `at_venue`: a protective order rests on the exchange.
    """

    symbol: str
    quantity: Decimal
    price: Decimal | None
    taker_fee: Decimal
    sellable: bool = True
    at_venue: bool = False

    @property
    def value(self) -> Decimal | None:
        """What its sale would bring at `price`, after the fee."""
        return None if self.price is None else self.quantity * self.price * (1 - self.taker_fee)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a command would do, before it does it. `value` sums what has a price; the others are named."""

    command: Command
    mode: str
    refused: str
    positions: tuple[Exposed, ...]
    entries: int

    @property
    def value(self) -> Decimal:
        return sum((one.value for one in self.positions if one.value is not None), Decimal(0))

    @property
    def unpriced(self) -> tuple[str, ...]:
        return tuple(one.symbol for one in self.positions if one.price is None)

    def lines(self) -> list[str]:
        """For a person, on a phone."""
        if self.refused:
            return [f"[{self.mode}] {self.command} is not possible: {self.refused}"]
        cancels = f"Cancels {self.entries} waiting entries" if self.entries else "No entries are waiting"
        if self.command is Command.FLATTEN:
            return [f"[{self.mode}] FLATTEN sells everything of this mode", cancels, *self._sales(), self._total()]
        if self.command is Command.SHUTDOWN:
            return [f"[{self.mode}] SHUTDOWN ends all processes", cancels, self._total(), *self._unguarded()]
        told = {Command.PAUSE: "PAUSE: no new entries; positions stay guarded and are sold by their rules",
                Command.DRAIN: "DRAIN: no new entries; ends when the last position is closed by its rules",
                Command.RESUME: "RESUME: new entries are allowed again"}
        first = f"[{self.mode}] {told[self.command]}"
        return [first, *([cancels] if self.command is Command.DRAIN else []), self._total()]

    def _sales(self) -> list[str]:
        out = []
        for one in self.positions:
            told = "no price now" if one.value is None else f"≈ {one.value:.2f} USDT"
            out.append(f"Sells {one.symbol} {plain(one.quantity)}: {told}" if one.sellable
                       else f"Cannot sell {one.symbol} {plain(one.quantity)} now ({told})")
        return out

    def _total(self) -> str:
        if not self.positions:
            return "No positions are open"
        missing = f"; without {', '.join(self.unpriced)}, which has no price now" if self.unpriced else ""
        return f"{len(self.positions)} position(s) worth ≈ {self.value:.2f} USDT after fees{missing}"

    def _unguarded(self) -> list[str]:
        bare = [one.symbol for one in self.positions if not one.at_venue]
        return [f"UNGUARDED until the next start, no stop rests on the exchange: {', '.join(bare)}"] if bare else []


def preview(state: RiskState, wanted: Command, mode: str, positions: Sequence[Exposed], entries: int,
            accept_drawdown: bool = False) -> Preview:
    """What `wanted` would do now (X36)."""
    return Preview(wanted, mode, refusal(state, wanted, accept_drawdown), tuple(positions), entries)
