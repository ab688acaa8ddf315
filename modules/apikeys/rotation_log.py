"""``data/logs/api_rotation.log`` and its twin ``api_rotation.jsonl``: every switch, rest and return, keys masked.

Many processes append; a line goes in one write. Whoever finds the file full renames it under its lock.
"""

import logging
import os
from pathlib import Path

import msgspec
from filelock import Timeout

from utils.files import locked
from utils.redact import redact
from utils.wall import iso

log = logging.getLogger(__name__)
MAX_BYTES = 2_000_000
KEEP = 3
LOOK = 32  # lines between two looks at the file's size and name
NAME = "api_rotation"


class RotationLog:
    """Writes both files. A disk that refuses is told in the log once and holds nothing up."""

    def __init__(self, folder: Path) -> None:
        self.text = folder / f"{NAME}.log"
        self.twin = folder / f"{NAME}.jsonl"
        self._handles: dict[Path, int] = {}
        self._problem = ""
        self._lines: dict[Path, int] = {}

    def write(self, now_ms: int, event: str, provider: str, words: str, **facts: str | int | float | None) -> None:
        """One event. `words` tell it to people, `facts` to machines; both hold masks only."""
        stamp = iso(now_ms)
        line = f"{stamp} {provider}: {words}\n"
        row = {"time": stamp, "event": event, "provider": provider, **facts}
        try:
            self._append(self.text, redact(line).encode())
            self._append(self.twin, redact(msgspec.json.encode(row).decode()).encode() + b"\n")
            self._problem = ""
        except (OSError, Timeout) as problem:
            if not self._problem:
                log.error("%s cannot be written: %s", self.text.name, problem)
            self._problem = str(problem) or "locked"

    def close(self) -> None:
        """Give the files back."""
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()

    def _append(self, path: Path, line: bytes) -> None:
        handle, count = self._handles.get(path), self._lines.get(path, 0) + 1
        self._lines[path] = count
        if handle is not None and (count % LOOK == 0 or os.name == "nt") and _other(handle, path):
            os.close(self._handles.pop(path))
            handle = None
        if handle is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
            self._handles[path] = handle
        os.write(handle, line)
        if count % LOOK == 0 and os.fstat(handle).st_size > MAX_BYTES:
            self._turn(path)

    def _turn(self, path: Path) -> None:
        os.close(self._handles.pop(path))
        with locked(path, timeout_s=1.0):
            if path.exists() and path.stat().st_size > MAX_BYTES:
                for number in range(KEEP, 0, -1):
                    older = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
                    if older.exists():
                        os.replace(older, path.with_name(f"{path.name}.{number}"))


def _other(handle: int, path: Path) -> bool:
    """Whether another process renamed the file that we hold."""
    try:
        return os.fstat(handle).st_ino != path.stat().st_ino
    except OSError:
        return True
