"""Bybit v5's REST over the perpetual venue: who is let in, what is refused, what becomes of orders of both kinds."""

from decimal import Decimal
from typing import Any

import pytest

from modules.simulator.dialects.bybit_limits import Limits
from tests.simulator.bybit.conftest import BTC, Bybit, Opener
from tests.simulator.served import START_MS

LINEAR = {"category": "linear"}
USDT = {**LINEAR, "settleCoin": "USDT"}


@pytest.mark.parametrize("changes, code", [
    ({"key": "nobody"}, 10003), ({"secret": "wrong"}, 10004), ({"stamp": str(START_MS - 60_000)}, 10002),
    ({"stamp": str(START_MS + 60_000)}, 10002), ({"stamp": "soon"}, 10002),
], ids=["key", "secret", "late", "early", "no-stamp"])
async def test_who_is_not_let_in(bybit: Bybit, changes: dict[str, str], code: int) -> None:
    assert await bybit.code("GET", "position/list", USDT, **changes) == code


@pytest.mark.parametrize("more, code", [
    ({"positionSide": "LONG"}, 10001), ({"trailingPercent": 1}, 10001), ({"clientOrderId": "x"}, 10001),
    ({"stopLoss": "50000"}, 10001), ({"positionIdx": 1}, 10001), ({"qty": "0"}, 10001), ({"qty": "0.0000001"}, 10001),
    ({"price": "0"}, 10001), ({"price": "1000000"}, 110003), ({"qty": "90"}, 110), ({"qty": "0.001"}, 110094),
    ({"side": "buy"}, 10001), ({"orderLinkId": "x" * 37}, 10001), ({"triggerPrice": "50000"}, 10001),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value))
async def test_what_is_refused(bybit: Bybit, more: dict[str, Any], code: int) -> None:
    """An unknown word is named: the venue would pass over it and take another order than was meant (WIRE)."""
    assert str(await bybit.code("POST", "order/create", bybit.limit(**more))).startswith(str(code))
    assert not bybit.venue.orders_of(bybit.trader) and not bybit.venue.algos_of(bybit.trader)


async def test_accounts_of_the_dialects_never_mix(bybit: Bybit) -> None:
    await bybit.create(bybit.taking())
    assert bybit.venue.accounts["trader"].legs() == [] and len(bybit.trader.legs()) == 1


async def test_an_order_is_listed_changed_in_place_and_cancelled(bybit: Bybit) -> None:
    number = await bybit.create(bybit.limit(orderLinkId="mine"))
    assert await bybit.code("POST", "order/create", bybit.limit(orderLinkId="mine")) == 110072
    await bybit.good("POST", "order/amend", {**BTC, "orderLinkId": "mine", "qty": "0.02", "price": bybit.price(0.98)})
    row, = await bybit.rows("order/realtime")
    assert (row["orderId"], row["orderLinkId"], row["qty"], row["price"]) == (number, "mine", "0.02", bybit.price(0.98))
    assert row["orderStatus"] == "New"
    await bybit.good("POST", "order/cancel", {**BTC, "orderId": number})
    assert await bybit.code("POST", "order/cancel", {**BTC, "orderId": number}) == 110001
    assert await bybit.rows("order/realtime") == []
    named, = await bybit.rows("order/realtime", orderLinkId="mine")
    past, = await bybit.rows("order/history")
    assert named == past and past["orderStatus"] == "Cancelled"
    assert await bybit.code("POST", "order/create", bybit.limit(orderLinkId="mine")) == 110072, "ended ids count"


async def test_what_cannot_stand_is_taken_and_then_cancelled(bybit: Bybit) -> None:
    """The answer of a new order only says that it was taken."""
    number = await bybit.create(bybit.limit(price=bybit.price(1.02), timeInForce="PostOnly"))
    row, = await bybit.rows("order/history", orderId=number)
    assert (row["orderStatus"], row["rejectReason"]) == ("Cancelled", "EC_PostOnlyWillTakeLiquidity")


async def test_a_reducing_order_is_cut_to_what_is_held(bybit: Bybit) -> None:
    closing = bybit.taking("Sell", qty="5", reduceOnly=True)
    assert await bybit.code("POST", "order/create", closing) == 110017
    await bybit.create(bybit.taking())
    await bybit.create(closing)
    assert bybit.trader.legs() == []
    row = (await bybit.rows("execution/list"))[0]
    assert (row["closedSize"], row["execQty"], "positionIdx" in row) == ("0.01", "0.01", False)


@pytest.mark.parametrize("direction, factor, code", [(1, 0.95, 110092), (2, 1.05, 110093)], ids=["rise", "fall"])
async def test_a_trigger_on_the_wrong_side(bybit: Bybit, direction: int, factor: float, code: int) -> None:
    await bybit.create(bybit.taking())
    stop = bybit.stop(triggerDirection=direction, triggerPrice=bybit.price(factor))
    assert await bybit.code("POST", "order/create", stop) == code


async def test_a_conditional_order_keeps_its_ids_when_it_fires(bybit: Bybit) -> None:
    """Both families share the list; `orderFilter` parts them. Several may close the whole position."""
    await bybit.create(bybit.taking())
    number = await bybit.create(bybit.stop(orderLinkId="stop"))
    await bybit.create(bybit.stop(orderLinkId="second", triggerPrice=bybit.price(0.9)))
    await bybit.create(bybit.limit(orderLinkId="plain"))
    assert len(await bybit.rows("order/realtime")) == 3
    assert [row["orderLinkId"] for row in await bybit.rows("order/realtime", orderFilter="Order")] == ["plain"]
    waiting = await bybit.rows("order/realtime", orderFilter="StopOrder")
    assert [row["orderStatus"] for row in waiting] == ["Untriggered", "Untriggered"]
    bybit.venue.deeds.do(_jump(-7))
    bybit.pass_ms(3_000)
    assert bybit.trader.legs() == []
    row, = await bybit.rows("order/history", orderLinkId="stop")
    assert (row["orderId"], row["orderStatus"], row["stopOrderType"], row["cumExecQty"]) == (
        number, "Filled", "Stop", "0.02"), "all that was held then: the order below was filled on the way"
    fill = (await bybit.rows("execution/list"))[0]
    assert (fill["orderId"], fill["orderLinkId"]) == (number, "stop")


