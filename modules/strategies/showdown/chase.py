"""The entry of a trade: quote after quote, at last perhaps the emergency fill (rules in `positions`).

1. One order at a time; while the end of one is not known, nothing else goes out (X4).
2. How many went out and what they filled is read from the journal each time: a crash forgets nothing.
3. What the desk refuses for now (the account is not read yet) is tried again while the decision lives; any other
   refusal ends the entry, with the desk's words.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from decimal import Decimal

from modules.exchange.types import OrderType, Unavailable
from modules.execution.controls import PerpRefusals
from modules.execution.crashpoints import crash_point, declare
from modules.execution.futures.checklist import PerpAsk, PerpCode
from modules.execution.futures.desk import FuturesDesk
from modules.execution.futures.setup import DeskTerms
from modules.strategies.showdown import positions, trade_book
from modules.strategies.showdown.positions import Quote, Stop, Trade, Units
from modules.strategies.showdown.settings import ShowdownSettings

log = logging.getLogger(__name__)

declare(__name__, "chase.due", "chase.quoted", "emergency.due", "emergency.done")

PASSING = frozenset({PerpCode.CLOSED, PerpCode.STALE, PerpCode.UNRESOLVED})
LEAST_REST_S = 0.25
PAUSE_S = 0.1
BOOK_LEVELS = 20


class Chase:
    """One entry. `may`: whether it may still go on; False ends it before its next order."""

    def __init__(self, desk: FuturesDesk, settings: ShowdownSettings, may: Callable[[], bool]) -> None:
        self._desk, self._settings, self._may = desk, settings, may

    async def run(self, trade: Trade) -> Stop | None:
        """Until it is over; None where it goes on later (this process ends). Raises OSError by the disk."""
        while True:
            entries = self._desk.journal.of_cause(trade.id)
            if any(entry.open for entry in entries):  # rule 1
                await asyncio.sleep(PAUSE_S)
                continue
            if not self._may():
                return Stop("it was called off")
            try:
                found = await self._next(trade)
                if isinstance(found, Stop):
                    return found
                began = time.monotonic()
                refused = await self._order(trade, found)
            except Unavailable as problem:
                log.warning("%s: a quote could not be made: %s", trade.symbol, problem)
                if self._late(trade):
                    return Stop(f"the exchange did not answer while the decision lived: {problem}")
                await asyncio.sleep(1.0)
                continue
            if refused is not None:
                if not all(one.code in PASSING for one in refused.found):
                    return Stop(f"refused: {refused.text()}")
                await asyncio.sleep(1.0)
            elif time.monotonic() - began < LEAST_REST_S:  # it ended at once: refused by the venue, or filled
                await asyncio.sleep(LEAST_REST_S)

    async def _next(self, trade: Trade) -> Quote | Stop:
        market = (await self._desk.market.contracts()).get(trade.symbol)
        if market is None:
            return Stop("the exchange does not list the contract any more")
        book = await self._desk.market.book(trade.symbol, BOOK_LEVELS)
        units = Units(market.tick, market.step, market.min_notional, market.taker_fee)
        sent = trade_book.sent(self._desk.journal.of_cause(trade.id))
        found = positions.next_order(trade, sent, book.bids, book.asks, self._desk.market.clock.now_ms(), units,
                                     self._settings)
        return found if isinstance(found, Stop) else await self._within_margin(trade, found, units, self._desk.terms)

    async def _within_margin(self, trade: Trade, quote: Quote, units: Units, terms: DeskTerms) -> Quote | Stop:
        """No more than the margin that is free now carries (C6); said where it is less than was decided."""
        wallet = await self._desk.account.wallet()
        each = quote.price * (1 / Decimal(terms.leverage) + 2 * units.fee)
        most = (wallet.available * terms.margin_share / each * Decimal("0.98") // units.step) * units.step
        if most >= quote.quantity:
            return quote
        if most * quote.price < units.min_notional:
            return Stop(f"MARGIN: {wallet.available:.2f} USDT are free, too little for the venue's least order")
        log.warning("%s: margin carries %s of %s", trade.symbol, most, quote.quantity)
        return quote._replace(quantity=most)

    async def _order(self, trade: Trade, quote: Quote) -> PerpRefusals | None:
        """Send one and see it to its end. Raises Unavailable, OSError."""
        kind = OrderType.IOC if quote.emergency else OrderType.LIMIT
        ask = PerpAsk(trade.symbol, trade.long, quote.quantity, kind, quote.price, trade.stop, trade.tp2)
        rest_s = max(LEAST_REST_S, self._settings.chase_rest_s / self._desk.market.clock.speed)
        what = "emergency fill" if quote.emergency else "quote"
        if quote.emergency:
            crash_point("emergency.due")
        else:
            crash_point("chase.due")
        result = await self._desk.enter(ask, trade.id, trade.id, f"{what}: {trade.reason}",
                                        0.0 if quote.emergency else rest_s)
        if quote.emergency:
            crash_point("emergency.done")
        else:
            crash_point("chase.quoted")
        if isinstance(result, PerpRefusals):
            return result
        log.info("%s: %s of %s at %s: %s", trade.symbol, what, quote.quantity, quote.price, type(result).__name__)
        return None

    def _late(self, trade: Trade) -> bool:
        try:
            now_ms = self._desk.market.clock.now_ms()
        except Unavailable:
            return False
        return now_ms > trade.decided_ms + 1000 * self._settings.entry_lives_s
