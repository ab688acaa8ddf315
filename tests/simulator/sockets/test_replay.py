"""Recorded raw frames on sockets and REST: as they were, derived where they were not, books equal at every id."""

from __future__ import annotations

import asyncio
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import ccxt.pro as pro
import pytest

from modules.simulator.listening import StartError
from modules.simulator.raw_replay import RawReplay
from modules.simulator.raw_replay_reader import RecordingError, frames_of, is_recording
from modules.storage.recordings.format import Kind, pack
from tests.simulator.sockets.conftest import START_MS, Maker, Replaying, Starter

Book = tuple[dict[str, str], dict[str, str]]


def follow(book: Book, frame: dict[str, Any]) -> None:
    for side, changes in zip(book, (frame["b"], frame["a"]), strict=True):
        for price, qty in changes:
            if float(qty):
                side[price] = qty
            else:
                side.pop(price, None)


async def snapshot(one: Replaying, path: str = "/fapi/v1/depth?symbol=BTCUSDT&limit=1000") -> tuple[Book, int]:
    status, body = await one.get(path)
    assert status == 200
    return (dict(body["bids"]), dict(body["asks"])), body["lastUpdateId"]


async def test_recorded_streams_are_passed_on_byte_for_byte(start: Starter, recording: Path) -> None:
    one = await start()
    socket = await one.open("/public/stream?streams=btcusdt@depth@0ms/btcusdt@trade/btcusdt@bookTicker")
    one.play(3.0)
    lines = [line.split(b" ", 1)[1].decode() for line in gzip.decompress(recording.read_bytes()).splitlines()]
    recorded = [line for line in lines if line.startswith('{"stream"')]
    heard = [message for message in await raw(one, socket) if message.startswith('{"stream"')]
    begin = recorded.index(heard[0])
    assert heard == recorded[begin:begin + len(heard)]
    assert len(heard) > 100


async def raw(one: Replaying, socket: Any) -> list[str]:
    await socket.send_str('{"method":"LIST_SUBSCRIPTIONS","id":7}')
    texts: list[str] = []
    while '"id":7' not in (text := (await socket.receive_str(timeout=60))):
        texts.append(text)
    return texts


@pytest.mark.parametrize("stream", ["depth@0ms", "depth@100ms", "depth", "depth@500ms"])
async def test_the_book_that_a_client_follows_equals_the_venues(start: Starter, stream: str) -> None:
    """X28 to the letter: buffer, snapshot, drop u < L, first U ≤ L ≤ u, then pu = u of the frame before."""
    one = await start()
    socket = await one.open(f"/public/ws/btcusdt@{stream}")
    one.play(1.13)
    frames = await one.frames(socket)
    book, last_id = await snapshot(one)
    one.play(4.0)
    frames += await one.frames(socket)
    for before, after in zip(frames, frames[1:], strict=False):
        assert after["pu"] == before["u"]
        assert after["pu"] < after["U"] <= after["u"]
    left = [frame for frame in frames if frame["u"] >= last_id]
    assert left[0]["U"] <= last_id <= left[0]["u"]
    for frame in left:
        follow(book, frame)
    one.play_to(500)  # the end of every stream's window: both have to be the same
    for frame in await one.frames(socket):
        follow(book, frame)
        last_id = frame["u"]
    assert (book, last_id) == await snapshot(one, "/sim/book?symbol=BTCUSDT")


async def test_partial_depth_is_the_top_of_the_book(start: Starter) -> None:
    one = await start()
    socket = await one.open("/public/ws/btcusdt@depth5@100ms")
    one.play(2.0)
    frames = await one.frames(socket)
    assert 15 <= len(frames) <= 21
    one.play_to(100)
    frames += await one.frames(socket)
    truth, _ = await snapshot(one, "/fapi/v1/depth?symbol=BTCUSDT&limit=5")
    assert (dict(frames[-1]["b"]), dict(frames[-1]["a"])) == truth


