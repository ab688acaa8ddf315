"""Sending one order and learning what became of it, so that none is sent twice and none is forgotten.

1. The intent is durable before the order leaves (X1).
2. Refused and never-left orders are closed at once: nothing happened there (X3).
3. An unknown outcome is never sent again. It is asked for by client id; "not there" is believed only after the
   signing time + receive window + margin, and only when said twice (X4). Until then the intent stays open.
4. An order found is ours only if the exchange made it at or after the instant we signed (X5).
5. What was executed comes from the order's fills, each once (X11).
6. Only an order that its checklist approved can be sent, and one at a time a symbol (X8, X10; see controls).
7. The caller books a `Filled` and then closes the intent. If the booking fails, nothing is ordered again: the intent
   stays open and is booked at the next chance (X7).
8. Whoever guards the position hears of every growth of the filled quantity at once, before fills are asked for (X18).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from modules.exchange.api import Account, MarketData
from modules.exchange.types import Absent, Accepted, Failed, Fill, Lookup, OrderState, Refused, Unavailable, Unknown
from modules.execution.controls import Approved
from modules.execution.crashpoints import crash_point, declare
from modules.execution.intents import Intent
from modules.execution.journal import Entry, Journal
from modules.execution.order_state import Executed, advance, fold, from_order, in_leg, own_fills
from modules.execution.refusals import ID_IN_USE

log = logging.getLogger(__name__)

declare(__name__, "intent.written", "order.answered", "order.known", "cancel.due", "cancel.answered", "order.ended",
        "result.written")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds of monotonic time; `window_s` is the receive window of the venue.

    `foreign_s`: an order older than our signature by more than this is not ours. Wide, because our ids are never used
    twice, and taking our own order for a stranger's would lose a position, while clocks may jump by seconds.
    `fills_s`: how long one sitting asks for fills; `fills_wait_s`: how old an execution may become before its fees are
    reckoned instead of read. Reckoned fees miss the venue's rounding, waiting leaves a purchase unguarded.
    """

    first_poll_s: float = 0.05
    longest_poll_s: float = 0.5
    cancel_after_s: float = 3.0
    settle_s: float = 10.0
    fills_s: float = 2.0
    fills_wait_s: float = 30.0
    window_s: float = 5.0
    margin_s: float = 1.0
    foreign_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Filled:
    """Something was executed; to be booked. `fills` prove it; empty where the venue did not tell them in time."""

    executed: Executed
    fills: tuple[Fill, ...] = ()


@dataclass(frozen=True, slots=True)
class NothingFilled:
    """The order ended without an execution (IOC without a match, cancelled)."""


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """No order exists: refused by the venue, or it never left this machine, or proven absent."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Nobody knows yet. Nothing else may be ordered for this slot; ask again later. `executed`: what the ended order
    itself tells, where only its fills are missing: exact but for the fees; to guard by, not to be recorded.
    """

    reason: str
    executed: Executed | None = None


Result = Filled | NothingFilled | NotPlaced | Unresolved
Progress = Callable[[Intent, OrderState], Awaitable[None]]

FAILED: Final = "NOT_SENT"
IN_FLIGHT: Final = "IN_FLIGHT"
ABSENT: Final = "ABSENT"


