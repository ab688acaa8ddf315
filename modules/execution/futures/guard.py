"""Stops and take profits on the venue: a position is covered from its first fill on, without a gap in between (X18).

1. A guard closes at market and can only close, so two of them never double a position. A new one is placed first and
   the old one cancelled after the venue took the new.
2. There are two forms: one that closes whatever the leg holds (closePosition), and one of a fixed quantity. The venue
   keeps a single closePosition order for a leg and kind (−4130), so a replacement takes the fixed form first, and the
   closing form follows once the old one is gone: fills that come later are covered by it before anybody knows of them.
   More than one order may hold goes in parts.
3. Each placement is an intent of its own (X1). Its generation grows with every guard of the leg; where an answer is
   unknown, or does not come at once, the next one goes under another slot, since covering the position twice is safe
   and leaving it is not. The request that hangs is left to its end beside it.
4. Only our own conditional orders are ever cancelled (X13): those whose ids the journal knows.
5. An answer may only say that a request was taken. A stop counts as standing once a list has shown it: one that is
   placed anew at each look and never shown protects nothing (`unshown_s`).
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import count

from modules.exchange import bybit_codes
from modules.exchange.api import MarketClock
from modules.exchange.futures_api import FuturesAccount
from modules.exchange.futures_types import (
    FuturesMarket,
    PriceSource,
    TriggerKind,
    TriggerRequest,
    TriggerState,
    TriggerStatus,
)
from modules.exchange.prompt import PROMPT_S
from modules.exchange.types import Absent, Accepted, Failed, OrderType, Outcome, Refused, Unknown
from modules.execution.crashpoints import crash_point, declare
from modules.execution.futures.plan import LegKey, Plan
from modules.execution.intents import FeeTerms, Intent, client_id
from modules.execution.journal import Entry, Journal

log = logging.getLogger(__name__)

declare(__name__, "guard.written", "guard.answered", "guard.replacing", "guard.cancelled")

LEGS = {TriggerKind.STOP: "stop", TriggerKind.TAKE: "take"}
ONE_AT_A_TIME = frozenset({"-4130"})
PASSED = frozenset({"-2021"}) | bybit_codes.PASSED
NOTHING_HELD = frozenset({"-2022", "-4118", "-4509"}) | bybit_codes.NOTHING_HELD
FULL = frozenset({"-4045", "-2025"}) | bybit_codes.FULL
UNSHOWN_TIMES = 3


class Cover(StrEnum):
    """How a leg stands after a look."""

    COVERED = "covered"
    PASSED = "passed"  # the price is beyond the trigger already: close now
    FLAT = "flat"  # the venue says there is nothing to protect
    OPEN = "open"  # not covered; look again at once


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose orders these are."""

    system: str
    account: str


