"""Fan-out to a real Redis, where one answers; a Redis that is down does not disturb the feed."""

import asyncio
import json
import socket
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.exchange.feed import redis_fanout
from modules.exchange.feed.engine import FeedEngine, Units
from modules.exchange.feed.page import Shape, create
from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import trades
from modules.exchange.orderbook.book import opener
from tests.surroundings import until
from utils.paths import Paths

redis_asyncio = pytest.importorskip("redis.asyncio")
HOST, PORT = "127.0.0.1", 6379


def answers() -> bool:
    try:
        with socket.create_connection((HOST, PORT), timeout=0.5):
            return True
    except OSError:
        return False


def engine_of(tmp_path: Path) -> tuple[FeedEngine, Path]:
    page, file = create(Paths(tmp_path).prepare(), Shape(2, 64, 16, 4, ()), 1)
    engine = FeedEngine(page, opener(compiled=False)[0], trades.writer(compiled=False))
    state = engine.add("BTCUSDT", Units(1, 1))
    state.sync.book.load(([100, 101], [5, 6]), ([-103, -102], [7, 8]), 4, 9, at.EVERYTHING, at.EVERYTHING)
    return engine, file


def test_what_is_sent_says_whether_it_may_be_used(tmp_path: Path) -> None:
    engine, file = engine_of(tmp_path)
    body: dict[str, Any] = redis_fanout.state_of(engine.states["BTCUSDT"])
    assert body["stale"] == "SYNCING" and body["bids"] == [[10.1, 0.6], [10.0, 0.5]] and body["asks"][0] == [10.2, 0.8]
    assert isinstance(engine.page.words, np.ndarray)
    file.unlink()


@pytest.mark.skipif(not answers(), reason="no Redis answers on 127.0.0.1:6379")
async def test_states_reach_a_real_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = f"coxswain:test:{uuid.uuid4().hex}"
    monkeypatch.setattr(redis_fanout, "PREFIX", prefix)
    engine, file = engine_of(tmp_path)
    client = redis_asyncio.Redis(host=HOST, port=PORT)
    task = asyncio.create_task(redis_fanout.fan_out(engine, f"redis://{HOST}:{PORT}/0", 0.05))
    raw = None
    for _ in range(500):
        raw = await client.get(f"{prefix}:BTCUSDT")
        if raw:
            break
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.delete(f"{prefix}:BTCUSDT")
    await client.aclose()
    assert raw is not None and json.loads(raw)["symbol"] == "BTCUSDT"
    file.unlink()


async def test_a_redis_that_is_down_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine, file = engine_of(tmp_path)
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        task = asyncio.create_task(redis_fanout.fan_out(engine, f"redis://{HOST}:{taken.getsockname()[1]}/0", 0.05))
        await until(lambda: "the feed itself goes on" in caplog.text)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    file.unlink()
