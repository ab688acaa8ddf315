"""JSON state files (P8): typed, replaced atomically, locked between processes, last good copy kept.

1. A save writes aside, flushes and renames into place; then ``NAME.bak`` becomes a second copy of the same content in
   a file of its own, so that what damages one (an editor, a bad sector) leaves the other.
2. A load checks the schema. A damaged file is set aside as ``NAME.damaged-STAMP``, ``NAME.bak`` is restored,
   and the damage is reported. A damaged or missing file is never silently emptied; `remove` empties on purpose.
3. If the copy is damaged as well, StateError is raised: the process must stop rather than start from nothing.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from modules.storage.damage import Damage, StateError, report, set_aside_name
from utils.files import locked, read_whole, write_atomic

log = logging.getLogger(__name__)
T = TypeVar("T")
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError)


class JsonFile(Generic[T]):
    """One JSON file that holds a value of type `kind` (anything msgspec understands: Struct, dataclass, dict…)."""

    def __init__(self, path: Path, kind: type[T], default: Callable[[], T]) -> None:
        self.path = path
        self._kind = kind
        self._default = default
        self._copy = path.with_name(path.name + ".bak")

    def load(self) -> T:
        """The stored value, or the default if there never was a file. Raises StateError (rule 3), OSError."""
        try:
            return self._decode(read_whole(self.path))
        except FileNotFoundError:
            if not self._copy.exists():
                return self._default()
        except _BROKEN:
            pass
        with locked(self.path):  # another process may have mended it while we waited
            return self._load_locked()

    def save(self, value: T) -> None:
        """Replace the file. Raises OSError when the disk refuses; the old file then still stands."""
        content = self._encode(value)
        with locked(self.path):
            self._write(content)

    def update(self, change: Callable[[T], T]) -> T:
        """Read, change, write under the lock; returns what was written. Raises StateError (rule 3), OSError."""
        with locked(self.path):
            value = change(self._load_locked())
            self._write(self._encode(value))
            return value

    def remove(self) -> bool:
        """Empty it on purpose: file and copy go. Whether there was anything."""
        with locked(self.path):
            there = self.path.exists() or self._copy.exists()
            self._copy.unlink(missing_ok=True)  # first: a crash between the two leaves the file, not its ghost
            self.path.unlink(missing_ok=True)
            return there

    def problem(self) -> str:
        """What is wrong with the file, "" if nothing is; changes nothing (for the doctor). Raises OSError."""
        try:
            self._decode(read_whole(self.path))
        except FileNotFoundError:
            return "the file is missing, its copy is there" if self._copy.exists() else ""
        except _BROKEN as problem:
            return str(problem)
        return ""

    def _load_locked(self) -> T:
        try:
            return self._decode(read_whole(self.path))
        except FileNotFoundError:
            return self._restore("the file is missing") if self._copy.exists() else self._default()
        except _BROKEN as problem:
            return self._restore(str(problem))

    def _decode(self, raw: bytes) -> T:
        if not raw.strip():
            raise msgspec.ValidationError("the file is empty")
        return msgspec.json.decode(raw, type=self._kind)

    def _encode(self, value: T) -> bytes:
        content = msgspec.json.format(msgspec.json.encode(value), indent=1)
        msgspec.json.decode(content, type=self._kind)  # never write what could not be read again
        return content + b"\n"

    def _write(self, content: bytes) -> None:
        write_atomic(self.path, content)
        try:
            write_atomic(self._copy, content, durable=False)  # the file itself is safe already
        except OSError as problem:
            log.warning("the copy %s could not be written: %s", self._copy.name, problem)

    def _restore(self, problem: str) -> T:
        try:
            content = read_whole(self._copy)
            value = self._decode(content)
        except (*_BROKEN, FileNotFoundError) as second:
            copy = (f"there is no copy {self._copy.name}" if isinstance(second, FileNotFoundError)
                    else f"its copy {self._copy.name} cannot be used ({second})")
            raise StateError(f"{self.path} is damaged ({problem}) and {copy}. Restore it from a backup, or move it "
                             "away to start empty.") from second
        aside: Path | None = None
        if self.path.exists():
            aside = set_aside_name(self.path)
            damaged = self.path.read_bytes()
            write_atomic(aside, damaged)
        write_atomic(self.path, content)
        report(Damage(self.path, problem, aside, "The last good copy was restored"))
        return value
