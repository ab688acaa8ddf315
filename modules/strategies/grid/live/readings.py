"""What a host reads of its account: balance, positions, trades, funding; paced, and never believed when overtaken.

Routine readings wait in the worker's line (`Pacer`), so that many users share one address evenly; what an order waits
for goes at once. A reading of positions that an order or fill overtook is made again (host, rule 3).
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from modules.exchange.bitget_parse import Standing
from modules.exchange.futures_types import MarginMode, Position, opens
from modules.exchange.lanes import Lane
from modules.exchange.types import Accepted, Denied, Fill, PositionSide, Unavailable
from modules.strategies.grid import events as ev
from modules.strategies.grid.ledger import ZERO, GridFill
from modules.strategies.grid.live.accounts import FUNDING_KINDS
from modules.strategies.grid.live.market import NO_CONTRACT
from modules.strategies.grid.reconcile import VenueLeg
from modules.strategies.grid.rules import BUY, SELL

if TYPE_CHECKING:
    from modules.strategies.grid.live.host import Host

USDT = "USDT"
#: trades are asked for again this far back: a replica may have lagged
OVERLAP_MS = 120_000
FUNDING_EVERY_MS = 600_000
AGAIN = 3
PLACE_S = 2.0
#: opening orders need both positions as they were so many seconds ago at most
SEEN_S = 120.0
STOPS = "STOPS"


class Pacer:
    """Routine readings of all hosts of a worker, in order of asking, `width` at a time; each waits once."""

    def __init__(self, width: int = 24) -> None:
        self._first: OrderedDict[tuple[Readings, str], None] = OrderedDict()
        self._waiting: OrderedDict[tuple[Readings, str], None] = OrderedDict()
        self._width = width
        self._event = asyncio.Event()

    def put(self, readings: "Readings", what: str, *, first: bool = False) -> None:
        """One more; `first`: of a session that starts, before the routine of the others."""
        (self._first if first else self._waiting).setdefault((readings, what))
        self._event.set()

    def drop(self, readings: "Readings", what: str) -> None:
        """It was read meanwhile, for a reason of its own."""
        self._waiting.pop((readings, what), None)

    @property
    def length(self) -> int:
        """How many wait."""
        return len(self._waiting) + len(self._first)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._width):
                group.create_task(self._one())

    async def _one(self) -> None:
        while True:
            while not (self._first or self._waiting):
                self._event.clear()
                await self._event.wait()
            lane = Lane.EXIT if self._first else Lane.DATA
            (readings, what), _ = (self._first or self._waiting).popitem(last=False)
            await readings.routine(what, lane)


class Readings:
    """One host's readings."""

    def __init__(self, host: "Host") -> None:
        self.host = host
        self.pacer: Pacer | None = None
        self.standing: Standing | None = None
        self.liquidation: dict[int, Decimal | None] = {BUY: None, SELL: None}
        self._queued: set[str] = set()
        self._funding_ms = 0
        self._looked = False
        self.read_at = self.seen_at = 0.0

    # -- asking ------------------------------------------------------------------------------------

    def ask(self, what: ev.What, *, urgent: bool) -> None:
        """A reading is wanted; one of a kind at a time."""
        if self.host.silent:
            return
        if what in self._queued and not self.host.state.started:
            return  # its turn comes
        if urgent or self.pacer is None:
            self._begin(what, Lane.EXIT)
        elif what not in self._queued:
            self._queued.add(what)
            self.pacer.put(self, what)

    def ask_stops(self) -> None:
        """Whether the stops stand still: routine."""
        if self.pacer is None:
            self.host.stops.check()
        else:
            self.pacer.put(self, STOPS)

    @property
    def too_old(self) -> bool:
        """Whether both positions were read too long ago for an opening order."""
        return time.monotonic() - self.seen_at > SEEN_S

    def _begin(self, what: str, lane: Lane) -> asyncio.Task[None] | None:
        if what == STOPS:
            return self.host.stops.check()
        work = self._balance(lane) if what is ev.What.BALANCE else self._positions(lane)
        return self.host.begin(f"read {what}", work)

    def start(self) -> None:
        """Everything that must be known before the first order (X16): positions, and the balance on the way to them.
        Thousands of users begin over one address, so nothing is asked twice."""
        if self.pacer is None:
            self._begin(ev.What.POSITIONS, Lane.EXIT)
        elif ev.What.POSITIONS not in self._queued:
            self._queued |= {ev.What.BALANCE, ev.What.POSITIONS}
            self.pacer.put(self, ev.What.POSITIONS, first=True)

    async def routine(self, what: str, lane: Lane) -> None:
        """A reading whose turn has come. A user whose calls hang holds a place of the line for `PLACE_S`, no longer:
        his reading goes on alone, and he gets no other place before it is over."""
        self._queued.discard(what)
        if not self.host.lost:
            task = self._begin(what, lane)
            if task is not None:
                await asyncio.wait({task}, timeout=PLACE_S)

    # -- balance -----------------------------------------------------------------------------------

    async def _balance(self, lane: Lane) -> None:
        await self.read_standing(lane)

    async def read_standing(self, lane: Lane) -> Standing:
        """Money and modes. Raises Unavailable."""
        host = self.host
        found = await host.account.standing(host.symbol, lane)
        host.key_works()
        self._queued.discard(ev.What.BALANCE)
        if self.pacer is not None:
            self.pacer.drop(self, ev.What.BALANCE)
        self.standing = found
        self.read_at = time.monotonic()
        host.tell(ev.Balance(host.now_ms, found.wallet.balance, found.wallet.available))
        host.delays.over()
        return found

    # -- positions ---------------------------------------------------------------------------------

    async def _positions(self, lane: Lane) -> None:
        host = self.host
        try:
            standing = self.standing or await self.read_standing(Lane.EXIT)
            if not host.memory.arranged:
                standing = await self._arrange(standing)
            for _ in range(AGAIN):
                epoch = host.epoch
                rows = [row for row in await host.account.positions(lane) if row.symbol == host.symbol]
                if host.epoch != epoch:
                    continue
                legs = self._legs(rows, standing)
                if self._differs(legs) and await self._explained():
                    continue
                if host.epoch != epoch:
                    continue
                self._liquidations(rows)
                self.seen_at = time.monotonic()
                host.tell(ev.Positions(host.now_ms, *legs))
                host.stops.start()
                break
            await self._funding()
        except Unavailable:
            host.tell(ev.Positions(host.now_ms, VenueLeg(BUY, read=False), VenueLeg(SELL, read=False)))
            raise
        finally:
            self._queued.discard(ev.What.BALANCE)

    def _legs(self, rows: Sequence[Position], standing: Standing) -> tuple[VenueLeg, VenueLeg]:
        """Both sides by name, never by place (X22). Another mode than agreed is told as the wrong one."""
        hedge = (standing.hedge and standing.margin is self.wanted_margin
                 and not any(row.side is PositionSide.BOTH for row in rows))
        held = {row.side: row for row in rows}
        found = []
        for side, name in ((BUY, PositionSide.LONG), (SELL, PositionSide.SHORT)):
            row = held.get(name)
            found.append(VenueLeg(side, abs(row.quantity) if row else ZERO, row.entry if row else ZERO, True, hedge))
        return found[0], found[1]

    @property
    def wanted_margin(self) -> MarginMode:
        """The agreed margin mode."""
        return getattr(self.host.account, "margin", MarginMode.CROSSED)

    def _differs(self, legs: Iterable[VenueLeg]) -> bool:
        state = self.host.state
        return any(leg.quantity != state.ledger(leg.side).quantity + state.ledger(leg.side).external_known
                   and not state.under_way(leg.side) for leg in legs)

    def _liquidations(self, rows: Sequence[Position]) -> None:
        for side, name in ((BUY, PositionSide.LONG), (SELL, PositionSide.SHORT)):
            self.liquidation[side] = next((row.liquidation for row in rows if row.side is name), None)

    async def _arrange(self, standing: Standing) -> Standing:
        """Before the first order of a grid: modes and leverage, where nothing is held or open; else nothing is
        switched, and the mode is told as wrong (X22)."""
        host, wanted = self.host, self.host.book.settings.leverage
        fits = standing.hedge and standing.margin is self.wanted_margin and standing.leverage == wanted
        if not fits and not await host.account.positions() and not await host.account.open_orders():
            steps = []
            if not standing.hedge:
                steps.append(await host.account.set_hedge(True))
            if standing.margin is not self.wanted_margin:
                steps.append(await host.account.set_margin(host.symbol, self.wanted_margin))
            if standing.leverage != wanted:
                steps.append(await host.account.set_leverage(host.symbol, wanted))
            wrong = [one for one in steps if not isinstance(one, Accepted)]
            if wrong:
                host.problem = f"modes or leverage cannot be set: {wrong[0]}"[:300]
            standing = await self.read_standing(Lane.EXIT)
        host.memory.arranged = True
        host.changed = True
        if standing.leverage != wanted:
            host._say(host, ev.Notice(
                f"{host.symbol}: the leverage on the exchange is {standing.leverage}, the grid's {wanted}",
                "It is not changed while positions or orders are open", "Set it by hand, or close them and start again",
                f"leverage-{host.lease.user_id}-{standing.leverage}"))
        return standing

    # -- trades ------------------------------------------------------------------------------------

    async def _explained(self) -> bool:
        """Whether new trades tell why positions differ; of a contract that was removed none can be asked for."""
        try:
            return await self.sync_fills()
        except Denied as problem:
            if problem.code in NO_CONTRACT:
                return False
            raise

    async def sync_fills(self) -> bool:
        """Trades since the last look; whether any was new."""
        host = self.host
        rows = await host.account.fills(host.symbol, max(host.memory.fills_ms - OVERLAP_MS, 0))
        # Trades from before the grid's start are none of its own.
        fresh = [row for row in rows if row.id not in host.memory.seen and row.market_ms >= host.memory.started_ms]
        unknown = {row.order_id for row in fresh if row.order_id not in host.memory.orders}
        if unknown:
            await host.stops.find_orders(unknown)
        before = host.epoch
        self.deliver(fresh)
        if rows:
            host.memory.fills_ms = max(host.memory.fills_ms, rows[-1].market_ms)
        return host.epoch != before

    def deliver(self, rows: Iterable[Fill]) -> None:
        """Trades into the session, each once."""
        host = self.host
        for row in rows:
            slot = host.memory.orders.get(row.order_id, "")
            if row.position_side is PositionSide.BOTH:
                continue  # one-way mode: the comparison tells that it is the wrong mode
            if not host.memory.note_seen(row.id):
                continue
            host.memory.last_trade_ms = max(host.memory.last_trade_ms, row.market_ms) if slot else (
                host.memory.last_trade_ms)
            opened = opens(row.side, row.position_side)
            host.tell(ev.Filled(host.now_ms, GridFill(
                row.id, slot, BUY if row.position_side is PositionSide.LONG else SELL, opened, row.price, row.quantity,
                self._fee(row), row.market_ms)))

    def _fee(self, row: Fill) -> Decimal:
        """In USDT; paid in another coin it is reckoned at the taker's rate, which is not less."""
        if row.fee_asset == USDT:
            return row.fee
        return row.price * row.quantity * self.host.book.contract.taker

    # -- funding -----------------------------------------------------------------------------------

    async def _funding(self) -> None:
        """Funding since the last look, now and then while something is held."""
        host, now_ms = self.host, self.host.now_ms
        held = host.state.buy.entries or host.state.sell.entries
        if not self._looked:  # the first reading of a start waits for nothing else; funding comes with the next
            self._looked = True
            return
        if not held or now_ms - self._funding_ms < FUNDING_EVERY_MS:
            return
        self._funding_ms = now_ms
        rows = [row for row in await host.account.incomes(host.memory.bills_ms)
                if row.kind in FUNDING_KINDS and row.symbol == host.symbol and row.id not in host.memory.bills]
        for row in rows:
            host.tell(ev.Funded(host.now_ms, row.amount))
            host.memory.bills = (*host.memory.bills, row.id)[-50:]
            host.memory.bills_ms = max(host.memory.bills_ms, row.market_ms)

