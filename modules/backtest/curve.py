"""The curve of a report as a few points, for pictures: each stretch keeps its last, highest and lowest equity."""

from typing import Any

import numpy as np

from modules.backtest.arrays import Ints
from modules.backtest.metrics import drawdown
from modules.backtest.report import Report


def curve_object(report: Report, most: int) -> dict[str, Any]:
    """About `most` points at most: time (market ms), equity and hold (USDT), drawdown (%, 0 or below)."""
    curve = report.curve
    places = thinned(curve.equity, most)
    fall = drawdown(curve.equity) * 100
    return {"time": curve.time[places].tolist(), "equity": np.round(curve.equity[places], 4).tolist(),
            "hold": np.round(curve.hold[places], 4).tolist(), "drawdown": np.round(fall[places], 4).tolist()}


def thinned(values: "np.ndarray[Any, np.dtype[np.float64]]", most: int) -> Ints:
    """Places to keep: first and last, and of each stretch its ends, highest and lowest."""
    count = len(values)
    if count <= most:
        return np.arange(count, dtype=np.int64)
    size = -(-count * 3 // most)
    kept = {0, count - 1}
    for begin in range(0, count, size):
        part = values[begin:begin + size]
        kept |= {begin + len(part) - 1, begin + int(part.argmax()), begin + int(part.argmin())}
    return np.array(sorted(kept), np.int64)
