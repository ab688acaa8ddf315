"""The desk over a paper venue: covered from the first fill, out until flat, exact to the cent, whatever gets lost."""

import asyncio
import dataclasses
from collections.abc import Sequence
from decimal import Decimal

import pytest

from modules.exchange import paper_depth
from modules.exchange.futures_types import Income, MarginMode, Wallet
from modules.exchange.types import Accepted, Fill, OrderRequest, OrderType, PositionSide, Side
from modules.execution.controls import PerpRefusals
from modules.execution.executor import Filled, NothingFilled, NotPlaced
from modules.execution.futures import books
from modules.execution.futures.checklist import PerpCode
from modules.execution.futures.plan import FuturesState
from tests.execution.futures.conftest import Make
from tests.execution.futures.house import SYMBOL, D, House


async def kinds(house: House) -> list[tuple[str, Decimal, bool]]:
    return sorted((one.kind, one.trigger, one.quantity is None) for one in await house.triggers())


async def test_an_entry_stands_covered_when_it_returns_and_the_books_are_exact(make: Make) -> None:
    house = await make()
    assert isinstance(await house.desk.enter(house.ask(), "s"), Filled)
    assert await kinds(house) == [("STOP_MARKET", D(1900), True), ("TAKE_PROFIT_MARKET", D(2200), True)]
    report = await house.settle()
    assert report.clean, report
    assert house.books.wallet() == (await house.account.wallet()).balance
    assert house.books.held(house.leg) == 1


async def test_the_first_partial_fill_is_covered_while_the_rest_still_rests(make: Make) -> None:
    house = await make()
    house.venue.depth = D("0.2")
    wish = house.ask("2", kind=OrderType.LIMIT, price="2000.02")
    task = asyncio.create_task(house.desk.enter(wish, "s", rest_s=0.3))
    while not await house.triggers():
        await asyncio.sleep(0.002)
    assert house.account.ledger.resting(), "the order is still alive while its first fill is covered"
    assert not await house.naked()
    result = await task
    assert isinstance(result, Filled) and D(0) < result.executed.quantity < D(2)
    assert (await house.settle()).clean and house.books.held(house.leg) == result.executed.quantity


async def test_moving_never_leaves_the_position_without_a_stop(make: Make) -> None:
    house = await make()
    await house.desk.enter(house.ask(), "s")
    bare: list[list[str]] = []
    cancel = house.account.cancel_trigger

    async def watched(symbol: str, client_id: str) -> object:
        outcome = await cancel(symbol, client_id)
        bare.append(await house.naked())
        return outcome

    house.account.cancel_trigger = watched  # type: ignore[method-assign,assignment]
    for stop in ("1910", "1920", "1930"):
        await house.desk.move(house.leg, D(stop), D(2300))
        await house.desk.look()
    assert bare and not any(bare)
    assert await kinds(house) == [("STOP_MARKET", D(1930), True), ("TAKE_PROFIT_MARKET", D(2300), True)]


async def test_closing_in_a_thin_book_goes_on_until_flat(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_depth, "HOLD_MS", 50)  # the book stands again soon
    house = await make()
    await house.desk.enter(house.ask("5"), "s")
    house.venue.depth = D("0.5")
    out = await house.desk.close(house.leg, "test")
    for _ in range(30):
        if out.flat:
            break
        out = await house.desk.close(house.leg, "test")
    assert out.flat and not await house.account.positions()
    assert (await house.settle()).clean
    assert not await house.triggers() and not house.books.plans


@pytest.mark.parametrize("fault", ["lost", "swallowed", "unsent"])
async def test_an_entry_whose_answer_is_lost_is_never_sent_twice(make: Make, fault: str) -> None:
    house = await make()
    house.account.faults.append(fault)
    result = await house.desk.enter(house.ask(), "s")
    assert isinstance(result, Filled if fault == "lost" else NotPlaced)
    assert len(house.account.orders_of("entry")) == 1
    assert not await house.naked()
    report = await house.settle()
    assert report.clean, report


