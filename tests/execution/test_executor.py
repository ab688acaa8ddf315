"""One order, sent once, seen through: X1, X3, X4, X5, X7, X9, X11."""

import asyncio
import time
from collections import deque
from decimal import Decimal

import pytest

from modules.exchange.types import Absent, Accepted, Fill, OrderState, OrderStatus, OrderType, Refused, Side
from modules.execution.executor import Executor, Filled, NothingFilled, NotPlaced, Patience, Unresolved
from modules.execution.intents import FeeTerms, Intent, client_id
from modules.execution.journal import Journal
from tests.execution.approval import approved
from tests.execution.venue import (
    START_MS,
    AccountStub,
    MarketStub,
    lost_after,
    lost_before,
    never_left,
    part,
    refuse,
)

D = Decimal
QUICK = Patience(first_poll_s=0.001, longest_poll_s=0.005, cancel_after_s=0.02, settle_s=0.4, fills_s=0.03,
                 window_s=0.02, margin_s=0.01)


@pytest.fixture
def venue() -> MarketStub:
    stub = MarketStub()
    stub.add("AAAUSDT", "2")
    return stub


@pytest.fixture
def account(venue) -> AccountStub:
    return AccountStub(venue)


@pytest.fixture
def journal(tmp_path) -> Journal:
    made = Journal(tmp_path / "intents.jsonl")
    made.load()
    return made


@pytest.fixture
def executor(account, venue, journal) -> Executor:
    return Executor(account, venue, journal, QUICK)


def buy(generation: int = 0, quantity: str = "10") -> Intent:
    return Intent(id=client_id("hype", "TEST", "AAAUSDT", "entry", "m", generation), system="hype", account="TEST",
                  symbol="AAAUSDT", leg="entry", slot="m", generation=generation, side=Side.BUY, type=OrderType.IOC,
                  quantity=D(quantity), price=D("2.1"), reason="test", market_ms=START_MS,
                  fees=FeeTerms("AAA", "USDT", D("0.001")))


async def test_a_filled_order_is_open_until_it_is_booked(executor, journal):
    result = await executor.execute(approved(buy()))
    assert isinstance(result, Filled)
    assert (result.executed.quantity, result.executed.price) == (D(10), D("2.0001"))
    assert result.executed.fee_usdt == D(10) * D("2.0001") * D("0.001")
    assert [entry.executed for entry in journal.open_entries("hype", "TEST")] == [result.executed]


async def test_the_intent_is_on_disk_before_the_request_leaves(executor, account, journal):
    def on_disk(request):
        again = Journal(journal.path)
        again.load()
        assert request.client_id in again.entries

    account.on_place = on_disk
    await executor.execute(approved(buy()))
    assert len(account.placed) == 1


async def test_without_an_intent_there_is_no_order(executor, account, journal, tmp_path):
    journal.path = tmp_path  # cannot be appended to
    with pytest.raises(OSError):
        await executor.execute(approved(buy()))
    assert account.placed == []


@pytest.mark.parametrize(("fault", "code"), [(refuse("30004"), "30004"), (never_left, "NOT_SENT")])
async def test_refused_and_never_left_are_closed_at_once(executor, account, journal, fault, code):
    account.faults = deque([fault])
    result = await executor.execute(approved(buy()))
    assert isinstance(result, NotPlaced) and result.code == code
    assert journal.open_entries("hype", "TEST") == []


async def test_an_answer_lost_after_the_accept_is_found_and_not_sent_again(executor, account):
    account.faults = deque([lost_after])
    assert isinstance(await executor.execute(approved(buy())), Filled)
    assert len(account.placed) == 1


async def test_absence_is_believed_only_after_the_window_and_twice(executor, account, venue, journal):
    account.faults = deque([lost_before])
    asked: list[int] = []
    honest = account.order

    async def order(symbol, identity):
        asked.append(venue.clock.ms)
        venue.clock.pass_s(0.01)
        return await honest(symbol, identity)

    account.order = order
    result = await executor.execute(approved(buy()))
    assert isinstance(result, NotPlaced) and result.code == "ABSENT"
    window_ms = 1000 * (QUICK.window_s + QUICK.margin_s)
    assert sum(1 for ms in asked if ms + 10 >= START_MS + window_ms) >= 2
    assert len(account.placed) == 1 and journal.open_entries("hype", "TEST") == []


async def test_an_order_that_shows_late_is_found_by_asking_again(executor, account, venue):
    account.faults = deque([lost_before])
    venue.clock.pass_s(60)
    honest, asked = account.order, []

    async def order(symbol, identity):
        asked.append(time.monotonic())
        found = await honest(symbol, identity)
        window_closed = asked[-1] - asked[0] >= QUICK.window_s + QUICK.margin_s
        if isinstance(found, Absent) and window_closed:
            account.execute(account.placed[0])  # it was on its way all the time
        return found

    account.order = order
    assert isinstance(await executor.execute(approved(buy())), Filled)
    assert len(account.placed) == 1


async def test_while_the_exchanges_window_is_open_absence_proves_nothing(executor, account, journal):
    account.faults = deque([lost_before])  # market time stands still: the window never closes
    assert isinstance(await executor.execute(approved(buy())), Unresolved)
    assert len(journal.open_entries("hype", "TEST")) == 1
    assert len(account.placed) == 1


