"""Markets made for tests: bars that rise in waves, and inputs in which a long is allowed (mirrored: a short)."""

from dataclasses import replace
from typing import Any

import numpy as np

from modules.strategies.showdown.inputs import Inputs, Manual
from modules.strategies.showdown.records import TIMEFRAMES, Bars, Contract, Money

NOW = 1_767_277_800_000 // 3_600_000 * 3_600_000  # 2026-01-01 14:00 UTC
SYMBOL = "BTCUSDT"
CONTRACT = Contract(tick="0.1", step="0.001", min_notional="100", max_quantity="1000", fee="0.0005")
PIVOT = 50_000.0


def waves(step: int, count: int = 300, end: int = NOW, side: int = 1, now: int | None = None) -> Bars:
    """`count` closed bars up to `end`: two up, one down, so that highs and lows rise; mirrored at PIVOT for −1."""
    unit = 40.0 * (step / 300_000) ** 0.5
    moves = np.array([(3.0, 2.0, 2.0, 2.0, -1.5, -1.5, 1.0, 3.0)[place % 8] for place in range(count)]) * unit / 2
    moves += np.sin(np.arange(count) * 1.7) * unit * 0.1
    close = PIVOT + np.cumsum(moves) - moves.sum()
    before = np.concatenate(([close[0] - moves[0]], close[:-1]))
    high, low = np.maximum(before, close) + 0.3 * unit, np.minimum(before, close) - 0.3 * unit
    if side < 0:
        before, close, high, low = (2 * PIVOT - one for one in (before, close, low, high))
    last = end // step * step
    opens = last - step * np.arange(count, 0, -1.0)
    volume = np.full(count, 10.0)
    return np.column_stack((opens, before, high, low, close, volume, volume * (0.7 if side > 0 else 0.3)))


def inputs(side: int = 1, **changes: Any) -> Inputs:
    """Everything fresh, everything for `side`."""
    five = np.arange(NOW - 3 * 3_600_000, NOW + 1, 300_000.0)
    minutes = np.arange(NOW - 3 * 3_600_000, NOW, 60_000.0)
    price = PIVOT
    swept = {"side": "long" if side > 0 else "short", "low": price - side * 350 - 150, "high": price - side * 350 + 150,
             "size_usd": 1e8}
    made = Inputs(
        symbol=SYMBOL, ms=NOW, bars={name: waves(step, side=side) for name, step in TIMEFRAMES.items()},
        series={"open_interest": np.column_stack((five, np.linspace(1000, 1030, len(five)))),
                "funding": np.array([[NOW - 6 * 3_600_000, side * 1e-5]]),
                "funding_now": np.array([[NOW - 20_000, side * 1e-5]]),
                "basis": np.array([[NOW - 20_000, side * 1e-4]]),
                "cvd": np.column_stack((minutes, np.full(len(minutes), side * 4.0)))},
        manual={"etf": Manual({"days": [{"date": "2025-12-31", "flows": {"IBIT": side * 3e8}, "total": None}]},
                              NOW - 3_600_000, 1),
                "liqmap": Manual({"price": price, "zones": [swept]}, NOW - 7_200_000, 1),
                "sentiment": Manual({"score": side * 0.3, "note": "", "halt": False}, NOW - 3_600_000, 1)},
        money=Money(equity="10000", source="test"), contract=CONTRACT)
    return replace(made, **changes)


def without(made: Inputs, *names: str) -> Inputs:
    """Without some series, bars or manual sources."""
    return replace(made, bars={k: v for k, v in made.bars.items() if k not in names},
                   series={k: v for k, v in made.series.items() if k not in names},
                   manual={k: v for k, v in made.manual.items() if k not in names})
