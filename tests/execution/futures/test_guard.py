"""Guards where the venue hangs, or takes no order as large as the position: a stop stands all the while."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from modules.exchange import futures_paper
from modules.exchange.futures_types import TriggerKind, TriggerRequest, TriggerState, TriggerStatus
from modules.exchange.types import Accepted, Outcome, Refused, Unknown
from modules.execution.futures import desk as desks
from modules.execution.futures import guard as guards
from tests.execution.futures.conftest import Make
from tests.execution.futures.house import Account, House

D = Decimal


class Hanging:
    """`place_trigger` of an account whose next answer does not come until `free`; `arrives`: the venue took it."""

    def __init__(self, account: Account, monkeypatch: pytest.MonkeyPatch, arrives: bool) -> None:
        self._place, self._arrives = account.place_trigger, arrives
        self.asked: list[TriggerRequest] = []
        self.free = asyncio.Event()
        monkeypatch.setattr(account, "place_trigger", self.place)
        monkeypatch.setattr(guards, "PROMPT_S", 0.01)

    async def place(self, request: TriggerRequest) -> Outcome:
        self.asked.append(request)
        if len(self.asked) > 1:
            return await self._place(request)
        if self._arrives:
            await self._place(request)
        await self.free.wait()
        return Unknown("no answer")


def standing(triggers: list[TriggerState], kind: TriggerKind) -> list[TriggerState]:
    return [one for one in triggers if one.kind == kind and one.status is TriggerStatus.WAITING]


@pytest.mark.parametrize("arrives", [False, True], ids=["lost", "arrived"])
async def test_a_guard_whose_answer_hangs_is_followed_by_another_one(make: Make, monkeypatch: pytest.MonkeyPatch,
                                                                     arrives: bool) -> None:
    house = await make()
    hanging = Hanging(house.account, monkeypatch, arrives)
    async with asyncio.timeout(30):
        await house.desk.enter(house.ask(), "s")
    assert not hanging.free.is_set() and len(hanging.asked) >= 2
    assert len({one.client_id for one in hanging.asked}) == len(hanging.asked), "each under its own id"
    await house.desk.look()
    assert not await house.naked() and not house.desk.bare_since
    hanging.free.set()
    await house.settle()
    triggers = await house.triggers()
    assert len(standing(triggers, TriggerKind.STOP)) == len(standing(triggers, TriggerKind.TAKE)) == 1
    assert not house.journal.open_entries("b", "T")


async def test_a_leg_is_not_forgotten_while_the_end_of_a_guard_is_unknown(make: Make,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come to stand late, on a leg that is flat, and nobody would take it away."""
    monkeypatch.setattr(desks, "FLAT_FOR_S", 0.0)
    house = await make()
    hanging = Hanging(house.account, monkeypatch, arrives=False)
    await house.desk.enter(house.ask(), "s")
    late = hanging.asked[0]
    settled, known = house.desk.guard.settle, asyncio.Event()

    async def not_yet(entry: object, window_ms: int) -> bool:
        return await settled(entry, window_ms) if known.is_set() else False  # type: ignore[arg-type]

    monkeypatch.setattr(house.desk.guard, "settle", not_yet)
    assert (await house.desk.close(house.leg, "test")).flat
    for _ in range(5):
        await house.desk.look()
        house.desk.resume()
    assert house.leg in house.books.plans
    await hanging._place(late)
    known.set()
    await house.settle()
    for _ in range(3):
        await house.desk.look()
    assert house.leg not in house.books.plans and not await house.triggers()


async def moved(house: House) -> list[TriggerState]:
    """Looks until the stop has the new price in the closing form; a stop stands at each of them."""
    await house.desk.move(house.leg, D(1950), D(2200))
    for _ in range(20):
        assert not await house.naked()
        await house.desk.look()
    return standing(await house.triggers(), TriggerKind.STOP)


