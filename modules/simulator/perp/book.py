"""Order books: the model's makers and the users' orders at one price-time priority; what changed is published.

A user's order joins behind the model's quantity that stands at its price (`ahead`). What the model adds later goes
behind it, what the model takes away comes out in proportion. A taker fills better prices first, at one price in the
order of time. Depth ids: each change of a level counts one up; a slice is published as [first, last] with the
`prev_last` of the slice before, and a snapshot carries the id at its instant, so snapshot + later slices = book.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from modules.simulator.perp.api import Listener
from modules.simulator.perp.levels import SHIFT, TICK_MASK, Ints, Levels
from modules.simulator.perp.records import Order

#: (maker's order or None for the model, steps)
Chunk = tuple[Order | None, int]


class Makers(Protocol):
    """Whose orders the books hold."""

    def may_fill(self, order: Order) -> int:
        """Steps that may fill now: what remains, or what a reduce-only order can still close."""

    def filled(self, order: Order, tick: int, steps: int, place: int) -> None:
        """A maker traded; `place` counts the trades of this taker at this price from 0."""

    def own_met(self, order: Order) -> None:
        """A maker that its own account would have met, or that may not fill, was taken out."""


class Books:
    """All books. `makers` is told of each user's maker that a taker reaches."""

    def __init__(self, levels: Levels, first_id: int, makers: Makers) -> None:
        self.levels = levels
        self._makers = makers
        n = levels.count
        self._users: list[tuple[dict[int, list[Order]], dict[int, list[Order]]]] = [({}, {}) for _ in range(n)]
        self._busy: set[int] = set()  # contracts with users' orders
        self._model_seen: dict[tuple[int, int], int] = {}
        self.best_bid: list[int] = levels.bid.tolist()
        self.best_ask: list[int] = levels.ask.tolist()
        self.ids: Ints = np.full(n, first_id, dtype=np.int64)
        self._told_ids = self.ids.copy()
        self._touched: list[int] = []
        self._shown_bid, self._shown_ask = levels.bid.copy(), levels.ask.copy()
        self._shown_qty: NDArray[np.int64] = np.zeros((2, n), dtype=np.int64)

    # -- reading -----------------------------------------------------------------------------------------

    def model_at(self, index: int, tick: int) -> int:
        """The model's quantity at a tick."""
        slot = self.levels.slot(index, tick)
        return int(self.levels.q[slot]) if slot >= 0 else 0

    def at(self, index: int, tick: int) -> int:
        """Quantity shown at a tick, both kinds of makers."""
        shown = self.model_at(index, tick)
        for side in self._users[index]:
            for order in side.get(tick, ()):
                shown += order.remaining
        return shown

    def bid(self, index: int) -> int:
        """Best bid, ticks; 0 where there is none."""
        mine = self._users[index][0]
        return max(self.best_bid[index], max(mine)) if mine else self.best_bid[index]

    def ask(self, index: int) -> int:
        """Best ask, ticks; 0 where there is none."""
        mine, model = self._users[index][1], self.best_ask[index]
        if not mine:
            return model
        return min(model, min(mine)) if model else min(mine)

    def snapshot(self, index: int, limit: int) -> tuple[int, list[tuple[int, int]], list[tuple[int, int]]]:
        """(id at this instant, bids, asks), best first, `limit` levels each."""
        levels = self.levels
        low, high = int(levels.centre[index] - levels.half[index]), int(levels.centre[index] + levels.half[index])
        sides: list[list[tuple[int, int]]] = []
        for mine, ticks in (
            (self._users[index][0], np.arange(int(levels.bid[index]), low - 1, -1)),
            (self._users[index][1], np.arange(int(levels.ask[index]), high)),
        ):
            quantity = levels.q[levels.slots(np.full(len(ticks), index), ticks)]
            some = np.flatnonzero(quantity > 0)[:limit]
            found = dict(zip(ticks[some].tolist(), quantity[some].tolist(), strict=True))
            for tick, orders in mine.items():
                found[tick] = found.get(tick, 0) + sum(order.remaining for order in orders)
            sides.append(sorted(found.items(), reverse=not sides)[:limit])
        return int(self.ids[index]), sides[0], sides[1]

    # -- users' orders -----------------------------------------------------------------------------------

    def rest(self, order: Order) -> None:
        """Put what remains of an order into its queue."""
        index, tick = order.index, order.price
        levels = self.levels
        mine = self._users[index][0 if order.side.sign > 0 else 1]
        same_side = tick <= levels.bid[index] if order.side.sign > 0 else tick >= levels.ask[index]
        order.ahead = self.model_at(index, tick) if same_side else 0
        mine.setdefault(tick, []).append(order)
        self._model_seen[index, tick] = order.ahead
        self._busy.add(index)
        self.touch(index, tick)

    def remove(self, order: Order) -> None:
        """Take an order out of its queue."""
        index, tick = order.index, order.price
        mine = self._users[index][0 if order.side.sign > 0 else 1]
        queue = mine[tick]
        queue.remove(order)
        if not queue:
            del mine[tick]
            self._model_seen.pop((index, tick), None)
            if not any(self._users[index]):
                self._busy.discard(index)
        self.touch(index, tick)

    def reduce(self, order: Order, qty: int) -> None:
        """A smaller quantity keeps its place."""
        order.qty = qty
        self.touch(order.index, order.price)

    def resting(self, index: int) -> list[Order]:
        """The users' orders of a contract."""
        return [order for side in self._users[index] for queue in side.values() for order in queue]

    def touch(self, index: int, tick: int) -> None:
        """A level changed beside the slices."""
        self._touched.append((index << SHIFT) + tick)
        self.ids[index] += 1

    # -- takers ------------------------------------------------------------------------------------------

    def available(self, index: int, sign: int, steps: int, limit: int, account: str) -> int:
        """Steps (up to `steps`) that a taker could get within a limit price, not counting its own orders."""
        found = 0
        levels = self.levels
        mine = self._users[index][1 if sign > 0 else 0]
        for tick, queue in mine.items():
            if (limit - tick) * sign >= 0:
                found += sum(order.remaining for order in queue if order.account != account)
        tick = self.best_ask[index] if sign > 0 else self.best_bid[index]
        centre, half = int(levels.centre[index]), int(levels.half[index])
        while found < steps and tick and (limit - tick) * sign >= 0 and centre - half <= tick < centre + half:
            found += self.model_at(index, tick)
            tick += sign
        return min(found, steps)

    def take(
        self, index: int, sign: int, steps: int, limit: int, account: str = "",
        level: Callable[[int, list[Chunk]], None] | None = None,
    ) -> int:
        """Match a taker (sign +1 buys) within `limit` ticks; `level(tick, chunks)` after each price. Steps left."""
        while steps > 0:
            tick = self.ask(index) if sign > 0 else self.bid(index)
            if not tick or (limit - tick) * sign < 0:
                break
            chunks, steps = self._at_level(index, sign, tick, steps, account)
            self.touch(index, tick)
            if chunks and level is not None:
                level(tick, chunks)
        return steps

    def _at_level(self, index: int, sign: int, tick: int, steps: int, account: str) -> tuple[list[Chunk], int]:
        levels = self.levels
        slot = levels.slot(index, tick)
        on_side = tick >= levels.ask[index] if sign > 0 else tick <= levels.bid[index]
        model = int(levels.q[slot]) if slot >= 0 and on_side else 0
        chunks: list[Chunk] = []
        used = 0
        mine = self._users[index][1 if sign > 0 else 0]
        if tick in mine:
            for order in list(mine[tick]):
                if order.status.final:  # an earlier fill of this taker ended it
                    continue
                before = min(steps, max(0, min(order.ahead, model) - used))
                if before:
                    chunks.append((None, before))
                    used, steps = used + before, steps - before
                if not steps:
                    break
                got = min(steps, self._makers.may_fill(order))
                if order.account == account or not got:  # self-trade prevention: the maker expires
                    self.remove(order)
                    self._makers.own_met(order)
                    continue
                chunks.append((order, got))
                steps -= got
                if got == order.remaining:
                    self.remove(order)
                self._makers.filled(order, tick, got, len(chunks) - 1)
        rest = min(steps, model - used)
        if rest:
            chunks.append((None, rest))
            used, steps = used + rest, steps - rest
        if used:
            self._consume(index, sign, tick, slot, model - used, used)
        return chunks, steps

    def _consume(self, index: int, sign: int, tick: int, slot: int, left: int, used: int) -> None:
        self.levels.q[slot] = left
        for order in self._users[index][1 if sign > 0 else 0].get(tick, ()):
            order.ahead = max(0, order.ahead - used)
        if (index, tick) in self._model_seen:
            self._model_seen[index, tick] = left
        if not left:
            self._next_best(index, sign, tick)

    def _next_best(self, index: int, sign: int, tick: int) -> None:
        levels = self.levels
        best = self.best_ask if sign > 0 else self.best_bid
        if tick != best[index]:
            return
        while True:
            tick += sign
            slot = levels.slot(index, tick)
            if slot < 0 or tick <= 0:
                best[index] = 0
                return
            if levels.q[slot] > 0:
                best[index] = tick
                return

    # -- slices ------------------------------------------------------------------------------------------

    def crossed(self, bid: Ints, ask: Ints) -> list[tuple[int, int, int]]:
        """Users' orders that new touches would pass: (contract, taker's sign, tick), best price first."""
        found: list[tuple[int, int, int]] = []
        for index in self._busy:
            bids, asks = self._users[index]
            found += [(index, -1, tick) for tick in sorted(bids, reverse=True) if tick >= ask[index]]
            found += [(index, 1, tick) for tick in sorted(asks) if tick <= bid[index]]
        return sorted(found, key=lambda row: row[0])

    def clear_before(self, index: int, sign: int, tick: int) -> int:
        """The model's makers better than `tick` go (they moved with the price); steps to fill the queue there."""
        levels = self.levels
        best = self.best_ask if sign > 0 else self.best_bid
        while best[index] and (tick - best[index]) * sign > 0:
            at = best[index]
            levels.q[levels.slot(index, at)] = 0
            self.touch(index, at)
            self._next_best(index, sign, at)
        queue = self._users[index][1 if sign > 0 else 0].get(tick, [])
        most = max((order.ahead for order in queue), default=0)
        return most + sum(order.remaining for order in queue)

    def requote(self, bid: Ints, ask: Ints, lean: NDArray[np.float64], busy: int) -> list[Ints]:
        """Let the model's makers follow the price; users' places in their queues are kept."""
        touched = self.levels.requote(bid, ask, lean, busy)
        self.best_bid, self.best_ask = bid.tolist(), ask.tolist()
        for (index, tick), before in self._model_seen.items():
            now = self.model_at(index, tick)
            if now < before:
                for side in self._users[index]:
                    for order in side.get(tick, ()):
                        order.ahead = order.ahead * now // before
            self._model_seen[index, tick] = now
        return touched

    def withdraw(self, index: int) -> Ints:
        """Empty a contract's model levels; keys of what stood there."""
        levels = self.levels
        centre, half = int(levels.centre[index]), int(levels.half[index])
        ticks = np.arange(centre - half, centre + half)
        slots = levels.slots(np.full(len(ticks), index), ticks)
        keys: Ints = (index << SHIFT) + ticks[levels.q[slots] > 0]
        levels.q[slots] = 0
        return keys

    def touch_all(self, keys: Ints) -> None:
        """Note changes made beside the slices (a reset window)."""
        self._touched += keys.tolist()
        self.ids[int(keys[0]) >> SHIFT] += len(keys)

    def publish(self, ms: int, touched: list[Ints], listeners: list[Listener]) -> None:
        """Tell every changed level since the last slice, and every changed touch."""
        keys = np.unique(np.concatenate([*touched, np.array(self._touched, dtype=np.int64)]))
        self._touched.clear()
        levels = self.levels
        best_bid, best_ask = np.array(self.best_bid), np.array(self.best_ask)
        for one in self._busy:
            best_bid[one], best_ask[one] = self.bid(one), self.ask(one)
        best_ask = np.where(best_ask == 0, TICK_MASK, best_ask)
        index, tick = keys >> SHIFT, keys & TICK_MASK
        shown = np.where(levels.inside(index, tick), levels.q[levels.slots(index, tick)], 0)
        if self._busy:
            self._add_users(keys, shown)
        is_bid, is_ask = tick <= best_bid[index], tick >= best_ask[index]
        bid_rows = np.flatnonzero(is_bid | (tick <= self._shown_bid[index]))
        ask_rows = np.flatnonzero(is_ask | (tick >= self._shown_ask[index]))
        bids = _Split(index, tick, np.where(is_bid, shown, 0), bid_rows, levels.count)
        asks = _Split(index, tick, np.where(is_ask, shown, 0), ask_rows, levels.count)
        self.ids += np.bincount(index[bid_rows], minlength=levels.count)
        self.ids += np.bincount(index[ask_rows], minlength=levels.count)
        previous, last = self._told_ids.tolist(), self.ids.tolist()
        for listener in listeners:
            tell = listener.depth
            for one in np.flatnonzero(self.ids > self._told_ids).tolist():
                tell(one, ms, bids.of(one), asks.of(one), previous[one] + 1, last[one], previous[one])
        self._told_ids = self.ids.copy()
        self._touches(ms, best_bid, best_ask, last, listeners)
        self._shown_bid, self._shown_ask = best_bid, best_ask

    def _add_users(self, keys: Ints, shown: Ints) -> None:
        for one in self._busy:
            for side in self._users[one]:
                for tick, queue in side.items():
                    key = (one << SHIFT) + tick
                    row = int(np.searchsorted(keys, key))
                    if row < len(keys) and keys[row] == key:
                        shown[row] += sum(order.remaining for order in queue)

    def _touches(self, ms: int, bid: Ints, ask: Ints, ids: list[int], listeners: list[Listener]) -> None:
        levels, everyone = self.levels, np.arange(self.levels.count)
        quantity = np.stack([
            np.where(levels.inside(everyone, at), levels.q[levels.slots(everyone, at)], 0) for at in (bid, ask)])
        for one in self._busy:
            quantity[0, one], quantity[1, one] = self.at(one, int(bid[one])), self.at(one, int(ask[one]))
        changed = (
            (bid != self._shown_bid) | (ask != self._shown_ask) | (quantity != self._shown_qty).any(axis=0))
        self._shown_qty = quantity
        rows = np.flatnonzero(changed)
        told = zip(rows.tolist(), bid[rows].tolist(), quantity[0, rows].tolist(), ask[rows].tolist(),
                   quantity[1, rows].tolist(), strict=True)
        for one, bid_tick, bid_qty, ask_tick, ask_qty in told:
            for listener in listeners:
                listener.book_ticker(one, ms, ids[one], bid_tick, bid_qty, ask_tick, ask_qty)


class _Split:
    """Changed levels by contract, taken out of sorted rows."""

    def __init__(self, index: Ints, tick: Ints, qty: Ints, rows: Ints, count: int) -> None:
        self._bounds: list[int] = np.searchsorted(index[rows], np.arange(count + 1)).tolist()
        self._levels: list[tuple[int, int]] = list(zip(tick[rows].tolist(), qty[rows].tolist(), strict=True))

    def of(self, index: int) -> list[tuple[int, int]]:
        """(tick, steps) of one contract, ascending."""
        return self._levels[self._bounds[index]:self._bounds[index + 1]]
