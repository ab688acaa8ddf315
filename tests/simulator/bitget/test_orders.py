"""Orders, positions and plans on Bitget's wire: what was done, and what is told of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from modules.simulator.perp.acts import PerpAct
from tests.simulator.bitget.conftest import COIN, ONE, Bitget

PRODUCT = {"productType": "USDT-FUTURES"}
PENDING, PLANS = "order/orders-pending", "order/orders-plan-pending"


async def test_hedge_mode_closes_by_the_positions_side(bitget: Bitget) -> None:
    await bitget.hedged()
    await bitget.good("POST", "order/place-order", bitget.taking("buy", tradeSide="open", size="0.03"))
    await bitget.good("POST", "order/place-order", bitget.taking("sell", tradeSide="open", size="0.02"))
    await bitget.good("POST", "order/place-order", bitget.taking("buy", tradeSide="close", size="0.01"))
    held = await bitget.positions()
    assert (held["long"]["total"], held["short"]["total"]) == ("0.02", "0.02")
    rows = (await bitget.good("GET", "order/fills", PRODUCT))["fillList"]
    assert {(row["side"], row["tradeSide"]) for row in rows} == {("buy", "open"), ("sell", "open"), ("buy", "close")}
    done = await bitget.good("POST", "order/close-positions", {**ONE, "holdSide": "short"})
    assert len(done["successList"]) == 1
    assert (await bitget.positions()).keys() == {"long"}


async def test_closing_needs_a_position_that_no_other_order_holds(bitget: Bitget) -> None:
    await bitget.hedged()
    close = bitget.order(tradeSide="close", price=bitget.price(1.02))
    assert await bitget.code("POST", "order/place-order", close) == "22002"
    await bitget.good("POST", "order/place-order", bitget.taking(tradeSide="open", size="0.02"))
    await bitget.good("POST", "order/place-order", close)
    assert await bitget.code("POST", "order/place-order", {**close, "size": "0.02"}) == "40755"
    row = (await bitget.positions())["long"]
    assert (row["total"], row["available"], row["locked"]) == ("0.02", "0.01", "0.01")


async def test_a_client_id_is_used_once(bitget: Bitget) -> None:
    await bitget.good("POST", "order/place-order", bitget.taking(clientOid="once"))
    assert await bitget.code("POST", "order/place-order", bitget.taking(clientOid="once")) == "40786"
    assert await bitget.code("POST", "order/place-order", bitget.order(clientOid="once", symbol="ETHUSDT",
                                                                       price="2000", size="0.1")) == "40786"
    found = await bitget.good("GET", "order/detail", {**ONE, "clientOid": "once"})
    assert (found["state"], found["baseVolume"]) == ("filled", "0.010")


@pytest.mark.parametrize("force", ["post_only", "fok"])
async def test_what_cannot_stand_is_taken_and_cancelled(bitget: Bitget, force: str) -> None:
    more = {"price": bitget.price(1.02)} if force == "post_only" else {"size": "0.1"}
    done = await bitget.good("POST", "order/place-order", bitget.order(force=force, **more))
    found = await bitget.good("GET", "order/detail", {**ONE, "orderId": done["orderId"]})
    assert (found["state"], found["baseVolume"]) == ("canceled", "0.000")
    assert not bitget.trader.legs()


async def test_modifying_ends_the_order_and_places_another(bitget: Bitget) -> None:
    old = await bitget.good("POST", "order/place-order", bitget.order(clientOid="first"))
    assert await bitget.code("POST", "order/modify-order", {**ONE, "orderId": old["orderId"],
                                                            "newSize": "0.02"}) == "40925"
    new = await bitget.good("POST", "order/modify-order", {
        **ONE, "orderId": old["orderId"], "newClientOid": "second", "newSize": "0.02", "newPrice": bitget.price(0.98)})
    assert new["orderId"] != old["orderId"]
    rows = (await bitget.good("GET", PENDING, PRODUCT))["entrustedList"]
    assert [(row["clientOid"], row["size"]) for row in rows] == [("second", "0.020")]
    assert await bitget.code("POST", "order/cancel-order", {**ONE, "clientOid": "first"}) == "40768"


async def test_batches_tell_what_was_done_and_what_was_not(bitget: Bitget) -> None:
    row = {name: value for name, value in bitget.order().items() if name not in (*COIN, "marginMode")}
    done = await bitget.good("POST", "order/batch-place-order", {
        **COIN, "marginMode": "crossed", "orderList": [
            {**row, "clientOid": "a"}, {**row, "clientOid": "a"}, {**row, "colour": "red"}, {**row, "size": "x"}, 7]})
    assert [one["clientOid"] for one in done["successList"]] == ["a"]
    assert [one["errorCode"] for one in done["failureList"]] == ["40786", "400172", "40020", "400172"]
    gone = await bitget.good("POST", "order/batch-cancel-orders", {
        **ONE, "orderIdList": [{"clientOid": "a"}, {"orderId": "5"}]})
    assert (len(gone["successList"]), gone["failureList"][0]["errorCode"]) == (1, "40768")
    assert (await bitget.good("GET", PENDING, PRODUCT))["entrustedList"] is None


async def test_a_margin_mode_in_an_order_is_taken_only_while_nothing_is_open(bitget: Bitget) -> None:
    await bitget.good("POST", "order/place-order", bitget.taking(marginMode="isolated"))
    assert (await bitget.positions())["long"]["marginMode"] == "isolated"
    assert await bitget.code("POST", "order/place-order", bitget.taking()) == "45117"
    assert await bitget.code("POST", "account/set-position-mode", {**PRODUCT, "posMode": "hedge_mode"}) == "40920"
    await bitget.good("POST", "account/set-margin", {**COIN, "amount": "50", "holdSide": "long"})
    assert await bitget.code("POST", "account/set-margin", {**COIN, "amount": "99999", "holdSide": "long"}) == "40754"
    assert await bitget.code("POST", "account/set-leverage", {**COIN, "leverage": "200"}) == "40797"
    assert await bitget.code("POST", "account/set-leverage", {
        **COIN, "longLeverage": "10", "shortLeverage": "5"}) == "40805"


async def test_closed_positions_add_up_to_the_wallet(bitget: Bitget) -> None:
    await bitget.hedged()
    for side in ("buy", "sell"):
        await bitget.good("POST", "order/place-order", bitget.taking(side, tradeSide="open", size="0.03"))
        bitget.pass_ms(2_000)
        await bitget.good("POST", "order/place-order", bitget.taking(side, tradeSide="close", size="0.01"))
    bitget.clock[0] += 9 * 3_600_000  # over a settlement of funding
    bitget.venue.step()
    await bitget.good("POST", "order/close-positions", PRODUCT)
    rows = (await bitget.good("GET", "position/history-position", PRODUCT))["list"]
    assert sorted(row["holdSide"] for row in rows) == ["long", "short"]
    assert all(row["openTotalPos"] == row["closeTotalPos"] == "0.03" for row in rows)
    assert any(Decimal(row["totalFunding"]) for row in rows)
    assert 10_000 + sum(Decimal(row["netProfit"]) for row in rows) == bitget.trader.wallet
    bills = (await bitget.good("GET", "account/bill", PRODUCT))["bills"]
    assert sum(Decimal(row["amount"]) + Decimal(row["fee"]) for row in bills) == bitget.trader.wallet
    assert Decimal(bills[0]["balance"]) == bitget.trader.wallet


async def test_presets_protect_what_was_filled(bitget: Bitget) -> None:
    await bitget.good("POST", "order/place-order", bitget.taking(
        presetStopLossPrice=bitget.price(0.9), presetStopSurplusPrice=bitget.price(1.1)))
    rows = (await bitget.good("GET", PLANS, {**PRODUCT, "planType": "profit_loss"}))["entrustedList"]
    assert {(row["planType"], row["size"], row["side"]) for row in rows} == {
        ("loss_plan", "0.010", "sell"), ("profit_plan", "0.010", "sell")}


async def test_plans_of_every_kind(bitget: Bitget) -> None:
    tpsl = {**COIN, "planType": "pos_loss", "triggerPrice": bitget.price(0.9), "holdSide": "buy"}
    assert await bitget.code("POST", "order/place-tpsl-order", tpsl) == "40891"
    await bitget.good("POST", "order/place-order", bitget.taking())
    assert await bitget.code("POST", "order/place-tpsl-order", {**tpsl, "holdSide": "long"}) == "40774"
    assert await bitget.code("POST", "order/place-tpsl-order", {**tpsl, "triggerPrice": bitget.price(1.1)}) == "40834"
    await bitget.good("POST", "order/place-tpsl-order", {**tpsl, "clientOid": "stop"})
    assert await bitget.code("POST", "order/place-tpsl-order", tpsl) == "43031"
    for factor, kind in ((0.95, "limit"), (1.05, "limit"), (0.95, "market"), (1.05, "market")):
        await bitget.good("POST", "order/place-plan-order", bitget.order(
            planType="normal_plan", triggerPrice=bitget.price(factor), orderType=kind, price=bitget.price(factor)))
    await bitget.good("POST", "order/place-plan-order", bitget.taking(
        "sell", planType="track_plan", triggerPrice=bitget.price(1.05), callbackRatio="1", reduceOnly="YES"))
    counts = {kind: len((await bitget.good("GET", PLANS, {**PRODUCT, "planType": kind}))["entrustedList"] or ())
              for kind in ("normal_plan", "track_plan", "profit_loss")}
    assert counts == {"normal_plan": 4, "track_plan": 1, "profit_loss": 1}
    await bitget.good("POST", "order/modify-tpsl-order", {
        **COIN, "clientOid": "stop", "triggerPrice": bitget.price(0.8), "size": "0"})
    assert await bitget.code("POST", "order/modify-tpsl-order", {
        **COIN, "clientOid": "stop", "triggerPrice": bitget.price(1.2)}) == "43011"
    assert await bitget.code("POST", "order/modify-plan-order", {**PRODUCT, "clientOid": "stop"}) == "43025"
    gone = await bitget.good("POST", "order/cancel-plan-order", {**PRODUCT, "planType": "normal_plan"})
    assert len(gone["successList"]) == 4
    again = await bitget.good("POST", "order/cancel-plan-order", {
        **ONE, "orderIdList": [{"orderId": gone["successList"][0]["orderId"]}]})
    assert again["failureList"][0]["errorCode"] == "43025"


async def test_a_stop_closes_the_position_and_says_so(bitget: Bitget) -> None:
    await bitget.good("POST", "order/place-order", bitget.taking())
    await bitget.good("POST", "order/place-pos-tpsl", {
        **COIN, "holdSide": "buy", "stopLossTriggerPrice": bitget.price(0.98), "stopSurplusTriggerPrice":
        bitget.price(1.02)})
    bitget.venue.deeds.do(PerpAct.parse({"action": "jump", "symbol": "BTCUSDT", "pct": "-5"}))
    bitget.pass_ms(20_000)
    assert not bitget.trader.legs()
    rows = (await bitget.good("GET", "order/orders-plan-history", {**PRODUCT, "planType": "profit_loss"}))
    done = next(row for row in rows["entrustedList"] if row["planStatus"] == "executed")
    assert done["planType"] == "pos_loss"
    order = await bitget.good("GET", "order/detail", {**ONE, "orderId": done["executeOrderId"]})
    assert (order["state"], order["orderSource"]) == ("filled", f"{done['planType']}_market")
