"""Changed symbols to Redis, for programs on other machines: the newest state of each, a few times a second.

Key ``coxswain:feed:SYMBOL`` holds one JSON object (expires when the feed is gone), and the same goes to the channel
``coxswain:feed``. A Redis that is down costs nothing but its readers: the feed never waits for it.
"""

import asyncio
import logging
import time

import msgspec

from modules.exchange.feed import page as pages
from modules.exchange.feed.engine import FeedEngine, SymbolState
from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import ring, views
from modules.exchange.orderbook.layout import Stale
from modules.exchange.streams.backoff import Backoff
from utils.environment import to_install

log = logging.getLogger(__name__)

PREFIX = "coxswain:feed"
EXPIRES_S = 10
LEVELS = 20


def state_of(state: SymbolState) -> dict[str, object]:
    """What a reader of Redis gets of one symbol. Prices and quantities are numbers; a stale book says why."""
    view = views.view(state.book, LEVELS)
    words, ticks = state.book, 10.0 ** -state.units.price_scale
    return {"symbol": state.symbol, "epoch": view.epoch, "last_id": view.last_id, "stale": view.stale.name,
            "event_ms": view.event_ms, "whole": view.whole, "bids": view.bids.tolist(), "asks": view.asks.tolist(),
            "imbalance_10": view.imbalance(10), "ticker_bid": int(words[at.TICKER]) * ticks,
            "ticker_ask": int(words[at.TICKER + 2]) * ticks, "trades": int(state.ring[ring.WRITTEN])}


async def fan_out(engine: FeedEngine, url: str, every_s: float) -> None:
    """Until cancelled. Without the redis package an error is logged, once, and the feed goes on."""
    try:
        from redis.asyncio import Redis
        from redis.exceptions import RedisError
    except ImportError:
        log.error("REDIS_URL is set, but the redis package is not installed (%s)", to_install("requirements-sql.txt"))
        return
    redis: Redis = Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0)
    backoff, seen, told, all_at = Backoff(1.0, 30.0), -1, False, 0.0
    try:
        while True:
            await asyncio.sleep(every_s)
            now = time.monotonic()
            if now - all_at > EXPIRES_S / 3:  # quiet ones too: silence in Redis means that the feed is gone
                all_at, seen = now, -1
            changed, seen = _changed(engine, seen)
            try:
                await _send(redis, changed)
                if told:
                    log.warning("Redis answers again")
                told = False
                backoff.real_frame()
            except (RedisError, OSError, TimeoutError) as problem:
                if not told:
                    log.error("Redis does not take market data (%s); the feed itself goes on", type(problem).__name__)
                told, seen = True, -1
                await asyncio.sleep(backoff.next_s())
    finally:
        await redis.aclose()


async def _send(redis: object, changed: list[SymbolState]) -> None:
    pipe = redis.pipeline(transaction=False)  # type: ignore[attr-defined]
    for state in changed:
        body = msgspec.json.encode(state_of(state))
        pipe.set(f"{PREFIX}:{state.symbol}", body, ex=EXPIRES_S)
        pipe.publish(PREFIX, body)
    if changed:
        await pipe.execute()


def _changed(engine: FeedEngine, seen: int) -> tuple[list[SymbolState], int]:
    """Symbols with an event since `seen` (-1: all), and the count now."""
    count = int(engine.page.words[pages.H_EVENT_COUNT])
    states = list(engine.states.values())
    if seen < 0 or count - seen >= pages.EVENTS:
        return states, count
    slots = {int(engine.page.events[n % pages.EVENTS]) // pages.KINDS for n in range(seen, count)}
    return [state for state in states if state.slot in slots or state.sync.stale is not Stale.FRESH], count
