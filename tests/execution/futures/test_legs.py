"""Whose leg a fill is booked in: the one that the venue names; the ordered one only where it names none."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from modules.exchange.types import Accepted, Fill, OrderRequest, OrderType, PositionSide, Side
from modules.execution.futures.plan import LegKey
from modules.execution.invariants import Rule
from tests.execution.futures.conftest import Make
from tests.execution.futures.house import SYMBOL, D, House

SHORT = LegKey(SYMBOL, PositionSide.SHORT)


def told(house: House, monkeypatch: pytest.MonkeyPatch, change: Callable[[Fill], Fill]) -> None:
    """The venue's lists of fills, changed."""
    fills = house.account.fills

    async def changed(symbol: str, since_ms: int) -> Sequence[Fill]:
        return [change(fill) for fill in await fills(symbol, since_ms)]

    monkeypatch.setattr(house.account, "fills", changed)


async def test_a_venue_that_names_another_leg_than_the_ordered_one_is_not_covered_up(
        make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await make()
    told(house, monkeypatch, lambda fill: replace(fill, position_side=PositionSide.SHORT))
    await house.desk.enter(house.ask(), "s")
    await house.reconciler.pass_()
    assert house.books.held(SHORT) == 1 and house.books.held(house.leg) == 0
    words = [word for word in house.words if word.key.startswith("leg ")]
    assert len(words) == 1 and "SHORT" in words[0].what and "LONG" in words[0].what
    assert set(house.books.blocked) >= {str(house.leg), str(SHORT)}, "neither takes entries until somebody has looked"


async def test_it_is_told_too_where_the_first_to_read_it_is_a_pass(make: Make,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    house = await make()
    told(house, monkeypatch, lambda fill: fill)
    await house.desk.enter(house.ask(take=None), "s")
    told(house, monkeypatch, lambda fill: replace(fill, position_side=PositionSide.SHORT) if fill.side == "SELL"
         else fill)
    house.venue.price[SYMBOL] = D(1890)  # the stop fires; only the pass reads its fill
    for _ in range(3):
        await house.reconciler.pass_()
    assert [word for word in house.words if word.key.startswith("leg ")]


async def test_a_venue_that_names_no_leg_is_booked_as_ordered(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await make()
    told(house, monkeypatch, lambda fill: replace(fill, position_side=PositionSide.BOTH, leg_named=False))
    await house.desk.enter(house.ask(), "s")
    assert (await house.settle()).clean and house.books.held(house.leg) == 1
    house.venue.price[SYMBOL] = D(1890)
    assert (await house.settle()).clean and not house.books.legs() and not house.books.blocked
    assert not [word for word in house.words if word.key.startswith(("leg ", "conflict"))]


def by_hand(side: Side, quantity: str, leg: PositionSide) -> OrderRequest:
    return OrderRequest("hand", SYMBOL, side, OrderType.MARKET, D(quantity), position_side=leg)


async def test_a_position_that_somebody_turned_round_is_told_as_unguarded(make: Make) -> None:
    """One-way mode: our stop would close a long position; what is held now is a short one."""
    house = await make(hedge=False)
    await house.desk.enter(house.ask(), "s")
    await house.settle()
    assert isinstance(await house.account.place(by_hand(Side.SELL, "3", PositionSide.BOTH)), Accepted)
    for _ in range(3):
        await house.desk.look()
        report = await house.reconciler.pass_()
    assert [word for word in house.words if word.key.startswith("turned ")]
    assert not [word for word in house.words if "it is guarded" in word.todo]
    assert any(check.rule is Rule.PROTECTED and check.ok is False for check in report.checks)


@pytest.mark.parametrize("ours", [True, False], ids=["our leg", "a leg without a plan"])
async def test_a_trade_by_hand_says_truly_whether_the_rest_is_guarded(make: Make, ours: bool) -> None:
    house = await make()
    if ours:
        await house.desk.enter(house.ask(), "s")
        await house.settle()
    side = Side.SELL if ours else Side.BUY
    assert isinstance(await house.account.place(by_hand(side, "0.4", PositionSide.LONG)), Accepted)
    await house.settle(5)
    (word,) = [one for one in house.words if one.key.startswith("foreign ")]
    assert ("guarded as it is now" in word.todo) is ours and ("no stop of ours" in word.todo) is not ours


async def test_a_setting_that_is_not_as_it_must_be_is_told_in_words_and_stays_readable(make: Make) -> None:
    """A person reads it on a phone, and /scalper and /btc go on showing it."""
    house = await make(leverage=5)
    house.desk.terms = replace(house.desk.terms, leverage=7)
    await house.desk.verify([SYMBOL])
    (word,) = [one for one in house.words if one.key.startswith("setup ")]
    assert word.why == "The exchange has 5x ISOLATED" and "7x ISOLATED" in word.todo
    assert house.desk.unset == f"{SYMBOL} has 5x ISOLATED, not 7x ISOLATED"
