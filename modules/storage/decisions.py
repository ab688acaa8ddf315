"""An append-only record of decisions: lines with a checksum, in numbered files, within a budget of disk.

1. A line is the CRC-32 of its text as eight hex digits, a space, one JSON value. No line is ever changed.
2. Lines gather in memory; `flush` hands them to the operating system in a thread and waits for nothing. There is no
   fsync: the end of a process loses what came after its last flush, a power cut some seconds more.
3. What a crash leaves is a torn tail: the next process cuts it off, a reader leaves it out. A bad line elsewhere is
   damage, and told by its number.
4. Every process begins a new file, and so does a full one. Each begins with the same head and can be read alone.
   The oldest go once the budget or the age is passed.
5. Recording never holds up what it records: a disk that refuses, or is too slow, costs lines, which are counted.
"""

import asyncio
import logging
import os
import re
from pathlib import Path
from zlib import crc32

from utils.files import write_all
from utils.wall import now_ms

log = logging.getLogger(__name__)

WAITING_MOST = 4 << 20  # bytes kept in memory while the disk is slow
_TAIL = 1 << 18
_DAY_MS = 86_400_000
_NAME = re.compile(r"(?P<name>.+)\.(?P<number>\d{6,})\.jsonl")


class DecisionFileError(Exception):
    """A recorded file that cannot be used; the text names file, line and what to do."""


