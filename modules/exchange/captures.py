"""Raw frames from any capture that we know: our own recordings, and what others have kept.

| what | how it is recognised |
|---|---|
| our recordings | ``.cxr`` |
| combined-stream lines | ``<local ns> {"stream": …, "data": …}``; a line without a stream is a REST snapshot |
| cryptofeed captures | ``<unix seconds>: <message>``, ``<url> -> <time>: <body>``, ``<url> <-> <time>`` |
| trade archives | ``.csv``, ``.zip`` of ``agg id, price, quantity, first id, last id, time, buyer is maker[, …]`` |

Text may be plain, ``.gz``, ``.zst`` or ``.zip``. Lines that are none of these are counted as garbage, never guessed at.
A packed text that breaks off (its writer was killed, or it is damaged) is read up to there, and that is noted.
"""

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
import zstandard

from modules.storage.recordings.format import Frame, Kind
from modules.storage.recordings.reader import SUFFIX, Damage, files_of, read_recording

_LINES = re.compile(rb"^(\d{16,20}) (\{.*)$", re.DOTALL)
_FEED = re.compile(rb"^(\d{9,11}(?:\.\d+)?): (.*)$", re.DOTALL)
_ANSWER = re.compile(rb"^(https?://\S+) -> (\d+(?:\.\d+)?): (.*)$", re.DOTALL)
_OPENED = re.compile(rb"^(wss?://\S+) <-> (\d+(?:\.\d+)?)$")
_ARCHIVE = re.compile(r"(?:^|-)([A-Z0-9]{5,30})-aggTrades", re.IGNORECASE)
_ENDINGS = (SUFFIX, ".gz", ".zst", ".zip", ".csv", ".txt", ".json", ".jsonl", ".log", "")
_BROKEN = (EOFError, zlib.error, zstandard.ZstdError)
_UNPACKED = 1 << 16  # bytes at once: a tear costs no more than what was being unpacked
ARCHIVE = "archive"  # source of a row that an archive of trades holds
CONNECTED = {"connected": True}


class CaptureError(Exception):
    """A file cannot be read as a capture; the text names it and says why."""


