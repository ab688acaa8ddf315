"""Acts: the account's owner trades by hand, moves money, loses the key; pairs halt, change, go; the clock jumps."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt
import pytest

from modules.simulator.listening import StartError
from tests.simulator.conftest import Running, Starter
from tests.simulator.wire import act, ask, conserved, injected, plan, refused_act, truth

BUY = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "100"}
LOW = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.002", "price": "40000",
       "newClientOrderId": "low"}


async def code(venue: Running, order: dict[str, str] | None = None) -> int:
    """The venue's code for an order, 0 where it is taken."""
    got = await ask(venue, "POST", "order", order or BUY)
    return int(got.json.get("code", 0))


async def info(venue: Running, symbol: str) -> dict[str, Any]:
    rows = (await ask(venue, "GET", "exchangeInfo", {"symbol": symbol}, signed=False)).json["symbols"]
    return dict(rows[0])


async def test_the_owner_trades_by_hand(venue: Running) -> None:
    await act(venue, action="manual_buy", symbol="ETHUSDT", usdt="250")
    await act(venue, action="manual_sell", symbol="ETHUSDT", qty="0.01")
    await act(venue, action="manual_buy", symbol="BTCUSDT", qty="0.001", price="40000")
    mine = await truth(venue)
    assert [(o["side"], o["status"], o["client_id"]) for o in mine["orders"]] == [
        ("BUY", "FILLED", None), ("SELL", "FILLED", None), ("BUY", "NEW", None)]
    conserved(mine)
    await act(venue, action="manual_cancel", symbol="BTCUSDT")
    await act(venue, action="manual_sell", symbol="@held", qty="all")
    mine = await truth(venue)
    assert Decimal(mine["balances"]["ETH"]["free"]) == 0 and mine["orders"][2]["status"] == "CANCELED"
    conserved(mine)
    assert (await venue.get("/sim/status"))[1]["faults"]["acts"] == {
        "manual_buy": 2, "manual_sell": 2, "manual_cancel": 1}


async def test_the_owner_cancels_our_order(venue: Running) -> None:
    await code(venue, LOW)
    await act(venue, action="manual_cancel", client_id="low")
    row = (await ask(venue, "GET", "order", {"symbol": "BTCUSDT", "origClientOrderId": "low"})).json
    assert row["status"] == "CANCELED"
    assert (await refused_act(venue, action="manual_cancel", client_id="low"))[0] == 409


async def test_a_transfer_out_leaves_too_little(venue: Running) -> None:
    await act(venue, action="transfer_out", asset="USDT", amount="9950")
    assert await code(venue) == 30004
    await act(venue, action="transfer_in", asset="BTC", amount="0.5")
    sold = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.1"}
    assert await code(venue, sold) == 0 and await code(venue) == 0
    await act(venue, action="transfer_out", asset="BTC", amount="all")
    assert await code(venue, sold) == 30005
    conserved(await truth(venue))
    assert (await refused_act(venue, action="transfer_out", asset="USDT", amount="1e9"))[0] == 409
    assert (await refused_act(venue, action="transfer_in", asset="NOCOIN", amount="1"))[0] == 409


async def test_a_pair_halts_with_a_position_open(venue: Running) -> None:
    await code(venue)
    low = {**LOW, "symbol": "ETHUSDT", "price": "2000", "quantity": "0.02"}
    assert await code(venue, low) == 0
    await act(venue, action="halt", symbol="@held")
    assert await code(venue) == 30016 and (await info(venue, "ETHUSDT"))["status"] == "2"
    order = venue.simulator.venue.orders[(await truth(venue))["orders"][1]["id"]]
    order.price = 10**9  # the whole market would be reached by it
    venue.pass_s(60)
    assert (await truth(venue))["orders"][1]["status"] == "NEW", "no flow reaches the orders of a halted pair"
    assert (await ask(venue, "DELETE", "order", {"symbol": "ETHUSDT", "origClientOrderId": "low"})).status == 200
    await act(venue, action="resume", symbol="ETHUSDT")
    assert await code(venue) == 0 and (await info(venue, "ETHUSDT"))["status"] == "1"


async def test_a_pair_is_delisted_with_a_position_open(venue: Running) -> None:
    await code(venue)
    await code(venue, {**LOW, "symbol": "ETHUSDT", "price": "2000", "quantity": "0.02"})
    await act(venue, action="sell_only", symbol="ETHUSDT")
    assert await code(venue) == 30001 and (await info(venue, "ETHUSDT"))["tradeSideType"] == 3
    await act(venue, action="delist", symbol="ETHUSDT")
    assert await code(venue) == 30014 and (await info(venue, "ETHUSDT"))["status"] == "3"
    mine = await truth(venue)
    assert mine["orders"][1]["status"] == "CANCELED" and Decimal(mine["balances"]["ETH"]["free"]) > 0
    assert "ETHUSDT" not in (await ask(venue, "GET", "ticker/24hr", signed=False)).text
    await act(venue, action="delist", symbol="ETHUSDT", shown=False)
    assert await code(venue) == -1121
    await act(venue, action="resume", symbol="ETHUSDT")
    assert await code(venue) == 0
    conserved(await truth(venue))


