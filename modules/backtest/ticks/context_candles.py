"""Candle files as the feed's own rows: what a signal needs to know from before the recording began."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modules.backtest.arrays import Floats
from modules.backtest.frames import DataError, Frame, resampled
from modules.backtest.load import load
from modules.strategies.signals import context

STEP_MS = 900_000


def context_rows(files: Sequence[Path], symbols: Sequence[str]) -> dict[str, Floats]:
    """15m rows (n, 9) by symbol from candles of 15m or finer; nothing for no files. Raises DataError, OSError.

    Quote volume is close × volume, and who was the taker is not known (0), where a file does not tell.
    """
    if not files:
        return {}
    return {frame.symbol: rows_of(frame) for frame in load(files, Counter(), frozenset(symbols))}


def rows_of(frame: Frame) -> Floats:
    """One symbol's rows, all closed. Raises DataError for candles coarser than 15m."""
    if frame.interval_ms > STEP_MS:
        raise DataError(f"{frame.symbol}: candles of {frame.interval_ms // 60_000} minutes are too coarse for the "
                        "context of signals; give 15m or finer ones")
    made = resampled(frame, STEP_MS)
    rows = np.zeros((len(made), 9))
    for column, values in ((context.MS, made.time), (context.OPEN, made.open), (context.HIGH, made.high),
                           (context.LOW, made.low), (context.CLOSE, made.close), (context.VOLUME, made.volume),
                           (context.QUOTE, made.quote()), (context.CLOSED, 1.0)):
        rows[:, column] = values
    return rows
