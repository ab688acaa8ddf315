"""The feed as a whole against a venue on loopback: what a reader sees is the venue's truth, or it is called stale."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from modules.exchange.feed.page import PageError
from modules.exchange.feed.reader import FeedReader
from modules.exchange.feed.recording import FeedRecording
from modules.exchange.feed.service import FeedProcess
from modules.exchange.feed.settings import FeedSettings
from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import ring
from modules.exchange.orderbook.layout import Stale
from tests.exchange.feed.venue import Venue
from tests.surroundings import until
from utils.paths import Paths

SYMBOLS = ("BTCUSDT", "ETHUSDT", "XRPUSDT")


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    made = await Venue(SYMBOLS).start()
    yield made
    await made.close()


Start = Callable[..., Awaitable[tuple[FeedProcess, FeedReader]]]


@pytest.fixture
async def start(venue: Venue, tmp_path: Path) -> AsyncIterator[Start]:
    paths = Paths(tmp_path).prepare()
    opened: list[FeedProcess] = []
    async with aiohttp.ClientSession() as session:
        async def begin(recording: FeedRecording | None = None, **more: Any) -> tuple[FeedProcess, FeedReader]:
            small = {"levels": 512, "most_symbols": 4, "trades": 256, "candles": 10, "intervals": ("1m",),
                     "silence_s": 30, "stale_after_s": 30, "late_after_s": 60, "compiled": False}
            settings = FeedSettings(**{**small, **more})
            feed = FeedProcess(settings, paths, session, venue.url, venue.url.replace("http", "ws"),
                               recording=recording)
            opened.append(feed)
            feed.resync.first_jitter_s = 0.01
            for pool in feed.pools:
                pool.held_s = 0.1
            await feed.start()
            return feed, FeedReader(paths)

        yield begin
        for feed in opened:
            await feed.close()


async def all_right(venue: Venue, feed: FeedProcess, reader: FeedReader, symbols: tuple[str, ...] = SYMBOLS) -> None:
    """Until every book is fresh and at the venue's own state; books that are fresh before are right as well."""
    async def seen() -> bool:
        await venue.tick()
        feed.look()
        found = 0
        for name in symbols:
            if name not in reader.symbols():
                continue
            book = reader.book(name, 40)
            if book.usable:
                bids, asks = venue.truths[name].at_id[book.last_id]
                assert [round(p * 10) for p in book.bids[:, 0]] == sorted(bids, reverse=True)[:40]
                shown = [[round(p * 10), round(q * 10)] for p, q in book.asks]
                assert shown == [[p, asks[p]] for p in sorted(asks)[:40]]
                found += 1
        return found == len(symbols)

    end = time.monotonic() + 30
    while not await seen():
        assert time.monotonic() < end, {name: reader.book(name).stale for name in reader.symbols()}
        await asyncio.sleep(0.005)


def _priced(reader: FeedReader, name: str) -> bool:
    return bool(reader.ticker(name).bid > 0 and reader.ticker(name).mark > 0)


def _traded(reader: FeedReader, name: str) -> bool:
    return len(reader.trades(name).trades) > 0


def _with_candles(reader: FeedReader, name: str) -> bool:
    return len(reader.candles(name, "1m").rows) == 11


@pytest.mark.parametrize("compiled", [False, True])
async def test_everything_heard_is_read_by_others(venue: Venue, start: Start, compiled: bool) -> None:
    feed, reader = await start(compiled=compiled)
    await all_right(venue, feed, reader)
    assert reader.alive and reader.symbols() == sorted(SYMBOLS)
    for name in SYMBOLS:
        truth = venue.truths[name]
        await until(partial(_priced, reader, name))
        shown = reader.ticker(name)
        assert str(shown.funding_rate) == "-0.00010000" and str(shown.mark).endswith("2500")
        await until(partial(_traded, reader, name))
        flow = reader.window(name, truth.ms - 60_000, 100.0)
        assert flow.buys + flow.sells > 0 and flow.large_buys == flow.buys
        assert reader.liveness(name).depth_age_s < 30
        await until(partial(_with_candles, reader, name))
    kinds = {kind for _, kind in reader.changes()[0]}
    assert {"depth", "trade", "ticker", "mark"} <= kinds and reader.changes() == ([], 0)