async def test_aggregates_and_candles_are_sums_of_the_trades(start: Starter) -> None:
    one = await start()
    public = await one.open("/public/ws/btcusdt@trade")
    market = await one.open("/market/ws/btcusdt@aggTrade/btcusdt@kline_1m")
    one.play(6.0)
    trades = await one.frames(public)
    told = await one.frames(market)
    aggregates = [frame for frame in told if frame["e"] == "aggTrade"]
    assert [one["l"] + 1 for one in aggregates[:-1]] == [one["f"] for one in aggregates[1:]]
    assert [one["a"] for one in aggregates] == list(range(aggregates[0]["a"], aggregates[0]["a"] + len(aggregates)))
    first, last = aggregates[0]["f"], aggregates[-1]["l"]
    inside = [trade for trade in trades if first <= trade["t"] <= last]
    assert sum(round(float(trade["q"]) * 1000) for trade in inside) == sum(
        round(float(one["q"]) * 1000) for one in aggregates)
    _, rows = await one.get("/fapi/v1/klines?symbol=BTCUSDT&interval=1m")
    newest = [frame["k"] for frame in told if frame["e"] == "kline"][-1]
    row = next(row for row in rows if row[0] == newest["t"])
    assert row[1:4] == [newest["o"], newest["h"], newest["l"]]
    status, body = await one.get("/sim/status")
    assert set(body["replay"]["derived"]) == {"kline", "aggTrade", "BTCUSDT depth"}
    assert body["replay"]["book_breaks"] == {"BTCUSDT": 0}


async def test_rest_answers_what_a_client_needs(start: Starter) -> None:
    one = await start()
    one.play(1.0)
    assert (await one.get("/fapi/v1/time"))[1]["serverTime"] == one.server.clock.now()
    _, info = await one.get("/fapi/v1/exchangeInfo")
    (symbol,) = info["symbols"]
    assert (symbol["symbol"], symbol["baseAsset"], symbol["contractType"]) == ("BTCUSDT", "BTC", "PERPETUAL")
    assert {f["filterType"]: f.get("tickSize") for f in symbol["filters"]}["PRICE_FILTER"] == "0.10"
    for path in ("ticker/price", "ticker/bookTicker", "ticker/24hr"):
        assert (await one.get(f"/fapi/v1/{path}?symbol=BTCUSDT"))[1]["symbol"] == "BTCUSDT"
        assert [row["symbol"] for row in (await one.get(f"/fapi/v1/{path}"))[1]] == ["BTCUSDT"]
    assert len((await one.get("/fapi/v1/trades?symbol=BTCUSDT&limit=5"))[1]) == 5
    assert (await one.get("/fapi/v1/depth?symbol=NONE"))[1]["code"] == -1121
    assert (await one.get("/fapi/v1/depth"))[1]["code"] == -1102
    assert (await one.get("/fapi/v1/depth?symbol=BTCUSDT&limit=7"))[1]["code"] == -4021
    assert (await one.get("/fapi/v1/klines?symbol=BTCUSDT&interval=7m"))[1]["code"] == -1120
    assert (await one.get("/fapi/v1/order"))[0] == 404


async def test_the_end_is_told_and_the_book_stands(start: Starter) -> None:
    one = await start(speed=10)
    socket = await one.open("/public/ws/btcusdt@depth@0ms")
    one.play(2.0)
    assert (await one.get("/sim/status"))[1]["replay"]["ended"]
    frames = await one.frames(socket)
    _, last_id = await snapshot(one)
    assert frames[-1]["u"] == last_id
    one.play(1.0)
    assert await one.frames(socket) == []


async def test_ccxt_pro_follows_a_replay(start: Starter) -> None:
    """Unmodified ccxt.pro: only its urls are set. Its book equals the venue's at the same update id."""
    one = await start()
    rest = {f"fapi{who}{version}": f"{one.base}/fapi/v{number}" for who in ("Public", "Private")
            for version, number in (("", 1), ("V2", 2), ("V3", 3))}
    client = pro.binanceusdm({"enableRateLimit": False, "options": {"fetchCurrencies": False}, "urls": {"api": {
        **rest, "ws": {"linear": one.base.replace("http", "ws") + "/ws"}}}})
    try:
        await client.load_markets()
        playing = asyncio.ensure_future(_play(one))
        symbol = "BTC/USDT:USDT"
        book, trades, candles, ticker = await asyncio.gather(
            client.watch_order_book(symbol), client.watch_trades(symbol), client.watch_ohlcv(symbol, "1m"),
            client.watch_ticker(symbol))
        assert (trades[0]["symbol"], ticker["symbol"]) == (symbol, symbol)
        assert candles[-1][4] > 61_000
        playing.cancel()
        for _ in range(400):
            truth, truth_id = await snapshot(one, "/sim/book?symbol=BTCUSDT")
            if client.orderbooks[symbol]["nonce"] == truth_id:
                break
            one.play(0.05)
            await asyncio.sleep(0.005)
        assert client.orderbooks[symbol]["nonce"] == truth_id
        book = client.orderbooks[symbol]
        assert {float(price): float(qty) for price, qty in truth[0].items()} == dict(book["bids"])
        assert {float(price): float(qty) for price, qty in truth[1].items()} == dict(book["asks"])
    finally:
        await client.close()


