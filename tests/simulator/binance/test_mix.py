"""The default mix of faults on Binance's paths: whatever befalls the answers, the venue itself stays sound."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from modules.simulator.fault_plan import FaultPlan
from tests.simulator.binance.conftest import Market

BTC = {"symbol": "BTCUSDT"}


async def test_every_other_request_meets_a_fault(market: Market) -> None:
    rules = [{"kind": "latency", "probability": 0.2, "params": {"ms": 1}}]
    rules += [{"kind": kind, "probability": 0.06, "class": "any"} for kind in (
        "drop_before", "drop_after", "reset_after", "status_after", "http_status", "truncated", "bad_field", "cut_body",
        "duplicate_rows", "shuffle_rows", "stale", "partial_fill", "cancel_unknown", "html_after", "empty")]
    market.faults.replace(FaultPlan.parse({"seed": 5, "rules": rules}, "test"))
    for turn in range(40):
        mine = {"newClientOrderId": f"t{turn}"}
        requests: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("POST", "/fapi/v1/order", market.order(**mine)), ("GET", "/fapi/v1/openOrders", BTC),
            ("DELETE", "/fapi/v1/order", {**BTC, "origClientOrderId": f"t{turn}"}),
            ("POST", "/fapi/v1/order", market.market_order("SELL" if turn % 2 else "BUY")),
            ("GET", "/fapi/v3/account", {}), ("GET", "/fapi/v1/userTrades", BTC))
        for method, path, params in requests:
            try:
                await market.ask(method, path, params)
            except ValueError:
                continue  # half an answer
        market.pass_ms(500)
    market.faults.replace(FaultPlan.empty())
    assert market.faults.counts()["injected"] > 80
    orders = {row["orderId"]: row for row in await market.good("GET", "/fapi/v1/allOrders", {**BTC, "limit": 1000})}
    filled = dict.fromkeys(orders, Decimal(0))
    held = Decimal(0)
    for fill in await market.good("GET", "/fapi/v1/userTrades", {**BTC, "limit": 1000}):
        filled[fill["orderId"]] += Decimal(fill["qty"])
        held += Decimal(fill["qty"]) * (1 if fill["buyer"] else -1)
    assert {number: Decimal(row["executedQty"]) for number, row in orders.items()} == filled
    rows = await market.good("GET", "/fapi/v2/positionRisk", BTC)
    assert Decimal(rows[0]["positionAmt"]) == held
    assert market.trader.wallet == sum(row.amount for row in market.venue.income_of(market.trader))
