"""Database, Redis and Telegram gone and back while signals are open: nothing lost, nothing told twice.

Against real servers where they answer (TEST_POSTGRESQL_URL, TEST_MARIADB_URL, TEST_REDIS_URL); else skipped with words.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL

from modules.storage.sql.tables import refusals as refusals_table
from modules.storage.sql.tables import signals as signals_table
from modules.strategies.signals import realtime as rt
from modules.strategies.signals.follower import Tick
from modules.strategies.signals.realtime import Realtime
from modules.strategies.signals.records import Signal
from modules.strategies.signals.reporter import Said
from modules.telegram.delivery import Closed, Delivery
from modules.telegram.markup import plain
from tests.storage.sql.conftest import url  # noqa: F401
from tests.storage.sql.proxy import Proxy
from tests.strategies.signals.market import NOW, House
from tests.strategies.signals.test_reports import AFTER, DAY, no_picture, reporter_of, reports, writer_of
from tests.surroundings import until

REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
redis_asyncio = pytest.importorskip("redis.asyncio")


def answers() -> bool:
    found = urlsplit(REDIS)
    try:
        with socket.create_connection((found.hostname or "127.0.0.1", found.port or 6379), timeout=1):
            return True
    except OSError:
        return False


def end(house: House, *trades: Tick) -> None:
    house.follower.on_ticks("XUSDT", trades)


def open_one(house: House) -> Signal:
    house.ready()
    assert house.desk.look("XUSDT") is None
    (signal,) = house.ledger.state.open.values()
    return signal


@pytest.fixture
def shut(url: URL) -> Iterator[tuple[URL, Proxy]]:  # noqa: F811
    """A server's address through a door that can be shut."""
    if not url.host:
        pytest.skip("SQLite has no line that can be cut; test_reports.py has it missing")
    with Proxy(url.host, url.port or 0) as door:
        yield url.set(port=door.port), door