def _jump(pct: int) -> Any:
    from modules.simulator.perp.acts import PerpAct

    return PerpAct.parse({"action": "jump", "symbol": "BTCUSDT", "pct": str(pct)})


async def test_legs_are_told_by_index_and_the_mode_is_guarded(bybit: Bybit) -> None:
    assert [row["positionIdx"] for row in await bybit.rows("position/list")] == [0]
    await bybit.create(bybit.limit())
    mode = {"category": "linear", "coin": "USDT", "mode": 3}
    assert await bybit.code("POST", "position/switch-mode", mode) == 110028
    await bybit.good("POST", "order/cancel-all", BTC)
    await bybit.hedged()
    assert await bybit.code("POST", "position/switch-mode", mode) == 110025
    assert await bybit.code("POST", "order/create", bybit.taking()) == 10001
    await bybit.create(bybit.taking(positionIdx=1))
    await bybit.create(bybit.taking("Sell", positionIdx=2, qty="0.02"))
    rows = (await bybit.good("GET", "position/list", USDT))["list"]
    assert {(row["positionIdx"], row["side"], row["size"]) for row in rows} == {(1, "Buy", "0.01"), (2, "Sell", "0.02")}
    assert await bybit.code("POST", "position/switch-mode", {**mode, "mode": 0}) == 110024
    assert await bybit.code("POST", "account/set-margin-mode", {"setMarginMode": "ISOLATED_MARGIN"}) == 3400045


async def test_isolated_margin_empties_the_accounts_totals(bybit: Bybit) -> None:
    """A client that reads an empty text as nothing free, or as zero, is wrong either way."""
    wallet = (await bybit.good("GET", "account/wallet-balance", {"accountType": "UNIFIED"}))["list"][0]
    assert Decimal(wallet["totalAvailableBalance"]) == 10_000
    await bybit.good("POST", "account/set-margin-mode", {"setMarginMode": "ISOLATED_MARGIN"})
    wallet = (await bybit.good("GET", "account/wallet-balance", {"accountType": "UNIFIED"}))["list"][0]
    assert wallet["totalAvailableBalance"] == "" and Decimal(wallet["coin"][0]["walletBalance"]) == 10_000
    assert (await bybit.good("GET", "account/info"))["marginMode"] == "ISOLATED_MARGIN"
    assert (await bybit.rows("position/list"))[0]["tradeMode"] == 0


async def test_funding_is_listed_among_the_executions(bybit: Bybit) -> None:
    await bybit.create(bybit.taking())
    bybit.pass_ms(1_000)
    bybit.clock[0] += 8 * 3_600_000
    bybit.pass_ms(1_000)
    kinds = {row["execType"] for row in await bybit.rows("execution/list")}
    assert kinds == {"Trade", "Funding"}
    assert {row["execType"] for row in await bybit.rows("execution/list", execType="Trade")} == {"Trade"}
    log = (await bybit.good("GET", "account/transaction-log", {"accountType": "UNIFIED"}))["list"]
    assert {row["type"] for row in log} == {"TRADE", "SETTLEMENT", "TRANSFER_IN"}
    assert sum(Decimal(row["change"]) for row in log) == bybit.trader.wallet


async def test_lists_go_on_by_their_cursor(bybit: Bybit) -> None:
    for number in range(5):
        await bybit.create(bybit.limit(orderLinkId=f"n{number}"))
    seen, cursor = [], ""
    while True:
        page = await bybit.good("GET", "order/realtime", {**BTC, "limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [row["orderLinkId"] for row in page["list"]]
        cursor = page["nextPageCursor"]
        if not cursor:
            break
    assert seen == ["n4", "n3", "n2", "n1", "n0"]
    assert await bybit.code("GET", "order/realtime", LINEAR) == 10001, "neither contract nor coin"


async def test_limits_of_an_account_and_of_an_address(open_bybit: Opener) -> None:
    bybit = await open_bybit(Limits(times=1, address_5s=30))
    told = [await bybit.ask("POST", "order/cancel", {**BTC, "orderId": "1"}) for _ in range(11)]
    assert [content["retCode"] for _, content, _ in told] == [110001] * 10 + [10006]
    assert (told[0][2]["X-Bapi-Limit"], told[0][2]["X-Bapi-Limit-Status"]) == ("10", "9")
    assert int(told[-1][2]["X-Bapi-Limit-Reset-Timestamp"]) > bybit.clock[0]
    statuses = [(await bybit.ask("GET", "market/time"))[0] for _ in range(20)]
    assert statuses == [200] * 19 + [403]


@pytest.mark.parametrize("kind, executed", [("drop_after", True), ("drop_before", False), ("status_after", True),
                                            ("http_status", False), ("truncated", True)])
async def test_a_lost_answer_leaves_the_order_or_none(bybit: Bybit, kind: str, executed: bool) -> None:
    bybit.plan({"class": "order", "kind": kind, "max_times": 1})
    status, content, _ = await bybit.ask("POST", "order/create", bybit.limit(orderLinkId="lost"))
    assert status != 200 or not isinstance(content, dict)
    found = await bybit.rows("order/realtime", orderLinkId="lost")
    assert bool(found) is executed
