"""Matching: what an incoming order takes, and how far market flow reaches resting orders. Pure functions.

Price-time priority. At one price those who came first are served first: the model's makers who stood there
when a resting order arrived (its `ahead`), then the order, then makers who came later. A taker never gets more
than what stands on the book at that instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modules.simulator.accounts import Order
from modules.simulator.book import BUY


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of an execution: at one price, against a resting order or (None) the model's makers."""

    tick: int
    steps: int
    maker: Order | None


def plan(
    side: str,
    ladder: Sequence[tuple[int, int]],
    resting: Iterable[Order],
    *,
    steps: int | None,
    budget: int | None,
    limit: int | None,
) -> list[Leg]:
    """Legs of a taker order of `side` against the other side of the book.

    ladder: the model's (tick, steps), best first; resting: users' orders of the other side.
    steps: amount wanted, or None; budget: money to spend in ticks × steps, or None; limit: worst price or None.
    """
    sign = 1 if side == BUY else -1
    makers: dict[int, list[Order]] = {}
    for order in resting:
        assert order.price is not None
        makers.setdefault(order.price, []).append(order)
    standing = dict(ladder)
    legs: list[Leg] = []
    for tick in sorted({*standing, *makers}, key=lambda t: sign * t):
        if limit is not None and sign * (tick - limit) > 0:
            break
        for part in _at_price(tick, standing.get(tick, 0), makers.get(tick, [])):
            take = part.steps
            if steps is not None:
                take = min(take, steps)
                steps -= take
            if budget is not None:
                take = min(take, budget // tick)
                budget -= take * tick
            if take > 0:
                legs.append(Leg(tick, take, part.maker))
            if steps == 0 or (budget is not None and budget < tick):
                return legs
    return legs


def _at_price(tick: int, standing: int, orders: list[Order]) -> list[Leg]:
    """What stands at one price, in the order of arrival."""
    parts: list[Leg] = []
    passed = 0
    for order in sorted(orders, key=lambda o: o.seq):
        before = max(0, min(order.ahead, standing) - passed)
        if before:
            parts.append(Leg(tick, before, None))
            passed += before
        parts.append(Leg(tick, order.remaining, order))
    if standing > passed:
        parts.append(Leg(tick, standing - passed, None))
    return parts


@dataclass(frozen=True, slots=True)
class Reach:
    """How a piece of the price path treats a resting order.

    better: share of the time in which the order was the best price; touch: in which it shared the best price
    with the model's makers; crossed: the market's other side came to its price.
    """

    better: float
    touch: float
    crossed: bool


def reach(side: str, tick: int, spread: int, start: float, end: float) -> Reach:
    """The reach of a linear piece of path from `start` to `end` (ticks) for an order at `tick`."""
    below, above = spread // 2, spread - spread // 2
    if side == BUY:
        better = _share_below(start, end, tick + below)
        touch = _share_below(start, end, tick + below + 1) - better
        return Reach(better, touch, end + above <= tick)
    better = 1.0 - _share_below(start, end, tick - above + 1)
    touch = 1.0 - _share_below(start, end, tick - above) - better
    return Reach(better, touch, end - below >= tick)


def _share_below(start: float, end: float, level: float) -> float:
    """Share of a linear piece that lies below a level."""
    low, high = min(start, end), max(start, end)
    if high < level:
        return 1.0
    if low >= level:
        return 0.0
    return (level - low) / (high - low) if high > low else 0.0
