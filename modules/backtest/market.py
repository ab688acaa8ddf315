"""From frames to the engine's whole numbers: the price step of each token, its quantity step, one series of all.

Candle files do not tell the venue's steps. The price step is the finest decimal place that the prices use; where they
use more than twelve (computed data), it is a ten-millionth of the price. The quantity step is worth at most a cent.
"""

from dataclasses import dataclass

import numpy as np

from modules.backtest import arrays as a
from modules.backtest.arrays import Floats, Ints, Series
from modules.backtest.frames import Frame

MOST_PLACES = 12
MOST_TICKS = 1e10  # as positions.MOST_TICKS
SAMPLE = 2000
STEP_WORTH_USDT = 0.01


@dataclass(frozen=True, slots=True)
class Steps:
    """How a token is counted: `places` decimals of price (negative: tens), one quantity step of `step` coins."""

    places: int
    step: float

    def ticks(self, prices: Floats) -> Ints:
        """Whole ticks, rounded to the nearest."""
        found: Ints = np.rint(prices * 10.0**self.places).astype(np.int64)
        return found

    @property
    def tick(self) -> float:
        """Price of one tick."""
        return float(10.0**-self.places)

    @property
    def unit(self) -> float:
        """Money units that one tick·step is worth."""
        return self.step * a.MONEY / 10.0**self.places


def steps_of(frame: Frame) -> Steps:
    """The steps of a token, from a sample of its prices."""
    every = max(len(frame) // SAMPLE, 1)
    prices = np.concatenate((frame.open[::every], frame.high[::every], frame.low[::every], frame.close[::every]))
    step = 10.0 ** np.floor(np.log10(STEP_WORTH_USDT / float(np.median(prices))))
    highest = float(frame.high.max())
    for places in range(MOST_PLACES + 1):
        scaled = prices * 10.0**places
        if np.abs(scaled - np.rint(scaled)).max() <= max(1e-6, float(scaled.max()) * 1e-14):
            break
    else:
        places = 7 - int(np.floor(np.log10(float(np.median(prices)))))
    while highest * 10.0**places > MOST_TICKS:
        places -= 1
    while round(float(frame.low.min()) * 10.0**places) < 1:
        places += 1
    return Steps(places, float(step))


def series_of(frames: list[Frame], min_notional_usdt: float, sell_at: Ints | None = None,
              release: bool = False) -> tuple[Series, list[Steps]]:
    """All frames as one series, in their order, and each one's steps.

    With `release` the list of frames is emptied, and each column let go once it is counted: half the memory.
    """
    steps = [steps_of(frame) for frame in frames]
    ends = np.cumsum([len(frame) for frame in frames])
    bounds = [slice(end - len(frame), end) for frame, end in zip(frames, ends.tolist(), strict=True)]
    quote = np.concatenate([frame.quote() for frame in frames])
    tokens = np.array([(part.start, part.stop, max(int(np.ceil(min_notional_usdt * a.MONEY / step.unit)), 1))
                       for part, step in zip(bounds, steps, strict=True)], np.int64)
    columns = {place: [getattr(frame, name) for frame in frames] for place, name in
               ((a.TIME, "time"), (a.OPEN, "open"), (a.HIGH, "high"), (a.LOW, "low"), (a.CLOSE, "close"))}
    if release:
        frames.clear()
    candles = np.empty((5, len(quote)), np.int64)
    for place in list(columns):
        for column, step, part in zip(columns.pop(place), steps, bounds, strict=True):
            candles[place, part] = column if place == a.TIME else step.ticks(column)
    unit = np.array([step.unit for step in steps])
    exits = np.zeros(0, np.int64) if sell_at is None else sell_at
    return Series(candles, quote, tokens, unit, exits, int(candles[a.TIME].max())), steps
