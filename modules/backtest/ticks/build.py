"""Files of raw frames → a tape: captures of lines, our own recordings, archives of trades."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modules.backtest.ticks import tape
from modules.backtest.ticks.tape import Rows, Tape, TapeError
from modules.exchange.captures import capture_files, line_capture, pieces, read_capture
from modules.storage.recordings.format import Frame, Kind
from modules.storage.recordings.reader import SUFFIX, Damage

_PRICED = re.compile(rb'"(?:p|b|a)":\s?\[{0,2}"(\d+(?:\.\d+)?)"')
_AMOUNT = re.compile(rb'"(?:q|B|A)":\s?"(\d+(?:\.\d+)?)"|\["\d+(?:\.\d+)?",\s?"(\d+(?:\.\d+)?)"\]')
_NAMED = re.compile(rb'"s":\s?"([A-Z0-9_]{2,30})"')
_ASKED = re.compile(r"[?&]symbol=([A-Z0-9_]+)")
_MARK = rb'"e":\s?"markPriceUpdate","E":(\d+),"s":"%b","p":"([0-9.]+)"[^}]*?"r":"(-?[0-9.]+)","T":(\d+)'
_LOOK = 1 << 18
_LEAST_CHANGE = 12  # bytes of ``["1","0"],``: no piece holds more changes than its bytes divided by this
_LEAST_LINE = 60


@dataclass(frozen=True, slots=True)
class _Scales:
    """Decimal places of a symbol's prices and quantities, as the venue writes them."""

    price: int
    qty: int


def load_tape(paths: Sequence[Path], symbol: str | None = None, base_latency_ns: int = 0,
              snapshots: bool = True) -> Tape:
    """The tape of `symbol` (None: the only one there). Raises TapeError, CaptureError.

    `snapshots`: books begin with a snapshot; without, diffs count from the first on, on an empty book.
    """
    counted: Counter[str] = Counter()
    files = capture_files(paths)
    parts: list[Rows] = []
    marks: list[tuple[bytes, bytes, bytes, bytes]] = []
    scales: _Scales | None = None
    for text in _texts(files, symbol, counted):
        if symbol is None:
            symbol = _only_symbol(text)
        scales = scales or _scales(text)
        part, scales = _read(text, symbol, scales, counted)
        parts.append(part)
        marks += re.findall(_MARK % symbol.encode(), text)
    if symbol is None or scales is None or not parts:
        raise TapeError(f"{', '.join(path.name for path in files)}: no depth message or trade lies in these files")
    rows = _one_kind_of_trade(tape.merged(parts) if len(parts) > 1 else parts[0], counted)
    del parts
    made = tape.tape_of(symbol, rows, scales.price, scales.qty, base_latency_ns, snapshots)
    made.counted.update(counted)
    return _funded(made, marks)


def _funded(made: Tape, marks: Sequence[tuple[bytes, bytes, bytes, bytes]]) -> Tape:
    """The tape with the payments that mark price messages tell: at each funding time that passes within the tape, the
    rate and the mark told last before it."""
    rows = sorted((int(event), float(price), float(rate), int(due)) for event, price, rate, due in marks)
    paid: dict[int, tuple[float, float]] = {}
    for event, price, rate, due in rows:
        if event <= due:
            paid[due] = (rate, price)
    if not paid or min(paid) > rows[-1][0]:
        return made
    ms = np.array(sorted(paid), np.int64)
    made.counted["funding payments"] = int(((ms * 10**6 >= made.exch_ns[0]) & (ms * 10**6 <= made.exch_ns[-1])).sum())
    return tape.with_funding(made, ms, np.array([paid[at][0] for at in ms.tolist()]),
                             np.array([paid[at][1] for at in ms.tolist()]))


def _texts(files: Sequence[Path], symbol: str | None, counted: Counter[str]) -> Iterator[bytes]:
    """Every file as lines ``<ns> <message>``."""
    damage, garbage = Damage(), []  # type: Damage, list[str]
    for path in files:
        if path.suffix in (SUFFIX, ".zip", ".csv") or not line_capture(path):
            yield from _joined(read_capture(path, damage, garbage), symbol)
        else:
            yield from pieces(path, damage)
    counted["damaged blocks of recordings"] += damage.blocks + (damage.torn_bytes > 0)
    counted["strange lines"] += len(garbage)


