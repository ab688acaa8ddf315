"""Bitget's sockets: login, answers, books with checksums, what an account hears and when."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from tests.simulator.bitget.conftest import COIN, ONE, Bitget


def signed_crc(book: dict[str, dict[str, str]]) -> int:
    """The venue's rule: best 25 levels, bid and ask in turn, as they were sent."""
    bids = sorted(book["bids"].items(), key=lambda level: -float(level[0]))[:25]
    asks = sorted(book["asks"].items(), key=lambda level: float(level[0]))[:25]
    parts: list[str] = []
    for place in range(25):
        for side in (bids, asks):
            if place < len(side):
                parts.append(":".join(side[place]))
    number = zlib.crc32(":".join(parts).encode())
    return number - (1 << 32) if number >= 1 << 31 else number


def keep(book: dict[str, dict[str, str]], row: dict[str, Any]) -> None:
    """Apply a frame."""
    for name in ("bids", "asks"):
        for price, size in row[name]:
            if float(size):
                book[name][price] = size
            else:
                book[name].pop(price, None)


async def test_a_book_kept_from_differences_has_the_checksum_and_is_the_venues(bitget: Bitget) -> None:
    socket = await bitget.socket()
    answer = await socket.join("books")
    assert answer == {"event": "subscribe", "arg": {
        "instType": "USDT-FUTURES", "channel": "books", "instId": "BTCUSDT"}}
    first = await socket.hear()
    assert (first["action"], len(first["data"])) == ("snapshot", 1)
    book: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
    keep(book, first["data"][0])
    seq = first["data"][0]["seq"]
    for _ in range(40):
        bitget.pass_ms(200)
        frame = await socket.hear()
        row = frame["data"][0]
        assert (frame["action"], row["pseq"]) == ("update", seq)
        seq = row["seq"]
        keep(book, row)
        assert row["checksum"] == signed_crc(book)
    _, bids, _ = bitget.venue.depth(0, 200)
    spec = bitget.venue.specs[0]
    assert {float(price): float(size) for price, size in book["bids"].items()} == {
        float(spec.price(tick)): float(spec.qty(steps)) for tick, steps in bids}


async def test_a_second_listener_of_a_book_can_follow_too(bitget: Bitget) -> None:
    one, two = await bitget.socket(), await bitget.socket()
    await one.join("books")
    await one.hear()
    bitget.pass_ms(250)
    await one.hear()
    await two.join("books")
    first = (await two.hear())["data"][0]
    book: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
    keep(book, first)
    assert first["checksum"] == signed_crc(book)
    bitget.pass_ms(200)
    row = (await two.hear())["data"][0]
    keep(book, row)
    assert row["pseq"] == first["seq"]
    assert row["checksum"] == signed_crc(book)


@pytest.mark.parametrize(("channel", "fields"), [
    ("ticker", {"instId", "lastPr", "bidPr", "askPr", "markPrice", "fundingRate", "nextFundingTime"}),
    ("trade", {"ts", "price", "size", "side", "tradeId"}), ("books1", {"bids", "asks", "checksum", "seq"}),
    ("books5", {"bids", "asks"}), ("books15", {"bids", "asks"}),
])
async def test_public_channels(bitget: Bitget, channel: str, fields: set[str]) -> None:
    socket = await bitget.socket()
    await socket.join(channel)
    first = await socket.hear()
    assert first["action"] == "snapshot"
    bitget.pass_ms(3_000)
    later = await socket.hear()
    assert fields <= later["data"][0].keys()
    assert later["arg"]["channel"] == channel


async def test_candles_close_once_and_go_on(bitget: Bitget) -> None:
    socket = await bitget.socket()
    await socket.join("candle1m")
    first = await socket.hear()
    last = first["data"][-1]
    bitget.pass_ms(60_500)
    opened = {last[0]}
    while len(opened) < 2:
        opened |= {row[0] for row in (await socket.hear())["data"]}
    assert sorted(int(ms) for ms in opened)[1] - int(last[0]) == 60_000