@pytest.mark.parametrize("told", [True, False])
async def test_a_pair_is_closed_to_the_api_or_takes_no_market_orders(venue: Running, told: bool) -> None:
    await act(venue, action="refuse_market_orders", symbol="ETHUSDT", told=told)
    assert await code(venue) == 30051
    assert ("MARKET" in (await info(venue, "ETHUSDT"))["orderTypes"]) is not told
    limit = {**LOW, "symbol": "ETHUSDT", "price": "3000", "quantity": "0.02", "newClientOrderId": "x"}
    assert await code(venue, limit) == 0, "limit orders are still taken"
    await act(venue, action="close_api", symbol="ETHUSDT", told=told)
    assert await code(venue, limit) == 10007
    assert (await info(venue, "ETHUSDT"))["isSpotTradingAllowed"] is not told
    listed = (await ask(venue, "GET", "defaultSymbols", signed=False)).json["data"]
    assert ("ETHUSDT" in listed) is not told


async def test_tick_and_step_grow(venue: Running) -> None:
    client = venue.mexc()
    await act(venue, action="tick_size", symbol="BTCUSDT", tick="1", step="0.001")
    market = (await client.load_markets())["BTC/USDT"]
    assert (market["precision"]["price"], market["precision"]["amount"]) == (1, 0.001)
    fine = {**LOW, "price": "40000.5"}
    assert (await code(venue, fine), await code(venue, {**LOW, "quantity": "0.0015"})) == (33333, 10096)
    assert await code(venue, LOW) == 0
    book = (await ask(venue, "GET", "depth", {"symbol": "BTCUSDT"}, signed=False)).json
    for side, rising in (("bids", False), ("asks", True)):
        prices = [Decimal(price) for price, _ in book[side]]
        assert all(price == int(price) for price in prices) and prices == sorted(set(prices), reverse=not rising)
    ticker = await client.fetch_ticker("BTC/USDT")
    assert Decimal(book["bids"][0][0]) == int(ticker["bid"]) < int(ticker["ask"]) == Decimal(book["asks"][0][0])
    bought = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.05"}
    assert await code(venue, bought) == 0
    conserved(await truth(venue))
    assert (await refused_act(venue, action="tick_size", symbol="BTCUSDT", tick="0.0000001"))[0] == 409


@pytest.mark.parametrize("how,number", [("unknown", 10072), ("address", 700006), ("expired", 402),
                                        ("permission", 700007)])
async def test_the_key_is_revoked_and_given_back(venue: Running, how: str, number: int) -> None:
    await act(venue, action="revoke_key", how=how)
    assert await code(venue) == number
    assert (await ask(venue, "GET", "account")).json["code"] == number
    assert (await ask(venue, "GET", "account", key="sim-withdraw-key", secret="sim-withdraw-secret")).status == 200
    await act(venue, action="restore_key")
    assert await code(venue) == 0


@pytest.mark.parametrize("ms", [5_001, -5_000])
@pytest.mark.parametrize("speed", [1.0, 60.0])
async def test_the_clock_jumps_and_comes_back(start: Starter, ms: int, speed: float) -> None:
    venue = await start(speed=speed, accept_wall_time=False)
    true = (await ask(venue, "GET", "time", signed=False)).json["serverTime"]
    await act(venue, action="clock_jump", ms=ms, for_ms=2_000)
    venue.pass_s(0.001)
    told = (await ask(venue, "GET", "time", signed=False)).json["serverTime"]
    assert abs(told - true - ms * speed) <= 2 * speed, "scaled like the windows"
    assert await code(venue) == 700003
    client = venue.mexc()
    client.options["adjustForTimeDifference"] = True
    client.milliseconds = lambda: true
    await client.load_time_difference()
    assert client.options["timeDifference"] == true - told
    venue.pass_s(2)
    assert await code(venue) == 0 and [o["status"] for o in (await truth(venue))["orders"]] == ["FILLED"]


async def test_an_outage_resets_every_connection_and_keeps_the_state(venue: Running) -> None:
    await code(venue, LOW)
    await act(venue, action="outage", for_ms=1_500)
    assert (await ask(venue, "GET", "time", signed=False)).error and (await ask(venue, "POST", "order", BUY)).error
    assert len((await truth(venue))["orders"]) == 1
    venue.pass_s(1.6)
    assert [row["clientOrderId"] for row in (await ask(venue, "GET", "openOrders")).json] == ["low"]


