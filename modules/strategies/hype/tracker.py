"""The tracker: both desks, guarded whenever they hold something; the only one that orders and writes for system A.

One turn: take messages, look at prices, ask the rules, sell, keep the books, tell facts. Sales and entries run beside
the turns, so that one slow order holds up nothing else.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from modules.exchange.api import Account, MarketData
from modules.exchange.types import Market, Mode, Unavailable
from modules.execution.crashpoints import crash_point, declare
from modules.execution.executor import Patience
from modules.execution.journal import Journal
from modules.execution.risk import Blocked
from modules.execution.risk_settings import RiskSettings
from modules.storage.settings import DecisionSettings
from modules.strategies.hype import tracker_inbox, tracker_words
from modules.strategies.hype.beside import Beside
from modules.strategies.hype.decisions import Decisions
from modules.strategies.hype.desk import Desk, House
from modules.strategies.hype.desk_entry import enter
from modules.strategies.hype.desk_exit import decide
from modules.strategies.hype.desk_reconcile import Auditor
from modules.strategies.hype.desk_recovery import check_in, resolve_open
from modules.strategies.hype.desk_risk import DeskRisk
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.files import HypeFiles, mode_file
from modules.strategies.hype.records import Proposal
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.hype.tracker_looks import Looks
from modules.strategies.hype.tracker_watch import Halts, Stale, Unguarded, close_days
from modules.strategies.hype.trade_book import TradeBook, day_start
from modules.supervision.messages import Message
from modules.supervision.outbox import Level
from modules.supervision.service import ServiceRun

log = logging.getLogger(__name__)

declare(__name__, "message.taken", "message.carried_out", "message.bought")

FASTEST_TURN_S = 0.1
IDLE_TURN_S = 0.25
FAILED_TURN_S = 1.0
MARKETS_EVERY_MS = 60_000
# What is not done with every turn, seconds of monotonic time: `markets` when MARKETS_EVERY_MS have passed as well,
# `doubts` when a refusal says that they are out of date.
CLOCKS = {"markets": 10.0, "doubts": 2.0, "resolve": 2.0, "persist": 3.0}
STOP_WITHIN_S = 5.0

OpenAccount = Callable[[Mode], Awaitable[Account]]
MayEnter = Callable[[Account], Awaitable[str]]
Queued = tuple[Path, Message, Proposal]


class Every:
    """True once every so many seconds of monotonic time; the first time at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def due(self) -> bool:
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + self._seconds
        return True


