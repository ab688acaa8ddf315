"""Part of a leg closed at a price by an order on the venue, whoever is awake then: a first target.

1. One conditional order of a fixed quantity, reduce-only: it can only close. It protects nothing; stop and take profit
   of the leg stand beside it, and the looks of `Guard` leave it alone (but for a leg that is flat, which is cleared).
2. Another price or quantity: the old one is cancelled, and its end is known before a new one goes. Two that fill would
   close twice.
3. Its end is what the venue says of its id. While that is not known, nothing is placed and nothing is concluded (X15):
   one that the venue took and does not show is gone only after the window, and when that was said twice (X4).
"""

import asyncio
import logging
from decimal import Decimal
from enum import StrEnum

from modules.exchange.futures_types import FuturesMarket, TriggerKind, TriggerRequest, TriggerState, TriggerStatus
from modules.exchange.types import Absent, OrderType, Refused
from modules.execution.futures.desk import FuturesDesk
from modules.execution.futures.guard import PASSED
from modules.execution.futures.plan import LegKey, Plan
from modules.execution.intents import FeeTerms, Intent, client_id
from modules.execution.journal import Entry

log = logging.getLogger(__name__)


class Fate(StrEnum):
    """What became of the newest order for the part."""

    NONE = "none"  # none was placed, or it ended without a fill
    STANDING = "standing"
    TAKEN = "taken"
    PASSED = "passed"  # the venue would not take it: the price is beyond already
    UNKNOWN = "unknown"


class PartTake:
    """Part orders of one desk's legs. A leg's plan names the slot, so each position has its own."""

    def __init__(self, desk: FuturesDesk) -> None:
        self._desk = desk

    def newest(self, plan: Plan) -> Entry | None:
        """The newest order of the position's part by the journal."""
        who = self._desk.who
        found = self._desk.journal.of_slot(who.system, who.account, plan.symbol, "part", _slot(plan))
        return found[-1] if found else None

    def stands(self, plan: Plan, price: Decimal, quantity: Decimal) -> bool:
        """Whether it stood so at the desk's last look; asks nothing."""
        entry = self.newest(plan)
        return entry is not None and any(
            one.client_id == entry.intent.id and one.status is TriggerStatus.WAITING and one.trigger == price
            and one.quantity == quantity for one in self._desk.standing)

    async def fate(self, plan: Plan) -> Fate:
        """What became of it (rule 3). Raises Unavailable."""
        entry = self.newest(plan)
        if entry is None:
            return Fate.NONE
        if entry.open:  # its placing is not known yet: the desk settles it beside
            return Fate.UNKNOWN
        if entry.verdict != "standing":
            return Fate.NONE
        for _ in range(2):
            state = await self._desk.account.trigger(plan.symbol, entry.intent.id)
            if isinstance(state, TriggerState):
                return {TriggerStatus.WAITING: Fate.STANDING, TriggerStatus.TRIGGERED: Fate.TAKEN}.get(
                    state.status, Fate.NONE)
            if not isinstance(state, Absent) or not self._desk.window_closed(entry.intent):
                return Fate.UNKNOWN
        return Fate.NONE

    async def withdraw(self, plan: Plan) -> Fate:
        """Take it back; anything but NONE and TAKEN: its end is not known, ask again. Raises Unavailable."""
        found = await self.fate(plan)
        entry = self.newest(plan)
        if found is not Fate.STANDING or entry is None:
            return found
        await self._desk.account.cancel_trigger(plan.symbol, entry.intent.id)  # its answer proves nothing (X9)
        return await self.fate(plan)

    async def place(self, plan: Plan, market: FuturesMarket, price: Decimal, quantity: Decimal) -> Fate:
        """Send one; the caller has seen that none stands (rule 2). Raises Unavailable, OSError."""
        intent = self._intent(plan, market, price, quantity)
        await asyncio.to_thread(self._desk.journal.open, intent)
        outcome = await self._desk.account.place_trigger(TriggerRequest(
            intent.id, plan.symbol, plan.closing_side, plan.side, TriggerKind.TAKE, price, quantity))
        found = await self._desk.guard.judge(intent, outcome)
        if isinstance(found, Refused):
            if found.code not in PASSED:
                log.warning("%s: the order for the first target was refused: %s (%s)", LegKey.of(plan), found.text,
                            found.code)
            return Fate.PASSED if found.code in PASSED else Fate.NONE
        return Fate.STANDING if found else Fate.UNKNOWN

    def _intent(self, plan: Plan, market: FuturesMarket, price: Decimal, quantity: Decimal) -> Intent:
        who, slot = self._desk.who, _slot(plan)
        number = self._desk.journal.next_generation(who.system, who.account, plan.symbol, "part", slot)
        return Intent(
            id=client_id(who.system, who.account, plan.symbol, "part", slot, number), system=who.system,
            account=who.account, symbol=plan.symbol, leg="part", slot=slot, generation=number, side=plan.closing_side,
            type=OrderType.MARKET, quantity=quantity, price=price, reason=f"first target of {plan.slot}",
            market_ms=self._desk.market.clock.now_ms(), fees=FeeTerms(market.base, market.quote, market.taker_fee),
            position_side=plan.side, reduce_only=True)


def _slot(plan: Plan) -> str:
    return f"{plan.side}:{plan.slot}"
