"""The perpetual venue on the sockets: market streams true to its books, user streams true to its accounts."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from yarl import URL

from modules.simulator.server import Simulator
from modules.simulator.settings import SimulatorSettings
from tests.simulator.sockets.conftest import Hand

SYMBOL = "BTCUSDT"


@dataclass
class Live:
    """A simulator with three contracts, the hand on its clock, a client."""

    simulator: Simulator
    base: str
    clock: Hand
    session: ClientSession
    sockets: list[ClientWebSocketResponse] = field(default_factory=list)

    def play(self, seconds: float, step: float = 0.1) -> None:
        for _ in range(round(seconds / step)):
            # a millisecond's clock cuts off: 2.3 s would be 2,299 ms
            self.clock.seconds = round(self.clock.seconds + step, 3) + 1e-7
            self.simulator.door.open().step()

    async def open(self, path: str) -> ClientWebSocketResponse:
        one = await self.session.ws_connect(self.base + path, autoping=False)
        self.sockets.append(one)
        await self.frames(one)
        return one

    async def frames(self, one: ClientWebSocketResponse) -> list[Any]:
        """Every frame sent so far."""
        for connection in self.simulator.door.open().hub.connections:
            connection._said.clear()
        await one.send_str('{"method":"GET_PROPERTY","params":["combined"],"id":999}')
        found: list[Any] = []
        while True:
            async with asyncio.timeout(60):
                message = await one.receive()
            assert message.type is WSMsgType.TEXT, message
            content = json.loads(message.data)
            if isinstance(content, dict) and content.get("id") == 999:
                return found
            found.append(content)

    async def ask(self, method: str, path: str, **params: Any) -> Any:
        """A signed request that has to succeed."""
        query = {name: str(value) for name, value in params.items()}
        query["timestamp"] = str(self.simulator.clock.now())
        text = urlencode(query)
        text += "&signature=" + hmac.new(b"sim-secret", text.encode(), hashlib.sha256).hexdigest()
        url = URL(f"{self.base}/fapi/v1/{path}?{text}", encoded=True)
        async with self.session.request(method, url, headers={"X-MBX-APIKEY": "sim-key"}) as answer:
            content = await answer.json()
            assert answer.status == 200, content
            return content

    async def get(self, path: str) -> Any:
        async with self.session.get(self.base + path) as answer:
            return await answer.json()

    async def key(self) -> str:
        async with self.session.post(
                f"{self.base}/fapi/v1/listenKey", headers={"X-MBX-APIKEY": "sim-key"}) as answer:
            return str((await answer.json())["listenKey"])


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    clock = Hand()
    options = SimulatorSettings(tokens=1, futures=3, start=datetime(2026, 2, 3, 11, 17, 52, tzinfo=UTC))
    simulator = Simulator(options, elapsed=clock)
    runner = web.AppRunner(simulator.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    session = ClientSession()
    one = Live(simulator, f"http://127.0.0.1:{runner.addresses[0][1]}", clock, session)
    simulator.door.open()
    one.play(2.0)
    yield one
    for socket in one.sockets:
        await socket.close()
    await session.close()
    await runner.cleanup()
    simulator.close()


@pytest.mark.parametrize("stream", ["depth@100ms", "depth", "depth@500ms"])
async def test_the_followed_book_is_the_venues(live: Live, stream: str) -> None:
    socket = await live.open(f"/public/ws/btcusdt@{stream}")
    live.play(1.0)
    body = await live.get(f"/fapi/v1/depth?symbol={SYMBOL}&limit=1000")
    book, last_id = (dict(body["bids"]), dict(body["asks"])), body["lastUpdateId"]
    live.play(3.0)  # to the end of every stream's window
    frames = [frame for frame in await live.frames(socket)]
    assert all(after["pu"] == before["u"] for before, after in zip(frames, frames[1:], strict=False))
    for frame in frames:
        if frame["u"] < last_id:
            continue
        for side, changes in zip(book, (frame["b"], frame["a"]), strict=True):
            for price, qty in changes:
                side[price] = qty
                if not float(qty):
                    del side[price]
    truth = await live.get(f"/sim/book?symbol={SYMBOL}&limit=1000")
    assert frames[-1]["u"] == truth["lastUpdateId"]
    for mine, true in zip(book, (truth["bids"], truth["asks"]), strict=True):
        assert {price: mine[price] for price, _ in true[:400]} == dict(true[:400])


async def test_market_streams_agree_with_rest(live: Live) -> None:
    names = "/".join(f"btcusdt@{what}" for what in (
        "aggTrade", "kline_1m", "kline_1h", "markPrice@1s", "ticker", "miniTicker"))
    market = await live.open(f"/market/stream?streams={names}/!markPrice@arr@1s/!ticker@arr")
    public = await live.open("/public/stream?streams=btcusdt@bookTicker/btcusdt@trade/!bookTicker/btcusdt@depth5@100ms")
    live.play(8.0)
    told: dict[str, list[Any]] = {}
    for frame in await live.frames(market) + await live.frames(public):
        told.setdefault(frame["stream"], []).append(frame["data"])
    assert len(told) == 12
    aggregates = told["btcusdt@aggTrade"]
    rows = {row["a"]: row for row in await live.get(f"/fapi/v1/aggTrades?symbol={SYMBOL}&limit=1000")}
    for one in aggregates:
        row = rows[one["a"]]
        assert [row[name] for name in "pqflTm"] == [one[name] for name in "pqflTm"]
    trades = told["btcusdt@trade"]
    assert [one["t"] for one in trades] == list(range(aggregates[0]["f"], aggregates[-1]["l"] + 1))
    assert sum(Decimal(one["q"]) for one in trades) == sum(Decimal(one["q"]) for one in aggregates)
    for interval in ("1m", "1h"):
        await kline_agrees(live, interval, [one["k"] for one in told[f"btcusdt@kline_{interval}"]])
    top = told["btcusdt@depth5@100ms"][-1]
    assert (len(top["b"]), len(top["a"])) == (5, 5)
    assert {row["s"] for row in told["!markPrice@arr@1s"][-1]} == set(live.simulator.door.open().venue.by_symbol)
    assert len({one["E"] // 1000 for one in told["btcusdt@markPrice@1s"]}) == len(told["btcusdt@markPrice@1s"]) == 8


async def kline_agrees(live: Live, interval: str, told: list[dict[str, Any]]) -> None:
    """The newest candle and every closed one are REST's; one minute closed meanwhile."""
    rows = {row[0]: row for row in await live.get(f"/fapi/v1/klines?symbol={SYMBOL}&interval={interval}&limit=5")}
    closed = [one for one in told if one["x"]]
    assert len(closed) == (1 if interval == "1m" else 0)
    for one in closed:
        row = rows[one["t"]]
        assert [Decimal(row[at]) for at in (1, 2, 3, 4, 5)] == [Decimal(one[name]) for name in "ohlcv"]
        assert (row[6], row[8], Decimal(row[9])) == (one["T"], one["n"], Decimal(one["V"]))
    newest, row = told[-1], rows[told[-1]["t"]]
    assert (Decimal(row[1]), row[6]) == (Decimal(newest["o"]), newest["T"])
    assert Decimal(newest["v"]) <= Decimal(row[5])
    assert newest["L"] - newest["f"] + 1 == newest["n"]


