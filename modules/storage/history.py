"""An endless history in small files (P8): appending costs the same at the millionth record as at the first.

1. ``NAME.json`` is a valid JSON array of the current segment, one record a line, between ``[`` and ``]``.
2. An append overwrites the closing bracket in place and flushes: its cost does not depend on the length. When the
   disk refuses, the bracket is put back.
3. A full segment is first renamed to ``NAME.00001.full``, then written as ``NAME.00001.jsonl`` (JSON Lines), then
   removed: whichever step a crash falls between, every record is there once.
4. Readers see one history: the segments in order, then the array; they take no lock and never see a half append.
5. A crash within an append leaves a torn last line: it is cut off, the file as it was kept aside, and reported.
   Everything that can be read is kept, also from an array that an editor has laid out anew.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from modules.storage.damage import Damage, StateError, report, set_aside_name
from utils.files import locked, patiently, read_whole, sync_folder, write_all, write_atomic

T = TypeVar("T")
_HEAD = b"[\n"
_TAIL = b"\n]\n"
_EMPTY = len(_HEAD) + len(_TAIL)
_READS = 5


class History(Generic[T]):
    """Append-only records of type `kind` under `path` (which ends in ``.json``)."""

    def __init__(self, path: Path, kind: type[T], segment_bytes: int = 1_000_000) -> None:
        self.path = path
        self._kind = kind
        self._segment_bytes = segment_bytes
        self._numbered = re.compile(re.escape(path.stem) + r"\.(\d{5,})\.(jsonl|full)$")

    def append(self, record: T) -> None:
        """Add one record, durably. Raises OSError when the disk refuses; the history then stands as it was."""
        self.extend((record,))

    def extend(self, records: Iterable[T]) -> None:
        """Add several records with one flush to disk. Raises OSError as `append` does."""
        lines = [msgspec.json.encode(record) for record in records]
        if not lines:
            return
        with locked(self.path):
            if self._size() > self._segment_bytes:
                self._rotate()
            if not self.path.exists():
                self._finish_rotations()
                write_atomic(self.path, _HEAD + b",\n".join(lines) + _TAIL)
            elif not self._add(lines):
                self._mend()
                self._add(lines)

    def records(self) -> Iterator[T]:
        """Every record, oldest first: those that were there when the reading began."""
        segments, current = self._snapshot()
        for segment in segments:
            yield from self._decode_segment(segment)
        yield from self._decode_array(current)

    def newest(self, count: int) -> list[T]:
        """The last `count` records, oldest first, without reading segments that are not needed."""
        segments, current = self._snapshot()
        found = self._decode_array(current)
        for segment in reversed(segments):
            if len(found) >= count:
                break
            found = self._decode_segment(segment) + found
        return found[-count:] if count > 0 else []

    def segments(self) -> list[Path]:
        """The full segments, oldest first."""
        found: dict[int, Path] = {}
        for path in self.path.parent.glob(f"{self.path.stem}.*"):
            match = self._numbered.match(path.name)
            if match and (match.group(2) == "jsonl" or int(match.group(1)) not in found):
                found[int(match.group(1))] = path
        return [found[number] for number in sorted(found)]

    def problem(self) -> str:
        """What is wrong with the history, "" if nothing is; changes nothing (for the doctor). Raises OSError."""
        with locked(self.path):
            segments, current = self.segments(), self._read_current()
        if current and not _whole(current):
            return f"{self.path.name} ends in a torn record; the next append mends it"
        for path in segments:
            for number, line in enumerate(_lines(path), 1):
                try:
                    msgspec.json.decode(line, type=self._kind)
                except msgspec.MsgspecError as problem:
                    return f"{path.name}, record {number}: {problem}"
        try:
            self._decode_array(current)
        except StateError as problem:
            return str(problem)
        return ""

    def clear(self) -> int:
        """Remove every record; returns how many files went."""
        with locked(self.path):
            self._finish_rotations()
            files = [*self.segments(), *([self.path] if self.path.exists() else [])]
            for file in reversed(files):
                file.unlink()
            return len(files)

    # -- writing; the lock is held ------------------------------------------------------------------------------

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _add(self, lines: list[bytes]) -> bool:
        """Rule 2. False, and nothing done, if the array does not end as one of ours."""
        with open(self.path, "r+b", buffering=0) as out:
            end = out.seek(0, os.SEEK_END)
            out.seek(max(0, end - len(_TAIL)))
            if end < _EMPTY or out.read(len(_TAIL)) != _TAIL:
                return False
            start = len(_HEAD) if end == _EMPTY else end - len(_TAIL)
            comma = b"" if end == _EMPTY else b",\n"
            out.seek(start)
            try:
                write_all(out.fileno(), comma + b",\n".join(lines) + _TAIL)
                os.fsync(out.fileno())
            except OSError:
                out.seek(start)
                write_all(out.fileno(), _TAIL)  # these bytes had their place before
                out.truncate(start + len(_TAIL))
                raise
        return True

    def _mend(self) -> None:
        """Rule 5."""
        content = read_whole(self.path)
        good, torn = _split_good(content)
        aside = set_aside_name(self.path)
        write_atomic(aside, content)
        write_atomic(self.path, _HEAD + b",\n".join(good) + _TAIL)
        report(Damage(self.path, f"{torn} torn line(s)" if torn else "not laid out as expected", aside,
                      f"{len(good)} whole records were kept"))

    def _rotate(self) -> None:
        """Rule 3."""
        number = max((int(self._number(path)) for path in self.segments()), default=0) + 1
        full = self.path.with_name(f"{self.path.stem}.{number:05d}.full")
        patiently(lambda: os.replace(self.path, full))
        sync_folder(self.path.parent)
        self._finish_rotations()

    def _finish_rotations(self) -> None:
        for full in self.path.parent.glob(f"{self.path.stem}.*.full"):
            if not self._numbered.match(full.name):
                continue
            lines = full.with_suffix(".jsonl")
            if not lines.exists():
                content = read_whole(full)
                good, torn = _split_good(content)
                if torn:
                    aside = set_aside_name(self.path)
                    write_atomic(aside, content)
                    report(Damage(self.path, f"{torn} torn line(s)", aside, f"{len(good)} whole records were kept"))
                write_atomic(lines, b"".join(line + b"\n" for line in good))
            full.unlink()

    def _number(self, path: Path) -> str:
        match = self._numbered.match(path.name)
        assert match is not None  # segments() matched it
        return match.group(1)

    # -- reading; no lock ---------------------------------------------------------------------------------------

    def _snapshot(self) -> tuple[list[Path], bytes]:
        """Segments and current array that belong together (rule 4)."""
        for attempt in range(_READS):
            segments = self.segments()
            current = self._read_current()
            if self.segments() == segments and (not current or _whole(current)):
                return segments, current
            if attempt:
                with locked(self.path):  # wait for the writer
                    pass
        with locked(self.path):
            self._finish_rotations()
            if self.path.exists() and not _whole(read_whole(self.path)):
                self._mend()
            return self.segments(), self._read_current()

    def _read_current(self) -> bytes:
        try:
            return read_whole(self.path)
        except FileNotFoundError:
            return b""

    def _decode_array(self, content: bytes) -> list[T]:
        if not content:
            return []
        kind: Any = list[self._kind]  # type: ignore[name-defined]
        try:
            return list(msgspec.json.decode(content, type=kind))
        except msgspec.MsgspecError as problem:
            raise StateError(f"{self.path} holds a record of another form: {problem}. It is from another version, "
                             "or was edited: move it away, the program starts a new one.") from None

    def _decode_segment(self, segment: Path) -> list[T]:
        try:
            content = read_whole(segment)
        except FileNotFoundError:  # its rotation was finished since we looked
            content = read_whole(segment.with_suffix(".jsonl"))
            segment = segment.with_suffix(".jsonl")
        try:
            return [msgspec.json.decode(line, type=self._kind) for line in _records_of(segment, content)]
        except msgspec.MsgspecError as problem:
            return self._skip_damaged(segment, content, str(problem))

    def _skip_damaged(self, segment: Path, content: bytes, problem: str) -> list[T]:
        """What can still be read of a damaged segment; told once for each process and segment."""
        good: list[T] = []
        bad = 0
        for line in content.splitlines():
            try:
                good.append(msgspec.json.decode(line, type=self._kind))
            except msgspec.MsgspecError:
                bad += 1
        if segment not in _told:
            _told.add(segment)
            report(Damage(segment, f"{bad} line(s): {problem}", None,
                          f"The other {len(good)} records are used; the file stays as it is"))
        return good


_told: set[Path] = set()


def _whole(content: bytes) -> bool:
    try:
        msgspec.json.decode(content, type=list[msgspec.Raw])
    except msgspec.MsgspecError:
        return False
    return True


def _lines(segment: Path) -> list[bytes]:
    return _records_of(segment, read_whole(segment))


def _records_of(segment: Path, content: bytes) -> list[bytes]:
    """The lines that hold records."""
    lines = _split_good(content)[0] if segment.suffix == ".full" else content.splitlines()
    return [line for line in lines if line.strip()]


def _split_good(content: bytes) -> tuple[list[bytes], int]:
    """Whole records of a segment, and how many lines were torn."""
    try:
        parsed = msgspec.json.decode(content, type=list[msgspec.Raw])
    except msgspec.MsgspecError:
        pass
    else:
        return [msgspec.json.format(bytes(raw), indent=-1) for raw in parsed], 0
    good: list[bytes] = []
    torn = 0
    for line in content.splitlines():
        text = line.strip(b" \t\0").rstrip(b",")  # power loss leaves zeros where the bytes did not reach the disk
        if text in (b"", b"[", b"]"):
            continue
        try:
            msgspec.json.decode(text)
        except msgspec.MsgspecError:
            torn += 1
        else:
            good.append(text)
    return good, torn
