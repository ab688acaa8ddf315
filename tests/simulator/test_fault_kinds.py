"""Every kind of fault: what the client meets, and what is true all the same."""

from __future__ import annotations

import asyncio
import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt
import pytest

from modules.simulator.fault_plan import Kind
from tests.simulator.conftest import Running, Starter
from tests.simulator.wire import Got, ask, conserved, injected, plan, truth

MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "20"}
LOW = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.002", "price": "40000",
       "newClientOrderId": "low"}


async def place(venue: Running, order: dict[str, str] | None = None) -> Got:
    return await ask(venue, "POST", "order", order or MARKET)


@pytest.mark.parametrize("kind,params,error,done", [
    ("timeout_before", {}, "TimeoutError", 0), ("timeout_after", {}, "TimeoutError", 1),
    ("drop_before", {}, "ServerDisconnectedError", 0), ("drop_after", {}, "ServerDisconnectedError", 1),
    ("reset_before", {}, "ClientOSError", 0), ("reset_after", {}, "ClientOSError", 1),
    ("cut_body", {}, "ClientPayloadError", 1),
    ("timeout_after", {"ms": 1}, "ServerDisconnectedError", 1),
    ("latency", {"ms": 20_000}, "TimeoutError", 0), ("latency", {"ms": 20_000, "when": "after"}, "TimeoutError", 1)])
async def test_no_answer(venue: Running, kind: str, params: dict[str, Any], error: str, done: int) -> None:
    await plan(venue, [{"class": "order", "kind": kind, "params": params, "max_times": 1}])
    # A connection kept open that breaks on a request may be tried again by clients for GET only; POST is not.
    patience_s = 1.0 if error == "TimeoutError" else 60.0
    assert (await ask(venue, "POST", "order", MARKET, timeout_s=patience_s)).error == error
    mine = await truth(venue)
    assert len(mine["orders"]) == done
    conserved(mine)
    assert await injected(venue) == {kind: {"order": 1}}
    assert (await place(venue)).status == 200


@pytest.mark.parametrize("kind,params,status,words,done", [
    ("http_status", {}, 503, "not available", 0), ("http_status", {"status": 502, "body": "<html>x"}, 502, "<html>", 0),
    ("status_after", {"status": 500, "body": '{"code":500}'}, 500, "500", 1),
    ("status_after", {"status": 504, "body": "<html>gone"}, 504, "gone", 1),
    ("waf", {}, 403, "Access Denied", 0), ("html", {}, 200, "Maintenance", 0),
    ("html_after", {}, 200, "Maintenance", 1),
    ("empty", {}, 200, "", 0), ("empty_after", {}, 200, "", 1), ("garbage", {}, 200, "BTCUSDT", 0),
    ("truncated", {}, 200, "{", 1)])
async def test_an_answer_that_says_nothing(
    venue: Running, kind: str, params: dict[str, Any], status: int, words: str, done: int
) -> None:
    await plan(venue, [{"class": "order", "kind": kind, "params": params, "max_times": 1}])
    got = await place(venue)
    assert got.status == status and words in got.text
    if status == 200:
        with pytest.raises(ValueError):
            assert got.json
    assert len((await truth(venue))["orders"]) == done
    assert (await place(venue)).json["orderId"]


@pytest.mark.parametrize("kind,status,error", [
    ("rate_limit", 429, ccxt.RateLimitExceeded), ("ban", 418, ccxt.ExchangeError)])
async def test_a_burst_refuses_everything_for_its_time(
    venue: Running, kind: str, status: int, error: type[Exception]
) -> None:
    client = venue.mexc()
    await client.load_markets()
    await plan(venue, [{"class": "balance", "kind": kind, "params": {"for_ms": 3000, "retry_after_s": 4},
                        "max_times": 1}])
    with pytest.raises(error):
        await client.fetch_balance()
    got = await ask(venue, "GET", "time", signed=False)
    assert (got.status, got.retry_after) == (status, "4"), "other requests meet the burst, too"
    assert (await place(venue)).status == status
    venue.pass_s(3.1)
    assert (await place(venue)).status == 200
    status_now = (await venue.get("/sim/status"))[1]["faults"]
    assert status_now["injected"] == 1 and status_now["in_bursts"] == 2


@pytest.mark.parametrize("how,check", [
    ("garbage", lambda row: row["free"] == "--"), ("nan", lambda row: row["free"] == "NaN"),
    ("negative", lambda row: Decimal(row["free"]) < 0), ("absent", lambda row: "free" not in row),
    ("null", lambda row: row["free"] is None), ("huge", lambda row: math.isinf(float(row["free"])))])
async def test_a_field_that_is_no_number(venue: Running, how: str, check: Any) -> None:
    await plan(venue, [{"class": "balance", "kind": "bad_field", "params": {"how": how, "field": "free"},
                        "max_times": 1}])
    assert check((await ask(venue, "GET", "account")).json["balances"][0])
    assert (await ask(venue, "GET", "account")).json["balances"][0]["free"] == "10000"


