"""Our Bitget account against the simulated Bitget: each call of the interface, and what faults make of it."""

import asyncio
from decimal import Decimal

import pytest

from modules.exchange.bitget_account import WALLET, BitgetAccount
from modules.exchange.bitget_wire import BitgetKey
from modules.exchange.futures_types import MarginMode, PriceSource, TriggerKind, TriggerRequest, TriggerState
from modules.exchange.futures_types import TriggerStatus as Trig
from modules.exchange.lanes import Lane
from modules.exchange.types import (
    Absent,
    Accepted,
    Denied,
    OrderState,
    OrderStatus,
    PositionSide,
    Refused,
    Side,
    Unknown,
)
from tests.exchange.bitget.conftest import KEY, House, order

D = Decimal
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
LEGS = ((Side.BUY, LONG, Side.SELL), (Side.SELL, SHORT, Side.BUY))


async def test_both_legs_open_and_close_by_their_own_words(house: House) -> None:
    account = house.account
    for number, (opening, leg, closing) in enumerate(LEGS):
        assert isinstance(await account.place(order(f"open-{number}", opening, leg)), Accepted)
        found = await account.order("BTCUSDT", f"open-{number}")
        assert isinstance(found, OrderState) and found.status is OrderStatus.FILLED
        assert (found.side, found.position_side, found.filled) == (opening, leg, D("0.01"))
        held = {one.side: one for one in await account.positions()}
        assert held[leg].quantity == (D("0.01") if leg is LONG else D("-0.01"))
        assert held[leg].entry > 0 and held[leg].mark > 0
        assert isinstance(await account.place(order(f"close-{number}", closing, leg, "0.004")), Accepted)
    rest = {one.side: one.quantity for one in await account.positions()}
    assert rest == {LONG: D("0.006"), SHORT: D("-0.006")}, "each closing reduced its own leg"
    fills = await account.fills("BTCUSDT", house.world.clock[0] - 1000)
    assert {(one.side, one.position_side) for one in fills} == {
        (side, leg) for opening, leg, closing in LEGS for side in (opening, closing)}
    assert all(one.fee > 0 and one.fee_asset == "USDT" for one in fills)
    of_one = await account.fills_of("BTCUSDT", fills[0].order_id)
    assert {one.order_id for one in of_one} == {fills[0].order_id}


async def test_closing_nothing_is_a_refusal_of_its_own(house: House) -> None:
    refused = await house.account.place(order("none", Side.SELL, LONG))
    assert isinstance(refused, Refused) and refused.code == "22002"
    twice = [await house.account.place(order("same-id", Side.BUY, LONG)) for _ in range(2)]
    assert isinstance(twice[0], Accepted)
    assert isinstance(twice[1], Refused) and twice[1].code == "40786"


async def test_resting_orders_are_listed_and_cancelled(house: House) -> None:
    account, price = house.account, house.world.price(0.97)
    for number in range(3):
        assert isinstance(await account.place(order(f"rest-{number}", Side.BUY, LONG, price=price)), Accepted)
    assert {one.client_id for one in await account.open_orders()} == {f"rest-{number}" for number in range(3)}
    assert isinstance(await account.cancel("BTCUSDT", "rest-1"), Accepted)
    assert {one.client_id for one in await account.open_orders("BTCUSDT")} == {"rest-0", "rest-2"}
    gone = await account.cancel("BTCUSDT", "rest-1")
    assert isinstance(gone, Refused)
    ended = await account.order("BTCUSDT", "rest-1")
    assert isinstance(ended, OrderState) and ended.status is OrderStatus.CANCELED
    assert await account.order("BTCUSDT", "never-sent") == Absent("never-sent")


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(("opening", "leg", "closing"), LEGS)
async def test_plans_stand_are_found_and_go(house: House, whole: bool, opening: Side, leg: PositionSide,
                                            closing: Side) -> None:
    account = house.account
    assert isinstance(await account.place(order("open", opening, leg)), Accepted)
    price = D(house.world.price(0.9 if leg is LONG else 1.1))
    stop = TriggerRequest("stop-1", "BTCUSDT", closing, leg, TriggerKind.STOP, price, None if whole else D("0.01"),
                          PriceSource.MARK)
    assert isinstance(await account.place_trigger(stop), Accepted)
    found = await account.trigger("BTCUSDT", "stop-1")
    assert isinstance(found, TriggerState)
    assert (found.status, found.trigger, found.quantity) == (Trig.WAITING, price, None if whole else D("0.01"))
    assert (found.side, found.position_side, found.kind) == (closing, leg, str(TriggerKind.STOP))
    assert [one.client_id for one in await account.open_triggers("BTCUSDT")] == ["stop-1"]
    assert isinstance(await account.cancel_trigger("BTCUSDT", "stop-1"), Accepted)
    assert not await account.open_triggers()
    again = await account.trigger("BTCUSDT", "stop-1")
    assert isinstance(again, TriggerState) and again.status is Trig.CANCELED
    assert isinstance(await account.cancel_trigger("BTCUSDT", "stop-1"), Refused)
    assert await account.trigger("BTCUSDT", "stop-2") == Absent("stop-2")


