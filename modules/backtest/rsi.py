"""The plain rule set to compare engines with, through the same loop: RSI in; target, stop or RSI out.

1. Buys at the open after a close at which the RSI fell below `rsi_buy`, if nothing is held.
2. Target and stop are set at the signal, from its close; they count from the candle of entry on.
3. Sells at the open after a close at which the RSI stands above `rsi_sell`.
"""

from collections.abc import Sequence

import numpy as np

from modules.backtest import arrays as a
from modules.backtest.arrays import Floats, Ints
from modules.backtest.frames import Frame
from modules.backtest.market import Steps
from modules.backtest.settings import RsiSettings
from modules.learning.talib_lite import talib

PPM = 1_000_000


def rsi_table(frames: Sequence[Frame], steps: Sequence[Steps], settings: RsiSettings) -> tuple[Ints, Ints]:
    """(table of entries, candles at whose open the RSI sells) over the frames in their order as one series."""
    tables, exits, begin = [], [], 0
    for token, (frame, step) in enumerate(zip(frames, steps, strict=True)):
        rsi = talib.RSI(frame.close, settings.rsi_period)
        buys, sells = signals(rsi, settings)
        tables.append(table_of(token, frame, step, buys, begin, settings))
        exits.append(sells + 1 + begin)
        begin += len(frame)
    table = np.concatenate(tables)
    order = np.argsort(table[:, a.E_KNOWN], kind="stable")
    return table[order], np.concatenate(exits)


def signals(rsi: Floats, settings: RsiSettings) -> tuple[Ints, Ints]:
    """Rows whose close tells to buy, and to sell; the last row tells nothing any more: no candle follows it."""
    with np.errstate(invalid="ignore"):
        below, above = rsi < settings.rsi_buy, rsi > settings.rsi_sell
    crossed = below & ~np.concatenate(([True], below[:-1]))
    return np.flatnonzero(crossed[:-1]), np.flatnonzero(above[:-1])


def table_of(token: int, frame: Frame, step: Steps, buys: Ints, begin: int, settings: RsiSettings) -> Ints:
    """The entries of one token; the series has its first candle at `begin`."""
    table = np.zeros((len(buys), a.E_COLUMNS), np.int64)
    close = frame.close[buys]
    table[:, a.E_AT], table[:, a.E_TOKEN] = buys + 1 + begin, token
    table[:, a.E_KNOWN] = frame.time[buys] + frame.interval_ms
    table[:, a.E_PRICE], table[:, a.E_SIZE] = step.ticks(close), PPM
    goal = step.ticks(close * (1 + settings.target_pct / 100)) if settings.target_pct else a.NEVER
    stop = step.ticks(close * (1 - settings.stop_pct / 100)) if settings.stop_pct else 0
    table[:, a.E_GOAL], table[:, a.E_STOP] = goal, stop
    return table