class Executor:
    """Orders of one account."""

    def __init__(self, account: Account, market: MarketData, journal: Journal, patience: Patience,
                 progress: Progress | None = None) -> None:
        self._account = account
        self._market = market
        self._journal = journal
        self._patience = patience
        self._progress = progress
        self._placing: set[str] = set()

    def _turn(self, intent: Intent) -> str:
        """What only one order at a time may be under way for (X8)."""
        return intent.symbol

    @property
    def placing(self) -> frozenset[str]:
        """Whose order is on its way now, by symbol (X8)."""
        return frozenset(self._placing)

    async def execute(self, approved: Approved[Intent]) -> Result:
        """Send an order once and see it through.

        Raises OSError when the intent cannot be written, NotApprovedError when no checklist approved it: nothing is
        sent then.
        """
        intent = approved.order
        turn = self._turn(intent)
        if turn in self._placing:  # X8
            return NotPlaced(IN_FLIGHT, "another order for it is on its way")
        self._placing.add(turn)
        try:
            return await self._send(intent)
        finally:
            self._placing.discard(turn)

    async def _send(self, intent: Intent) -> Result:
        await asyncio.to_thread(self._journal.open, intent)  # rule 1; off the loop, because it waits for the disk
        crash_point("intent.written")
        outcome = await self._account.place(intent.request())
        crash_point("order.answered")
        match outcome:
            case Accepted(order_id):
                self._journal.answer(intent.id, "accepted", order_id=order_id)
                crash_point("order.known")
                return await self._settle(intent, None)
            case Refused(code, text) if code in ID_IN_USE:
                self._journal.answer(intent.id, "unknown", code, text)
                return await self._ask(intent)
            case Refused(code, text):
                self._journal.answer(intent.id, "refused", code, text)
                self._journal.close(intent.id, "refused")
                return NotPlaced(code, text)
            case Failed(reason):
                self._journal.answer(intent.id, "failed", text=reason)
                self._journal.close(intent.id, "failed")
                return NotPlaced(FAILED, reason)
            case Unknown(reason):
                log.warning("%s %s: outcome unknown (%s); asking", intent.symbol, intent.id, reason)
                self._journal.answer(intent.id, "unknown", text=reason)
                return await self._ask(intent)

    async def resume(self, entry: Entry) -> Result:
        """Learn what became of an intent that is still open, e.g. after a crash."""
        if entry.executed is not None:
            return Filled(entry.executed, entry.fills)
        if entry.answer is not None and entry.answer.phase in ("refused", "failed"):
            self._journal.close(entry.intent.id, entry.answer.phase)
            return NotPlaced(entry.answer.code or FAILED, entry.answer.text)
        return await self._ask(entry.intent)

    async def _ask(self, intent: Intent) -> Result:
        """Rule 3."""
        absences = 0
        window_s = self._patience.window_s + self._patience.margin_s
        began = time.monotonic()
        pause = self._patience.first_poll_s
        while True:
            found = await self._look(intent)
            if isinstance(found, OrderState):
                return await self._settle(intent, found)
            waited = time.monotonic() - began
            # By both clocks: the exchange's may jump, and a request may still be on its way.
            if isinstance(found, Absent) and waited >= window_s and self._window_closed(intent):
                absences += 1
                if absences >= 2:
                    self._journal.close(intent.id, "absent")
                    return NotPlaced(ABSENT, "the exchange has no such order")
            if waited >= window_s + self._patience.settle_s:
                return Unresolved(_told(found))
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._patience.longest_poll_s)

    async def _settle(self, intent: Intent, state: OrderState | None) -> Result:
        """Wait for the order's end. Market and IOC orders end at once; one that rests is cancelled."""
        began = time.monotonic()
        pause = self._patience.first_poll_s
        cancelled = False
        told = "not shown yet"
        noticed = await self._notice(intent, state, None)
        cancel_s = intent.rest_s or self._patience.cancel_after_s
        while state is None or not state.status.terminal:
            found = await self._look(intent)
            if isinstance(found, OrderState):
                state = advance(state, found)
                noticed = await self._notice(intent, state, noticed)
                if state.status.terminal:
                    break
            told = _told(found)
            waited = time.monotonic() - began
            if waited >= self._patience.settle_s + intent.rest_s:
                return Unresolved(told)
            if waited >= cancel_s and not cancelled and state is not None:
                cancelled = True
                crash_point("cancel.due")
                await self._account.cancel(intent.symbol, intent.id)  # its answer proves nothing: the state does (X9)
                crash_point("cancel.answered")
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._patience.longest_poll_s)
        crash_point("order.ended")
        if state.filled <= 0:
            self._journal.close(intent.id, "nothing")
            return NothingFilled()
        done = await self._executed(intent, state)
        if isinstance(done, Unresolved):
            return done
        self._journal.settle(intent.id, done.executed, done.fills)
        crash_point("result.written")
        return done

    async def _notice(self, intent: Intent, state: OrderState | None, before: OrderState | None) -> OrderState | None:
        """Rule 8."""
        grew = state is not None and state.filled > (before.filled if before is not None else 0)
        if grew and self._progress is not None and state is not None:
            await self._progress(intent, state)
        return state

    async def _executed(self, intent: Intent, state: OrderState) -> Filled | Unresolved:
        """Rule 5; where the fills cannot be had, it is asked again later, and at last the order's figures are taken."""
        give_up = time.monotonic() + self._patience.fills_s
        pause = self._patience.first_poll_s
        while True:
            try:
                found = own_fills(await self._account.fills(intent.symbol, self._before(state.created_ms)), state)
            except Unavailable as problem:
                log.warning("fills of %s %s: %s", intent.symbol, intent.id, problem)
                found = []
            found = [in_leg(fill, intent.position_side) for fill in found]
            if sum(fill.quantity for fill in found) >= state.filled:
                return Filled(fold(found, state.order_id, intent.fees), tuple(found))
            if time.monotonic() >= give_up:
                if not self._older(state.updated_ms, self._patience.fills_wait_s):
                    return Unresolved("it was executed, its fills cannot be read yet", from_order(state, intent.fees))
                log.error("%s %s: fills incomplete; the order's own figures are taken", intent.symbol, intent.id)
                return Filled(from_order(state, intent.fees))
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._patience.longest_poll_s)

    async def _look(self, intent: Intent) -> Lookup:
        found = await self._account.order(intent.symbol, intent.id)
        if isinstance(found, OrderState) and found.created_ms < self._before(intent.market_ms):  # rule 4
            log.error("%s: an older order bears the id %s; it is not ours", intent.symbol, intent.id)
            return Absent(intent.id)
        return found

    def _before(self, market_ms: int) -> int:
        """An instant of market time, less what clocks may differ by."""
        return market_ms - round(1000 * self._patience.foreign_s * self._market.clock.speed)

    def _window_closed(self, intent: Intent) -> bool:
        """Whether the request can no longer be accepted, wherever it may be on its way (rule 3)."""
        return self._older(intent.market_ms, self._patience.window_s + self._patience.margin_s)

    def _older(self, market_ms: int, seconds: float) -> bool:
        """Whether an instant of market time is at least so many of our own seconds ago; False while nobody knows."""
        try:
            return self._market.clock.now_ms() >= market_ms + 1000 * seconds * self._market.clock.speed
        except Unavailable:
            return False


def _told(found: Lookup) -> str:
    match found:
        case Absent():
            return "the exchange does not show the order"
        case Unknown(reason):
            return reason
        case OrderState():
            return f"the order is still {found.status.value}"