async def _play(one: Replaying) -> None:
    while True:
        one.play(0.05)
        await asyncio.sleep(0.002)


# -- files ---------------------------------------------------------------------------------------------------


def test_spot_frames_are_told_in_futures_words(tmp_path: Path) -> None:
    maker = Maker()
    maker.run(4)
    lines = [line.replace('"depth@0ms"', '"depth@100ms"') for line in maker.lines]
    path = tmp_path / "spot.txt"
    path.write_text("\n".join(_spot(line) for line in lines))
    replay = RawReplay.load(path)
    assert replay.native == frozenset()
    replay.advance(replay.start_ms + 10_000)
    one = replay.symbols["BTCUSDT"]
    assert (one.book.bids, one.book.asks, one.book.breaks) == (maker.bids, maker.asks, 0) or (
        {tick * 10: steps for tick, steps in maker.bids.items()} == one.book.bids)
    assert "spot" in replay.describe()["derived"]["BTCUSDT depth"]


def _spot(line: str) -> str:
    stamp, _, text = line.partition(" ")
    body = json.loads(text)
    data = body.get("data", {})
    for name in ("pu", "T") if data.get("e") == "depthUpdate" else ("X",):
        data.pop(name, None)
    if data.get("e") == "bookTicker":
        body["data"] = {name: data[name] for name in ("u", "s", "b", "B", "a", "A")}
    return f"{stamp} {json.dumps(body, separators=(',', ':'))}"


async def test_an_archive_of_aggregates_is_a_source_of_trades(start: Starter, tmp_path: Path) -> None:
    rows = [f"{100 + n},0.0000090{n % 9 + 1},{1000 + n}.00,{500 + 2 * n},{501 + 2 * n},{START_MS + n * 200},"
            f"{'True' if n % 2 else 'False'},True" for n in range(60)]
    path = tmp_path / "PEPEUSDT-aggTrades-2026-02-02.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("PEPEUSDT-aggTrades-2026-02-02.csv", "a,p,q,f,l,T,m\n" + "\n".join(rows))
    one = await start(path=path)
    market = await one.open("/market/ws/pepeusdt@aggTrade")
    public = await one.open("/public/ws/pepeusdt@trade")
    one.play(3.0)
    aggregates, trades = await one.frames(market), await one.frames(public)
    assert [frame["a"] for frame in aggregates] == list(range(aggregates[0]["a"], aggregates[0]["a"] + len(aggregates)))
    assert [trade["t"] for trade in trades] == list(range(aggregates[0]["f"], aggregates[-1]["l"] + 1))
    assert (await one.get("/fapi/v1/depth?symbol=PEPEUSDT"))[0] == 400
    assert (await one.get("/fapi/v1/exchangeInfo"))[1]["symbols"][0]["quantityPrecision"] == 2


