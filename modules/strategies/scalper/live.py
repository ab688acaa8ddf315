"""The scalper's loops: every message of every contract is looked at; candles, moods, trades and the board beside it.

1. The venue's positions are guarded before anything else (the keeper, X16), with or without a feed.
2. The mode is that of ``config/state.json``. After a switch new entries go to the other account; what is open in the
   old one is kept, closed by its own rules, and then that account is let go.
3. A look happens as soon as the feed wrote something new (IDLE_S at most later); what waits for the venue runs beside.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.exchange.feed.page import PageError
from modules.exchange.feed.reader import FeedReader
from modules.exchange.futures_gateway import VenueMarket, open_venue
from modules.exchange.lanes import Lane
from modules.exchange.types import Mode, Unavailable
from modules.exchange.venue_bybit import BybitMarket
from modules.execution.futures.books import planned
from modules.execution.mode import mode_file, mode_word
from modules.sentiment.board import Board as Moods
from modules.storage.damage import StateError
from modules.storage.settings_versions import Versions
from modules.strategies.scalper import flow as fl
from modules.strategies.scalper import taking
from modules.strategies.scalper.account import SYSTEM, Running, open_mode
from modules.strategies.scalper.beside import EVERY_S, Beside, apart, apart_words
from modules.strategies.scalper.board import Board
from modules.strategies.scalper.candles import CandleDesk
from modules.strategies.scalper.eye import Eye
from modules.strategies.scalper.named_tasks import NamedTasks
from modules.strategies.scalper.obey import obey
from modules.strategies.scalper.reasons import Code
from modules.strategies.scalper.records import state_file
from modules.strategies.scalper.terms import terms_of
from modules.strategies.scalper.trade_log import TradeLog
from modules.supervision.messages import Inbox
from modules.supervision.service import ServiceRun

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)

IDLE_S = 0.002
TURN_S, SECOND_S, VIEW_S = 0.1, 1.0, 1.0
TRY_AGAIN_S = 2.0
ASK_FEED_EVERY_S = 20.0


async def live(run: ServiceRun, settings: "Settings", plain: str) -> None:
    """Until asked to stop."""
    await asyncio.to_thread(warm, settings)
    if plain:
        run.outbox.say("The scalper runs without compiled rules: each look takes about a hundred times as long",
                       mode=mode_word(run.paths), why=plain, todo="Install numba, or keep few contracts.",
                       level="warning", key="scalper-plain")
    lines = TradeLog(run.paths.logs)
    try:
        market = await _market(run, settings)
        if market is None:
            return
        try:
            await Scalper(run, settings, market, lines).live()
        finally:
            await market.close()
    finally:
        lines.close()


async def _market(run: ServiceRun, settings: "Settings") -> VenueMarket | None:
    """The venue, however long it takes; None when asked to stop meanwhile."""
    told = False
    while not run.stop.is_set():
        try:
            return await open_venue(settings.futures, run.paths, lane=Lane.EXIT)
        except Unavailable as problem:
            run.ready(waiting=str(problem))
            if not told:
                told = True
                run.outbox.say("The scalper waits for the exchange", mode=mode_word(run.paths), why=str(problem),
                               level="warning", todo="Nothing: stops stand on the exchange, I keep trying.")
            await run.sleep(TRY_AGAIN_S)
    return None


def _version(run: ServiceRun) -> int:
    """The version of optimised settings that held when this process read its settings; 0: none."""
    try:
        return Versions(run.paths).applied().versions.get("scalper", 0)
    except StateError:
        return 0  # told where the settings were read


def warm(settings: "Settings") -> None:
    """Compile what the loop calls, before anything is open."""
    eye = Eye(settings.scalper.symbols[0], settings.scalper)
    desk = eye.desk
    book, ring = np.zeros(128, np.int64), np.zeros(128, np.int64)
    ring[1] = 16
    taking.copy(book, ring, -1, desk.levels, desk.trades, desk.head)
    taking.take_in(eye.flow, terms_of(settings.scalper), desk.levels, desk.trades, desk.head, desk.context,
                   desk.features, desk.parts)
    fl.hole(eye.flow, 0)


class Scalper:
    """All of one process."""

    def __init__(self, run: ServiceRun, settings: "Settings", market: VenueMarket, lines: TradeLog) -> None:
        self.run, self.settings, self.market, self.lines = run, settings, market, lines
        self.eyes = {symbol: Eye(symbol, settings.scalper) for symbol in settings.scalper.symbols}
        self.modes: dict[Mode, Running] = {}
        self.problems: dict[Mode, str] = {}  # accounts that cannot be opened, and why
        self.mode = Mode.TEST
        self.reader: FeedReader | None = None
        self.waiting = ""
        self._candles = CandleDesk(market, settings.scalper)
        self._moods = Moods(run.paths)
        self.version = _version(run)
        self._board = Board(self)
        self._apart = apart(settings.feed.venue, settings.futures.name)
        beside = self._apart or isinstance(market, BybitMarket)
        self._beside = Beside(market, self.eyes, settings.scalper.elsewhere_bps, self._apart) if beside else None
        self._tasks = NamedTasks(self._ended)
        self._failed: set[str] = set()
        self._asked_feed = 0.0

    async def live(self) -> None:
        """Until the stop."""
        await self.choose_modes()  # rule 1: the accounts before the first look
        if self._apart:
            self.run.outbox.say(mode=str(self.mode), level="warning",
                                **apart_words(self.settings.feed.venue, self.settings.futures.name))
        self._board.write()
        self.run.ready(waiting="")
        last = {"turn": 0.0, "second": 0.0, "view": 0.0}
        steps: dict[str, tuple[float, Callable[[], None]]] = {
            "turn": (TURN_S, self._turn), "second": (SECOND_S, self._each_second), "view": (VIEW_S, self._board.write)}
        if self._beside is not None:
            steps["beside"] = (EVERY_S, self._look_beside)
            last["beside"] = 0.0
        try:
            while not self.run.stop.is_set():
                busy = self._looks()
                now = time.monotonic()
                for name, (every, step) in steps.items():
                    if now - last[name] >= every:
                        last[name] = now
                        step()
                await asyncio.sleep(0 if busy else IDLE_S)
        finally:
            await self._tasks.end()
            self._board.write()
            for running in self.modes.values():
                await running.shut()

    # -- looks ---------------------------------------------------------------------------------------------

    def _looks(self) -> bool:
        """Every contract with news; False where there was none."""
        reader = self.reader
        if reader is None or not (reader.alive or reader.refresh()):
            self._blind()
            return False
        running = self.modes.get(self.mode)
        looked = False
        for eye in self.eyes.values():
            if not eye.attach(reader) or not eye.news():
                continue
            looked = True
            if eye.look() is Code.OK and running is not None:
                code, signal = Code.OK, eye.signal()
                if self._beside is not None:
                    code, signal = self._beside.priced(signal)
                self._board.signal(signal, running.trader.offer(signal) if code is Code.OK else code)
        return looked

    def _look_beside(self) -> None:
        if self._beside is not None:
            self.start("beside", self._beside.turn())

    def _blind(self) -> None:
        for eye in self.eyes.values():
            if eye.code is not Code.NO_FEED:
                eye.code = Code.NO_FEED
                eye.blind()

    def _each_second(self) -> None:
        self._find_feed()
        try:
            now_ms = self.market.clock.now_ms()
        except Unavailable:
            return
        for symbol, eye in self.eyes.items():
            eye.feel(self._moods.mood(symbol, now_ms))
            self._silence(eye)
        self.start("candles", self._candles.turn(self.eyes, self.reader, now_ms))
        self.start("modes", self.choose_modes())
        self.start("inbox", obey(self))

    def _silence(self, eye: Eye) -> None:
        """A silent trade stream makes the window suspect, whatever the book says."""
        if self.reader is None:
            return
        try:
            silent = self.reader.liveness(eye.symbol).trades_silent
        except KeyError:
            return
        if silent:
            eye.suspect()

    def _find_feed(self) -> None:
        if self.reader is None or not self.reader.alive:
            try:
                self.reader = self.reader or FeedReader(self.run.paths)
                self.waiting = "" if self.reader.refresh() else "the market data feed does not run"
            except PageError as problem:
                self.waiting = str(problem)
        else:
            self.waiting = ""
        now = time.monotonic()
        heard = set(self.reader.symbols()) if self.reader is not None else set()
        missing = not set(self.eyes) <= heard
        if not self._asked_feed or (missing and now - self._asked_feed > ASK_FEED_EVERY_S):
            self._asked_feed = now
            try:
                Inbox(self.run.paths.inbox, "feed").post("universe", {"by": "scalper", "symbols": sorted(self.eyes)},
                                                         "scalper")
            except OSError as problem:
                log.error("the feed cannot be asked: %s", problem)

    # -- modes ---------------------------------------------------------------------------------------------

    async def choose_modes(self) -> None:
        """Rule 2. An account that cannot be opened is told and tried again; the other one goes on. Raises StateError,
        OSError where the switch cannot be read.
        """
        self.mode = (await asyncio.to_thread(mode_file(self.run.paths).load)).mode
        for mode in Mode:
            running = self.modes.get(mode)
            if running is None:
                await self._open_where_needed(mode)
            elif mode is not self.mode and running.keeper.opened.is_set() and not running.busy:
                del self.modes[mode]
                await running.shut()

    async def _open_where_needed(self, mode: Mode) -> None:
        try:
            if mode is not self.mode and not await asyncio.to_thread(self._left, mode):
                return
            running = await open_mode(mode, self.run, self.settings, self.market, self.eyes, self.lines)
        except (Unavailable, StateError, OSError) as problem:
            log.warning("the %s account of the scalper cannot be opened: %s", mode, problem)
            if mode not in self.problems:
                self.run.outbox.say("The scalper's account cannot be opened; nothing is entered there", mode=str(mode),
                                    why=str(problem), level="alert",
                                    todo="Mend it; it is tried again by itself. /scalper shows the account.")
            self.problems[mode] = str(problem)
            return
        self.problems.pop(mode, None)
        self.modes[mode] = running
        running.trader.came_to_nothing = self._board.refused
        if self._beside is not None:
            running.trader.priced = self._beside.priced

    def _left(self, mode: Mode) -> bool:
        """Something of a mode is open by its files. Raises StateError, OSError."""
        return bool(state_file(self.run.paths, mode).load().open) or planned(self.run.paths.data, SYSTEM, mode)

    def _turn(self) -> None:
        for mode, running in self.modes.items():
            self.start(f"turn {mode}", running.trader.turn())

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """A task of its own, one of a name; a failure is logged, told once, and tried again by the next round."""
        self._tasks.start(name, work)

    def _ended(self, name: str, problem: BaseException | None) -> None:
        if problem is None:
            self._failed.discard(name)
        elif isinstance(problem, Unavailable):
            log.info("%s: %s", name, problem)
        elif name not in self._failed:
            self._failed.add(name)
            log.error("%s of the scalper failed", name, exc_info=problem)
            self.run.outbox.say(f"A part of the scalper failed ({name}); it is tried again", mode=str(self.mode),
                                why=f"{type(problem).__name__}: {problem}", todo="See /logs scalper.", level="alert")
