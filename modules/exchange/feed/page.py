"""The feed's memory that all processes share: one file, mapped; the feed writes, everyone reads.

| part | what |
|---|---|
| `HEADER` words | format, sizes, the life's number, heartbeat, version of the table of symbols, count of events |
| names | `NAME_WORDS` words for each slot: the symbol in ASCII, zero where the slot is free |
| events | a ring of ``slot * KINDS + kind``: what changed, in order |
| slots | for each symbol: book (`orderbook.layout`), trades (`orderbook.ring`), a table of candles for each interval |

On Linux the file lies in memory (``/dev/shm``), where no disk is written; elsewhere, and where that is full, under
``data/run``. ``data/run/feed.page.json`` says where. A reader of an old life sees `LIFE` end and opens the new one.
"""

import hashlib
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modules.exchange.orderbook import layout as book_layout
from modules.exchange.orderbook import ring as ring_layout
from utils.paths import Paths

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

MAGIC, FORMAT = 0x434F5846454544, 2
H_MAGIC, H_FORMAT, H_SLOTS, H_LEVELS, H_TRADES, H_CANDLES, H_INTERVALS, H_EVENTS = range(8)
H_LIFE, H_BEAT_NS, H_TABLE, H_EVENT_COUNT, H_ENDED = range(8, 13)
HEADER = 64
NAME_WORDS = 4
EVENTS = 1 << 15
KINDS = 8
DEPTH, TRADE, TICKER, CANDLE, MARK, STALE = range(6)

# A table of candles: words of its header, then rows of CANDLE_ROW floats (the words are the same memory)
C_SEQ, C_COUNT, C_LOCAL_NS, C_EVENT_MS, C_STALE, C_HEARD_NS = range(6)  # C_HEARD_NS: by the stream, not by REST
CANDLE_HEADER = 8
CANDLE_ROW = 9  # open ms, open, high, low, close, volume, quote volume, taker buy volume, closed (1) or not (0)


class PageError(Exception):
    """The shared memory cannot be made or read; the text says why and what helps."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a page."""

    slots: int
    levels: int
    trades: int
    candles: int
    intervals: tuple[str, ...]

    @property
    def candle_words(self) -> int:
        return CANDLE_HEADER + self.candles * CANDLE_ROW

    @property
    def slot_words(self) -> int:
        return (book_layout.words(self.levels) + ring_layout.words(self.trades)
                + len(self.intervals) * self.candle_words)

    @property
    def first_slot(self) -> int:
        return HEADER + self.slots * NAME_WORDS + EVENTS

    @property
    def words(self) -> int:
        return self.first_slot + self.slots * self.slot_words


class Where(msgspec.Struct, frozen=True):
    """``feed.page.json``."""

    path: str
    life: int
    levels: int
    slots: int
    trades: int
    candles: int
    intervals: tuple[str, ...]


class Page:
    """The mapped words, cut into their parts."""

    def __init__(self, memory: mmap.mmap, shape: Shape, writable: bool) -> None:
        self._memory = memory
        self.shape = shape
        words = np.frombuffer(memory, np.int64, count=shape.words)
        if not writable:
            words.flags.writeable = False
        self.words: Ints = words
        self.names = words[HEADER:HEADER + shape.slots * NAME_WORDS]
        self.events = words[HEADER + shape.slots * NAME_WORDS:shape.first_slot]

    def book(self, slot: int) -> Ints:
        start = self.shape.first_slot + slot * self.shape.slot_words
        return self.words[start:start + book_layout.words(self.shape.levels)]

    def ring(self, slot: int) -> Ints:
        start = self.shape.first_slot + slot * self.shape.slot_words + book_layout.words(self.shape.levels)
        return self.words[start:start + ring_layout.words(self.shape.trades)]

    def candles(self, slot: int, interval: int) -> tuple[Ints, Floats]:
        """Header words and rows (candles, CANDLE_ROW) of one interval's table."""
        shape = self.shape
        start = (shape.first_slot + slot * shape.slot_words + book_layout.words(shape.levels)
                 + ring_layout.words(shape.trades) + interval * shape.candle_words)
        rows = self.words[start + CANDLE_HEADER:start + shape.candle_words].view(np.float64)
        return self.words[start:start + CANDLE_HEADER], rows.reshape(shape.candles, CANDLE_ROW)

    def name(self, slot: int) -> str:
        """The slot's symbol; empty where it is free."""
        raw = self.names[slot * NAME_WORDS:(slot + 1) * NAME_WORDS].tobytes()
        return raw.rstrip(b"\0").decode("ascii", "replace")

    def set_name(self, slot: int, symbol: str) -> None:
        """Give the slot to a symbol, or free it (empty). Raises PageError for a name that does not fit."""
        raw = symbol.encode("utf-8")
        if len(raw) > 8 * NAME_WORDS or not raw.isascii():
            raise PageError(f"the symbol {symbol!r} is no name that fits ({8 * NAME_WORDS} ASCII characters)")
        letters = np.frombuffer(raw.ljust(8 * NAME_WORDS, b"\0"), np.int64)
        self.names[slot * NAME_WORDS:(slot + 1) * NAME_WORDS] = letters
        self.words[H_TABLE] += 1


