"""Recordings of raw frames: which files can be read, and their frames in order.

Known forms, told apart by content: lines `<local ns> {"stream": …, "data": …}` with REST depth snapshots between
them (`<local ns> {"lastUpdateId": …}`), plain or gzipped; the venue's daily aggTrades archives (zip of one CSV); the
bot's own recordings (`.cxr`). A further form is one more entry in READERS.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(rb"\d{13,19} \{")
_DATA = b'"data":'
_ARCHIVE = re.compile(r"([A-Z0-9]+)-aggTrades-")
_ASKED = re.compile(r"symbol=([A-Z0-9]+)")
UNREADABLE = "unreadable line"
_MICROSECONDS = 10**14  # archives since 2025 count microseconds


class RecordingError(Exception):
    """A recording cannot be read; the message names the file, the place and what is wrong."""


@dataclass(frozen=True, slots=True)
class RawFrame:
    """One frame as received. `stream` "" marks a REST depth snapshot; `data` is the payload's own bytes.

    What could not be read comes as a frame of the stream UNREADABLE without data, so that it is counted.
    """

    at_ns: int
    stream: str
    data: bytes
    symbol: str = ""  # of a snapshot or an archive row, where the file says it


Reader = Callable[[Path], Iterator[RawFrame]]


def _text_frames(path: Path) -> Iterator[RawFrame]:
    number, stamp = 0, 0
    try:
        with (gzip.open(path, "rb") if _gzipped(path) else path.open("rb")) as file:
            for line in file:
                number += 1
                frame = _frame(line) or RawFrame(stamp, UNREADABLE, b"")
                stamp = frame.at_ns
                yield frame
    except (EOFError, gzip.BadGzipFile, OSError) as problem:
        # A torn end is usual where a recorder was killed: what came before it is good.
        raise RecordingError(f"recording {path}: ends or breaks behind line {number} ({problem})") from problem


def _frame(line: bytes) -> RawFrame | None:
    """A line's frame; None where it is torn or strange."""
    stamp, _, body = line.strip().partition(b" ")
    return _message(int(stamp), body) if stamp.isdigit() else None


def _message(stamp: int, body: bytes, asked: str = "") -> RawFrame | None:
    """A combined frame or a depth snapshot; `asked` is the request that a snapshot answers."""
    if not body.endswith(b"}"):
        return None
    if body.startswith(b'{"stream":"'):
        stream = body[11:body.index(b'"', 11)].decode()
        begin = body.find(_DATA)
        if begin < 0:
            return None
        return RawFrame(stamp, stream, body[begin + len(_DATA):-1].strip())
    if b'"lastUpdateId"' not in body[:40]:
        return None
    match = _ASKED.search(asked)
    return RawFrame(stamp, "", body, match[1] if match is not None else "")


def _own_frames(path: Path) -> Iterator[RawFrame]:
    from modules.storage.recordings.format import Kind
    from modules.storage.recordings.reader import Damage, read_recording

    damage = Damage()
    for frame in read_recording(path, damage):
        message = _message(frame.ns, frame.payload, frame.source)
        if message is not None:
            yield message
        elif frame.kind is Kind.MESSAGE:
            yield RawFrame(frame.ns, UNREADABLE, b"")
    if damage.places:
        raise RecordingError(f"recording {path}: {'; '.join(damage.places)}")


def _archive_frames(path: Path) -> Iterator[RawFrame]:
    match = _ARCHIVE.search(path.name)
    if match is None:
        raise RecordingError(f"recording {path}: its name does not say the symbol (SYMBOL-aggTrades-DATE.zip)")
    symbol = match[1]
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as file:
                    for row in csv.reader(io.TextIOWrapper(file, "utf-8")):
                        if row and row[0].isdigit():  # a header in newer archives
                            yield _row(symbol, row)
    except (zipfile.BadZipFile, OSError, ValueError, IndexError) as problem:
        raise RecordingError(f"recording {path}: not a readable aggTrades archive ({problem})") from problem


def _row(symbol: str, row: list[str]) -> RawFrame:
    stamp = int(row[5])
    ms = stamp // 1000 if stamp > _MICROSECONDS else stamp
    maker = "true" if row[6].lower() == "true" else "false"
    text = (f'{{"e":"aggTrade","E":{ms},"a":{row[0]},"s":"{symbol}","p":"{row[1]}","q":"{row[2]}","f":{row[3]},'
            f'"l":{row[4]},"T":{ms},"m":{maker}}}')
    return RawFrame(ms * 1_000_000, f"{symbol.lower()}@aggTrade", text.encode(), symbol)


def _gzipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _is_text(path: Path) -> bool:
    try:
        with (gzip.open(path, "rb") if _gzipped(path) else path.open("rb")) as file:
            return _LINE.match(file.read(64)) is not None
    except (OSError, EOFError):
        return False


def _is_own(path: Path) -> bool:
    return path.suffix.lower() == ".cxr"


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and _ARCHIVE.search(path.name) is not None


#: (does it read this file, its reader), asked in order
READERS: list[tuple[Callable[[Path], bool], Reader]] = [
    (_is_own, _own_frames), (_is_archive, _archive_frames), (_is_text, _text_frames)]


def recordings(path: Path) -> list[Path]:
    """The recordings of raw frames at a path: the file itself, or those of a folder, by name."""
    files = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
    return [file for file in files if file.is_file() and any(reads(file) for reads, _ in READERS)]


def frames_of(path: Path) -> Iterator[RawFrame]:
    """The frames of one recording, in the order of the file. Raises RecordingError."""
    for reads, reader in READERS:
        if reads(path):
            return reader(path)
    raise RecordingError(f"recording {path}: no known form. Give a file of raw frames or an aggTrades archive.")


def is_recording(path: Path) -> bool:
    """Whether a --replay path holds raw frames (and not candles)."""
    return bool(recordings(path))