async def test_a_trade_is_told_in_every_event_that_it_makes(live: Live) -> None:
    socket = await live.open(f"/private/ws?listenKey={await live.key()}")
    order = await live.ask("POST", "order", symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.010",
                           newOrderRespType="RESULT")
    events = await live.frames(socket)
    kinds = [event["e"] for event in events]
    assert kinds.count("ORDER_TRADE_UPDATE") >= 2
    fills = [event["o"] for event in events if event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "TRADE"]
    assert fills[-1]["X"] == "FILLED"
    assert {fill["i"] for fill in fills} == {order["orderId"]}
    assert sum(Decimal(fill["l"]) for fill in fills) == Decimal("0.010") == Decimal(fills[-1]["z"])
    lites = [event for event in events if event["e"] == "TRADE_LITE"]
    assert [(one["t"], one["l"], one["L"]) for one in lites] == [(one["t"], one["l"], one["L"]) for one in fills]
    trades = await live.ask("GET", "userTrades", symbol=SYMBOL)
    assert [(row["id"], Decimal(row["qty"]), Decimal(row["commission"])) for row in trades] == [
        (one["t"], Decimal(one["l"]), Decimal(one["n"])) for one in fills]
    account = [event["a"] for event in events if event["e"] == "ACCOUNT_UPDATE"][-1]
    (position,) = account["P"]
    assert (position["s"], position["pa"], position["ps"], position["mt"]) == (SYMBOL, "0.01", "BOTH", "cross")
    truth = (await live.get("/sim/truth"))["futures"]["accounts"]["trader"]
    assert Decimal(account["B"][0]["wb"]) == Decimal(truth["wallet"]).quantize(Decimal("1e-8"))
    await live.ask("POST", "order", symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.010", reduceOnly="true")
    last = [event["a"] for event in await live.frames(socket) if event["e"] == "ACCOUNT_UPDATE"][-1]
    assert (last["P"][0]["pa"], last["P"][0]["ps"]) == ("0", "BOTH")


async def test_the_fields_of_an_order_event_stand_in_the_venues_order(live: Live) -> None:
    socket = await live.open(f"/private/ws?listenKey={await live.key()}")
    price = (await live.get(f"/fapi/v1/ticker/price?symbol={SYMBOL}"))["price"]
    limit = str(int(float(price) * 0.97))
    order = await live.ask("POST", "order", symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTX",
                           quantity="0.010", price=limit, newClientOrderId="mine-1")
    await live.ask("DELETE", "order", symbol=SYMBOL, orderId=order["orderId"])
    await live.ask("POST", "leverage", symbol=SYMBOL, leverage=7)
    new, gone, config = await live.frames(socket)
    told = "s c S o f q p ap sp x X i l z L T t b a m R wt ot ps cp pP si ss rp V pm gtd"
    assert " ".join(new["o"]) == told
    assert [new["o"][name] for name in "cSofqxX"] == ["mine-1", "BUY", "LIMIT", "GTX", "0.010", "NEW", "NEW"]
    assert (gone["o"]["x"], gone["o"]["X"], gone["o"]["i"]) == ("CANCELED", "CANCELED", order["orderId"])
    assert (config["e"], config["ac"]) == ("ACCOUNT_CONFIG_UPDATE", {"s": SYMBOL, "l": 7})


async def test_a_conditional_order_is_told_from_its_placing_to_its_end(live: Live) -> None:
    socket = await live.open(f"/private/ws?listenKey={await live.key()}")
    price = float((await live.get(f"/fapi/v1/ticker/price?symbol={SYMBOL}"))["price"])
    await live.ask("POST", "order", symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.010")
    await live.ask("POST", "algoOrder", algoType="CONDITIONAL", symbol=SYMBOL, side="SELL", type="STOP_MARKET",
                   quantity="0.010", triggerPrice=str(int(price * 0.95)), reduceOnly="true", clientAlgoId="stop-1")
    await live.frames(socket)
    async with live.session.post(live.base + "/sim/act", json={
            "futures": True, "action": "jump", "symbol": SYMBOL, "pct": -10}) as answer:
        assert answer.status == 200, await answer.text()
    live.play(3.0)
    events = await live.frames(socket)
    states = [event["o"]["X"] for event in events if event["e"] == "ALGO_UPDATE"]
    assert states[0] == "TRIGGERED"
    assert states[-1] == "FINISHED"
    (filled,) = [event["o"] for event in events if event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["X"] == "FILLED"]
    assert (filled["ot"], filled["R"]) == ("STOP_MARKET", True)


async def test_a_silent_user_stream_is_silent_while_the_account_trades(live: Live) -> None:
    socket = await live.open(f"/private/ws?listenKey={await live.key()}")
    async with live.session.post(live.base + "/sim/act", json={
            "action": "stream", "fault": {"kind": "silence", "user": True, "for_ms": 60_000}}) as answer:
        assert answer.status == 200, await answer.text()
    await live.ask("POST", "order", symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.010")
    assert await live.frames(socket) == []
    live.clock.seconds += 61
    await live.ask("POST", "order", symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.010")
    assert await live.frames(socket) != []


async def test_a_renamed_contract_is_heard_by_its_new_name_alone(live: Live) -> None:
    names = "/".join(f"{name}@{what}" for name in ("btcusdt", "newusdt") for what in ("depth@100ms", "depth", "trade"))
    public = await live.open(f"/public/stream?streams={names}")
    market = await live.open("/market/stream?streams=btcusdt@ticker/newusdt@ticker/newusdt@kline_1m")
    async with live.session.post(live.base + "/sim/act", json={
            "futures": True, "action": "rename", "symbol": SYMBOL, "to": "NEWUSDT"}) as answer:
        assert answer.status == 200, await answer.text()
    live.play(0.5)
    await live.frames(public)
    await live.frames(market)
    live.play(5.0)
    frames = await live.frames(public)
    assert {frame["stream"] for frame in frames} == {f"newusdt@{what}" for what in ("depth@100ms", "depth", "trade")}
    assert {frame["data"]["s"] for frame in frames} == {"NEWUSDT"}
    assert {frame["stream"] for frame in await live.frames(market)} == {"newusdt@ticker", "newusdt@kline_1m"}


async def test_another_tick_size_is_written_from_the_next_frame_on(live: Live) -> None:
    socket = await live.open("/public/ws/btcusdt@depth@100ms")
    live.play(0.3)
    await live.frames(socket)
    async with live.session.post(live.base + "/sim/act", json={
            "futures": True, "action": "tick_size", "symbol": SYMBOL, "tick": "1"}) as answer:
        assert answer.status == 200, await answer.text()
    live.play(0.5)
    prices = [price for frame in (await live.frames(socket))[1:] for price, _ in frame["b"] + frame["a"]]
    assert prices
    assert not [price for price in prices if "." in price]


async def test_an_old_snapshot_is_older_than_the_differences(live: Live) -> None:
    socket = await live.open("/public/ws/btcusdt@depth@100ms")
    async with live.session.post(live.base + "/sim/act", json={
            "action": "stream", "fault": {"kind": "old_snapshot", "stream": SYMBOL, "ms": 1500}}) as answer:
        assert answer.status == 200, await answer.text()
    live.play(4.0)
    frames = await live.frames(socket)
    old = await live.get(f"/fapi/v1/depth?symbol={SYMBOL}&limit=10")
    assert len(old["bids"]) == len(old["asks"]) == 10
    assert old["lastUpdateId"] <= frames[-15]["u"]
    fresh = await live.get(f"/fapi/v1/depth?symbol={SYMBOL}&limit=10")
    assert fresh["lastUpdateId"] == frames[-1]["u"]