def where_file(paths: Paths) -> Path:
    """Where readers learn of the page."""
    return paths.run / "feed.page.json"


def create(paths: Paths, shape: Shape, life: int) -> tuple[Page, Path]:
    """A new page, all zero, announced to readers. Raises PageError where neither memory nor disk takes it."""
    mark = hashlib.blake2b(str(paths.home).encode(), digest_size=5).hexdigest()
    problems = []
    for folder in _folders(paths):
        for old in folder.glob(f"coxswain-feed-{mark}-*"):
            try:
                old.unlink()
            except OSError:
                continue  # Windows: a reader has it open still; it is not in the way
        file = folder / f"coxswain-feed-{mark}-{life}"
        try:
            memory = _reserve(file, shape.words * 8)
        except OSError as problem:
            problems.append(f"{folder}: {problem.strerror or problem}")
            file.unlink(missing_ok=True)
            continue
        page = Page(memory, shape, writable=True)
        page.words[H_SLOTS:H_EVENTS + 1] = (shape.slots, shape.levels, shape.trades, shape.candles,
                                            len(shape.intervals), EVENTS)
        page.words[H_FORMAT], page.words[H_LIFE] = FORMAT, life
        page.words[H_MAGIC] = MAGIC
        _announce(paths, file, shape, life)
        return page, file
    raise PageError(f"no place for {shape.words * 8 >> 20} MB of market data ({'; '.join(problems)}). "
                    "Free some, or lower feed.most_symbols, feed.trades or feed.levels.")


def attach(paths: Paths) -> Page:
    """The present page, read only. Raises PageError where the feed never ran or its memory is gone."""
    try:
        where = msgspec.json.decode(where_file(paths).read_bytes(), type=Where)
        with open(where.path, "rb") as file:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as problem:
        raise PageError(f"the market data feed's memory cannot be read ({type(problem).__name__}). "
                        "Start it with `python bot.py run feed`.") from problem
    shape = Shape(where.slots, where.levels, where.trades, where.candles, where.intervals)
    if len(memory) < shape.words * 8:
        raise PageError("the market data feed's memory is not whole; start the feed again")
    page = Page(memory, shape, writable=False)
    if int(page.words[H_MAGIC]) != MAGIC or int(page.words[H_FORMAT]) != FORMAT:
        raise PageError("the market data feed's memory has another format; start feed and readers from one version")
    return page


def _folders(paths: Paths) -> list[Path]:
    memory = Path("/dev/shm")
    return [memory, paths.run] if os.name == "posix" and memory.is_dir() else [paths.run]


def _reserve(file: Path, size: int) -> mmap.mmap:
    """A file of `size` real bytes: a hole would kill the writer later, when the disk is full."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size)
        else:
            os.ftruncate(handle, size)
        return mmap.mmap(handle, size)
    finally:
        os.close(handle)


def _announce(paths: Paths, file: Path, shape: Shape, life: int) -> None:
    body = Where(str(file), life, shape.levels, shape.slots, shape.trades, shape.candles, shape.intervals)
    target = where_file(paths)
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    aside.write_bytes(msgspec.json.encode(body))
    os.replace(aside, target)
