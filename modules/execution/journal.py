"""The journal of order intents (X1, P10): durable before an order leaves, asked after every crash.

1. ``data/intents.jsonl`` holds one JSON object a line: an intent, the venue's answer, what was executed, the end.
2. Only the intent itself is flushed to disk at once: everything after it can be asked of the venue again.
3. An intent is open until it is closed; it is closed once its result is booked, or once it is proven refused,
   never sent, or absent at the venue.
4. A torn last line (crash within an append) is cut off: an intent torn in writing never left.
5. Any damage elsewhere is reported, because it may hide an order.
"""

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from modules.execution.intents import Intent
from modules.execution.order_state import Executed
from modules.storage.damage import Damage, report
from utils.files import locked, write_atomic

log = logging.getLogger(__name__)

KEPT = 5_000
COMPACT_BYTES = 8_000_000
LONGEST_LINE = 1_000_000


class Opened(msgspec.Struct, frozen=True, tag="intent"):
    intent: Intent


class Answered(msgspec.Struct, frozen=True, tag="answer"):
    """`phase`: accepted, refused, failed (never left) or unknown (X3)."""

    id: str
    phase: str
    code: str = ""
    text: str = ""
    order_id: str = ""


class Settled(msgspec.Struct, frozen=True, tag="result"):
    id: str
    executed: Executed


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """`verdict`: booked, nothing, refused, failed, absent."""

    id: str
    verdict: str


Line = Opened | Answered | Settled | Closed
Slot = tuple[str, str, str, str, str]


@dataclass(slots=True)
class Entry:
    """One intent with all that became of it."""

    intent: Intent
    answer: Answered | None = None
    executed: Executed | None = None
    verdict: str = ""

    @property
    def open(self) -> bool:
        return not self.verdict


class JournalError(Exception):
    """An intent that must not be written: its slot already has an open one (X2)."""