@pytest.mark.parametrize("fault", ["guard lost", "guard swallowed"])
async def test_a_guard_whose_answer_is_lost_leaves_exactly_one(make: Make, fault: str) -> None:
    house = await make()
    house.account.faults.append(fault)
    await house.desk.enter(house.ask(take=None), "s")
    report = await house.settle()
    assert report.clean and not await house.naked()
    assert await kinds(house) == [("STOP_MARKET", D(1900), True)]


async def test_a_position_that_cannot_be_covered_is_closed(make: Make) -> None:
    house = await make()
    house.account.faults += ["guard refused"] * 200
    await house.desk.enter(house.ask(take=None), "s")
    for _ in range(100):
        await house.desk.look()
        await asyncio.sleep(0.01)
        if not await house.account.positions():
            break
    assert not await house.account.positions()
    assert any(word.key.startswith("bare") for word in house.words)


async def test_a_stop_that_was_passed_already_closes_at_once(make: Make) -> None:
    house = await make()
    house.account.faults.append("guard passed")
    await house.desk.enter(house.ask(take=None), "s")
    for _ in range(100):
        await asyncio.sleep(0.005)
        if not await house.account.positions():
            break
    assert not await house.account.positions()
    assert (await house.settle()).clean


async def test_a_stop_that_fills_is_booked_and_the_target_taken_away(make: Make) -> None:
    house = await make()
    await house.desk.enter(house.ask(), "s")
    house.venue.price[SYMBOL] = D(1890)
    report = await house.settle()
    assert report.clean, report
    assert not await house.account.positions() and not await house.triggers() and not house.books.plans
    assert house.books.wallet() == (await house.account.wallet()).balance
    assert not [word for word in house.words if word.key.startswith("foreign")], "our own stop is not a stranger"


async def test_an_order_that_rests_is_cancelled_and_leaves_nothing(make: Make) -> None:
    house = await make()
    result = await house.desk.enter(house.ask(kind=OrderType.LIMIT, price="1990"), "s", rest_s=0.02)
    assert isinstance(result, NothingFilled)
    assert (await house.settle()).clean and not house.books.plans and not house.account.ledger.resting()


async def test_what_the_owner_does_by_hand_is_told_and_stays_covered(make: Make) -> None:
    house = await make()
    await house.desk.enter(house.ask(), "s")
    by_hand = OrderRequest("hand", SYMBOL, Side.SELL, OrderType.MARKET, D("0.4"), position_side=PositionSide.LONG)
    assert isinstance(await house.account.place(by_hand), Accepted)
    report = await house.reconciler.pass_()
    assert any("was not ours" in note for note in report.notes)
    assert house.books.held(house.leg) == D("0.6") and not await house.naked()