def capture_files(paths: Iterable[Path]) -> list[Path]:
    """The files meant by paths, folders opened. Raises CaptureError for what is not there, or an empty folder."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = files_of(path) or sorted(p for p in path.rglob("*") if p.is_file() and p.suffix in _ENDINGS[1:4])
            if not inside:
                raise CaptureError(f"{path}: no recording lies in this folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise CaptureError(f"{path}: there is no such file or folder")
    return found


def read_capture(path: Path, damage: Damage, garbage: list[str]) -> Iterator[Frame]:
    """Frames of one file, in its order. Damage of our own files and the places of strange lines are noted.

    Raises CaptureError where the file as a whole cannot be read.
    """
    try:
        if path.suffix == SUFFIX:
            yield from read_recording(path, damage)
        elif path.suffix in (".zip", ".csv"):
            yield from _archive(path, garbage)
        else:
            with opened(path, damage) as held:
                yield from _lines(path, held, garbage)
    except (*_BROKEN, OSError, zipfile.BadZipFile, csv.Error, UnicodeDecodeError) as problem:
        raise CaptureError(f"{path}: cannot be read ({problem})") from None


class _UntilTorn(io.RawIOBase):
    """Unpacked bytes up to where a file breaks off. One that is broken from its first byte on raises as it would."""

    def __init__(self, path: Path, unpacked: Any, damage: Damage) -> None:
        self._path, self._unpacked, self._damage, self._given, self._torn = path, unpacked, damage, 0, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """As of any raw stream; 0 at the end, or at the tear."""
        if self._torn:
            return 0
        try:
            got: bytes = self._unpacked.read1(min(len(buffer), _UNPACKED))
        except (*_BROKEN, gzip.BadGzipFile) as problem:
            if not self._given:
                raise
            self._torn = True
            self._damage.torn_bytes += 1  # how many are missing nobody knows
            self._damage.note(f"{self._path.name} breaks off after {self._given:,} unpacked bytes ({problem})")
            return 0
        buffer[:len(got)] = got
        self._given += len(got)
        return len(got)

    def close(self) -> None:
        self._unpacked.close()
        super().close()


def opened(path: Path, damage: Damage) -> IO[bytes]:
    """A text file for reading, unpacked on the way; where it breaks off is noted. Raises OSError."""
    if path.suffix == ".gz":
        return io.BufferedReader(_UntilTorn(path, gzip.open(path), damage), 1 << 20)
    if path.suffix == ".zst":
        return io.BufferedReader(_UntilTorn(path, zstandard.open(path, "rb"), damage), 1 << 20)
    return open(path, "rb")


def line_capture(path: Path) -> bool:
    """Whether a text capture begins with ``<ns> {…}`` lines. Raises CaptureError."""
    for piece in pieces(path, Damage(), 1 << 16):
        return _LINES.match(piece.partition(b"\n")[0]) is not None
    return True


def pieces(path: Path, damage: Damage, size: int = 1 << 26) -> Iterator[bytes]:
    """A text capture in pieces of about `size` bytes that end at line ends. Raises CaptureError."""
    try:
        with opened(path, damage) as held:
            rest = b""
            while chunk := held.read(size):
                end = chunk.rfind(b"\n") + 1
                if end:
                    yield rest + chunk[:end]
                    rest = chunk[end:]
                else:
                    rest += chunk
            if rest:
                yield rest
    except (*_BROKEN, OSError) as problem:
        raise CaptureError(f"{path}: cannot be read ({problem})") from None


def _lines(path: Path, held: IO[bytes], garbage: list[str]) -> Iterator[Frame]:
    for number, whole in enumerate(held, 1):
        line = whole.rstrip(b"\r\n")
        frame = _line(line)
        if frame is not None:
            yield frame
        elif line and not line.startswith(b"configuration: "):
            garbage.append(f"{path.name} line {number}")


def _line(line: bytes) -> Frame | None:
    if match := _LINES.match(line):
        body = match[2]
        message = b'"stream"' in body[:200] or b'"e":"' in body[:40]
        source = "" if message else "/depth"
        return Frame(int(match[1]), source, Kind.MESSAGE if message else Kind.ANSWER, body)
    if match := _FEED.match(line):
        return Frame(_ns(match[1]), "", Kind.MESSAGE, match[2])
    if match := _ANSWER.match(line):
        return Frame(_ns(match[2]), match[1].decode("utf-8", "replace"), Kind.ANSWER, match[3])
    if match := _OPENED.match(line):
        return Frame(_ns(match[2]), match[1].decode("utf-8", "replace"), Kind.NOTE, msgspec.json.encode(CONNECTED))
    return None


def _ns(seconds: bytes) -> int:
    whole, _, part = seconds.partition(b".")
    return int(whole) * 1_000_000_000 + int((part + b"000000000")[:9])


def _archive(path: Path, garbage: list[str]) -> Iterator[Frame]:
    """Rows of trade archives as messages like the socket's own."""
    match = _ARCHIVE.search(path.stem)
    if match is None:
        raise CaptureError(f"{path}: an archive of trades is named SYMBOL-aggTrades-DATE; this one names no symbol")
    symbol = match[1].upper()
    for name, rows in _tables(path):
        for number, row in enumerate(rows, 1):
            try:
                aggregate, first, last, time = int(row[0]), int(row[3]), int(row[4]), int(row[5])
                price, quantity, maker = row[1], row[2], {"true": True, "false": False}[row[6].strip().lower()]
            except (IndexError, ValueError, KeyError):
                if number > 1:  # the first line may be a heading
                    garbage.append(f"{name} line {number}")
                continue
            ms = time // 1000 if time > 10**14 else time  # newer archives count in microseconds
            yield Frame(ms * 1_000_000, ARCHIVE, Kind.MESSAGE, msgspec.json.encode({
                "e": "aggTrade", "E": ms, "s": symbol, "a": aggregate, "p": price, "q": quantity, "f": first,
                "l": last, "T": ms, "m": maker}))


def _tables(path: Path) -> Iterator[tuple[str, Iterable[list[str]]]]:
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as held:
            yield path.name, csv.reader(held)
        return
    with zipfile.ZipFile(path) as packed:
        names = [name for name in packed.namelist() if name.endswith(".csv")]
        if not names:
            raise CaptureError(f"{path}: no .csv lies in this archive")
        for name in names:
            with packed.open(name) as raw:
                yield name, csv.reader(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
