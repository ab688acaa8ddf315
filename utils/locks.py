"""One process of a name on one state: an operating-system lock that its death releases, and a note of who holds it."""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from utils.files import write_atomic
from utils.processes import find, start_mark
from utils.wall import iso, now_ms


class Owner(msgspec.Struct, frozen=True):
    """Who holds a lock: pid, start of that process, and since when (wall clock, for people)."""

    pid: int
    started: float
    since_ms: int


@dataclass
class AlreadyRunning(Exception):
    """Another process of that name runs on the same state."""

    name: str
    owner: Owner | None

    def __str__(self) -> str:
        return f"{self.name} already runs on this state ({self.who()})"

    def who(self) -> str:
        """``PID 123, since 2025-04-01T09:30:00Z``."""
        return f"PID {self.owner.pid}, since {iso(self.owner.since_ms)[:19]}Z" if self.owner else "PID unknown"


class ProcessLock:
    """The lock ``FOLDER/NAME.lock`` with its note ``NAME.owner.json``."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._lock = FileLock(str(folder / f"{name}.lock"), thread_local=False)
        self._note = folder / f"{name}.owner.json"

    def acquire(self, timeout_s: float = 1.0) -> None:
        """Take it, or raise AlreadyRunning. The wait outlasts another's look at the lock (see `held`)."""
        try:
            self._lock.acquire(timeout=timeout_s, poll_interval=0.02)
        except Timeout:
            raise AlreadyRunning(self.name, self.owner()) from None
        write_atomic(self._note, msgspec.json.encode(Owner(os.getpid(), start_mark(os.getpid()), now_ms())))

    def release(self) -> None:
        """Give it back; the note goes first, so that it never names one who does not hold."""
        if self._lock.is_locked:
            self._note.unlink(missing_ok=True)
            self._lock.release()

    def held(self) -> bool:
        """Whether any process holds it now."""
        if self._lock.is_locked:
            return True
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return True
        self._lock.release()
        return False

    def owner(self) -> Owner | None:
        """The noted holder, if that very process still runs; None otherwise."""
        try:
            owner = msgspec.json.decode(self._note.read_bytes(), type=Owner)
        except (OSError, msgspec.MsgspecError):
            return None
        return owner if find(owner.pid, owner.started) else None
