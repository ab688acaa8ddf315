"""The feed process: sockets and books of the whole universe in one process, in memory that all others read.

Started by the supervisor as ``bot.py run feed``. Everything that acts lies in rooms of its own: sockets in
`modules/exchange/streams`, books in `modules/exchange/orderbook`, the engine, the watch and resync beside this file.
"""

import asyncio
import importlib
import logging
import time
from typing import TYPE_CHECKING

import aiohttp

from modules.exchange.address import resolver
from modules.exchange.feed import page as pages
from modules.exchange.feed.consumer import Consumer
from modules.exchange.feed.engine import FeedEngine
from modules.exchange.feed.page import Shape
from modules.exchange.feed.recording import FeedRecording
from modules.exchange.feed.rest import FuturesRest, Listed, budget_page
from modules.exchange.feed.resync import Resync
from modules.exchange.feed.settings import FeedSettings
from modules.exchange.feed.universe import Wishes
from modules.exchange.feed.watch import Health, Watch
from modules.exchange.orderbook import trades
from modules.exchange.orderbook.book import opener, warm
from modules.exchange.orderbook.layout import Stale
from modules.exchange.settings import ExchangeSettings
from modules.exchange.streams.desired import Category, category_of
from modules.exchange.streams.pool import Pool
from modules.exchange.streams.socket import Socket
from modules.exchange.types import Unavailable
from modules.supervision.service import ServiceRun
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
TELL_EVERY_S = 1.0
LIST_EVERY_S = 300.0
TRY_AGAIN_S = 5.0
REST_URL, WS_URL = "https://fapi.binance.com", "wss://fstream.binance.com"


async def main(run: ServiceRun, settings: "Settings") -> None:
    """Until asked to stop. Waits for a venue that is not there yet."""
    waits = ""  # what people were told it waits for; the same is not said twice in a row
    async with aiohttp.ClientSession() as session:
        while not run.stop.is_set():
            try:
                rest_url, ws_url, speed = await _addresses(settings.feed, settings.exchange, run.paths, session)
                feed = FeedProcess(settings.feed, run.paths, session, rest_url, ws_url, speed,
                                   recording=_recording(run, settings))
            except Unavailable as problem:
                waits = await _wait(run, str(problem), waits)
                continue
            try:
                await _serve(run, feed)
            except Unavailable as problem:
                waits = await _wait(run, str(problem), waits)
            finally:
                await feed.close()


async def _wait(run: ServiceRun, problem: str, told: str) -> str:
    """Tell what the feed waits for, and wait; returns what was told."""
    run.tell(waiting=problem)
    if problem != told:
        run.outbox.say(f"The market data feed waits: {problem}", level="warning")
    await run.sleep(TRY_AGAIN_S)
    return problem


async def _serve(run: ServiceRun, feed: "FeedProcess") -> None:
    await feed.start()
    run.ready(symbols=len(feed.engine.states), compiled=feed.compiled)
    told_at = listed_at = time.monotonic()
    while not run.stop.is_set():
        await run.sleep(LOOK_EVERY_S)
        feed.check()
        health = feed.look()
        now = time.monotonic()
        messages = run.inbox.take()
        for file, message in messages:
            problem = feed.wishes.take(message.body) if message.kind == "universe" else f"{message.kind} is unknown"
            if problem:
                log.error("a message to the feed is refused: %s", problem)
            run.inbox.done(file, message)
        if messages or now - listed_at > LIST_EVERY_S:
            listed_at = now
            await feed.renew_universe()
        if now - told_at > TELL_EVERY_S:
            told_at = now
            run.tell(**feed.facts(health))


async def _addresses(feed: FeedSettings, exchange: ExchangeSettings, paths: Paths,
                     session: aiohttp.ClientSession) -> tuple[str, str, float]:
    """(REST, streams, speed). Raises Unavailable while no simulated exchange runs."""
    if feed.venue == "binance_usdm":
        return feed.rest_url or REST_URL, feed.ws_url or WS_URL, 1.0
    simulated = exchange.model_copy(update={"name": "simulated", "base_url": feed.rest_url or exchange.base_url})
    address = await resolver(simulated, paths)(session)
    return address.url, feed.ws_url or address.url.replace("http", "ws", 1), address.speed


def _recording(run: ServiceRun, settings: "Settings") -> FeedRecording | None:
    """The recorder, where it is wanted."""
    if not settings.recorder.on:
        return None

    def listen(problem: str) -> None:
        run.outbox.say(f"The recorder: {problem}" if problem else "The recorder writes again; the gap is marked in the "
                       "recording.", level="warning" if problem else "info")

    return FeedRecording(settings.recorder, run.paths, settings.feed.venue, listen)


def _consumer(name: str) -> Consumer:
    """The plug-in ``module:function`` makes. Raises ImportError, AttributeError."""
    module, _, function = name.partition(":")
    found: Consumer = getattr(importlib.import_module(module), function)()
    return found


