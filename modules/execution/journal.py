"""The journal of order intents (X1, P10): durable before an order leaves, asked after every crash.

1. ``data/intents.jsonl`` holds one JSON object a line: an intent, the venue's answer, what was executed, the end.
2. Only the intent itself is flushed to disk at once: everything after it can be asked of the venue again.
3. An intent is open until it is closed; it is closed once its result is booked, or once it is proven refused,
   never sent, or absent at the venue.
4. A torn last line (crash within an append) is cut off: an intent torn in writing never left.
5. Any damage elsewhere is reported, because it may hide an order. An intent that is written twice counts once.
6. A long file is shortened, with what other processes wrote: open intents, the newest `KEPT`, and of older ones the
   generation of their slot, so that no id comes twice (X2). The newest `SEGMENTS` old files stay: the size is bounded.
7. What comes after the intent never stops anybody: where the disk refuses it, it is known in memory and written with
   the next line (X7); a crash before that finds the intent open and asks the venue.
8. One process writes the intents of an account; any other may look at them with `read_journal`, which changes nothing.
"""

import logging
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from modules.exchange.types import Fill
from modules.execution.intents import Intent
from modules.execution.order_state import Executed
from modules.storage.damage import Damage, report
from utils.files import locked, read_whole, write_all, write_atomic

log = logging.getLogger(__name__)

KEPT = 3_000
FLOORS_KEPT = 10_000
COMPACT_BYTES = 8_000_000
SEGMENTS = 2
LONGEST_LINE = 1_000_000
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError)
Slot = tuple[str, str, str, str, str]


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
    """What was executed, with the fills that prove it where the venue told them in time."""

    id: str
    executed: Executed
    fills: tuple[Fill, ...] = ()


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """`verdict`: booked, nothing, refused, failed, absent."""

    id: str
    verdict: str


class Floor(msgspec.Struct, frozen=True, tag="floor"):
    """The highest generation of a slot whose intents were shortened away (rule 6)."""

    slot: Slot
    generation: int


Line = Opened | Answered | Settled | Closed | Floor


@dataclass(slots=True)
class Entry:
    """One intent with all that became of it."""

    intent: Intent
    answer: Answered | None = None
    executed: Executed | None = None
    fills: tuple[Fill, ...] = ()
    verdict: str = ""

    @property
    def open(self) -> bool:
        return not self.verdict


class JournalError(Exception):
    """An intent that must not be written: its slot already has an open one (X2)."""


