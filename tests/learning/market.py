"""Candles for the tests of the learning: a random walk, and a market in which something can be learnt."""

import numpy as np

from modules.learning.features import STEP_MS, Floats

START_MS = 1_700_000_100_000 // STEP_MS * STEP_MS


def walk(count: int, *, seed: int = 1, price: float = 1.0, sigma: float = 0.004, start_ms: int = START_MS) -> Floats:
    """A random walk of `count` 5m candles."""
    rng = np.random.default_rng(seed)
    return candles_of(price * np.exp(np.cumsum(rng.normal(0.0, sigma, count))), rng.gamma(2.0, 1000.0, count), start_ms)


def candles_of(close: Floats, volume: Floats, start_ms: int = START_MS) -> Floats:
    """5m candles through these closes."""
    opens = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(opens, close) * 1.001
    low = np.minimum(opens, close) * 0.999
    times = start_ms + np.arange(len(close)) * float(STEP_MS)
    return np.column_stack([times, opens, high, low, close, volume])


def pumps(count: int, *, seed: int = 1, every: int = 150, start_ms: int = START_MS) -> tuple[Floats, list[int]]:
    """A quiet walk with a jump of 6 % in one candle about every `every` candles, and where the jumps are.

    After the jump the price goes on to +8 % within six hours if the volume of the jump was very large (20 ×),
    and gives the move back otherwise (6 ×): an obvious rule, with noise around it.
    """
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, 0.0015, count)
    volume = rng.gamma(8.0, 125.0, count)
    jumps = [at + int(rng.integers(0, 40)) for at in range(300, count - 80, every)]
    for at in jumps:
        runs = rng.random() < 0.4
        steps[at] += 0.06
        volume[at - 2 : at + 1] *= 20.0 if runs else 6.0
        steps[at + 1 : at + 73] += (0.08 if runs else -0.06) / 72 + rng.normal(0.0, 0.0005)
    return candles_of(np.exp(np.cumsum(steps)), volume, start_ms), jumps
