"""Resting quantity of the model's makers: every tick in a window around each touch, all contracts in one array.

A contract's window is a ring of W ticks (a power of two): tick t lives in slot `offset + (t mod W)`. Ticks up to
`bid` are bids, from `ask` on asks, between them nothing stands. A move of the touch turns the ticks it passes over
to the other side and shifts the window's edges; beside that a few levels near and far are renewed in each slice.
Every changed tick is noted by its key `contract << 40 | tick`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modules.simulator.perp.records import Spec
from modules.simulator.perp.specs import Character
from modules.simulator.randomness import generator

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
SHIFT = 40
TICK_MASK = (1 << SHIFT) - 1
SPAN = 0.012  # of the price, to each side
WIDTHS = (256, 16_384)
DEPTH_SHARE = 0.01  # of a day's turnover stands within 1 % on each side
NEAR = 12  # ticks from the touch that lean with the flow
FINE_BP = 0.3  # with ticks finer than this the touch stands out of its neighbours
DENSE = 20  # ticks from the touch that are all occupied


class Levels:
    """Model quantity by tick. `q` flat, `bid` and `ask` the touches, per contract."""

    def __init__(self, specs: list[Spec], characters: list[Character], seed: int) -> None:
        n = len(specs)
        self.count = n
        self._rng = generator(seed, "perp-levels")
        self._specs, self._characters = specs, characters
        tick = np.array([float(spec.tick) for spec in specs])
        price = np.array([character.price for character in characters])
        needed = 2 * SPAN * price / tick
        widths = [min(WIDTHS[1], max(WIDTHS[0], 1 << int(np.ceil(np.log2(w))))) for w in needed]
        self.width: Ints = np.array(widths, dtype=np.int64)
        self.half: Ints = self.width >> 1
        self._mask: Ints = self.width - 1
        self._offset: Ints = np.concatenate([[0], np.cumsum(self.width)[:-1]]).astype(np.int64)
        self._masks, self._offsets = self._mask.tolist(), self._offset.tolist()
        self.q: Ints = np.zeros(int(self.width.sum()), dtype=np.int64)
        self.bid: Ints = np.zeros(n, dtype=np.int64)
        self.ask: Ints = np.zeros(n, dtype=np.int64)
        self.centre: Ints = np.zeros(n, dtype=np.int64)
        self._tick, self._step = tick, np.array([float(spec.step) for spec in specs])
        self._turnover = np.array([character.turnover for character in characters])
        self._updates: Ints = np.clip(4 * (self._turnover / 1e8) ** 0.35, 2, 40).astype(np.int64)
        self.lean: Floats = np.zeros(n)
        self._scale(price)

    def _scale(self, price: Floats) -> None:
        """Mean quantity of a level at the touch, from the depth within 1 % (weights 1 / (1 + bp/30), Σ ≈ 44 bp)."""
        self.tick_bp: Floats = self._tick / price * 1e4
        per_bp = DEPTH_SHARE * self._turnover / 44.0
        self._stands_out: Floats = np.where(self.tick_bp < FINE_BP, 3.0, 0.0)
        self._occupied: Floats = np.clip(self.tick_bp / 0.06, 0.25, 0.9)
        self._base: Floats = per_bp * self.tick_bp / price / self._step

    def slot(self, index: int, tick: int) -> int:
        """Where a tick lives, −1 outside the window."""
        centre, half = int(self.centre[index]), int(self.half[index])
        if not centre - half <= tick < centre + half:
            return -1
        return int(self._offsets[index]) + (tick & int(self._masks[index]))

    def slots(self, index: Ints, tick: Ints) -> Ints:
        """Where ticks live; they have to be inside their windows."""
        result: Ints = self._offset[index] + (tick & self._mask[index])
        return result

    def inside(self, index: Ints, tick: Ints) -> NDArray[np.bool_]:
        """Whether ticks are inside their windows."""
        away = tick - self.centre[index]
        half = self.half[index]
        result: NDArray[np.bool_] = (away >= -half) & (away < half)
        return result

    def _fresh(self, index: Ints, away: Ints, bids: NDArray[np.bool_]) -> Ints:
        """New quantities for levels `away` ticks from the touch; at least one step each."""
        mean = self._base[index] / (1.0 + away * self.tick_bp[index] / 30.0)
        mean = np.where(away > DENSE, mean / self._occupied[index], mean)
        mean *= 1.0 + self._stands_out[index] * np.exp(-0.7 * np.maximum(0, away))
        lean = self.lean[index] * np.where(away <= NEAR, 0.8, 0.0)
        mean *= 1.0 + np.where(bids, lean, -lean)
        noise = np.exp(0.55 * self._rng.standard_normal(len(index)) - 0.15)
        result: Ints = (mean * noise).astype(np.int64) + 1
        return result

    def begin(self, bid: Ints, ask: Ints) -> None:
        """Fill all windows."""
        self.bid[:], self.ask[:] = bid, ask
        for index in range(self.count):
            self.reset(index, int(bid[index]), int(ask[index]))

    def reset(self, index: int, bid: int, ask: int) -> Ints:
        """Fill one window anew; the keys of all ticks that had or have quantity."""
        start, width = self._offsets[index], int(self.width[index])
        part = self.q[start:start + width]
        before = self._ticks(index)[part > 0] if self.centre[index] else np.zeros(0, dtype=np.int64)
        self.centre[index], self.bid[index], self.ask[index] = (bid + ask) >> 1, bid, ask
        ticks = self._ticks(index)
        bids, asks = ticks <= bid, ticks >= ask
        away = np.where(bids, bid - ticks, ticks - ask)
        fresh = self._fresh(np.full(width, index), np.maximum(away, 0), bids)
        bare = (away > DENSE) & (self._rng.random(width) > self._occupied[index])
        part[:] = np.where((bids | asks) & ~bare & (ticks > 0), fresh, 0)
        keys: Ints = np.concatenate([before, ticks[part > 0]]) + (index << SHIFT)
        return keys

    def _ticks(self, index: int) -> Ints:
        """The tick of each slot of a window, in the order of its slots."""
        width = int(self.width[index])
        low = int(self.centre[index] - self.half[index])
        slots = np.arange(width, dtype=np.int64)
        result: Ints = low + ((slots - low) & (width - 1))
        return result

    def retick(self, index: int, spec: Spec, price: float) -> None:
        """Another tick or step size; the window has to be filled anew afterwards. The width stays."""
        self._tick[index], self._step[index] = float(spec.tick), float(spec.step)
        prices = self._tick / self.tick_bp * 1e4
        prices[index] = price
        self._scale(prices)

    # -- one slice ---------------------------------------------------------------------------------------

    def requote(self, bid: Ints, ask: Ints, lean: Floats, busy: int) -> list[Ints]:
        """Move the touches and renew levels (`busy` × as many as in 100 ms). Keys of what changed."""
        self.lean = lean
        touched: list[Ints] = []
        shift = ((bid + ask) >> 1) - self.centre
        far = np.flatnonzero(np.abs(shift) + (ask - bid) >= self.half >> 1)
        for index in far.tolist():
            touched.append(self.reset(index, int(bid[index]), int(ask[index])))
            shift[index] = 0
        self._edges(shift, bid, ask, touched)
        self._passed(bid, ask, touched)
        self.bid[:], self.ask[:] = bid, ask
        self._renew(busy, touched)
        return touched

    def _edges(self, shift: Ints, bid: Ints, ask: Ints, touched: list[Ints]) -> None:
        """Ticks that leave and enter the windows; they share their slots."""
        length = np.abs(shift)
        index, at = _ragged(length)
        if not len(index):
            return
        up = shift[index] > 0
        entering = np.where(up, self.centre[index] + self.half[index] + at,
                            self.centre[index] - self.half[index] - 1 - at)
        leaving = np.where(up, entering - self.width[index], entering + self.width[index])
        slots = self.slots(index, entering)
        gone = self.q[slots] > 0
        away = np.where(up, entering - ask[index], bid[index] - entering)
        fresh = self._fresh(index, away, ~up)
        there = (self._rng.random(len(index)) < self._occupied[index]) & (entering > 0)
        self.q[slots] = np.where(there, fresh, 0)
        base = index << SHIFT
        touched.append(base[gone] + leaving[gone])
        touched.append(base[there] + entering[there])
        self.centre += shift

    def _passed(self, bid: Ints, ask: Ints, touched: list[Ints]) -> None:
        """Ticks that the touches pass over change side; both touches always have quantity."""
        low, high = np.minimum(self.bid, bid), np.maximum(self.ask, ask)
        index, at = _ragged(high - low + 1)
        tick = at + low[index]
        slots = self.slots(index, tick)
        old = self.q[slots]
        was_bid, was_ask = tick <= self.bid[index], tick >= self.ask[index]
        is_bid, is_ask = tick <= bid[index], tick >= ask[index]
        stays = ((is_bid & was_bid) | (is_ask & was_ask)) & (old > 0)
        need = np.flatnonzero(~stays)
        if not len(need):
            return
        where, bids = index[need], is_bid[need]
        away = np.where(bids, bid[where] - tick[need], np.maximum(0, tick[need] - ask[where]))
        fresh = np.where(bids | is_ask[need], self._fresh(where, away, bids), 0)
        self.q[slots[need]] = fresh
        changed = (fresh > 0) | (old[need] > 0)
        touched.append((where[changed] << SHIFT) + tick[need][changed])

    def _renew(self, busy: int, touched: list[Ints]) -> None:
        """Some levels of each book get another quantity, or go."""
        rng = self._rng
        index = np.repeat(np.arange(self.count), self._updates * busy)
        total = len(index)
        draw = rng.random((3, total))
        near = -6.0 * np.log1p(-np.minimum(0.999, draw[0] / 0.75))
        reach = self.half[index] - (self.ask[index] - self.bid[index]) - 3
        deep = 1.0 - np.sqrt(np.maximum(0.0, (draw[0] - 0.75) * 4.0))
        away = np.where(draw[0] < 0.75, near, deep * reach).astype(np.int64)
        away = np.minimum(away, reach)
        bids = draw[1] < 0.5
        tick = np.where(bids, self.bid[index] - away, self.ask[index] + away)
        fresh = self._fresh(index, away, bids)
        leave = np.where(away > DENSE, 1.0 - self._occupied[index], np.where(away >= 3, 0.12, 0.0))
        fresh = np.where(draw[2] < leave, 0, fresh)
        fine = tick > 0
        index, tick, fresh = index[fine], tick[fine], fresh[fine]
        slots = self.slots(index, tick)
        changed = self.q[slots] != fresh
        self.q[slots] = fresh
        touched.append((index[changed] << SHIFT) + tick[changed])


def _ragged(length: Ints) -> tuple[Ints, Ints]:
    """Contract and place within it for ranges of these lengths laid one behind the other."""
    index: Ints = np.repeat(np.arange(len(length)), length)
    starts: Any = np.cumsum(length) - length
    at: Ints = np.arange(len(index)) - starts[index]
    return index, at
