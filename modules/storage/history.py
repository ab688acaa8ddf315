"""An endless history in small files (P8): appending costs the same at the millionth record as at the first.

1. ``NAME.json`` is a valid JSON array of the current segment, one record a line, between ``[`` and ``]``.
2. An append overwrites the closing bracket in place and flushes: its cost does not depend on the length.
3. A full segment is moved to ``NAME.00001.jsonl`` (JSON Lines), and the array starts anew.
4. Readers see one history: the segments in order, then the array.
5. A crash within an append leaves a torn last line: it is cut off, kept aside and reported.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

import msgspec

from modules.storage.damage import Damage, report
from utils.files import locked, sync_folder, write_atomic
from utils.wall import stamp

T = TypeVar("T")
_HEAD = b"[\n"
_TAIL = b"\n]\n"


class History(Generic[T]):
    """Append-only records of type `kind` under `path` (which ends in ``.json``)."""

    def __init__(self, path: Path, kind: type[T], segment_bytes: int = 1_000_000) -> None:
        self.path = path
        self._kind = kind
        self._segment_bytes = segment_bytes

    def append(self, record: T) -> None:
        """Add one record, durably. Raises OSError when the disk refuses; the history then stands as it was."""
        line = msgspec.json.encode(record)
        with locked(self.path):
            if not self.path.exists():
                write_atomic(self.path, _HEAD + line + _TAIL)
                return
            with open(self.path, "r+b") as out:
                if out.seek(0, os.SEEK_END) > self._segment_bytes:
                    full = True
                else:
                    full = False
                    self._append_to(out, line)
            if full:
                self._rotate()
                write_atomic(self.path, _HEAD + line + _TAIL)

    def records(self) -> Iterator[T]:
        """Every record, oldest first."""
        for segment in self.segments():
            with open(segment, "rb") as lines:
                for line in lines:
                    if line.strip():
                        yield msgspec.json.decode(line, type=self._kind)
        yield from self._current()

    def newest(self, count: int) -> list[T]:
        """The last `count` records, oldest first, without reading segments that are not needed."""
        found = self._current()
        for segment in reversed(self.segments()):
            if len(found) >= count:
                break
            lines = segment.read_bytes().splitlines()
            found = [msgspec.json.decode(line, type=self._kind) for line in lines if line.strip()] + found
        return found[-count:] if count else []

    def segments(self) -> list[Path]:
        """The full segments, oldest first."""
        return sorted(self.path.parent.glob(f"{self.path.stem}.[0-9][0-9][0-9][0-9][0-9].jsonl"))

    def clear(self) -> int:
        """Remove every record; returns how many files went."""
        with locked(self.path):
            files = [*self.segments(), *([self.path] if self.path.exists() else [])]
            for file in files:
                file.unlink()
            return len(files)

    def _append_to(self, out: BinaryIO, line: bytes) -> None:
        end = out.seek(0, os.SEEK_END)
        out.seek(max(0, end - len(_TAIL)))
        if end < len(_HEAD) + len(_TAIL) or out.read(len(_TAIL)) != _TAIL:
            end = self._mend(out)
        empty = end == len(_HEAD) + len(_TAIL)
        out.seek(len(_HEAD) if empty else end - len(_TAIL))
        out.write((b"" if empty else b",\n") + line + _TAIL)
        out.flush()
        os.fsync(out.fileno())

    def _mend(self, out: BinaryIO) -> int:
        """Cut a torn tail (rule 5); returns the new size of the file."""
        out.seek(0)
        content = out.read()
        good, torn = _split_good(content)
        aside = self.path.with_name(f"{self.path.name}.damaged-{stamp()}")
        write_atomic(aside, content)
        body = _HEAD + b",\n".join(good) + _TAIL
        out.seek(0)
        out.truncate()
        out.write(body)
        out.flush()
        os.fsync(out.fileno())
        report(Damage(self.path, f"{torn} torn line(s) at the end", aside, f"{len(good)} whole records were kept"))
        return len(body)

    def _current(self) -> list[T]:
        try:
            return self._decode_current()
        except msgspec.MsgspecError:
            with locked(self.path), open(self.path, "r+b") as out:
                out.seek(0, os.SEEK_END)
                self._mend(out)
            return self._decode_current()

    def _decode_current(self) -> list[T]:
        for _ in range(3):
            try:
                content = self.path.read_bytes()
            except FileNotFoundError:
                return []
            try:
                kind: Any = list[self._kind]  # type: ignore[name-defined]
                return list(msgspec.json.decode(content, type=kind))
            except msgspec.MsgspecError:
                with locked(self.path):  # a writer may have been in the middle of an append
                    pass
        return list(msgspec.json.decode(self.path.read_bytes(), type=kind))

    def _rotate(self) -> None:
        content = self.path.read_bytes()
        good, torn = _split_good(content)
        if torn:
            aside = self.path.with_name(f"{self.path.name}.damaged-{stamp()}")
            write_atomic(aside, content)
            report(Damage(self.path, f"{torn} torn line(s)", aside, f"{len(good)} whole records were kept"))
        number = len(self.segments()) + 1
        write_atomic(self.path.with_name(f"{self.path.stem}.{number:05d}.jsonl"), b"\n".join(good) + b"\n")
        self.path.unlink()
        sync_folder(self.path.parent)


def _split_good(content: bytes) -> tuple[list[bytes], int]:
    """Whole records of a segment, and how many lines were torn."""
    good: list[bytes] = []
    torn = 0
    for line in content.splitlines():
        text = line.strip().rstrip(b",")
        if text in (b"", b"[", b"]"):
            continue
        try:
            msgspec.json.decode(text)
        except msgspec.MsgspecError:
            torn += 1
        else:
            good.append(text)
    return good, torn
