"""The fault plan on Binance's paths: what was executed, what was said, in whose words."""

from __future__ import annotations

from typing import Any

import pytest

from modules.simulator.dialects.binance_faults import request_class
from tests.simulator.binance.conftest import Market

ORDER = "/fapi/v1/order"


@pytest.mark.parametrize(("request_line", "name"), [
    ("POST /fapi/v1/order", "order"), ("PUT /fapi/v1/order", "order"), ("POST /fapi/v1/batchOrders", "order"),
    ("POST /fapi/v1/algoOrder", "order"), ("POST /fapi/v1/order/test", "other"), ("DELETE /fapi/v1/order", "cancel"),
    ("DELETE /fapi/v1/algoOpenOrders", "cancel"), ("GET /fapi/v1/order", "query_order"),
    ("GET /fapi/v1/openAlgoOrders", "open_orders"), ("GET /fapi/v1/userTrades", "fills"),
    ("GET /fapi/v3/account", "balance"), ("GET /fapi/v2/positionRisk", "balance"), ("GET /fapi/v1/klines", "data"),
    ("GET /futures/data/basis", "data"), ("POST /fapi/v1/leverage", "other"), ("POST /fapi/v1/listenKey", "other"),
])
def test_classes(request_line: str, name: str) -> None:
    method, path = request_line.split()
    assert request_class(method, path) == name


@pytest.mark.parametrize(("rule", "status", "code", "placed"), [
    ({"kind": "http_status", "params": {"status": 503}}, 503, -1008, 0),
    ({"kind": "status_after", "params": {"status": 503}}, 503, -1, 1),
    ({"kind": "status_after", "params": {"status": 500}}, 500, -1006, 1),
    ({"kind": "status_after", "params": {"status": 504}}, 504, -1007, 1),
    ({"kind": "rate_limit", "params": {"retry_after_s": 1}}, 429, -1003, 0),
    ({"kind": "ban", "params": {"retry_after_s": 1}}, 418, -1003, 0),
    ({"kind": "drop_before"}, 0, None, 0),
    ({"kind": "drop_after"}, 0, None, 1),
    ({"kind": "reset_after"}, 0, None, 1),
    ({"kind": "garbage"}, 200, None, 0),
    ({"kind": "empty_after"}, 200, None, 1),
    ({"kind": "html_after"}, 200, None, 1),
    ({"kind": "cut_body"}, 0, None, 1),
    ({"kind": "waf"}, 403, None, 0),
])
async def test_orders_under_faults(
    market: Market, rule: dict[str, Any], status: int, code: int | None, placed: int
) -> None:
    market.plan({**rule, "class": "order", "max_times": 1})
    try:
        got, content = await market.ask("POST", ORDER, market.order(newClientOrderId="under-fault"))
    except ValueError:  # garbage that begins like JSON
        got, content = 200, ""
    assert got == status
    if code is not None:
        assert content["code"] == code
    assert len(await market.good("GET", "/fapi/v1/openOrders")) == placed
    assert market.faults.counts()["injected"] == 1


async def test_partly_filled_while_it_is_cancelled(market: Market) -> None:
    placed = await market.good("POST", ORDER, market.order(quantity=market.size(1_000)))
    market.plan({"kind": "partial_fill", "class": "cancel", "params": {"share": 0.5}})
    gone = await market.good("DELETE", ORDER, {"symbol": "BTCUSDT", "orderId": placed["orderId"]})
    assert gone["status"] == "CANCELED" and 0 < float(gone["executedQty"]) < float(gone["origQty"])
    assert len(await market.good("GET", "/fapi/v3/positionRisk")) == 1


async def test_a_cancel_that_says_unknown_though_it_was_done(market: Market) -> None:
    placed = await market.good("POST", ORDER, market.order())
    market.plan({"kind": "cancel_unknown", "class": "cancel"})
    assert await market.code("DELETE", ORDER, {"symbol": "BTCUSDT", "orderId": placed["orderId"]}) == -2011
    found = await market.good("GET", ORDER, {"symbol": "BTCUSDT", "orderId": placed["orderId"]})
    assert found["status"] == "CANCELED"


async def test_rows_that_come_twice_and_fields_that_are_missing(market: Market) -> None:
    await market.good("POST", ORDER, market.order())
    market.plan({"kind": "duplicate_rows", "class": "open_orders", "params": {"how": "row"}, "max_times": 1},
                {"kind": "bad_field", "class": "open_orders", "params": {"how": "absent", "field": "executedQty"}})
    assert len(await market.good("GET", "/fapi/v1/openOrders")) == 2
    assert "executedQty" not in (await market.good("GET", "/fapi/v1/openOrders"))[0]


async def test_a_replica_that_lags_knows_nothing_of_a_second_ago(market: Market) -> None:
    market.pass_ms(5_000)
    await market.good("POST", ORDER, market.order(newClientOrderId="late"))
    await market.good("POST", ORDER, market.market_order())
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET",
            "triggerPrice": market.price(0.9), "closePosition": "true", "clientAlgoId": "late-stop"}
    await market.good("POST", "/fapi/v1/algoOrder", stop)
    balance = await market.good("GET", "/fapi/v3/balance")
    market.pass_ms(300)
    market.plan({"kind": "stale", "params": {"ms": 1000}})
    btc = {"symbol": "BTCUSDT"}
    assert await market.code("GET", ORDER, {**btc, "origClientOrderId": "late"}) == -2013
    assert await market.code("GET", "/fapi/v1/algoOrder", {"clientAlgoId": "late-stop"}) == -2013
    for path in ("openOrders", "allOrders", "userTrades", "openAlgoOrders", "allAlgoOrders"):
        assert await market.good("GET", f"/fapi/v1/{path}", btc) == []
    assert float((await market.good("GET", "/fapi/v3/positionRisk", btc))[0]["positionAmt"]) == 0
    before = await market.good("GET", "/fapi/v3/balance")
    assert float(before[0]["balance"]) == 10_000 > float(balance[0]["balance"])
    market.pass_ms(1_000)
    assert (await market.good("GET", ORDER, {**btc, "origClientOrderId": "late"}))["status"] == "NEW"
    assert float((await market.good("GET", "/fapi/v3/positionRisk", btc))[0]["positionAmt"]) > 0
    market.plan()
    await market.good("DELETE", ORDER, {**btc, "origClientOrderId": "late"})
    market.plan({"kind": "stale", "params": {"ms": 1000}})
    assert (await market.good("GET", ORDER, {**btc, "origClientOrderId": "late"}))["status"] == "NEW"
    assert len(await market.good("GET", "/fapi/v1/openOrders", btc)) == 1


async def test_market_data_does_not_lag(market: Market) -> None:
    market.plan({"kind": "stale", "class": "data", "params": {"ms": 1000}})
    assert (await market.ask("GET", "/fapi/v1/time", signed=False))[0] == 200
    assert market.faults.counts()["injected"] == 0