async def test_money_that_nothing_explains_is_told_with_its_system_and_stops_no_entry(
        make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await make()
    real = house.account.wallet

    async def richer() -> Wallet:
        found = await real()
        return dataclasses.replace(found, balance=found.balance + D("1.5"))

    monkeypatch.setattr(house.account, "wallet", richer)
    for _ in range(2):
        report = await house.reconciler.pass_()
    [word] = [one for one in house.words if "wallet" in one.what]
    assert word.what in report.notes and "wallet of " in word.what and "differ by 1.5 USDT" in word.what
    assert "Nothing is stopped" in word.todo
    assert isinstance(await house.desk.enter(house.ask(), "s"), Filled)


async def test_a_foreign_position_is_left_alone_and_blocks_its_leg(make: Make) -> None:
    house = await make()
    by_hand = OrderRequest("hand", SYMBOL, Side.BUY, OrderType.MARKET, D(1), position_side=PositionSide.LONG)
    assert isinstance(await house.account.place(by_hand), Accepted)
    refused = await house.desk.enter(house.ask(), "s")
    assert isinstance(refused, PerpRefusals) and refused.first.code is PerpCode.BLOCKED
    await house.desk.look()
    assert not await house.triggers() and not house.account.orders_of("exit")


async def test_liquidation_is_booked_told_and_not_opened_again(make: Make) -> None:
    house = await make(leverage=20)
    await house.desk.enter(house.ask(stop="1950", take=None), "s")
    house.account.ledger.triggers.clear()
    house.venue.price[SYMBOL] = D(1900)
    await house.account.positions()
    report = await house.reconciler.pass_()
    assert any("LIQUIDATED" in note for note in report.notes)
    assert house.books.wallet() == (await house.account.wallet()).balance
    house.venue.price[SYMBOL] = D(2000)
    refused = await house.desk.enter(house.ask(stop="1950", take=None), "t")
    assert isinstance(refused, PerpRefusals) and PerpCode.BLOCKED in {one.code for one in refused.found}


async def test_near_liquidation_the_desk_gets_out_first(make: Make) -> None:
    house = await make(leverage=20)
    await house.desk.enter(house.ask(stop="1950", take=None), "s")
    house.account.ledger.triggers.clear()
    house.venue.price[SYMBOL] = D(1960)
    await house.settle()
    assert not await house.account.positions()
    assert any(word.key.startswith("liquidation") for word in house.words)


async def test_funding_is_in_the_identity(make: Make) -> None:
    house = await make()
    await house.desk.enter(house.ask(), "s")
    house.venue.next_funding_ms = house.venue.clock.now_ms() - 1
    await house.account.positions()
    house.venue.next_funding_ms += 28_800_000
    report = await house.settle()
    assert report.clean and house.books.cash is not None
    assert house.books.cash.other["FUNDING_FEE"] == D("-0.2")


async def test_a_wrong_mode_or_leverage_refuses_and_is_not_switched(make: Make) -> None:
    house = await make()
    house.account.ledger.setups[SYMBOL] = (7, MarginMode.CROSSED)
    house.account.ledger.hedge = False
    await house.desk.verify([SYMBOL])
    refused = await house.desk.enter(house.ask(), "s")
    assert isinstance(refused, PerpRefusals)
    assert {PerpCode.MODE, PerpCode.LEVERAGE, PerpCode.MARGIN_MODE} <= {one.code for one in refused.found}
    assert house.account.ledger.setup(SYMBOL) == (7, MarginMode.CROSSED) and not house.account.placed


async def test_nothing_is_opened_before_the_account_was_read(make: Make) -> None:
    house = await make()
    await house.attach()
    refused = await house.desk.enter(house.ask(), "s")
    assert isinstance(refused, PerpRefusals) and refused.first.code is PerpCode.CLOSED


async def test_shorts_and_one_way_mode_are_covered_alike(make: Make) -> None:
    house = await make(hedge=False)
    await house.desk.enter(house.ask(stop="2100", take="1800", long=False), "s")
    stop, take = sorted(await house.triggers(), key=lambda one: one.kind)
    assert (stop.side, take.side, stop.position_side) == (Side.BUY, Side.BUY, PositionSide.BOTH)
    assert (await house.settle()).clean
    out = await house.desk.close(house.desk.leg_of(SYMBOL, False), "test")
    assert out.flat and (await house.settle()).clean and not await house.triggers()


async def test_a_heartbeat_between_plan_and_order_does_not_take_the_plan_away(make: Make) -> None:
    house = await make()
    await house.desk.enter(house.ask(), "s")
    await house.desk.close(house.leg, "test")
    await house.settle()
    execute = house.desk.executor.execute

    async def slow(approved: object) -> object:
        for _ in range(3):
            await house.desk.look()
        return await execute(approved)  # type: ignore[arg-type]

    house.desk.executor.execute = slow  # type: ignore[method-assign,assignment]
    house.desk._entered_at.clear()
    await house.desk.enter(house.ask(), "t")
    assert not await house.naked() and house.leg in house.books.plans


async def test_a_position_of_ours_without_a_plan_gets_the_one_of_its_entry(make: Make) -> None:
    house = await make()
    await house.desk.enter(house.ask(), "s")
    await house.desk.guard.clear(house.leg, await house.triggers())
    house.books.drop(house.leg)
    assert await house.naked()
    await house.desk.look()
    assert not await house.naked() and house.books.plans[house.leg].stop == 1900


async def test_a_fill_by_hand_is_not_lost_behind_a_later_one_of_ours(make: Make,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "OVERLAP_MS", 0)
    house = await make()
    await house.desk.enter(house.ask(), "s")
    await house.settle()
    by_hand = OrderRequest("hand", SYMBOL, Side.SELL, OrderType.MARKET, D("0.4"), position_side=PositionSide.LONG)
    assert isinstance(await house.account.place(by_hand), Accepted)
    then = house.venue.clock.now_ms()
    while house.venue.clock.now_ms() < then + 2:
        await asyncio.sleep(0.001)
    assert isinstance(await house.desk.enter(house.ask("0.3"), "t"), Filled)  # no pass has read the other one meanwhile
    assert house.books.held(house.leg) == D("1.3")
    assert (await house.settle()).checks
    assert house.books.held(house.leg) == D("0.9")
    assert house.books.wallet() == (await house.account.wallet()).balance
    await house.attach()
    assert house.books.since_ms(SYMBOL) > then, "and it is not read from the beginning every time"


async def test_a_fill_that_a_list_left_out_is_found_when_the_books_do_not_agree(make: Make,
                                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "OVERLAP_MS", 0)
    house = await make()
    await house.desk.enter(house.ask(), "s")
    await house.settle()
    read = house.account.fills
    hidden: list[Fill] = []

    async def without_the_hand(symbol: str, since_ms: int) -> Sequence[Fill]:
        found = await read(symbol, since_ms)
        hidden.extend(one for one in found if one.side is Side.SELL)
        return [one for one in found if one.side is not Side.SELL]

    monkeypatch.setattr(house.account, "fills", without_the_hand)
    by_hand = OrderRequest("hand", SYMBOL, Side.SELL, OrderType.MARKET, D("0.4"), position_side=PositionSide.LONG)
    assert isinstance(await house.account.place(by_hand), Accepted)
    then = house.venue.clock.now_ms()
    while house.venue.clock.now_ms() < then + 2:
        await asyncio.sleep(0.001)
    assert isinstance(await house.desk.enter(house.ask("0.3"), "t"), Filled)  # newer, and in the list
    await house.reconciler.pass_()
    assert hidden and house.books.held(house.leg) == D("1.3")
    monkeypatch.setattr(house.account, "fills", read)
    assert (await house.settle()).checks
    assert house.books.held(house.leg) == D("0.9")
    assert house.books.wallet() == (await house.account.wallet()).balance


async def test_what_was_opened_by_hand_is_read_though_its_income_is_named_no_more(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of its fills was a moment old when its income was named; meanwhile the income's window moved on."""
    house = await make()

    async def nothing(since_ms: int) -> Sequence[Income]:
        return []

    monkeypatch.setattr(house.account, "incomes", nothing)
    by_hand = OrderRequest("hand", SYMBOL, Side.BUY, OrderType.MARKET, D("0.4"), position_side=PositionSide.LONG)
    assert isinstance(await house.account.place(by_hand), Accepted)
    await house.settle(10)
    assert house.books.held(house.leg) == D("0.4")
    assert house.books.wallet() == (await house.account.wallet()).balance


async def test_both_halves_of_a_trade_with_oneself_count_once_each(make: Make) -> None:
    """The owner closes by hand into our resting order: one trade id, two fills on the same leg."""
    house = await make()
    await house.desk.enter(house.ask(), "s")
    await house.settle()
    markets, now = await house.venue.contracts(), house.venue.clock.now_ms()
    buy = Fill("77", SYMBOL, "1001", "a", Side.BUY, D(2000), D("0.2"), D("0.1"), "USDT", now, True, PositionSide.LONG)
    sell = dataclasses.replace(buy, order_id="1002", client_id="hand", side=Side.SELL, maker=False)
    assert house.books.take([buy, sell], markets) == [buy, sell]
    assert house.books.take([sell, buy], markets) == [] and house.books.take([buy, sell], markets) == []
    assert house.books.held(house.leg) == 1 and not house.books.conflicts
    wrong = dataclasses.replace(buy, price=D(2001))
    assert house.books.take([wrong], markets) == [] and house.books.conflicts == [wrong]
    await house.books.flush()
    await house.attach()
    assert house.books.take([sell, buy], markets) == []


async def test_a_trade_that_is_told_with_another_leg_later_counts_once(make: Make) -> None:
    """Its fee was paid once; the first telling stands, a person is told."""
    house = await make()
    markets, now = await house.venue.contracts(), house.venue.clock.now_ms()
    sold = Fill("77", SYMBOL, "1001", "a", Side.SELL, D(2000), D("0.2"), D("0.1"), "USDT", now, True,
                PositionSide.SHORT)
    elsewhere = dataclasses.replace(sold, position_side=PositionSide.BOTH)
    assert house.books.take([sold], markets) == [sold]
    fees = house.books.fees()
    assert house.books.take([elsewhere], markets) == [] and house.books.conflicts == [elsewhere]
    assert house.books.fees() == fees and not house.books.ledgers[PositionSide.BOTH].fills(SYMBOL)


async def test_income_told_once_under_another_symbol_counts_once(make: Make) -> None:
    """A list of the venue named the wrong contract; the next one names the right one."""
    house = await make()
    now = house.venue.clock.now_ms()
    right = Income("5", "FUNDING_FEE", SYMBOL, D("-1.5"), "USDT", now)
    wrong, other = dataclasses.replace(right, symbol="SOLUSDT"), dataclasses.replace(right, symbol="", amount=D(2))
    assert house.books.earn([wrong, right, other]) and house.books.earn([right, wrong, other]) == []
    assert house.books.cash is not None and house.books.cash.other == {"FUNDING_FEE": D("0.5")}


async def test_a_trade_that_is_told_differently_later_is_told_to_a_person_and_changes_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await make()
    await house.desk.enter(house.ask(), "s")
    await house.settle()
    read, held = house.account.fills, house.books.held(house.leg)

    async def other_figures(symbol: str, since_ms: int) -> Sequence[Fill]:
        return [dataclasses.replace(one, quantity=one.quantity * 2) for one in await read(symbol, since_ms)]

    monkeypatch.setattr(house.account, "fills", other_figures)
    report = await house.reconciler.pass_()
    assert any("told differently" in note for note in report.notes) and not report.clean
    assert [word for word in house.words if word.key.startswith("conflict ")]
    assert house.books.held(house.leg) == held
    monkeypatch.setattr(house.account, "fills", read)
    assert (await house.settle()).clean


@pytest.mark.parametrize("leg", ["entry", "exit"])
async def test_a_disk_that_refuses_what_was_filled_is_no_failed_order(make: Make, monkeypatch: pytest.MonkeyPatch,
                                                                      leg: str) -> None:
    """X7: told as not sent, whoever asked would forget what he holds; it is booked by the next round."""
    house = await make()
    if leg == "exit":
        await house.desk.enter(house.ask(), "s")
    save, failed = house.books._file.save, list[str]()

    def full(state: FuturesState) -> None:
        if not failed and any(one.executed and one.open and one.intent.leg == leg
                              for one in house.journal.entries.values()):
            failed.append("once")
            raise OSError(28, "No space left on device")
        save(state)

    monkeypatch.setattr(house.books._file, "save", full)
    if leg == "entry":
        assert isinstance(await house.desk.enter(house.ask(), "s"), Filled)
    else:
        while not (await house.desk.close(house.leg, "test")).flat:
            await asyncio.sleep(0.01)
    assert failed and not await house.naked()
    assert (await house.settle()).clean and not house.journal.open_entries("b", "T")
    assert house.books.held(house.leg) == (1 if leg == "entry" else 0)