class FeedProcess:
    """All parts of the feed, put together. `close` gives everything back."""

    def __init__(self, settings: FeedSettings, paths: Paths, session: aiohttp.ClientSession, rest_url: str,
                 ws_url: str, speed: float = 1.0, recording: FeedRecording | None = None) -> None:
        self._settings = settings
        self._recording = recording
        shape = Shape(settings.most_symbols, settings.levels, settings.trades, settings.candles + 1, settings.intervals)
        make_book, why = opener(compiled=None if settings.compiled else False)
        self.compiled = not why
        if why:
            log.warning("books without compiled code: %s", why)
        self._make_book, self._on_trade = make_book, trades.writer(compiled=self.compiled)
        self.page, self._file = pages.create(paths, shape, time.monotonic_ns())
        self.engine = FeedEngine(self.page, make_book, self._on_trade)
        self.engine.consumers.extend(_consumer(name) for name in settings.consumers)
        self._budget = budget_page(paths, f"{settings.venue}-futures")
        self.rest = FuturesRest(session, rest_url, self._budget, settings.weight_limit, speed)
        if recording is not None:
            self.rest.heard = recording.answer
        self.watch = Watch(self.engine, stale_after_s=settings.stale_after_s, late_after_s=settings.late_after_s,
                           silent_after_s=settings.silent_after_s, speed=speed)
        self.resync = Resync(self.engine, self.rest, levels=settings.snapshot_levels, on_gone=self._on_gone)
        self.wishes = Wishes(paths.run / "feed.universe.json", settings.symbols, settings.most_symbols)
        self.pools = [Pool(category, session, ws_url, self._on_frame, self._on_lost, silence_s=settings.silence_s,
                           life_s=settings.life_h * 3600 / speed) for category in (Category.PUBLIC, Category.MARKET)]
        self._listed: dict[str, Listed] = {}
        self._largest: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Ask what is listed, open the sockets. Raises Unavailable."""
        await asyncio.to_thread(warm, self._make_book, self._on_trade)
        await self.renew_universe()
        self._beat()
        self._tasks.append(asyncio.create_task(self.resync.run(), name="snapshots"))
        url = self._settings.redis_url.get_secret_value()
        if url:
            from modules.exchange.feed.redis_fanout import fan_out

            self._tasks.append(asyncio.create_task(
                fan_out(self.engine, url, self._settings.redis_every_s), name="redis"))

    async def renew_universe(self) -> None:
        """Match symbols and streams to what is wanted and listed, in one step. Raises Unavailable at the first time."""
        try:
            self._listed = await self.rest.listed()
            if not self.wishes.any:
                self._largest = (await self.rest.largest())[:self._settings.top]
        except Unavailable:
            if not self._listed:
                raise
            log.warning("the list of symbols could not be renewed; the feed goes on with the one it has")
        trading = [symbol for symbol, one in self._listed.items() if one.trading]
        heard, left_out = self.wishes.symbols(self._largest, trading)
        if left_out:
            log.warning("%d symbols are not heard (not listed, or more than feed.most_symbols): %s", len(left_out),
                        ", ".join(left_out[:10]))
        for symbol in [s for s in self.engine.states if s not in heard]:
            self.engine.remove(symbol)
        for symbol in heard:
            state = self.engine.states.get(symbol)
            if state is None:
                self.engine.add(symbol, self._listed[symbol].units)
            elif state.units != self._listed[symbol].units:
                self.engine.rescale(symbol, self._listed[symbol].units)
        self._want_streams()

    def _want_streams(self) -> None:
        names = [name for symbol in self.engine.states for name in self.engine.streams_of(symbol)]
        for pool in self.pools:
            pool.want(name for name in names if category_of(name) is pool.category)

    def look(self) -> Health:
        """One look over all books; beats for readers."""
        self._beat()
        return self.watch.look(time.monotonic_ns())

    def check(self) -> None:
        """Raises what ended a task that must not end."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (problem := task.exception()) is not None:
                raise problem

    def facts(self, health: Health) -> dict[str, object]:
        """For /status."""
        counts, states = self.engine.counts, self.engine.states.values()
        return {"symbols": health.symbols, "fresh": health.fresh, "late_ms": round(health.worst_late_ms),
                "stale_streams": health.other_streams,
                "frames": counts.frames, "damaged": counts.garbage + counts.bad, "snapshots": self.resync.snapshots,
                "snapshot_failures": self.resync.failures,
                "thrown_away": sum(state.sync.counts.thrown_away for state in states),
                "sockets": sum(s.connected for pool in self.pools for s in pool.sockets), "waiting": "",
                **(self._recording.facts() if self._recording is not None else {})}

    async def close(self) -> None:
        """End sockets and tasks; readers see the end at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *(pool.close() for pool in self.pools), return_exceptions=True)
        for symbol in list(self.engine.states):
            self.engine.remove(symbol)
        self.page.words[pages.H_ENDED] = 1
        self._budget.close()
        if self._recording is not None:
            await asyncio.to_thread(self._recording.close)
        try:
            self._file.unlink(missing_ok=True)
        except OSError:
            log.debug("readers hold the old memory still; the next feed takes it away")

    def _beat(self) -> None:
        self.page.words[pages.H_BEAT_NS] = time.monotonic_ns()

    def _on_frame(self, raw: bytes, local_ns: int, socket: Socket) -> None:
        if self._recording is not None:
            self._recording.frame(raw, local_ns, socket)
        self.engine.on_frame(raw, local_ns, socket.streams)

    def _on_lost(self, socket: Socket) -> None:
        if self._recording is not None:
            self._recording.lost(socket)
        self.engine.doubt(socket.streams, Stale.DISCONNECTED)

    def _on_gone(self, symbol: str) -> None:
        log.warning("%s is not traded any more; its book ends", symbol)
        self.engine.remove(symbol)
        self._want_streams()

