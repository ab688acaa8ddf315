"""The market of all contracts, advanced in slices: prices, takers against the books, makers' quotes, marks, candles.

One slice: the takers of the slice meet the book as it stands, the model's prices move, users' orders that the new
touches would pass are taken out by takers, the makers requote, and what changed is published.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np

from modules.simulator.perp.api import Listener
from modules.simulator.perp.book import Books, Chunk, Makers
from modules.simulator.perp.candles import MINUTE_MS, Candles
from modules.simulator.perp.levels import DEPTH_SHARE, Ints, Levels
from modules.simulator.perp.marks import Marks
from modules.simulator.perp.model import EDGE, Model
from modules.simulator.perp.past import Floats, Past
from modules.simulator.perp.records import ForceOrder, Print, Spec
from modules.simulator.perp.specs import Character
from modules.simulator.perp.tape import Tape
from modules.simulator.perp.words import Side

SLICE_MS = 100
SWEEP = 0.003  # a model's taker goes no further than this from the touch
IMPACT = 0.5  # of the move that a taker's size would make in the whole depth


def slice_ms(speed: float) -> int:
    """Market ms of a slice: 100 up to speed 4, in proportion above (never more than 40 slices a wall second)."""
    return SLICE_MS * max(1, -(-int(speed * 100) // 400))


class Market:
    """Prices, books, prints and candles. Times in market ms."""

    def __init__(
        self, specs: list[Spec], characters: list[Character], seed: int, ms: int, makers: Makers,
        listeners: list[Listener], *, birth_ms: int, edge: float = EDGE,
        kept: dict[str, list[float]] | None = None,
    ) -> None:
        self.specs, self.characters, self.seed = specs, characters, seed
        self.listeners = listeners
        self.ms = ms // SLICE_MS * SLICE_MS
        self.stamp = ms  # time of the newest print or order; never goes back
        self.model = Model(characters, seed, edge)
        if kept is not None:
            self.model.restore(kept, ms, seed)
        self.levels = Levels(specs, characters, seed)
        self._tick = np.array([float(spec.tick) for spec in specs])
        self._step = [float(spec.step) for spec in specs]
        turnover = self.model.turnover
        self._spread_bp: Floats = np.minimum(5.0, 1.5 * (turnover / 1e8) ** -0.9)
        self.levels.begin(*self._touch())
        ids = [ms + 7 * index for index in range(len(specs))]  # outruns any count of prints: none comes twice
        self.books = Books(self.levels, ms * 10, makers)
        self.tape = Tape(len(specs), ids)
        past = Past(specs.copy(), characters, seed, birth_ms // MINUTE_MS)
        self.candles = Candles(past, [self.books.best_bid[i] for i in range(len(specs))])
        self.marks = Marks(specs, self.model, seed, ms)
        self._second = self.ms // 1000
        self.closed_rows: Callable[[list[Floats]], None] | None = None
        self.extremes: dict[int, list[int]] = {}  # contract → lowest and highest print since it was asked for
        self.asleep: set[int] = set()  # delisted or halted: nobody trades

    def _touch(self) -> tuple[Ints, Ints]:
        fair = np.exp(self.model.log_price) / self._tick
        wild = 1.0 + 0.3 * np.maximum(0.0, self.model.log_vol)
        spread = np.maximum(1, np.round(self._spread_bp * 1e-4 * fair * wild)).astype(np.int64)
        bid = np.maximum(1, np.floor(fair - spread / 2 + 0.5)).astype(np.int64)
        return bid, bid + spread

    # -- one slice ---------------------------------------------------------------------------------------

    def advance(self, ms: int) -> None:
        """One slice up to `ms`."""
        dt = (ms - self.ms) / 1000.0
        self._takers(dt)
        self.model.advance(dt)
        self._forced(dt)
        bid, ask = self._touch()
        if self.asleep:
            still = list(self.asleep)
            bid[still], ask[still] = self.levels.bid[still], self.levels.ask[still]
        self.ms, self.stamp = ms, max(self.stamp, ms)
        self.cross(bid, ask)
        touched = self.books.requote(bid, ask, self.model.imbalance, max(1, min(3, round(dt * 10))))
        self.books.publish(ms, touched, self.listeners)
        self.marks.refresh(dt)
        self._roll()

    def cross(self, bid: Ints, ask: Ints) -> None:
        """Takers clear the users' orders that these touches would pass."""
        for index, sign, tick in self.books.crossed(bid, ask):
            steps = self.books.clear_before(index, sign, tick)
            self.take(index, sign, steps, tick)

    def _takers(self, dt: float) -> None:
        taken = self.model.takers(dt)
        start, span = self.ms, dt * 1000.0
        books, ticks, steps_of = self.books, self._tick.tolist(), self._step
        for index, sign, quote, when in zip(taken.index, taken.sign, taken.quote, taken.when, strict=True):
            touch = books.best_ask[index] if sign > 0 else books.best_bid[index]
            if not touch or index in self.asleep:
                continue
            steps = int(quote / (touch * ticks[index] * steps_of[index])) or 1
            reach = int(touch * SWEEP) + 2
            self.stamp = max(self.stamp, start + int(when * span))
            self.take(index, sign, steps, touch + sign * reach)

    def _forced(self, dt: float) -> None:
        """Liquidations of others: takers in the direction of the move, told to everybody."""
        for index, sign, quote in self.model.liquidations(dt):
            touch = self.books.best_ask[index] if sign > 0 else self.books.best_bid[index]
            if not touch or index in self.asleep:
                continue
            steps = int(quote / (touch * self._tick[index] * self._step[index])) or 1
            bankrupt = touch + sign * (int(touch * SWEEP) + 2)
            left = self.take(index, sign, steps, bankrupt)
            if left < steps:
                one = ForceOrder(
                    self.specs[index].symbol, index, Side.BUY if sign > 0 else Side.SELL, bankrupt,
                    self.candles.last(index), steps - left, self.stamp)
                for listener in self.listeners:
                    listener.force_order(one)

    def _roll(self) -> None:
        minute = self.ms // MINUTE_MS
        if minute > self.candles.minute:
            closed = self.candles.roll(minute)
            if self.closed_rows is not None:
                self.closed_rows(closed)
            for listener in self.listeners:
                listener.candle_closed(self.ms)
        if self.ms // 1000 > self._second:
            self._second = self.ms // 1000
            for listener in self.listeners:
                listener.mark(self.ms)

    # -- takers ------------------------------------------------------------------------------------------

    def take(
        self, index: int, sign: int, steps: int, limit: int, account: str = "",
        fill: Callable[[int, list[Chunk], int], None] | None = None,
    ) -> int:
        """Match a taker; `fill(tick, chunks, first trade id)` after each price. Steps left."""

        def level(tick: int, chunks: list[Chunk]) -> None:
            one = self.print(index, sign, tick, chunks)
            if fill is not None:
                fill(tick, chunks, one.first)

        return self.books.take(index, sign, steps, limit, account, level)

    def print(self, index: int, sign: int, tick: int, chunks: list[Chunk]) -> Print:
        """Note and tell one price of a taker (sign +1 bought)."""
        steps = sum(got for _, got in chunks)
        one = self.tape.add(index, tick, steps, sign > 0, len(chunks), self.stamp)
        quote = tick * float(self._tick[index]) * steps * self._step[index]
        self.candles.add(index, tick, steps, quote, sign > 0, len(chunks))
        if index in self.extremes:
            seen = self.extremes[index]
            seen[0], seen[1] = min(seen[0], tick) if seen[0] else tick, max(seen[1], tick)
        for listener in self.listeners:
            listener.trade(index, one)
        return one

    def push(self, index: int, sign: int, quote: float) -> None:
        """Lasting impact of a user's taker: IMPACT × size ÷ depth within 1 %, as a share of 1 %; 2 % at most."""
        depth = DEPTH_SHARE * self.characters[index].turnover
        self.model.log_price[index] += sign * min(0.02, IMPACT * quote / depth * 0.01)

    # -- what acts change --------------------------------------------------------------------------------

    def jump(self, index: int, factor: float) -> None:
        """Move a price at once; the next slice quotes there."""
        self.model.jump(index, factor)

    def replace(self, index: int, spec: Spec) -> None:
        """Another spec for a contract (tick or step size); resting users' orders have to be gone."""
        old = self.specs[index]
        ticks, steps = float(old.tick / spec.tick), float(old.step / spec.step)
        self.specs[index] = spec
        self._tick[index], self._step[index] = float(spec.tick), float(spec.step)
        if ticks == 1.0 and steps == 1.0:
            return
        price = float(np.exp(self.model.log_price[index]))
        gone = self.books.withdraw(index)
        self.levels.retick(index, spec, price)
        bid, ask = self._touch()
        keys = self.levels.reset(index, int(bid[index]), int(ask[index]))
        self.books.best_bid[index], self.books.best_ask[index] = int(bid[index]), int(ask[index])
        self.books.touch_all(np.concatenate([gone, keys]))
        self.candles.rescale(index, ticks, steps)
        self.candles.past.rescale(index, spec, ticks, steps)
        self.marks.retick(index, spec)

    def mark_ticks(self, index: int) -> Decimal:
        """The mark price in ticks (a fraction)."""
        return self.marks.mark[index] / self.specs[index].tick
