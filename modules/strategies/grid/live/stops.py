"""Protective stops on the exchange, kept as the session wants them (X18): the new one first, then the old one goes.

1. What is wanted comes from the session (`Protect`), what stands from the venue; after a restart both are compared.
2. A stop that the venue refuses because its price is passed already: the side is looked at anew, and where it is still
   held everything is closed (the stop would have done it).
3. A stop of ours that is gone without being cancelled has fired: its order is ours, and its fills close entries.
4. What is more than the venue takes in one order stands in parts.
5. A side whose stop is refused is tried again, the other one's is not kept waiting. A grid that is stopped tries a few
   times more, and is given back then: nobody could remove it otherwise.
"""

import asyncio
import logging
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from modules.exchange.futures_types import (
    PriceSource,
    TriggerKind,
    TriggerRequest,
    TriggerState,
    TriggerStatus,
)
from modules.exchange.types import Absent, Accepted, Refused, Unknown
from modules.execution.intents import PREFIX, client_id
from modules.strategies.grid import events as ev
from modules.strategies.grid.acting import STOP_SLOT
from modules.strategies.grid.live.market import CONTRACT_CODES, NO_CONTRACT
from modules.strategies.grid.live.memory import Stop
from modules.strategies.grid.rules import BUY, SELL
from modules.strategies.grid.state import Mode

if TYPE_CHECKING:
    from modules.strategies.grid.live.host import Host

log = logging.getLogger(__name__)

#: the price has passed the stop: Bitget's codes, Binance's for the paper account
PASSED = frozenset({"40834", "40836", "45122", "-2021"})
#: there is no position (any more) to protect, or no contract
NOTHING = frozenset({"22002", "40891", "43023", "-2022", "-4509"}) | NO_CONTRACT
RETRY_S = 5.0
LAST_TRIES = 3
CHECK_TICKS = 60
RETIRED_KEPT = 20


