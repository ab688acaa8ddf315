"""The order for a part of a leg: what becomes of it when its answer is lost, and whose fills are whose."""

from decimal import Decimal

import pytest

from modules.exchange.futures_types import TriggerLookup
from modules.exchange.types import Absent
from modules.execution.futures.part import Fate, PartTake
from tests.execution.futures.conftest import Make
from tests.execution.futures.house import House

D = Decimal


async def placed(house: House, price: str, quantity: str = "0.5") -> Fate:
    market = (await house.venue.contracts())["ETHUSDT"]
    return await PartTake(house.desk).place(house.books.plans[house.leg], market, D(price), D(quantity))


async def test_a_leg_is_not_forgotten_while_the_end_of_its_part_is_unknown(make: Make,
                                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """It would come to stand on a flat leg, and close a part of the next position at a price of the old one."""
    house = await make()
    await house.desk.enter(house.ask(), "s")
    house.account.faults = ["guard swallowed"]
    assert await placed(house, "2100") is Fate.UNKNOWN
    late = house.account.placed[-1]
    settled, known = house.desk.guard.settle, False

    async def not_yet(entry: object, window_ms: int) -> bool:
        return known and await settled(entry, window_ms)  # type: ignore[arg-type]

    monkeypatch.setattr(house.desk.guard, "settle", not_yet)
    assert (await house.desk.close(house.leg, "test")).flat
    for _ in range(5):
        await house.desk.look()
        house.desk.resume()
    await house.account.place_trigger(late)  # type: ignore[arg-type]
    known = True
    await house.settle()
    for _ in range(3):
        await house.desk.look()
    assert not await house.triggers() and house.leg not in house.books.plans


async def test_a_stop_is_known_as_ours_though_the_part_was_replaced_often_since(make: Make) -> None:
    """An entry that fills piece by piece has its part replaced at each piece."""
    house = await make()
    await house.desk.enter(house.ask(), "s")
    parts, plan = PartTake(house.desk), house.books.plans[house.leg]
    for number in range(12):
        assert await parts.withdraw(plan) is Fate.NONE
        assert await placed(house, "2100", f"0.{number + 10}") is Fate.STANDING
    house.venue.price["ETHUSDT"] = D(1890)
    report = await house.settle()
    assert report.clean and not await house.account.positions()
    assert not [word for word in house.words if word.key.startswith("foreign")]


async def test_a_plan_made_again_from_its_entry_knows_the_part_that_stands(make: Make) -> None:
    """Under another slot a second one would go out, and both would close their half."""
    house = await make()
    await house.desk.enter(house.ask(), "s")
    assert await placed(house, "2100") is Fate.STANDING
    before = house.books.plans.pop(house.leg)
    await house.desk.look()
    again = house.books.plans[house.leg]
    assert again == before
    assert await PartTake(house.desk).fate(again) is Fate.STANDING


async def test_one_that_stood_and_is_not_shown_for_a_moment_gets_no_second_one(make: Make,
                                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """A venue took it and answers from a copy that does not have it yet: two would close their part twice (X4)."""
    house = await make()
    await house.desk.enter(house.ask(), "s")
    shown = house.account.trigger

    async def absent(symbol: str, client_id: str) -> TriggerLookup:
        return Absent(client_id)

    monkeypatch.setattr(house.account, "trigger", absent)
    plan, parts = house.books.plans[house.leg], PartTake(house.desk)
    assert await placed(house, "2100") is Fate.STANDING
    assert await parts.fate(plan) is Fate.UNKNOWN and await parts.withdraw(plan) is Fate.UNKNOWN
    monkeypatch.setattr(house.account, "trigger", shown)
    assert await parts.fate(plan) is Fate.STANDING


async def test_one_that_stays_absent_beyond_the_window_is_gone(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the target would never be taken by anybody."""
    house = await make()
    await house.desk.enter(house.ask(), "s")
    assert await placed(house, "2100") is Fate.STANDING
    asked: list[str] = []

    async def absent(symbol: str, client_id: str) -> TriggerLookup:
        asked.append(client_id)
        return Absent(client_id)

    monkeypatch.setattr(house.account, "trigger", absent)
    began, now_ms = house.venue.clock.now_ms(), house.venue.clock.now_ms
    monkeypatch.setattr(house.venue.clock, "now_ms", lambda: max(began + 60_000, now_ms()))
    assert await PartTake(house.desk).fate(house.books.plans[house.leg]) is Fate.NONE
    assert len(asked) == 2, "said twice (X4)"
