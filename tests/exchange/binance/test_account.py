"""The account against the simulated venue through the wire: orders of both families, money, refusals, limits."""

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal

import aiohttp
import pytest

from modules.exchange import prompt
from modules.exchange.address import Address
from modules.exchange.binance_account import BinanceAccount
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.futures_types import MarginMode, TriggerKind, TriggerRequest, TriggerState, TriggerStatus
from modules.exchange.link import Link
from modules.exchange.types import (
    Absent,
    Accepted,
    OrderRequest,
    OrderState,
    OrderStatus,
    OrderType,
    PositionSide,
    Refused,
    Side,
    Unavailable,
)
from modules.exchange.venue_binance import BINANCE_USDM, BinanceMarket
from modules.simulator.fault_plan import FaultPlan
from tests.exchange.hanging import answered_though_one_hangs
from tests.simulator.binance.conftest import Market, market, open_market  # noqa: F401 - fixtures

D = Decimal
SYMBOL = "BTCUSDT"


@pytest.fixture
async def account(market: Market) -> AsyncIterator[BinanceAccount]:  # noqa: F811
    async def resolve(session: aiohttp.ClientSession) -> Address:
        return Address(market.base, 1.0)

    link = await Link(FuturesSettings(base_url=market.base, timeout_s=3), resolve, venue=BINANCE_USDM).open()
    yield BinanceAccount(link, "sim-key", "sim-secret")
    await link.close()


async def test_an_order_lives_and_both_families_are_asked(account: BinanceAccount) -> None:
    public = BinanceMarket(account.link)
    contract = (await public.contracts())[SYMBOL]
    book = await public.book(SYMBOL, 5)
    low = (book.bids[0][0] * D("0.97")) // contract.tick * contract.tick
    rests = OrderRequest("cx-rest", SYMBOL, Side.BUY, OrderType.POST_ONLY, D("0.01"), price=low)
    assert isinstance(await account.place(rests), Accepted)
    found = await account.order(SYMBOL, "cx-rest")
    assert isinstance(found, OrderState) and found.status is OrderStatus.NEW and found.type is OrderType.POST_ONLY
    bought = OrderRequest("cx-buy", SYMBOL, Side.BUY, OrderType.MARKET, D("0.01"))
    assert isinstance(await account.place(bought), Accepted)
    stop = TriggerRequest("cx-stop", SYMBOL, Side.SELL, PositionSide.BOTH, TriggerKind.STOP, low, None)
    assert isinstance(await account.place_trigger(stop), Accepted)
    twice = await account.place_trigger(stop)
    assert isinstance(twice, Refused) and twice.code in ("-4116", "-4130")
    assert [one.client_id for one in await account.open_orders()] == ["cx-rest"], "conditional ones are not among them"
    assert [one.client_id for one in await account.open_triggers(SYMBOL)] == ["cx-stop"]
    held = (await account.positions())[0]
    assert (held.quantity, held.closing_side) == (D("0.01"), Side.SELL)
    fill = (await account.fills(SYMBOL, 0))[-1]
    wallet = await account.wallet()
    incomes = await account.incomes(fill.market_ms - 1000)
    assert {row.kind for row in incomes} >= {"COMMISSION"}
    assert wallet.balance + fill.fee == D(10_000)
    assert isinstance(await account.cancel(SYMBOL, "cx-rest"), Accepted)
    assert isinstance(await account.cancel_trigger(SYMBOL, "cx-stop"), Accepted)
    gone = await account.trigger(SYMBOL, "cx-stop")
    assert isinstance(gone, TriggerState) and gone.status is TriggerStatus.CANCELED
    assert not await account.open_orders() and not await account.open_triggers()