class Tracker:
    """Everything the tracker's process holds."""

    def __init__(self, run: ServiceRun, settings: HypeSettings, market: MarketData, open_account: OpenAccount,
                 may_enter: dict[Mode, MayEnter], patience: Patience, risk: RiskSettings | None = None,
                 recording: DecisionSettings | None = None) -> None:
        self.run = run
        self.market = market
        self.journal = Journal(run.paths.data / "intents.jsonl")
        house = House(market, self.journal, settings, rules_of(settings), patience, run.outbox)
        self.desks = {mode: _desk(mode, house, run, open_account, may_enter[mode]) for mode in Mode}
        for desk in self.desks.values():
            desk.decisions = Decisions.to(run.paths, desk.mode, recording or DecisionSettings(), house.rules)
        self.risks = {mode: DeskRisk(desk, risk or RiskSettings()) for mode, desk in self.desks.items()}
        self.auditors = {mode: Auditor(desk) for mode, desk in self.desks.items()}
        self.looks = Looks(market)
        self._house = house
        self._halts, self._stale = Halts(), Stale(settings.stale_after_s)
        self._unguarded: list[Unguarded] = []
        self._queues: dict[Mode, asyncio.Queue[Queued]] = {mode: asyncio.Queue() for mode in Mode}
        self._queued: set[str] = set()
        self._markets: dict[str, Market] = {}
        self._markets_ms = 0
        self._fetching: Beside[dict[str, Market]] = Beside("list of markets")
        self._checking: dict[Mode, Beside[bool]] = {mode: Beside(f"check-in {mode.value}") for mode in Mode}
        self._day: int | None = None
        self._clocks = {name: Every(seconds) for name, seconds in CLOCKS.items()}
        self._counts = {"bought": 0, "refused": 0}

    def now_ms(self) -> int:
        """Market time. Raises Unavailable while it is not known."""
        return self.market.clock.now_ms()

    def say(self, what: str, *, why: str = "", todo: str = "", level: Level = "info") -> None:
        """Tell a person something that concerns both modes."""
        self.run.outbox.say(what, why=why, todo=todo, level=level)

    def load(self) -> None:
        """Read all state. Raises StateError where it is damaged beyond its copies: then the process must not trade."""
        self.journal.load()
        for desk in self.desks.values():
            desk.load()
            self.auditors[desk.mode].load()
            self.risks[desk.mode].load()
            self._unguarded.append(Unguarded(desk))

    async def start(self) -> None:
        """The first pass over markets, open orders and balances; what fails is tried again with every turn (X16)."""
        await self._refresh_markets()
        for desk in self._needed():
            await self._check_in(desk)

    async def turn(self) -> None:
        """One round. Raises Unavailable, OSError; both are tried again with the next turn."""
        await self.take_messages()
        await self._refresh_markets()
        desks = self._needed()
        for desk in desks:
            await self._check_in(desk)
        if self._clocks["resolve"].due():
            for desk in desks:
                resolve_open(desk, self._markets)
        await self._guard(desks)
        await self._keep_books()
        await self._tell()

    def pause_s(self) -> float:
        """Until the next turn: the look interval in market seconds, as fast as sensible."""
        interval = max(self._house.settings.look_interval_s / self.market.clock.speed, FASTEST_TURN_S)
        held = any(desk.positions for desk in self.desks.values())
        return interval if held else min(interval, IDLE_TURN_S)

    async def rest(self) -> None:
        """Wait for the next turn. Messages do not wait that long: a person's wish to sell is carried out at once."""
        until = time.monotonic() + self.pause_s()
        while not self.run.stop.is_set() and (left := until - time.monotonic()) > 0:
            await self.run.sleep(min(left, IDLE_TURN_S))
            if self.run.inbox.waiting() > len(self._queued):
                await self.take_messages()
                await self._sell_wished()

    async def _sell_wished(self) -> None:
        """Sell what is to be closed, without a look at everything else."""
        wished = {symbol for desk in self.desks.values() for symbol in desk.guarded()
                  if desk.positions[symbol].state == "closing" and symbol not in desk.busy}
        bids = await self.looks.glance(wished) if wished else {}
        for desk in self.desks.values():
            decide(desk, self._markets, bids, self.now_ms())

    async def take_messages(self) -> None:
        """Carry out what waits in the inbox (rules in tracker_inbox)."""
        for path, message in self.run.inbox.take():
            if message.id in self._queued:
                continue
            body = tracker_inbox.read(message)
            if isinstance(body, str):
                self.say("A message to the tracker could not be understood", why=body, level="warning",
                         todo="It was set aside.")
            elif isinstance(body, Proposal):
                self._queued.add(message.id)
                self._queues[Mode(body.mode)].put_nowait((path, message, body))
                continue
            else:
                crash_point("message.taken")
                await tracker_inbox.carry_out(self, body)
                crash_point("message.carried_out")
            await asyncio.to_thread(self.run.inbox.done, path, message)

    async def buy_for(self, mode: Mode) -> None:
        """Carry out one desk's proposals one after the other, so that limits see each other's effect."""
        desk, queue = self.desks[mode], self._queues[mode]
        while True:
            path, message, proposal = await queue.get()
            if proposal.symbol in desk.busy:
                await asyncio.wait({desk.busy[proposal.symbol]})
            task = desk.run(proposal.symbol, self._buy(desk, proposal, message.id))
            await asyncio.wait({task})
            crash_point("message.bought")
            # An entry that failed unexpectedly is not tried again: its intent, if any, is looked up by `resolve_open`.
            await asyncio.to_thread(self.run.inbox.done, path, message)
            self._queued.discard(message.id)

    async def _buy(self, desk: Desk, proposal: Proposal, cause: str) -> None:
        risk = self.risks[desk.mode]
        risk.buying += 1
        try:
            await check_in(desk, self.auditors[desk.mode])
            await risk.ready_to_enter(self._markets, self.now_ms())
            may = risk.may_enter(self.now_ms())  # X35
            done = await enter(desk, proposal, cause, "; ".join(may.reasons) if isinstance(may, Blocked) else "")
        finally:
            risk.buying -= 1
        desk.decisions.answered(cause, proposal.symbol, done.code, done.every or done.text)
        self._counts["bought" if done.bought else "refused"] += 1
        log.info("%s %s: %s (%s)", desk.mode.value, proposal.symbol, done.code, done.every or done.text)
        if not done.bought:
            self.run.tell(last_refusal=f"{proposal.symbol}: {done.every or f'{done.code}, {done.text}'}")

    async def _refresh_markets(self) -> None:
        now_ms = self.now_ms()
        unknown = set().union(*(desk.guarded() for desk in self.desks.values())) - self._markets.keys()
        if unknown and self._markets:  # just bought: what was known at the purchase is enough to guard it at once
            known = await self.market.markets()
            self._markets.update((symbol, known[symbol]) for symbol in unknown if symbol in known)
        doubted = any(desk.doubts_markets or not desk.guarded() <= self._markets.keys() for desk in self.desks.values())
        old = now_ms - self._markets_ms >= MARKETS_EVERY_MS and self._clocks["markets"].due()
        if not self._fetching.under_way and not old and not (doubted and self._clocks["doubts"].due()):
            return
        fetched = await self._fetch_markets()
        if fetched is not None:
            self._take_markets(fetched, now_ms)

    async def _fetch_markets(self) -> dict[str, Market] | None:
        """A fresh list, or None while it does not come: what is known is enough to guard by. Raises Unavailable only
        where nothing is known.
        """
        if not self._markets:
            return await self.market.markets(refresh=True)
        try:
            return await self._fetching.step(lambda: self.market.markets(refresh=True))
        except Unavailable as problem:
            log.warning("list of markets: %s", problem)
            return None

    def _take_markets(self, fresh: dict[str, Market], now_ms: int) -> None:
        self._markets_ms = now_ms
        self._markets.update(fresh)  # ticks and steps of a pair that is gone stay known
        for desk in self.desks.values():
            desk.doubts_markets = False
            self._halts.update(desk, fresh)

    async def _check_in(self, desk: Desk) -> None:
        """Exits do not wait for the check against the exchange (X16)."""
        await self._checking[desk.mode].step(lambda: check_in(desk, self.auditors[desk.mode]))

    async def _guard(self, desks: list[Desk]) -> None:
        held = sorted(set().union(*(desk.guarded() for desk in desks)))
        bids = await self.looks.look(held)
        now_ms = self.now_ms()
        for desk in desks:
            decide(desk, self._markets, bids, now_ms)
            self._stale.update(desk, bids, now_ms)
        for risk in self.risks.values():
            risk.look(self._markets, bids, now_ms)
        for report in self._unguarded:
            if not report.done and (bids or not held):
                await report.report(self.market, bids, now_ms)

    async def _keep_books(self) -> None:
        persist = self._clocks["persist"].due()
        for desk in self.desks.values():
            if desk.unwritten and (persist or desk.urgent):
                await desk.flush()
            if trouble := desk.decisions.flush():
                desk.say("Decisions are not recorded", why=trouble, level="warning",
                         todo="Trading goes on; bot.py replay will lack them. Make room on the disk.")
        day = day_start(self.now_ms())
        if day != self._day:
            for desk in self.desks.values():
                await close_days(desk, self.now_ms())
            self._day = day

    async def _tell(self) -> None:
        test, live = self.desks[Mode.TEST], self.desks[Mode.LIVE]
        for desk in self._needed():
            self.run.tell(**self.risks[desk.mode].told(self.now_ms()))
        self.run.tell(
            positions_test=len(test.positions), positions_live=len(live.positions),
            unresolved=len(test.unresolved()) + len(live.unresolved()), unguarded=self._stale.count,
            exchange="ok", failed_looks=self.looks.failed,
            closed_test=test.entries_closed, closed_live=live.entries_closed if live.account else "",
            failures=test.failures + live.failures, **self._counts,
            **self.looks.figures(),
        )

    def _needed(self) -> list[Desk]:
        """Desks with something to guard or to look up, and the one that new entries go to; LIVE only when needed."""
        chosen = mode_file(self.run.paths).load().mode
        return [desk for mode, desk in self.desks.items()
                if mode is chosen or desk.positions or desk.account is not None or desk.open_entries()]

    async def finish(self) -> None:
        """See orders under way to their end, write, say what stays unguarded."""
        busy = [task for desk in self.desks.values() for task in desk.busy.values()]
        if busy:
            await asyncio.wait(busy, timeout=STOP_WITHIN_S)
        for desk in self.desks.values():
            await desk.flush()
            await desk.decisions.close()
            await self.risks[desk.mode].finish()
        counts = {mode.value: len(desk.positions) for mode, desk in self.desks.items()}
        if any(counts.values()):
            self.run.outbox.say(**tracker_words.stays_unguarded(counts), level="warning")

    async def close(self) -> None:
        """Release the accounts, then the market's connection that they use."""
        await self._fetching.close()
        for checking in self._checking.values():
            await checking.close()
        for desk in self.desks.values():
            await self.auditors[desk.mode].close()
            for task in desk.busy.values():
                task.cancel()
            if desk.account is not None:
                await desk.account.close()
        await self.market.close()


