"""A queue of rows on disk: what is put in survives any crash until it is taken out.

1. `put` appends lines ``CRC JSON`` to the newest segment; with `durable` it is flushed to disk before returning.
   Without, a crash of the process loses nothing, a power loss at most what the system had not written yet.
2. `take` reads on from the place of the last `done`; `done` moves that place. A crash between reading and `done`
   gives the same rows again: whoever takes them must be able to take them twice.
3. A torn last line (a crash within an append) is cut off at the next start; a damaged line in the middle is set
   aside into ``damaged.txt`` and counted, and the rest goes on.
4. Segments that are done are removed. A spool larger than its budget refuses (SpoolFull): nothing is thrown away.

One process writes a spool (its service's lock sees to that); its threads may share it.
"""

import os
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from utils.files import read_whole, write_all, write_atomic

SEGMENT_BYTES = 4_000_000
_NUMBER = "[0-9]" * 8


class SpoolFull(Exception):
    """The rows that wait need more room than allowed; the text says where and how much."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a spool: segment, and byte offset in it."""

    segment: int
    offset: int


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One row for one table."""

    table: str
    row: dict[str, Any]


class Spool:
    """The queue in `folder`. Raises OSError when the disk refuses."""

    def __init__(self, folder: Path, most_bytes: int = 2_000_000_000) -> None:
        self.folder = folder
        self.damaged = 0
        self._most = most_bytes
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._done = self._read_place()
        self._segment = max([self._done.segment, *self._segments()])
        path = self._path(self._segment)
        _cut_torn_tail(path)
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self._size = os.fstat(self._handle).st_size
        self._older = sum(self._path(n).stat().st_size for n in self._segments() if n < self._segment)

    def put(self, entries: list[Entry], durable: bool = False) -> None:
        """Add rows. Raises SpoolFull, OSError; then none of them is in."""
        content = b"".join(_line(entry) for entry in entries)
        with self._lock:
            if self._older + self._size + len(content) > self._most:
                raise SpoolFull(f"{self.folder} holds {self._older + self._size:,} bytes that wait for the database, "
                                f"as many as db.spool_mb allows. Bring the database back, or raise db.spool_mb.")
            try:
                write_all(self._handle, content)
                if durable:
                    os.fsync(self._handle)
            except OSError:
                os.ftruncate(self._handle, self._size)
                raise
            self._size += len(content)
            if self._size >= SEGMENT_BYTES:
                self._next_segment()

    def take(self, count: int) -> tuple[list[Entry], Place]:
        """Up to `count` rows that are not done, oldest first, and the place behind them."""
        with self._lock:
            at, end = self._done, Place(self._segment, self._size)
        while True:
            entries, place = self._read(at, end, count)
            if entries or place.segment >= end.segment:
                return entries, place
            at = Place(place.segment + 1, 0)

    def done(self, place: Place) -> None:
        """What lies before `place` needs no keeping any more."""
        with self._lock:
            write_atomic(self.folder / "done.json", msgspec.json.encode([place.segment, place.offset]), durable=False)
            self._done = place
            for number in self._segments():
                if number < place.segment:
                    self._older -= self._path(number).stat().st_size
                    self._path(number).unlink(missing_ok=True)

    def waiting_bytes(self) -> int:
        """How much is not done, about."""
        with self._lock:
            return self._older + self._size - self._done.offset

    def close(self) -> None:
        """Flush to disk and close."""
        with self._lock:
            os.fsync(self._handle)
            os.close(self._handle)

    def _read(self, at: Place, end: Place, count: int) -> tuple[list[Entry], Place]:
        """Rows of one segment from `at` on."""
        path = self._path(at.segment)
        if not path.exists():
            return [], at
        limit = end.offset if at.segment == end.segment else path.stat().st_size
        entries: list[Entry] = []
        with open(path, "rb") as held:
            held.seek(at.offset)
            offset = at.offset
            while offset < limit and len(entries) < count:
                line = held.readline()
                offset += len(line)
                entry = _entry(line)
                if entry is None:
                    self._set_aside(line)
                else:
                    entries.append(entry)
        return entries, Place(at.segment, offset)

    def _set_aside(self, line: bytes) -> None:
        self.damaged += 1
        with open(self.folder / "damaged.txt", "ab") as out:
            out.write(line)

    def _next_segment(self) -> None:
        os.fsync(self._handle)
        os.close(self._handle)
        self._older += self._size
        self._segment += 1
        self._handle = os.open(self._path(self._segment),
                               os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self._size = 0

    def _segments(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob(f"{_NUMBER}.spool"))

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.spool"

    def _read_place(self) -> Place:
        """Where the taker stood; unreadable means from the start: rows are then taken twice, which is harmless."""
        try:
            segment, offset = msgspec.json.decode(read_whole(self.folder / "done.json"), type=tuple[int, int])
        except (OSError, msgspec.MsgspecError):
            segment, offset = min(self._segments(), default=1), 0
        path = self._path(segment)
        return Place(segment, min(offset, path.stat().st_size if path.exists() else 0))


def _line(entry: Entry) -> bytes:
    body = msgspec.json.encode(entry)
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _entry(line: bytes) -> Entry | None:
    try:
        if int(line[:8], 16) != zlib.crc32(line[9:-1]) or not line.endswith(b"\n"):
            return None
        return msgspec.json.decode(line[9:-1], type=Entry)
    except (ValueError, msgspec.MsgspecError):
        return None


def _cut_torn_tail(path: Path) -> None:
    """Remove a last line without its end."""
    if not path.exists():
        return
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        with open(path, "r+b") as held:
            held.truncate(content.rfind(b"\n") + 1)
