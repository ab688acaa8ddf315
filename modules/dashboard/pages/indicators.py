"""Indicators that a person chooses for a chart, by the functions that the systems themselves decide with.

Words: ``EMA 20,SMA 100,BB 20,RSI 14,VOL``. The newest candle is not closed yet: its values move with it. A chart
begins with its oldest candle, so a first value stands after as many candles as the length says.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MOST, SHORTEST, LONGEST = 6, 2, 200
KINDS = ("EMA", "SMA", "BB", "RSI", "VOL")
PANES = {"RSI": "rsi", "VOL": "volume"}


def asked(words: str) -> list[tuple[str, int]]:
    """(kind, length in candles) of each that there is, the first six; what there is not is left out."""
    found: dict[tuple[str, int], None] = {}
    for one in words.split(","):
        kind, _, length = one.strip().upper().partition(" ")
        if kind == "VOL":
            found[kind, 0] = None
        elif kind in KINDS and length.isascii() and length.isdecimal() and SHORTEST <= int(length) <= LONGEST:
            found[kind, int(length)] = None
    return list(found)[:MOST]


def indicators(candles: Sequence[Sequence[float]], words: str) -> list[dict[str, Any]]:
    """Each with `name`, `pane` (price, rsi or volume) and `lines`: a value for each candle, None where there is none.

    `candles`: (seconds, open, high, low, close, volume), oldest first; price and volume in the quote's and the base's
    units. Where a candle has no volume there is no such line.
    """
    wanted = asked(words)
    if not wanted or len(candles) < 2:
        return []
    rows = np.array(candles, np.float64)
    return [{"name": f"{kind} {length}" if length else "Volume", "pane": PANES.get(kind, "price"),
             "lines": [_told(line) for line in _lines(kind, length, rows)]} for kind, length in wanted
            if kind != "VOL" or rows.shape[1] > 5]


def _lines(kind: str, length: int, rows: Floats) -> Sequence[Floats]:
    from modules.learning.talib_lite import talib  # 5 MB: only where somebody asks for an indicator
    from modules.strategies.scalper.indicators import rsi

    close = np.ascontiguousarray(rows[:, 4])
    match kind:
        case "EMA":
            return (talib.EMA(close, length),)
        case "SMA":
            return (talib.SMA(close, length),)
        case "BB":
            return tuple(talib.BBANDS(close, length))  # two deviations, as models see it
        case "RSI":
            return (rsi(close, length),) if len(close) > length else (np.full(len(close), np.nan),)
    return (rows[:, 5],)


def _told(line: Floats) -> list[float | None]:
    """Eight digits are enough for a line."""
    return [None if np.isnan(value) else float(f"{value:.8g}") for value in line.tolist()]
