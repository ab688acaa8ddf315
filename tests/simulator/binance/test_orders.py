"""Orders, positions and settings through the wire: answers' shapes, and every refusal with its code."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from modules.simulator.dialects.binance_orders import DAY_MS
from modules.simulator.dialects.binance_weights import Limits
from tests.simulator.binance.conftest import Market, Opener

ORDER = "/fapi/v1/order"
ALGO = "/fapi/v1/algoOrder"
#: fields in their order, as the venue's documentation and Binance.Net's recordings have them
PLACED = [
    "orderId", "symbol", "status", "clientOrderId", "price", "avgPrice", "origQty", "executedQty", "cumQty", "cumQuote",
    "timeInForce", "type", "reduceOnly", "closePosition", "side", "positionSide", "stopPrice", "workingType",
    "priceProtect", "origType", "priceMatch", "selfTradePreventionMode", "goodTillDate", "updateTime"]
FILL = ["buyer", "commission", "commissionAsset", "id", "maker", "orderId", "price", "qty", "quoteQty", "realizedPnl",
        "side", "positionSide", "symbol", "time"]
ALGO_PLACED = [
    "algoId", "clientAlgoId", "algoType", "orderType", "symbol", "side", "positionSide", "timeInForce", "quantity",
    "algoStatus", "triggerPrice", "price", "icebergQuantity", "selfTradePreventionMode", "workingType", "priceMatch",
    "closePosition", "priceProtect", "reduceOnly", "activatePrice", "callbackRate", "createTime", "updateTime",
    "triggerTime", "goodTillDate"]
POSITION_V3 = [
    "symbol", "positionSide", "positionAmt", "entryPrice", "breakEvenPrice", "markPrice", "unRealizedProfit",
    "liquidationPrice", "isolatedMargin", "notional", "marginAsset", "isolatedWallet", "initialMargin", "maintMargin",
    "positionInitialMargin", "openOrderInitialMargin", "adl", "bidNotional", "askNotional", "updateTime"]
POSITION_V2 = [
    "symbol", "positionAmt", "entryPrice", "breakEvenPrice", "markPrice", "unRealizedProfit", "liquidationPrice",
    "leverage", "maxNotionalValue", "marginType", "isolatedMargin", "isAutoAddMargin", "positionSide", "notional",
    "isolatedWallet", "updateTime"]


async def test_shapes_of_an_orders_life(market: Market) -> None:
    placed = await market.good("POST", ORDER, market.order(newClientOrderId="mine-1"))
    assert list(placed) == PLACED
    assert (placed["status"], placed["clientOrderId"], placed["executedQty"]) == ("NEW", "mine-1", "0.000")
    found = await market.good("GET", ORDER, {"symbol": "BTCUSDT", "orderId": placed["orderId"]})
    assert list(found) == [*(name for name in PLACED if name not in ("cumQty", "updateTime")), "time", "updateTime"]
    assert await market.good("GET", "/fapi/v1/openOrder", {"symbol": "BTCUSDT", "origClientOrderId": "mine-1"}) == found
    canceled = await market.good("DELETE", ORDER, {"symbol": "BTCUSDT", "orderId": placed["orderId"]})
    assert list(canceled) == PLACED and canceled["status"] == "CANCELED"
    assert await market.code("DELETE", ORDER, {"symbol": "BTCUSDT", "orderId": placed["orderId"]}) == -2011
    assert await market.code("GET", "/fapi/v1/openOrder", {"symbol": "BTCUSDT", "origClientOrderId": "mine-1"}) == -2013


async def test_acknowledged_at_once_or_told_with_its_fills(market: Market) -> None:
    acknowledged = await market.good("POST", ORDER, market.market_order(newOrderRespType="ACK"))
    assert (acknowledged["status"], acknowledged["executedQty"], acknowledged["cumQuote"]) == ("NEW", "0.000", "0")
    told = await market.good("POST", ORDER, market.market_order())
    assert (told["status"], told["executedQty"]) == ("FILLED", told["origQty"])
    fills = await market.good("GET", "/fapi/v1/userTrades", {"symbol": "BTCUSDT"})
    assert list(fills[0]) == FILL
    mine = [fill for fill in fills if fill["orderId"] == told["orderId"]]
    assert sum(Decimal(fill["qty"]) for fill in mine) == Decimal(told["origQty"])
    assert sum(Decimal(fill["quoteQty"]) for fill in mine) == Decimal(told["cumQuote"])


@pytest.mark.parametrize(("more", "code"), [
    ({"type": "STOP_MARKET", "stopPrice": "1"}, -4120),
    ({"type": "TAKE_PROFIT"}, -4120),
    ({"type": "ICEBERG"}, -1116),
    ({"side": "HOLD"}, -1117),
    ({"symbol": "NOPEUSDT"}, -1121),
    ({"timeInForce": "XXX"}, -1115),
    ({"positionSide": "UP"}, -4060),
    ({"positionSide": "LONG"}, -4061),
    ({"stopPrice": "1"}, -1106),
    ({"closePosition": "true"}, -1106),
    ({"stopLoss": "x"}, -1104),
    ({"quantity": "0"}, -4003),
    ({"quantity": "0.0001"}, -1111),
    ({"quantity": "100000"}, -4005),
    ({"price": "0"}, -4001),
    ({"price": "50000.01"}, -1111),
    ({"timeInForce": "GTD"}, -1102),
    ({"timeInForce": "GTD", "goodTillDate": "1770000600000"}, -5040),
    ({"goodTillDate": "1770009600000"}, -1106),
    ({"reduceOnly": "true"}, -2022),
    ({"newClientOrderId": "x" * 37}, -4015),
    ({"priceMatch": "QUEUE"}, -1106),
    ({"selfTradePreventionMode": "EXPIRE_TAKER"}, -5039),
])
async def test_refused_orders(market: Market, more: dict[str, Any], code: int) -> None:
    assert await market.code("POST", ORDER, market.order(**more)) == code
    assert await market.good("GET", "/fapi/v1/openOrders") == []


async def test_orders_refused_for_what_the_market_says(market: Market) -> None:
    assert await market.code("POST", ORDER, market.order(timeInForce="GTX", price=market.price(1.02))) == -5022
    assert await market.code("POST", ORDER, market.order(timeInForce="FOK")) == -5021
    assert await market.code("POST", ORDER, market.order(price=market.price(1.2))) == -4016
    assert await market.code("POST", ORDER, market.order(side="SELL", price=market.price(0.8))) == -4024
    assert await market.code("POST", ORDER, market.order(quantity=market.size(300_000))) == -2019
    small = await market.ask("POST", ORDER, market.order(quantity="0.001", price=market.price(0.96)))
    least = market.venue.specs[0].min_notional
    assert small[0] == 200 or (small[1]["code"], str(least) in small[1]["msg"]) == (-4164, True)
    assert await market.code("POST", ORDER, {**market.market_order(), "timeInForce": "GTC"}) == -1114
    assert await market.code("POST", ORDER, {**market.market_order(), "price": market.price()}) == -1106
    for name in ("price", "quantity", "timeInForce"):
        order = market.order()
        del order[name]
        assert await market.code("POST", ORDER, order) == -1102


async def test_a_client_id_is_unique_among_open_orders_only(market: Market) -> None:
    await market.good("POST", ORDER, market.order(newClientOrderId="once"))
    assert await market.code("POST", ORDER, market.order(newClientOrderId="once")) == -4116
    await market.good("DELETE", "/fapi/v1/allOpenOrders", {"symbol": "BTCUSDT"})
    again = await market.good("POST", ORDER, market.order(newClientOrderId="once"))
    found = await market.good("GET", ORDER, {"symbol": "BTCUSDT", "origClientOrderId": "once"})
    assert found["orderId"] == again["orderId"]


async def test_a_test_order_changes_nothing(market: Market) -> None:
    assert await market.good("POST", "/fapi/v1/order/test", market.order()) == {}
    assert await market.code("POST", "/fapi/v1/order/test", market.order(quantity=market.size(300_000))) == -2019
    assert await market.good("GET", "/fapi/v1/allOrders", {"symbol": "BTCUSDT"}) == []


async def test_changing_an_order(market: Market) -> None:
    placed = await market.good("POST", ORDER, market.order())
    one = {"symbol": "BTCUSDT", "orderId": placed["orderId"], "side": "BUY", "quantity": market.size()}
    changed = await market.good("PUT", ORDER, {**one, "price": market.price(0.96)})
    assert list(changed)[:3] == ["orderId", "symbol", "pair"]
    assert (changed["orderId"], changed["price"]) == (placed["orderId"], market.price(0.96))
    assert await market.code("PUT", ORDER, {**one, "price": market.price(0.96)}) == -5027
    assert await market.code("PUT", ORDER, {**one, "orderId": "1", "price": market.price(0.96)}) == -2013


async def test_batches_answer_each_order_in_its_place(market: Market) -> None:
    rows = [market.order(), market.order(side="HOLD"), market.order(stopLoss="1"), market.order(quantity="0.0001")]
    answers = await market.good("POST", "/fapi/v1/batchOrders", {"batchOrders": json.dumps(rows)})
    assert answers[0]["status"] == "NEW"
    assert [row["code"] for row in answers[1:]] == [-1117, -1104, -1111]
    assert await market.code("POST", "/fapi/v1/batchOrders", {"batchOrders": json.dumps(rows * 2)}) == -4082
    assert await market.code("POST", "/fapi/v1/batchOrders", {"batchOrders": "{"}) == -1130
    gone = await market.good("DELETE", "/fapi/v1/batchOrders", {
        "symbol": "BTCUSDT", "orderIdList": json.dumps([answers[0]["orderId"], 1])})
    assert gone[0]["status"] == "CANCELED" and gone[1]["code"] == -2011
    odd = await market.good("DELETE", "/fapi/v1/batchOrders", {"symbol": "BTCUSDT", "orderIdList": '["a",null]'})
    assert [row["code"] for row in odd] == [-1100, -1100]


async def test_a_matched_price_stands_at_the_book(market: Market) -> None:
    order = market.order(priceMatch="QUEUE_5")
    del order["price"]
    placed = await market.good("POST", ORDER, order)
    _, bids, _ = market.venue.depth(0, 10)
    assert Decimal(placed["price"]) == market.venue.specs[0].price(bids[4][0])


async def test_what_the_venue_forgets_and_how_far_it_looks_back(market: Market) -> None:
    bought = await market.good("POST", ORDER, market.market_order())
    placed = await market.good("POST", ORDER, market.order())
    one = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    await market.good("DELETE", ORDER, one)
    market.pass_ms(4 * DAY_MS)
    assert await market.code("GET", ORDER, one) == -2013
    rows = await market.good("GET", "/fapi/v1/allOrders", {"symbol": "BTCUSDT"})
    assert [row["orderId"] for row in rows] == [bought["orderId"]]
    market.pass_ms(4 * DAY_MS)
    for path in ("allOrders", "userTrades"):
        assert await market.good("GET", f"/fapi/v1/{path}", {"symbol": "BTCUSDT"}) == []
        since = {"symbol": "BTCUSDT", "startTime": bought["updateTime"] - 1000}
        assert len(await market.good("GET", f"/fapi/v1/{path}", since)) > 0
    assert (await market.good("GET", ORDER, {**one, "orderId": bought["orderId"]}))["status"] == "FILLED"
    assert len(await market.good("GET", "/fapi/v1/userTrades", {"symbol": "BTCUSDT", "fromId": 1})) > 0


async def test_the_countdown_cancels(market: Market) -> None:
    await market.good("POST", ORDER, market.order())
    answer = await market.good("POST", "/fapi/v1/countdownCancelAll", {"symbol": "BTCUSDT", "countdownTime": 1000})
    assert answer == {"symbol": "BTCUSDT", "countdownTime": "1000"}
    market.pass_ms(1500)
    assert await market.good("GET", "/fapi/v1/openOrders", {"symbol": "BTCUSDT"}) == []


# -- conditional orders ------------------------------------------------------------------------------------------


async def test_conditional_orders_live_behind_their_own_path(market: Market) -> None:  # X26
    await market.good("POST", ORDER, market.market_order())
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET",
            "quantity": market.size(), "triggerPrice": market.price(0.9), "reduceOnly": "true", "clientAlgoId": "sl-1"}
    placed = await market.good("POST", ALGO, stop)
    assert list(placed) == ALGO_PLACED and placed["algoStatus"] == "NEW"
    assert await market.code("POST", ALGO, stop) == -4116
    assert await market.good("GET", "/fapi/v1/openOrders", {"symbol": "BTCUSDT"}) == []
    await market.good("DELETE", "/fapi/v1/allOpenOrders", {"symbol": "BTCUSDT"})
    listed = await market.good("GET", "/fapi/v1/openAlgoOrders", {"symbol": "BTCUSDT"})
    assert [row["algoId"] for row in listed] == [placed["algoId"]]
    assert listed[0]["actualOrderId"] == ""
    gone = await market.good("DELETE", ALGO, {"clientAlgoId": "sl-1"})
    assert gone == {"algoId": placed["algoId"], "clientAlgoId": "sl-1", "code": "200", "msg": "success"}
    assert await market.code("DELETE", ALGO, {"clientAlgoId": "sl-1"}) == -2011
    one = await market.good("GET", ALGO, {"algoId": placed["algoId"]})
    assert one["algoStatus"] == "CANCELED"


@pytest.mark.parametrize(("more", "code"), [
    ({"triggerPrice": None}, -1102),
    ({"quantity": None}, -1102),
    ({"algoType": "VP"}, -1130),
    ({"type": "LIMIT"}, -1116),
    ({"type": "STOP"}, -1102),
    ({"price": "1"}, -1106),
    ({"callbackRate": "1"}, -1106),
    ({"closePosition": "true"}, -4137),
    ({"closePosition": "true", "quantity": None}, -1106),
    ({"triggerPrice": "0"}, -4006),
    ({"type": "TRAILING_STOP_MARKET"}, -1102),
    ({"workingType": "INDEX"}, -4031),
    ({"stopPrice": "5"}, -1104),
])
async def test_refused_conditional_orders(market: Market, more: dict[str, Any], code: int) -> None:
    await market.good("POST", ORDER, market.market_order())
    order = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET",
             "quantity": market.size(), "triggerPrice": market.price(0.9), "reduceOnly": "true", **more}
    wanted = {name: value for name, value in order.items() if value is not None}
    assert await market.code("POST", ALGO, wanted) == code
    assert await market.good("GET", "/fapi/v1/openAlgoOrders") == []


async def test_a_stop_that_would_trigger_at_once(market: Market) -> None:
    assert await market.code("POST", ALGO, {
        "algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET",
        "quantity": market.size(), "triggerPrice": market.price(1.1)}) == -2021


async def test_a_triggered_stop_names_the_order_it_became(market: Market) -> None:
    await market.good("POST", ORDER, market.market_order())
    placed = await market.good("POST", ALGO, {
        "algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET",
        "closePosition": "true", "triggerPrice": market.price(0.98)})
    market.venue.market.jump(0, 0.96)
    market.pass_ms(2_000)
    one = await market.good("GET", ALGO, {"algoId": placed["algoId"]})
    assert one["algoStatus"] in ("TRIGGERED", "FINISHED") and one["triggerTime"] > 0
    order = await market.good("GET", ORDER, {"symbol": "BTCUSDT", "orderId": one["actualOrderId"]})
    assert (order["status"], order["type"], order["origType"]) == ("FILLED", "MARKET", "STOP_MARKET")
    assert await market.good("GET", "/fapi/v3/positionRisk") == []


# -- account -----------------------------------------------------------------------------------------------------


async def test_positions_in_both_versions(market: Market) -> None:
    assert await market.good("GET", "/fapi/v3/positionRisk") == []
    await market.good("POST", ORDER, market.market_order("SELL"))
    v3 = (await market.good("GET", "/fapi/v3/positionRisk", {"symbol": "BTCUSDT"}))[0]
    assert list(v3) == POSITION_V3 and Decimal(v3["positionAmt"]) < 0
    v2 = await market.good("GET", "/fapi/v2/positionRisk")
    assert [row["symbol"] for row in v2] == list(market.venue.by_symbol)
    assert list(v2[0]) == POSITION_V2 and v2[0]["positionAmt"] == v3["positionAmt"]
    assert v2[1]["positionAmt"].strip("0.") == "" and v2[1]["entryPrice"] == "0.0"


async def test_the_wallet_is_the_sum_of_its_income(market: Market) -> None:
    await market.good("POST", ORDER, market.market_order())
    await market.good("POST", ORDER, market.market_order("SELL", reduceOnly="true"))
    rows = await market.good("GET", "/fapi/v1/income", {"limit": 1000})
    balance = await market.good("GET", "/fapi/v3/balance")
    assert {row["incomeType"] for row in rows} == {"TRANSFER", "COMMISSION", "REALIZED_PNL"}
    kept = {row["asset"]: Decimal(row["balance"]) for row in balance}
    assert abs(sum(Decimal(row["income"]) for row in rows) - kept["USDT"]) < Decimal("1e-7") * len(rows)
    assert not any(amount for asset, amount in kept.items() if asset != "USDT")
    only = await market.good("GET", "/fapi/v1/income", {"incomeType": "COMMISSION"})
    assert only == [row for row in rows if row["incomeType"] == "COMMISSION"]


async def test_settings_say_when_there_is_nothing_to_change(market: Market) -> None:
    btc = {"symbol": "BTCUSDT"}
    assert await market.code("POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": "false"}) == -4059
    assert await market.code("POST", "/fapi/v1/marginType", {**btc, "marginType": "CROSSED"}) == -4046
    assert await market.code("POST", "/fapi/v1/multiAssetsMargin", {"multiAssetsMargin": "false"}) == -4171
    assert await market.code("POST", "/fapi/v1/multiAssetsMargin", {"multiAssetsMargin": "true"}) == -1020
    assert await market.code("POST", "/fapi/v1/leverage", {**btc, "leverage": 1000}) == -4028
    answer = await market.good("POST", "/fapi/v1/leverage", {**btc, "leverage": 7})
    assert (answer["leverage"], answer["symbol"]) == (7, "BTCUSDT")
    assert (await market.good("GET", "/fapi/v1/symbolConfig", btc))[0]["leverage"] == 7


async def test_hedge_mode_keeps_both_sides(market: Market) -> None:
    await market.good("POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": "true"})
    assert await market.code("POST", ORDER, market.market_order()) == -4061
    assert await market.code("POST", ORDER, market.market_order(positionSide="LONG", reduceOnly="true")) == -1106
    await market.good("POST", ORDER, market.market_order(positionSide="LONG"))
    await market.good("POST", ORDER, market.market_order("SELL", positionSide="SHORT"))
    rows = await market.good("GET", "/fapi/v3/positionRisk", {"symbol": "BTCUSDT"})
    assert {row["positionSide"]: Decimal(row["positionAmt"]) > 0 for row in rows} == {"LONG": True, "SHORT": False}
    assert await market.code("POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": "false"}) == -4068
    assert len(await market.good("GET", "/fapi/v2/positionRisk", {"symbol": "BTCUSDT"})) == 3


async def test_listen_keys(market: Market) -> None:
    status, opened = await market.ask("POST", "/fapi/v1/listenKey", signed=False)
    assert status == 200 and len(opened["listenKey"]) == 64
    assert (await market.ask("POST", "/fapi/v1/listenKey", signed=False))[1] == opened
    assert (await market.ask("PUT", "/fapi/v1/listenKey", signed=False))[0] == 200
    assert (await market.ask("DELETE", "/fapi/v1/listenKey", signed=False)) == (200, {})
    assert (await market.ask("PUT", "/fapi/v1/listenKey", signed=False))[1]["code"] == -1125
    assert (await market.ask("POST", "/fapi/v1/listenKey", signed=False, key="x"))[1]["code"] == -2015


async def test_too_many_orders_are_refused_before_they_are_placed(open_market: Opener) -> None:
    market = await open_market(Limits(orders_10s=2))
    codes = [(await market.ask("POST", ORDER, market.order()))[0] for _ in range(3)]
    assert codes == [200, 200, 429]
    assert len(await market.good("GET", "/fapi/v1/openOrders")) == 2