async def test_our_own_recording_is_played_whole(start: Starter, tmp_path: Path) -> None:
    """Streams that a replay does not understand are passed on; marks are known to REST; snapshots name their symbol."""
    maker = Maker()
    maker.run(6)
    mark = {"e": "markPriceUpdate", "E": START_MS + 900, "s": "BTCUSDT", "p": "61800.5", "i": "61799.1",
            "P": "61799.2", "r": "0.00010000", "T": START_MS + 3_600_000}
    candle = {"e": "kline", "E": START_MS + 901, "s": "BTCUSDT", "k": {"i": "15m", "c": "1"}}
    for ms in (900, 1500, 2500):
        maker.line(START_MS + ms, "markPrice@1s", mark)
        maker.line(START_MS + ms, "kline_15m", candle)
    frames = []
    for line in maker.lines:
        stamp, _, text = line.partition(" ")
        frames.append((int(stamp), 1 if text.startswith('{"lastU') else 0, text.encode()))
    sources = {0: "public", 1: "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"}
    frames.sort()
    path = tmp_path / "2026" / "a.cxr"
    path.parent.mkdir()
    blocks = [pack([(ns, source, int(Kind.ANSWER if source else Kind.MESSAGE), body)
                    for ns, source, body in frames[at:at + 100]], sources) for at in range(0, len(frames), 100)]
    path.write_bytes(b"".join(blocks) + blocks[0][:50])
    one = await start(path=tmp_path)
    socket = await one.open("/market/ws/btcusdt@kline_15m/btcusdt@markPrice@1s/btcusdt@aggTrade")
    one.play(3.0)
    told = await one.frames(socket)
    assert [frame for frame in told if frame["e"] == "kline"] == [candle] * 3
    assert [frame for frame in told if frame["e"] == "markPriceUpdate"] == [mark] * 3
    assert [frame for frame in told if frame["e"] == "aggTrade"]
    assert (await one.get("/fapi/v1/premiumIndex?symbol=BTCUSDT"))[1]["markPrice"] == "61800.5"
    one.play(5.0)
    status = (await one.get("/sim/status"))[1]["replay"]
    assert (status["ended"], status["book_breaks"]) == (True, {"BTCUSDT": 0})
    assert "unfinished block" in status["problem"]


async def test_behind_a_hole_no_book_is_told_until_the_next_snapshot(start: Starter, tmp_path: Path) -> None:
    maker = Maker()
    maker.run(1)
    for number in range(1, 5):
        maker.depth(START_MS + 1000 * number)
    del maker.lines[-3]
    maker.snapshot(START_MS + 5000)
    maker.depth(START_MS + 5100)
    path = tmp_path / "hole.txt"
    path.write_text("\n".join(maker.lines))
    one = await start(path=path)
    seen = []
    for _ in range(14):
        one.play(0.5)
        seen.append((await one.get("/fapi/v1/depth?symbol=BTCUSDT"))[0])
    assert [status for at, status in enumerate(seen) if not at or seen[at - 1] != status] == [200, 400, 200]
    book, last_id = await snapshot(one)
    assert last_id == maker.last
    assert len(book[0]) == len(maker.bids)


def test_bad_recordings_are_named_and_garbage_is_passed_over(tmp_path: Path) -> None:
    for name in ("x.txt", "y.gz"):
        (tmp_path / name).write_bytes(b"no frames here\n")
        assert not is_recording(tmp_path / name)
    with pytest.raises(RecordingError, match=r"x\.txt: no known form"):
        list(frames_of(tmp_path / "x.txt"))
    with pytest.raises(RecordingError, match="another --replay"):
        RawReplay.load(tmp_path / "nothing")
    maker = Maker()
    maker.run(2)
    lines = maker.lines
    bad = ('{"e":1}', '{"s":"BTCUSDT","T":1,"t":1,"p":"x","q":"1","m":true}')
    odd = [f'1770000001000000000 {{"stream":"btcusdt@trade","data":{data}}}' for data in bad]
    spoilt = [*lines[:20], "17 {", "garbage", lines[20][:60], *odd, *lines[21:]]
    whole = gzip.compress("\n".join(spoilt).encode())
    torn = tmp_path / "torn.gz"
    torn.write_bytes(whole[:-200])
    replay = RawReplay.load(torn)
    replay.advance(replay.start_ms + 5_000)
    assert "torn.gz: ends or breaks" in replay.problem
    assert replay.passed_over["unreadable line"] >= 3
    assert sum(replay.passed_over.values()) == replay.passed_over["unreadable line"] + 2
    assert replay.symbols["BTCUSDT"].book.whole


async def test_a_recording_without_frames_does_not_start(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "only.txt"
    path.write_text('1770000001000000000 {"lastUpdateId":5,"bids":[],"asks":[]}\n')
    with pytest.raises(StartError, match=r"only\.txt: no trade"):
        await start(path=path)