@pytest.mark.parametrize("path", ["ticker/24hr", "klines?symbol=BTCUSDT&interval=1m", "time", "depth?symbol=BTCUSDT",
                                  "exchangeInfo"])
async def test_market_data_is_spoilt_in_one_place(venue: Running, path: str) -> None:
    good = await ask(venue, "GET", path, signed=False)
    await plan(venue, [{"class": "data", "kind": "bad_field", "max_times": 1}])
    bad = await ask(venue, "GET", path, signed=False)
    assert bad.status == 200 and bad.text != good.text and bad.json is not None
    again = await ask(venue, "GET", path, signed=False)
    assert again.json == good.json


async def test_rows_twice_out_of_order_or_gone(venue: Running) -> None:
    for _ in range(3):
        await place(venue)
    good = (await ask(venue, "GET", "myTrades", {"symbol": "BTCUSDT"})).json
    ids = [row["id"] for row in good]
    kinds: list[tuple[str, dict[str, str]]] = [
        ("duplicate_rows", {"how": "row"}), ("duplicate_rows", {"how": "id"}), ("shuffle_rows", {}), ("empty_list", {})]
    found = []
    for seed, (kind, params) in enumerate(kinds):
        await plan(venue, {"seed": seed, "rules": [{"class": "fills", "kind": kind, "params": params, "max_times": 1}]})
        found.append((await ask(venue, "GET", "myTrades", {"symbol": "BTCUSDT"})).json)
    twice, same_id, shuffled, none = found
    assert len(twice) == len(good) + 1 and {row["id"] for row in twice} == set(ids)
    assert len(same_id) == len(good) and len({row["id"] for row in same_id}) == len(ids) - 1
    assert shuffled != good and sorted(row["id"] for row in shuffled) == sorted(ids)
    assert none == []


async def test_replicas_lag_behind(venue: Running) -> None:
    await plan(venue, [{"class": name, "kind": "stale", "params": {"ms": 800}}
                       for name in ("query_order", "open_orders", "fills", "balance")])
    await place(venue, LOW)
    await place(venue)

    async def seen() -> tuple[Any, int, int, str, int]:
        order = await ask(venue, "GET", "order", {"symbol": "BTCUSDT", "origClientOrderId": "low"})
        opened = await ask(venue, "GET", "openOrders", {"symbol": "BTCUSDT"})
        fills = await ask(venue, "GET", "myTrades", {"symbol": "BTCUSDT"})
        every = await ask(venue, "GET", "allOrders", {"symbol": "BTCUSDT"})
        usdt = next(row for row in (await ask(venue, "GET", "account")).json["balances"] if row["asset"] == "USDT")
        return (order.json.get("status", order.json.get("code")), len(opened.json), len(fills.json),
                usdt["free"] if usdt["locked"] == "0" else usdt["locked"], len(every.json))

    assert await seen() == (-2013, 0, 0, "10000", 0)
    conserved(await truth(venue))
    venue.pass_s(0.9)
    assert await seen() == ("NEW", 1, 1, "80.04", 2)
    await ask(venue, "DELETE", "order", {"symbol": "BTCUSDT", "origClientOrderId": "low"})
    assert (await seen())[:2] == ("NEW", 1), "a cancellation is not seen at once either"
    venue.pass_s(0.9)
    assert (await seen())[:2] == ("CANCELED", 0)


async def test_stale_market_data(venue: Running) -> None:
    old = (await venue.get("/api/v3/depth?symbol=BTCUSDT"))[1]
    venue.pass_s(30)
    await plan(venue, [{"class": "data", "kind": "stale", "params": {"ms": 30_000}, "max_times": 1}])
    assert (await venue.get("/api/v3/depth?symbol=BTCUSDT"))[1] == old
    assert (await venue.get("/api/v3/depth?symbol=BTCUSDT"))[1] != old


@pytest.mark.parametrize("share,status,filled", [(0.5, 200, "0.001"), (1.0, 400, "0.002")])
async def test_a_fill_races_the_cancellation(venue: Running, share: float, status: int, filled: str) -> None:
    await place(venue, LOW)
    await plan(venue, [{"class": "cancel", "kind": "partial_fill", "params": {"share": share}}])
    got = await ask(venue, "DELETE", "order", {"symbol": "BTCUSDT", "origClientOrderId": "low"})
    assert got.status == status and (status == 200 or got.json["code"] == -2011)
    row = (await ask(venue, "GET", "order", {"symbol": "BTCUSDT", "origClientOrderId": "low"})).json
    assert row["executedQty"] == filled and row["status"] == ("PARTIALLY_CANCELED" if share < 1 else "FILLED")
    conserved(await truth(venue))


async def test_cancelled_but_answered_as_unknown(venue: Running) -> None:
    client = venue.mexc()
    await client.load_markets()
    await place(venue, LOW)
    await plan(venue, [{"class": "cancel", "kind": "cancel_unknown"}])
    with pytest.raises(ccxt.BaseError, match="-2011"):
        await client.cancel_order("", "BTC/USDT", {"clientOrderId": "low"})
    assert [order["status"] for order in (await truth(venue))["orders"]] == ["CANCELED"]
    assert (await ask(venue, "DELETE", "order", {"symbol": "BTCUSDT", "orderId": "none"})).json["code"] == -2011
    assert await injected(venue) == {"cancel_unknown": {"cancel": 1}}, "an order truly unknown is no fault"


