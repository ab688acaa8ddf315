"""Turns (X31): protection first, data shed first, nobody waits for a page that is never given back."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from modules.exchange.budget import PAGE_SIZE, SHEDS, Budget
from modules.exchange.lanes import Lane, in_lane, task_lane
from modules.exchange.limiter import Limiter, Shed
from modules.exchange.page import Busy, Page


def make(limit: float = 10, window_s: float = 1.0, page: Page | None = None) -> Limiter:
    return Limiter(Budget(page or Page(PAGE_SIZE), limit, window_s, lambda: 1.0))


async def use(limiter: Limiter, key: str, weight: int, lane: Lane, patience_s: float = 0.01) -> None:
    limiter.done(await limiter.take(key, weight, lane, patience_s, 1.0))


async def test_who_would_wait_too_long_is_shed_at_once() -> None:
    page = Page(PAGE_SIZE)
    limiter = make(limit=10, window_s=1000, page=page)
    for _ in range(6):
        await use(limiter, "a", 1, Lane.DATA)
    with pytest.raises(Shed) as shed:
        async with asyncio.timeout(60):
            await use(limiter, "a", 1, Lane.DATA, 600.0)
    assert shed.value.wait_s > 900 and page.cells[SHEDS] == 1
    await use(limiter, "a", 1, Lane.ENTRY)
    with pytest.raises(Shed):
        await use(limiter, "a", 1, Lane.ENTRY)
    await use(limiter, "a", 2, Lane.EXIT)
    await use(limiter, "a", 1, Lane.PROTECT)
    with pytest.raises(Shed):
        await use(limiter, "a", 1, Lane.PROTECT)
    await use(limiter, "b", 1, Lane.DATA)


async def test_waiters_go_by_lane_then_by_arrival() -> None:
    limiter = make(limit=100, window_s=0.3)
    limiter.refused("a", 0.2, banned=True)
    order: list[str] = []

    async def one(name: str, lane: Lane) -> None:
        await use(limiter, "a", 1, lane, 5.0)
        order.append(name)

    names = [("data", Lane.DATA), ("entry 1", Lane.ENTRY), ("entry 2", Lane.ENTRY), ("look", Lane.LOOKUP),
             ("exit", Lane.EXIT), ("protect", Lane.PROTECT)]
    tasks = []
    for name, lane in names:
        tasks.append(asyncio.create_task(one(name, lane)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["protect", "exit", "look", "entry 1", "entry 2", "data"]


async def test_a_waiter_goes_when_another_process_has_its_answer() -> None:
    """What is under way counts for its lease; an answer that comes sooner is noticed."""
    page = Page(PAGE_SIZE)
    ours, others = make(limit=10, window_s=0.05, page=page), make(limit=10, window_s=0.05, page=page)
    ticket = await others.take("a", 10, Lane.PROTECT, 1.0, 60.0)
    waiting = asyncio.create_task(use(ours, "a", 1, Lane.EXIT, 30.0))
    await asyncio.sleep(0)
    others.done(ticket)
    await asyncio.wait_for(waiting, 20.0)


async def test_the_lane_above_is_not_held_up_by_the_lane_below() -> None:
    limiter = make(limit=100, window_s=1000)
    for _ in range(60):
        await use(limiter, "a", 1, Lane.DATA)
    waiting = asyncio.create_task(use(limiter, "a", 1, Lane.DATA, 5000.0))
    await asyncio.sleep(0)
    await asyncio.gather(*(use(limiter, "a", 1, Lane.EXIT) for _ in range(30)))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert limiter._waiting["a"] == []


async def test_a_refusal_sheds_the_impatient_and_ends() -> None:
    limiter = make()
    limiter.refused("a", 0.15, banned=False)
    with pytest.raises(Shed) as shed:
        await use(limiter, "other", 1, Lane.DATA)
    assert 0 < shed.value.wait_s <= 0.15
    await use(limiter, "other", 1, Lane.EXIT)
    await use(limiter, "other", 1, Lane.ENTRY, 5.0)
    assert limiter.paused_s == 0


@pytest.mark.parametrize(("banned", "told", "rest_s"), [
    (False, None, 5.0), (False, 0.0, 0.05), (False, 9e4, 600.0), (True, None, 120.0), (True, 9e4, 9e4),
])
async def test_how_long_to_rest(banned: bool, told: float | None, rest_s: float) -> None:
    limiter = make()
    limiter.refused("a", told, banned=banned)
    assert limiter.paused_s == pytest.approx(rest_s, abs=0.04)


class StuckPage(Page):
    """A page whose lock a halted process holds."""

    @contextmanager
    def held(self) -> Iterator[None]:
        raise Busy
        yield


async def test_a_page_that_is_never_given_back_does_not_stop_exits() -> None:
    limiter = make(page=StuckPage(PAGE_SIZE))
    assert await limiter.take("a", 1, Lane.EXIT, 30.0, 1.0) is None
    assert await limiter.take("a", 1, Lane.PROTECT, 30.0, 1.0) is None
    limiter.done(None)
    limiter.refused("a", 5.0, banned=False)
    for lane in (Lane.ENTRY, Lane.DATA):
        with pytest.raises(Shed):
            await limiter.take("a", 1, lane, 0.05, 1.0)


async def test_work_for_an_exit_asks_in_its_lane() -> None:
    assert task_lane() is Lane.DATA
    with in_lane(Lane.EXIT):
        with in_lane(Lane.ENTRY):  # what serves an exit stays an exit's
            assert task_lane() is Lane.EXIT
        assert await asyncio.create_task(_told()) is Lane.EXIT
    assert task_lane() is Lane.DATA


async def _told() -> Lane:
    return task_lane()
