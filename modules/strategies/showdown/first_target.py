"""The first target as an order on the exchange, so that it is taken while nobody is awake (C7).

1. From the first fill on a reduce-only order for `tp1_share_pct` of what is held waits at the first target, beside stop
   and second target. What will stay (`stays`) is on disk before the order leaves.
2. Taken, whenever that was: exactly `stays` is left (a rest that the market did not fill is closed by capped orders),
   then the stop goes to the average entry. Is the price beyond that again by then, the rest is closed at once: the stop
   would have been reached.
3. Where the exchange refuses the order, the loop's own look at the mark price takes the target (`positions.due`).
4. After a restart 1m candles since the entry judge where no order could have taken it: on the paper account, which
   lives no longer than the program, and where a death came before the order. Reached: the part is closed at the market
   now, then the stop goes to the entry, as if it had been taken.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal

from modules.exchange.futures_types import FuturesMarket, Position
from modules.exchange.types import Mode
from modules.execution.crashpoints import crash_point, declare
from modules.execution.futures.desk import FuturesDesk
from modules.execution.futures.part import Fate, PartTake
from modules.execution.futures.plan import Plan
from modules.strategies.showdown import positions
from modules.strategies.showdown.positions import Trade, Units
from modules.strategies.showdown.settings import ShowdownSettings

log = logging.getLogger(__name__)

declare(__name__, "aim.written", "aim.placed", "part.written")

MINUTE_MS = 60_000
MOST_CANDLES = 10_080  # a week, the longest time of a trade by default
LAG_S = 3.0  # the venue's answer to a question for positions may be so old
RETRY_S = 5.0
Alter = Callable[..., Awaitable[Trade]]


class FirstTarget:
    """The orders of one mode's trades. `alter(trade, **changes)` makes a trade's change durable."""

    def __init__(self, desk: FuturesDesk, settings: ShowdownSettings, alter: Alter, found: Iterable[Trade]) -> None:
        """`found`: trades that were open when the program started."""
        self._desk, self._settings, self._alter = desk, settings, alter
        self._unjudged = {one.id for one in found if not one.entering and one.leave is None}
        self.late: set[str] = set()
        self._parts = PartTake(desk)
        self._taken_at: dict[str, float] = {}
        self._refused_at: dict[str, float] = {}

    def wanted(self, trade: Trade, plan: Plan | None, held: Position, units: Units) -> bool:
        """Whether something is to be done about it; asks nothing."""
        if plan is None or plan.closing or trade.closing or trade.leave is not None or trade.part_done:
            return False
        if trade.id in self._unjudged:
            return True
        part = positions.part_of(abs(held.quantity), units, self._settings)
        if not part or self._parts.stands(plan, trade.tp1, part):
            return False
        return time.monotonic() - self._refused_at.get(trade.id, -RETRY_S) >= RETRY_S

    async def aim(self, trade: Trade, plan: Plan, held: Position, units: Units, market: FuturesMarket) -> None:
        """Bring the order to what is held; told by the exchange that it was taken: write that down (rules 1, 2)."""
        part = positions.part_of(abs(held.quantity), units, self._settings)
        found, entry = await self._parts.fate(plan), self._parts.newest(plan)
        if trade.id in self._unjudged and found is not Fate.UNKNOWN:
            stood = entry is not None and entry.verdict == "standing" and trade.mode != Mode.TEST
            if found is not Fate.TAKEN and not stood and await self._reached(trade):
                if await self.ours(trade, plan, abs(held.quantity) - part):
                    self.late.add(trade.id)
                return
            self._unjudged.discard(trade.id)
        if found is Fate.STANDING and entry is not None:
            if (entry.intent.price, entry.intent.quantity) == (trade.tp1, part):
                return  # placed since the last look
            found = await self._parts.withdraw(plan)
        if found is Fate.TAKEN:
            await self.taken(trade, abs(held.quantity))
        if found is not Fate.NONE:
            return
        await self._alter(trade, stays=abs(held.quantity) - part)
        crash_point("aim.written")
        found = await self._parts.place(plan, market, trade.tp1, part)
        crash_point("aim.placed")
        if found is not Fate.STANDING:
            self._refused_at[trade.id] = time.monotonic()

    async def _reached(self, trade: Trade) -> bool:
        """Whether a minute that began after the entry reached the target (rule 4). Raises Unavailable."""
        since = -(-(trade.entered_ms or trade.decided_ms) // MINUTE_MS) * MINUTE_MS
        count = min(MOST_CANDLES, (self._desk.market.clock.now_ms() - since) // MINUTE_MS + 1)
        if count <= 0:
            return False
        bars = await self._desk.market.candles(trade.symbol, "1m", count, since)
        level = float(trade.tp1)
        return bool(len(bars)) and bool(bars[:, 2].max() >= level if trade.long else bars[:, 3].min() <= level)

    async def taken(self, trade: Trade, held: Decimal) -> None:
        """The exchange has taken it: what stays is what was written before the order left."""
        log.info("%s: the first target was taken on the exchange", trade.symbol)
        self._taken_at[trade.id] = time.monotonic()
        await self._alter(trade, leave=held if trade.stays is None else trade.stays)
        crash_point("part.written")

    async def ours(self, trade: Trade, plan: Plan | None, leave: Decimal) -> bool:
        """The loop takes the target itself: whether it may close down to `leave` now. Not where the exchange took it
        meanwhile, nor while the end of its order is not known (rule 3).
        """
        found = await self._parts.withdraw(plan) if plan is not None else Fate.NONE
        if found is Fate.TAKEN:
            await self.taken(trade, leave)
        if found is not Fate.NONE:
            return False
        await self._alter(trade, leave=leave)
        crash_point("part.written")
        return True

    def lags(self, trade: Trade, held: Decimal) -> bool:
        """Whether what is held may be an answer from before the order was filled."""
        return (trade.leave is not None and held > trade.leave
                and time.monotonic() - self._taken_at.get(trade.id, -LAG_S) < LAG_S)