async def test_a_stop_of_more_than_one_order_may_hold_is_moved_in_parts(make: Make,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    house = await make()
    await house.desk.enter(house.ask("1"), "s")
    contracts = house.venue.contracts

    async def small(refresh: bool = False) -> object:
        return {name: replace(one, market_max=D("0.4")) for name, one in (await contracts(refresh)).items()}

    monkeypatch.setattr(house.venue, "contracts", small)
    house.account.placed.clear()
    (stop,) = await moved(house)
    assert (stop.trigger, stop.quantity) == (D(1950), None)
    parts = [one.quantity for one in house.account.placed if isinstance(one, TriggerRequest)
             and one.kind == TriggerKind.STOP and one.quantity is not None]
    assert parts == [D("0.4"), D("0.4"), D("0.2")]


async def test_a_venue_that_leaves_every_placing_unknown_is_asked_on_and_nothing_falls_over(make: Make) -> None:
    """More unknown ends than there are slots: an end is believed only after the window, the next look comes before."""
    house = await make()
    terms = house.desk.terms
    house.desk.terms = replace(terms, patience=replace(terms.patience, window_s=600.0), unprotected_s=600.0)
    house.account.faults = ["guard swallowed"] * 12
    await house.desk.enter(house.ask(), "s")
    for _ in range(8):
        await house.desk.look()
        house.desk.resume()
    assert not house.account.faults and not await house.naked()
    house.desk.terms = terms
    assert (await house.settle()).clean and not house.journal.open_entries("b", "T")


async def test_a_stop_that_was_passed_closes_at_once_though_an_earlier_placing_hangs(
        make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await make()
    hanging = Hanging(house.account, monkeypatch, arrives=False)
    house.account.faults = ["guard passed"]
    async with asyncio.timeout(30):
        await house.desk.enter(house.ask(), "s")
        while await house.account.positions():
            await asyncio.sleep(0.01)
    assert not hanging.free.is_set()
    hanging.free.set()


@pytest.mark.parametrize(("code", "found"), [("110017", guards.Cover.FLAT), ("110034", guards.Cover.FLAT),
                                             ("110015", guards.Cover.OPEN), ("110092", guards.Cover.PASSED)])
async def test_a_refusal_of_bybit_is_taken_for_what_its_list_says(make: Make, monkeypatch: pytest.MonkeyPatch,
                                                                  code: str, found: guards.Cover) -> None:
    """Taken for flat, a position would be left without a stop and nobody told."""
    house = await make()
    await house.desk.enter(house.ask(take=None), "s")
    for one in await house.triggers():
        await house.account.cancel_trigger(one.symbol, one.client_id)

    async def refuse(request: TriggerRequest) -> Outcome:
        return Refused(code, "as told")

    monkeypatch.setattr(house.account, "place_trigger", refuse)
    market = (await house.venue.contracts())["ETHUSDT"]
    assert await house.desk.guard.cover(house.books.plans[house.leg], market, D(1), None) is found


async def test_stops_that_the_venue_takes_and_never_shows_protect_nothing(make: Make,
                                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer may only say that the request was taken (Bybit); each look would send another one, and believe it."""
    house = await make()

    async def taken(request: TriggerRequest) -> Outcome:
        return Accepted(f"t{request.client_id}")

    monkeypatch.setattr(house.account, "place_trigger", taken)
    await house.desk.enter(house.ask(take=None), "s")
    async with asyncio.timeout(30):
        while await house.account.positions():
            await house.desk.look()
            await asyncio.sleep(0.01)
    assert [word for word in house.words if word.key.startswith("bare")]


async def test_the_paper_account_goes_on_looking_after_a_look_that_failed_unforeseen(
        make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody awaits that task: a fault in it would end paper stops between two questions, and be told to nobody."""
    monkeypatch.setattr(futures_paper, "LOOK_S", 0.001)
    house = await make()
    reach, failed = house.account.ledger.settle, list[str]()

    def broken(*given: object) -> bool:
        if not failed:
            failed.append("once")
            raise ZeroDivisionError("a fault of the market")
        return reach(*given)  # type: ignore[arg-type]

    await house.desk.enter(house.ask(), "s")
    monkeypatch.setattr(house.account.ledger, "settle", broken)
    async with asyncio.timeout(30):
        while not failed:
            await asyncio.sleep(0.001)
    house.venue.price["ETHUSDT"] = D(1890)
    async with asyncio.timeout(30):
        while house.account.ledger.legs:
            await asyncio.sleep(0.001)
    assert "ZeroDivisionError" in caplog.text