def _desk(mode: Mode, house: House, run: ServiceRun, open_account: OpenAccount, may_enter: MayEnter) -> Desk:
    files = HypeFiles(run.paths, mode)
    return Desk(mode=mode, files=files, house=house, open_account=lambda: open_account(mode), may_enter=may_enter,
                trades=TradeBook(files.trades, house.settings))


async def run_until_stopped(tracker: Tracker, most_failures: int = 20) -> None:
    """Turns until the stop. A failing turn never ends the guard at once; `most_failures` in a row end the process,
    so that the supervisor starts it afresh.
    """
    run = tracker.run
    buyers = [asyncio.create_task(tracker.buy_for(mode), name=f"entries {mode.value}") for mode in Mode]
    failures = 0
    try:
        while not run.stop.is_set():
            try:
                await tracker.turn()
                await tracker.rest()
                failures = 0
                continue
            except (Unavailable, OSError) as problem:
                log.warning("turn: %s", problem)
                run.tell(exchange=str(problem))
            except Exception as problem:  # border of the guard's loop: logged with its stack, counted, acted upon
                failures += 1
                log.exception("turn failed (%d in a row)", failures)
                run.tell(last_error=repr(problem))
                if failures >= most_failures:
                    raise
            await run.sleep(FAILED_TURN_S)
    finally:
        for buyer in buyers:
            buyer.cancel()
        await asyncio.gather(*buyers, return_exceptions=True)
