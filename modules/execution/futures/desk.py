"""The futures desk: what a system may do with its account. It starts closed and guards before it does anything else.

1. Start closed (X16): first every position is covered (X18), then open intents are resumed, mode, leverage, money and
   fills are read; only then may anything be opened. What fails is tried again; exits and guards run meanwhile.
2. An entry's plan (stop, take profit) is durable before the entry leaves; each growth of its fill has the leg covered.
3. `look` is the heartbeat: positions and conditional orders together (X16), every leg covered, closed or cleared.
4. A leg is flat when the venue says so and our fills say so; before that none of its guards is taken away (X15).
5. Nothing is ever switched silently (X22): with `arrange` the mode is set where nothing is held and no order is open.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from modules.exchange.futures_api import FuturesAccount, FuturesMarketData
from modules.exchange.futures_types import FuturesMarket, Position, Setup, TriggerState, Wallet
from modules.exchange.types import Fill, OrderState, PositionSide, Unavailable
from modules.execution.controls import Approved, PerpRefusals, approve_perp_entry
from modules.execution.crashpoints import crash_point, declare
from modules.execution.executor import Executor, Filled, NothingFilled, NotPlaced, Result, Unresolved
from modules.execution.futures.books import FuturesBooks
from modules.execution.futures.checklist import PerpAsk, PerpLimits, PerpWorld
from modules.execution.futures.entries import entry_of, plan_of
from modules.execution.futures.exits import Exits, Out
from modules.execution.futures.guard import Cover, Guard, Identity
from modules.execution.futures.legs import stray_word, strays, turned_word
from modules.execution.futures.plan import ZERO, LegKey, Plan, Word
from modules.execution.futures.setup import DeskTerms, verify
from modules.execution.intents import CONDITIONAL, Intent
from modules.execution.journal import Entry, Journal

log = logging.getLogger(__name__)

declare(__name__, "entry.covered", "perp.booked", "leg.cleared")

MANY_SYMBOLS = 20
FLAT_FOR_S = 3.0
UNDER_WAY = ("entry", "exit", *CONDITIONAL)


class PerpExecutor(Executor):
    """The executor, with a turn for each leg's entries and exits: an exit never waits for an entry that rests."""

    def _turn(self, intent: Intent) -> str:
        return f"{intent.symbol} {intent.position_side} {intent.leg}"