async def test_a_cut_puts_all_in_doubt_and_heals(venue: Venue, start: Start) -> None:
    feed, reader = await start()
    await all_right(venue, feed, reader)
    await venue.cut()
    await until(lambda: all(reader.book(name).stale is Stale.DISCONNECTED for name in SYMBOLS))
    for truth in venue.truths.values():
        truth.frame()  # happened while nobody listened
    await all_right(venue, feed, reader)
    assert venue.asked["public"] >= 2


async def test_429_on_reconnect_is_waited_out(venue: Venue, start: Start) -> None:
    feed, reader = await start()
    await all_right(venue, feed, reader)
    venue.refuse = [429, 418, 429]
    await venue.cut()
    await until(lambda: not venue.refuse)
    await all_right(venue, feed, reader)
    assert sum(socket.refused for pool in feed.pools for socket in pool.sockets) == 3


async def test_a_lost_message_is_mended_by_one_snapshot_of_that_symbol(venue: Venue, start: Start) -> None:
    feed, reader = await start()
    await all_right(venue, feed, reader)
    before = venue.asked["depth"]
    venue.truths["ETHUSDT"].frame()
    await venue.tick()
    await until(lambda: feed.engine.states["ETHUSDT"].book[at.BREAKS] == 1)
    await all_right(venue, feed, reader)
    assert venue.asked["depth"] == before + 1


async def test_garbage_puts_the_whole_socket_in_doubt_until_the_next_messages(venue: Venue, start: Start) -> None:
    feed, reader = await start()
    await all_right(venue, feed, reader)
    before = venue.asked["depth"]
    for socket, (family, _) in venue.sockets.items():
        if family == "public":
            await socket.send_str('{"stream":"btcus')
    await until(lambda: all(reader.book(name).stale is Stale.MALFORMED_FRAME for name in SYMBOLS))
    await all_right(venue, feed, reader)
    assert venue.asked["depth"] == before and feed.engine.counts.garbage == 1


async def test_silence_of_a_stream_is_a_doubt_although_others_are_heard(venue: Venue, start: Start) -> None:
    feed, reader = await start(stale_after_s=0.3)
    await all_right(venue, feed, reader)
    quiet = venue.truths.pop("XRPUSDT")

    end = time.monotonic() + 30
    while reader.book("XRPUSDT").stale is not Stale.SILENT:
        assert time.monotonic() < end
        await venue.tick()
        feed.look()
        await asyncio.sleep(0.01)
    assert reader.book("BTCUSDT").stale is Stale.FRESH
    venue.truths["XRPUSDT"] = quiet
    await all_right(venue, feed, reader)


async def test_a_changed_tick_size_begins_the_book_anew(venue: Venue, start: Start) -> None:
    feed, reader = await start()
    await all_right(venue, feed, reader)
    venue.listed["BTCUSDT"]["tick"] = "0.01"
    truth = venue.truths["BTCUSDT"]
    raw = truth.frame().replace(b'"b":[', b'"b":[["900.05","1.0"],')
    truth.bids[9000] = 0  # the comparison below is of the others
    await venue.send("btcusdt@depth@100ms", raw)
    await until(lambda: "BTCUSDT" in reader.symbols() and reader.book("BTCUSDT").price_scale == 2)
    truth.bids.pop(9000)
    await all_right(venue, feed, reader, ("ETHUSDT", "XRPUSDT"))
    await until(lambda: not feed.engine.states["BTCUSDT"].sync.wants)


