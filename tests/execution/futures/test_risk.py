"""Risk of a futures account: the same rules as spot, fed with what the venue says; a person's words and releases."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from modules.exchange.futures_types import Income
from modules.exchange.types import Accepted, Mode, OrderRequest, OrderType, PositionSide, Side
from modules.execution.controls import PerpRefusals
from modules.execution.executor import Filled
from modules.execution.futures.checklist import PerpCode
from modules.execution.futures.keeper import PASS_APART_S
from modules.execution.futures.risk import EQUITY_EVERY_S, FuturesRisk
from modules.execution.futures.risk_inbox import Orders, inbox_of
from modules.execution.risk import Allowed, may_enter, step
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import (
    DataSeen,
    EquitySeen,
    Limit,
    RiskState,
    Trading,
    Unreadable,
    futures_risk_file,
    futures_scope,
)
from modules.supervision.messages import Inbox
from tests.execution.futures.conftest import Make
from tests.execution.futures.house import SYMBOL, D, House


class Watched:
    """A house with its risk, as a keeper holds it."""

    def __init__(self, house: House, settings: RiskSettings) -> None:
        self.house = house
        self.hurried = 0
        self.file = futures_risk_file(house.paths.data, "b", Mode.TEST)
        self.inbox = Inbox(house.paths.inbox, inbox_of("b", Mode.TEST))
        self.begin(settings)

    def begin(self, settings: RiskSettings) -> None:
        """A new process over what lies on disk."""
        self.risk = FuturesRisk(self.house.desk, self.file, futures_scope("b", Mode.TEST), settings,
                                self.house.words.append, lambda: self.house.reconciler.agreed, self._hurry)
        self.risk.load()
        self.orders = Orders(self.risk, self.inbox)

    def _hurry(self) -> None:
        self.hurried += 1

    @property
    def state(self) -> RiskState:
        assert isinstance(self.risk.state, RiskState)
        return self.risk.state

    async def see(self) -> None:
        """A pass, and equity from it."""
        await self.house.settle()
        self.risk._next_equity = 0.0
        await self.risk.turn()

    async def until(self, wanted: Trading) -> None:
        """Looks and turns, until the trading state is reached."""
        for _ in range(200):
            await self.house.settle(1)
            self.risk._next_cancel = 0.0
            await self.risk.turn()
            if self.state.trading is wanted:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{self.state.trading}, not {wanted}: {self.house.words[-3:]}")

    async def tell(self, kind: str, **body: object) -> None:
        self.inbox.post(kind, body, "test")
        await self.orders.obey()

    def said(self, text: str) -> bool:
        return any(text in word.what for word in self.house.words)


LIMITS = RiskSettings(day_loss_pct=5, week_loss_pct=0, drawdown_pct=20, exposure_pct=50, losing_streak=2,
                      flat_apart_s=0.01)


@pytest.fixture
async def watched(make: Make) -> AsyncIterator[Watched]:
    one = Watched(await make(), LIMITS)
    await one.see()
    yield one
    await one.risk.save()


def codes(result: object) -> set[PerpCode]:
    assert isinstance(result, PerpRefusals), result
    return {one.code for one in result.found}


@pytest.mark.parametrize("speed", [1, 10, 60, 240])
def test_equity_is_not_old_while_a_changed_wallet_waits_for_the_next_pass(speed: int) -> None:
    """Readings and passes go by our own time: a turn, the pass that explains the wallet, the turn after it."""
    settings, began = RiskSettings().at_speed(speed), 1_740_000_000_000
    state, _ = step(RiskState(scope="futures"), EquitySeen(began, D(1000), D(0)), settings)
    later = began + round(1000 * speed * (2 * EQUITY_EVERY_S + PASS_APART_S))
    state, told = step(state, DataSeen(later, later), settings)
    assert may_enter(state, later, settings) == Allowed() and told == []


async def test_equity_counts_the_unrealised_result_and_the_way_out(watched: Watched) -> None:
    house = watched.house
    start = watched.state.equity
    assert start == 10_000 and isinstance(await house.desk.enter(house.ask(), "s"), Filled)
    house.venue.price[SYMBOL] = D(2100)
    await watched.see()
    wallet = await house.account.wallet()
    out = D(2100) * D("0.0005")
    assert watched.state.equity == wallet.equity - out
    assert watched.state.exposure == D(2100) / 5, "margin, not notional"
    assert watched.state.peak == watched.state.equity


async def test_a_loss_of_the_day_refuses_entries_in_words_and_stops_no_exit(watched: Watched) -> None:
    house = watched.house
    await house.desk.enter(house.ask("10", stop="1700", take=None), "s")
    house.venue.price[SYMBOL] = D(1940)
    await watched.see()
    assert Limit.DAY_LOSS in watched.state.latched and watched.said("Entries stop: loss of the day")
    refused = await house.desk.enter(house.ask(stop="1500"), "t")
    assert PerpCode.RISK in codes(refused)
    assert isinstance(refused, PerpRefusals) and "DAY_LOSS is broken" in refused.text()
    assert not await house.naked()
    for _ in range(50):
        if (await house.desk.close(house.leg, "test")).flat:
            break
    assert not await house.account.positions()


async def test_a_fall_from_the_peak_halts_until_a_person_accepts_it(watched: Watched) -> None:
    house = watched.house
    await house.desk.enter(house.ask("10", stop="1700", take=None), "s")
    house.venue.price[SYMBOL] = D(1780)
    await watched.see()
    assert watched.state.trading is Trading.HALTED and watched.state.latched[Limit.DRAWDOWN] == 0
    await watched.risk.save()
    watched.begin(LIMITS)
    assert watched.state.trading is Trading.HALTED, "it survives a restart"
    await watched.tell("risk", command="RESUME", by="anna")
    assert watched.state.trading is Trading.HALTED and watched.said("Not done")
    await watched.tell("risk", command="RESUME", by="anna", accept=True)
    assert watched.state.trading is Trading.ACTIVE and Limit.DRAWDOWN not in watched.state.latched


async def test_a_withdrawal_is_no_loss_whenever_its_row_comes(watched: Watched,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    house = watched.house
    await house.desk.enter(house.ask(), "s")
    await watched.see()
    before = watched.state.equity
    ledger = house.account.ledger
    ledger.wallet -= D(3000)  # its row is not written yet
    watched.risk._next_equity = 0.0
    await watched.risk.turn()
    assert watched.state.equity == before and watched.hurried, "not explained: not judged, but a pass is asked for"
    row = Income("w1", "TRANSFER", "", D(-3000), "USDT", house.venue.clock.now_ms())
    incomes = house.account.incomes

    async def with_row(since_ms: int) -> list[Income]:
        return [*await incomes(since_ms), row]

    monkeypatch.setattr(house.account, "incomes", with_row)
    await watched.see()
    assert watched.state.equity is not None and before is not None
    assert watched.state.equity == before - 3000 and not watched.state.latched
    assert watched.state.moved == -3000
    await watched.risk.save()
    watched.begin(LIMITS)
    await watched.see()
    assert watched.state.peak == 7000 and not watched.state.latched, "counted once"


async def test_losses_in_a_row_are_counted_once_each(watched: Watched) -> None:
    house = watched.house
    for slot in ("a", "b"):
        assert isinstance(await house.desk.enter(house.ask("0.1", take=None), slot), Filled)
        while not (await house.desk.close(house.leg, "test")).flat:
            pass
        house.desk._entered_at.clear()
        await house.settle()
        assert not house.books.plans
        await watched.see()
    assert [one.net < 0 for one in house.books.results] == [True, True]
    assert sum(one.net for one in house.books.results) == house.books.realised() - house.books.fees()
    assert watched.state.streak == 2 and Limit.LOSING_STREAK in watched.state.latched
    await watched.risk.save()
    await house.attach()
    await house.start()
    watched.begin(LIMITS)
    await watched.see()
    assert watched.state.streak == 2, "the same results again after a restart"


async def test_more_margin_than_the_limit_is_refused_before_it_is_sent(watched: Watched) -> None:
    house = watched.house
    refused = await house.desk.enter(house.ask("13", stop="1990"), "s")
    assert PerpCode.EXPOSURE in codes(refused) and not house.account.placed
    assert isinstance(refused, PerpRefusals) and "at most 5000.00" in refused.text()


async def test_equity_that_was_never_read_refuses(make: Make) -> None:
    house = await make()
    house.reconciler.agreed = None
    Watched(house, LIMITS)
    refused = await house.desk.enter(house.ask(), "s")
    assert isinstance(refused, PerpRefusals) and "equity is not known yet" in refused.text()


async def test_an_entry_before_the_first_turn_does_not_shut_out_the_next_one(make: Make) -> None:
    house = await make()
    one = Watched(house, LIMITS)
    assert isinstance(await house.desk.enter(house.ask("0.1"), "a"), Filled)
    await one.risk.turn()
    assert isinstance(await house.desk.enter(house.ask("0.1"), "b"), Filled), "equity was seen for the first one"


async def test_flatten_cancels_entries_first_closes_and_confirms_flat(watched: Watched) -> None:
    house = watched.house
    await house.desk.enter(house.ask(), "s")
    resting = asyncio.create_task(house.desk.enter(house.ask(kind=OrderType.LIMIT, price="1990", long=True), "r",
                                                   rest_s=30))
    while not house.account.ledger.resting():
        await asyncio.sleep(0.005)
    await watched.tell("risk", command="FLATTEN", by="anna")
    await watched.until(Trading.HALTED)
    await resting
    assert not await house.account.positions() and not house.account.ledger.resting() and not house.books.plans
    assert watched.said("confirmed twice")
    refused = await house.desk.enter(house.ask(), "again")
    assert PerpCode.RISK in codes(refused), "nothing opens it straight back (X37)"


async def test_drain_lets_exits_run_and_pauses_when_flat(watched: Watched) -> None:
    house = watched.house
    await house.desk.enter(house.ask(), "s")
    await watched.tell("risk", command="DRAIN", by="anna")
    await watched.see()
    assert await house.account.positions() and watched.state.trading is Trading.DRAINING
    assert PerpCode.RISK in codes(await house.desk.enter(house.ask("0.1"), "t"))
    house.venue.price[SYMBOL] = D(1890)
    await watched.until(Trading.PAUSED)
    assert watched.said("Drained")


async def test_the_kill_switch_stops_entries_and_comes_off_with_an_accepted_resume(watched: Watched) -> None:
    house = watched.house
    await watched.tell("risk", command="KILL", by="anna")
    assert watched.state.killed and PerpCode.RISK in codes(await house.desk.enter(house.ask(), "s"))
    await watched.tell("risk", command="RESUME", by="anna")
    assert watched.state.killed
    await watched.tell("risk", command="RESUME", by="anna", accept=True)
    assert not watched.state.killed and isinstance(await house.desk.enter(house.ask(), "t"), Filled)


async def test_a_state_that_cannot_be_read_refuses_entries_and_flatten_still_closes(watched: Watched) -> None:
    house = watched.house
    await house.desk.enter(house.ask(), "s")
    await watched.risk.save()
    for path in house.paths.data.glob("test_futures_b_risk.json*"):
        path.write_text("garbage")
    watched.begin(LIMITS)
    assert isinstance(watched.risk.state, Unreadable)
    assert PerpCode.RISK in codes(await house.desk.enter(house.ask("0.1"), "t"))
    await watched.tell("risk", command="FLATTEN", by="anna")
    for _ in range(100):
        if not await house.account.positions():
            break
        await asyncio.sleep(0.01)
    assert not await house.account.positions() and watched.said("Closing everything")
    await watched.tell("risk", command="RESUME", by="anna", accept=True)
    assert watched.state.trading is Trading.ACTIVE and watched.said("The risk state starts anew")


async def test_a_disk_that_refuses_stops_entries_and_keeps_the_word(watched: Watched,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    def full(state: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(watched.file, "save", full)
    await watched.tell("risk", command="PAUSE", by="anna")
    assert watched.inbox.waiting() == 1, "it comes again"
    refused = await watched.house.desk.enter(watched.house.ask(), "s")
    assert isinstance(refused, PerpRefusals) and "no space left" in refused.text()
    monkeypatch.undo()
    await watched.orders.obey()
    assert watched.state.trading is Trading.PAUSED and not watched.inbox.waiting()


async def test_a_blocked_leg_is_released_by_a_person_and_what_stands_there_is_theirs(watched: Watched) -> None:
    house = watched.house
    house.books.block(house.leg, "its quantity is not explained by fills")
    assert PerpCode.BLOCKED in codes(await house.desk.enter(house.ask(), "s"))
    await watched.tell("release", symbol=SYMBOL, side="LONG", by="anna")
    assert not house.books.blocked and watched.said("takes entries again")
    await house.attach()
    assert not house.books.blocked, "durable"
    await house.start()
    assert isinstance(await house.desk.enter(house.ask(), "t"), Filled)
    await watched.tell("release", symbol=SYMBOL, side="LONG", by="anna")
    assert watched.said("Not done"), "nothing to release"


async def test_a_release_leaves_a_position_by_hand_alone(watched: Watched) -> None:
    house = watched.house
    by_hand = OrderRequest("hand", SYMBOL, Side.BUY, OrderType.MARKET, D(1), position_side=PositionSide.LONG)
    assert isinstance(await house.account.place(by_hand), Accepted)
    house.books.block(house.leg, "its quantity is not explained by fills")
    await watched.tell("release", symbol=SYMBOL, side="LONG", by="anna")
    assert house.books.expected(house.leg) == 1
    await house.desk.look()
    assert not await house.triggers() and not house.account.orders_of("exit")


async def test_a_person_closes_one_leg(watched: Watched) -> None:
    house = watched.house
    await house.desk.enter(house.ask(), "s")
    await watched.tell("close", symbol=SYMBOL, side="LONG", by="anna")
    await house.settle(100)
    assert not await house.account.positions() and watched.state.trading is Trading.ACTIVE


@pytest.mark.parametrize(("kind", "body"), [
    ("risk", {}), ("risk", {"command": "SELL"}), ("release", {"symbol": SYMBOL}), ("nonsense", {}),
    ("release", {"symbol": SYMBOL, "side": "UP"}), ("close", {"symbol": "XRPUSDT", "side": "LONG"})])
async def test_words_that_make_no_sense_are_declined_and_taken_away(watched: Watched, kind: str,
                                                                    body: dict[str, str]) -> None:
    await watched.tell(kind, **body)
    assert watched.said("Not done") and not watched.inbox.waiting()


async def test_a_new_state_does_not_count_what_was_before_it(tmp_path: Path, make: Make) -> None:
    house = await make()
    assert isinstance(await house.desk.enter(house.ask("0.1", take=None), "s"), Filled)
    while not (await house.desk.close(house.leg, "test")).flat:
        pass
    await house.settle()
    one = Watched(house, LIMITS)
    await one.see()
    assert one.state.streak == 0 and one.state.counted
    assert one.state.moved == Decimal(0)
