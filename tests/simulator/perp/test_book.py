"""The books: ids, snapshots and differences, price-time priority, places in queues."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.simulator.perp.api import Status
from tests.simulator.perp.conftest import D, World

ACTIONS = st.lists(st.tuples(
    st.sampled_from(["go", "buy", "sell", "bid", "ask", "cancel", "jump", "inside"]), st.integers(0, 1000)),
    max_size=25)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), actions=ACTIONS)
def test_snapshot_and_differences_make_the_book_whatever_users_do(seed: int, actions: list[tuple[str, int]]) -> None:
    world = World(2, seed=seed, start_usdt=D(10**7))
    for what, number in actions:
        bid, ask = world.bid, world.ask
        if what == "go":
            world.go(1 + number % 7)
        elif what in ("buy", "sell"):
            world.order(what.upper(), f"{0.001 * (2 + number % 400):.3f}")
        elif what == "bid":
            world.order("BUY", "0.05", bid - number % 40)
        elif what == "ask":
            world.order("SELL", "0.05", ask + number % 40, account=world.other)
        elif what == "inside" and ask - bid > 1:
            world.order("BUY", "0.05", bid + 1)
        elif what == "jump":
            world.venue.market.jump(0, 1 + (number - 500) / 50_000)
        elif what == "cancel":
            world.venue.cancel_all(world.trader, None)
    world.go()
    world.books_agree()
    world.identity()


@pytest.mark.parametrize("factor", [0.8, 0.97, 1.002, 1.05, 1.4])
def test_a_jump_rewrites_the_book_without_a_break(world: World, factor: float) -> None:
    world.go(3)
    world.jump(factor)
    world.go(2)
    world.books_agree()


def test_a_snapshot_between_slices_lies_in_the_next_difference(world: World) -> None:
    world.go(5)
    order = world.order("BUY", "0.5", world.bid - 3)
    world.mirror.snapshot(0)  # carries the order, and an id inside the next difference
    assert world.mirror.books[0][0][order.price] >= order.qty
    world.go()  # Mirror.depth asserts prev ≤ snapshot's id ≤ last
    world.books_agree()


def test_time_decides_at_one_price(world: World) -> None:
    world.go(2)
    price = world.ask - 1 if world.ask - world.bid > 1 else world.bid
    first = world.order("BUY", "0.010", price)
    second = world.order("BUY", "0.010", price, account=world.other)
    better = None
    if world.ask - world.bid > 1:
        better = world.order("BUY", "0.010", world.bid + 1)
    assert second.ahead >= first.ahead
    world.until(lambda: first.status is Status.FILLED)
    assert second.updated_ms >= first.updated_ms and second.filled <= second.qty
    if better is not None:
        assert better.status is Status.FILLED


def test_the_queue_ahead_fills_first_and_a_partial_fill_keeps_its_place() -> None:
    world = World(1, start_usdt=D(10**6))
    world.go(2)
    tick = world.bid
    standing = world.venue.market.books.model_at(0, tick)
    mine = world.order("BUY", "0.100", tick)
    assert mine.ahead == standing
    spec = world.venue.specs[0]
    world.order("SELL", f"{standing * spec.step:f}", account=world.other)  # eats exactly what stands ahead
    assert mine.filled == 0 and mine.ahead == 0 and world.bid == tick
    world.order("SELL", "0.040", account=world.other)
    assert (mine.status, mine.filled, mine.ahead) == (Status.PARTIALLY_FILLED, 40, 0)
    world.order("SELL", "0.070", account=world.other)
    assert mine.status is Status.FILLED
    fills = world.venue.fills_of(world.trader)
    assert [fill.qty for fill in fills] == [D("0.040"), D("0.060")] and all(fill.maker for fill in fills)
    taken = [fill for fill in world.venue.fills_of(world.other)]
    assert {fill.trade_id for fill in fills} <= {fill.trade_id for fill in taken}


def test_the_model_leaving_the_queue_moves_an_order_up_and_never_back(world: World) -> None:
    world.go(2)
    mine = world.order("BUY", "1", world.bid - 8)
    seen = [mine.ahead]
    for _ in range(200):
        world.go()
        seen.append(mine.ahead)
    assert all(later <= earlier for earlier, later in zip(seen, seen[1:], strict=False))


def test_a_price_that_moves_through_an_order_fills_it(world: World) -> None:
    world.go(2)
    mine = world.order("SELL", "0.5", world.ask + 50)
    world.jump(1.002)
    assert mine.status is Status.FILLED and mine.average == mine.price * mine.tick
    world.books_agree()


def test_prints_carry_on_without_a_hole(world: World) -> None:
    world.go(30)
    world.order("BUY", "2")
    world.go(30)
    for index in range(len(world.venue.specs)):
        mine = [one for at, one in world.mirror.prints if at == index]
        assert [one.id for one in mine] == list(range(mine[0].id, mine[0].id + len(mine)))
        assert all(b.first == a.last + 1 for a, b in zip(mine, mine[1:], strict=False))
        assert all(b.ms >= a.ms for a, b in zip(mine, mine[1:], strict=False))


def test_own_orders_never_meet(world: World) -> None:
    world.go()
    mine = world.order("SELL", "0.2", world.ask)
    taker = world.order("BUY", "1", world.ask + 20, tif=mine.tif)
    assert mine.filled == 0 and mine.status is Status.EXPIRED_IN_MATCH and taker.filled > 0
