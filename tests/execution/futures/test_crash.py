"""A crash at every named step of every operation: nothing sent twice, nothing naked, books exact (P10)."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from modules.exchange.types import OrderRequest, OrderType, Unavailable
from modules.execution import executor
from modules.execution.crashpoints import declared
from modules.execution.futures import books, desk, exits, guard
from tests.execution.futures.house import D, House, Venue

ROOMS = (executor, books, desk, exits, guard)
POINTS = sorted(name for name, module in declared().items() if module in {room.__name__ for room in ROOMS})
OPERATIONS = ("entry", "enlarge", "move", "close", "cancel", "partial")


class Crashed(BaseException):
    """The process is gone; nothing may catch this."""


class Bomb:
    """Ends whatever runs at the named point, once, and everything that runs later in the dead process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.name, self.armed, self.struck = name, False, False
        for room in ROOMS:
            monkeypatch.setattr(room, "crash_point", self.pass_)

    def pass_(self, name: str) -> None:
        if self.armed and (self.struck or name == self.name):
            self.struck = True
            raise Crashed(name)


async def operate(house: House, name: str) -> None:
    """The operation that is under way at the death."""
    match name:
        case "entry":
            await house.desk.enter(house.ask(), "wish", "cause")
        case "enlarge":
            await house.desk.enter(house.ask(stop="1905"), "more", "cause")
        case "move":
            await house.desk.move(house.leg, D(1910), D(2150))
            await house.desk.look()
        case "close":
            await house.desk.close(house.leg, "test")
        case "cancel":
            await house.desk.enter(house.ask(kind=OrderType.LIMIT, price="1990"), "rest", "cause", rest_s=0.02)
        case "partial":
            house.venue.depth = D("0.2")
            await house.desk.enter(house.ask("2", kind=OrderType.LIMIT, price="2000.02"), "part", "cause", rest_s=0.03)
    await house.reconciler.pass_()


async def die(house: House, bomb: Bomb, name: str) -> None:
    """Carry the operation out until the bomb goes off, then end the process's tasks."""
    bomb.armed = True
    try:
        await operate(house, name)
        for _ in range(3):
            await house.settle(1)
    except (Crashed, Unavailable):
        pass
    finally:
        tasks = list(house.desk._busy)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        bomb.armed = False


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("point", POINTS)
async def test_a_death_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, name: str) -> None:
    bomb = Bomb(monkeypatch, point)
    house = await House(tmp_path, Venue()).open()
    try:
        await house.start()
        if name in ("enlarge", "move", "close"):
            await house.desk.enter(house.ask(), "first")
            await house.settle()
        await die(house, bomb, name)
        await house.attach()
        await house.desk.guard_first()
        assert not await house.naked(), "the first look after a death covers everything"
        await house.reconciler.open(["ETHUSDT"])
        report = await house.settle(200)
        assert report.clean, report
        assert not await house.naked()
        assert house.books.wallet() == (await house.account.wallet()).balance
        sent = Counter(one.client_id for one in house.account.placed)
        assert max(sent.values(), default=0) <= 1
        entries = [one for one in house.account.placed if isinstance(one, OrderRequest) and not one.reduce_only]
        assert len(entries) <= (2 if name == "enlarge" else 1)
        held = sum(one.quantity for one in await house.account.positions())
        if name == "close" and house.books.plans:
            assert not bomb.struck or held == 1, "the wish died before it was written"
    finally:
        await house.close()
