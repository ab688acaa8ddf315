"""The risk service of a desk: feeds the risk rules (execution/risk.py), carries out what they decide, keeps the state.

1. Equity is cash plus what the coins would bring at their bids, fee paid (X34). Cash is read from the account; a sum
   counts only while no order is under way and nothing was booked since the cash was read.
2. Cash that changed while nothing was traded was moved by a person: neither gain nor loss.
3. While nothing is held no price is needed; an entry looks at its own book.
4. The state is durable before a command counts as done; figures are written every few seconds. A state that can be
   neither read nor written refuses entries, never exits (X35).
5. What waits for the network runs beside the turns: guarding waits for none of it.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from modules.exchange.types import Market, Side, Unavailable
from modules.execution import risk_words
from modules.execution.risk_driver import RiskDriver
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import (
    DataSeen,
    EntriesCleared,
    EquitySeen,
    FlatSeen,
    Moved,
    RiskState,
    TradeClosed,
    Trading,
    Transferred,
    Unreadable,
    load_risk,
    scope_of,
)
from modules.strategies.hype.desk import SYSTEM, Desk
from modules.strategies.hype.desk_entry import balances_of
from modules.strategies.hype.desk_exit import GUARDED, close
from modules.strategies.hype.files import trading_state_file
from modules.strategies.hype.records import Position, Trade
from modules.strategies.hype.risk_words import SPOT, cannot_sell

log = logging.getLogger(__name__)

QUOTE = "USDT"
CASH_EVERY_S = 10.0
CASH_SETTLES_S = 1.0  # a venue's balances may lag behind its fills
CASH_OLD_S = 60.0
RECENT = 200
PEAK_STEP = Decimal("1.001")

Mark = tuple[frozenset[tuple[str, Decimal]], str]


@dataclass(frozen=True, slots=True)
class Cash:
    """USDT in the account, as it was while the books stood at `mark`; `at` on the monotonic clock."""

    usdt: Decimal
    mark: Mark
    at: float


class DeskRisk(RiskDriver):
    """One desk's risk. `buying` counts entries between their approval and their end."""

    wording = SPOT

    def __init__(self, desk: Desk, settings: RiskSettings) -> None:
        super().__init__(desk.files.risk, scope_of(SYSTEM, desk.mode), settings)
        self.desk = desk
        self.buying = 0
        self._cash: Cash | None = None
        self._marked: tuple[Mark, float] | None = None
        self._told = False
        self._errand: asyncio.Task[None] | None = None

    def market_speed(self) -> float:
        """How many market seconds pass in one second."""
        return self.desk.house.market.clock.speed

    def load(self) -> None:
        """Read the state, after the desk's history. What was closed before there was a state is not counted."""
        self.state = load_risk(self._file, self.scope)
        if isinstance(self.state, RiskState) and not self.state.counted:
            newest = next((trade for trade in reversed(self.desk.trades.recent) if trade.closes), None)
            self.state = replace(self.state, counted=(newest.position_id,) if newest else ())
        self._take_over()

    def look(self, markets: Mapping[str, Market], bids: Mapping[str, Decimal], now_ms: int) -> None:
        """After every look at prices: equity, data, closed trades; errands are started, not waited for (rule 5)."""
        if isinstance(self.state, Unreadable):
            if not self._told:
                self._told = True
                self.tell(risk_words.unreadable(self.state.reason), "unreadable")
            return
        self.start(now_ms)
        self._count_trades(now_ms)
        if self.desk.account is not None:
            self._see_equity(markets, bids, now_ms)
            self.feed(DataSeen(now_ms, self._priced_ms(bids, now_ms)))
        self._run_errand()

    def told(self, now_ms: int) -> dict[str, str | float]:
        """Facts for the heartbeat: equity, and what stops entries for longer than a moment."""
        return self.facts(self.desk.mode.value.lower(), now_ms)

    async def ready_to_enter(self, markets: Mapping[str, Market], now_ms: int) -> None:
        """Before an entry is judged: cash is read at once where equity is not known or getting old."""
        if isinstance(self.state, Unreadable) or self.desk.account is None:
            return
        if not self.desk.guarded():
            self.feed(DataSeen(now_ms, now_ms))  # rule 3
        if now_ms - self.state.equity_ms > 500 * self.settings.equity_stale_s:
            await self._read_cash()
            self._see_equity(markets, {}, now_ms)

    async def finish(self) -> None:
        """End of the process: the errand under way, and the last figures."""
        if self._errand is not None:
            self._errand.cancel()
            await asyncio.gather(self._errand, return_exceptions=True)
        await self.save()

    def close_all(self) -> None:
        """Sell whatever can be sold; the rest is marked, and sold when it can be."""
        for symbol, position in list(self.desk.positions.items()):
            if position.state not in GUARDED:
                self.desk.change(symbol, reason="flatten")
            elif position.state == "open":
                close(self.desk, symbol, "flatten")
                self.desk.urgent = True

    def _take_over(self) -> None:
        """A pause set by a version that knew no risk state (``trading_state.json``) still holds."""
        old = trading_state_file(self.desk.files.paths)
        if isinstance(self.state, RiskState) and self.state.trading is Trading.ACTIVE and not self._file.path.exists() \
                and old.path.exists() and (was := old.load()).paused:
            self.state = replace(self.state, trading=Trading.PAUSED, reason=was.reason, by="earlier version",
                                 since_ms=was.since_ms)

    # -- what is told and done

    def tell(self, words: dict[str, Any], key: str) -> None:
        """Say it, with the desk's mode."""
        self.desk.say(**words)

    def moved(self, decision: Moved) -> None:
        """What cannot be sold is told as well."""
        if decision.new is Trading.FLATTENING:
            self._tell_stuck()

    async def closing_written(self) -> None:
        """Positions that are to be sold are on disk as such."""
        if self.desk.urgent:
            await self.desk.flush()

    def _tell_stuck(self) -> None:
        held = [position for position in self.desk.positions.values() if position.state not in GUARDED]
        if held:
            self.desk.say(**cannot_sell([position.symbol for position in held],
                                                   [f"{position.quantity.normalize():f}" for position in held]))

    # -- what is seen

    def _count_trades(self, now_ms: int) -> None:
        """Every position that ended since the last one counted, oldest first; a crash loses and doubles none."""
        assert isinstance(self.state, RiskState)
        last = self.state.counted[-1] if self.state.counted else ""
        ended: list[Trade] = []
        for trade in reversed(self.desk.trades.recent):
            if trade.closes and trade.position_id == last:
                break
            if trade.closes:
                ended.append(trade)
        for trade in reversed(ended):
            pnl = sum((one.pnl_usdt or Decimal(0) for one in self.desk.trades.recent
                       if one.position_id == trade.position_id and one.side == "SELL"), Decimal(0))
            self.feed(TradeClosed(now_ms, trade.position_id, pnl))

    def _priced_ms(self, bids: Mapping[str, Decimal], now_ms: int) -> int:
        """When prices were taken last: now, if anything that is held has one (rule 3)."""
        assert isinstance(self.state, RiskState)
        held = self.desk.guarded()
        return now_ms if not held or held & bids.keys() else self.state.data_ms

    def _see_equity(self, markets: Mapping[str, Market], bids: Mapping[str, Decimal], now_ms: int) -> None:
        """Rule 1; nothing where a part of the sum is not known (X15)."""
        cash = self._cash
        if cash is None or cash.mark != self._mark() or time.monotonic() - cash.at > CASH_OLD_S or not self._quiet():
            return
        worth = Decimal(0)
        for position in self.desk.positions.values():
            value = self._value(position, markets.get(position.symbol), bids.get(position.symbol), now_ms)
            if value is None:
                return
            worth += value
        self.feed(EquitySeen(now_ms, cash.usdt + worth, worth))

    def _value(self, position: Position, market: Market | None, bid: Decimal | None, now_ms: int) -> Decimal | None:
        """What a position would bring now, fee paid; None while that is not known."""
        if position.state in ("external", "delisted"):
            return Decimal(0)  # the coins are gone, or nobody buys them
        fresh = now_ms - position.last_seen_ms <= 1000 * self.settings.data_stale_s
        price = bid or (position.last_price if fresh or position.state == "halted" else None)
        if price is None and position.state == "halted":
            price = position.entry_price
        if price is None:
            return None
        return position.quantity * price * (1 - (market.taker_fee if market else Decimal(0)))

    def _mark(self) -> Mark:
        """Where the books stand."""
        recent = self.desk.trades.recent
        held = frozenset((symbol, position.quantity) for symbol, position in self.desk.positions.items())
        return held, recent[-1].id if recent else ""

    def _quiet(self) -> bool:
        """Whether no order is under way or waits to be booked: its intent is open until then."""
        return not self.desk.open_entries()

    # -- errands

    def _run_errand(self) -> None:
        """One at a time. Border of a task: its failure is logged with the stack, and the next look tries again."""
        if self._errand is not None:
            if not self._errand.done():
                return
            if not self._errand.cancelled() and self._errand.exception() is not None:
                self.desk.failures += 1
                log.error("%s: an errand failed", self.scope, exc_info=self._errand.exception())
            self._errand = None
        if self._cash_due() or self.clearing_due() or self.ending() or self.write_due():
            self._errand = asyncio.create_task(self._errands(), name=f"risk {self.scope}")

    async def _errands(self) -> None:
        try:
            if self._cash_due():
                await self._read_cash()
            if self.clearing_due():
                await self._clear_entries()
            if self.ending():
                await self._see_flat()
        except Unavailable as problem:
            log.warning("%s: %s", self.scope, problem)
        if self.write_due():
            await self.save()

    def _cash_due(self) -> bool:
        if self.desk.account is None:
            return False
        mark, now = self._mark(), time.monotonic()
        if self._marked is None or self._marked[0] != mark:
            self._marked = (mark, now)
        known = self._cash is not None and self._cash.mark == mark
        if known and self._cash is not None:
            return now - self._cash.at >= CASH_EVERY_S and self._quiet()
        return (self._cash is None or now - self._marked[1] >= CASH_SETTLES_S) and self._quiet()

    async def _read_cash(self) -> None:
        """Rules 1, 2."""
        mark = self._mark()
        balances = await balances_of(self.desk)
        if balances is None or mark != self._mark() or not self._quiet():
            return
        usdt = balances[QUOTE].free + balances[QUOTE].locked if QUOTE in balances else Decimal(0)
        last = self._cash
        if last is not None and last.mark == mark and last.usdt != usdt:
            log.warning("%s: %s USDT were moved by somebody", self.scope, usdt - last.usdt)
            self.feed(Transferred(self.now_ms(), usdt - last.usdt))
        self._cash = Cash(usdt, mark, time.monotonic())

    async def _clear_entries(self) -> None:
        """Cancel what is still open of our entries; by the journal, which has every order that may have left (X1)."""
        self.clearing_begins()
        waiting = [entry.intent for entry in self.desk.open_entries() if entry.intent.side is Side.BUY]
        for intent in waiting:
            if self.desk.account is not None:
                await self.desk.account.cancel(intent.symbol, intent.id)  # what became of it is asked by id (X9)
        left = sum(1 for entry in self.desk.open_entries() if entry.intent.side is Side.BUY)
        self.feed(EntriesCleared(self.now_ms(), left + self.buying))

    async def _see_flat(self) -> None:
        """By our books and by the venue: nothing held, nothing under way, nothing locked in orders."""
        if self.desk.positions or self.desk.open_entries() or self.buying:
            self.feed(FlatSeen(self.now_ms(), False))
            return
        if self.desk.account is None:  # never opened: nothing of ours is there
            self.feed(FlatSeen(self.now_ms(), True))
            return
        balances = await balances_of(self.desk)
        ours = {trade.symbol.removesuffix(QUOTE) for trade in self.desk.trades.recent[-RECENT:]}
        flat = None if balances is None else not any(
            balance.locked for asset, balance in balances.items() if asset in ours)
        self.feed(FlatSeen(self.now_ms(), flat))

    def write_due(self) -> bool:
        """As every state, and at once where the highest equity has risen by a step."""
        if super().write_due():
            return True
        state, saved = self.state, self._saved
        return isinstance(state, RiskState) and saved is not None and state.peak is not None and (
            saved.peak is None or state.peak > saved.peak * PEAK_STEP)

    def tell_unwritten(self, problem: str) -> None:
        """The desk tells of a disk that refuses everything; here only what it does not notice."""
        if self.desk.entries_closed == self.desk.closed:
            super().tell_unwritten(problem)

    def now_ms(self) -> int:
        """Market time."""
        return self.desk.house.market.clock.now_ms()
