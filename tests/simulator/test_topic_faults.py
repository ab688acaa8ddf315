"""Stream faults on the sockets that are subscribed to by topics: Bitget's and Bybit's, public and private."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web

from modules.simulator.clock import VenueClock
from modules.simulator.dialects import bitget_auth, bybit_auth
from modules.simulator.fault_plan import FaultPlan
from modules.simulator.fault_wire import Wire
from modules.simulator.faults import Faults
from modules.simulator.futures import Futures
from modules.simulator.perp.api import Kind, NewOrder, Side
from modules.simulator.settings import SimulatorSettings
from modules.simulator.sockets.rules import StreamRule

#: wire → address of its sockets, book channel as stream faults call it
BOOKS = {"bitget": "books.BTCUSDT", "bybit": "orderbook.50.BTCUSDT"}
ORDERS = {"bitget": "orders", "bybit": "order"}
WIRES = tuple(BOOKS)


class Venue:
    """A futures venue that serves all wires, stepped by hand."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.seconds = 0.0
        options = SimulatorSettings(futures=2, seed=1)
        self.clock = VenueClock(1_770_000_000_000, 1.0, lambda: self.seconds)
        self.faults = Faults(
            FaultPlan.parse(plan, "test"), elapsed=lambda: self.seconds, market_ms=self.clock.now, orders=lambda: 0,
            note=lambda row: None, act=lambda act: None)
        self.futures = Futures(
            options, self.clock, self.faults, Wire(self.faults), shift_ms=lambda: 0, outage=lambda: False,
            before=lambda: None, elapsed=lambda: self.seconds)
        self.session, self.base = ClientSession(), ""

    def play(self, seconds: float) -> None:
        """Let time pass, as the running server would."""
        for _ in range(round(seconds * 10)):
            self.seconds += 0.1
            self.futures.step()

    def plan(self, *rules: dict[str, Any]) -> None:
        """Take a plan of stream faults."""
        self.faults.replace(FaultPlan.parse({"streams": list(rules)}, "test"))

    def counted(self) -> dict[str, dict[str, int]]:
        """What happened, by kind and stream."""
        found: dict[str, dict[str, int]] = self.faults.counts()["streams"]["by_kind"]
        return found

    async def open(self, wire: str, private: bool = False) -> ClientWebSocketResponse:
        """A socket, logged in where it is private."""
        path = {"bitget": "/v2/ws/public", "bybit": "/v5/public/linear"} if not private else {
            "bitget": "/v2/ws/private", "bybit": "/v5/private"}
        socket = await self.session.ws_connect(self.base + path[wire])
        if private and wire == "bitget":
            stamp = str(self.clock.now() // 1000)
            await socket.send_json({"op": "login", "args": [{
                "apiKey": "sim-key", "passphrase": bitget_auth.PASSPHRASE, "timestamp": stamp,
                "sign": bitget_auth.signature("sim-secret", stamp + "GET/user/verify")}]})
            await self.answer(socket)
        elif private:
            expires = str(self.clock.now() + 5000)
            await socket.send_json({"op": "auth", "args": [
                "sim-key", int(expires), bybit_auth.signature("sim-secret", f"GET/realtime{expires}")]})
            await self.answer(socket)
        return socket

    async def hear_of(self, wire: str, socket: ClientWebSocketResponse, stream: str) -> None:
        """Subscribe by the name that stream faults use (an event's: of all contracts)."""
        channel, _, symbol = stream.partition(".")
        arg: Any = stream if wire == "bybit" else {
            "instType": "USDT-FUTURES", "channel": channel, "instId": symbol or "default"}
        await socket.send_json({"op": "subscribe", "args": [arg]})
        await self.answer(socket)

    @staticmethod
    async def answer(socket: ClientWebSocketResponse) -> None:
        told = await socket.receive_json(timeout=60)
        assert "event" in told or told["success"], told

    async def frames(self, wire: str, socket: ClientWebSocketResponse) -> list[Any]:
        """Every frame sent so far: a pong comes behind them. Text that is no JSON as it is; the type of an end."""
        await socket.send_str("ping" if wire == "bitget" else '{"op":"ping"}')
        found: list[Any] = []
        while True:
            message = await socket.receive(60)
            if message.type is not WSMsgType.TEXT:
                return [*found, message.type]
            if message.data == "pong" or '"pong"' in message.data:
                return found
            try:
                found.append(json.loads(message.data))
            except ValueError:
                found.append(message.data)


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Venue]]]:
    """Starts venues; all end with the test."""
    running: list[tuple[Venue, web.AppRunner]] = []

    async def begin(plan: dict[str, Any] | None = None) -> Venue:
        one = Venue(plan or {})
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", one.futures.serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        one.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        running.append((one, runner))
        return one

    yield begin
    for one, runner in running:
        await one.session.close()
        await one.futures.close()
        await runner.cleanup()


Starter = Callable[..., Awaitable[Venue]]