class Stops:
    """One host's stops."""

    def __init__(self, host: "Host") -> None:
        self.host = host
        self.retired: list[Stop] = []
        self._checked_tick = 0
        self._started = False

    @property
    def wanted(self) -> dict[int, tuple[Decimal, Decimal]]:
        """(trigger, quantity) of each side."""
        return {BUY: self.host.state.protected[0], SELL: self.host.state.protected[1]}

    def want(self, decision: ev.Protect) -> None:
        """The session wants another stop; the newest wish counts."""
        self.host.begin("stops", self.keep())

    def start(self) -> None:
        """After a restart: what stands, against what is wanted; once."""
        if self._started:
            return
        self._started = True
        if not self.settled:
            self.check()
        elif self.host.memory.stops:  # they stood as they are wanted when they were saved
            self.host.readings.ask_stops()

    def look(self) -> None:
        """Now and then: whether they stand still."""
        host = self.host
        if host.state.tick - self._checked_tick >= CHECK_TICKS and (
                host.memory.stops or host.state.buy.entries or host.state.sell.entries):
            self._checked_tick = host.state.tick
            host.readings.ask_stops()

    def check(self) -> asyncio.Task[None] | None:
        """What stands, against what is wanted, at once."""
        return None if self.host.silent else self.host.begin("stops", self._verify())

    def passed(self, side: int, price: Decimal) -> bool:
        """Whether the price lies beyond the stop of a side."""
        trigger, quantity = self.wanted[side]
        return bool(quantity) and side * (price - trigger) <= 0

    # -- keeping -----------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Until what stands is what is wanted."""
        tries = 0
        while not self.settled and tries < LAST_TRIES:
            before = self.host.state.protected
            done = [await self._side(side) for side in (BUY, SELL)]
            if not self.settled and (not all(done) or self.host.state.protected == before):
                tries += self.host.state.wish is Mode.STOPPED
                await asyncio.sleep(RETRY_S)

    @property
    def settled(self) -> bool:
        """Whether what stands is what is wanted, as far as is known."""
        return self.host.lost or all(self._right(side) for side in (BUY, SELL))

    def _right(self, side: int) -> bool:
        mine = self._of(side)
        missing, surplus = self._compared(side, mine)
        return not (missing or surplus) and all(one.sure for one in mine)

    def _of(self, side: int) -> list[Stop]:
        return [one for one in self.host.memory.stops if one.side == side]

    def _compared(self, side: int, mine: list[Stop]) -> tuple[list[Decimal], list[Stop]]:
        """(quantities that have no stop yet, stops that are not wanted) of a side."""
        trigger, quantity = self.wanted[side]
        missing, surplus = self.host.book.contract.parts(quantity), []
        for one in mine:
            if one.trigger == trigger and one.quantity in missing:
                missing.remove(one.quantity)
            else:
                surplus.append(one)
        return missing, surplus

    async def _side(self, side: int) -> bool:
        """One side brought nearer to what is wanted; True where that is done."""
        trigger = self.wanted[side][0]
        for doubtful in [one for one in self._of(side) if not one.sure]:
            await self._asked(doubtful)
        missing, surplus = self._compared(side, [one for one in self._of(side) if one.sure])
        for quantity in missing:
            stands = await self._place(side, trigger, quantity)
            if not stands:
                return stands is None
        for old in surplus:
            await self._cancel(old)
        return True

    async def _place(self, side: int, trigger: Decimal, quantity: Decimal) -> bool | None:
        """A new stop; False: to be tried again later, None: something else is wanted by now, or will be."""
        host, memory = self.host, self.host.memory
        generation = memory.generation + 1
        stop = Stop(client_id("grid", host.lease.user_id, host.symbol, STOP_SLOT, str(side), generation), side, trigger,
                    quantity, generation)
        memory.generation = generation
        memory.stops = (*memory.stops, stop)
        if host.silent or not await host.durable():
            self._forget(stop)
            return False
        from modules.strategies.grid.live.host import LEGS, order_side
        outcome = await host.account.place_trigger(TriggerRequest(
            stop.client_id, host.symbol, order_side(side, False), LEGS[side], TriggerKind.STOP, trigger, quantity,
            PriceSource.MARK))
        if isinstance(outcome, Accepted):
            self._sure(stop)
            return True
        if isinstance(outcome, Unknown):
            return False  # it is asked about before another one is placed
        self._forget(stop)
        if isinstance(outcome, Refused):
            return await self._refused(side, outcome)
        return False

    async def _refused(self, side: int, outcome: Refused) -> bool | None:
        host = self.host
        if outcome.code in NOTHING:
            host.readings.ask(ev.What.POSITIONS, urgent=True)
            return None
        if outcome.code in PASSED:
            fired = await host.readings.sync_fills()
            if not fired and host.state.ledger(side).entries and host.state.closing is None:
                host._say(host, ev.Notice(
                    f"{host.symbol}: the price has passed the protective stop of the {'BUY' if side > 0 else 'SELL'} "
                    f"side; everything is closed", outcome.text, "The grid drains; start it again when you wish",
                    f"stop-passed-{host.lease.user_id}-{host.memory.generation}"))
                host.flattened = True
                host.tell(ev.Said(host.now_ms, ev.Word.FLATTEN, "protective stop"))
            return None
        if outcome.code in CONTRACT_CODES and await host.reread_contract():
            return None  # the contract as it is now wants another one
        host.problem = f"the protective stop is refused: {outcome.text} (code {outcome.code})"
        host._say(host, ev.Notice(
            f"{host.symbol}: the protective stop of the {'BUY' if side > 0 else 'SELL'} side is refused",
            f"{outcome.text} (code {outcome.code})", "It is tried again; look at the account on the exchange",
            f"stop-refused-{host.lease.user_id}-{outcome.code}"))
        return False

    async def _cancel(self, stop: Stop) -> None:
        outcome = await self.host.account.cancel_trigger(self.host.symbol, stop.client_id)
        if isinstance(outcome, Accepted):
            self._forget(stop)
        else:
            await self._asked(stop)

    async def _asked(self, stop: Stop) -> None:
        """What became of a stop that is not where we thought."""
        host = self.host
        found = await host.account.trigger(host.symbol, stop.client_id)
        if isinstance(found, Absent):
            self._forget(stop)
        elif isinstance(found, TriggerState):
            if found.status is TriggerStatus.WAITING:
                self._sure(stop)
                return
            if found.status is TriggerStatus.TRIGGERED:
                host.memory.note_order(found.order_id, f"{STOP_SLOT}{stop.side}")
                host.readings.ask(ev.What.POSITIONS, urgent=True)
            self._forget(stop)

    def _forget(self, stop: Stop) -> None:
        memory = self.host.memory
        memory.stops = tuple(one for one in memory.stops if one.client_id != stop.client_id)
        self.retired = [*self.retired, stop][-RETIRED_KEPT:]
        self.host.changed = True

    def _sure(self, stop: Stop) -> None:
        memory = self.host.memory
        memory.stops = tuple(replace(one, sure=True) if one.client_id == stop.client_id else one
                             for one in memory.stops)
        self.host.changed = True

    # -- looking -----------------------------------------------------------------------------------

    async def _verify(self) -> None:
        """Stops on the exchange against ours; ids of ours that nobody wants are cancelled, strangers' are left."""
        host = self.host
        standing = {one.client_id: one for one in await host.account.open_triggers(host.symbol)}
        for stop in host.memory.stops:
            if stop.client_id in standing:
                self._sure(stop)
            else:
                await self._asked(stop)
        mine = {one.client_id for one in host.memory.stops}
        for name in standing:
            if name.startswith(PREFIX) and name not in mine and await self._ours(name):
                await host.account.cancel_trigger(host.symbol, name)
        await self.keep()

    async def _ours(self, name: str) -> bool:
        """Whether a stop with our prefix is of this grid: an earlier generation of it."""
        host = self.host
        return any(name == client_id("grid", host.lease.user_id, host.symbol, STOP_SLOT, str(side), generation)
                   for side in (BUY, SELL)
                   for generation in range(max(1, host.memory.generation - 50), host.memory.generation + 50))

    async def find_orders(self, unknown: set[str]) -> None:
        """Which of these orders a stop of ours has become (rule 3)."""
        host = self.host
        for stop in [*host.memory.stops, *self.retired]:
            found = await host.account.trigger(host.symbol, stop.client_id)
            if isinstance(found, TriggerState) and found.order_id in unknown:
                host.memory.note_order(found.order_id, f"{STOP_SLOT}{stop.side}")
                self._forget(stop)
