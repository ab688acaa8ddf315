"""What clients say on a socket, what the venue answers, and the rules that end a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import WSMsgType

from modules.simulator.sockets.connection import LIFE_S, MESSAGES_PER_S
from tests.simulator.sockets.conftest import Starter

WRONG: list[tuple[str, int]] = [
    ("{", 3), ("[1]", 2), ('{"id":1}', 2), ('{"method":"SHOUT","id":1}', 2), ('{"method":"SUBSCRIBE","id":1}', 2),
    ('{"method":"SUBSCRIBE","params":"x","id":1}', 2), ('{"method":"SUBSCRIBE","params":[5],"id":1}', 2),
    ('{"method":"SUBSCRIBE","params":["a"],"id":-1}', 2), ('{"method":"SUBSCRIBE","params":["a"],"id":1.5}', 2),
    ('{"method":"SUBSCRIBE","params":["a"],"id":1,"odd":2}', 2),
    ('{"method":"SET_PROPERTY","params":["speed",true],"id":1}', 0),
    ('{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}', 1),
    ('{"method":"SET_PROPERTY","params":["combined",true,1],"id":1}', 2),
    ('{"method":"GET_PROPERTY","params":[],"id":1}', 2),
]


@pytest.mark.parametrize(("text", "code"), WRONG)
async def test_wrong_messages_are_told_their_code(start: Starter, text: str, code: int) -> None:
    one = await start()
    socket = await one.open("/public/ws")
    told = await one.told(socket, text)
    assert (told["error"]["code"], told["code"]) == (code, code)


async def test_subscriptions_come_and_go(start: Starter) -> None:
    one = await start()
    socket = await one.open("/public/ws")
    names = ["btcusdt@depth@0ms", "btcusdt@bookTicker"]
    assert await one.told(socket, {"method": "SUBSCRIBE", "params": names, "id": 1}) == {"result": None, "id": 1}
    listed = await one.told(socket, {"method": "LIST_SUBSCRIPTIONS", "id": "a-b"})
    assert listed == {"result": names, "id": "a-b"}
    one.play(0.5)
    assert {frame["e"] for frame in await one.frames(socket)} == {"depthUpdate", "bookTicker"}
    await one.told(socket, {"method": "UNSUBSCRIBE", "params": [names[0], "nothing"], "id": 2})
    one.play(0.5)
    assert {frame["e"] for frame in await one.frames(socket)} == {"bookTicker"}
    assert list(one.server.hub.channels) == ["btcusdt@bookTicker"]
    await socket.close()
    one.play(0.1)
    assert one.server.hub.describe()["streams"] in (0, 1)


async def test_combined_frames_name_their_stream(start: Starter) -> None:
    one = await start()
    raw = await one.open("/public/ws/btcusdt@bookTicker")
    combined = await one.open("/public/stream?streams=btcusdt@bookTicker/btcusdt@trade")
    one.play(0.4)
    plain, wrapped = await one.frames(raw), await one.frames(combined)
    assert [frame["data"] for frame in wrapped if frame["stream"] == "btcusdt@bookTicker"] == plain
    await one.told(raw, {"method": "SET_PROPERTY", "params": ["combined", True], "id": 4})
    assert (await one.told(raw, {"method": "GET_PROPERTY", "params": ["combined"], "id": 5}))["result"] is True
    one.play(0.2)
    assert {frame["stream"] for frame in await one.frames(raw)} == {"btcusdt@bookTicker"}


@pytest.mark.parametrize(("path", "heard"), [
    ("/public", {"depthUpdate", "bookTicker", "trade"}), ("/market", {"aggTrade", "kline"}),
    ("", {"depthUpdate", "bookTicker", "trade"})])
async def test_a_stream_is_heard_only_on_its_own_sockets(start: Starter, path: str, heard: set[str]) -> None:
    """X26: the wrong family answers as if all were well, and stays silent."""
    one = await start()
    names = "/".join(f"btcusdt@{what}" for what in ("depth", "bookTicker", "trade", "aggTrade", "kline_1m"))
    socket = await one.open(f"{path}/ws/{names}")
    one.play(1.5)
    assert {frame["e"] for frame in await one.frames(socket)} == heard
    _, status = await one.get("/sim/status")
    assert len(status["sockets"]["unheard"]) == 5 - len(heard)


async def test_names_that_are_no_streams_are_silent_and_told_in_the_status(start: Starter) -> None:
    one = await start()
    socket = await one.open("/public/ws/0")  # ccxt numbers its sockets
    await one.told(socket, {"method": "SUBSCRIBE", "params": ["btcusdt@depht", "nosuch@depth"], "id": 1})
    one.play(0.3)
    assert await one.frames(socket) == []
    _, status = await one.get("/sim/status")
    assert list(status["sockets"]["unheard"]) == ["btcusdt@depht on /public/ws/0"]


async def test_too_many_messages_end_the_connection(start: Starter) -> None:
    one = await start()
    socket = await one.open("/public/ws")
    for number in range(MESSAGES_PER_S + 1):
        await socket.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
    got: list[Any] = [await one.next(socket) for _ in range(MESSAGES_PER_S)]
    assert got[-1] in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING)
    assert socket.close_code == 1008


async def test_too_many_streams_end_the_connection(start: Starter) -> None:
    one = await start()
    socket = await one.open("/public/ws")
    await one.told(socket, {"method": "SUBSCRIBE", "params": [f"s{n}@depth" for n in range(1024)], "id": 1})
    await socket.send_str('{"method":"SUBSCRIBE","params":["t@depth"],"id":2}')
    assert await one.next(socket) is WSMsgType.CLOSE
    assert socket.close_code == 1008
    async with one.session.get(one.base + "/public/ws/x@depth") as answer:
        assert answer.status == 426


@pytest.mark.parametrize("speed", [1.0, 20.0])
async def test_a_connection_lives_a_day_of_market_time(start: Starter, speed: float) -> None:
    one = await start(speed=speed)
    socket = await one.open("/public/ws/btcusdt@bookTicker")
    one.clock.seconds = LIFE_S / speed - 1
    for connection in one.server.hub.connections:
        connection._pong = connection._pinged = one.clock.seconds
    one.server.hub.check()
    assert len(one.server.hub.connections) == 1
    one.clock.seconds += 1.5
    one.server.hub.check()
    seen = [await one.next(socket)]
    while seen[-1] not in (WSMsgType.CLOSE, WSMsgType.CLOSED):
        seen.append(await one.next(socket))
    assert socket.close_code == 1000


async def test_pings_come_and_silence_after_them_ends_it(start: Starter) -> None:
    one = await start()
    socket = await one.open("/public/ws")
    one.clock.seconds = 181
    one.server.hub.check()
    assert await one.next(socket) is WSMsgType.PING
    one.clock.seconds = 700  # no pong came
    one.server.hub.check()
    assert await one.next(socket) in (WSMsgType.CLOSED, WSMsgType.ERROR, WSMsgType.CLOSING)


async def test_a_reader_that_does_not_read_is_cut_off(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.simulator.sockets.outlet.MAX_BUFFER", 100_000)
    one = await start()
    socket = await one.open("/public/ws/btcusdt@trade")
    socket._conn.protocol.pause_reading()  # type: ignore[union-attr]
    for _ in range(2000):
        one.server.hub.publish("btcusdt@trade", b'{"x":"' + b"y" * 10_000 + b'"}')
        one.server.hub.flush()
        if not all(connection.why == "" for connection in one.server.hub.connections):
            break
    assert [connection.why.partition(",")[0] for connection in one.server.hub.connections] == ["slow reader"]
    one.sockets.remove(socket)
    socket._response.close()  # nobody reads the answer to a close here