async def test_absent_refused_and_already_so(account: BinanceAccount) -> None:
    assert await account.order(SYMBOL, "cx-never") == Absent("cx-never")
    assert await account.trigger(SYMBOL, "cx-never") == Absent("cx-never")
    too_much = await account.place(OrderRequest("cx-much", SYMBOL, Side.BUY, OrderType.MARKET, D(10)))
    assert isinstance(too_much, Refused) and too_much.code == "-2019"
    wrong_leg = OrderRequest("cx-leg", SYMBOL, Side.BUY, OrderType.MARKET, D("0.01"), position_side=PositionSide.LONG)
    refused = await account.place(wrong_leg)
    assert isinstance(refused, Refused) and refused.code == "-4061"
    nothing = OrderRequest("cx-none", SYMBOL, Side.SELL, OrderType.MARKET, D("0.01"), reduce_only=True)
    assert isinstance(await account.place(nothing), Refused)
    assert await account.hedge() is False
    assert isinstance(await account.set_hedge(False), Accepted), "it is so already"
    assert isinstance(await account.set_hedge(True), Accepted) and await account.hedge()
    assert isinstance(await account.set_margin(SYMBOL, MarginMode.ISOLATED), Accepted)
    assert isinstance(await account.set_leverage(SYMBOL, 7), Accepted)
    setup = (await account.setups())[SYMBOL]
    assert (setup.leverage, setup.margin) == (7, MarginMode.ISOLATED)
    assert (await account.brackets(SYMBOL))[0].floor == 0


async def test_a_lost_answer_is_unknown_and_found_by_its_id(market: Market, account: BinanceAccount) -> None:  # noqa: F811
    market.plan({"class": "order", "kind": "drop_after", "max_times": 1})
    outcome = await account.place(OrderRequest("cx-lost", SYMBOL, Side.BUY, OrderType.MARKET, D("0.01")))
    assert type(outcome).__name__ == "Unknown"
    found = await account.order(SYMBOL, "cx-lost")
    assert isinstance(found, OrderState) and found.status is OrderStatus.FILLED


async def test_the_venues_count_of_weight_corrects_ours(account: BinanceAccount) -> None:
    await account.wallet()
    account.link.limiter.told("ip", 2000.0)
    told = account.link.limiter._budget.delay("ip", 400, 4)  # type: ignore[arg-type]
    assert told > 0, "data waits once the venue says that most of the minute is used"


@pytest.mark.parametrize("seed", range(4))
async def test_a_fill_told_under_the_id_of_another_one_is_not_believed(account: BinanceAccount, market: Market,  # noqa: F811
                                                                       seed: int) -> None:
    """Counted so, it would count again under its own id, and the other one never; the storm lost a fill that way."""
    for _ in range(3):
        await market.good("POST", "/fapi/v1/order", {"symbol": SYMBOL, "side": "BUY", "type": "MARKET",
                                                     "quantity": "0.01"})
        market.pass_ms(100)
    true = await account.fills(SYMBOL, 0)
    market.faults.replace(FaultPlan.parse({"seed": seed, "rules": [
        {"class": "fills", "kind": "duplicate_rows", "params": {"how": "id"}, "max_times": 1}]}, "test"))
    with pytest.raises(Unavailable, match="told twice, differently"):
        await account.fills(SYMBOL, 0)
    assert await account.fills(SYMBOL, 0) == true


@pytest.mark.parametrize("name", ["positions", "conditional orders", "contracts", "time"])
async def test_what_guarding_waits_for_is_asked_again_where_it_hangs(market: Market, name: str,  # noqa: F811
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    """The request hangs for minutes, as on a connection that died unseen; the second one answers."""
    async def resolve(session: aiohttp.ClientSession) -> Address:
        return Address(market.base, 1.0)

    monkeypatch.setattr(prompt, "PROMPT_S", 0.05)
    link = await Link(FuturesSettings(base_url=market.base, timeout_s=120), resolve, venue=BINANCE_USDM).open()
    account, public = BinanceAccount(link, "sim-key", "sim-secret"), BinanceMarket(link)
    reads: dict[str, Callable[[], Awaitable[object]]] = {
        "positions": account.positions, "conditional orders": lambda: account.open_triggers(SYMBOL),
        "contracts": lambda: public.contracts(refresh=True), "time": link.sync}
    try:
        await answered_though_one_hangs(market.faults, reads[name])
    finally:
        await link.close()
