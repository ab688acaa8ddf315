"""A tape: the recorded messages of one symbol as columns, which a tick backtest walks along.

A message is one row of `kind`, `exch_ns`, `local_ns`, and the changes `begin[i]:begin[i + 1]` of `key` and `qty`.
A key is a price in ticks, negative for the ask side; of a trade it is the price, negative where the buyer was the
taker; quantities are whole steps. 24 bytes a message and 12 bytes a change: memory follows the columns.

The clocks of the venue and of the recorder differ; `base_latency_ns` is the least that a message is taken to travel,
and all local times are shifted by one constant so that it holds (as hftbacktest does).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

DEPTH, TRADE, SNAPSHOT, FUNDING, GAP = 1, 2, 3, 4, 5
Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


class TapeError(Exception):
    """The files hold no tape that can be walked; the text names the file, the reason and the mend."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Messages as they were read: prices in units of 10^-scale, in the order of arrival."""

    kind: Bytes
    exch_ms: Ints
    local_ns: Ints
    count: Ints  # changes of each message
    first_id: Ints
    last_id: Ints
    previous_id: Ints
    price: Ints  # negative: ask side, or bought by a taker
    qty: Ints


@dataclass(frozen=True, slots=True)
class Tape:
    """One symbol's messages in the order of the venue's time. `local_order`: the same in the order of arrival.

    `tick` and `step` are the price and the quantity of one unit of `key` and `qty`, exactly.
    """

    symbol: str
    tick: Decimal
    step: Decimal
    kind: Bytes
    exch_ns: Ints
    local_ns: Ints
    begin: Ints
    key: Keys
    qty: Ints
    local_order: Keys
    counted: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def changes(self) -> int:
        """Levels changed by all depth messages."""
        return int(self.begin[-1])

    def bytes(self) -> int:
        """Memory of the columns."""
        return sum(column.nbytes for column in (self.kind, self.exch_ns, self.local_ns, self.begin, self.key, self.qty,
                                                self.local_order))


def merged(parts: Sequence[Rows]) -> Rows:
    """Rows of several pieces, one after the other."""
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in Rows.__dataclass_fields__))


def tape_of(symbol: str, rows: Rows, price_scale: int, qty_scale: int, base_latency_ns: int = 0,
            snapshots: bool = True) -> Tape:
    """Rows as a tape: in the venue's order, sequence checked, in units as coarse as the prices allow.

    A break of the chain of diffs becomes a GAP: from there to the next snapshot the book is in doubt. A snapshot takes
    the place that its id gives it. Raises TapeError where nothing can be walked.
    """
    if not len(rows.kind):
        raise TapeError(f"{symbol}: no depth message or trade lies in the files given")
    counted: Counter[str] = Counter()
    rows = _chained(rows if snapshots else without(rows, rows.kind == SNAPSHOT), counted)
    rows = without(rows, _unfit(rows, counted))
    order, time = _venue_order(rows)
    starts = np.concatenate(([0], np.cumsum(rows.count)))
    count = rows.count[order]
    begin = np.concatenate(([0], np.cumsum(count)))
    if (order == np.arange(len(order))).all():
        price, qty = rows.price, rows.qty
    else:
        picked = np.repeat(starts[order] - begin[:-1], count) + np.arange(begin[-1])
        price, qty = rows.price[picked], rows.qty[picked]
    tick_units, step_units = _unit(price), _unit(qty)
    key = price // tick_units
    if len(key) and np.abs(key).max() > 2**31 - 1:
        raise TapeError(f"{symbol}: prices need more than 2^31 ticks of {tick_units}e-{price_scale}")
    exch = time[order] * 1_000_000
    local = rows.local_ns[order]
    travelled = (local - exch)[rows.kind[order] != SNAPSHOT]  # a snapshot is dated by its id, not by its own time
    shift = base_latency_ns - int(travelled.min()) if len(travelled) else 0
    if shift > 0:
        local = local + shift
        counted["local clock set forward, ms"] = shift // 1_000_000
    local = np.maximum(local, exch + base_latency_ns)
    return Tape(symbol, Decimal(tick_units).scaleb(-price_scale), Decimal(step_units).scaleb(-qty_scale),
                rows.kind[order], exch, local, begin, key.astype(np.int32), qty // step_units,
                np.argsort(local, kind="stable").astype(np.int32), counted)


def _unit(values: Ints) -> int:
    """The largest unit that every value is a whole number of."""
    found = int(np.gcd.reduce(values)) if len(values) else 1
    return max(found, 1)


def without(rows: Rows, gone: npt.NDArray[np.bool_]) -> Rows:
    """Rows, but those marked."""
    keep, changes = ~gone, ~np.repeat(gone, rows.count)
    return Rows(*(getattr(rows, name)[changes if name in ("price", "qty") else keep]
                  for name in Rows.__dataclass_fields__))


