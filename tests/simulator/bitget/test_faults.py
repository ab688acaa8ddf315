"""The fault plan on Bitget's paths; what outlives a restart; ccxt, unmodified, at the same wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt
import pytest

from modules.simulator.dialects import bitget_words as words
from modules.simulator.dialects.bitget_auth import bitget_accounts
from modules.simulator.dialects.bitget_faults import request_class
from modules.simulator.perp.api import Kind, NewAlgo, Side
from modules.simulator.perp.venue import PerpVenue
from tests.simulator.bitget.conftest import ONE, PERP, Bitget
from tests.simulator.served import START_MS

HEDGED = {"hedged": True}


@pytest.mark.parametrize(("line", "name"), [
    ("POST order/place-order", "order"), ("POST order/batch-place-order", "order"),
    ("POST order/place-pos-tpsl", "order"), ("POST order/modify-order", "order"),
    ("POST order/close-positions", "order"), ("POST order/cancel-plan-order", "cancel"),
    ("POST order/batch-cancel-orders", "cancel"), ("GET order/detail", "query_order"),
    ("GET order/orders-pending", "open_orders"), ("GET order/orders-plan-pending", "open_orders"),
    ("GET order/fill-history", "fills"), ("GET account/accounts", "balance"), ("GET position/all-position", "balance"),
    ("GET market/candles", "data"), ("POST account/set-leverage", "other"),
])
def test_classes(line: str, name: str) -> None:
    method, path = line.split()
    assert request_class(method, "/api/v2/mix/" + path) == name


@pytest.mark.parametrize(("rule", "status", "code", "placed"), [
    ({"kind": "http_status", "params": {"status": 503}}, 503, "40200", 0),
    ({"kind": "status_after", "params": {"status": 503}}, 503, "40725", 1),
    ({"kind": "status_after", "params": {"status": 500}}, 500, "40015", 1),
    ({"kind": "rate_limit", "params": {"retry_after_s": 1}}, 429, "429", 0),
    ({"kind": "ban", "params": {"retry_after_s": 1}}, 403, None, 0),
    ({"kind": "drop_before"}, 0, None, 0), ({"kind": "drop_after"}, 0, None, 1),
    ({"kind": "timeout_after", "params": {"ms": 50}}, 0, None, 1),
    ({"kind": "timeout_before", "params": {"ms": 50}}, 0, None, 0),
    ({"kind": "garbage"}, 200, None, 0), ({"kind": "html_after"}, 200, None, 1), ({"kind": "waf"}, 403, None, 0),
])
async def test_orders_under_faults(
    bitget: Bitget, rule: dict[str, Any], status: int, code: str | None, placed: int
) -> None:
    bitget.plan({**rule, "class": "order", "max_times": 1})
    got, content = await bitget.ask("POST", "order/place-order", bitget.order(clientOid="under-fault"))
    assert got == status
    if code is not None:
        assert content["code"] == code
    assert len(bitget.venue.open_orders(bitget.trader)) == placed
    again = await bitget.ask("POST", "order/place-order", bitget.order(clientOid="under-fault"))
    assert again[0] == (400 if placed else 200)
    assert len(bitget.venue.open_orders(bitget.trader)) == 1


async def test_a_lagging_replica_does_not_know_the_order_yet(bitget: Bitget) -> None:
    bitget.pass_ms(5_000)
    done = await bitget.good("POST", "order/place-order", bitget.order())
    bitget.plan({"class": "any", "kind": "stale", "params": {"ms": 2000}})
    assert await bitget.code("GET", "order/detail", {**ONE, "orderId": done["orderId"]}) == "40109"
    assert (await bitget.good("GET", "order/orders-pending", ONE))["entrustedList"] is None


async def test_a_cancellation_that_comes_too_late(bitget: Bitget) -> None:
    done = await bitget.good("POST", "order/place-order", bitget.order())
    bitget.plan({"class": "cancel", "kind": "partial_fill", "params": {"share": 1}, "max_times": 1})
    assert await bitget.code("POST", "order/cancel-order", {**ONE, "orderId": done["orderId"]}) == "40768"
    assert bitget.trader.legs()


def test_plans_know_their_kind_after_a_restart(tmp_path: Path) -> None:
    def opened() -> PerpVenue:
        return PerpVenue(1, 1, lambda: START_MS, bitget_accounts(), state=tmp_path)

    venue = opened()
    mark = venue.market.marks.mark[0]
    trigger = venue.specs[0].price(int(mark * 2 / venue.specs[0].tick))
    algo = venue.place_algo(venue.accounts["bitget"], NewAlgo(
        "BTCUSDT", Side.BUY, Kind.STOP_MARKET, venue.specs[0].qty(10), trigger,
        tag=words.tag(plan="normal_plan", sl="50000")))
    venue.close()
    venue = opened()
    kept = venue.find_algo(venue.accounts["bitget"], algo.id)
    assert words.plan_type(kept) == "normal_plan"
    assert words.tagged(kept.tag)["sl"] == "50000"
    venue.close()


async def test_ccxt_trades_both_legs(bitget: Bitget) -> None:
    client = bitget.client()
    await client.load_markets()
    await client.set_position_mode(True, PERP)
    await client.create_order(PERP, "market", "buy", 0.02, None, HEDGED)
    await client.create_order(PERP, "market", "sell", 0.01, None, HEDGED)
    closing = {**HEDGED, "reduceOnly": True}
    done = await client.create_order(PERP, "market", "sell", 0.01, None, closing)
    order = await client.fetch_order(done["id"], PERP)
    assert (order["side"], order["info"]["side"], order["status"]) == ("sell", "buy", "closed")
    held = {row["side"]: row for row in await client.fetch_positions()}
    assert {side: row["contracts"] for side, row in held.items()} == {"long": 0.01, "short": 0.01}
    assert held["long"]["hedged"] is True
    stop = {**closing, "stopLossPrice": float(bitget.price(0.9))}
    await client.create_order(PERP, "market", "sell", 0.01, None, stop)
    assert len(await client.fetch_open_orders(PERP, None, None, {"trigger": True, "planType": "profit_loss"})) == 1
    with pytest.raises(ccxt.InvalidOrder, match="40774"):
        await client.create_order(PERP, "market", "buy", 0.01)
    assert len(await client.close_all_positions()) == 2


async def test_ccxt_reads_the_market_and_the_account(bitget: Bitget) -> None:
    client = bitget.client()
    assert len(await client.load_markets()) == 3
    assert await client.fetch_time() == bitget.clock[0]
    candles = await client.fetch_ohlcv(PERP, "5m", bitget.clock[0] - 40 * 300_000, 20)
    assert [row[0] for row in candles] == sorted(row[0] for row in candles)
    assert len(candles) in (19, 20, 21)
    book = await client.fetch_order_book(PERP, 15)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert (await client.fetch_ticker(PERP))["last"] > 0
    assert (await client.fetch_funding_rate(PERP))["fundingRate"] is not None
    assert (await client.fetch_balance())["USDT"]["total"] == 10_000
    with pytest.raises(ccxt.ExchangeError, match="22002"):
        await client.close_position(PERP)
    wrong = bitget.client(secret="wrong")
    with pytest.raises(ccxt.AuthenticationError, match="40009"):
        await wrong.fetch_balance()
