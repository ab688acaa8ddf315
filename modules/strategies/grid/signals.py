"""The entry signal from closed candles, with a state that survives restarts (E3, E8).

1. Only closed candles count; SAR and CCI advance once for each.
2. Candles already seen are passed over; those missed meanwhile are rolled through, oldest first.
3. Where candles are missing between the state and what was given, the state is begun anew on what was given.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from modules.strategies.grid import indicators as i
from modules.strategies.grid.settings import INTERVAL_MS

if TYPE_CHECKING:
    from modules.strategies.grid.settings import GridSettings

# What a first fill or a gap fetches at least (E8).
FILL = 200


class Candle(msgspec.Struct, frozen=True, array_like=True):
    """A closed candle; `time` is its open in ms."""

    time: int
    open: float
    high: float
    low: float
    close: float


class Signals(msgspec.Struct, frozen=True):
    """Where the indicators stand after the last closed candle. NaN-free: what is not known yet is None.

    `weighted` and `typical`: the last prices of the candles that LWMA and CCI look at, oldest first.
    """

    time: int = 0
    trend: int = 0
    sar: tuple[float, float, float, float, float, float, float] = (0.0,) * 7
    begun: tuple[Candle, ...] = ()
    weighted: tuple[float, ...] = ()
    typical: tuple[float, ...] = ()
    average: float | None = None
    cci: float | None = None
    signal: int = i.NEITHER
    restarts: int = 0


def sound(candle: Candle) -> bool:
    """Whether a candle's numbers can be: finite, above 0, the low lowest, the high highest."""
    numbers = (candle.open, candle.high, candle.low, candle.close)
    return (all(math.isfinite(one) for one in numbers) and 0 < candle.low <= min(candle.open, candle.close)
            and candle.high >= max(candle.open, candle.close))


def advanced(state: Signals, candles: Sequence[Candle], settings: "GridSettings") -> Signals:
    """The state after every closed candle that is new. Raises ValueError for candles that cannot be, or in no order."""
    interval = INTERVAL_MS[settings.timeframe]
    for before, after in zip(candles, candles[1:], strict=False):
        if after.time <= before.time:
            raise ValueError(f"candle {after.time} stands after candle {before.time}: give them oldest first")
    for candle in candles:
        if candle.time <= state.time and state.time:
            continue
        if not sound(candle):
            raise ValueError(f"candle {candle.time}: {candle.open} {candle.high} {candle.low} {candle.close} cannot be")
        if state.time and candle.time != state.time + interval:  # rule 3
            state = Signals(restarts=state.restarts + 1)
        state = _next(state, candle, settings)
    return state


def needs_fill(state: Signals, candles: Sequence[Candle], settings: "GridSettings") -> bool:
    """Whether more of the past is needed: nothing seen yet, or a gap between the state and what was given (E8)."""
    if not state.time:
        return len(candles) < FILL
    return bool(candles) and candles[0].time > state.time + INTERVAL_MS[settings.timeframe]


def _next(state: Signals, candle: Candle, settings: "GridSettings") -> Signals:
    """One closed candle further."""
    weighted = (*state.weighted, (candle.high + candle.low + 2 * candle.close) / 4)[-settings.sma_period:]
    typical = (*state.typical, (candle.high + candle.low + candle.close) / 3)[-max(settings.cci_period, 1):]
    average = i.lwma(weighted, len(weighted), settings.sma_period) if len(weighted) >= settings.sma_period else None
    now = i.cci(typical, len(typical), settings.cci_period) if 0 < settings.cci_period <= len(typical) else None
    begun, sar = _sar(state, candle, settings)
    signal = i.NEITHER
    if settings.use_sma_sar and average is not None and sar.trend:
        signal = i.signal_of(average, sar.sar, settings.reverse_order)
    if now is not None and state.cci is not None:
        signal = i.crossing(state.cci, now, settings.cci_min, settings.cci_max) or signal
    return Signals(candle.time, sar.trend, sar[1:], begun, weighted, typical, average, now, signal, state.restarts)


def _sar(state: Signals, candle: Candle, settings: "GridSettings") -> tuple[tuple[Candle, ...], i.Sar]:
    """The SAR, begun on the first five candles (as the seed does with five or more at hand), then rolled."""
    if state.trend:
        return (), i.next_sar(i.Sar(state.trend, *state.sar), candle.high, candle.low, settings.sar_af,
                              settings.sar_max)
    begun = (*state.begun, candle)
    if len(begun) < i.FIRST:
        return begun, i.Sar(0, *state.sar)
    return (), i.first_sar([one.high for one in begun], [one.low for one in begun], begun[-1].close, begun[-2].close,
                           settings.sar_af)