def _chained(rows: Rows, counted: Counter[str]) -> Rows:
    """Old diffs out, breaks marked: a GAP message takes the time of the diff that does not follow."""
    depth = np.flatnonzero(rows.kind == DEPTH)
    counted["depth messages"], counted["trades"] = len(depth), int((rows.kind == TRADE).sum())
    counted["snapshots"] = int((rows.kind == SNAPSHOT).sum())
    if len(depth) < 2:
        return rows
    last, first, before = rows.last_id[depth], rows.first_id[depth], rows.previous_id[depth]
    newest = np.maximum.accumulate(last)
    old = np.concatenate(([False], last[1:] <= newest[:-1]))
    counted["depth messages repeated or late"] = int(old.sum())
    depth, last, first, before = depth[~old], last[~old], first[~old], before[~old]
    whole = np.where(before[1:] >= 0, before[1:] == last[:-1], first[1:] == last[:-1] + 1)
    breaks = depth[1:][~whole]
    counted["breaks of the sequence"] = len(breaks)
    gone = np.zeros(len(rows.kind), np.bool_)
    gone[np.flatnonzero(rows.kind == DEPTH)[old]] = True
    kept = without(rows, gone)
    if not len(breaks):
        return kept
    at = breaks - np.cumsum(gone)[breaks]
    put: dict[str, Any] = {name: getattr(kept, name) for name in Rows.__dataclass_fields__}
    for name, value in (("kind", GAP), ("count", 0), ("exch_ms", kept.exch_ms[at]), ("local_ns", kept.local_ns[at]),
                        ("first_id", -1), ("last_id", -1), ("previous_id", -1)):
        put[name] = np.insert(put[name], at, value)
    return Rows(**put)


def _unfit(rows: Rows, counted: Counter[str]) -> npt.NDArray[np.bool_]:
    """Snapshots that no diff follows on without a hole: they prove nothing about what came after them (X28)."""
    gone = np.zeros(len(rows.kind), np.bool_)
    depth = np.flatnonzero(rows.kind == DEPTH)
    for at in np.flatnonzero(rows.kind == SNAPSHOT):
        behind = depth[rows.last_id[depth] > rows.last_id[at]]
        if len(behind):
            first, last = behind[0], rows.last_id[at]
            gone[at] = rows.first_id[first] > last + 1 and rows.previous_id[first] != last
    counted["snapshots that no diff follows on"] = int(gone.sum())
    return gone


def _venue_order(rows: Rows) -> tuple[Ints, Ints]:
    """Places in the order of the venue's time (among equals, of arrival), and that time.

    A snapshot stands, and is dated, before the first diff that it does not hold: its own time may be missing.
    """
    time = rows.exch_ms.copy()
    arrival = np.arange(len(time)) * 2
    depth = np.flatnonzero(rows.kind == DEPTH)
    for at in np.flatnonzero(rows.kind == SNAPSHOT):
        behind = depth[rows.last_id[depth] > rows.last_id[at]]
        if len(behind):
            time[at], arrival[at] = rows.exch_ms[behind[0]], arrival[behind[0]] - 1
        elif len(depth):
            time[at], arrival[at] = rows.exch_ms[depth[-1]], arrival[depth[-1]] + 1
    return np.lexsort((arrival, time)), time


def with_funding(tape: Tape, ms: Ints, rate: npt.NDArray[np.float64], mark: npt.NDArray[np.float64]) -> Tape:
    """The tape with funding payments: at each `ms` a holder pays rate × mark × position (a short gets it).

    `rate` as a share (0.0001 is one basis point), `mark` in quote. Payments outside the tape are left out.
    """
    inside = (ms * 1_000_000 >= tape.exch_ns[0]) & (ms * 1_000_000 <= tape.exch_ns[-1])
    ns, rate, mark = ms[inside] * 1_000_000, rate[inside], mark[inside]
    at = np.searchsorted(tape.exch_ns, ns, side="right")
    change = tape.begin[at]
    count = np.insert(np.diff(tape.begin), at, 1)
    local = np.insert(tape.local_ns, at, ns)
    return replace(
        tape, kind=np.insert(tape.kind, at, FUNDING), exch_ns=np.insert(tape.exch_ns, at, ns), local_ns=local,
        begin=np.concatenate(([0], np.cumsum(count))),
        key=np.insert(tape.key, change, np.rint(mark / float(tape.tick)).astype(np.int32)),
        qty=np.insert(tape.qty, change, np.rint(rate * 1e8).astype(np.int64)),
        local_order=np.argsort(local, kind="stable").astype(np.int32))
