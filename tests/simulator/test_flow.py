"""How the market reaches resting orders, on a path drawn by hand: queues, priority, prices moving through."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modules.simulator.accounts import Order
from modules.simulator.book import BUY, SELL
from modules.simulator.flow import Flow
from tests.simulator.test_matching import resting

VOLUME = 6000.0


class DrawnBook:
    """Model makers with a fixed ladder that remembers what was taken."""

    def __init__(self, ladder: list[tuple[int, int]]) -> None:
        self.standing = ladder
        self.taken: list[tuple[int, int]] = []

    def ladder(self, slot: int, ms: int, side: str) -> list[tuple[int, int]]:
        return self.standing

    def take(self, slot: int, ms: int, side: str, tick: int, steps: int, worth: float) -> None:
        self.taken.append((tick, steps))


def flow(*prices: float, ladder: list[tuple[int, int]] | None = None, spread: int = 2) -> Flow:
    """A minute whose path walks evenly through prices; half of the volume sells."""
    corners = [(i / (len(prices) - 1), p) for i, p in enumerate(prices)]
    market: Any = SimpleNamespace(
        legs=lambda slot, minute: (corners, VOLUME), spread=lambda slot, ms: spread,
        source=SimpleNamespace(pressure=lambda slot, minute: 0.0))
    book: Any = DrawnBook(ladder or [])
    return Flow(market, book)


def run(moving: Flow, *orders: Order, until_ms: int = 60_000) -> list[tuple[int, int]]:
    """(order, steps) of a minute's executions, booked as the venue books them."""
    done = []

    def open_of(side: str) -> list[Order]:
        return [o for o in orders if o.side == side and o.remaining > 0]

    for order, steps, _ in moving.reach(0, 0, until_ms, open_of):
        order.filled += steps
        done.append((order.seq, steps))
    return done


@pytest.mark.parametrize("side,price,mine", [(BUY, 1000.0, 1000), (SELL, 1000.0, 1000)])
def test_the_best_price_gets_all_the_flow_of_its_side(side: str, price: float, mine: int) -> None:
    order = resting(1, side, mine, 10**9)
    run(flow(price, price, spread=4), order)
    assert order.filled == VOLUME / 2, "half of the minute's volume, no more"


def test_a_part_of_the_minute_brings_its_part_of_the_flow() -> None:
    order = resting(1, BUY, 1000, 10**9)
    run(flow(1000.0, 1000.0, spread=4), order, until_ms=15_000)
    assert order.filled == VOLUME / 2 / 4


def test_who_shares_the_best_price_waits_for_those_before_him() -> None:
    behind, soon = resting(1, BUY, 1000, 10**9, ahead=10_000), resting(1, BUY, 1000, 10**9, ahead=1000)
    assert run(flow(1001.5, 1001.5), behind) == []
    assert behind.ahead == 10_000 - VOLUME / 2, "but the queue gets shorter"
    run(flow(1001.5, 1001.5), soon)
    assert soon.filled == VOLUME / 2 - 1000 and soon.ahead == 0


def test_when_the_market_leaves_a_price_behind_its_queue_is_gone() -> None:
    order = resting(1, BUY, 1000, 10**9, ahead=10**6)
    run(flow(1000.0, 1000.0, spread=4), order)
    assert order.ahead == 0 and order.filled > 0


def test_better_prices_first_then_older_orders() -> None:
    worse, older, younger = resting(1, BUY, 1001, 2500), resting(2, BUY, 1002, 2000), resting(3, BUY, 1002, 2000)
    done = run(flow(1000.0, 1000.0, spread=6), worse, younger, older)
    assert done == [(2, 2000), (3, 1000)], "3,000 steps sell in this minute"


def test_a_price_that_comes_through_takes_what_stands_and_no_more() -> None:
    moving = flow(1010.0, 990.0, ladder=[(998, 700), (999, 800), (1004, 5000)])
    order = resting(1, BUY, 1000, 100_000)
    run(moving, order)
    reached = VOLUME / 2 * (1 - 9 / 20)
    assert order.filled == int(1500 + reached)
    assert moving._book.taken == [(998, 700), (999, 800)]  # type: ignore[attr-defined]


def test_no_trades_no_fills() -> None:
    moving = flow(1000.0, 1000.0, spread=4)
    moving._market.legs = lambda slot, minute: ([(0.0, 1000.0), (1.0, 1000.0)], 0.0)  # type: ignore[method-assign]
    order = resting(1, BUY, 1000, 10)
    assert run(moving, order) == []
