"""Made-up candle files and frames: tokens that walk, and now and then pump."""

from collections import Counter
from pathlib import Path

import numpy as np

from modules.backtest.frames import Frame, cleaned
from modules.market.candles import _text

START_MS = 1_704_067_200_000  # 2024-01-01
STEP_MS = 300_000


def table(seed: int, count: int, price: float = 1.0, pumps: bool = True, step_ms: int = STEP_MS) -> np.ndarray:
    """Candles (n, 6) as the bot stores them: time in ms, prices with six decimals, base volume."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0, 0.003, count)
    loud = np.zeros(count)
    for begin in rng.integers(0, count, count // 150) if pumps else ():
        moves[begin:begin + 8] += rng.choice((-0.02, 0.012, 0.02, 0.03))
        loud[begin:begin + 10] = 6.0
    close = price * np.exp(np.cumsum(moves))
    opened = np.concatenate(([price], close[:-1]))
    high = np.maximum(opened, close) * (1 + abs(rng.normal(0, 0.001, count)))
    low = np.minimum(opened, close) * (1 - abs(rng.normal(0, 0.001, count)))
    volume = (40_000 + 20_000 * rng.random(count)) * (1 + loud) / price
    prices = np.round(np.column_stack((opened, high, low, close)), 6)
    return np.column_stack((START_MS + np.arange(count) * step_ms, prices, np.round(volume, 2)))


def frame(symbol: str, candles: np.ndarray) -> Frame:
    """A frame of such candles."""
    names = ("time", "open", "high", "low", "close", "volume")
    return cleaned(symbol, {name: candles[:, place] for place, name in enumerate(names)}, Counter())


def write_csv(path: Path, candles: np.ndarray) -> Path:
    """As the collector writes it."""
    path.write_bytes(_text(candles))
    return path