class Journal:
    """All intents of the systems on this installation. Safe between threads and between processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Entry] = {}
        self._slots: dict[Slot, list[Entry]] = {}
        self._causes: dict[str, list[Entry]] = {}
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read the file from its start; long ones are shortened to open intents and the newest `KEPT`."""
        self._index([])
        if not self.path.exists():
            return
        with self._lock, locked(self.path), open(self.path, "rb+") as out:
            _cut_torn(out)
            out.seek(0)
            content = out.read()
        damaged = 0
        for number, raw in enumerate(content.splitlines()):
            try:
                self._apply(msgspec.json.decode(raw, type=Line))
            except msgspec.MsgspecError as problem:
                damaged += 1
                log.error("intents journal, line %d cannot be read: %s", number + 1, problem)
        if damaged:
            report(Damage(self.path, f"{damaged} line(s) cannot be read", None,
                          "All other intents were read; open orders and balances are checked against the exchange"))
        if len(content) > COMPACT_BYTES:
            self._compact()

    def open(self, intent: Intent) -> Entry:
        """Write an intent, flushed to disk. Raises OSError (no intent, no order) and JournalError (X2)."""
        if any(entry.open for entry in self._slots.get(_slot(intent), ())):
            raise JournalError(f"{intent.symbol}: an order for {intent.leg} {intent.slot} is still open")
        if intent.id in self.entries:
            raise JournalError(f"{intent.symbol}: the id {intent.id} has been used")
        self._append(Opened(intent), flush=True)
        return self._apply_opened(intent)

    def answer(self, intent_id: str, phase: str, code: str = "", text: str = "", order_id: str = "") -> None:
        """What the venue said."""
        self._write(Answered(intent_id, phase, code, text, order_id))

    def settle(self, intent_id: str, executed: Executed) -> None:
        """What was executed; the intent stays open until that is booked."""
        self._write(Settled(intent_id, executed))

    def close(self, intent_id: str, verdict: str) -> None:
        """Nothing is left to do about it."""
        self._write(Closed(intent_id, verdict))

    def open_entries(self, system: str, account: str) -> list[Entry]:
        """Intents whose end is not known, oldest first."""
        return [entry for entry in self.entries.values()
                if entry.open and entry.intent.system == system and entry.intent.account == account]

    def of_cause(self, cause: str) -> list[Entry]:
        """Intents that a message led to: it must not lead to another order."""
        return list(self._causes.get(cause, ())) if cause else []

    def of_slot(self, system: str, account: str, symbol: str, leg: str, slot: str) -> list[Entry]:
        """All generations of a slot, oldest first."""
        return list(self._slots.get((system, account, symbol, leg, slot), ()))

    def next_generation(self, system: str, account: str, symbol: str, leg: str, slot: str) -> int:
        """The generation of the next order of a slot."""
        past = self._slots.get((system, account, symbol, leg, slot), ())
        return max((entry.intent.generation for entry in past), default=-1) + 1

    def _write(self, line: Line) -> None:
        self._append(line, flush=False)
        self._apply(line)

    def _append(self, line: Line, *, flush: bool) -> None:
        body = msgspec.json.encode(line) + b"\n"
        with self._lock, locked(self.path):
            self.path.touch()
            with open(self.path, "rb+") as out:
                _cut_torn(out)
                out.seek(0, os.SEEK_END)
                out.write(body)
                out.flush()
                if flush:
                    os.fsync(out.fileno())

    def _apply(self, line: Line) -> None:
        if isinstance(line, Opened):
            self._apply_opened(line.intent)
            return
        entry = self.entries.get(line.id)
        if entry is None:  # its intent was moved away by a shortening
            return
        if isinstance(line, Answered):
            entry.answer = line
        elif isinstance(line, Settled):
            entry.executed = line.executed
        else:
            entry.verdict = line.verdict

    def _apply_opened(self, intent: Intent) -> Entry:
        entry = Entry(intent)
        self._remember(entry)
        if len(self.entries) > 3 * KEPT:
            self._index(self._still_needed())
        return entry

    def _remember(self, entry: Entry) -> None:
        self.entries[entry.intent.id] = entry
        self._slots.setdefault(_slot(entry.intent), []).append(entry)
        if entry.intent.cause:
            self._causes.setdefault(entry.intent.cause, []).append(entry)

    def _index(self, entries: list[Entry]) -> None:
        self.entries, self._slots, self._causes = {}, {}, {}
        for entry in entries:
            self._remember(entry)

    def _still_needed(self) -> list[Entry]:
        recent = set(list(self.entries)[-KEPT:])
        return [entry for entry in self.entries.values() if entry.open or entry.intent.id in recent]

    def _compact(self) -> None:
        """Move the old file aside as a numbered segment and start anew with what is still needed."""
        with self._lock, locked(self.path):
            kept = self._still_needed()
            number = len(list(self.path.parent.glob(f"{self.path.stem}.[0-9]*.jsonl"))) + 1
            write_atomic(self.path.with_name(f"{self.path.stem}.{number:05d}.jsonl"), self.path.read_bytes())
            write_atomic(self.path, b"".join(_lines(entry) for entry in kept))
            self._index(kept)


def _cut_torn(out: BinaryIO) -> None:
    """Cut what a crash left behind the last line end (rule 4)."""
    end = out.seek(0, os.SEEK_END)
    if not end:
        return
    out.seek(end - 1)
    if out.read(1) == b"\n":
        return
    start = max(0, end - LONGEST_LINE)
    out.seek(start)
    tail = out.read()
    keep = start + tail.rfind(b"\n") + 1
    log.warning("intents journal: a torn line of %d bytes was cut off", end - keep)
    out.truncate(keep)


def _slot(intent: Intent) -> Slot:
    return intent.system, intent.account, intent.symbol, intent.leg, intent.slot


def _lines(entry: Entry) -> bytes:
    parts: list[Line] = [Opened(entry.intent)]
    if entry.answer:
        parts.append(entry.answer)
    if entry.executed:
        parts.append(Settled(entry.intent.id, entry.executed))
    if entry.verdict:
        parts.append(Closed(entry.intent.id, entry.verdict))
    return b"".join(msgspec.json.encode(part) + b"\n" for part in parts)
