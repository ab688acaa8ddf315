"""How the market reaches resting orders: taker flow along the price path, queues, and prices moving through.

Within a minute the path is a few linear pieces; each carries its share of the minute's volume, part of it
selling, part of it buying (the events' pressure). An order gets the flow of the time in which it was the best
price; sharing the best price with the model's makers it first waits until what stood before it is gone; where
the other side of the market comes to its price it takes what stands there, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modules.simulator.accounts import Order
from modules.simulator.book import BUY, SELL, ModelBook
from modules.simulator.market import Market
from modules.simulator.matching import plan, reach
from modules.simulator.rules import MIN_NOTIONAL
from modules.simulator.universe import MINUTE_MS

Execution = tuple[Order, int, int]  # order, steps, market time


class Flow:
    """Applies market flow to the users' orders of a pair; the venue books what comes of it."""

    def __init__(self, market: Market, book: ModelBook) -> None:
        self._market = market
        self._book = book

    def reach(
        self, slot: int, since_ms: int, until_ms: int, resting: Callable[[str], list[Order]]
    ) -> Iterator[Execution]:
        """Executions of resting orders in (since, until]. Book each before asking for the next one."""
        for minute in range(since_ms // MINUTE_MS, until_ms // MINUTE_MS + 1):
            if not resting(BUY) and not resting(SELL):
                return
            start = max(since_ms - minute * MINUTE_MS, 0) / MINUTE_MS
            end = min(until_ms - minute * MINUTE_MS, MINUTE_MS) / MINUTE_MS
            yield from self._minute(slot, minute, start, end, resting)

    def _minute(
        self, slot: int, minute: int, start: float, end: float, resting: Callable[[str], list[Order]]
    ) -> Iterator[Execution]:
        corners, volume = self._market.legs(slot, minute)
        if volume <= 0 or end <= start:
            return
        spread = self._market.spread(slot, minute * MINUTE_MS)
        buys = min(0.9, max(0.1, 0.5 + self._market.source.pressure(slot, minute + 0.5)))
        for (t0, p0), (t1, p1) in zip(corners, corners[1:], strict=False):
            a, b = max(t0, start), min(t1, end)
            if b <= a:
                continue
            slope = (p1 - p0) / (t1 - t0)
            piece = (p0 + slope * (a - t0), p0 + slope * (b - t0))
            ms = minute * MINUTE_MS + int(b * MINUTE_MS)
            for side, share in ((BUY, 1.0 - buys), (SELL, buys)):
                flow = volume * (b - a) * share
                yield from self._piece(resting(side), spread, piece, flow, ms)

    def _piece(
        self, orders: list[Order], spread: int, piece: tuple[float, float], flow: float, ms: int
    ) -> Iterator[Execution]:
        """One linear piece of path against one side, best price first, then oldest first."""
        sign = -1 if orders and orders[0].side == BUY else 1
        used = 0.0
        for order in sorted(orders, key=lambda o: (sign * o.limit, o.seq)):
            part = reach(order.side, order.limit, spread, *piece)
            if part.crossed:
                self._cross(order, ms)
            if part.better > 0:
                order.ahead = 0
            elif part.touch > 0:
                through = max(0.0, flow * part.touch - used)
                served = min(through, float(order.ahead))
                order.ahead -= int(served)
                order.credit += through - served
                used += through
            got = max(0.0, flow * part.better - used)
            order.credit += got
            used += min(got, float(order.remaining))
            steps = self._due(order)
            if steps:
                yield order, steps, ms

    def _cross(self, order: Order, ms: int) -> None:
        """The other side came to the order's price: it trades with what stands there."""
        other = SELL if order.side == BUY else BUY
        ladder = self._book.ladder(order.slot, ms, other)
        for leg in plan(order.side, ladder, [], steps=order.remaining, budget=None, limit=order.price):
            self._book.take(order.slot, ms, other, leg.tick, leg.steps, 0.0)
            order.credit += leg.steps

    @staticmethod
    def _due(order: Order) -> int:
        """Steps to execute now: flow that reached the order, once it is worth a trade."""
        order.credit = min(order.credit, float(order.remaining))
        steps = int(order.credit)
        small = order.at(order.limit) * order.amount(steps) < MIN_NOTIONAL
        if steps < 1 or (small and steps < order.remaining):
            return 0
        order.credit -= steps
        return steps