async def test_the_database_is_cut_off_while_a_signal_is_open(tmp_path: Path, shut: tuple[URL, Proxy],
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    address, door = shut
    monkeypatch.setattr("modules.strategies.signals.reporter.DRAIN_S", 0.2)
    house, writer = House(tmp_path), writer_of(tmp_path, address)
    house.rows.add = writer.add  # type: ignore[method-assign]
    house.ledger.refusals._add = writer.add
    try:
        signal = open_one(house)
        await house.ledger.dispatch(lambda: NOW, no_picture)
        assert await asyncio.to_thread(writer.drain, 60)
        door.cut()
        for look in range(3):  # decided on and followed on as if nothing had happened
            assert house.desk.look("XUSDT") is not None, look
        end(house, Tick(405, NOW + 5000, signal.follow.tp2))
        assert await house.ledger.dispatch(lambda: NOW + 5000, no_picture) == 1
        house.ledger.refusals.flush(NOW + 6000, force=True)
        reporter = reporter_of(house, writer)
        reporter._file.save(Said(newest={"day": DAY.begin_ms - 86_400_000, "week": DAY.begin_ms}))
        assert await reporter.turn(AFTER) == 0 and not reports(house), "no report while rows are missing"
        door.mend()
        monkeypatch.setattr("modules.strategies.signals.reporter.DRAIN_S", 90.0)
        assert await asyncio.to_thread(writer.drain, 90)
        assert await reporter.turn(AFTER) == 1 and await reporter.turn(AFTER) == 0
        with writer.database.begin() as connection:
            rows = connection.execute(select(signals_table.c.id, signals_table.c.status, signals_table.c.outcome)).all()
            codes = connection.execute(select(refusals_table.c.code)).scalars().all()
        assert [tuple(row) for row in rows] == [(signal.id, "closed", "TP2")] and list(codes) == ["SAME_EPISODE"]
        assert len([notice for _, notice in house.outbox.pending("owner")]) == 3
    finally:
        writer.close()


@pytest.fixture
async def store() -> AsyncIterator[tuple[Any, str]]:
    """A client of a real Redis, and a prefix of this test's own."""
    if not answers():
        pytest.skip(f"no Redis answers at {REDIS} (TEST_REDIS_URL)")
    client, prefix = redis_asyncio.Redis.from_url(REDIS), f"coxswain:test:{uuid4().hex}"
    yield client, prefix
    names = [name async for name in client.scan_iter(f"{prefix}*")]
    if names:
        await client.delete(*names)
    await client.aclose()


async def events(client: Any, prefix: str) -> list[tuple[str, str, str | None]]:
    found = [json.loads(fields[b"signal"]) for _, fields in await client.xrange(f"{prefix}:events")]
    return [(one["type"], one["id"], one["outcome"]) for one in found]


@contextlib.asynccontextmanager
async def running(found: Realtime) -> AsyncIterator[None]:
    task = asyncio.create_task(found.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def realtime_of(house: House, address: str, prefix: str) -> Realtime:
    made = Realtime(address, house.ledger.rules, lambda: list(house.ledger.state.open.values()), prefix)
    house.ledger.on_told = made.told
    return made


async def test_redis_gone_and_back_has_each_entry_and_exit_once(tmp_path: Path, store: tuple[Any, str],
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rt, "EVERY_S", 0.02)
    client, prefix = store
    server = urlsplit(REDIS)
    house = House(tmp_path)
    with Proxy(server.hostname or "127.0.0.1", server.port or 6379) as door:
        address = REDIS.replace(server.netloc, f"127.0.0.1:{door.port}")
        found = realtime_of(house, address, prefix)
        async with running(found):
            signal = open_one(house)
            await house.ledger.dispatch(lambda: NOW, no_picture)

            async def shown() -> list[dict[str, Any]]:
                return json.loads(await client.get(f"{prefix}:open") or b"[]")

            while not (await shown() and await events(client, prefix)):
                await asyncio.sleep(0.02)
            (live,) = await shown()
            assert (live["id"], live["priority"], live["tp1"]) == (signal.id, "HIGH", signal.follow.tp1)
            door.cut()
            await until(lambda: found.away, patience_s=60)
            end(house, Tick(405, NOW + 5000, signal.follow.tp2))
            assert await house.ledger.dispatch(lambda: NOW + 5000, no_picture) == 1, "messages do not wait for Redis"
            door.mend()
            await until(lambda: not found.away, patience_s=90)
            while len(await events(client, prefix)) < 2:
                await asyncio.sleep(0.02)
            assert await shown() == []
    assert await events(client, prefix) == [("ENTRY", signal.id, None), ("EXIT", signal.id, "TP2")]


async def test_a_restart_offers_entries_again_and_redis_keeps_each_once(tmp_path: Path, store: tuple[Any, str],
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rt, "EVERY_S", 0.02)
    client, prefix = store
    house = House(tmp_path)
    away = realtime_of(house, "redis://127.0.0.1:1/0", prefix)
    signal = open_one(house)
    async with running(away):
        await house.ledger.dispatch(lambda: NOW, no_picture)
        await until(lambda: away.away, patience_s=60)
    for _ in range(2):  # dies with Redis away; then once more with Redis there
        heir = House(tmp_path, house.source)
        found = realtime_of(heir, REDIS, prefix)
        found.begin_again()
        async with running(found):
            await until(lambda: not found._waiting, patience_s=60)  # noqa: B023
    assert await events(client, prefix) == [("ENTRY", signal.id, None)]


async def test_no_redis_wanted_is_nothing_kept(tmp_path: Path) -> None:
    house = House(tmp_path)
    found = realtime_of(house, "", "none")
    open_one(house)
    await house.ledger.dispatch(lambda: NOW, no_picture)
    await found.run()
    assert not found._waiting


class Telegram:
    """A chat that is away, dies in the middle, or takes what comes."""

    name, gather_s = "owner", 0.0

    def __init__(self) -> None:
        self.read: list[str] = []
        self.down = False

    async def deliver(self, text: str, picture: Path | None, loud: bool) -> None:
        if self.down:
            raise Closed
        self.read.append(plain(text))


async def test_telegram_gone_and_back_reads_entry_and_end_once_each_in_order(tmp_path: Path) -> None:
    house, chat = House(tmp_path), Telegram()
    signal = open_one(house)
    chat.down = True
    await house.ledger.dispatch(lambda: NOW, no_picture)
    post = Delivery(house.outbox, house.paths.data, [chat])
    with pytest.raises(Closed):
        await post.flush(chat)
    heir = House(tmp_path, house.source)  # the signal bot is started anew as well
    (open_again,) = heir.ledger.state.open.values()
    heir.follower.begin(open_again, again=False)
    end(heir, Tick(405, NOW + 5000, signal.follow.tp2))
    await heir.ledger.dispatch(lambda: NOW + 5000, no_picture)
    with pytest.raises(Closed):
        await post.flush(chat)
    chat.down = False
    post = Delivery(house.outbox, house.paths.data, [chat])  # and so is the command process
    while await post.flush(chat):
        pass
    text = "\n".join(chat.read)
    assert text.count("LONG XUSDT · HIGH") == 1 and text.count("EXIT LONG XUSDT") == 1
    assert text.index("LONG XUSDT · HIGH") < text.index("EXIT LONG XUSDT")