class DecisionLog:
    """One writer's record in `folder`, in files ``NAME.NUMBER.jsonl``.

    `head` is the first record of every file. `file` counts the files begun: what a line refers to must stand in the
    same file. `lost`: lines that never reached the disk (rule 5).
    """

    def __init__(self, folder: Path, name: str, head: bytes, *, disk_mb: float, keep_days: float,
                 file_mb: float) -> None:
        self._folder, self._name, self._head = folder, name, head
        self._budget, self._keep_ms, self._full = round(disk_mb * 1e6), keep_days * _DAY_MS, round(file_mb * 1e6)
        self._lines: list[bytes] = []  # an empty one begins a new file
        self._waiting = 0
        self._size = 0
        self._task: asyncio.Task[None] | None = None
        self._handle: int | None = None
        self._written = 0
        self.file = 0
        self.lost = 0
        self.problem = ""

    def turn(self) -> int:
        """The file that the next line goes to; a new one if the present one is full."""
        if not self.file or self._size >= self._full:
            self.file += 1
            self._size = 0
            self._lines.append(b"")
            self._take(self._head)
        return self.file

    def append(self, *records: bytes) -> None:
        """Have JSON values written with the next flush, all into one file."""
        self.turn()
        for record in records:
            self._take(record)

    def flush(self) -> None:
        """Begin to write what waits, unless the last write is still under way. Needs a running loop."""
        if self._task is not None and not self._task.done():
            if self._waiting > WAITING_MOST:
                self._lose(self._lines, "the disk is too slow")
            return
        if self._lines:
            lines, self._lines, self._waiting = self._lines, [], 0
            self._task = asyncio.create_task(self._hand_over(lines), name=f"record {self._name}")

    async def close(self) -> None:
        """Write what waits, and release the file."""
        if self._task is not None:
            await self._task
        lines, self._lines = self._lines, []
        await self._hand_over(lines)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _take(self, record: bytes) -> None:
        line = line_of(record)
        self._lines.append(line)
        self._size += len(line)
        self._waiting += len(line)

    def _lose(self, lines: list[bytes], why: str) -> None:
        """Rule 5. What follows begins a new file, because it may refer to lines that are gone."""
        self.lost += sum(1 for line in lines if line)
        if lines is not self._lines:
            self.lost += sum(1 for line in self._lines if line)
        if not self.problem:
            log.error("decisions of %s are not recorded: %s", self._name, why)
        self.problem = why
        self._lines, self._waiting = [], 0
        self.file += 1
        self._size = self._full  # the next line begins a file

    async def _hand_over(self, lines: list[bytes]) -> None:
        try:
            await asyncio.to_thread(self._write, lines)
        except OSError as problem:
            self._lose(lines, str(problem))
        except Exception as problem:  # border of the writing task: logged with its stack, counted, begun anew
            log.exception("decisions of %s", self._name)
            self._lose(lines, repr(problem))
        else:
            if lines and self.problem:
                log.warning("decisions of %s are recorded again; %d lines are lost", self._name, self.lost)
                self.problem = ""

    def _write(self, lines: list[bytes]) -> None:
        begin = 0
        for place, line in enumerate(lines):
            if not line:
                self._out(b"".join(lines[begin:place]))
                self._next_file()
                begin = place + 1
        self._out(b"".join(lines[begin:]))

    def _out(self, content: bytes) -> None:
        """Append to the file; what a full disk took in part is taken back."""
        if not content:
            return
        if self._handle is None:
            raise OSError("no file is open")
        try:
            write_all(self._handle, content)
        except OSError:
            os.ftruncate(self._handle, self._written)
            os.lseek(self._handle, self._written, os.SEEK_SET)
            raise
        self._written += len(content)

    def _next_file(self) -> None:
        """Rules 3 and 4."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        known = files(self._folder, self._name)
        if known:
            cut_tail(known[-1])
        number = int(_NAME.fullmatch(known[-1].name)["number"]) + 1 if known else 1  # type: ignore[index]
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        self._handle = os.open(self._folder / f"{self._name}.{number:06d}.jsonl", flags, 0o644)
        self._written = 0
        self._make_room(known)

    def _make_room(self, known: list[Path]) -> None:
        """The oldest files go; room for one more full file is kept free."""
        room, now = self._budget - self._full, now_ms()
        for path in reversed(known):
            stat = path.stat()
            room -= stat.st_size
            if room < 0 or now - stat.st_mtime * 1000 > self._keep_ms:
                path.unlink(missing_ok=True)


def line_of(record: bytes) -> bytes:
    """A JSON value as a line (rule 1)."""
    return b"%08x %b\n" % (crc32(record), record)


def files(folder: Path, name: str = "") -> list[Path]:
    """The files of a record, oldest first; of all records without a `name`."""
    found = [(match["name"], int(match["number"]), path) for path in folder.glob("*.jsonl")
             if (match := _NAME.fullmatch(path.name)) and name in ("", match["name"])]
    return [path for *_, path in sorted(found)]


def read(path: Path) -> tuple[list[bytes], int]:
    """The JSON values of a file, and how many bytes of torn tail were left out (rule 3).

    Raises DecisionFileError for a line that was damaged or edited, OSError.
    """
    content = path.read_bytes()
    records: list[bytes] = []
    place = 0
    while place < len(content):
        end = content.find(b"\n", place)
        line = content[place:end] if end >= 0 else content[place:]
        if end < 0 or not good(line):
            if torn(content[place:]):
                return records, len(content) - place
            raise DecisionFileError(f"{path.name}, line {len(records) + 1}: its checksum is wrong: it was damaged or "
                                    "edited, and nothing after it can be trusted. Take the file from a copy.")
        records.append(line[9:])
        place = end + 1
    return records, 0


def good(line: bytes) -> bool:
    """Whether a line without its end is whole."""
    return line[8:9] == b" " and line[:8] == b"%08x" % crc32(line[9:])


def torn(rest: bytes) -> bool:
    """Whether `rest`, which begins with a bad line, is what a crash leaves: half a line, or blocks never written."""
    return b"\n" not in rest or b"\0" in rest


def cut_tail(path: Path) -> int:
    """Cut a torn tail off; returns how many bytes went. Damage elsewhere stays as it is. Raises OSError."""
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        begin = max(size - _TAIL, 0)
        file.seek(begin)
        tail = file.read()
        place = tail.find(b"\n") + 1 if begin else 0
        while (end := tail.find(b"\n", place)) >= 0 and good(tail[place:end]):
            place = end + 1
        rest = tail[place:]
        if not rest or not torn(rest):
            return 0
        file.truncate(begin + place)
    log.warning("%s: %d bytes of a torn tail were cut off", path.name, len(rest))
    return len(rest)