class FuturesDesk:
    """One system's account."""

    def __init__(self, account: FuturesAccount, market: FuturesMarketData, journal: Journal, books: FuturesBooks,
                 who: Identity, terms: DeskTerms, say: Callable[[Word], None]) -> None:
        self.account, self.market, self.journal, self.books = account, market, journal, books
        self.who, self.terms, self._say = who, terms, say
        self.guard = Guard(account, market.clock, journal, who)
        self.executor = PerpExecutor(account, market, journal, terms.patience, self._grew)
        self.exits = Exits(account, market, self.executor, journal, who, terms.exit_pct, self._book, say)
        self.closed, self.hedge_ok, self.unset = "the account has not been read yet", False, ""
        self.stopped: Callable[[Wallet, tuple[Position, ...]], tuple[str, ...]] = lambda wallet, positions: ()
        self.exposure_pct, self.entering = ZERO, 0
        self.setups: Mapping[str, Setup] = {}
        self.positions: dict[LegKey, Position] = {}
        self.standing: Sequence[TriggerState] = ()  # conditional orders as the last look saw them
        self.read_at = 0.0
        self.bare_since: dict[LegKey, float] = {}
        self.turned: set[LegKey] = set()  # held the other way round than was planned
        self.worst_bare_s = 0.0
        self._steps: dict[str, Decimal] = {}
        self._fees: dict[str, Decimal] = {}
        self._entered_at: dict[LegKey, float] = {}
        self._flat_since: dict[LegKey, float] = {}
        self._busy: set[asyncio.Task[None]] = set()
        self._at_work: set[str] = set()

    # -- start ---------------------------------------------------------------------------------------------

    async def guard_first(self) -> None:
        """Rule 1, first part. Raises Unavailable."""
        await self.look()
        self.resume()

    async def verify(self, symbols: Sequence[str]) -> None:
        """Position mode, and margin mode and leverage of the symbols that will be traded (X22). Raises Unavailable."""
        found = await verify(self.account, self.terms, symbols)
        self.hedge_ok, self.setups, self.unset = found.hedge_ok, found.setups, found.wrong
        for word in found.words:
            self._say(word)

    # -- entries -------------------------------------------------------------------------------------------

    def leg_of(self, symbol: str, long: bool) -> LegKey:
        """Where an entry of this direction is held."""
        side = (PositionSide.LONG if long else PositionSide.SHORT) if self.terms.hedge else PositionSide.BOTH
        return LegKey(symbol, side)

    async def enter(self, ask: PerpAsk, slot: str, cause: str = "", reason: str = "",
                    rest_s: float = 0.0, *noted: Awaitable[None]) -> Result | PerpRefusals:
        """Open or enlarge a leg; it is covered before this returns. `noted`: what has to be on disk before an order is
        sent, as the plan. Raises OSError where nothing can be written, Unavailable where the venue cannot be read:
        nothing was sent then."""
        leg = self.leg_of(ask.symbol, ask.long)
        market = (await self.market.contracts()).get(ask.symbol)
        intent = entry_of(self.journal, self.who, self.market.clock.now_ms(), ask, leg, market, slot, cause, reason,
                          rest_s)
        if leg in self.books.plans:
            await self.look()  # its stop is brought to the form that covers what this order will add
        world = await self._world(ask, leg, market)
        limits = PerpLimits(self.terms.margin, self.terms.leverage, self.terms.margin_share, self.exposure_pct)
        approved = approve_perp_entry(intent, ask, world, limits)
        if isinstance(approved, PerpRefusals):
            return approved
        self.entering += 1  # from its approval to its end: FLATTEN waits for it
        try:
            return await self._send(ask, leg, slot, intent, approved, *noted)
        finally:
            self.entering -= 1

    async def _send(self, ask: PerpAsk, leg: LegKey, slot: str, intent: Intent, approved: Approved[Intent],
                    *noted: Awaitable[None]) -> Result:
        before = self.books.plans.get(leg)
        self._entered_at[leg] = time.monotonic()  # rule 4: a leg that is about to be held is not flat
        self._flat_since.pop(leg, None)
        plan = Plan(symbol=ask.symbol, side=leg.side, long=ask.long, stop=ask.stop, take=ask.take,
                    slot=before.slot if before else slot, opened_ms=before.opened_ms if before else intent.market_ms)
        await asyncio.gather(self.books.plan(plan), *noted)
        result = await self.executor.execute(approved)
        await self._book(intent, result)
        return result

    async def _world(self, ask: PerpAsk, leg: LegKey, market: FuturesMarket | None) -> PerpWorld:
        wallet, marks, positions, brackets = await asyncio.gather(
            self.account.wallet(), self.market.marks(), self.account.positions(), self.account.brackets(ask.symbol))
        self._seen(positions)
        held, plan, mark = self.positions.get(leg), self.books.plans.get(leg), marks.get(ask.symbol)
        foreign = held is not None and (plan is None or not plan.fits(held))
        blocked = self.books.blocked.get(str(leg), "")
        unresolved = any(entry.intent.symbol == ask.symbol and entry.intent.leg in ("entry", "exit")
                         and entry.intent.position_side is leg.side
                         for entry in self.journal.open_entries(self.who.system, self.who.account))
        return PerpWorld(
            closed=self.closed, market=market, setup=self.setups.get(ask.symbol), wallet=wallet,
            brackets=tuple(brackets), mark=mark.price if mark else None, account_age_s=0.0,
            held=abs(held.quantity) if held else ZERO, held_long=held.long if held else None,
            closing=plan.closing if plan else "", blocked=blocked or ("a position that is not ours stands there"
                                                                      if foreign else ""),
            unresolved=unresolved, hedge_ok=self.hedge_ok, stopped=self.stopped(wallet, tuple(positions)),
            exposure=self.margin_of(positions))

    async def _grew(self, intent: Intent, state: OrderState) -> None:
        """Rule 2: cover what was filled before anything else is done about the order."""
        if intent.leg != "entry":
            return
        leg = LegKey(intent.symbol, intent.position_side)
        self._entered_at[leg] = time.monotonic()
        plan = self.books.plans.get(leg) or self._replan(leg, intent)
        market = (await self.market.contracts()).get(intent.symbol)
        if plan is None or market is None:
            return
        self.bare_since.setdefault(leg, time.monotonic())
        try:
            await self._cover(leg, plan, market, None, None)
        except (Unavailable, OSError) as problem:
            log.error("%s: not covered yet: %s", leg, problem)
        crash_point("entry.covered")

    def _replan(self, leg: LegKey, intent: Intent) -> Plan | None:
        """The plan that an entry was sent with, from its intent; None for one without a stop."""
        if not intent.note.get("stop"):
            return None
        log.error("%s: its plan was missing; made again from the entry %s", leg, intent.id)
        self.books.adopt(plan := plan_of(intent))
        return plan

    def _orphans(self) -> None:
        """What our fills hold and the venue confirms has a plan, whatever was lost."""
        for leg in self.positions.keys() - self.books.plans.keys():
            if not self.books.held(leg):
                continue
            entries = [entry.intent for entry in self.journal.entries.values() if entry.intent.leg == "entry"
                       and LegKey(entry.intent.symbol, entry.intent.position_side) == leg]
            if entries:
                self._replan(leg, entries[-1])

    async def move(self, leg: LegKey, stop: Decimal, take: Decimal | None) -> None:
        """Other prices for a leg's guards. Raises OSError and Unavailable; the next `look` goes on then."""
        plan = self.books.plans[leg]
        await self.books.plan(msgspec.structs.replace(plan, stop=stop, take=take))
        await self.look()

    # -- exits ---------------------------------------------------------------------------------------------

    async def close(self, leg: LegKey, reason: str) -> Out:
        """Cancel what still opens the leg, then get out (X36). One sitting; `look` goes on with the rest."""
        plan = self.books.plans.get(leg)
        if plan is None:
            return Out(True)
        if not plan.closing:
            plan = msgspec.structs.replace(plan, closing=reason)
            try:
                await self.books.plan(plan)
            except OSError as problem:  # an exit never waits for a disk; a crash now would only forget the wish
                log.error("%s: the wish to close cannot be written: %s", leg, problem)
                self.books.plans[leg] = plan
        return await self._sit(leg, plan)

    async def reduce(self, leg: LegKey, leave: Decimal, reason: str) -> Out:
        """Close what the leg holds beyond `leave`; its guards go on. One sitting; the caller asks again until it is
        done. A leg that is being closed needs no other wish. Raises Unavailable.
        """
        plan = self.books.plans.get(leg)
        if plan is None or plan.closing:
            return Out(plan is None, "it is being closed")
        return await self._sit(leg, msgspec.structs.replace(plan, closing=reason), leave)

    async def _sit(self, leg: LegKey, plan: Plan, leave: Decimal = ZERO) -> Out:
        name = f"close {leg}"
        if self._open(leg, "exit") and name not in self._at_work:  # X4: its end first, then the next one
            self.resume()
            return Out(False, "the end of an earlier exit is not known yet")
        if name in self._at_work:
            return Out(False, "it is being closed")
        self._at_work.add(name)
        try:
            for entry in self._open(leg, "entry"):
                await self.account.cancel(entry.intent.symbol, entry.intent.id)
            market = (await self.market.contracts()).get(leg.symbol)
            return await self.exits.close(plan, market, leave) if market else Out(False, "it is not listed any more")
        finally:
            self._at_work.discard(name)

    def _open(self, leg: LegKey, kind: str) -> list[Entry]:
        return [entry for entry in self.journal.open_entries(self.who.system, self.who.account)
                if entry.intent.leg == kind and LegKey(entry.intent.symbol, entry.intent.position_side) == leg]

    def close_soon(self, leg: LegKey, reason: str) -> None:
        """Get out of a leg beside everything else; the looks go on with it until it is flat."""
        self._work(f"exit {leg}", self._out(leg, reason))

    def waiting_entries(self) -> list[Entry]:
        """Entries whose end is not known: they may still open something."""
        return [entry for entry in self.journal.open_entries(self.who.system, self.who.account)
                if entry.intent.leg == "entry"]

    def margin_of(self, positions: Sequence[Position]) -> Decimal:
        """What positions tie up: notional ÷ leverage, USDT."""
        return sum((abs(one.quantity) * one.mark / (self.setups[one.symbol].leverage if one.symbol in self.setups
                                                    else self.terms.leverage) for one in positions), ZERO)

    def taker_fee(self, symbol: str) -> Decimal:
        """The share that closing at market costs; zero for a contract that is not known."""
        return self._fees.get(symbol, ZERO)

    def step(self, symbol: str) -> Decimal:
        """The quantity step of a contract; a tiny one for a contract that is not known any more."""
        return self._steps.get(symbol, Decimal("1e-12"))

    # -- the heartbeat -------------------------------------------------------------------------------------

    def _seen(self, positions: Sequence[Position]) -> None:
        self.positions = {LegKey.of(one): one for one in positions}
        self.read_at = time.monotonic()

    async def look(self) -> None:
        """Rule 3. Raises Unavailable; then nothing is concluded (X15)."""
        symbols = sorted({leg.symbol for leg in self.books.plans})
        read_at = time.monotonic()
        asked: list[str | None] = [None] if len(symbols) > MANY_SYMBOLS else [*symbols]
        positions, contracts, lists = await asyncio.gather(
            self.account.positions(), self.market.contracts(),
            asyncio.gather(*(self.account.open_triggers(one) for one in asked)))
        self._seen(positions)
        self.standing = standing = [one for rows in lists for one in rows]
        self._orphans()
        self._steps = {symbol: one.step for symbol, one in contracts.items()}
        self._fees = {symbol: one.taker_fee for symbol, one in contracts.items()}
        await asyncio.gather(*(self._attend(leg, contracts, standing, read_at) for leg in list(self.books.plans)))
        await self.books.flush()

    async def _attend(self, leg: LegKey, contracts: Mapping[str, FuturesMarket],
                      standing: Sequence[TriggerState], read_at: float) -> None:
        plan, held, market = self.books.plans.get(leg), self.positions.get(leg), contracts.get(leg.symbol)
        if plan is None:
            return
        if held is None or not plan.fits(held):
            self.bare_since.pop(leg, None)
            await self._flat(leg, standing, held)
            return
        self.turned.discard(leg)
        if market is None:
            self._say(Word(f"gone {leg}", f"{leg}: the exchange does not list the contract any more", "",
                           "Look at the position on the exchange"))
            return
        self._flat_since.pop(leg, None)
        await self._cover(leg, plan, market, held, standing, read_at)
        distance = held.liquidation_distance_pct
        if distance is not None and distance < self.terms.act_pct and not plan.closing:
            self._say(Word(f"liquidation {leg}", f"{leg}: liquidation is {distance:.1f} % away; closing it now"))
            self._work(f"exit {leg}", self._out(leg, "liquidation is near"))
        elif distance is not None and distance < self.terms.warn_pct:
            self._say(Word(f"near {leg}", f"{leg}: liquidation at {held.liquidation} is {distance:.1f} % away", "",
                           "Add margin or make the position smaller"))
        if plan.closing:
            self._work(f"exit {leg}", self._out(leg, plan.closing))

    async def _cover(self, leg: LegKey, plan: Plan, market: FuturesMarket, held: Position | None,
                     standing: Sequence[TriggerState] | None, read_at: float = 0.0) -> None:
        found = await self.guard.cover(plan, market, None if held is None else held.quantity, standing, read_at)
        now = time.monotonic()
        if found is Cover.COVERED:
            since = self.bare_since.pop(leg, None)
            if since is not None:
                self.worst_bare_s = max(self.worst_bare_s, now - since)
            if (unshown_s := self.guard.unshown_s(leg)) > self.terms.unprotected_s:
                self._say(Word(f"bare {leg}", f"{leg}: the exchange takes each stop and shows none for "
                               f"{unshown_s:.0f} s; closing it now"))
                self._work(f"exit {leg}", self._out(leg, "its stop is not shown by the exchange"))
            return
        since = self.bare_since.setdefault(leg, now)
        if found is Cover.PASSED:
            self._work(f"exit {leg}", self._out(leg, "the price is beyond its stop or target"))
        elif now - since > self.terms.unprotected_s and found is Cover.OPEN:
            self._say(Word(f"bare {leg}", f"{leg}: no stop could be placed for {now - since:.0f} s; closing it now",
                           self.guard.refused.get(leg, "")))
            self._work(f"exit {leg}", self._out(leg, "it could not be protected"))

    async def _flat(self, leg: LegKey, standing: Sequence[TriggerState], other: Position | None) -> None:
        """Rule 4. A venue's answer may be a moment old: flat is believed when it lasted. `other`: what stands there in
        the other direction; by our fills, too, and somebody has turned the position round.
        """
        now = time.monotonic()
        lasted = now - self._flat_since.setdefault(leg, now)
        if lasted < FLAT_FOR_S or now - self._entered_at.get(leg, -FLAT_FOR_S) < 2 * FLAT_FOR_S:
            return
        if other is not None and self.books.held(leg):
            self.turned.add(leg)
            self._say(turned_word(leg, other))
            return
        self.turned.discard(leg)
        if self.books.held(leg) or self._entering(leg) or any(self._open(leg, kind) for kind in UNDER_WAY):
            return  # a guard whose end is not known may still come to stand
        await self.guard.clear(leg, standing)
        crash_point("leg.cleared")
        if not [one for one in standing if LegKey(one.symbol, one.position_side) == leg and self.guard.ours(one)]:
            self.books.drop(leg)
            self._flat_since.pop(leg, None)

    def _entering(self, leg: LegKey) -> bool:
        return f"{leg.symbol} {leg.side} entry" in self.executor.placing

    async def _out(self, leg: LegKey, reason: str) -> None:
        out = await self.close(leg, reason)
        if not out.flat:
            log.warning("%s: not closed yet: %s", leg, out.why)

    # -- what is under way -----------------------------------------------------------------------------------

    def resume(self) -> None:
        """Learn the end of every intent that is open; each by itself, none twice at once."""
        for entry in self.journal.open_entries(self.who.system, self.who.account):
            intent = entry.intent
            if intent.leg in CONDITIONAL:
                self._work(f"guard {intent.id}", self._settle_guard(entry))
            elif f"{intent.symbol} {intent.position_side} {intent.leg}" not in self.executor.placing:
                self._work(f"intent {intent.id}", self._resume(entry))

    def _window_ms(self) -> int:
        """How long a request of ours may still be on its way, market ms (X4)."""
        window_s = self.terms.patience.window_s + self.terms.patience.margin_s
        return round(1000 * window_s * self.market.clock.speed)

    def window_closed(self, intent: Intent) -> bool:
        """Whether what the venue does not show of a request is not merely late. Raises Unavailable."""
        return self.market.clock.now_ms() > intent.market_ms + self._window_ms()

    async def _settle_guard(self, entry: Entry) -> None:
        await self.guard.settle(entry, self._window_ms())

    async def _resume(self, entry: Entry) -> None:
        await self._book(entry.intent, await self.executor.resume(entry))

    def _work(self, name: str, work: Coroutine[object, object, None]) -> None:
        """Do something beside the heartbeat, once at a time by name."""
        if name in self._at_work:
            work.close()
            return
        self._at_work.add(name)
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._busy.add(task)
        task.add_done_callback(lambda done: self._done(name, done))

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        """A task's border: what ended it is logged, and the next heartbeat begins it anew."""
        self._at_work.discard(name)
        self._busy.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.error("%s failed", name, exc_info=problem)

    async def _book(self, intent: Intent, result: Result) -> None:
        """Count what was executed, then close the intent (X7)."""
        if isinstance(result, Filled):
            self.strayed(self.books.take(result.fills, await self.market.contracts()))
            self.books.ours([result.executed.order_id])
            try:
                await self.books.flush()
            except OSError as problem:  # X7: the intent stays open, the next `resume` books it
                log.error("%s %s was filled, the books cannot be written: %s", intent.symbol, intent.id, problem)
                return
            crash_point("perp.booked")
            self.journal.close(intent.id, "booked")
        elif isinstance(result, NothingFilled | NotPlaced | Unresolved):
            log.info("%s %s %s: %s", intent.symbol, intent.leg, intent.id, result)

    def strayed(self, new: Iterable[Fill]) -> list[str]:
        """Fills of our orders that the venue names in another leg: counted where it says, told; neither leg takes
        entries before a person has looked (X22). Returns what was found.
        """
        words = []
        for fill, ordered in strays(new, self.journal.entries):
            leg = LegKey(fill.symbol, fill.position_side)
            for one in (ordered, leg):
                self.books.block(one, f"the exchange booked an order for {ordered} in {leg}")
            words.append(stray_word(fill, ordered, leg))
            self._say(words[-1])
        return [word.what for word in words]

    async def shut(self) -> None:
        """End what runs beside; guards stay on the exchange (X36)."""
        for task in list(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
        await self.books.flush()
