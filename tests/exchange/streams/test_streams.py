"""Subscriptions as pure plans, back-off, silence against pings, the account's stream."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.streams.backoff import Backoff
from modules.exchange.streams.desired import Category, category_of, change, spread
from modules.exchange.streams.private import PrivateStream
from modules.exchange.streams.socket import Socket
from tests.exchange.feed.venue import Venue
from tests.surroundings import until


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    made = await Venue(("BTCUSDT",)).start()
    yield made
    await made.close()


@pytest.mark.parametrize(("stream", "family"), [
    ("btcusdt@depth@100ms", Category.PUBLIC), ("btcusdt@depth20@100ms", Category.PUBLIC),
    ("btcusdt@bookTicker", Category.PUBLIC), ("!bookTicker", Category.PUBLIC), ("btcusdt@trade", Category.PUBLIC),
    ("btcusdt@aggTrade", Category.MARKET), ("btcusdt@kline_15m", Category.MARKET),
    ("btcusdt@markPrice@1s", Category.MARKET), ("!markPrice@arr", Category.MARKET),
    ("!forceOrder@arr", Category.MARKET),
])
def test_each_stream_has_its_family(stream: str, family: Category) -> None:
    assert category_of(stream) is family


NAMES = st.sets(st.integers(0, 40).map(lambda n: f"s{n}@depth"), max_size=30)


@given(wanted=NAMES, before=NAMES, most=st.integers(1, 8))
def test_spread_serves_each_stream_once_and_moves_none(wanted: set[str], before: set[str], most: int) -> None:
    present = spread(sorted(before), {}, most)
    after = spread(sorted(wanted), present, most)
    assert sorted(name for held in after.values() for name in held) == sorted(wanted)
    assert all(0 < len(held) <= most for held in after.values())
    for number, held in present.items():
        assert held & wanted <= after.get(number, frozenset())
    for number, held in after.items():
        todo = change(present.get(number, frozenset()), held)
        assert (set(present.get(number, frozenset())) | set(todo.subscribe)) - set(todo.unsubscribe) == held


def test_backoff_doubles_is_spread_and_only_a_real_frame_resets_it() -> None:
    low, high = Backoff(1, 60, lambda: 0.0), Backoff(1, 60, lambda: 0.999999)
    assert [low.next_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [round(high.next_s()) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert low.next_s(asked_s=120) == 120
    low.real_frame()
    assert low.next_s() == 0.5


async def test_a_silent_socket_is_opened_anew_although_pings_are_answered(venue: Venue) -> None:
    lost: list[str] = []
    async with aiohttp.ClientSession() as session:
        socket = Socket("test", session, lambda names: f"{venue.url}/public/stream?streams={'/'.join(names)}",
                        lambda raw, ns, one: None, lambda one: lost.append(one.name), silence_s=0.2)
        socket.start(["btcusdt@depth@100ms"])
        await until(lambda: len(venue.sockets) == 1)
        for server in list(venue.sockets):
            await server.ping()
        await until(lambda: socket.silences >= 1 and socket.connects >= 2)
        assert lost
        await socket.close()


async def test_control_messages_keep_their_distance(venue: Venue) -> None:
    async with aiohttp.ClientSession() as session:
        socket = Socket("test", session, lambda names: f"{venue.url}/public/stream?streams={'/'.join(names)}",
                        lambda raw, ns, one: None, lambda one: None, silence_s=30)
        socket.start(["a@depth"])
        await until(lambda: socket.connected)
        loop = asyncio.get_running_loop()
        began = loop.time()
        socket.want([f"s{n}@depth" for n in range(650)])
        await until(lambda: sum(len(c["params"]) for c in venue.controls) == 651)
        assert len(venue.controls) == 8 and loop.time() - began >= 1.0  # five, then the rest a second later
        await socket.close()


class Keys:
    def __init__(self) -> None:
        self.made = 0

    async def create(self) -> str:
        self.made += 1
        return f"key{self.made}"

    async def keep(self, key: str) -> None:
        raise OSError("not now")


async def test_the_accounts_stream_tells_of_every_gap_and_renews_its_key(venue: Venue) -> None:
    gaps: list[str] = []
    events: list[bytes] = []

    async def on_gap(why: str) -> None:
        gaps.append(why)

    keys = Keys()
    async with aiohttp.ClientSession() as session:
        stream = PrivateStream(session, venue.url.replace("http", "ws"), keys,
                               lambda raw, ns: events.append(raw), on_gap)
        task = asyncio.create_task(stream.run())
        await until(lambda: len(venue.sockets) == 1 and gaps)
        for server in list(venue.sockets):
            await server.send_str('{"e":"ORDER_TRADE_UPDATE"}')
        await until(lambda: events)
        await venue.cut()
        await until(lambda: gaps[-1].endswith("was cut") and len(venue.sockets) == 1)
        for server in list(venue.sockets):
            await server.send_str('{"e":"listenKeyExpired"}')
        await until(lambda: keys.made == 2 and len(gaps) >= 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
