"""What drives the rules of `execution/risk.py`, whatever is guarded: spot coins or futures positions (X34–X36).

1. Events go in, decisions are carried out by the heir; a state that cannot be read decides nothing.
2. The state is durable before a command counts as done; figures are written every few seconds. One that can be neither
   read nor written refuses entries, never exits (X35).
"""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from typing import Any

from modules.execution import risk, risk_words
from modules.execution.risk import Allowed, Blocked
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import (
    Broken,
    CancelEntries,
    ClosePositions,
    Decision,
    Declined,
    Event,
    Lifted,
    Moved,
    RiskState,
    Started,
    StopServices,
    Trading,
    Unreadable,
    Warned,
    lasting,
)
from modules.execution.risk_words import Wording
from modules.storage.damage import set_aside_name
from modules.storage.json_state import JsonFile

log = logging.getLogger(__name__)

CANCEL_EVERY_S = 1.0
WRITE_EVERY_S = 3.0
TELL_AT_WRITE = 3


class RiskDriver(ABC):
    """The risk of one account. `problem` is the disk's last refusal of the state, empty while it takes it; `wording` is
    what is said otherwise than elsewhere."""

    wording: Wording

    def __init__(self, file: JsonFile[RiskState], scope: str, settings: RiskSettings) -> None:
        self.state: RiskState | Unreadable = Unreadable("it has not been read yet")
        self.scope = scope
        self.problem = ""
        self._file = file
        self._as_set = settings
        self._at_speed = (1.0, settings.at_speed(1.0))
        self._failed_writes = 0
        self._saved: RiskState | None = None
        self._started = self._cancel = False
        self._next_cancel = self._next_write = 0.0
        self._write_lock = asyncio.Lock()

    @abstractmethod
    def market_speed(self) -> float:
        """How many market seconds pass in one second."""

    @abstractmethod
    def now_ms(self) -> int:
        """Market time."""

    @abstractmethod
    def load(self) -> None:
        """Read the state from disk."""

    @abstractmethod
    def tell(self, words: dict[str, Any], key: str) -> None:
        """Say to people what `risk_words` made; `key` names what it is about."""

    @abstractmethod
    def close_all(self) -> None:
        """Everything that is held is to be closed."""

    def moved(self, decision: Moved) -> None:
        """The trading state changed; it is told already, and most have nothing to add."""
        return

    async def closing_written(self) -> None:
        """What `close_all` marked is to be on disk before a word counts as done; where it marks nothing, it is.

        Raises OSError.
        """
        return

    def carry_out(self, decision: Decision) -> None:
        """Do, or tell, what the rules decided."""
        match decision:
            case Moved():
                log.warning("%s: %s -> %s (%s)", self.scope, decision.old, decision.new, decision.reason)
                self.tell(risk_words.moved(decision, self.wording), f"state {decision.new}")
                self.moved(decision)
            case Warned():
                self.tell(risk_words.warned(decision), f"near {decision.measure.limit}")
            case Broken():
                self.tell(risk_words.broken(decision), f"broken {decision.measure.limit}")
            case Lifted(limit):
                self.tell(risk_words.lifted(limit), f"lifted {limit}")
            case CancelEntries():
                self._cancel = True
            case ClosePositions():
                self.close_all()
            case Declined(reason):
                self.decline(reason)
            case StopServices():  # the command process ends them; stops stay on the exchange
                log.info("%s: the services are to be stopped", self.scope)

    def decline(self, reason: str) -> None:
        """A word that cannot be followed."""
        self.tell(risk_words.declined(reason), "declined")

    def tell_unwritten(self, problem: str) -> None:
        """The disk has refused the state several times."""
        self.tell(risk_words.unwritten(problem), "unwritten")

    def set_aside(self) -> None:
        """A state that cannot be read makes room for a new one. Raises OSError."""
        if self._file.path.exists():
            self._file.path.replace(set_aside_name(self._file.path))
        self._file.remove()
        self._started = False

    def start(self, now_ms: int) -> None:
        """Before anything is told: what was seen before the start does not count any more."""
        if not self._started:
            self._started = True
            self.feed(Started(now_ms))

    @property
    def settings(self) -> RiskSettings:
        """The settings at the market's speed."""
        speed = self.market_speed()
        if speed != self._at_speed[0]:
            self._at_speed = (speed, self._as_set.at_speed(speed))
        return self._at_speed[1]

    def feed(self, event: Event) -> list[Decision]:
        """Tell the rules something, and carry out what they decide (rule 1)."""
        if isinstance(self.state, Unreadable):
            return []
        self.state, decisions = risk.step(self.state, event, self.settings)
        for decision in decisions:
            self.carry_out(decision)
        return decisions

    def may_enter(self, now_ms: int) -> Allowed | Blocked:
        """Whether an entry may be sent now (X35)."""
        if self.problem:
            return Blocked((f"the risk state cannot be written: {self.problem}",))
        return risk.may_enter(self.state, now_ms, self.settings)

    def facts(self, mode: str, now_ms: int) -> dict[str, str | float]:
        """For the service's heartbeat: equity, and what stops entries for longer than a moment."""
        standing = risk.standing(self.state, now_ms) + ([self.problem] if self.problem else [])
        equity = None if isinstance(self.state, Unreadable) else self.state.equity
        known: dict[str, str | float] = {} if equity is None else {f"equity_usdt_{mode}": round(float(equity), 2)}
        return {f"stopped_{mode}": "; ".join(standing), **known}

    def clearing_due(self) -> bool:
        """Whether waiting entries are to be cancelled now: a halt asked for it, or FLATTEN has not closed yet."""
        state = self.state
        first = isinstance(state, RiskState) and state.trading is Trading.FLATTENING and not state.closing
        return (self._cancel or first) and time.monotonic() >= self._next_cancel

    def clearing_begins(self) -> None:
        """The next one is due a moment later, should anything be left."""
        self._cancel = False
        self._next_cancel = time.monotonic() + CANCEL_EVERY_S

    def ending(self) -> bool:
        """Whether DRAIN or FLATTEN waits for everything to be flat."""
        return isinstance(self.state, RiskState) and (
            self.state.trading is Trading.DRAINING or (self.state.trading is Trading.FLATTENING and self.state.closing))

    def write_due(self) -> bool:
        """What must survive is written at once, figures every few seconds."""
        state, saved = self.state, self._saved
        if isinstance(state, Unreadable) or state == saved:
            return False
        return saved is None or time.monotonic() >= self._next_write or lasting(state) != lasting(saved)

    async def save(self) -> bool:
        """Write the state where it changed (rule 2); False, told once, where the disk refuses."""
        async with self._write_lock:
            state = self.state
            if isinstance(state, Unreadable) or state == self._saved:
                return True
            try:
                await asyncio.to_thread(self._file.save, state)
            except OSError as problem:
                self.problem = str(problem) or repr(problem)
                log.error("%s: the risk state cannot be written: %s", self.scope, self.problem)
                self._failed_writes += 1
                if self._failed_writes == TELL_AT_WRITE:
                    self.tell_unwritten(self.problem)
                return False
            self.problem, self._failed_writes = "", 0
            self._saved = state
            self._next_write = time.monotonic() + WRITE_EVERY_S
            return True