async def test_events_happen_once_at_their_time(venue: Running) -> None:
    def step(after: dict[str, float], usdt: str) -> dict[str, Any]:
        return {"after": after, "act": {"action": "transfer_in", "asset": "USDT", "amount": usdt}}

    await plan(venue, {"events": [step({"wall_s": 5}, "1"), step({"orders": 2}, "10"), step({"market_s": 9}, "100"),
                                  {"after": {"orders": 0}, "act": {"action": "halt", "symbol": "@held"}}]})

    async def done() -> list[bool]:
        await ask(venue, "GET", "ping", signed=False)
        return list((await venue.get("/sim/faults"))[1]["events_done"])

    assert await done() == [False, False, False, False], "@held waits until something is held"
    await code(venue)
    assert await done() == [False, False, False, True]
    assert await code(venue) == 30016 and await code(venue, LOW) == 0
    assert await done() == [False, True, False, True]
    venue.pass_s(5)
    assert await done() == [True, True, False, True]
    venue.pass_s(5)
    assert await done() == [True] * 4 == await done()
    assert [t["amount"] for t in (await truth(venue))["transfers"]] == ["10", "1", "100"]


async def test_a_rule_can_act(venue: Running) -> None:
    await plan(venue, [{"class": "order", "kind": "act", "max_times": 1,
                        "act": {"action": "transfer_out", "asset": "USDT", "amount": "all"}}])
    assert await code(venue) == 30004
    assert await injected(venue) == {"act": {"order": 1}}
    conserved(await truth(venue))


async def test_what_lasts_outlives_a_restart(start: Starter, tmp_path: Path) -> None:
    first = await start(state=tmp_path)
    await act(first, action="halt", symbol="ETHUSDT")
    await act(first, action="tick_size", symbol="BTCUSDT", tick="1")
    await act(first, action="halt", symbol="SOLUSDT")
    await act(first, action="resume", symbol="SOLUSDT")
    await act(first, action="transfer_out", asset="USDT", amount="1000")
    await act(first, action="revoke_key", how="expired")
    first.simulator.close()
    second = await start(state=tmp_path)
    assert await code(second) == 402
    await act(second, action="restore_key")
    assert await code(second) == 30016 and await code(second, {**LOW, "price": "40000.5"}) == 33333
    assert await code(second, {**BUY, "symbol": "SOLUSDT"}) == 0
    conserved(await truth(second))
    second.simulator.close()
    assert [row["action"] for row in json.loads((tmp_path / "acts.json").read_text("utf-8"))] == ["halt", "tick_size"]
    gone = [{"action": "halt", "symbol": "GONEUSDT"}, {"action": "halt", "symbol": "ETHUSDT"}]
    (tmp_path / "acts.json").write_text(json.dumps(gone), encoding="utf-8")
    third = await start(state=tmp_path)
    assert await code(third) == 30016, "a pair that is gone does not keep the others from being halted"
    third.simulator.close()
    (tmp_path / "acts.json").write_text("[{}]", encoding="utf-8")
    with pytest.raises(StartError, match=r"acts\.json: cannot be used"):
        await start(state=tmp_path)


@pytest.mark.parametrize("what,words", [
    ({"action": "dance"}, "action"), ({"action": "halt"}, "needs symbol"), ({"action": "halt", "symbol": "X", "ms": 1},
     "'ms' means nothing"), ({"action": "transfer_in", "asset": "USDT", "amount": "-5"}, "above 0"),
    ({"action": "transfer_in", "asset": "USDT", "amount": "NaN"}, "amount"),
    ({"action": "tick_size", "symbol": "BTCUSDT", "tick": "0.03"}, "power of ten"),
    ({"action": "manual_buy", "symbol": "BTCUSDT"}, "qty or usdt"), ({"action": "clock_jump"}, "needs ms"),
    ([], "dictionary")])
async def test_acts_that_cannot_be_understood(venue: Running, what: Any, words: str) -> None:
    async with venue.session.post(venue.base + "/sim/act", json=what) as answer:
        assert answer.status == 400 and words in (await answer.json())["error"]


@pytest.mark.parametrize("what,words", [
    ({"action": "halt", "symbol": "NOUSDT"}, "NOUSDT"), ({"action": "revoke_key", "account": "nobody"}, "no account"),
    ({"action": "manual_sell", "symbol": "BTCUSDT"}, "no BTC is free"),
    ({"action": "manual_sell", "symbol": "@ordered"}, "nothing ordered yet"),
    ({"action": "manual_buy", "symbol": "BTCUSDT", "usdt": "1000000"}, "maximum")])
async def test_acts_that_cannot_be_done_change_nothing(venue: Running, what: dict[str, Any], words: str) -> None:
    before = await truth(venue)
    status, error = await refused_act(venue, **what)
    assert status == 409 and words in error
    assert await truth(venue) == before


async def test_continued_refusals_get_an_address_banned(start: Starter) -> None:
    venue = await start(weight_limit=10, ban_after=5)
    client = venue.mexc("", "")
    statuses = [(await ask(venue, "GET", "exchangeInfo", signed=False)).status for _ in range(8)]
    assert statuses == [200, *[429] * 5, 418, 418]
    with pytest.raises(ccxt.ExchangeError, match="418"):
        await client.fetch_time()
    venue.pass_s(119)
    got = await ask(venue, "GET", "time", signed=False)
    assert got.status == 418 and got.retry_after == "1"
    venue.pass_s(1.1)
    assert (await ask(venue, "GET", "time", signed=False)).status == 200
