"""Every fault of a stream does what it says, by plan and by act, and is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from modules.simulator.fault_plan import FaultPlan, PlanError
from modules.simulator.sockets.rules import StreamRule
from tests.simulator.sockets.conftest import Replaying, Starter

DEPTH = "btcusdt@depth@0ms"


async def heard(start: Starter, rule: dict[str, Any], by: str, seconds: float = 1.0) -> tuple[list[Any], Replaying]:
    """What a listener of the finest depth stream hears when one fault happens, and the venue."""
    rule = {"stream": "depth", "max_times": 1, **rule}
    one = await start(plan={"streams": [rule]} if by == "plan" else {})
    if by == "act":
        status, _ = await one.act(action="stream", fault=rule)
        assert status == 200
    socket = await one.open(f"/public/ws/{DEPTH}")
    one.play(seconds)
    frames = await one.frames(socket)
    _, told = await one.get("/sim/faults")
    assert told["streams"]["by_kind"] == {rule["kind"]: {DEPTH: 1}}
    return frames, one


def breaks(frames: list[dict[str, Any]]) -> int:
    return sum(after["pu"] != before["u"] for before, after in zip(frames, frames[1:], strict=False))


async def truth(start: Starter, seconds: float = 1.0) -> list[Any]:
    one = await start()
    socket = await one.open(f"/public/ws/{DEPTH}")
    one.play(seconds)
    return await one.frames(socket)


@pytest.mark.parametrize("by", ["plan", "act"])
@pytest.mark.parametrize("kind", ["lose", "duplicate", "reorder", "late", "truncate", "garbage", "gap", "cross"])
async def test_a_fault_changes_the_frames_as_it_says(start: Starter, kind: str, by: str) -> None:
    whole = await truth(start)
    rule = {"kind": kind, **({"frames": 4} if kind == "gap" else {}), **({"ms": 200} if kind == "late" else {})}
    frames, _ = await heard(start, rule, by)
    if kind == "lose":
        assert frames == whole[1:]
    elif kind == "gap":
        assert frames == whole[4:]
    elif kind == "duplicate":
        assert frames == [whole[0], *whole]
    elif kind == "reorder":
        assert frames == [whole[1], whole[0], *whole[2:]]
        assert breaks(frames) == 2
    elif kind == "late":
        place = frames.index(whole[0])
        assert 2 <= place <= 6
        assert frames[:place] + frames[place + 1:] == whole[1:]
    elif kind in ("truncate", "garbage"):
        assert isinstance(frames[0], str)
        assert frames[1:] == whole[1:]
    else:
        assert max(float(price) for price, _ in frames[0]["b"]) >= float(frames[0]["a"][-1][0])
        assert (frames[0]["u"], frames[1:]) == (whole[0]["u"], whole[1:])


@pytest.mark.parametrize("by", ["plan", "act"])
async def test_a_silent_stream_goes_on_pinging(start: Starter, by: str) -> None:
    frames, one = await heard(start, {"kind": "silence", "for_ms": 400_000}, by)
    assert frames == []
    one.clock.seconds += 180
    one.server.hub.check()
    (socket,) = one.sockets
    assert await one.next(socket) is WSMsgType.PING


async def test_a_silence_ends(start: Starter) -> None:
    whole = await truth(start, 2.0)
    frames, _ = await heard(start, {"kind": "silence", "for_ms": 1000}, "plan", 2.0)
    assert 0 < len(frames) < len(whole)
    assert frames == whole[-len(frames):]


@pytest.mark.parametrize("by", ["plan", "act"])
@pytest.mark.parametrize("kind", ["cut", "reset"])
async def test_sockets_are_cut(start: Starter, kind: str, by: str) -> None:
    one = await start(plan={"streams": [{"kind": kind, "stream": "trade", "max_times": 1}]} if by == "plan" else {})
    struck = await one.open("/public/ws/btcusdt@trade")
    spared = await one.open(f"/public/ws/{DEPTH}")
    if by == "act":
        await one.act(action="stream", fault={"kind": kind, "stream": "trade"})
    one.play(1.0)
    seen = [await one.next(struck)]
    while not isinstance(seen[-1], WSMsgType):
        seen.append(await one.next(struck))
    assert struck.closed or seen[-1] in (WSMsgType.CLOSED, WSMsgType.ERROR, WSMsgType.CLOSING)
    assert len(await one.frames(spared)) > 5
    _, told = await one.get("/sim/faults")
    assert told["streams"]["by_kind"] == {kind: {"btcusdt@trade": 1}}


@pytest.mark.parametrize("by", ["plan", "act"])
async def test_reconnecting_is_refused_for_a_while(start: Starter, by: str) -> None:
    rule = {"kind": "refuse", "stream": "^/public", "for_ms": 3000, "max_times": 1}
    one = await start(plan={"streams": [rule]} if by == "plan" else {})
    if by == "act":
        await one.act(action="stream", fault=rule)
    for _ in range(2):
        with pytest.raises(WSServerHandshakeError) as refused:
            await one.open("/public/ws")
        assert refused.value.status == 429
        assert refused.value.headers is not None
        assert int(refused.value.headers["Retry-After"]) > 0
    await one.open("/market/ws")
    one.clock.seconds += 3.1
    await one.open("/public/ws")
    _, told = await one.get("/sim/faults")
    assert told["streams"]["by_kind"] == {"refuse": {"/public/ws": 1}}


@pytest.mark.parametrize("by", ["plan", "act"])
async def test_a_snapshot_is_older_than_the_differences(start: Starter, by: str) -> None:
    rule = {"kind": "old_snapshot", "stream": "BTCUSDT", "ms": 1500, "max_times": 1}
    one = await start(plan={"streams": [rule]} if by == "plan" else {})
    if by == "act":
        await one.act(action="stream", fault=rule)
    socket = await one.open(f"/public/ws/{DEPTH}")
    one.play(3.0)
    frames = await one.frames(socket)
    _, old = await one.get("/fapi/v1/depth?symbol=BTCUSDT&limit=10")
    assert len(old["bids"]) == len(old["asks"]) == 10
    assert frames[0]["u"] <= old["lastUpdateId"] < frames[-20]["u"]
    _, true = await one.get("/fapi/v1/depth?symbol=BTCUSDT&limit=10")
    assert true["lastUpdateId"] == frames[-1]["u"]


async def test_the_same_seed_throws_the_same_dice(start: Starter) -> None:
    async def lost(seed: int) -> list[int]:
        one = await start(plan={"seed": seed, "streams": [{"kind": "lose", "stream": "depth", "probability": 0.4}]})
        socket = await one.open(f"/public/ws/{DEPTH}")
        one.play(3.0)
        return [frame["u"] for frame in await one.frames(socket)]

    first = await lost(3)
    assert await lost(3) == first
    assert await lost(4) != first


async def test_a_new_plan_ends_the_old_one_and_lets_go_what_it_held(start: Starter) -> None:
    one = await start(plan={"streams": [{"kind": "late", "stream": "depth", "ms": 500_000}]})
    socket = await one.open(f"/public/ws/{DEPTH}")
    one.play(0.5)
    assert await one.frames(socket) == []
    async with one.session.post(one.base + "/sim/faults", json={"seed": 1}) as answer:
        assert answer.status == 200
    one.play(0.5)
    assert breaks(await one.frames(socket)) == 0


@pytest.mark.parametrize(("rule", "words"), [
    ({"kind": "lose", "ms": 5}, "ms means nothing to 'lose'"), ({"kind": "gap", "user": True}, "market streams"),
    ({"kind": "lose", "stream": "("}, "regular expression"), ({"kind": "melt"}, "kind"),
    ({"kind": "lose", "p": 1}, "p")])
def test_rules_that_make_no_sense_are_refused(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=words.replace("(", r"\(")):
        FaultPlan.parse({"streams": [rule]}, "test")


async def test_acts_need_what_they_are_about(start: Starter) -> None:
    one = await start()
    assert (await one.act(action="stream"))[0] == 400
    status, told = await one.act(action="expire_listen_key")
    assert status == 409
    assert "no listen key" in told["error"]
    status, told = await one.act(action="halt", symbol="BTCUSDT")
    assert (status, "only acts on sockets" in told["error"]) == (409, True)


async def test_user_streams_have_faults_of_their_own(start: Starter) -> None:
    one = await start()
    hub = one.server.hub
    key = hub.keys.open("trader")
    socket = await one.open(f"/private/ws?listenKey={key}")

    async def told(kind: str, **more: Any) -> list[Any]:
        one.server.stream_faults.replace([StreamRule(kind=kind, user=True, max_times=1, **more)], 0)
        for number in range(3):
            hub.to_account("trader", "ORDER_TRADE_UPDATE", json.dumps({"n": number}).encode())
        one.clock.seconds += 2
        one.server.stream_faults.check()
        hub.flush()
        return [frame["n"] if isinstance(frame, dict) else frame for frame in await one.frames(socket)]

    assert await told("lose", stream="ORDER") == [1, 2]
    assert await told("lose", stream="ACCOUNT") == [0, 1, 2]
    assert await told("duplicate") == [0, 0, 1, 2]
    assert await told("reorder") == [1, 0, 2]
    assert await told("late", ms=1000) == [1, 2, 0]
    assert await told("silence", for_ms=60_000) == []


async def test_a_listen_key_that_expires_is_told_once_and_then_silent(start: Starter) -> None:
    one = await start()
    hub = one.server.hub
    key = hub.keys.open("trader")
    combined = await one.open(f"/private/stream?listenKey={key}&events=ORDER_TRADE_UPDATE/listenKeyExpired")
    plain = await one.open(f"/private/ws/{key}")
    late = await one.open("/private/ws")
    assert (await one.told(late, {"method": "SUBSCRIBE", "params": [key], "id": 1}))["result"] is None
    stranger = await one.open("/private/ws?listenKey=" + "x" * 64)
    for event in ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"):
        hub.to_account("trader", event, json.dumps({"e": event}).encode())
    hub.to_account("withdrawer", "ACCOUNT_UPDATE", b'{"e":"not for us"}')
    assert await one.frames(combined) == [{"stream": key, "data": {"e": "ORDER_TRADE_UPDATE"}}]
    both = [{"e": "ORDER_TRADE_UPDATE"}, {"e": "ACCOUNT_UPDATE"}]
    assert await one.frames(plain) == both
    assert await one.frames(late) == both
    assert await one.frames(stranger) == []
    one.clock.seconds += 3600.1
    for connection in hub.connections:
        connection._pinged = connection._pong = one.clock.seconds
    hub.check()
    (frame,) = await one.frames(plain)
    assert (frame["e"], frame["listenKey"]) == ("listenKeyExpired", key)
    assert (await one.frames(combined))[0]["data"]["e"] == "listenKeyExpired"
    hub.to_account("trader", "ORDER_TRADE_UPDATE", b"{}")
    assert await one.frames(plain) == []