class Guard:
    """Conditional orders of one account."""

    def __init__(self, account: FuturesAccount, clock: MarketClock, journal: Journal, who: Identity,
                 source: PriceSource = PriceSource.MARK) -> None:
        self._account, self._clock, self._journal = account, clock, journal
        self._who, self._source = who, source
        self._locks: dict[LegKey, asyncio.Lock] = {}
        self._acted_at: dict[LegKey, float] = {}
        self._hanging: set[asyncio.Task[Cover]] = set()
        self.refused: dict[LegKey, str] = {}
        self._unshown: dict[LegKey, tuple[float, int]] = {}  # since when, and how often in a row (rule 5)

    def unshown_s(self, leg: LegKey) -> float:
        """For how long the venue has taken one stop after the other and shown none; 0 where it is not so (rule 5)."""
        since, times = self._unshown.get(leg, (0.0, 0))
        return time.monotonic() - since if times >= UNSHOWN_TIMES else 0.0

    def _count(self, leg: LegKey, shown: bool, found: Cover) -> None:
        if shown or found is Cover.FLAT:
            self._unshown.pop(leg, None)
        elif found is Cover.COVERED:
            since, times = self._unshown.get(leg, (time.monotonic(), 0))
            self._unshown[leg] = (since, times + 1)

    def ours(self, state: TriggerState) -> bool:
        """Rule 4."""
        return state.client_id in self._journal.entries

    def _covers(self, state: TriggerState) -> bool:
        """Whether it is one of a leg's own two guards: an order for a part of it (`part`) guards nothing."""
        entry = self._journal.entries.get(state.client_id)
        return entry is not None and entry.intent.leg != "part"

    async def cover(self, plan: Plan, market: FuturesMarket, held: Decimal | None,
                    standing: Sequence[TriggerState] | None, read_at: float = 0.0) -> Cover:
        """Bring a leg's guards to its plan. `held`: the leg's quantity where known; `standing`: the account's waiting
        conditional orders of the symbol as read at `read_at` (monotonic); they are asked for anew where something was
        placed since. Raises Unavailable, and OSError where no intent can be written.
        """
        leg = LegKey.of(plan)
        async with self._locks.setdefault(leg, asyncio.Lock()):
            if standing is None or self._acted_at.get(leg, 0.0) >= read_at:
                standing = await self._account.open_triggers(plan.symbol)
            mine = [one for one in standing if one.symbol == plan.symbol and one.position_side is plan.side
                    and one.side is plan.closing_side and self._covers(one)]
            stop = await self._one(plan, market, held, TriggerKind.STOP, plan.stop, mine)
            self._count(leg, any(one.kind == TriggerKind.STOP and one.status is TriggerStatus.WAITING for one in mine),
                        stop)
            if plan.take is None:
                await self._cancel([one for one in mine if one.kind == TriggerKind.TAKE])
                return stop
            if stop in (Cover.FLAT, Cover.PASSED):
                return stop
            take = await self._one(plan, market, held, TriggerKind.TAKE, plan.take, mine)
            return take if take is Cover.PASSED else stop

    async def _one(self, plan: Plan, market: FuturesMarket, held: Decimal | None, kind: TriggerKind, price: Decimal,
                   mine: Sequence[TriggerState]) -> Cover:
        same = [one for one in mine if one.kind == kind and one.status is TriggerStatus.WAITING]
        price = (price // market.tick) * market.tick
        closing = [one for one in same if one.trigger == price and one.quantity is None]
        fixed = [one for one in same if one.trigger == price and one.quantity is not None]
        if closing or (held is not None and fixed and sum(one.quantity or 0 for one in fixed) >= abs(held)):
            stay = closing[:1] or fixed
            await self._cancel([one for one in same if one not in stay])
            back = stay is fixed and len(same) == len(fixed)  # rule 2: back to the closing form
            if back and await self._place(plan, market, kind, price, None) is Cover.COVERED:
                await self._cancel(fixed)
            return Cover.COVERED
        whole = any(one.quantity is None for one in same)
        if whole and held is None:
            return Cover.COVERED if kind is TriggerKind.TAKE else Cover.OPEN
        if same:
            crash_point("guard.replacing")
        for part in _parts(held if whole else None, market):
            found = await self._twice(plan, market, kind, price, part, held)
            if found is not Cover.COVERED:
                return found
        await self._cancel(same)  # rule 1: only now
        return Cover.COVERED

    async def _twice(self, plan: Plan, market: FuturesMarket, kind: TriggerKind, price: Decimal,
                     quantity: Decimal | None, held: Decimal | None) -> Cover:
        """Place one, and another one where nobody knows of the first or it hangs (rule 3). The one that hangs may have
        arrived: where the quantity is known the second one takes the fixed form (rule 2).
        """
        intent = await self._written(plan, market, kind, price, quantity)
        first = asyncio.create_task(self._send(plan, intent, kind, price))
        self._hanging.add(first)
        first.add_done_callback(self._ended)
        done, _ = await asyncio.wait({first}, timeout=PROMPT_S)
        if not done:
            fits = held is not None and abs(held) <= market.market_max
            second = await self._place(plan, market, kind, price, held if quantity is None and fits else quantity)
            if second is not Cover.COVERED and await self._stands(plan, kind, price):  # the first one did arrive
                return Cover.COVERED
            return second if second is not Cover.OPEN else await asyncio.shield(first)
        found = first.result()
        if found is Cover.OPEN and LegKey.of(plan) not in self.refused:
            found = await self._place(plan, market, kind, price, quantity)
        return found

    async def _stands(self, plan: Plan, kind: TriggerKind, price: Decimal) -> bool:
        return any(one.kind == kind and one.trigger == price and one.quantity is None and self.ours(one)
                   and one.position_side is plan.side and one.status is TriggerStatus.WAITING
                   for one in await self._account.open_triggers(plan.symbol))

    def _ended(self, task: "asyncio.Task[Cover]") -> None:
        """A placement's border: what ended one that nobody waits for any more is logged; its intent stays open."""
        self._hanging.discard(task)
        if not task.cancelled() and isinstance(problem := task.exception(), Exception):
            log.warning("placing a guard failed: %s", problem)

    async def _place(self, plan: Plan, market: FuturesMarket, kind: TriggerKind, price: Decimal,
                     held: Decimal | None) -> Cover:
        return await self._send(plan, await self._written(plan, market, kind, price, held), kind, price)

    async def _written(self, plan: Plan, market: FuturesMarket, kind: TriggerKind, price: Decimal,
                       held: Decimal | None) -> Intent:
        intent = self._intent(plan, market, kind, price, held)
        await asyncio.to_thread(self._journal.open, intent)
        crash_point("guard.written")
        return intent

    async def _send(self, plan: Plan, intent: Intent, kind: TriggerKind, price: Decimal) -> Cover:
        leg = LegKey.of(plan)
        outcome = await self._account.place_trigger(TriggerRequest(
            intent.id, plan.symbol, plan.closing_side, plan.side, kind, price, intent.quantity, self._source))
        crash_point("guard.answered")
        self._acted_at[leg] = time.monotonic()
        found = await self.judge(intent, outcome)
        self.refused.pop(leg, None)
        if isinstance(found, Refused):
            if found.code in PASSED:
                return Cover.PASSED
            if found.code in NOTHING_HELD:
                return Cover.FLAT
            self.refused[leg] = f"{found.text} (code {found.code})"
            log.log(logging.INFO if found.code in ONE_AT_A_TIME else logging.ERROR, "%s: the %s at %s was refused: %s",
                    leg, LEGS[kind], price, self.refused[leg])
            if found.code in FULL:
                await self._cancel([one for one in await self._account.open_triggers(plan.symbol) if self.ours(one)
                                    and one.position_side is plan.side and one.kind != TriggerKind.STOP])
            return Cover.OPEN
        return Cover.COVERED if found else Cover.OPEN

    async def judge(self, intent: Intent, outcome: Outcome) -> Refused | bool:
        """True where it stands; False where nobody knows, or it never left."""
        match outcome:
            case Accepted(order_id):
                self._journal.answer(intent.id, "accepted", order_id=order_id)
                self._journal.close(intent.id, "standing")
                return True
            case Refused(code, text):
                self._journal.answer(intent.id, "refused", code, text)
                self._journal.close(intent.id, "refused")
                return outcome
            case Failed(reason):
                self._journal.answer(intent.id, "failed", text=reason)
                self._journal.close(intent.id, "failed")
                return False
            case Unknown(reason):
                log.warning("%s %s: outcome unknown (%s); asking", intent.symbol, intent.id, reason)
                self._journal.answer(intent.id, "unknown", text=reason)
                return await self._found(intent)

    async def _found(self, intent: Intent) -> bool:
        """Whether it arrived after all; absent now proves nothing (X4): that is settled by `settle` later."""
        for pause in (0.0, 0.1):
            await asyncio.sleep(pause)
            state = await self._account.trigger(intent.symbol, intent.id)
            if isinstance(state, TriggerState):
                self._journal.answer(intent.id, "accepted", order_id=state.trigger_id)
                self._journal.close(intent.id, "standing")
                return state.status is TriggerStatus.WAITING
        return False

    async def settle(self, entry: Entry, window_ms: int) -> bool:
        """Learn the end of a guard whose placing is open in the journal, e.g. after a crash; True once it is known."""
        intent = entry.intent
        state = await self._account.trigger(intent.symbol, intent.id)
        if isinstance(state, TriggerState):
            self._journal.answer(intent.id, "accepted", order_id=state.trigger_id)
            self._journal.close(intent.id, "standing")
            return True
        if isinstance(state, Absent) and self._clock.now_ms() > intent.market_ms + window_ms:
            again = await self._account.trigger(intent.symbol, intent.id)  # X4: said twice, after the window
            if isinstance(again, Absent):
                self._journal.close(intent.id, "absent")
                return True
        return False

    async def clear(self, leg: LegKey, standing: Sequence[TriggerState]) -> None:
        """The leg is flat: cancel what still waits for it."""
        self._unshown.pop(leg, None)
        await self._cancel([one for one in standing if one.symbol == leg.symbol and one.position_side is leg.side
                            and one.status is TriggerStatus.WAITING and self.ours(one)])

    async def _cancel(self, old: Sequence[TriggerState]) -> None:
        """Its answer proves nothing and nothing depends on it: the next look sees what still stands (X9)."""
        for one in old:
            outcome = await self._account.cancel_trigger(one.symbol, one.client_id)
            crash_point("guard.cancelled")
            if not isinstance(outcome, Accepted):
                log.info("%s: an old conditional order was not cancelled now: %s", one.symbol, outcome)

    def _intent(self, plan: Plan, market: FuturesMarket, kind: TriggerKind, price: Decimal,
                held: Decimal | None) -> Intent:
        leg = "stop" if kind is TriggerKind.STOP else "take"
        who, journal = self._who, self._journal
        names = (f"{plan.side}:{place}" for place in count())  # X2: one more than placings whose end is not known
        slot = next(name for name in names if not any(
            entry.open for entry in journal.of_slot(who.system, who.account, plan.symbol, leg, name)))
        number = journal.next_generation(who.system, who.account, plan.symbol, leg, slot)
        return Intent(
            id=client_id(who.system, who.account, plan.symbol, leg, slot, number), system=who.system,
            account=who.account, symbol=plan.symbol, leg="stop" if kind is TriggerKind.STOP else "take", slot=slot,
            generation=number, side=plan.closing_side, type=OrderType.MARKET,
            quantity=None if held is None else abs(held), price=price, reason=f"{leg} of {plan.slot}",
            market_ms=self._clock.now_ms(), fees=FeeTerms(market.base, market.quote, market.taker_fee),
            position_side=plan.side, reduce_only=True)


def _parts(held: Decimal | None, market: FuturesMarket) -> list[Decimal | None]:
    """The fixed form of a quantity, in parts that the venue takes; None stays the closing form."""
    if held is None:
        return [None]
    most = market.market_max // market.step * market.step
    if most <= 0 or abs(held) <= most:
        return [held]
    whole, rest = divmod(abs(held), most)
    return [*[most] * int(whole), *([rest] if rest else [])]
