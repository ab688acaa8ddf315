"""Analytics (C2): stored candles → the snapshot. A pure function; the formulas stand in structure and indicators."""

import msgspec
import numpy as np

from modules.strategies.showdown import indicators, structure
from modules.strategies.showdown.inputs import Inputs, digest, freshness
from modules.strategies.showdown.records import CLOSE, OPEN_MS, TIMEFRAMES, Bars, Freshness, Snapshot, Timeframe
from modules.strategies.showdown.settings import ShowdownSettings

SWINGS_TOLD = 24
CANDLES_TOLD = 60
FADE_BARS = 4


def snapshot(inputs: Inputs, settings: ShowdownSettings) -> Snapshot:
    """The market as of `inputs.ms`; an interval whose candles are not usable is left out, and `inputs` says why."""
    fresh = freshness(inputs, settings)
    frames = {name: timeframe(inputs.bars[name], step, settings) for name, step in TIMEFRAMES.items()
              if fresh[f"candles_{name}"].usable}
    told = {name: tuple(map(tuple, inputs.bars[name][-CANDLES_TOLD:, :6].tolist())) for name in frames}
    made = Snapshot(symbol=inputs.symbol, ms=inputs.ms, price=_price(inputs.bars.get("1m"), fresh),
                    session=indicators.session(inputs.ms), timeframes=frames, candles=told,
                    inputs={name: fresh[name] for name in map("candles_{}".format, TIMEFRAMES)})
    return msgspec.structs.replace(made, hash=digest(made))


def timeframe(bars: Bars, step_ms: int, settings: ShowdownSettings) -> Timeframe:
    """One interval's reading of closed `bars` (n ≥ 60, 7)."""
    found = structure.swings(bars, step_ms, settings.swing_bars)
    trend, broken = structure.trend(found, bars)
    ranges = indicators.atr(bars, settings.atr_bars)
    now = indicators.momentum(bars, ranges, settings.momentum_bars)
    before = indicators.momentum(bars, ranges, settings.momentum_bars, FADE_BARS)
    value, close = float(ranges[-1]), float(bars[-1, CLOSE])
    usual = float(np.nanmedian(ranges))
    return Timeframe(trend=trend, broken=broken, swings=found[-SWINGS_TOLD:], momentum=round(now, 4),
                     momentum_before=round(before, 4), fading=indicators.is_fading(now, before), atr=value,
                     atr_pct=100 * value / close, atr_ratio=value / usual if usual > 0 else 1.0, close=close,
                     closed_ms=int(bars[-1, OPEN_MS]) + step_ms)


def _price(bars: Bars | None, fresh: dict[str, Freshness]) -> float | None:
    return float(bars[-1, CLOSE]) if bars is not None and fresh["candles_1m"].usable else None