def _joined(frames: Iterator[Frame], symbol: str | None, size: int = 1 << 25) -> Iterator[bytes]:
    """Frames as lines. Answers but order books are left out, and those of another symbol: they do not name it."""
    held: list[bytes] = []
    length = 0
    for frame in frames:
        if frame.kind is Kind.NOTE or (frame.kind is Kind.ANSWER and not _book_of(frame, symbol)):
            continue
        held.append(b"%d %b\n" % (frame.ns, frame.payload.replace(b"\n", b" ")))
        length += len(frame.payload)
        if length > size:
            yield b"".join(held)
            held, length = [], 0
    if held:
        yield b"".join(held)


def _book_of(frame: Frame, symbol: str | None) -> bool:
    """Whether an answer is an order book, and not that of another symbol."""
    named = _ASKED.search(frame.source)
    return b"lastUpdateId" in frame.payload[:40] and (named is None or symbol is None or named[1] == symbol)


def _only_symbol(text: bytes) -> str:
    """The symbol that a piece is about. Raises TapeError where there are several, or none."""
    names = {match.decode() for match in _NAMED.findall(text[:_LOOK * 8])}
    if len(names) != 1:
        found = f"there are {', '.join(sorted(names)[:10])}" if names else "no message names one"
        raise TapeError(f"which symbol is meant is not clear ({found}); give it with --symbols")
    return names.pop()


def _scales(text: bytes) -> _Scales:
    """Decimal places in use at the beginning of a piece."""
    look = text[:_LOOK]
    prices = [match for match in _PRICED.findall(look)]
    amounts = [one or two for one, two in _AMOUNT.findall(look)]
    return _Scales(_places(prices), _places(amounts))


def _places(numbers: Sequence[bytes]) -> int:
    return max((len(number.partition(b".")[2]) for number in numbers), default=0)


def _read(text: bytes, symbol: str, scales: _Scales, counted: Counter[str]) -> tuple[Rows, _Scales]:
    """One piece as rows; the scales grow where it holds finer numbers. Raises TapeError."""
    from modules.backtest.ticks import tape_kernels as k
    while True:
        rows, changes = len(text) // _LEAST_LINE + 1, len(text) // _LEAST_CHANGE + 1
        kind, seen, v = np.empty(rows, np.uint8), np.zeros(5, np.int64), np.empty(k.CELLS, np.int64)
        exch, local, count, first, last, before = (np.empty(rows, np.int64) for _ in range(6))
        price, qty = np.empty(changes, np.int64), np.empty(changes, np.int64)
        code = k.read_lines(text, symbol.encode(), scales.price, scales.qty, v, kind, exch, local, count, first, last,
                            before, price, qty, seen)
        if code == k.FINE:
            scales = _finer(text, scales)
            continue
        assert code == 0, "the columns are as long as a piece can need"
        counted["damaged lines"] += int(seen[2])
        n, m = int(seen[0]), int(seen[1])
        return Rows(kind[:n].copy(), exch[:n].copy(), local[:n].copy(), count[:n].copy(), first[:n].copy(),
                    last[:n].copy(), before[:n].copy(), price[:m].copy(), qty[:m].copy()), scales


def _finer(text: bytes, scales: _Scales) -> _Scales:
    """More decimal places. Rows read before keep their own: a tape of two scales cannot be joined."""
    prices, amounts = _PRICED.findall(text), [one or two for one, two in _AMOUNT.findall(text)]
    found = _Scales(max(_places(prices), scales.price), max(_places(amounts), scales.qty))
    if found == scales or max(found.price, found.qty) > 17:
        raise TapeError("prices or quantities have more decimal places than can be counted with")
    return found


def _one_kind_of_trade(rows: Rows, counted: Counter[str]) -> Rows:
    """Single trades, or the aggregated ones where there are no others; never both."""
    from modules.backtest.ticks.tape_kernels import AGGREGATED
    aggregated = rows.kind == AGGREGATED
    if not aggregated.any():
        return rows
    if (rows.kind == tape.TRADE).any():
        counted["aggregated trades beside single ones"] = int(aggregated.sum())
        return tape.without(rows, aggregated)
    rows.kind[aggregated] = tape.TRADE
    return rows