async def told(start: Starter, wire: str, *rules: dict[str, Any], first: bool = False) -> tuple[list[Any], Venue]:
    """What a listener of a book hears in two seconds; the rules come after its first frame unless `first`."""
    one = await start()
    socket = await one.open(wire)
    if first:
        one.plan(*rules)
    await one.hear_of(wire, socket, BOOKS[wire])
    before = [] if first else await one.frames(wire, socket)
    if not first:
        assert len(before) == 1, "the snapshot"
        one.plan(*rules)
    one.play(2.0)
    return await one.frames(wire, socket), one


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    "kind", ["lose", "duplicate", "reorder", "late", "truncate", "garbage", "gap", "cross", "silence"])
async def test_a_fault_changes_a_book_as_it_says(start: Starter, wire: str, kind: str) -> None:
    whole, _ = await told(start, wire)
    assert len(whole) >= 8
    rule = {"kind": kind, "stream": BOOKS[wire], "max_times": 1}
    rule |= {"gap": {"frames": 4}, "late": {"ms": 700}, "silence": {"for_ms": 1000}}.get(kind, {})
    frames, one = await told(start, wire, rule)
    assert one.counted() == {kind: {BOOKS[wire]: 1}}
    if kind == "lose":
        assert frames == whole[1:]
    elif kind == "gap":
        assert frames == whole[4:]
    elif kind == "duplicate":
        assert frames == [whole[0], *whole]
    elif kind == "reorder":
        assert frames == [whole[1], whole[0], *whole[2:]]
    elif kind == "late":
        place = frames.index(whole[0])
        assert place >= 2 and frames[:place] + frames[place + 1:] == whole[1:]
    elif kind in ("truncate", "garbage"):
        assert isinstance(frames[0], str) and frames[1:] == whole[1:]
    elif kind == "silence":
        assert 0 < len(frames) < len(whole) and frames == whole[-len(frames):], "and the pong came"
    else:
        assert frames[0] != whole[0] and frames[1:] == whole[1:]
        data = frames[0]["data"] if wire == "bybit" else frames[0]["data"][0]
        bids, asks = (data["b"], data["a"]) if wire == "bybit" else (data["bids"], data["asks"])
        assert max(float(price) for price, _ in bids) >= min(float(price) for price, size in asks if float(size))


@pytest.mark.parametrize("wire", WIRES)
async def test_a_snapshot_can_be_lost_or_come_behind_the_first_difference(start: Starter, wire: str) -> None:
    whole, _ = await told(start, wire, first=True)
    for kind, expected in (("lose", whole[1:]), ("reorder", [whole[1], whole[0], *whole[2:]])):
        frames, _ = await told(start, wire, {"kind": kind, "stream": BOOKS[wire], "max_times": 1}, first=True)
        assert frames == expected


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("kind", ["cut", "reset"])
@pytest.mark.parametrize("by", ["plan", "act"])
async def test_market_sockets_are_cut(start: Starter, wire: str, kind: str, by: str) -> None:
    one = await start()
    struck, spared = await one.open(wire), await one.open(wire, private=True)
    await one.hear_of(wire, struck, BOOKS[wire])
    await one.hear_of(wire, spared, ORDERS[wire])
    rule = {"kind": kind, "stream": BOOKS[wire], "max_times": 1}
    if by == "plan":
        one.plan(rule)
    else:
        one.futures.stream_faults.add(StreamRule.model_validate(rule))
    one.play(1.0)
    seen = [await struck.receive(60)]
    while seen[-1].type is WSMsgType.TEXT:
        seen.append(await struck.receive(60))
    assert one.counted() == {kind: {BOOKS[wire]: 1}}
    assert await one.frames(wire, spared) == []


@pytest.mark.parametrize("wire", WIRES)
async def test_new_sockets_are_refused_for_a_while(start: Starter, wire: str) -> None:
    path = {"bitget": "^/v2/ws/public", "bybit": "^/v5/public"}[wire]
    one = await start({"streams": [{"kind": "refuse", "stream": path, "for_ms": 3000, "max_times": 1}]})
    with pytest.raises(WSServerHandshakeError) as refused:
        await one.open(wire)
    assert refused.value.status == 429
    await one.open(wire, private=True)
    one.seconds += 3.1
    await one.open(wire)


def order(one: Venue, number: int) -> NewOrder:
    """A limit order below the market."""
    spec = one.futures.venue.specs[0]
    ticks = int(float(one.futures.venue.market.marks.mark[0]) * 0.9 / float(spec.tick))
    return NewOrder("BTCUSDT", Side.BUY, Kind.LIMIT, spec.qty(10), spec.price(ticks), client_id=f"order-{number}")


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("kind", "expected"), [
    ("lose", [1, 2]), ("duplicate", [0, 0, 1, 2]), ("reorder", [1, 0, 2]), ("late", [1, 2, 0]), ("silence", []),
    ("garbage", [None, 1, 2])])
async def test_an_accounts_events_have_faults_of_their_own(
    start: Starter, wire: str, kind: str, expected: list[int | None]
) -> None:
    one = await start()
    socket = await one.open(wire, private=True)
    await one.hear_of(wire, socket, ORDERS[wire])
    rule = {"kind": kind, "user": True, "stream": f"^{ORDERS[wire]}$", "max_times": 1}
    one.plan(rule | {"late": {"ms": 500}, "silence": {"for_ms": 600_000}}.get(kind, {}))
    venue = one.futures.venue
    for number in range(3):
        venue.place(venue.accounts[wire], order(one, number))
        one.play(0.1)
    one.play(1.0)
    found: list[int | None] = []
    for frame in await one.frames(wire, socket):
        row = frame["data"][0] if isinstance(frame, dict) else {}
        name = row.get("clientOid") or row.get("orderLinkId")
        found.append(int(name.removeprefix("order-")) if name else None)
    assert found == expected
    assert one.counted() == {kind: {ORDERS[wire]: 1}}


async def test_a_plan_given_at_the_start_reaches_every_wire(start: Starter) -> None:
    one = await start({"streams": [{"kind": "lose", "stream": "BTCUSDT$"}]})
    for wire in WIRES:
        socket = await one.open(wire)
        await one.hear_of(wire, socket, BOOKS[wire])
        one.play(0.5)
        assert await one.frames(wire, socket) == []
