"""JSON state files (P8): typed, replaced atomically, locked between processes, last good copy kept.

1. A save writes aside, flushes, keeps the previous file as ``NAME.bak`` and renames into place.
2. A load checks the schema. A damaged file is set aside as ``NAME.damaged-STAMP``, ``NAME.bak`` is restored,
   and the damage is reported. A damaged file is never silently emptied.
3. If the copy is damaged as well, StateError is raised: the process must stop rather than start from nothing.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from modules.storage.damage import Damage, StateError, report
from utils.files import locked, write_atomic
from utils.wall import stamp

T = TypeVar("T")


class JsonFile(Generic[T]):
    """One JSON file that holds a value of type `kind` (anything msgspec understands: Struct, dataclass, dict…)."""

    def __init__(self, path: Path, kind: type[T], default: Callable[[], T]) -> None:
        self.path = path
        self._kind = kind
        self._default = default
        self._copy = path.with_name(path.name + ".bak")

    def load(self) -> T:
        """The stored value, or the default if there never was a file. Raises StateError (rule 3)."""
        try:
            return self._decode(self.path.read_bytes())
        except FileNotFoundError:
            if not self._copy.exists():
                return self._default()
            return self._restore("the file is missing")
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            with locked(self.path):
                try:  # another process may have mended it while we waited
                    return self._decode(self.path.read_bytes())
                except (msgspec.MsgspecError, UnicodeDecodeError, FileNotFoundError):
                    return self._restore(str(problem))

    def save(self, value: T) -> None:
        """Replace the file. Raises OSError when the disk refuses; the old file then still stands."""
        with locked(self.path):
            self._write(value)

    def update(self, change: Callable[[T], T]) -> T:
        """Read, change, write under the lock; returns what was written."""
        with locked(self.path):
            try:
                value = self._decode(self.path.read_bytes())
            except FileNotFoundError:
                value = self._restore("the file is missing") if self._copy.exists() else self._default()
            except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
                value = self._restore(str(problem))
            value = change(value)
            self._write(value)
            return value

    def _decode(self, raw: bytes) -> T:
        if not raw.strip():
            raise msgspec.ValidationError("the file is empty")
        return msgspec.json.decode(raw, type=self._kind)

    def _write(self, value: T) -> None:
        content = msgspec.json.format(msgspec.json.encode(value), indent=1)
        msgspec.json.decode(content, type=self._kind)  # never write what could not be read again
        if self.path.exists():
            self._keep_copy()
        write_atomic(self.path, content + b"\n")

    def _keep_copy(self) -> None:
        """The previous good file becomes the copy; a hard link costs no second write where the system has them."""
        aside = self._copy.with_name(f".{self._copy.name}.{os.getpid()}.tmp")
        aside.unlink(missing_ok=True)
        try:
            os.link(self.path, aside)
        except OSError:
            write_atomic(self._copy, self.path.read_bytes())
            return
        os.replace(aside, self._copy)

    def _restore(self, problem: str) -> T:
        aside: Path | None = None
        if self.path.exists():
            aside = self.path.with_name(f"{self.path.name}.damaged-{stamp()}")
            os.replace(self.path, aside)
        try:
            value = self._decode(self._copy.read_bytes())
        except (msgspec.MsgspecError, UnicodeDecodeError, FileNotFoundError) as second:
            if aside is not None:
                os.replace(aside, self.path)
            raise StateError(
                f"{self.path} is damaged ({problem}) and its copy {self._copy.name} cannot be used ({second}). "
                "Restore it from a backup, or move it away to start empty."
            ) from second
        write_atomic(self.path, self._copy.read_bytes())
        report(Damage(self.path, problem, aside, "The last good copy was restored"))
        return value
