"""The model makers' order book: depth around the price, and what takers took out of it.

A ladder is a pure function of (seed, pair, instant): the best price of the market, levels at growing
distances, sizes so that about `depth1` USDT stand within 1 % on each side, varied by hash and re-drawn every
REDRAW_MS. Events lean on it: support under a good pump, thin asks in a rush. What a taker took stays missing
and comes back with a half-life of REFILL_MS; meanwhile the other makers step back a little, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from modules.simulator.market import Market
from modules.simulator.randomness import key64, uniform_cells
from modules.simulator.universe import MINUTE_MS

BUY, SELL = "BUY", "SELL"
LEVELS = 80
REDRAW_MS = 20_000
REFILL_MS = 30_000.0
_K = np.arange(LEVELS, dtype=np.float64)
_RANGE = 0.09  # how far from the best price the last level stands, of the price


@dataclass(slots=True)
class _Hole:
    steps: float
    ms: int


@dataclass(slots=True)
class _Side:
    holes: dict[int, _Hole] = field(default_factory=dict)
    fatigue: float = 0.0  # USDT taken lately
    ms: int = 0


class ModelBook:
    """Depth of the model's makers. `side` is the side of the standing orders: BUY = bids."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._key = key64(market.source.key, "book")
        self._sides: dict[tuple[int, str], _Side] = {}
        self.grids: dict[str, int] = {}  # symbol → ticks between two prices, where an act has made them coarser

    def ladder(self, slot: int, ms: int, side: str, levels: int = LEVELS) -> list[tuple[int, int]]:
        """(price in ticks, amount in steps) from the best level outwards; empty levels left out."""
        ticks, steps = self._drawn(slot, ms, side)
        taken = self._sides.get((slot, side))
        if taken is not None and (taken.holes or taken.fatigue > 1.0):
            steps = self._with_holes(slot, ms, taken, ticks, steps)
        rows = [(int(t), int(q)) for t, q in zip(ticks, steps, strict=True) if q >= 1 and t >= 1]
        return rows[:levels]

    def _drawn(self, slot: int, ms: int, side: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        market = self._market
        calendar = market.source.calendar(ms // (1440 * MINUTE_MS))
        bid, ask = market.touch(slot, ms)
        best = bid if side == BUY else ask
        gap = max(1.0, round(max(0.4 * (ask - bid), 0.00012 * best)))
        curve = max(0.0, _RANGE * best - gap * LEVELS) / LEVELS**2
        offsets = np.rint(gap * _K + curve * _K**2)
        ticks = (best - offsets if side == BUY else best + offsets).astype(np.int64)
        edges = np.concatenate(([0.0], 0.5 * (offsets[1:] + offsets[:-1]), offsets[-1:] + gap)) / best
        cumulative = float(calendar.depth1[slot]) * (edges / 0.01) ** 1.15
        worth = np.diff(cumulative) + 0.004 * float(calendar.depth1[slot])
        worth *= self._lean(slot, ms, side)
        bucket = (ms + slot * 577) // REDRAW_MS
        cells = (np.int64(bucket) * 8192 + slot) * 256 + np.arange(LEVELS) * 2 + (side == BUY)
        worth *= np.exp(1.8 * (uniform_cells(self._key, cells) - 0.5))
        price = np.maximum(ticks, 1) * float(calendar.tick[slot])
        steps = np.floor(worth / price / float(calendar.step[slot]))
        grid = self.grids.get(calendar.tokens[slot].symbol, 1) if self.grids else 1
        return _on_grid(ticks, steps, side, grid) if grid > 1 else (ticks, steps)

    def _lean(self, slot: int, ms: int, side: str) -> float:
        """Multiplier of one side's depth: slow noise, the events' pressure, and retreat after a wild minute."""
        minute = ms // MINUTE_MS
        sign = 1.0 if side == BUY else -1.0
        pressure = self._market.source.pressure(slot, ms / MINUTE_MS)
        cell = np.array([(minute // 10) * 16_384 + slot * 2 + (side == BUY)])
        noise = float(uniform_cells(self._key ^ 0x5BD1, cell)[0]) - 0.5
        corners, _ = self._market.legs(slot, minute - 1)
        prices = [price for _, price in corners]
        wild = (max(prices) - min(prices)) / max(prices)
        lean = float(np.exp(0.9 * noise + 2.2 * sign * pressure))
        return lean / (1.0 + 7.0 * min(wild, 0.5))

    def _with_holes(
        self, slot: int, ms: int, taken: _Side, ticks: NDArray[np.int64], steps: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        calendar = self._market.source.calendar(ms // (1440 * MINUTE_MS))
        left = taken.fatigue * 0.5 ** ((ms - taken.ms) / REFILL_MS)
        steps = steps / (1.0 + 0.5 * left / float(calendar.depth1[slot]))
        for level, tick in enumerate(ticks):
            hole = taken.holes.get(int(tick))
            if hole is not None:
                steps[level] -= hole.steps * 0.5 ** ((ms - hole.ms) / REFILL_MS)
        result: NDArray[np.float64] = np.floor(steps)
        return result

    def take(self, slot: int, ms: int, side: str, tick: int, steps: int, worth: float) -> None:
        """Remember that a taker took `steps` at `tick` (worth USDT) from one side."""
        taken = self._sides.setdefault((slot, side), _Side())
        taken.holes = {
            t: h for t, h in taken.holes.items() if h.steps * 0.5 ** ((ms - h.ms) / REFILL_MS) >= 0.5
        }
        old = taken.holes.get(tick)
        left = old.steps * 0.5 ** ((ms - old.ms) / REFILL_MS) if old is not None else 0.0
        taken.holes[tick] = _Hole(left + steps, ms)
        taken.fatigue = taken.fatigue * 0.5 ** ((ms - taken.ms) / REFILL_MS) + worth
        taken.ms = ms


def _on_grid(
    ticks: NDArray[np.int64], steps: NDArray[np.float64], side: str, grid: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Levels on coarser prices, bids rounded down and asks up; those that meet are added."""
    coarse = ticks // grid * grid if side == BUY else -(-ticks // grid) * grid
    levels, place = np.unique(coarse, return_inverse=True)
    sums = np.bincount(place, weights=steps).astype(np.float64)
    return (levels[::-1], sums[::-1]) if side == BUY else (levels, sums)
