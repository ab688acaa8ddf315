"""Refusals in MEXC's numbers: signatures, parameters, pairs, sizes, money, limits."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

import pytest

from modules.simulator.pairs import PairState
from modules.simulator.universe import DAY_MS, Token
from tests.simulator.conftest import Running, Starter


async def signed(
    venue: Running, method: str, path: str, params: dict[str, Any], *, key: str = "sim-key",
    secret: str = "sim-secret", shift_ms: int = 0, window: int | None = 5000, body: bool = False,
) -> tuple[int, Any, Any]:
    """A signed request made by hand: (status, JSON, headers)."""
    stamp = venue.simulator.clock.now() + shift_ms
    full = {**params, "timestamp": stamp, **({"recvWindow": window} if window is not None else {})}
    text = urlencode(full)
    text += "&signature=" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    url = f"{venue.base}/api/v3/{path}" + ("" if body else "?" + text)
    headers = {"X-MEXC-APIKEY": key, "Content-Type": "application/x-www-form-urlencoded"}
    async with venue.session.request(method, url, headers=headers, data=text if body else None) as answer:
        return answer.status, await answer.json(), answer.headers


ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "20"}


async def test_a_good_signature_in_query_or_body(venue: Running) -> None:
    for body in (False, True):
        status, content, _ = await signed(venue, "POST", "order", ORDER, body=body)
        assert status == 200, content


@pytest.mark.parametrize("change,code", [
    ({"secret": "wrong"}, 700002), ({"key": "nobody"}, 10072), ({"key": ""}, 400),
    ({"shift_ms": -6000}, 700003), ({"shift_ms": 3000}, 700003), ({"window": 60_001}, 700005)])
async def test_who_may_not_come_in(start: Starter, change: dict[str, Any], code: int) -> None:
    venue = await start(accept_wall_time=False)
    status, content, _ = await signed(venue, "GET", "account", {}, **change)
    assert (status, content["code"]) == (400, code)


async def test_windows_scale_with_speed(start: Starter) -> None:
    venue = await start(speed=120, accept_wall_time=False)
    assert (await signed(venue, "GET", "account", {}, shift_ms=-500_000))[0] == 200
    assert (await signed(venue, "GET", "account", {}, shift_ms=-700_000))[1]["code"] == 700003


@pytest.mark.parametrize("change,code", [
    ({"symbol": "NOSUCHUSDT"}, -1121), ({"side": "HOLD"}, 33333), ({"type": "STOP_LOSS"}, 33333),
    ({"quoteOrderQty": "0.5"}, 30002), ({"quoteOrderQty": "100001"}, 30003), ({"quoteOrderQty": "50000"}, 30004),
    ({"quoteOrderQty": "1e999999"}, 33333),
    ({"quoteOrderQty": "-1"}, 10102), ({"quoteOrderQty": "abc"}, 33333), ({"quoteOrderQty": "NaN"}, 33333),
    ({"side": "SELL", "quoteOrderQty": None, "quantity": "1"}, 30005),
    ({"quoteOrderQty": None, "quantity": "0.0000001"}, 10096), ({"quoteOrderQty": None}, 700004),
    ({"symbol": None}, 700004), ({"type": "LIMIT", "quoteOrderQty": None, "quantity": "1"}, 700004),
    ({"type": "LIMIT", "quoteOrderQty": None, "quantity": "0.01", "price": "60000.001"}, 33333),
    ({"type": "LIMIT", "quoteOrderQty": None, "quantity": "0.01", "price": "600000"}, 30087),
    ({"stopPrice": "5"}, 33333), ({"stopLossPrice": "5"}, 33333), ({"newClientOrderId": "x" * 33}, 33333)])
async def test_orders_that_are_refused(venue: Running, change: dict[str, Any], code: int) -> None:
    params = {k: v for k, v in {**ORDER, **change}.items() if v is not None}
    status, content, _ = await signed(venue, "POST", "order", params)
    assert (status, content["code"]) == (400, code), content
    assert (await signed(venue, "GET", "allOrders", {"symbol": "BTCUSDT"}))[1] == [], "nothing was placed"


async def test_a_client_id_of_an_open_order_is_not_taken_twice(venue: Running) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.001", "price": "40000",
             "newClientOrderId": "once"}
    assert (await signed(venue, "POST", "order", order))[0] == 200
    assert (await signed(venue, "POST", "order", order))[1]["code"] == 30026
    await signed(venue, "DELETE", "order", {"symbol": "BTCUSDT", "origClientOrderId": "once"})
    assert (await signed(venue, "POST", "order", order))[0] == 200


@pytest.mark.parametrize("method,path,params,code", [
    ("GET", "order", {"symbol": "BTCUSDT", "orderId": "77"}, -2013),
    ("GET", "order", {"symbol": "BTCUSDT"}, 700004),
    ("DELETE", "order", {"symbol": "BTCUSDT", "orderId": "77"}, -2011),
    ("GET", "tradeFee", {"symbol": "XXUSDT"}, -1121), ("GET", "tradeFee", {}, 700004),
    ("GET", "account", {"foo": "1"}, 33333)])
async def test_questions_that_are_refused(
    venue: Running, method: str, path: str, params: dict[str, str], code: int
) -> None:
    assert (await signed(venue, method, path, params))[1]["code"] == code


@pytest.mark.parametrize("path,status,code", [
    ("/api/v3/klines?symbol=BTCUSDT&interval=7m", 400, 33333), ("/api/v3/klines?symbol=BTCUSDT", 400, 700004),
    ("/api/v3/depth?symbol=NOUSDT", 400, -1121), ("/api/v3/depth?symbol=BTCUSDT&limit=x", 400, 33333),
    ("/api/v3/depth?symbol=BTCUSDT&limit=0", 400, 33333),
    ("/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=soon", 400, 33333),
    ("/api/v3/depth?symbol=BTCUSDT&symbol=ETHUSDT", 400, 33333),
    ("/api/v3/ticker/24hr?symbols=BTCUSDT", 400, 33333), ("/api/v3/nothing", 404, 404), ("/", 404, 404),
    ("/api/v3/aggTrades?symbol=BTCUSDT&startTime=1", 400, 700004), ("/api/v3/account", 400, 400)])
async def test_public_questions_that_are_refused(venue: Running, path: str, status: int, code: int) -> None:
    got, content = await venue.get(path)
    assert (got, content["code"]) == (status, code)


def _find(venue: Running, wanted: str) -> tuple[Token, int]:
    """A token and a market time at which it is in the wanted state."""
    pairs, source = venue.simulator.venue.pairs, venue.simulator.venue.source
    first = venue.simulator.clock.now() // DAY_MS
    for day in range(first, first + 400):
        for token in source.calendar(day).tokens[10:]:
            if not (token.api_open and token.in_defaults and token.market_orders):
                continue
            for ms in range(day * DAY_MS, (day + 1) * DAY_MS, 1_800_000):
                if ms > venue.simulator.clock.now() and pairs.state(token, ms) == wanted:
                    return token, ms
    raise AssertionError(f"no {wanted} in 400 days")


@pytest.mark.parametrize("state,side,code", [
    (PairState.HALTED, "BUY", 30016), (PairState.SELL_ONLY, "BUY", 30001), (PairState.OFFLINE, "BUY", 30014),
    (PairState.ABSENT, "BUY", -1121)])
async def test_pairs_that_take_no_orders(venue: Running, state: PairState, side: str, code: int) -> None:
    token, ms = _find(venue, state)
    venue.pass_s((ms - venue.simulator.clock.now()) / 1000)
    order = {**ORDER, "symbol": token.symbol, "side": side}
    assert (await signed(venue, "POST", "order", order))[1]["code"] == code
    info = (await venue.get("/api/v3/exchangeInfo"))[1]["symbols"]
    row = next((r for r in info if r["symbol"] == token.symbol), None)
    expected = {PairState.HALTED: "2", PairState.SELL_ONLY: "1", PairState.OFFLINE: "3"}
    assert (row and row["status"]) == expected.get(state)
    if state is PairState.SELL_ONLY:
        assert row is not None and row["tradeSideType"] == 3


async def test_pairs_closed_to_the_api_and_without_market_orders(start: Starter) -> None:
    venue = await start(tokens=150)
    tokens = venue.simulator.venue.source.calendar(venue.simulator.clock.now() // DAY_MS).tokens
    closed = next(t for t in tokens if not t.api_open)
    unlisted = next((t for t in tokens if t.api_open and not t.in_defaults), closed)
    quiet = next(t for t in tokens if t.in_defaults and not t.market_orders)
    for token, code in ((closed, 10007), (unlisted, 10007), (quiet, 30051)):
        assert (await signed(venue, "POST", "order", {**ORDER, "symbol": token.symbol}))[1]["code"] == code
    rows = {r["symbol"]: r for r in (await venue.get("/api/v3/exchangeInfo"))[1]["symbols"]}
    assert rows[closed.symbol]["isSpotTradingAllowed"] is False
    assert "MARKET" not in rows[quiet.symbol]["orderTypes"]


async def test_weight_is_limited_per_endpoint_and_ip_and_recovers_with_market_time(venue: Running) -> None:
    for _ in range(12):
        assert (await venue.get("/api/v3/ticker/24hr"))[0] == 200  # 12 × 40 of 500
    async with venue.session.get(venue.base + "/api/v3/ticker/24hr") as answer:
        assert answer.status == 429 and (await answer.json())["code"] == 429
        wait_s = int(answer.headers["Retry-After"])
    assert 1 <= wait_s <= 10
    assert (await venue.get("/api/v3/time"))[0] == 200, "other endpoints have their own allowance"
    venue.pass_s(wait_s)
    assert (await venue.get("/api/v3/ticker/24hr"))[0] == 200


async def test_accounts_have_limits_of_their_own(start: Starter) -> None:
    venue = await start(weight_limit=50)
    for _ in range(5):
        assert (await signed(venue, "GET", "account", {}))[0] == 200
    status, _, headers = await signed(venue, "GET", "account", {})
    assert status == 429 and int(headers["Retry-After"]) >= 1


async def test_limits_scale_with_speed(start: Starter) -> None:
    venue = await start(speed=100, weight_limit=50)
    assert (await venue.get("/api/v3/ticker/24hr"))[0] == 200
    assert (await venue.get("/api/v3/ticker/24hr"))[0] == 429
    venue.pass_s(0.1)  # ten market seconds
    assert (await venue.get("/api/v3/ticker/24hr"))[0] == 200
