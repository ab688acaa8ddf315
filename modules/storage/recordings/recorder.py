"""The recorder: every raw frame into files, from a thread, at next to no cost for whoever receives them.

1. `tap` only notes a frame in memory. The thread packs what has gathered (every `block_s`, or sooner when it is much)
   into one block, appends it, and flushes to disk every `sync_s`: a killed process loses `block_s` at most, a power
   loss `sync_s`. Packing and writing release the interpreter's lock.
2. When the disk is slower than the market, what cannot be held is counted and noted in the file where it is missing:
   a recording never looks whole when it is not.
3. A file lasts an hour at most; an old file is never appended to. Files older than `keep_days`, or beyond
   `most_mb` in all, are removed, the oldest first, and never the one being written.
4. A disk that refuses stops the recording, not the feed; it is told, tried again every 10 s, and the gap is noted.
"""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from modules.storage.recordings.format import Kind, pack
from modules.storage.recordings.reader import SUFFIX, files_of
from utils.files import write_all
from utils.wall import iso

log = logging.getLogger(__name__)
_HOUR_NS = 3_600_000_000_000
_DAY_MS = 86_400_000
_AGAIN_S = 10.0
_OWN = "recorder"
_Noted = tuple[int, int, int, bytes]


@dataclass(frozen=True, slots=True)
class RecorderLimits:
    """How much is held where. Bytes, seconds, days."""

    most_mb: int = 20_000
    keep_days: int = 14
    block_s: float = 1.0
    block_bytes: int = 4_000_000
    held_bytes: int = 128_000_000
    sync_s: float = 5.0


@dataclass(frozen=True, slots=True)
class RecorderState:
    """How a recorder does. `problem` is empty while the disk takes what comes."""

    problem: str
    frames: int
    dropped: int
    written_bytes: int


class Recorder:
    """Records into `folder`. `now_ns`: this machine's time; `listen(problem)` hears of the disk, in the thread."""

    def __init__(self, folder: Path, now_ns: Callable[[], int], limits: RecorderLimits | None = None,
                 listen: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self._now_ns = now_ns
        self._limits = limits or RecorderLimits()
        self._listen = listen or (lambda problem: None)
        self._names: dict[int, str] = {0: _OWN}
        self._numbers: dict[str, int] = {_OWN: 0}
        self._held: list[_Noted] = []
        self._held_bytes = 0
        self._missing = 0  # frames that are in no file, since the last note of it
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._handle: int | None = None
        self._path: Path | None = None
        self._hour = -1
        self._synced_ns = 0
        self._problem, self._frames, self._dropped, self._written = "", 0, 0, 0
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def source(self, name: str) -> int:
        """The number of a connection or path, for `tap`."""
        with self._lock:
            number = self._numbers.setdefault(name, len(self._numbers))
            self._names[number] = name
            return number

    def tap(self, payload: bytes, ns: int, source: int, kind: Kind = Kind.MESSAGE) -> None:
        """Keep one frame as it came; called from the loop that receives, costs about a microsecond."""
        with self._lock:
            if self._held_bytes > self._limits.held_bytes:
                self._missing += 1
                self._dropped += 1
                return
            self._held.append((ns, source, kind, payload))
            self._held_bytes += len(payload)
            much = self._held_bytes > self._limits.block_bytes
        if much:
            self._wake.set()

    def note(self, fact: dict[str, object]) -> None:
        """Put a fact of our own between the frames, e.g. that a connection was lost."""
        self.tap(msgspec.json.encode(fact), self._now_ns(), 0, Kind.NOTE)

    def state(self) -> RecorderState:
        """How it does."""
        return RecorderState(self._problem, self._frames, self._dropped, self._written)

    def close(self) -> None:
        """Write everything that is held, and end."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        if self._handle is not None:
            os.fsync(self._handle)
            os.close(self._handle)
            self._handle = None

    # -- the thread --------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            last = self._stop.is_set()
            try:
                self._write_held()
                self._tell("")
            except OSError as problem:
                self._tell(f"recordings cannot be written to {self.folder} ({problem.strerror or problem}); "
                           "the market data themselves go on. Give the disk room.")
                self._abandon()
                self._stop.wait(_AGAIN_S)
            if last:
                return
            self._wake.wait(self._limits.block_s)
            self._wake.clear()

    def _write_held(self) -> None:
        """One block of what has gathered. Raises OSError; then it counts as missing."""
        with self._lock:
            held, self._held, self._held_bytes = self._held, [], 0
            missing, self._missing = self._missing, 0
            names = dict(self._names)
        if missing:
            fact = msgspec.json.encode({"dropped": missing, "why": "the disk was slower than the market, or refused"})
            held.append((self._now_ns(), 0, Kind.NOTE, fact))
        if not held:
            return
        used = {source for _, source, _, _ in held}
        try:
            block = pack(held, {number: names[number] for number in used})
            self._append(block, held[0][0])
        except OSError:
            with self._lock:
                self._missing += missing + len(held) - (1 if missing else 0)
                self._dropped += len(held) - (1 if missing else 0)
            raise
        self._frames += len(held)
        self._written += len(block)

    def _append(self, block: bytes, first_ns: int) -> None:
        if self._handle is None or first_ns // _HOUR_NS != self._hour:
            self._next_file(first_ns)
        assert self._handle is not None
        write_all(self._handle, block)
        if first_ns - self._synced_ns > self._limits.sync_s * 1e9:
            os.fsync(self._handle)
            self._synced_ns = first_ns

    def _next_file(self, first_ns: int) -> None:
        if self._handle is not None:
            os.fsync(self._handle)
            os.close(self._handle)
            self._handle = None
        stamp = iso(first_ns // 1_000_000)[:19].replace("-", "").replace(":", "")
        folder = self.folder / f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{stamp}Z-{first_ns % 1_000_000_000:09d}{SUFFIX}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._handle = os.open(self._path, flags, 0o644)
        self._hour = first_ns // _HOUR_NS
        tidy(self.folder, self._limits, first_ns // 1_000_000, self._path)

    def _abandon(self) -> None:
        """After a failed write the file may end in half a block: the next one goes to a new file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _tell(self, problem: str) -> None:
        if bool(problem) != bool(self._problem):
            log.warning("recorder: %s", problem or "writes again")
            self._listen(problem)
        self._problem = problem


def tidy(folder: Path, limits: RecorderLimits, now_ms: int, keep: Path | None = None) -> list[Path]:
    """Remove recordings that are too old or too many, the oldest first; returns them. Raises OSError."""
    files = [(path, path.stat()) for path in files_of(folder)]
    total = sum(state.st_size for _, state in files)
    oldest = iso(now_ms - limits.keep_days * _DAY_MS)[:19].replace("-", "").replace(":", "")
    removed: list[Path] = []
    for path, state in files:
        if path == keep or (path.name >= oldest and total <= limits.most_mb * 1_000_000):
            continue
        path.unlink(missing_ok=True)
        total -= state.st_size
        removed.append(path)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    return removed
