"""Getting out: capped orders that re-quote, widening, until the leg is flat (X27). Nothing here ever opens.

1. Each round asks the venue what the leg holds, and sends one immediate-or-cancel order for that, at the best price of
   the other side less a cap. What was not filled is asked for again with twice the cap.
2. Where the venue refuses the price (its band), or the caps are used up, a market order goes.
3. Flat is believed when the venue said so twice (X36). An order whose end is not known ends the sitting: nothing else
   is sent for the leg until that is known (X4).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from modules.exchange import bybit_codes
from modules.exchange.api import MarketClock
from modules.exchange.futures_api import FuturesAccount, FuturesMarketData
from modules.exchange.futures_types import FuturesMarket, Position
from modules.exchange.types import Book, OrderType, Side
from modules.execution.controls import RefusedExit, approve_perp_exit
from modules.execution.crashpoints import crash_point, declare
from modules.execution.executor import Executor, Filled, NotPlaced, Result, Unresolved
from modules.execution.futures.guard import NOTHING_HELD, Identity
from modules.execution.futures.plan import ZERO, LegKey, Plan, Word
from modules.execution.intents import FeeTerms, Intent, client_id
from modules.execution.journal import Journal

log = logging.getLogger(__name__)

declare(__name__, "exit.due", "exit.booked")

BAND = frozenset({"-4016", "-4024", "-4131", "-2020", "-4002", "-4013"}) | bybit_codes.BAND
WIDEST_PCT = Decimal("4.5")
ALARM_ROUND = 3
MOST_ROUNDS = 40
PAUSE_S = 0.2
LONGEST_PAUSE_S = 3.0


@dataclass(frozen=True, slots=True)
class Out:
    """How a sitting ended: `flat`, or why not yet."""

    flat: bool
    why: str = ""


class Exits:
    """Exits of one account. `book` counts a result; `say` reaches a person."""

    def __init__(self, account: FuturesAccount, market: FuturesMarketData, executor: Executor, journal: Journal,
                 who: Identity, first_pct: Decimal, book: Callable[[Intent, Result], Awaitable[None]],
                 say: Callable[[Word], None]) -> None:
        self._account, self._market, self._executor, self._journal = account, market, executor, journal
        self._clock: MarketClock = market.clock
        self._who, self._first_pct, self._book, self._say = who, first_pct, book, say

    async def close(self, plan: Plan, market: FuturesMarket, leave: Decimal = ZERO) -> Out:
        """One sitting, until at most `leave` is held. Raises Unavailable where the venue does not answer; call again
        then: what is asked for counts from what is held, so nothing is closed twice.
        """
        leg, flat_seen, market_order, pause = LegKey.of(plan), 0, False, PAUSE_S
        most = None  # what is left by our own fills: an answer of the venue may be a moment old, and part must stay
        for number in range(MOST_ROUNDS):
            position = await self._held(leg)
            held = abs(position.quantity) if position is not None and plan.fits(position) else ZERO
            held = held if most is None else min(held, most)
            if position is None or held - leave < (market.step if leave else Decimal("1e-18")):
                flat_seen += 1
                if flat_seen >= 2:
                    return Out(True)
                await asyncio.sleep(PAUSE_S)
                continue
            flat_seen = 0
            if number == ALARM_ROUND:
                self._say(Word(f"exit {leg}", f"{leg}: closing takes long, {abs(position.quantity)} are still open",
                               plan.closing, "Nothing: it goes on with wider prices until it is out"))
            result = await self._round(plan, market, position, held - leave, number, market_order)
            match result:
                case Filled(executed):
                    most = held - executed.quantity if leave else None
                    pause = PAUSE_S
                case Unresolved(reason):
                    return Out(False, reason)
                case NotPlaced(code, text) if code not in NOTHING_HELD:
                    market_order = code in BAND
                    log.warning("%s: an exit was not placed: %s (%s)", leg, text, code)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_S)
                case _:
                    await asyncio.sleep(PAUSE_S)
        return Out(False, "the exchange did not fill it")

    async def _held(self, leg: LegKey) -> Position | None:
        return next((one for one in await self._account.positions() if LegKey.of(one) == leg), None)

    async def _round(self, plan: Plan, market: FuturesMarket, position: Position, excess: Decimal, number: int,
                     market_order: bool) -> Result:
        cap = min(self._first_pct * 2**min(number, 10), WIDEST_PCT)
        price = None
        if not market_order and cap < WIDEST_PCT:
            price = capped(await self._market.book(plan.symbol, 5), plan.closing_side, cap, market)
        intent = self._intent(plan, market, excess, price)
        approved = approve_perp_exit(intent, market, position.quantity)
        if isinstance(approved, RefusedExit):
            return NotPlaced(str(approved.code), approved.text)
        crash_point("exit.due")
        result = await self._executor.execute(approved)
        await self._book(approved.order, result)
        crash_point("exit.booked")
        return result

    def _intent(self, plan: Plan, market: FuturesMarket, excess: Decimal, price: Decimal | None) -> Intent:
        slot = f"{plan.side}:{plan.slot}"
        number = self._journal.next_generation(self._who.system, self._who.account, plan.symbol, "exit", slot)
        return Intent(
            id=client_id(self._who.system, self._who.account, plan.symbol, "exit", slot, number),
            system=self._who.system, account=self._who.account, symbol=plan.symbol, leg="exit", slot=slot,
            generation=number, side=plan.closing_side, type=OrderType.MARKET if price is None else OrderType.IOC,
            quantity=excess, price=price, reason=plan.closing or "close",
            market_ms=self._clock.now_ms(), fees=FeeTerms(market.base, market.quote, market.taker_fee),
            position_side=plan.side, reduce_only=True)


def capped(book: Book, side: Side, cap_pct: Decimal, market: FuturesMarket) -> Decimal | None:
    """The worst price of an exit: the best of the other side less the cap, on a tick; None for an empty book."""
    levels = book.bids if side is Side.SELL else book.asks
    if not levels:
        return None
    share = cap_pct / 100
    if side is Side.SELL:
        return (levels[0][0] * (1 - share) / market.tick).to_integral_value(ROUND_FLOOR) * market.tick
    return (levels[0][0] * (1 + share) / market.tick).to_integral_value(ROUND_CEILING) * market.tick


