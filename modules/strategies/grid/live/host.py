"""One session at work: events in, decisions out to the account, everything durable before an order leaves.

1. `tell` is the only door to the pure session (`session.step`); what it decides is carried out by tasks of this host.
   An error of one host's task is its own: it is noted, told, and tried again; no other host sees it.
2. An order leaves only after the state that holds it was saved under the lease's fence (X1), and only while the lease
   holds by this process's own clock. So a worker that was paused, or lost its lease, sends nothing: the write fails.
   Should it be paused between the two, the venue refuses the request for its age (30 s), and the same order of the
   next holder has the same client id, which the venue takes once.
3. Readings of positions that an order overtook are thrown away and made again.
4. Every answer about an order goes through `_look_up`: the venue's word, fills, then the end (X17).
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from modules.exchange.bitget_codes import DUPLICATE
from modules.exchange.types import (
    Absent,
    Accepted,
    Denied,
    OrderRequest,
    OrderState,
    OrderType,
    Outcome,
    PositionSide,
    Refused,
    Side,
    Unavailable,
    Unknown,
)
from modules.execution.intents import client_id
from modules.strategies.grid import events as ev
from modules.strategies.grid.acting import fitted
from modules.strategies.grid.live.accounts import GridAccount, key_gone
from modules.strategies.grid.live.delays import Delays
from modules.strategies.grid.live.hints import Hints
from modules.strategies.grid.live.market import CONTRACT_CODES, SharedMarket
from modules.strategies.grid.live.memory import Memory, unpacked
from modules.strategies.grid.live.moved import settle_in
from modules.strategies.grid.live.readings import Readings
from modules.strategies.grid.live.stops import Stops
from modules.strategies.grid.live.told import facts, limit_event, limit_notice
from modules.strategies.grid.orders import found
from modules.strategies.grid.rules import BUY, SELL
from modules.strategies.grid.session import step
from modules.strategies.grid.state import Mode, Phase, Rulebook, SessionState, restored, rulebook, saved
from modules.strategies.grid.store.records import Event, Held, Lease, Session

log = logging.getLogger(__name__)

SYSTEM = "grid"
#: an order that the venue does not know is proven absent once its request's window is over for sure (X4)
ABSENT_MS, SIGHTINGS = 35_000, 3
FOLLOW_S = (0.0, 0.1, 0.3, 1.0, 2.0)
PROBE_KEY_S = 60.0
LEGS = {BUY: PositionSide.LONG, SELL: PositionSide.SHORT}

Keep = Callable[["Host"], Awaitable[bool]]
Tell = Callable[["Host", ev.Notice], None]


def order_side(side: int, opens: bool) -> Side:
    """What an order of a leg does."""
    return Side.BUY if (side > 0) is opens else Side.SELL


class Host:
    """One user's grid. `keep` saves it durably (False: not ours any more, or not possible now); `say` tells people."""

    def __init__(self, held: Held, book: Rulebook, account: GridAccount, market: SharedMarket, keep: Keep,
                 say: Tell, until: Callable[[], float]) -> None:
        self.lease: Lease = held.lease
        self.session: Session = held.session
        self.book, self.account, self.market = book, account, market
        self.symbol = held.session.symbol
        self.state = fitted(restored(held.state), book) if held.state else SessionState()
        self.memory: Memory = unpacked(held.facts.get("host"))
        self.readings = Readings(self)
        self.stops = Stops(self)
        self.hints = Hints(self)
        self.events: list[Event] = []
        self.problem = ""
        self.changed = True
        self.lost = False
        self.key_refused = ""
        self.epoch = 0
        self.delays = Delays()
        self._keep, self._say, self._until = keep, say, until
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: set[str] = set()
        self._told: deque[ev.Event] = deque()
        self._stepping = False
        self._absent: dict[tuple[str, int], int] = {}
        self._key_probe = 0.0
        self._limit = asyncio.Semaphore(4)
        self.quoted_at = 0.0
        self.flattened = False

    # -- the door ----------------------------------------------------------------------------------

    def tell(self, *events: ev.Event) -> None:
        """Events into the session; what it decides is begun."""
        self._told.extend(events)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._told and not self.lost:
                event = self._told.popleft()
                before = self.state
                self.state, decisions = step(before, event, self.book)
                if not isinstance(event, ev.Quote) or decisions:
                    self.changed = True
                if self.state.buy is not before.buy or self.state.sell is not before.sell:
                    self.epoch += 1
                for decision in decisions:
                    self._decide(decision)
        finally:
            self._stepping = False

    def quote(self, bid: Any, ask: Any, made_ms: int, now_ms: int, at: float) -> None:
        """One tick."""
        self.quoted_at = at
        if self.account.failing is not self.state.breaker_open:
            self.tell(ev.Breaker(now_ms, self.account.failing))
        self.tell(ev.Quote(now_ms, made_ms, bid, ask))

    @property
    def now_ms(self) -> int:
        """Market time. Raises Unavailable."""
        return self.market.clock.now_ms()

    @property
    def may_act(self) -> bool:
        """Whether the lease still holds by our own clock."""
        return not self.lost and time.monotonic() < self._until()

    def _decide(self, decision: ev.Decision) -> None:
        if isinstance(decision, ev.Place):
            self.epoch += 1
            since = self.delays.since(decision.opens, self.quoted_at)
            self.begin(f"place {decision.slot}", self._place(decision, since))
        elif isinstance(decision, ev.Cancel):
            self.begin(f"cancel {decision.slot}", self._cancel(decision))
        elif isinstance(decision, ev.Ask):
            self._asked(decision)
        elif isinstance(decision, ev.Protect):
            self.stops.want(decision)
        elif isinstance(decision, ev.Notice):
            self._keep(self)  # who is told to acknowledge something finds it saved
            self._say(self, decision)
        elif isinstance(decision, ev.LimitHit):
            self.limit_hit(decision)

    def _asked(self, ask: ev.Ask) -> None:
        if ask.what is ev.What.BALANCE and not ask.routine:
            self.delays.wish(self.quoted_at)
        if ask.what in (ev.What.BALANCE, ev.What.POSITIONS):
            self.readings.ask(ask.what, urgent=not ask.routine)
        elif ask.what is ev.What.CANDLES:
            kept = self.market.candles(self.symbol, self.book.settings.timeframe)
            if len(kept) >= ask.count:
                self.tell(ev.Candles(self.now_ms, kept))
        else:
            self.begin(f"look {ask.slot}", self._look_up(ask.slot, ask.generation))

    # -- tasks -------------------------------------------------------------------------------------

    def begin(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[None] | None:
        """Run a task of this host, one of a name at a time; its failure is this host's alone (rule 1)."""
        if self.lost or name in self._running:
            work.close()
            return None
        self._running.add(name)
        task = asyncio.create_task(self._guarded(name, work), name=f"{self.lease.user_id} {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except Unavailable as problem:
            self.trouble(problem)
        except Exception as problem:  # border of the task: one user's error is his own
            if self.failed(name, problem):
                log.exception("%s: %s failed", self.lease.user_id, name)
        finally:
            self._running.discard(name)

    def failed(self, name: str, problem: Exception) -> bool:
        """Note an error of ours within this session; True where it is a new one, to be logged."""
        text = f"{name}: {type(problem).__name__}"
        new, self.problem = self.problem != text, text
        return new

    def trouble(self, problem: Unavailable) -> None:
        """A question without an answer; a key that is gone stops this user's calls."""
        self.problem = str(problem)[:300]
        if key_gone(problem) and isinstance(problem, Denied):
            self.refuse_key(str(problem))

    def refuse_key(self, why: str) -> None:
        """The venue takes this key no more: nothing is asked with it for a while."""
        self._key_probe = time.monotonic() + PROBE_KEY_S
        if not self.key_refused:
            self.key_refused = why[:300]
            self.changed = True
            self._say(self, ev.Notice(
                "The exchange refuses the key: this grid stands still", why,
                "Positions keep their stops. Make a new key (futures trading, no withdrawals) and put it in; the grid "
                "goes on by itself", f"key-{self.session.key_version}"))

    @property
    def silent(self) -> bool:
        """Whether nothing may be asked now: the key is refused and its next probe is not due."""
        return bool(self.key_refused) and time.monotonic() < self._key_probe

    def key_works(self) -> None:
        """The venue answered with this key."""
        self.key_refused = ""
        self.problem = ""

    # -- orders ------------------------------------------------------------------------------------

    def order_id(self, slot: str, generation: int) -> str:
        """The client id of an order (X2)."""
        return client_id(SYSTEM, self.lease.user_id, self.symbol, "grid", slot, generation)

    async def durable(self) -> bool:
        """Save now; whether an order may leave (rule 2)."""
        return await self._keep(self) and self.may_act

    async def _place(self, order: ev.Place, since: float) -> None:
        if self.silent or not await self.durable():
            if not self.lost:
                why = self.key_refused or "it could not be saved beforehand, or the lease is over"
                self.tell(ev.Answered(self.now_ms, order.slot, order.generation, "refused", why))
            return
        if order.opens and self.readings.too_old:
            self.readings.ask(ev.What.POSITIONS, urgent=True)
            self.tell(ev.Answered(self.now_ms, order.slot, order.generation, "refused",
                                  "the positions were read too long ago; they are read anew"))
            return
        if order.opens and self.stops.passed(order.side, order.price):
            # Its stop is firing: what stands now is looked at before anything is added.
            self.readings.ask(ev.What.POSITIONS, urgent=True)
            self.tell(ev.Answered(self.now_ms, order.slot, order.generation, "refused", "the stop's price is passed"))
            return
        request = OrderRequest(
            self.order_id(order.slot, order.generation), self.symbol, order_side(order.side, order.opens),
            OrderType.MARKET, order.quantity, position_side=LEGS[order.side])
        async with self._limit:
            self.delays.sent.append(time.monotonic() - since)
            outcome = await self.account.place(request)
        self.delays.answered.append(time.monotonic() - since)
        self._answered(order.slot, order.generation, outcome)
        if isinstance(outcome, Accepted | Unknown):
            await self._follow(order.slot, order.generation)

    def _answered(self, slot: str, generation: int, outcome: Outcome) -> None:
        """The venue's answer to a placement, in the session's words."""
        word, text = "unknown", ""
        if isinstance(outcome, Accepted):
            word = "accepted"
            self.memory.note_order(outcome.order_id, slot)
        elif isinstance(outcome, Refused) and outcome.code != DUPLICATE:
            word, text = "refused", f"{outcome.text} (code {outcome.code})"
            self.trouble(Denied(text, outcome.code))
            if outcome.code in CONTRACT_CODES:
                self.begin("contract", self.reread_contract())
        elif not isinstance(outcome, Refused | Unknown):
            word, text = "refused", outcome.reason
        self.tell(ev.Answered(self.now_ms, slot, generation, word, text))  # type: ignore[arg-type]

    async def _cancel(self, order: ev.Cancel) -> None:
        async with self._limit:
            await self.account.cancel(self.symbol, self.order_id(order.slot, order.generation))
        await self._look_up(order.slot, order.generation)

    async def _follow(self, slot: str, generation: int) -> None:
        """Look at once what became of an order; what is still open then is asked for by the session itself."""
        for wait_s in FOLLOW_S:
            if wait_s:
                await asyncio.sleep(wait_s)
            if found(self.state, slot, generation) is None or self.lost:
                return
            await self._look_up(slot, generation)

    async def _look_up(self, slot: str, generation: int) -> None:
        """The venue's word about an order: that it stands, what it filled, its end; or that it never was."""
        order = found(self.state, slot, generation)
        if order is None or self.silent:
            return
        async with self._limit:
            told = await self.account.order(self.symbol, self.order_id(slot, generation))
        if isinstance(told, OrderState):
            self.memory.note_order(told.order_id, slot)
            if order.phase in (Phase.SENT, Phase.UNKNOWN):
                self.tell(ev.Answered(self.now_ms, slot, generation, "accepted"))
            if told.filled > 0:
                async with self._limit:
                    rows = await self.account.fills_of(self.symbol, told.order_id)
                self.readings.deliver(rows)
            if told.status.terminal:
                self.tell(ev.Done(self.now_ms, slot, generation, told.filled))
        elif isinstance(told, Absent):
            self._missing(slot, generation, order.since_ms)

    def _missing(self, slot: str, generation: int, since_ms: int) -> None:
        """One more sighting of an order that is not there (X4)."""
        count = self._absent[slot, generation] = self._absent.get((slot, generation), 0) + 1
        if count >= SIGHTINGS and self.now_ms - since_ms > ABSENT_MS * max(1.0, self.market.clock.speed):
            del self._absent[slot, generation]
            self.tell(ev.Answered(self.now_ms, slot, generation, "absent", "the exchange never had it"))

    # -- what is told ------------------------------------------------------------------------------

    def limit_hit(self, hit: ev.LimitHit) -> None:
        """A daily limit closed everything: an event that is never dropped, in the same save (X39)."""
        self.events.append(limit_event(self, hit))
        self._say(self, limit_notice(self, hit))

    @property
    def mode_word(self) -> str:
        """TEST or LIVE."""
        return str(self.account.mode)

    def state_bytes(self) -> bytes:
        """The state as it is saved."""
        return saved(self.state)

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin where the last holder left off: ask for everything that must be known (X16)."""
        if not self.memory.fills_ms:
            self.memory.fills_ms = self.memory.bills_ms = self.memory.started_ms = self.now_ms
        self.market.watch(self.symbol, self.book.settings.timeframe)
        self.candles_changed()
        self.readings.start()
        for order in self.state.pending:
            self.begin(f"look {order.slot}", self._follow(order.slot, order.generation))

    def candles_changed(self) -> None:
        """A candle of this contract and timeframe has closed."""
        kept = self.market.candles(self.symbol, self.book.settings.timeframe)
        if kept:
            self.tell(ev.Candles(self.now_ms, kept))

    def use(self, session: Session, account: GridAccount | None, book: Rulebook | None) -> None:
        """Another key or other settings for the same grid; the state stays."""
        self.session = session
        if account is not None:
            self.account, self.key_refused, self._key_probe = account, "", 0.0
            self.readings.standing = None
            self.readings.ask(ev.What.BALANCE, urgent=True)
            if self.hints.listens:
                self.hints.start()
        if book is not None:
            self.market.unwatch(self.symbol, self.book.settings.timeframe)
            self.book, self.symbol = book, session.symbol
            self.market.watch(self.symbol, book.settings.timeframe)
            settle_in(self)
            self.state = fitted(self.state, book)
            self.stops.check()
        self.changed = True

    async def reread_contract(self) -> bool:
        """The contract as the venue tells it now, with the stops that fit it; whether it is another than it was.

        Raises Unavailable.
        """
        try:
            found = await self.market.contract_anew(self.symbol)
        except KeyError:
            raise Unavailable(f"{self.symbol} is no contract of this exchange any more") from None
        if found == self.book.contract:
            return False
        log.warning("%s: the exchange has changed the contract %s: %s", self.lease.user_id, self.symbol, found)
        self.book = rulebook(self.book.settings, found)
        self.state = fitted(self.state, self.book)
        self.changed = True
        self.begin("stops", self.stops.keep())
        return True

    @property
    def flat(self) -> bool:
        """Whether the grid holds nothing and has nothing under way."""
        return not (self.state.buy.entries or self.state.sell.entries or self.state.pending)

    @property
    def done(self) -> bool:
        """Whether a stopped session has nothing under way any more."""
        return self.state.wish is Mode.STOPPED and not self.state.pending and not self._running

    @property
    def reconciled(self) -> bool:
        """Whether balance, positions and every order under way are known since the start."""
        return self.state.started and not any(one.phase is Phase.UNKNOWN for one in self.state.pending)

    async def close(self) -> None:
        """End the tasks; nothing is sent any more. Positions and stops stay where they are (X36)."""
        self.lost = True
        self.market.unwatch(self.symbol, self.book.settings.timeframe)
        await self.hints.ended()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self.account.close()
        except Unavailable as problem:
            log.warning("%s: %s", self.lease.user_id, problem)

    def packed(self) -> dict[str, Any]:
        """What is saved beside the state."""
        return facts(self)