async def test_nobody_answers_stays_open_and_is_resolved_later(executor, account, venue, journal):
    account.faults = deque([lost_after])
    account.orders_down = "timeout"
    assert isinstance(await executor.execute(approved(buy())), Unresolved)
    account.orders_down = ""
    again = Journal(journal.path)
    again.load()
    later = Executor(account, venue, again, QUICK)
    result = await later.resume(again.open_entries("hype", "TEST")[0])
    assert isinstance(result, Filled) and result.executed.quantity == 10
    assert len(account.placed) == 1


async def test_an_id_in_use_is_asked_about_instead_of_believed_refused(executor, account):
    def in_use(stub, request):
        stub.execute(request)
        return Refused("30026", "the order id is in use")

    account.faults = deque([in_use])
    assert isinstance(await executor.execute(approved(buy())), Filled)


async def test_an_order_made_long_before_we_signed_is_not_ours(executor, account, venue):
    old = OrderState(buy().id, "o-old", "AAAUSDT", Side.BUY, OrderType.IOC, OrderStatus.FILLED, D(99), D(99), D(99),
                     START_MS - 3_600_000, START_MS - 3_600_000)
    account.orders[buy().id] = old
    account.faults = deque([lost_before])
    venue.clock.pass_s(60)
    result = await executor.execute(approved(buy()))
    assert isinstance(result, NotPlaced) and result.code == "ABSENT"


async def test_an_order_without_execution_ends_as_nothing(executor, account, journal):
    account.faults = deque([part("0")])
    assert isinstance(await executor.execute(approved(buy())), NothingFilled)
    assert journal.open_entries("hype", "TEST") == []


async def test_a_partial_fill_counts_what_was_filled(executor, account):
    account.faults = deque([part("0.5")])
    result = await executor.execute(approved(buy()))
    assert isinstance(result, Filled) and result.executed.quantity == 5


async def test_an_order_that_rests_is_cancelled(executor, account):
    def rests(stub, request):
        now = stub.venue.clock.ms
        stub.orders[request.client_id] = OrderState(request.client_id, "o-1", request.symbol, request.side,
                                                    request.type, OrderStatus.NEW, request.quantity, D(0), D(0), now,
                                                    now)
        return Accepted("o-1")

    account.faults = deque([rests])
    assert isinstance(await executor.execute(approved(buy())), NothingFilled)
    assert account.cancelled == [buy().id]


async def test_fills_told_twice_count_once(executor, account):
    def doubled(stub, request):
        outcome = stub.execute(request)
        stub.executions += list(stub.executions)
        return outcome

    account.faults = deque([doubled])
    result = await executor.execute(approved(buy()))
    assert isinstance(result, Filled) and result.executed.quantity == 10 and not result.executed.estimated


async def test_missing_fills_are_waited_for_then_the_orders_figures_taken(executor, account, journal, venue):
    def silent(stub, request):
        outcome = stub.execute(request)
        stub.executions.clear()
        return outcome

    account.faults = deque([silent])
    assert isinstance(await executor.execute(approved(buy())), Unresolved)  # reckoned fees are not the venue's
    [entry] = journal.open_entries(buy().system, buy().account)
    assert isinstance(await executor.resume(entry), Unresolved) and len(account.placed) == 1
    venue.clock.pass_s(31)
    result = await executor.resume(entry)
    assert isinstance(result, Filled) and result.executed.estimated
    assert (result.executed.quantity, result.executed.quote) == (D(10), D("20.001"))
    assert result.executed.fee_usdt == D("20.001") * D("0.001")


@pytest.mark.parametrize(("asset", "fee", "received", "cost"), [
    ("USDT", "0.02", "10", "20.02"), ("AAA", "0.01", "9.99", "20"), ("MX", "0.5", "10", "20.02")])
async def test_fees_by_the_asset_they_are_paid_in(executor, account, asset, fee, received, cost):
    def with_fee(stub, request):
        stub.orders[request.client_id] = OrderState(request.client_id, "o", request.symbol, request.side, request.type,
                                                    OrderStatus.FILLED, D(10), D(10), D(20), START_MS, START_MS)
        stub.executions.append(Fill("f", request.symbol, "o", request.client_id, request.side, D(2), D(10), D(fee),
                                    asset, START_MS))
        return Accepted("o")

    account.faults = deque([with_fee])
    result = await executor.execute(approved(buy()))
    assert isinstance(result, Filled)
    assert (result.executed.received, result.executed.cost) == (D(received), D(cost))
    assert result.executed.fee_usdt == D("0.02") and result.executed.estimated is (asset == "MX")


async def test_two_orders_of_one_symbol_never_fly_together(executor, account, journal):
    first = asyncio.create_task(executor.execute(approved(buy())))
    while not executor.placing:
        await asyncio.sleep(0)
    second = await executor.execute(approved(buy(1)))
    assert isinstance(second, NotPlaced) and second.code == "IN_FLIGHT"
    assert isinstance(await first, Filled) and executor.placing == frozenset()
    assert len(account.placed) == 1 and len(journal.entries) == 1
