"""The signals process: looks at every symbol that changed, follows what is open, sends, heals (D1).

Started by the supervisor as ``bot.py run signals``; needs the feed. One loop looks (a symbol that changed waits
IDLE_S at most); everything that waits for the venue, the database or a picture runs in tasks beside it.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import aiohttp

from modules.exchange.feed.page import PageError
from modules.exchange.feed.reader import FeedReader
from modules.exchange.types import Unavailable
from modules.storage.sql.spool import SpoolFull
from modules.storage.sql.writer import Writer
from modules.strategies.signals import board
from modules.strategies.signals.crew import Parts, put_together
from modules.strategies.signals.health import Health
from modules.strategies.signals.reporter import Reporter
from modules.strategies.signals.rest import SignalRest, address
from modules.strategies.signals.tuner import Tuner
from modules.supervision.service import ServiceRun

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)

IDLE_S = 0.002
BATCH = 32
SECOND_S, VIEW_S, SAVE_S = 1.0, 2.0, 5.0
TRY_AGAIN_S = 2.0


async def main(run: ServiceRun, settings: "Settings") -> None:
    """Until asked to stop. Waits for feed and venue."""
    writer = Writer.open("signals", settings.db, run.paths, _tell_database(run))
    try:
        async with aiohttp.ClientSession() as session:
            await _live(run, settings, writer, session)
    finally:
        await asyncio.to_thread(writer.close)


async def _live(run: ServiceRun, settings: "Settings", writer: Writer, session: aiohttp.ClientSession) -> None:
    told = False
    while not run.stop.is_set():
        try:
            found = await address(settings.feed, settings.exchange, run.paths, session)
            reader = FeedReader(run.paths)
        except (Unavailable, PageError) as problem:
            run.ready(waiting=str(problem))
            if not told:
                run.outbox.say(f"The signal bot waits: {problem}")
            told = True
            await run.sleep(TRY_AGAIN_S)
            continue
        rest = SignalRest.of(session, found.rest, settings.feed, run.paths, found.speed)
        parts = put_together(run, settings, writer, rest, reader, found.speed)
        health = Health(run, settings, parts, session, found)
        try:
            parts.now.heard(await rest.time_ms())
            tuner = Tuner(run.paths, settings.signals, run.outbox, parts.zone, settings.feed.venue, found.speed)
            await SignalService(run, parts, health, tuner).live()
        except Unavailable as problem:
            run.tell(waiting=str(problem))
            await run.sleep(TRY_AGAIN_S)
            continue
        finally:
            await health.close()


def _tell_database(run: ServiceRun) -> Any:
    def listen(problem: str) -> None:
        if problem:
            run.outbox.say("The signal bot's database is away; rows wait on disk", why=problem, level="warning")
        else:
            run.outbox.say("The signal bot's database takes rows again")

    return listen


class SignalService:
    """The loops of the process over its parts."""

    def __init__(self, run: ServiceRun, parts: Parts, health: Health, tuner: Tuner) -> None:
        self.run, self.parts, self.health = run, parts, health
        self.board = board.Board(run, parts, health)
        self.reporter = Reporter(run.paths, parts.writer, run.outbox, parts.zone, parts.ledger.market,
                                 parts.draw_report)
        self.tuner = tuner
        self._life = parts.reader.life
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: set[str] = set()
        self._failed: dict[str, int] = {}
        self._disk_refuses = False

    async def live(self) -> None:
        """Until the stop."""
        parts, run = self.parts, self.run
        parts.begin_again()
        run.ready(waiting="")
        self._start("redis", parts.realtime.run())
        second = view = saved = 0.0
        try:
            while not run.stop.is_set():
                busy = await self._looks()
                now = time.monotonic()
                if now - second >= SECOND_S:
                    second = now
                    self._each_second()
                if now - view >= VIEW_S:
                    view = now
                    self.board.write(parts.now())
                if now - saved >= SAVE_S:
                    saved = now
                    self._save()
                if not busy:
                    await asyncio.sleep(IDLE_S)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            parts.close()

    async def _looks(self) -> bool:
        """Look at what changed; False where nothing did."""
        parts = self.parts
        reader = parts.reader
        if not reader.alive and not reader.refresh():
            parts.blind()
            await asyncio.sleep(0.1)
            return False
        if reader.life != self._life:
            self._life = reader.life
            parts.desk.reset(reader)
        changes, missed = reader.changes()
        symbols = dict.fromkeys(symbol for symbol, kind in changes if kind in ("depth", "trade", "stale"))
        if missed:
            symbols = dict.fromkeys(reader.symbols())
        for number, symbol in enumerate(symbols, start=1):
            self._look(symbol)
            if number % BATCH == 0:
                await asyncio.sleep(0)
        return bool(symbols)

    def _look(self, symbol: str) -> None:
        try:
            self.parts.desk.look(symbol)
        except (OSError, SpoolFull) as problem:
            self._disk(problem)

    def _each_second(self) -> None:
        parts = self.parts
        now_ms = parts.now()
        if not now_ms:
            return
        parts.desk.universe = set(parts.selector.symbols())
        parts.expire(now_ms)
        parts.controls(now_ms)
        parts.ledger.refusals.flush(now_ms)
        self._ask_feed()
        self._start("universe", self._universe(now_ms))
        self._start("health", self.health.turn())
        for symbol in parts.follower.holes():
            self._start(f"fill-{symbol}", self._fill(symbol))
        if any(not one.told or (one.follow.outcome and not one.end_told) or one.follow.outcome
               for one in parts.ledger.state.open.values()):
            self._start("dispatch", self._dispatch())
        self._start("stats", parts.load_past())
        self._start("report", self._report(now_ms))
        self._start("tuning", self._tune(now_ms))

    async def _universe(self, now_ms: int) -> None:
        if await self.parts.selector.turn(now_ms):
            self._ask_feed()

    def _ask_feed(self) -> None:
        parts = self.parts
        try:
            parts.selector.ask_feed(parts.follower.symbols | {one.symbol for one in parts.ledger.state.planned})
        except OSError as problem:
            self._disk(problem)

    async def _dispatch(self) -> None:
        try:
            await self.parts.ledger.dispatch(self.parts.now, self.parts.draw)
        except OSError as problem:
            self._disk(problem)

    async def _report(self, now_ms: int) -> None:
        try:
            await self.reporter.turn(now_ms)
        except OSError as problem:
            self._disk(problem)

    async def _tune(self, now_ms: int) -> None:
        try:
            await self.tuner.turn(now_ms)
        except OSError as problem:
            self._disk(problem)

    async def _fill(self, symbol: str) -> None:
        if not await self.parts.follower.fill(symbol):
            await asyncio.sleep(2.0)

    def _save(self) -> None:
        try:
            self.parts.ledger.save()
        except OSError as problem:
            self._disk(problem)
            return
        if self._disk_refuses:
            self._disk_refuses = False
            self.run.outbox.say("The signal bot keeps its state again")

    def _disk(self, problem: Exception) -> None:
        if not self._disk_refuses:  # one alert for an episode; the next save that works ends it
            log.error("the disk refuses what the signal bot keeps: %s", problem)
            self.run.outbox.say("The signal bot cannot keep its state; it sends nothing until it can", why=str(problem),
                                todo="Free space on the disk.", level="alert")
        self._disk_refuses = True

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """A task of its own; never two of one name. What fails is logged, counted, told once."""
        if name in self._running:
            work.close()
            return
        self._running.add(name)

        async def guarded() -> None:
            try:
                await work
            except Exception:  # border of a task: logged with its stack, counted, told
                log.exception("%s of the signal bot failed", name)
                self._failed[name] = self._failed.get(name, 0) + 1
                self.run.tell(failures=sum(self._failed.values()))
                if self._failed[name] == 1:
                    self.run.outbox.say(f"A part of the signal bot failed ({name}); it is tried again", level="warning",
                                        todo="See /logs signals.")
                await asyncio.sleep(TRY_AGAIN_S)
            finally:
                self._running.discard(name)

        task = asyncio.create_task(guarded(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