async def test_commands_that_cannot_be(bitget: Bitget) -> None:
    socket = await bitget.socket()
    await socket.raw.send_str("ping")
    assert (await socket.raw.receive()).data == "pong"
    for text, code in (("{", 30002), ('{"op":"dance","args":[1]}', 30003), ('{"op":"subscribe"}', 30016),
                       ('{"op":"subscribe","args":[{"instType":"SPOT","channel":"ticker","instId":"X"}]}', 30001)):
        await socket.raw.send_str(text)
        assert (await socket.hear())["code"] == code
    assert (await socket.join("ticker", "NOPEUSDT"))["code"] == 30001
    assert (await socket.join("orders", "default"))["code"] == 30001


async def test_more_than_ten_messages_a_second_end_the_socket(bitget: Bitget) -> None:
    socket = await bitget.socket()
    for _ in range(11):
        await socket.raw.send_str("ping")
    heard = [await socket.raw.receive() for _ in range(12)]
    assert [one.data for one in heard[:10]] == ["pong"] * 10
    assert '"code":30007' in heard[10].data
    assert socket.raw.closed


async def test_a_silent_client_is_cut_off(bitget: Bitget) -> None:
    socket = await bitget.socket()
    await socket.join("ticker")
    bitget.clock[0] += 121_000
    bitget.side.hub.check()
    assert bitget.side.hub.describe()["connections"] <= 1
    frames = [await socket.raw.receive() for _ in range(2)]
    assert frames[-1].type.name in ("CLOSED", "CLOSE", "CLOSING", "ERROR")


@pytest.mark.parametrize(("changes", "code"), [
    ({"apiKey": "nobody"}, 30011), ({"passphrase": "wrong"}, 30012), ({"timestamp": "soon"}, 30013),
    ({"sign": "wrong"}, 30015), ({"timestamp": "1769999000"}, 30015),
])
async def test_logins_that_fail(bitget: Bitget, changes: dict[str, str], code: int) -> None:
    socket = await bitget.socket("private")
    words = {"apiKey": "sim-key", "passphrase": "sim-passphrase", "timestamp": "1770000003", "sign": ""}
    await socket.say("login", {**words, **changes})
    assert (await socket.hear())["code"] == code


async def test_private_channels_need_a_login(bitget: Bitget) -> None:
    socket = await bitget.session.ws_connect(f"{bitget.base}/v2/ws/private")
    await socket.send_json({"op": "subscribe", "args": [
        {"instType": "USDT-FUTURES", "channel": "orders", "instId": "default"}]})
    assert (await socket.receive_json())["code"] == 30004


async def test_what_an_account_hears_of_a_position(bitget: Bitget) -> None:
    await bitget.hedged()
    socket = await bitget.socket("private")
    for channel in ("orders", "fill", "positions-history", "orders-algo"):
        await socket.join(channel, "default")
    for channel in ("account", "positions"):
        await socket.join(channel, "default")
        assert (await socket.hear())["action"] == "snapshot"
    await bitget.good("POST", "order/place-order", bitget.taking("sell", tradeSide="open", clientOid="mine"))
    await bitget.good("POST", "order/place-tpsl-order", {
        **COIN, "planType": "pos_loss", "triggerPrice": bitget.price(1.1), "holdSide": "short"})
    await bitget.good("POST", "order/close-positions", ONE)
    heard: dict[str, list[Any]] = {}
    while "positions-history" not in heard:
        frame = await socket.hear()
        heard.setdefault(frame["arg"]["channel"], []).append(frame["data"])
    assert [rows[0]["status"] for rows in heard["orders"] if rows[0]["clientOid"] == "mine"] == ["live", "filled"]
    opened = next(rows[0] for rows in heard["fill"])
    assert (opened["side"], opened["tradeSide"], opened["symbol"]) == ("sell", "open", "BTCUSDT")
    assert heard["positions"][0][0]["holdSide"] == "short"
    assert heard["orders-algo"][0][0]["status"] == "live"
    closed = heard["positions-history"][0][0]
    assert (closed["holdSide"], closed["closeSize"]) == ("short", "0.01")
    assert heard["orders"][-1][0]["tradeSide"] == "close"
