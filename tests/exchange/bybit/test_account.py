"""The account against the simulated venue through the wire: both families, money, modes, refusals, lost answers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

import aiohttp
import pytest

from modules.exchange import prompt
from modules.exchange.address import Address
from modules.exchange.bybit_account import CANCEL, BybitAccount
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.futures_types import MarginMode, TriggerKind, TriggerRequest, TriggerState, TriggerStatus
from modules.exchange.lanes import Lane
from modules.exchange.link import Link
from modules.exchange.types import (
    Absent,
    Accepted,
    Failed,
    OrderRequest,
    OrderState,
    OrderStatus,
    OrderType,
    PositionSide,
    Refused,
    Side,
    Unavailable,
    Unknown,
)
from modules.exchange.venue_bybit import BYBIT_LINEAR, BybitMarket
from modules.simulator.dialects.bybit_limits import Limits
from modules.simulator.perp.acts import PerpAct
from tests.exchange.hanging import answered_though_one_hangs
from tests.simulator.bybit.conftest import Bybit, Opener, bybit, open_bybit  # noqa: F401 - fixtures

D = Decimal
SYMBOL, OTHER = "BTCUSDT", "ETHUSDT"
BUY = OrderRequest("cx-buy", SYMBOL, Side.BUY, OrderType.MARKET, D("0.01"))


async def opened(venue: Bybit, timeout_s: float = 3) -> BybitAccount:
    async def resolve(session: aiohttp.ClientSession) -> Address:
        return Address(venue.base, 1.0)

    link = await Link(FuturesSettings(base_url=venue.base, timeout_s=timeout_s), resolve, venue=BYBIT_LINEAR).open()
    return BybitAccount(BybitMarket(link), "sim-key", "sim-secret", (SYMBOL, OTHER))


@pytest.fixture
async def account(bybit: Bybit) -> AsyncIterator[BybitAccount]:  # noqa: F811
    found = await opened(bybit)
    yield found
    await found.link.close()


def stop(client_id: str, bybit: Bybit, factor: float = 0.95, side: PositionSide = PositionSide.BOTH) -> TriggerRequest:  # noqa: F811
    return TriggerRequest(client_id, SYMBOL, Side.SELL, side, TriggerKind.STOP, D(bybit.price(factor)), None)


async def test_the_market(account: BybitAccount, bybit: Bybit) -> None:  # noqa: F811
    public = BybitMarket(account.link)
    contract = (await public.contracts())[SYMBOL]
    assert (contract.tick, contract.quote, contract.trading) == (D("0.1"), "USDT", True) and contract.least > 0
    assert len(await public.contracts()) == len(await public.marks()) == len(await public.tickers()) == 3
    candles = await public.candles(SYMBOL, "1m", 1500)
    assert candles.shape == (1500, 6) and (candles[1:, 0] - candles[:-1, 0] == 60_000).all()
    since = int(candles[700, 0]) + 1
    assert int((await public.candles(SYMBOL, "1m", 10, since))[0, 0]) == int(candles[701, 0])
    assert len((await public.book(SYMBOL, 20)).bids) == 25 and await public.trades(SYMBOL)
    assert (await public.brackets(SYMBOL))[0].leverage == 125
    assert (await public.open_interest())[SYMBOL] > 0 and len(await public.interest_history(SYMBOL, "5m", 4)) == 4
    assert len(await public.funding_history(SYMBOL, 3)) == 3
    for wrong in (public.candles(SYMBOL, "7m", 5), public.interest_history(SYMBOL, "7m")):
        with pytest.raises(ValueError):
            await wrong


async def test_an_order_lives_and_both_families_are_asked(account: BybitAccount, bybit: Bybit) -> None:  # noqa: F811
    low = D(bybit.price(0.97))
    rests = OrderRequest("cx-rest", SYMBOL, Side.BUY, OrderType.POST_ONLY, D("0.01"), price=low)
    assert isinstance(await account.place(rests), Accepted)
    found = await account.order(SYMBOL, "cx-rest")
    assert isinstance(found, OrderState) and (found.status, found.type) == (OrderStatus.NEW, OrderType.POST_ONLY)
    assert isinstance(await account.amend(SYMBOL, "cx-rest", price=low - 10), Accepted)
    assert isinstance(await account.place(BUY), Accepted)
    assert isinstance(await account.place_trigger(stop("cx-stop", bybit)), Accepted)
    twice = await account.place_trigger(stop("cx-stop", bybit))
    assert isinstance(twice, Refused) and twice.code == "110072"
    assert [one.client_id for one in await account.open_orders()] == ["cx-rest"], "conditional ones are not among them"
    assert [one.client_id for one in await account.open_triggers(SYMBOL)] == ["cx-stop"]
    held, = await account.positions()
    assert (held.quantity, held.closing_side, held.side) == (D("0.01"), Side.SELL, PositionSide.BOTH)
    fill, = await account.fills(SYMBOL, 0)
    assert (await account.wallet()).balance + fill.fee == D(10_000)
    assert {row.kind for row in await account.incomes(fill.market_ms - 1000)} == {"REALIZED_PNL"}
    for name in ("cx-rest", "cx-stop"):
        assert isinstance(await account.cancel(SYMBOL, name), Accepted)
        again = await account.cancel(SYMBOL, name)
        assert isinstance(again, Refused) and again.code == "110001"
    gone = await account.trigger(SYMBOL, "cx-stop")
    assert isinstance(gone, TriggerState) and gone.status is TriggerStatus.CANCELED
    assert not await account.open_orders() and not await account.open_triggers()


async def test_modes_are_read_and_set(account: BybitAccount, bybit: Bybit) -> None:  # noqa: F811
    assert await account.order(SYMBOL, "cx-never") == Absent("cx-never") == await account.trigger(SYMBOL, "cx-never")
    wrong_leg = await account.place(replace(BUY, position_side=PositionSide.LONG))
    assert isinstance(wrong_leg, Refused) and wrong_leg.code == "10001"
    too_much = await account.place(replace(BUY, client_id="cx-much", quantity=D(10)))
    assert isinstance(too_much, Refused) and too_much.code == "110007"
    assert await account.hedge() is False
    assert isinstance(await account.set_hedge(False), Accepted), "it is so already"
    assert isinstance(await account.set_hedge(True), Accepted) and await account.hedge()
    assert isinstance(await account.set_leverage(SYMBOL, 7), Accepted)
    assert isinstance(await account.set_leverage(SYMBOL, 7), Accepted), "it is so already"
    assert isinstance(await account.set_margin(SYMBOL, MarginMode.ISOLATED), Accepted)
    setups = await account.setups()
    assert {(one.leverage, one.margin) for one in setups.values()} == {
        (7, MarginMode.ISOLATED), (20, MarginMode.ISOLATED)}
    nothing = BybitAccount(BybitMarket(account.link), "sim-key", "sim-secret", ())
    assert await nothing.hedge() is False and not await nothing.setups(), "nothing that is traded is nothing verified"


@pytest.mark.parametrize("required", [True, False])
async def test_contracts_in_different_position_modes(account: BybitAccount, monkeypatch: pytest.MonkeyPatch,
                                                     required: bool) -> None:
    """The venue keeps the mode for each contract; the simulated one for all, so the answers are put in."""
    async def mode(symbol: str) -> bool:
        return symbol == SYMBOL

    mixed = BybitAccount(BybitMarket(account.link), "sim-key", "sim-secret", (SYMBOL, OTHER), required)
    monkeypatch.setattr(mixed, "_mode", mode)
    assert await mixed.hedge() is not required


async def test_the_margin_mode_is_never_switched_under_a_position(account: BybitAccount, bybit: Bybit) -> None:  # noqa: F811
    """It is the whole account's: another contract's position or stop would change with it (X22)."""
    assert isinstance(await account.place(replace(BUY, symbol=OTHER, quantity=D("0.1"))), Accepted)
    refused = await account.set_margin(SYMBOL, MarginMode.ISOLATED)
    assert isinstance(refused, Refused) and not bybit.trader.setup(SYMBOL).isolated
    closing = OrderRequest("cx-out", OTHER, Side.SELL, OrderType.MARKET, D("0.1"), reduce_only=True)
    assert isinstance(await account.place(closing), Accepted)
    assert isinstance(await account.place_trigger(stop("cx-left", bybit)), Accepted)
    assert isinstance(await account.set_margin(SYMBOL, MarginMode.ISOLATED), Refused), "a conditional order waits"
    assert isinstance(await account.cancel_trigger(SYMBOL, "cx-left"), Accepted)
    assert isinstance(await account.set_margin(SYMBOL, MarginMode.ISOLATED), Accepted)
    assert bybit.trader.setup(SYMBOL).isolated and bybit.trader.setup(OTHER).isolated


async def test_legs_of_executions_in_hedge_mode(account: BybitAccount, bybit: Bybit) -> None:  # noqa: F811
    await account.set_hedge(True)
    for name, side, leg in (("a", Side.BUY, PositionSide.LONG), ("b", Side.SELL, PositionSide.SHORT),
                            ("c", Side.SELL, PositionSide.LONG), ("d", Side.BUY, PositionSide.SHORT)):
        order = OrderRequest(f"cx-{name}", SYMBOL, side, OrderType.MARKET, D("0.01"), position_side=leg)
        assert isinstance(await account.place(order), Accepted)
        bybit.pass_ms(100)
    assert [(one.client_id, one.position_side) for one in await account.fills(SYMBOL, 0)] == [
        ("cx-a", PositionSide.LONG), ("cx-b", PositionSide.SHORT), ("cx-c", PositionSide.LONG),
        ("cx-d", PositionSide.SHORT)]


async def test_a_position_mode_that_was_set_since_it_was_read_names_the_leg(account: BybitAccount,
                                                                            bybit: Bybit) -> None:  # noqa: F811
    """Found by the storm: the mode was read as one-way, set, and the next execution was booked in no leg."""
    assert not await account.hedge()
    await account.set_hedge(True)
    order = OrderRequest("cx-s", SYMBOL, Side.SELL, OrderType.MARKET, D("0.01"), position_side=PositionSide.SHORT)
    assert isinstance(await account.place(order), Accepted)
    bybit.pass_ms(100)
    assert [one.position_side for one in await account.fills(SYMBOL, 0)] == [PositionSide.SHORT]


async def test_a_stop_that_fired_is_found_by_its_own_id(account: BybitAccount, bybit: Bybit) -> None:  # noqa: F811
    assert isinstance(await account.place(BUY), Accepted)
    assert isinstance(await account.place_trigger(stop("cx-stop", bybit)), Accepted)
    bybit.venue.deeds.do(PerpAct.parse({"action": "jump", "symbol": SYMBOL, "pct": "-7"}))
    bybit.pass_ms(2_000)
    fired = await account.trigger(SYMBOL, "cx-stop")
    assert isinstance(fired, TriggerState) and fired.status is TriggerStatus.TRIGGERED
    fill = (await account.fills(SYMBOL, 0))[-1]
    assert (fill.order_id, fill.client_id) == (fired.order_id, "cx-stop")
    assert not await account.positions() and not await account.open_triggers()
    passed = await account.place_trigger(stop("cx-late", bybit, 1.05))
    assert isinstance(passed, Refused) and passed.code == "110093"


@pytest.mark.parametrize("kind", ["drop_after", "status_after", "truncated", "html_after", "timeout_after"])
async def test_a_lost_answer_is_unknown_and_found_by_its_id(account: BybitAccount, bybit: Bybit, kind: str) -> None:  # noqa: F811
    bybit.plan({"class": "order", "kind": kind, "max_times": 1, **(
        {"params": {"ms": 5000}} if kind == "timeout_after" else {})})
    outcome = await account.place(BUY)
    assert isinstance(outcome, Unknown)
    found = await account.order(SYMBOL, BUY.client_id)
    assert isinstance(found, OrderState) and found.status is OrderStatus.FILLED
    assert len(bybit.venue.orders_of(bybit.trader)) == 1, "never sent again"


@pytest.mark.parametrize("kind", ["drop_before", "http_status", "html", "garbage", "empty"])
async def test_what_never_arrived_is_absent_by_both_lists(account: BybitAccount, bybit: Bybit, kind: str) -> None:  # noqa: F811
    bybit.plan({"class": "order", "kind": kind, "max_times": 1})
    assert isinstance(await account.place(BUY), Unknown), "nobody can know"
    assert await account.order(SYMBOL, BUY.client_id) == Absent(BUY.client_id)


async def test_a_list_that_fails_is_no_absence(account: BybitAccount, bybit: Bybit) -> None:  # noqa: F811
    """An ended order is only in the history: without that list nothing is known (X4, X15)."""
    bybit.plan({"class": "query_order", "kind": "http_status"})
    assert isinstance(await account.order(SYMBOL, "cx-never"), Unknown)


@pytest.mark.parametrize("group, how", [("fills", "id"), ("fills", "garbage"), ("balance", "nan")])
async def test_spoilt_lists_are_not_believed(account: BybitAccount, bybit: Bybit, group: str, how: str) -> None:  # noqa: F811
    for name in ("a", "b", "c"):
        assert isinstance(await account.place(replace(BUY, client_id=f"cx-{name}")), Accepted)
        bybit.pass_ms(500)
    fills, held = await account.fills(SYMBOL, 0), await account.positions()
    kind = "duplicate_rows" if how == "id" else "bad_field"
    bybit.plan({"class": group, "kind": kind, "params": {"how": how}})
    for read, true in ((account.fills(SYMBOL, 0), fills), (account.positions(), held)):
        try:
            assert await read == true
        except Unavailable:
            continue


@pytest.mark.parametrize("name", ["positions", "conditional orders", "contracts", "time"])
async def test_what_guarding_waits_for_is_asked_again_where_it_hangs(bybit: Bybit, name: str,  # noqa: F811
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt, "PROMPT_S", 0.05)
    account = await opened(bybit, timeout_s=120)
    public = BybitMarket(account.link)
    reads: dict[str, Callable[[], Awaitable[object]]] = {
        "positions": account.positions, "conditional orders": lambda: account.open_triggers(SYMBOL),
        "contracts": lambda: public.contracts(refresh=True), "time": account.link.sync}
    try:
        await answered_though_one_hangs(bybit.faults, reads[name])
    finally:
        await account.link.close()


async def test_more_orders_than_the_account_may_send_wait(open_bybit: Opener) -> None:  # noqa: F811
    """Ten a second: the eleventh is never refused here, it waits or is not sent."""
    venue = await open_bybit(Limits())
    account = await opened(venue)
    try:
        outcomes = [await account.cancel(SYMBOL, f"cx-{number}") for number in range(9)]
        assert {one.code for one in outcomes if isinstance(one, Refused)} == {"110001"}
        late = await account._wire.send(CANCEL, {"category": "linear", "symbol": SYMBOL, "orderLinkId": "x"},
                                        Lane.ENTRY, 0.0)
        assert isinstance(late, Failed) or (isinstance(late, Refused) and late.code != "10006")
    finally:
        await account.link.close()


async def test_a_clock_that_is_wrong_is_set_once_and_the_question_asked_again(account: BybitAccount,
                                                                              bybit: Bybit) -> None:  # noqa: F811
    bybit.clock[0] += 60_000
    assert (await account.wallet()).balance == 10_000


async def test_nothing_of_the_key_is_in_a_repr(account: BybitAccount) -> None:
    assert "secret" not in repr(account) and "sim-key" not in repr(account)
