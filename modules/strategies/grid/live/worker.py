"""A worker: claims grids, trades them while its leases hold, gives them back (E5, E12; issue 9, point 6).

1. Every `lease_s` ÷ 3 leases are renewed; what is missing in the answer is another worker's and is dropped at once.
   When the database is away no lease can be renewed: after `lease_s` nothing is sent any more (stops stand).
2. Sessions that are wanted and free are claimed, a few at a time, so that workers share them.
3. One call a tick fetches the prices of all contracts; then every due session steps. Ticks have a timetable: prices
   that are late count for the next one. What a step wants of the venue runs in tasks of its host.
4. A session that cannot begin (its state, key or settings are not readable here) is given back after `BROKEN_S`, so
   that it is tried again by whoever is free, this worker or one of another machine.
5. The end of a worker closes no position: sessions are saved, leases given back, stops stay on the exchange (X36).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec
from pydantic import ValidationError

from modules.exchange.futures_types import MarginMode
from modules.exchange.types import Unavailable
from modules.exchange.venue_bitget import BitgetMarket
from modules.storage.damage import StateError
from modules.storage.sql.database import DatabaseAway
from modules.strategies.grid import events as ev
from modules.strategies.grid.live.accounts import GridAccount, open_account
from modules.strategies.grid.live.host import Host
from modules.strategies.grid.live.market import Series, SharedMarket
from modules.strategies.grid.live.moved import settle_in
from modules.strategies.grid.live.readings import Pacer
from modules.strategies.grid.live.saver import Saver
from modules.strategies.grid.live.settings import GridLiveSettings
from modules.strategies.grid.live.told import status_event
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import Mode, rulebook
from modules.strategies.grid.store.records import (
    Command,
    Fenced,
    Held,
    Lease,
    NoUser,
    Order,
    Renewal,
    Session,
    Wanted,
    Wish,
)
from modules.strategies.grid.store.store import GridStore
from utils.paths import Paths
from utils.vault import VaultError

log = logging.getLogger(__name__)

CLAIM_AT_ONCE = 50
CLAIM_EVERY_S = 1.0
SOON_S = 0.05  # while more are free
SHORTEST_TICK_S = 0.1
YIELD_EVERY = 50
PRICE_PART = 0.4  # of a tick that prices are waited for
BROKEN_S = 30.0
_FORESEEN = (Unavailable, KeyError, ValidationError, VaultError, StateError, NoUser, OSError, msgspec.MsgspecError)
_WORDS = {Wanted.RUNNING: ev.Word.RESUME, Wanted.PAUSED: ev.Word.PAUSE, Wanted.DRAINING: ev.Word.DRAIN,
          Wanted.STOPPED: ev.Word.STOP}
_WISHES = {Wanted.RUNNING: Mode.RUNNING, Wanted.PAUSED: Mode.PAUSED, Wanted.DRAINING: Mode.DRAINING,
           Wanted.STOPPED: Mode.STOPPED}

Say = Callable[[Host, ev.Notice], None]
Stuck = Callable[[str, str], None]
Open = Callable[[BitgetMarket, Any, str, GridSettings, MarginMode, Paths], Any]


class Worker:
    """One process's grids. `holder` is unique to it; `say` tells people, `stuck` that a grid cannot begin, and why."""

    def __init__(self, store: GridStore, market: BitgetMarket, live: GridLiveSettings, holder: str, paths: Paths,
                 say: Say, *, margin: MarginMode = MarginMode.CROSSED, status_s: float = 30.0,
                 open_account: Open = open_account, stuck: Stuck = lambda user_id, why: None) -> None:
        self.store, self.venue, self.live, self.holder, self.paths = store, market, live, holder, paths
        self.market = SharedMarket(market)
        self.hosts: dict[str, Host] = {}
        self.broken: dict[str, str] = {}
        self._broken_leases: dict[str, tuple[Lease, float]] = {}
        self._broken_told: dict[str, str] = {}
        self.pacer = Pacer()
        self.saver = Saver(store.sessions, self._lost)
        self.until_s = self.tick_s = 0.0
        self.renew_s = live.lease_s / 3
        self._say, self._stuck, self._margin, self._status_s, self._open = say, stuck, margin, status_s, open_account
        self._due: dict[str, float] = {}
        self._told_at: dict[str, float] = {}
        self._saved_at: dict[str, float] = {}
        self._refused: dict[str, str] = {}
        self._applied: dict[str, Wanted] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._leaving: set[str] = set()
        self._commanded: set[str] = set()

    # -- life --------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then everything is saved and given back."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work, name=name) for name, work in (
                ("leases", self._leases()), ("ticks", self._ticks()), ("saves", self.saver.run()),
                ("readings", self.pacer.run()))]
            await stop.wait()
            for task in tasks:
                task.cancel()
        await self._end()

    async def _end(self) -> None:
        hosts = list(self.hosts.values())
        await asyncio.gather(*(host.close() for host in hosts))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self.saver.flush([host for host in hosts if time.monotonic() < self.until_s])
            broken = [lease for lease, _ in self._broken_leases.values()]
            await asyncio.to_thread(self.store.sessions.release, [host.lease for host in hosts] + broken)
        except DatabaseAway as problem:
            log.error("grids could not be given back; their leases run out by themselves: %s", problem)
        self.hosts.clear()
        await self.market.close()

    def _task(self, work: Any) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except (DatabaseAway, Unavailable, Fenced, NoUser) as problem:
            log.warning("%s", problem)
        except Exception:  # border of the task: one session's trouble is its own
            log.exception("a session's work failed")

    # -- leases ------------------------------------------------------------------------------------

    async def _leases(self) -> None:
        renewed = 0.0
        while True:
            now, others_first = time.monotonic(), False
            try:
                if now - renewed >= self.renew_s:
                    renewed = now
                    await self._renew()
                    others_first = await self._release_broken(now)
                more = not others_first and await self._claim() == CLAIM_AT_ONCE
            except DatabaseAway as problem:
                log.error("leases cannot be renewed: %s", problem)
                more = False
            await asyncio.sleep(SOON_S if more else min(CLAIM_EVERY_S, self.renew_s / 2))

    async def _renew(self) -> None:
        found: Renewal = await asyncio.to_thread(self.store.sessions.renew, self.holder, self.live.lease_s)
        self.until_s = found.until_s
        wishes = {wish.lease.user_id: wish for wish in found.wishes}
        for user_id, host in list(self.hosts.items()):
            wish = wishes.get(user_id)
            if wish is None or wish.lease.fence != host.lease.fence:
                self._lost(host)
            elif user_id not in self._leaving:
                self._follow(host, wish)

    def _follow(self, host: Host, wish: Wish) -> None:
        """What is wanted of a session now."""
        if wish.version != host.session.version or wish.key_version != host.session.key_version:
            self._task(self._reload(host))
        if wish.commands:  # what was said once goes first: a stop after FLATTEN waits until all is closed
            self._task(self._commands(host))
        else:
            self._want(host, wish.wanted)
        if host.key_refused != self._refused.get(host.lease.user_id, host.session.key_refused):
            self._refused[host.lease.user_id] = host.key_refused
            self._task(asyncio.to_thread(self.store.users.key_refused, host.lease.user_id, host.session.key_version,
                                         host.key_refused))
        if host.done and wish.wanted is Wanted.STOPPED and not wish.commands:
            self._leaving.add(host.lease.user_id)
            self._task(self._give_back(host))

    def _want(self, host: Host, wanted: Wanted) -> None:
        """Carry a wish over. A stop waits until everything that is being closed is closed (X36)."""
        user_id = host.lease.user_id
        if wanted is Wanted.STOPPED and host.state.closing is not None:
            return
        if self._applied.get(user_id) is wanted:
            return
        self._applied[user_id] = wanted
        if host.state.wish is not _WISHES[wanted]:
            host.tell(ev.Said(host.now_ms, _WORDS[wanted], "store"))

    async def _commands(self, host: Host) -> None:
        if host.lease.user_id in self._commanded:
            return
        self._commanded.add(host.lease.user_id)
        try:
            await self._carry_out(host)
        finally:
            self._commanded.discard(host.lease.user_id)

    async def _carry_out(self, host: Host) -> None:
        said: list[Command] = await asyncio.to_thread(self.store.sessions.commands, host.lease.user_id)
        for command in said:
            outcome = "done"
            if command.word is Order.FLATTEN:
                host.tell(ev.Said(host.now_ms, ev.Word.FLATTEN, command.by_whom))
            else:
                side, answer = command.body.get("side"), command.body.get("answer", "leave")
                if side in (1, -1) and answer in ("leave", "adopt"):
                    host.tell(ev.Said(host.now_ms, ev.Word.ACKNOWLEDGE, command.by_whom, side, answer))
                    if host.state.check(side).blocked is not None or host.state.check(side).manual:
                        outcome = "not possible; see the session's notices"
                else:
                    outcome = "refused: side must be 1 or -1, answer leave or adopt"
            if not await self.saver.keep(host):
                return
            await asyncio.to_thread(self.store.sessions.command_done, host.lease, command.number, outcome)

    async def _reload(self, host: Host) -> None:
        """Other settings, or another key."""
        session: Session = await asyncio.to_thread(self.store.sessions.session, host.lease.user_id)
        book = account = None
        if session.version != host.session.version:
            if session.symbol != host.symbol and not host.flat:
                self._say(host, ev.Notice(
                    f"{host.symbol}: the grid cannot change to {session.symbol} while it holds positions",
                    "Its orders and stops belong to the contract", "Flatten it first; it changes by itself then",
                    f"symbol-{session.version}"))
                return
            settings = GridSettings.model_validate(session.settings)
            book = rulebook(settings, await self.market.contract(session.symbol))
        if session.key_version != host.session.key_version or book is not None:
            account = await self._account(session, book.settings if book else host.book.settings)
        host.use(session, account, book)

    async def _give_back(self, host: Host) -> None:
        await self.saver.keep(host)
        await host.close()
        self._drop(host)
        await asyncio.to_thread(self.store.sessions.release, [host.lease])

    async def _claim(self) -> int:
        """Take what is wanted and free; how many."""
        room = self.live.sessions - len(self.hosts)
        if room <= 0:
            return 0
        asked = time.monotonic()
        found: list[Held] = await asyncio.to_thread(
            self.store.sessions.claim, self.holder, self.live.lease_s, min(room, CLAIM_AT_ONCE))
        if found and self.until_s < asked:
            self.until_s = asked + self.live.lease_s
        await asyncio.gather(*(self._take(held) for held in found))
        return len(found)

    async def _take(self, held: Held) -> None:
        """Begin a claimed session; what is wrong with it is its own trouble."""
        user_id = held.lease.user_id
        try:
            settings = GridSettings.model_validate(held.session.settings)
            book = rulebook(settings, await self.market.contract(held.session.symbol))
            account = await self._account(held.session, settings)
            host = Host(held, book, account, self.market, self.saver.keep, self._told, lambda: self.until_s)
            settle_in(host)
        except _FORESEEN as problem:
            if await self._put_aside(held.lease, problem):
                log.error("the grid of %s does not start: %s", user_id, self._broken_told[user_id])
            return
        except Exception as problem:  # border of a session: the others begin
            if await self._put_aside(held.lease, problem):
                log.exception("the grid of %s does not start", user_id)
            return
        host.readings.pacer = self.pacer
        self._broken_told.pop(user_id, None)
        self.hosts[user_id] = host
        self._due[user_id] = time.monotonic()
        self._want(host, held.session.wanted)
        host.start()
        if sum(one.hints.listens for one in self.hosts.values()) < self.live.streams:
            host.hints.start()

    async def _put_aside(self, lease: Lease, problem: Exception) -> bool:
        """Note why a session does not begin (rule 4); whether it is news."""
        user_id, text = lease.user_id, f"{type(problem).__name__}: {problem}"[:300]
        news = self._broken_told.get(user_id) != text
        self._broken_told[user_id] = text
        if isinstance(problem, Unavailable):  # asked again soon, by whoever is free then
            await asyncio.to_thread(self.store.sessions.release, [lease])
            return news
        self.broken[user_id] = text
        self._broken_leases[user_id] = lease, time.monotonic()
        if news:
            self._stuck(user_id, text)
        return news

    async def _release_broken(self, now: float) -> bool:
        """Give back what could not begin a while ago; whether there was any."""
        ripe = {user_id: lease for user_id, (lease, since) in self._broken_leases.items() if now - since >= BROKEN_S}
        if ripe:
            await asyncio.to_thread(self.store.sessions.release, list(ripe.values()))
        for user_id in ripe:
            del self._broken_leases[user_id], self.broken[user_id]
        return bool(ripe)

    async def _account(self, session: Session, settings: GridSettings) -> GridAccount:
        given = await asyncio.to_thread(self.store.users.credentials, session.user_id)
        found: GridAccount = await self._open(self.venue, given, session.user_id, settings, self._margin, self.paths)
        return found

    def _lost(self, host: Host) -> None:
        """A session is another worker's by now: nothing is sent for it from this instant on."""
        if not host.lost:
            log.warning("the grid of %s is another worker's by now", host.lease.user_id)
            host.lost = True
            self._drop(host)
            self._task(host.close())

    def _drop(self, host: Host) -> None:
        user_id = host.lease.user_id
        if self.hosts.get(user_id) is host:
            for kept in (self.hosts, self._due, self._told_at, self._saved_at, self._refused, self._applied):
                kept.pop(user_id, None)
        self._leaving.discard(user_id)

    # -- ticks -------------------------------------------------------------------------------------

    async def _ticks(self) -> None:
        turn, shortest = time.monotonic(), 1.0
        while True:
            began = time.monotonic()
            await self.market.wait_prices(PRICE_PART * shortest)
            shortest = await self._step_all(turn)
            self.market.look(self._candles)
            now = time.monotonic()
            self.tick_s = now - began
            turn = turn + shortest if turn + 2 * shortest > now else now
            await asyncio.sleep(max(turn - now, 0.01))

    async def _step_all(self, turn: float) -> float:
        """Every session that is due by `turn` of the timetable steps; the shortest interval among them."""
        try:
            now_ms = self.market.clock.now_ms()
        except Unavailable:
            return 1.0
        shortest, at = 1.0, time.monotonic()
        for number, (user_id, host) in enumerate(list(self.hosts.items())):
            interval = max(host.book.settings.tick_interval, SHORTEST_TICK_S)
            shortest = min(shortest, interval)
            touch = self.market.touches.get(host.symbol)
            due = self._due.get(user_id, turn)
            if host.lost or touch is None or turn < due - 0.01:
                continue
            self._due[user_id] = (due if due + interval > turn else turn) + interval
            self._step(host, touch.bid, touch.ask, touch.market_ms, now_ms, at)
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
        return shortest

    def _step(self, host: Host, bid: Any, ask: Any, made_ms: int, now_ms: int, at: float) -> None:
        user_id = host.lease.user_id
        try:
            host.quote(bid, ask, made_ms, now_ms, at)
            host.stops.look()
            if host.session.webhook and at - self._told_at.get(user_id, 0.0) >= self._status_s:
                self._told_at[user_id] = at
                host.events.append(status_event(host))
                host.changed = True
            if host.flattened and self._applied.get(user_id) is Wanted.RUNNING:
                host.flattened = False
                self._applied[user_id] = Wanted.DRAINING
                self._task(asyncio.to_thread(self.store.sessions.want, user_id, Wanted.DRAINING, "protective stop"))
            if host.changed and at - self._saved_at.get(user_id, 0.0) >= self.live.save_s:
                self._saved_at[user_id] = at
                self.saver.keep(host)
        except Exception as problem:  # border of a session: the others go on
            if host.failed("tick", problem):
                log.exception("%s: a tick failed", user_id)

    def _candles(self, series: Series) -> None:
        """A candle closed: every session of the series hears of it."""
        symbol, timeframe = series
        for host in self.hosts.values():
            if host.symbol == symbol and host.book.settings.timeframe == timeframe:
                host.candles_changed()

    def _told(self, host: Host, notice: ev.Notice) -> None:
        self._say(host, notice)

    # -- facts -------------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """For /status."""
        hosts = self.hosts.values()
        return {"grids": len(self.hosts), "reconciled": sum(host.reconciled for host in hosts),
                "broken": len(self.broken), "refused_keys": sum(bool(host.key_refused) for host in hosts),
                "tick_ms": round(self.tick_s * 1000, 1), "waiting_readings": self.pacer.length,
                "database": self.saver.away, "market": self.market.problem}
