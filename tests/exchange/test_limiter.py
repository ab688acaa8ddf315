"""Lanes and weight (X31): protection first, data shed first, windows in the venue's time."""

import asyncio

import pytest

from modules.exchange.limiter import RESERVE, Lane, Limiter, LocalBudget, Shed
from modules.exchange.link import BURST, REFILL, WINDOW_S


def make(capacity: float = 10, window_s: float = 1.0, speed: float = 1.0) -> Limiter:
    return Limiter(LocalBudget(capacity, capacity, window_s, lambda: speed))


async def test_data_leaves_a_reserve_that_exits_may_use() -> None:
    limiter = make(capacity=10, window_s=1000)
    for _ in range(7):
        await limiter.take("a", 1, Lane.DATA, 0.01)
    with pytest.raises(Shed) as shed:
        await limiter.take("a", 1, Lane.DATA, 0.01)
    assert shed.value.wait_s > 1
    await limiter.take("a", 1, Lane.ENTRY, 0.01)
    with pytest.raises(Shed):
        await limiter.take("a", 1, Lane.ENTRY, 0.01)
    await limiter.take("a", 1, Lane.EXIT, 0.01)
    with pytest.raises(Shed):
        await limiter.take("a", 1, Lane.EXIT, 0.01)
    await limiter.take("a", 1, Lane.PROTECT, 0.01)


async def test_buckets_are_apart() -> None:
    limiter = make(capacity=1, window_s=1000)
    await limiter.take("a", 1, Lane.PROTECT, 0.01)
    await limiter.take("b", 1, Lane.PROTECT, 0.01)
    with pytest.raises(Shed):
        await limiter.take("a", 1, Lane.PROTECT, 0.01)


async def test_waiters_go_by_lane_then_by_arrival() -> None:
    limiter = make(capacity=100, window_s=0.5)
    limiter.pause("a", 0.2)
    order: list[str] = []

    async def one(name: str, lane: Lane) -> None:
        await limiter.take("a", 1, lane, 5.0)
        order.append(name)

    names = [("data", Lane.DATA), ("entry 1", Lane.ENTRY), ("entry 2", Lane.ENTRY), ("exit", Lane.EXIT),
             ("protect", Lane.PROTECT)]
    tasks = []
    for name, lane in names:
        tasks.append(asyncio.create_task(one(name, lane)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["protect", "exit", "entry 1", "entry 2", "data"]


async def test_a_fast_market_refills_faster() -> None:
    slow, fast = make(window_s=100, speed=1.0), make(window_s=100, speed=1000.0)
    for limiter in (slow, fast):
        await limiter.take("a", 10, Lane.PROTECT, 0.01)
    with pytest.raises(Shed):
        await slow.take("a", 10, Lane.PROTECT, 0.01)
    await fast.take("a", 10, Lane.PROTECT, 2.0)


async def test_a_pause_sheds_the_impatient_and_ends() -> None:
    limiter = make()
    limiter.pause("a", 0.15)
    with pytest.raises(Shed) as shed:
        await limiter.take("other", 1, Lane.DATA, 0.01)
    assert 0 < shed.value.wait_s <= 0.15
    await limiter.take("other", 1, Lane.EXIT, 5.0)
    assert limiter.paused_s == 0


async def test_more_weight_than_a_window_holds_waits_for_a_full_bucket() -> None:
    limiter = make(capacity=10, window_s=0.05)
    await limiter.take("a", 25, Lane.DATA, 1.0)
    await limiter.take("a", 1, Lane.DATA, 1.0)


async def test_who_gives_up_makes_room() -> None:
    limiter = make(capacity=10, window_s=1000)
    await limiter.take("a", 10, Lane.PROTECT, 0.01)
    waiting = asyncio.create_task(limiter.take("a", 1, Lane.PROTECT, 500.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert limiter._waiting["a"] == []


def test_no_window_of_the_venue_holds_more_than_its_limit() -> None:
    now = [0.0]
    budget = LocalBudget(BURST, REFILL, WINDOW_S, lambda: 1.0, lambda: now[0])
    spent: list[float] = []
    while now[0] < 60:
        delay = budget.delay("ticker", 40, RESERVE[Lane.PROTECT])
        if delay > 0:
            now[0] += delay + 1e-6
            continue
        budget.spend("ticker", 40)
        spent.append(now[0])
    assert len(spent) > 30
    assert max(sum(40 for at in spent if start <= at < start + WINDOW_S) for start in spent) <= 400
