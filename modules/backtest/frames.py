"""Candles of one token as columns, put in order: what cannot be used is counted, never mended by invention.

1. Rows with a missing or impossible number (NaN, a price of 0 or less, a low above the high) are left out.
2. Rows are sorted by time; of a time that stands twice the later row counts.
3. A gap stays a gap. Candles without volume stay: the engine buys nothing in them.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class DataError(Exception):
    """Candles that cannot be used; the text names the file, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One token: open time in ms, ascending; prices and base volume as floats. `interval_ms` is the usual distance."""

    symbol: str
    interval_ms: int
    time: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.time)

    def quote(self) -> Floats:
        """USDT traded in each candle, as the live scanner reckons it: close × volume."""
        return self.close * self.volume

    def rows(self, keep: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> "Frame":
        """Only these rows."""
        return Frame(self.symbol, self.interval_ms, self.time[keep], self.open[keep], self.high[keep],
                     self.low[keep], self.close[keep], self.volume[keep])


def cleaned(symbol: str, columns: dict[str, npt.NDArray[np.generic]], counted: Counter[str]) -> Frame:
    """A frame from columns time (ms), open, high, low, close, volume; what was wrong is added to `counted`.

    Raises DataError when no usable row is left.
    """
    time = columns["time"].astype(np.int64, copy=False)
    numbers = [columns[name].astype(np.float64, copy=False) for name in ("open", "high", "low", "close", "volume")]
    keep = _usable(*numbers, counted=counted)
    if not keep.all():
        time, numbers = time[keep], [column[keep] for column in numbers]
    if len(time) == 0:
        raise DataError(f"{symbol}: no usable candle. Check the columns open, high, low, close and volume.")
    steps = np.diff(time)
    if (steps < 0).any():
        counted["unsorted rows"] += int((steps < 0).sum())
        order = np.argsort(time, kind="stable")
        time, numbers = time[order], [column[order] for column in numbers]
        steps = np.diff(time)
    if (steps == 0).any():
        counted["duplicate rows (the later one counts)"] += int((steps == 0).sum())
        last = np.append(steps != 0, True)
        time, numbers = time[last], [column[last] for column in numbers]
        steps = np.diff(time)
    interval = int(np.median(steps)) if len(steps) else 0
    if interval:
        counted["gaps"] += int((steps > interval).sum())
    else:
        counted["tokens with one candle only"] += 1
    counted["candles without volume"] += int((numbers[4] == 0).sum())
    return Frame(symbol, interval, np.ascontiguousarray(time), *(np.ascontiguousarray(column) for column in numbers))


def _usable(opened: Floats, high: Floats, low: Floats, close: Floats, volume: Floats, *,
            counted: Counter[str]) -> npt.NDArray[np.bool_]:
    """Rows that are candles (rule 1)."""
    finite = np.isfinite(opened + high + low + close + volume)
    with np.errstate(invalid="ignore"):
        sound = (low > 0) & (low <= np.minimum(opened, close)) & (high >= np.maximum(opened, close)) & (volume >= 0)
    counted["rows with missing numbers (left out)"] += int((~finite).sum())
    counted["impossible candles (left out)"] += int((finite & ~sound).sum())
    keep: npt.NDArray[np.bool_] = finite & sound
    return keep


def resampled(frame: Frame, interval_ms: int) -> Frame:
    """Candles of a longer interval, aligned to it; the last one counts as it is. Raises DataError for a shorter one."""
    if frame.interval_ms > interval_ms:
        raise DataError(f"{frame.symbol}: its candles are {frame.interval_ms // 60_000} minutes long; needed are "
                        f"{interval_ms // 60_000} minutes or shorter. Give finer candles.")
    if frame.interval_ms == interval_ms:
        return frame
    bucket = frame.time // interval_ms
    first = np.flatnonzero(np.append(True, np.diff(bucket) > 0))
    last = np.append(first[1:], len(frame)) - 1
    return Frame(frame.symbol, interval_ms, bucket[first] * interval_ms, frame.open[first],
                 np.maximum.reduceat(frame.high, first), np.minimum.reduceat(frame.low, first), frame.close[last],
                 np.add.reduceat(frame.volume, first))


def refined(coarse: Frame, fine: Frame) -> Frame:
    """`coarse` with every candle that finer ones cover wholly replaced by them: they decide what came first."""
    if not 0 < fine.interval_ms < coarse.interval_ms:
        raise DataError(f"{coarse.symbol}: the finer candles are not finer ({fine.interval_ms // 1000} s against "
                        f"{coarse.interval_ms // 1000} s).")
    begin = np.searchsorted(fine.time, coarse.time)
    end = np.searchsorted(fine.time, coarse.time + coarse.interval_ms)
    whole = end - begin == coarse.interval_ms // fine.interval_ms
    place = np.searchsorted(coarse.time, fine.time, side="right") - 1
    inside = (place >= 0) & whole[np.maximum(place, 0)]
    inside &= fine.time < coarse.time[np.maximum(place, 0)] + coarse.interval_ms
    kept, added = coarse.rows(~whole), fine.rows(inside)
    time = np.concatenate((kept.time, added.time))
    order = np.argsort(time, kind="stable")
    columns: list[Floats] = [np.concatenate((getattr(kept, name), getattr(added, name)))[order]
                             for name in ("open", "high", "low", "close", "volume")]
    return Frame(coarse.symbol, coarse.interval_ms, time[order], *columns)