class _Book:
    """Intents in memory, indexed."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.open: dict[str, Entry] = {}
        self.slots: dict[Slot, list[Entry]] = {}
        self.causes: dict[str, list[Entry]] = {}
        self.floors: dict[Slot, int] = {}

    def apply(self, line: Line) -> None:
        if isinstance(line, Floor):
            self.floors[line.slot] = max(line.generation, self.floors.get(line.slot, -1))
            return
        if isinstance(line, Opened):
            if line.intent.id not in self.entries:  # rule 5: written twice
                self.remember(Entry(line.intent))
            return
        entry = self.entries.get(line.id)
        if entry is None:  # its intent was moved away by a shortening
            return
        if isinstance(line, Answered):
            entry.answer = line
        elif isinstance(line, Settled):
            entry.executed, entry.fills = line.executed, line.fills
        else:
            entry.verdict = line.verdict
            self.open.pop(line.id, None)

    def remember(self, entry: Entry) -> None:
        self.entries[entry.intent.id] = entry
        if entry.open:
            self.open[entry.intent.id] = entry
        self.slots.setdefault(_slot(entry.intent), []).append(entry)
        if entry.intent.cause:
            self.causes.setdefault(entry.intent.cause, []).append(entry)

    def shortened(self) -> "_Book":
        """What rule 6 keeps."""
        recent = set(list(self.entries)[-KEPT:])
        kept = _Book()
        kept.floors = dict(self.floors)
        for entry in list(self.entries.values()):
            if entry.open or entry.intent.id in recent:
                kept.remember(entry)
                continue
            slot = _slot(entry.intent)
            kept.floors[slot] = max(entry.intent.generation, kept.floors.pop(slot, -1))  # moves to the end: newest last
        for slot in list(kept.floors)[:-FLOORS_KEPT]:
            del kept.floors[slot]
        return kept

    def lines(self) -> bytes:
        parts: list[Line] = [Floor(slot, generation) for slot, generation in self.floors.items()]
        for entry in self.entries.values():
            parts += _lines(entry)
        return b"".join(msgspec.json.encode(part) + b"\n" for part in parts)


class Journal:
    """All intents of the systems on this installation. Safe between threads and between processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._book = _Book()
        self._lock = threading.Lock()
        self._compact_at = COMPACT_BYTES
        self._unwritten = b""

    @property
    def entries(self) -> dict[str, Entry]:
        """Every intent known, by id, oldest first."""
        return self._book.entries

    def load(self) -> None:
        """Read the file from its start; a long one is shortened (rule 6)."""
        self._compact_at = COMPACT_BYTES
        with self._lock:
            self._book = _Book()
            if not self.path.exists():
                return
            with locked(self.path):
                with open(self.path, "rb+") as out:
                    _cut_torn(out)
                    out.seek(0)
                    content = out.read()
                self._book, damaged = _parsed(content)
                if len(content) > self._compact_at:
                    self._compact_locked()
        if damaged:
            report(Damage(self.path, f"{damaged} line(s) cannot be read", None,
                          "All other intents were read; open orders and balances are checked against the exchange"))

    def open(self, intent: Intent) -> Entry:
        """Write an intent, flushed to disk. Raises OSError (no intent, no order) and JournalError (X2)."""
        if any(entry.open for entry in list(self._book.slots.get(_slot(intent), ()))):
            raise JournalError(f"{intent.symbol}: an order for {intent.leg} {intent.slot} is still open")
        if intent.id in self._book.entries or intent.generation <= self._book.floors.get(_slot(intent), -1):
            raise JournalError(f"{intent.symbol}: the id {intent.id} has been used")
        self._append(Opened(intent), flush=True)
        return self._book.entries[intent.id]

    def answer(self, intent_id: str, phase: str, code: str = "", text: str = "", order_id: str = "") -> None:
        """What the venue said."""
        self._append(Answered(intent_id, phase, code, text, order_id), flush=False)

    def settle(self, intent_id: str, executed: Executed, fills: Iterable[Fill] = ()) -> None:
        """What was executed; the intent stays open until that is booked."""
        self._append(Settled(intent_id, executed, tuple(fills)), flush=False)

    def close(self, intent_id: str, verdict: str) -> None:
        """Nothing is left to do about it."""
        self._append(Closed(intent_id, verdict), flush=False)

    def open_entries(self, system: str, account: str) -> list[Entry]:
        """Intents whose end is not known, oldest first."""
        return [entry for entry in list(self._book.open.values())
                if entry.intent.system == system and entry.intent.account == account]

    def newest(self, system: str, account: str, count: int) -> list[Entry]:
        """The newest intents, oldest first, and every open one."""
        entries = list(self._book.entries.values())
        recent = {id(entry) for entry in entries[-count:]}
        return [entry for entry in entries if (entry.open or id(entry) in recent)
                and entry.intent.system == system and entry.intent.account == account]

    def of_cause(self, cause: str) -> list[Entry]:
        """Intents that a message led to: it must not lead to another order."""
        return list(self._book.causes.get(cause, ())) if cause else []

    def of_slot(self, system: str, account: str, symbol: str, leg: str, slot: str) -> list[Entry]:
        """All generations of a slot, oldest first."""
        return list(self._book.slots.get((system, account, symbol, leg, slot), ()))

    def next_generation(self, system: str, account: str, symbol: str, leg: str, slot: str) -> int:
        """The generation of the next order of a slot."""
        key = (system, account, symbol, leg, slot)
        past = [entry.intent.generation for entry in list(self._book.slots.get(key, ()))]
        return max([*past, self._book.floors.get(key, -1)]) + 1

    def _append(self, line: Line, *, flush: bool) -> None:
        """Write a line, then know it. Only the end of an intent may set off a shortening: no order waits for one."""
        body = msgspec.json.encode(line) + b"\n"
        with self._lock, locked(self.path):
            try:
                size = self._write(self._unwritten + body, flush)
                self._unwritten = b""
            except OSError as problem:
                if isinstance(line, Opened):  # rule 1: no intent, no order
                    raise
                log.error("intents journal: %s waits in memory, the disk refuses it: %s", type(line).__name__, problem)
                self._unwritten += body  # rule 7
                size = 0
            self._book.apply(line)
            if isinstance(line, Closed) and size > self._compact_at:
                try:
                    self._compact_locked()
                except OSError as problem:  # the line itself is written: nothing is lost, and it is tried again later
                    log.error("intents journal cannot be shortened: %s", problem)
                    self._compact_at = size + COMPACT_BYTES

    def _write(self, body: bytes, flush: bool) -> int:
        """Append whole lines or nothing; returns the size of the file."""
        self.path.touch()
        with open(self.path, "rb+", buffering=0) as out:
            _cut_torn(out)
            end = out.seek(0, os.SEEK_END)
            try:
                write_all(out.fileno(), body)
                if flush:
                    os.fsync(out.fileno())
            except OSError:
                out.truncate(end)
                raise
            return out.tell()

    def _compact_locked(self) -> None:
        """Rule 6: read anew (others may have written), move the old file aside as a numbered segment, start anew."""
        content = self.path.read_bytes()
        whole = _parsed(content)[0].shortened()
        old = sorted(self.path.parent.glob(f"{self.path.stem}.[0-9]*.jsonl"))
        number = int(old[-1].name.split(".")[-2]) + 1 if old else 1
        write_atomic(self.path.with_name(f"{self.path.stem}.{number:05d}.jsonl"), content)
        kept = whole.lines()
        write_atomic(self.path, kept)
        for segment in old[:max(0, len(old) + 1 - SEGMENTS)]:
            segment.unlink(missing_ok=True)
        self._book = whole
        self._compact_at = max(COMPACT_BYTES, 2 * len(kept))


def read_journal(path: Path) -> list[Entry]:
    """Every intent as it lies on disk, oldest first, for another process: nothing is cut, mended or locked (rule 8).

    Raises OSError where the file cannot be read; one that is missing holds nothing.
    """
    try:
        content = read_whole(path)
    except FileNotFoundError:
        return []
    return list(_parsed(content[:content.rfind(b"\n") + 1])[0].entries.values())


def _parsed(content: bytes) -> tuple[_Book, int]:
    """The intents of a file, and how many lines could not be read (rule 5)."""
    book, damaged = _Book(), 0
    for number, raw in enumerate(content.split(b"\n")):
        if not raw.strip(b" \t\r\0"):
            continue
        try:
            book.apply(msgspec.json.decode(raw, type=Line))
        except _BROKEN as problem:
            damaged += 1
            log.error("intents journal, line %d cannot be read: %s", number + 1, problem)
    return book, damaged


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


def _lines(entry: Entry) -> list[Line]:
    parts: list[Line] = [Opened(entry.intent)]
    if entry.answer:
        parts.append(entry.answer)
    if entry.executed:
        parts.append(Settled(entry.intent.id, entry.executed, entry.fills))
    if entry.verdict:
        parts.append(Closed(entry.intent.id, entry.verdict))
    return parts
