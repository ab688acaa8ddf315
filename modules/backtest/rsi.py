"""The plain rule set to compare engines with, through the same loop: RSI in; target, stop or RSI out.

1. Buys at the open after a close at which the RSI fell below `rsi_buy`, if nothing is held.
2. Target and stop are set at the signal, from its close; they count from the candle of entry on.
3. Sells at the open after a close at which the RSI stands above `rsi_sell`.
4. Short, all of it in the mirror: sold short when the RSI rises above `rsi_sell`, bought back below `rsi_buy`.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from modules.backtest import arrays as a
from modules.backtest.arrays import Floats, Ints
from modules.backtest.frames import Frame
from modules.backtest.settings import RsiSettings
from modules.backtest.strategies import Groups
from modules.backtest.wishes import Wishes
from modules.learning.talib_lite import talib


def settings_of(groups: Groups) -> RsiSettings:
    """The rule set's settings of a run."""
    found = groups["rsi"]
    assert isinstance(found, RsiSettings)
    return found


def figures_of(frame: Frame, settings: RsiSettings) -> dict[str, Floats]:
    """The RSI at every close."""
    return {"rsi": talib.RSI(frame.close, settings.rsi_period)}


def warm_up(settings: RsiSettings) -> int:
    """Candles after which the RSI's first mean weighs less than 1e-7: (1 − 1/n)^k (Wilder)."""
    return settings.rsi_period + math.ceil(math.log(1e-7) / math.log(1 - 1 / settings.rsi_period))


def rsi_wishes(frames: Sequence[Frame], settings: RsiSettings) -> Wishes:
    """Wishes of all tokens, and the closes at which the RSI sells."""
    return Wishes.joined([_of_token(token, frame, settings) for token, frame in enumerate(frames)])


def _of_token(token: int, frame: Frame, settings: RsiSettings) -> Wishes:
    rsi = talib.RSI(frame.close, settings.rsi_period)
    none = np.zeros(0, np.int64)
    buys, sells = signals(rsi, settings) if settings.direction != "short" else (none, none)
    shorts, covers = mirror_signals(rsi, settings) if settings.direction != "long" else (none, none)
    rows = np.concatenate((buys, shorts))
    side = np.repeat((a.LONG, a.SHORT), (len(buys), len(shorts)))
    close = frame.close[rows]
    goal = close * (1 + side * settings.target_pct / 100) if settings.target_pct else np.zeros(len(rows))
    stop = close * (1 - side * settings.stop_pct / 100) if settings.stop_pct else np.zeros(len(rows))
    ends = frame.time + frame.interval_ms
    made = Wishes.made(token, rows, ends[rows], close, goal=goal, stop=stop, side=side)
    return replace(made, own=True, sell_token=np.full(len(sells), token, np.int64), sell_ms=ends[sells],
                   cover_token=np.full(len(covers), token, np.int64), cover_ms=ends[covers])


def signals(rsi: Floats, settings: RsiSettings) -> tuple[Ints, Ints]:
    """Rows whose close tells to buy, and to sell."""
    with np.errstate(invalid="ignore"):
        below, above = rsi < settings.rsi_buy, rsi > settings.rsi_sell
    return np.flatnonzero(_begun(below)), np.flatnonzero(above)


def mirror_signals(rsi: Floats, settings: RsiSettings) -> tuple[Ints, Ints]:
    """The same for shorts: rows whose close tells to sell short, and to buy back (rule 4)."""
    with np.errstate(invalid="ignore"):
        below, above = rsi < settings.rsi_buy, rsi > settings.rsi_sell
    return np.flatnonzero(_begun(above)), np.flatnonzero(below)


def _begun(state: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Rows at which a state begins."""
    found: npt.NDArray[np.bool_] = state & ~np.concatenate(([True], state[:-1]))
    return found