async def test_latency_has_a_distribution(venue: Running) -> None:
    await plan(venue, {"seed": 4, "rules": [{"class": "data", "kind": "latency",
                                             "params": {"ms": 2, "sigma": 1.5, "max_ms": 12}}]})
    record: list[int] = []
    note = venue.simulator.faults._note
    venue.simulator.faults._note = lambda row: (record.append(row["ms"]), note(row))[1]  # type: ignore[func-returns-value]
    for _ in range(40):
        assert (await venue.get("/api/v3/ping"))[0] == 200
    assert max(record) == 12 and min(record) <= 1 and len(set(record)) > 4


async def test_a_slow_order_is_executed_after_its_client_has_gone(venue: Running) -> None:
    await plan(venue, [{"class": "order", "kind": "latency", "params": {"ms": 300}, "max_times": 1}])
    assert (await ask(venue, "POST", "order", MARKET, timeout_s=0.05)).error == "TimeoutError"
    assert (await truth(venue))["orders"] == []
    deadline = asyncio.get_running_loop().time() + 60
    while not (await truth(venue))["orders"]:
        assert asyncio.get_running_loop().time() < deadline, "it never arrives"
        await asyncio.sleep(0.02)


async def test_a_slow_order_older_than_its_window_is_refused(start: Starter) -> None:
    venue = await start(accept_wall_time=False)
    await plan(venue, [{"class": "order", "kind": "latency", "params": {"ms": 200}}])
    placing = asyncio.ensure_future(place(venue))
    while not await injected(venue):
        await asyncio.sleep(0.01)
    venue.pass_s(5.1)
    assert (await placing).json["code"] == 700003


async def test_rules_choose_by_class_symbol_method_and_path(venue: Running) -> None:
    await plan(venue, [{"class": "order", "kind": "http_status", "symbols": ["ETHUSDT"]},
                       {"match": {"method": "GET", "path": "/avgPrice$"}, "kind": "empty"}])
    assert (await place(venue)).status == 200
    assert (await place(venue, {**MARKET, "symbol": "ETHUSDT"})).status == 503
    assert (await ask(venue, "GET", "avgPrice", {"symbol": "BTCUSDT"}, signed=False)).text == ""
    assert (await ask(venue, "GET", "time", signed=False)).json["serverTime"] > 0


async def test_what_finds_nothing_to_spoil_is_not_counted(venue: Running) -> None:
    await plan(venue, [{"class": "open_orders", "kind": "duplicate_rows", "max_times": 1}])
    assert (await ask(venue, "GET", "openOrders", {"symbol": "BTCUSDT"})).json == []
    assert await injected(venue) == {}
    await place(venue, LOW)
    assert len((await ask(venue, "GET", "openOrders", {"symbol": "BTCUSDT"})).json) == 2
    assert await injected(venue) == {"duplicate_rows": {"open_orders": 1}}


async def test_the_simulators_own_endpoints_are_never_touched(venue: Running) -> None:
    await plan(venue, [{"kind": "drop_before"}])
    for path in ("/sim/status", "/sim/truth", "/sim/faults"):
        assert (await venue.get(path))[0] == 200


async def test_faults_and_acts_are_in_the_record(start: Starter, tmp_path: Path) -> None:
    venue = await start(record=tmp_path / "truth.jsonl")
    await plan(venue, {"rules": [{"class": "order", "kind": "drop_after"}],
                       "events": [{"after": {"orders": 1}, "act": {"action": "transfer_in", "asset": "USDT",
                                                                   "amount": "5"}}]})
    await place(venue)
    rows = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    fault = next(row for row in rows if row["kind"] == "fault")
    assert (fault["fault"], fault["class"], fault["path"], fault["nth"]) == ("drop_after", "order", "/api/v3/order", 1)
    assert [row["action"] for row in rows if row["kind"] == "act"] == ["transfer_in"]
    assert [row["amount"] for row in rows if row["kind"] == "transfer"] == ["5"]


async def test_a_hanging_request_does_not_keep_the_server_from_ending(start: Starter) -> None:
    venue = await start()
    await plan(venue, [{"kind": "timeout_before", "params": {"ms": 600_000}}])
    hanging = asyncio.ensure_future(ask(venue, "GET", "ping", signed=False, timeout_s=60))
    while not await injected(venue):
        await asyncio.sleep(0.01)
    venue.simulator.wire.close()
    assert (await asyncio.wait_for(hanging, 60)).error


def test_every_kind_has_a_test() -> None:
    from typing import get_args

    text = Path(__file__).read_text(encoding="utf-8") + Path(__file__).with_name("test_acts.py").read_text("utf-8")
    assert [kind for kind in get_args(Kind) if f'"{kind}"' not in text] == []