async def test_the_universe_changes_without_cutting_a_socket(venue: Venue, start: Start) -> None:
    feed, reader = await start(symbols=SYMBOLS[:2])
    await all_right(venue, feed, reader, SYMBOLS[:2])
    connects = sum(socket.connects for pool in feed.pools for socket in pool.sockets)
    assert feed.wishes.take({"by": "test", "symbols": ["XRPUSDT"]}) == ""
    await feed.renew_universe()
    await all_right(venue, feed, reader)
    venue.listed["ETHUSDT"]["status"] = "SETTLING"
    await feed.renew_universe()
    await all_right(venue, feed, reader, ("BTCUSDT", "XRPUSDT"))
    with pytest.raises(KeyError, match="ETHUSDT"):
        reader.book("ETHUSDT")
    await until(lambda: any(c["method"] == "UNSUBSCRIBE" and "ethusdt@depth@100ms" in c["params"]
                            for c in venue.controls))
    assert sum(socket.connects for pool in feed.pools for socket in pool.sockets) == connects


async def test_sockets_are_renewed_without_a_gap(venue: Venue, start: Start) -> None:
    feed, reader = await start(life_h=0.3 / 3600)
    await all_right(venue, feed, reader)
    before, first = venue.asked["depth"], venue.asked["public"]
    while venue.asked["public"] < first + 2:
        await all_right(venue, feed, reader)
        await asyncio.sleep(0.005)
    assert venue.asked["depth"] == before and all(len(pool.sockets) == 1 for pool in feed.pools)
    assert sum(int(state.ring[ring.MISSED]) for state in feed.engine.states.values()) == 2 * feed_trades(feed)


def feed_trades(feed: FeedProcess) -> int:
    """Three symbols share the venue's numbers: each misses two of three, none else."""
    return sum(int(state.ring[ring.WRITTEN]) - 1 for state in feed.engine.states.values())


async def test_candles_go_on_and_holes_are_asked_for_again(venue: Venue, start: Start) -> None:
    feed, reader = await start()
    await all_right(venue, feed, reader)
    await until(lambda: len(reader.candles("BTCUSDT", "1m").rows) == 11)
    await venue.candle("BTCUSDT", "1m", 50, closed=True)
    await venue.candle("BTCUSDT", "1m", 51, closed=False)
    await until(lambda: reader.candles("BTCUSDT", "1m").rows[-1, 0] == 51 * 60_000)
    assert reader.candles("BTCUSDT", "1m").rows[-2].tolist() == [50 * 60_000, 1, 3, 0.5, 50, 10, 20, 4, 1]
    asked = venue.asked["klines"]
    await venue.candle("BTCUSDT", "1m", 53, closed=False)  # the end of 51 and all of 52 never came
    await until(lambda: venue.asked["klines"] > asked)


async def test_the_end_of_the_feed_is_seen_at_once(venue: Venue, start: Start, tmp_path: Path) -> None:
    feed, reader = await start()
    await all_right(venue, feed, reader)
    await feed.close()
    assert not reader.alive and not reader.refresh()
    with pytest.raises(PageError, match="run feed"):
        FeedReader(Paths(tmp_path))
    again, _ = await start()
    assert reader.refresh() and reader.alive
    await all_right(venue, again, reader)


class Picky:
    """A consumer that fails at its third message."""

    def __init__(self) -> None:
        self.seen = 0

    def on_depth(self, symbol: str, book: Any, event_ms: int) -> None:
        self.seen += 1
        if self.seen == 3:
            raise RuntimeError("a plug-in's own mistake")

    def on_trade(self, symbol: str, ring: Any, event_ms: int) -> None:
        self.trades = symbol

    def on_stale(self, symbol: str, reason: Stale) -> None:
        self.stale = reason


async def test_a_consumer_that_fails_goes_and_the_books_stay(venue: Venue, start: Start) -> None:
    feed, reader = await start()
    picky = Picky()
    feed.engine.consumers.append(picky)
    await all_right(venue, feed, reader)
    await until(lambda: True)
    while feed.engine.consumers:
        await all_right(venue, feed, reader)
        await asyncio.sleep(0.005)
    assert picky.seen == 3 and feed.engine.counts.consumers_dropped == 1
    await all_right(venue, feed, reader)
