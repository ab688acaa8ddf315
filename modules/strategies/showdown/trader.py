"""The execution of system C in one mode (C7): decisions into orders, targets, ends; a keeper guards beside it (C8).

1. A trade is on disk before its first order leaves; its id is the cause of all its entry orders, so that after a crash
   the journal tells how many quotes went out and what they filled. Nothing is ordered while the end of one is open.
2. The first target waits on the exchange (`first_target`); reached, it is written (`leave`) before anything else. The
   stop's move is held against the plan on disk: each step is done again after a crash until it is done, never twice.
3. A trade is over once the keeper has dropped its leg: the venue and our fills both say that it is flat.
4. Entries wait for the account to be read and set as it must be; exits and guards wait for nobody.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from decimal import Decimal

import msgspec

from modules.exchange.futures_types import Position
from modules.exchange.types import Mode, Unavailable
from modules.execution.crashpoints import crash_point, declare
from modules.execution.futures.keeper import Keeper
from modules.execution.futures.plan import LegKey, Plan
from modules.execution.journal import Entry
from modules.strategies.showdown import positions, trade_book
from modules.strategies.showdown.chase import Chase
from modules.strategies.showdown.first_target import FirstTarget
from modules.strategies.showdown.positions import ZERO, Close, Even, Part, Refusal, Trade, Units
from modules.strategies.showdown.records import Decision
from modules.strategies.showdown.settings import ShowdownSettings
from modules.strategies.showdown.trade_book import TradeBook
from modules.strategies.showdown.trade_words import Voice, name

log = logging.getLogger(__name__)

declare(__name__, "trade.written", "part.reduced", "part.done", "even.done", "trade.over")

FRESH_S = 15.0  # figures of the account older than this move nothing
LOOPS_KEPT = 600
STOP_S = 3.0


class Trader:
    """One mode. `active`: whether new trades begin here; `offer` is what the decision's side calls."""

    def __init__(self, mode: Mode, keeper: Keeper, book: TradeBook, settings: ShowdownSettings, voice: Voice) -> None:
        self.mode, self.keeper, self.book, self.settings = mode, keeper, book, settings
        self.desk, self.voice = keeper.desk, voice
        self.active = False
        self.stopping = False
        self.target = FirstTarget(self.desk, settings, self._alter, book.trades.open.values())
        self._altering = asyncio.Lock()
        self._offered: dict[str, Decision] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._loops: list[float] = []

    # -- wishes ----------------------------------------------------------------------------------------------

    def offer(self, decision: Decision) -> None:
        """A decision, as it was made; a newer one takes the place of one that still waits."""
        self._offered[decision.symbol] = decision

    async def close(self, symbol: str, why: str) -> str:
        """A person wants it closed; what will happen, for them. Raises OSError."""
        trade = self.book.trades.open.get(symbol)
        if trade is None:
            return f"{symbol}: nothing is held by system C"
        await self._alter(trade, closing=trade.closing or why, by_hand=True)
        return f"{name(trade)} is being closed"

    async def run(self) -> None:
        """The loop, until cancelled."""
        await self.keeper.guarded.wait()
        while not self.stopping:
            began = time.monotonic()
            try:
                await self.turn()
            except (Unavailable, OSError) as problem:
                log.warning("%s: a look at the trades failed: %s", self.mode, problem)
            took = time.monotonic() - began
            self._loops = [*self._loops, took][-LOOPS_KEPT:]
            await asyncio.sleep(max(0.05, self.settings.execute_s - took))

    async def stop(self) -> None:
        """Take back what would still open something; positions stay guarded on the exchange (X36)."""
        self.stopping = True
        end = time.monotonic() + STOP_S
        while (waiting := [task for task in self._busy.values() if not task.done()]) and time.monotonic() < end:
            for trade in self.book.trades.open.values():  # again and again: an order may have been on its way
                await self._cancel(trade)
            await asyncio.wait(waiting, timeout=0.3)
        for task in self._busy.values():
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)

    def held(self) -> list[dict[str, str]]:
        """What is held for the trades that are followed, for /btc: figures of the venue as text."""
        found = []
        for trade in self.book.trades.open.values():
            one = self.desk.positions.get(self.leg(trade))
            told = {"symbol": trade.symbol, "side": "LONG" if trade.long else "SHORT", "stop": f"{trade.stop:f}",
                    "target": f"{trade.tp2 if trade.part_done else trade.tp1:f}",
                    "state": "closing" if trade.closing else "entering" if trade.entering else "open"}
            if one is not None:
                told |= {"quantity": f"{abs(one.quantity):f}", "entry": f"{one.entry:.2f}", "mark": f"{one.mark:.2f}",
                         "unrealised": f"{one.unrealised:+.2f}"}
            found.append(told)
        return found

    def loop_ms(self) -> tuple[float, float]:
        """Median and longest of the newest loops, in ms."""
        times = sorted(self._loops) or [0.0]
        return round(1000 * times[len(times) // 2], 2), round(1000 * times[-1], 2)

    # -- one look --------------------------------------------------------------------------------------------

    async def turn(self) -> None:
        """New decisions, then what is followed. Raises Unavailable, OSError."""
        for symbol, decision in list(self._offered.items()):
            if await self._take(decision) and self._offered.get(symbol) is decision:
                del self._offered[symbol]
        for symbol in list(self.book.trades.open):
            trade = self.book.trades.open.get(symbol)
            if trade is not None and trade.entering:
                await self._aim(trade, f"{symbol} target")  # beside the chase: what is filled has its target
                trade = self.book.trades.open.get(symbol)  # the chase may have ended meanwhile
            if trade is None:
                continue
            if self._working(trade):
                if trade.entering and not self._may_enter(trade.symbol):
                    await self._cancel(trade)
                continue
            if trade.entering:
                self._work(trade, self._enter(trade))
            else:
                await self._follow(trade)

    async def _take(self, decision: Decision) -> bool:
        """Begin a trade; False while it has to wait (rule 4)."""
        seen = self.book.trades.seen.get(decision.symbol, 0)
        rests = self.book.trades.rests.get(decision.symbol, decision.action)
        if decision.mode == self.mode and rests != decision.action:
            async with self._altering:
                await asyncio.to_thread(self.book.rested, decision.symbol)
        if decision.action == "flat" or decision.ms <= seen or not self.active or decision.mode != self.mode:
            return True
        now = self.desk.market.clock.now_ms()
        found = positions.followed(decision, now, self.settings)
        if isinstance(found, Trade) and (not self.keeper.opened.is_set() or self.desk.closed):
            return False
        against = self._against(found)
        if isinstance(found, Refusal) or against:
            async with self._altering:
                await asyncio.to_thread(self.book.pass_over, decision.symbol, decision.ms)
            if decision.symbol not in self.book.trades.open:
                why = against if isinstance(found, Trade) else f"{found.code}: {found.said}"
                self.voice.say("ORDERS", str(self.mode), f"{decision.symbol}: a decision was not followed", why,
                               "Nothing: nothing is held", level="warning")
            return True
        assert isinstance(found, Trade)
        trade = msgspec.structs.replace(found, mode=str(self.mode))
        await self.desk.verify(self.keeper.symbols)  # X22: what was changed by hand since is seen before it matters
        await self._keep(trade)
        crash_point("trade.written")
        self._work(trade, self._enter(trade))
        return True

    def _against(self, found: Trade | Refusal) -> str:
        """What speaks against a trade before anything is asked of the venue."""
        if not isinstance(found, Trade):
            return ""
        if found.symbol in self.book.trades.open:
            return "HELD: a trade is followed already"
        if self.book.trades.rests.get(found.symbol) == ("long" if found.long else "short"):
            return "BY_HAND: it was closed by hand; the same way again only after a decision that says otherwise"
        leg = self.desk.leg_of(found.symbol, found.long)
        if leg in self.desk.books.plans or leg in self.desk.positions:
            return "HELD: a position is held that no trade of system C explains; it is guarded where it is ours"
        return ""

    async def _enter(self, trade: Trade) -> None:
        """The chase, to its end (see `chase`)."""
        done = await Chase(self.desk, self.settings, lambda: self._may_enter(trade.symbol)).run(trade)
        if done is None:  # stopped, or it goes on after the next start
            return
        trade = self.book.trades.open.get(trade.symbol, trade)
        now = self.desk.market.clock.now_ms()
        sent = trade_book.sent(self.entries(trade))
        why = "the first target was reached" if trade.leave is not None else done.why
        trade = await self._alter(trade, entering=False, entered=why, entered_ms=now)
        if sent.filled:
            emergency = f"; {', '.join(done.emergency)} spoke against an emergency fill" if done.emergency else ""
            self.voice.opened(trade, f"{sent.filled:f}", f"{sent.average:.2f}",
                              f"{why}, {sent.quotes} quote{'s' if sent.quotes != 1 else ''}{emergency}")
            return
        told = f" ({', '.join(done.emergency)} spoke against an emergency fill)" if done.emergency else ""
        self.voice.refused(trade, done.why + told)

    def _may_enter(self, symbol: str) -> bool:
        trade = self.book.trades.open.get(symbol)
        return not self.stopping and self.active and trade is not None and not trade.closing and trade.leave is None

    async def _follow(self, trade: Trade) -> None:
        """Rules 2 and 3."""
        if self._at_work(f"{trade.symbol} target"):
            return
        leg = self.leg(trade)
        held, plan = self.desk.positions.get(leg), self.desk.books.plans.get(leg)
        if plan is not None and plan.closing.startswith("by ") and not trade.by_hand:  # a person's word to the keeper
            trade = await self._alter(trade, by_hand=True)
        if held is None or held.long != trade.long:
            if leg not in self.desk.books.plans and not any(entry.open for entry in self.entries(trade)):
                self._work(trade, self._end(trade, leg))
            return
        if time.monotonic() - self.desk.read_at > FRESH_S:
            return
        units = await self.units(trade.symbol)
        act = positions.due(trade, abs(held.quantity), held.entry, held.mark, self.desk.market.clock.now_ms(), units,
                            self.settings)
        if isinstance(act, Part):
            if not self.target.lags(trade, abs(held.quantity)):
                self._work(trade, self._part(trade, leg, act.leave))
        elif isinstance(act, Even):
            self._work(trade, self._even(trade, leg, act.stop))
        elif isinstance(act, Close):
            self._work(trade, self._close(trade, leg, act.why))
        elif plan is not None and not plan.closing and (plan.stop, plan.take) != (trade.stop, trade.tp2):
            self._work(trade, self._even(trade, leg, trade.stop))  # written, and not yet carried out
        else:
            await self._aim(trade, trade.symbol)

    async def _aim(self, trade: Trade, work: str) -> None:
        """Have the first target stand on the exchange for what is held (`first_target`)."""
        leg = self.leg(trade)
        held, plan = self.desk.positions.get(leg), self.desk.books.plans.get(leg)
        if held is None or held.long != trade.long or plan is None or self._at_work(work):
            return
        if self.target.wanted(trade, plan, held, await self.units(trade.symbol)):
            self._work(trade, self._place(trade, plan, held), work)

    async def _place(self, trade: Trade, plan: Plan, held: Position) -> None:
        market = (await self.desk.market.contracts())[trade.symbol]
        await self.target.aim(trade, plan, held, await self.units(trade.symbol), market)

    async def _part(self, trade: Trade, leg: LegKey, leave: Decimal) -> None:
        """What is held beyond `leave` is closed; by the exchange's own order where that was taken meanwhile."""
        if trade.leave is None and not await self.target.ours(trade, self.desk.books.plans.get(leg), leave):
            return
        out = await self.desk.reduce(leg, leave, "first target")
        crash_point("part.reduced")
        if out.flat:
            await self._alter(trade, part_done=True)
            crash_point("part.done")
            self.voice.part(trade, f"{leave:f}", trade.id in self.target.late)

    async def _even(self, trade: Trade, leg: LegKey, stop: Decimal) -> None:
        if leg not in self.desk.books.plans:
            return
        await self._alter(trade, stop=stop)
        await self.desk.move(leg, stop, trade.tp2)
        crash_point("even.done")

    async def _close(self, trade: Trade, leg: LegKey, why: str) -> None:
        if not trade.closing:
            await self._alter(trade, closing=why)
        await self.desk.close(leg, why)

    async def _end(self, trade: Trade, leg: LegKey) -> None:
        books = self.desk.books
        fills = trade_book.fills_of(trade, self.entries(trade), books.ledgers[leg.side].fills(trade.symbol))
        rows = await self.desk.account.incomes(trade.decided_ms)  # the books may not have read the last of them yet
        funding = sum((row.amount for row in rows if row.kind == "FUNDING_FEE" and row.symbol == trade.symbol
                       and row.market_ms >= trade.decided_ms), ZERO)
        told = trade_book.ended(trade, self.entries(trade), fills, funding)
        async with self._altering:
            await asyncio.to_thread(self.book.end, trade, told)
        crash_point("trade.over")
        if told is not None:
            self.voice.ended(told)

    # -- helpers ---------------------------------------------------------------------------------------------

    def leg(self, trade: Trade) -> LegKey:
        """Where it is held."""
        return self.desk.leg_of(trade.symbol, trade.long)

    def entries(self, trade: Trade) -> list[Entry]:
        """The intents that it caused."""
        return self.desk.journal.of_cause(trade.id)

    async def units(self, symbol: str) -> Units:
        """The contract's grid. Raises Unavailable."""
        market = (await self.desk.market.contracts()).get(symbol)
        if market is None:
            raise Unavailable(f"The exchange does not list {symbol} any more.")
        return Units(market.tick, market.step, market.min_notional, market.taker_fee)

    async def _keep(self, trade: Trade) -> None:
        async with self._altering:
            await asyncio.to_thread(self.book.keep, trade)

    async def _alter(self, trade: Trade, **changes: object) -> Trade:
        """A change of the trade as it is now, durable; what others changed meanwhile stays. Raises OSError."""
        async with self._altering:
            now = self.book.trades.open.get(trade.symbol)
            if now is None or now.id != trade.id:  # it is over
                return trade
            now = msgspec.structs.replace(now, **changes)
            await asyncio.to_thread(self.book.keep, now)
            return now

    async def _cancel(self, trade: Trade) -> None:
        """Take back the quote that rests; the executor sees its end (X9)."""
        for entry in self.entries(trade):
            if entry.open and entry.intent.leg == "entry":
                await self.desk.account.cancel(trade.symbol, entry.intent.id)

    def _working(self, trade: Trade) -> bool:
        return self._at_work(trade.symbol)

    def _at_work(self, key: str) -> bool:
        task = self._busy.get(key)
        return task is not None and not task.done()

    def _work(self, trade: Trade, work: Coroutine[object, object, None], key: str = "") -> None:
        """Something that takes its time, once at a time for a contract; the loop goes on."""
        task: asyncio.Task[None] = asyncio.create_task(work, name=f"showdown {self.mode} {key or trade.symbol}")
        self._busy[key or trade.symbol] = task
        task.add_done_callback(_told)


def _told(task: asyncio.Task[None]) -> None:
    """A task's border: the next look begins it anew."""
    if task.cancelled() or (problem := task.exception()) is None:
        return
    if isinstance(problem, Unavailable | OSError):
        log.warning("%s: %s; tried again", task.get_name(), problem)
    else:
        log.error("%s failed", task.get_name(), exc_info=problem)
