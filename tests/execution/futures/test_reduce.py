"""A part of a leg is closed and the rest stays guarded: exactly once, whatever answers are lost or late."""

import asyncio
from pathlib import Path

import pytest

from modules.exchange.types import Unavailable
from modules.execution import executor
from modules.execution.crashpoints import declared
from modules.execution.futures import books, desk, exits, guard
from tests.execution.futures.house import D, House, Venue
from tests.execution.futures.test_crash import Bomb, Crashed

ROOMS = (executor, books, desk, exits, guard)
POINTS = sorted(name for name, module in declared().items() if module == executor.__name__ or name.startswith("exit."))


async def held(house: House) -> object:
    return [(one.quantity, one.side) for one in await house.account.positions()]


async def test_half_is_closed_and_the_guards_stay(make):
    house = await make()
    await house.desk.enter(house.ask("2"), "wish", "cause")
    out = await house.desk.reduce(house.leg, D(1), "first target")
    assert out.flat
    assert await held(house) == [(D(1), house.leg.side)]
    assert not await house.naked()
    assert [one.quantity for one in house.account.orders_of("exit")] == [D(1)]
    assert house.books.plans[house.leg].closing == ""
    assert (await house.settle()).clean
    assert (await house.desk.reduce(house.leg, D(1), "again")).flat
    assert len(house.account.orders_of("exit")) == 1


async def test_a_thin_book_takes_more_orders_but_never_more_than_the_part(make):
    house = await make()
    await house.desk.enter(house.ask("2"), "wish", "cause")
    house.venue.depth = D("0.3")
    while not (await house.desk.reduce(house.leg, D(1), "first target")).flat:
        await asyncio.sleep(0)
    assert await held(house) == [(D(1), house.leg.side)]


async def test_a_position_told_too_old_is_not_reduced_twice(make, monkeypatch):
    house = await make()
    await house.desk.enter(house.ask("2"), "wish", "cause")
    old = await house.account.positions()
    real, asked = house.account.positions, []

    async def positions():
        asked.append(1)
        return old if len(asked) <= 4 else await real()
    monkeypatch.setattr(house.account, "positions", positions)
    assert (await house.desk.reduce(house.leg, D(1), "first target")).flat
    assert [one.quantity for one in house.account.orders_of("exit")] == [D(1)]


async def test_a_lost_answer_is_asked_for_and_not_repeated(make):
    house = await make()
    await house.desk.enter(house.ask("2"), "wish", "cause")
    house.account.faults.append("lost")
    while not (await house.desk.reduce(house.leg, D(1), "first target")).flat:
        await asyncio.sleep(0.01)
    assert await held(house) == [(D(1), house.leg.side)]
    assert len(house.account.orders_of("exit")) == 1


async def test_a_flat_leg_and_a_leg_that_is_being_closed_need_nothing(make):
    house = await make()
    assert (await house.desk.reduce(house.leg, D(1), "first target")).flat
    await house.desk.enter(house.ask("2"), "wish", "cause")
    assert (await house.desk.close(house.leg, "done")).flat
    assert not (await house.desk.reduce(house.leg, D(1), "late")).flat
    assert await held(house) == []


@pytest.mark.parametrize("point", POINTS)
async def test_a_death_in_the_middle_reduces_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    bomb = Bomb(monkeypatch, point)
    house = await House(tmp_path, Venue()).open()
    try:
        await house.start()
        await house.desk.enter(house.ask("2"), "wish", "cause")
        bomb.armed = True
        try:
            await house.desk.reduce(house.leg, D(1), "first target")
        except (Crashed, Unavailable):
            pass
        bomb.armed = False
        await house.attach()
        await house.start()
        await house.settle()
        while not (await house.desk.reduce(house.leg, D(1), "first target")).flat:
            await house.settle(1)
        assert await held(house) == [(D(1), house.leg.side)]
        assert not await house.naked()
        assert (await house.settle()).clean
    finally:
        await house.close()
