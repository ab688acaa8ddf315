"""Stored before sent, sent once (D9, X39): signals, their ends, limits; one state file, the database, the outbox.

1. A signal is born in one write of ``data/signals_state.json`` (with the counts that it changes), then its row goes
   to the database's spool durably, then its message to the outbox under its own id. Who dies in between repeats from
   the file: the row replaces itself, the message is said once.
2. A message that cannot go out within the answer time of its class does not go out; that is stored as TOO_LATE.
3. What ended leaves the file only after its row and its message are on disk.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from modules.storage.json_state import JsonFile
from modules.storage.sql.spool import SpoolFull
from modules.strategies.signals import risk, words
from modules.strategies.signals.follow import Rules, result
from modules.strategies.signals.reasons import Refusal
from modules.strategies.signals.records import Signal, State, row_of
from modules.strategies.signals.refusals import Refusals
from modules.strategies.signals.rules import Priority
from modules.strategies.signals.settings import SignalSettings
from modules.supervision.outbox import Outbox
from utils.paths import Paths

log = logging.getLogger(__name__)


class Rows(Protocol):
    """What the database's writer offers."""

    def add(self, table: str, rows: list[dict[str, Any]], durable: bool = False) -> None:
        """Hand over rows; durable ones survive a power loss on return."""


Draw = Callable[[Signal], Awaitable[str]]  # a picture's path below data/, "" where there is none
Closed = Callable[[Signal, float, float], None]


class Ledger:
    """The one writer of signals' state."""

    def __init__(self, paths: Paths, settings: SignalSettings, rows: Rows, outbox: Outbox, zone: str,
                 market: str = "") -> None:
        self.file = JsonFile(paths.data / "signals_state.json", State, State)
        self.state = self.file.load()
        self.rules = Rules(settings.tp1_share, settings.breakeven, settings.fee_pct)
        self.refusals = Refusals(rows.add, int(settings.refusal_every_s * 1000))
        self.on_closed: Closed = lambda signal, net_r, net_pct: None
        self.on_told: Callable[[Signal, str], None] = lambda signal, event: None  # ENTRY, EXIT: lies in the outbox
        self._settings, self._rows, self._outbox, self._zone, self.market = settings, rows, outbox, zone, market

    def born(self, signal: Signal) -> None:
        """Rule 1, all but the message. Raises OSError, SpoolFull: then there is no signal."""
        state, counted = self.state, signal.kind == "ENTRY" and bool(signal.sent_as)
        state.open[signal.id] = signal
        if counted:
            risk.sent(state.counts, signal.sent_as)
        try:
            self.save()
            self._rows.add("signals", [row_of(signal)], durable=True)
        except (OSError, SpoolFull):
            del state.open[signal.id]
            if counted:
                state.counts.sent[signal.sent_as] -= 1
            raise

    def held_back(self, symbol: str) -> None:
        """A signal was held back after a loss: counted on disk."""
        risk.held_back(self.state.counts, symbol, self._settings)
        self.save()

    def ended(self, signal: Signal) -> None:
        """A signal or control came to its end; its message follows with `dispatch`."""
        net_r, net_pct = result(signal.follow, self.rules)
        if signal.kind == "ENTRY" and signal.sent_as and net_r < 0:
            risk.lost(self.state.counts, signal.symbol, self._settings)
        self.save()
        self._rows.add("signals", [row_of(signal, (net_r, net_pct))], durable=True)
        self.on_closed(signal, net_r, net_pct)

    async def dispatch(self, now_ms: Callable[[], int], draw: Draw) -> int:
        """Say what was not said yet, the highest class first; returns how many messages went out."""
        told = 0
        for signal in sorted(self.state.open.values(), key=_turn):
            if signal.kind != "ENTRY" or not signal.sent_as:
                signal.told = signal.end_told = True
            elif not signal.told:
                told += await self._tell(signal, now_ms, draw)
            if signal.follow.outcome and signal.told and not signal.end_told:
                self._tell_end(signal)
                told += 1
        finished = [one.id for one in self.state.open.values() if one.follow.outcome and one.end_told]
        for name in finished:
            del self.state.open[name]
        if told or finished:
            self.save()
        return told

    def save(self) -> None:
        """Write the state. Raises OSError."""
        self.file.save(self.state)

    async def _tell(self, signal: Signal, now_ms: Callable[[], int], draw: Draw) -> int:
        if now_ms() > signal.answer_by_ms:
            return self._too_late(signal, now_ms())
        image = await draw(signal)
        if now_ms() > signal.answer_by_ms:
            return self._too_late(signal, now_ms())
        what, why, todo = words.entry(signal, self._zone, self.market)
        level = "trade" if signal.sent_as != Priority.LOW else "info"
        self._outbox.say(what, why=why, todo=todo, level=level, image=image,  # type: ignore[arg-type]
                         key=f"signal-{signal.id}")
        signal.told = True
        self.on_told(signal, "ENTRY")
        return 1

    def _too_late(self, signal: Signal, now_ms: int) -> int:
        log.warning("signal %s of %s was not sent: its time was over", signal.id, signal.symbol)
        self.refusals.single(signal.symbol, Refusal.TOO_LATE, now_ms, signal=signal.id, priority=signal.priority)
        signal.sent_as, signal.told, signal.end_told = "", True, True
        self._rows.add("signals", [row_of(signal)], durable=True)
        return 0

    def _tell_end(self, signal: Signal) -> None:
        what, why = words.exit_(signal, *result(signal.follow, self.rules), self._zone, self.market)
        self._outbox.say(what, why=why, level="trade", key=f"signal-end-{signal.id}")
        signal.end_told = True
        self.on_told(signal, "EXIT")


def _turn(signal: Signal) -> tuple[int, int]:
    order = [priority.value for priority in Priority]
    return (order.index(signal.sent_as) if signal.sent_as in order else len(order), signal.follow.begun_ms)