async def test_money_modes_and_tiers(house: House) -> None:
    account = house.account
    standing = await account.standing("BTCUSDT")
    assert standing.hedge and standing.margin is MarginMode.CROSSED
    assert standing.wallet.balance == D(10_000) and standing.wallet.available == D(10_000)
    assert isinstance(await account.set_leverage("BTCUSDT", 10), Accepted)
    assert (await account.setups())["BTCUSDT"].leverage == 10
    await account.place(order("open", Side.BUY, LONG))
    wallet = await account.wallet()
    assert wallet.available < wallet.equity and wallet.balance < D(10_000), "margin is used, a fee was paid"
    refused = await account.set_hedge(False)
    assert isinstance(refused, Refused) and refused.code == "40920"
    paid = [row for row in await account.incomes(house.world.clock[0] - 1000) if row.kind == "open_long"]
    assert sum(row.amount for row in paid) == wallet.balance - D(10_000)
    tiers = await account.brackets("BTCUSDT")
    for lower, upper in zip(tiers, tiers[1:], strict=False):
        at = upper.floor
        assert at * lower.rate - lower.cum == at * upper.rate - upper.cum, "the maintenance margin has no step"


@pytest.mark.parametrize(("rule", "exists"), [
    ({"kind": "status_after", "params": {"status": 503}}, True), ({"kind": "drop_after"}, True),
    ({"kind": "garbage"}, True), ({"kind": "html_after"}, True),
    ({"kind": "http_status", "params": {"status": 503}}, False),
    ({"kind": "drop_before"}, False)])
async def test_an_unknown_answer_is_never_sent_again_and_can_be_looked_up(house: House, rule: dict[str, object],
                                                                        exists: bool) -> None:
    house.world.plan({**rule, "class": "order", "max_times": 1})
    outcome = await house.account.place(order("under-fault", Side.BUY, LONG))
    assert isinstance(outcome, Unknown)
    found = await house.account.order("BTCUSDT", "under-fault")
    held = await house.account.positions()
    if rule["kind"] == "garbage":  # either may have happened; both tell the same
        assert isinstance(found, OrderState) is bool(held)
    else:
        assert isinstance(found, OrderState) is exists
        assert bool(held) is exists


async def test_a_user_told_to_slow_down_rests_alone(house: House) -> None:
    other = house.user(BitgetKey("sim-demo-key", "sim-demo-secret", "sim-passphrase", demo=True))
    house.world.plan({"kind": "rate_limit", "class": "order", "params": {"retry_after_s": 300}, "max_times": 1})
    limited = await house.account.place(order("limited", Side.BUY, LONG))
    assert isinstance(limited, Refused) and limited.code == "429"
    async with asyncio.timeout(30):
        assert (await other.wallet()).equity > 0
        await other.set_hedge(True)
        assert isinstance(await other.place(order("free", Side.BUY, LONG)), Accepted)


async def test_a_revoked_key_is_told_as_that_and_hurts_nobody(house: House) -> None:
    gone = house.user(BitgetKey("sim-key", "wrong-secret", "sim-passphrase"))
    for _ in range(12):
        with pytest.raises(Denied) as denied:
            await gone.wallet()
        assert BitgetAccount.key_gone(denied.value)
        assert "wrong-secret" not in str(denied.value)
    assert (await house.account.wallet()).equity == D(10_000)
    assert "sim-secret" not in repr(KEY) + repr(house.account.__dict__)


async def test_a_user_whose_calls_hang_opens_no_breaker_of_others(house: House) -> None:
    quick = house.user(BitgetKey("sim-demo-key", "sim-demo-secret", "sim-passphrase", demo=True))
    house.world.plan({"kind": "status_after", "class": "balance", "params": {"status": 503}, "max_times": 9})
    for _ in range(9):
        await house.account._wire.send(WALLET, {"productType": "USDT-FUTURES"}, Lane.EXIT, 10.0)
    assert house.account.failing, "his breaker is open: his entries wait"
    assert not quick.failing
    await quick.set_hedge(True)
    assert isinstance(await quick.place(order("free", Side.BUY, LONG)), Accepted)


async def test_market_data(house: House) -> None:
    market = house.market
    contract = (await market.contracts())["BTCUSDT"]
    spec = house.world.venue.specs[0]
    assert (contract.tick, contract.step) == (spec.tick, spec.step)
    assert await market.most_leverage("BTCUSDT") == spec.brackets[0].leverage
    touches = await market.touches(frozenset({"BTCUSDT", "NOSUCHUSDT"}))
    assert set(touches) == {"BTCUSDT"} and 0 < touches["BTCUSDT"].bid < touches["BTCUSDT"].ask
    candles = await market.candles("BTCUSDT", "1H", 200)
    assert candles.shape == (200, 6)
    since = await market.candles("BTCUSDT", "1H", 5, int(candles[-3, 0]))
    assert since[:, 0].tolist() == candles[-3:, 0].tolist()
    book = await market.book("BTCUSDT", 20)
    assert book.bids[0][0] == touches["BTCUSDT"].bid
    assert (await market.marks())["BTCUSDT"].next_funding_ms > market.clock.now_ms()
    assert (await market.tickers())["BTCUSDT"].last > 0 and await market.trades("BTCUSDT", 10)
    with pytest.raises(ValueError, match="no interval"):
        await market.candles("BTCUSDT", "7m", 5)
    with pytest.raises(Denied):
        await market.book("NOSUCHUSDT")
