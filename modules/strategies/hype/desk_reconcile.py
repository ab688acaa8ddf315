"""Reconciling a desk with its account: ask, compare, count what is provably ours, tell the rest, report (X16–X21).

1. Orders first, then fills, then balances (X17); `execution.reconcile` compares. A pass is complete when every question
   was answered and no own fill is left uncounted; entries stay closed until the first complete pass (X16).
2. Only what our own intents and fills prove is changed without a person: fills counted, an order booked that was
   believed never to have been, a position made as small as its fills say. Nothing at the venue is touched, but for an
   order of ours that rests although it must not.
3. Everything else is told once an episode with what to do, and waits for /resync. Coins that are gone for sure leave
   the position unguarded, on record.
4. What an account holds of an asset when it is first seen is the person's own (`Books.external`).
5. A ledger that knows nothing of a held position (an older version, a lost file) gets a marked synthetic entry (X19).
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal

from modules.exchange.types import Balance, Fill, Market, OrderState, OrderStatus, Side, Unavailable
from modules.execution.executor import Filled
from modules.execution.findings import ChangeKind, Code, Finding
from modules.execution.holding import empty
from modules.execution.intents import Intent
from modules.execution.journal import Entry
from modules.execution.ledger import synthetic_entry
from modules.execution.order_state import fold
from modules.execution.reconcile import (
    LedgerView,
    Missing,
    Pass,
    Patience,
    Sighting,
    VenueView,
    believable,
    reconcile,
)
from modules.strategies.hype import tracker_words
from modules.strategies.hype.desk import Desk
from modules.strategies.hype.desk_ask import Fills, Questions, answer, unknown_positions
from modules.strategies.hype.desk_books import Reconciled, Seen, reconciled_file
from modules.strategies.hype.desk_entry import book_entry
from modules.strategies.hype.desk_exit import GUARDED, book_exit
from modules.strategies.hype.desk_view import QUOTE, ledger_view, report_of, total

log = logging.getLogger(__name__)

BUSY_EVERY_S = 10.0
IDLE_EVERY_S = 45.0
RETRY_S = 1.0
RECENT_MS, APART_MS = 5_000, 2_000  # real milliseconds: answers take real time
FIRST_WAIT_S = 2.0
Orders = Sequence[OrderState] | Missing
_UNANSWERED = (Code.ANSWER_MISSING, Code.ANSWER_EMPTY, Code.ANSWER_INVALID)


class Auditor:
    """Reconciliation of one desk. One pass at a time; passes run beside the turns."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.busy_every_s, self.idle_every_s, self.retry_s = BUSY_EVERY_S, IDLE_EVERY_S, RETRY_S
        self._file = reconciled_file(desk.files.paths, desk.mode)
        self._kept = Reconciled()
        self._task: asyncio.Task[None] | None = None
        self._next = 0.0
        self._questions = Questions(desk)
        self.last: Pass | None = None

    def load(self) -> None:
        """What was told before. Raises StateError."""
        self._kept = self._file.load()

    def begin(self, markets: Mapping[str, Market]) -> None:
        """Start a pass if one is due and none is running."""
        if self._task is not None or self.desk.account is None or time.monotonic() < self._next:
            return
        idle = not self.desk.positions and not self.desk.open_entries() and not self.desk.closed
        self._next = time.monotonic() + (self.idle_every_s if idle else self.busy_every_s)
        self._task = asyncio.create_task(self._guarded(markets), name=f"{self.desk.mode.value} reconciliation")

    async def first(self, markets: Mapping[str, Market]) -> None:
        """A pass at the start; exits do not wait for it longer than a moment."""
        self.begin(markets)
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=FIRST_WAIT_S)

    async def close(self) -> None:
        """End a pass under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _guarded(self, markets: Mapping[str, Market]) -> None:
        """Border of the task: a pass that fails is logged, counted, and entries stay closed until one succeeds."""
        try:
            complete = await self.run(markets)
        except Unavailable as problem:  # the exchange's clock is not known: nothing can be compared
            self.desk.doubt = f"the exchange does not answer: {problem}"
            self._next = time.monotonic() + self.retry_s
            return
        except Exception as problem:
            log.exception("%s: reconciliation failed", self.desk.mode.value)
            self.desk.failures += 1
            self.desk.doubt = f"books and exchange could not be compared: {type(problem).__name__}"
            self._next = time.monotonic() + self.retry_s
            return
        finally:
            self._task = None
        if not complete:
            self._next = min(self._next, time.monotonic() + self.retry_s)
        if self.desk.closed and complete and not self.desk.open_entries():
            self.desk.closed = ""
            log.info("%s: books and exchange compared; %d positions", self.desk.mode.value, len(self.desk.positions))
        elif self.desk.closed:
            self.desk.closed = self.desk.doubt or "books and exchange are being compared"

    async def run(self, markets: Mapping[str, Market]) -> bool:
        """One pass (rules 1–3); whether it was complete. Raises OSError where the disk refuses."""
        desk, account = self.desk, self.desk.account
        assert account is not None
        asked_ms = self._now_ms()
        orders = await answer(account.open_orders())
        balances = await answer(account.balances())
        fills = await self._questions.fills(self._view(markets), balances)
        ended = await self._questions.ended()
        patience = self._patience()
        if not isinstance(balances, Missing) and believable(self._view(markets), balances):
            self._learn(markets, balances, asked_ms, orders)
            self._note_first_seen(markets, balances, fills)
        passed = self._compare(markets, VenueView(balances, orders, fills, asked_ms), patience)
        if await self._count_own(passed, markets):
            self._note_first_seen(markets, balances, fills)
            passed = self._compare(markets, VenueView(balances, orders, fills, asked_ms), patience)
        self._agree(markets)
        await self._withdraw_ours(passed)
        self._act(passed, markets)
        self.last = passed
        if desk.unwritten and not await desk.flush():
            return False
        await self._report(passed, markets, balances, ended)
        return not any(one.code in (*_UNANSWERED, Code.OWN_FILL_MISSING) for one in passed.findings)

    async def confirm(self, markets: Mapping[str, Market]) -> list[str]:
        """/resync: what the last pass found about coins is accepted; the sentences of what was noted."""
        if self._task is not None:
            await asyncio.wait({self._task})
        await self.run(markets)
        done = []
        strangers = [fill for fill, ours in self._questions.told() if not ours]
        for finding in self.last.findings if self.last else ():
            change, books = finding.change, self.desk.books
            if change.kind not in (ChangeKind.NOTE_EXTERNAL, ChangeKind.REDUCE_POSITION) or finding.venue is None:
                continue
            ours = books.ledger.assets().get(change.asset, Decimal(0))
            books.note(change.asset, finding.venue - ours)
            done.append(f"noted: {finding.sentence()}")
        self.desk.books.explain([*strangers, *self.desk.books.conflicts])
        self.desk.books.conflicts.clear()
        self._next = 0.0  # the next pass shows what is left
        return done

    # -- comparing ---------------------------------------------------------------------------------------------

    def _view(self, markets: Mapping[str, Market]) -> LedgerView:
        return ledger_view(self.desk, self._questions.entries(), markets)

    def _compare(self, markets: Mapping[str, Market], venue: VenueView, patience: Patience) -> Pass:
        seen = {key: Sighting(one.first_ms, one.confirmed) for key, one in self._kept.seen.items()}
        return reconcile(self._view(markets), venue, seen, self._now_ms(), patience)

    def _patience(self) -> Patience:
        speed = max(1.0, self.desk.house.market.clock.speed)
        return Patience(round(RECENT_MS * speed), round(APART_MS * speed))

    # -- changing ----------------------------------------------------------------------------------------------

    def _learn(self, markets: Mapping[str, Market], balances: Mapping[str, Balance], asked_ms: int,
               orders: Orders) -> None:
        """What is free now, own resting sales included (X25)."""
        desk = self.desk
        free = {asset: balance.free for asset, balance in balances.items()}
        own = {entry.intent.id for entry in desk.open_entries()}
        for order in orders if not isinstance(orders, Missing) else ():
            market = markets.get(order.symbol)
            if market is not None and order.client_id in own and order.side is Side.SELL:
                free[market.base] = free.get(market.base, Decimal(0)) + order.quantity - order.filled
        desk.free, desk.free_ms = free, asked_ms

    def _note_first_seen(self, markets: Mapping[str, Market], balances: Mapping[str, Balance] | Missing,
                         fills: Fills) -> None:
        """Rules 4 and 5."""
        desk, books = self.desk, self.desk.books
        if isinstance(balances, Missing) or desk.open_entries() or books.pending:
            return  # in motion: the difference would be ours
        uncounted = {entry.intent.symbol for _, entry in self._questions.told() if entry is not None}
        for symbol in unknown_positions(self.desk):
            market, position = markets.get(symbol), desk.positions[symbol]
            if market is None or isinstance(fills.get(symbol), Missing) or symbol in uncounted:
                return  # own fills are counted first
            made = synthetic_entry(empty(market), position.quantity, position.entry_price, position.opened_ms)
            if made is not None:  # rule 5
                log.warning("%s %s: the ledger begins with a synthetic entry", desk.mode.value, symbol)
                books.take([made], market)
                if QUOTE in books.external:
                    books.note(QUOTE, books.external[QUOTE] + made.price * made.quantity)
        ours = books.ledger.assets()
        for coins in self._view(markets).coins.values():
            if coins.asset not in books.external:
                more = total(balances, coins.asset) - ours.get(coins.asset, Decimal(0))
                books.note(coins.asset, more if coins.cash else max(Decimal(0), more))

    async def _count_own(self, passed: Pass, markets: Mapping[str, Market]) -> bool:
        """Count and, where it is missing, book what our own orders executed (rule 2)."""
        wanted = {(one.change.symbol, fill_id) for one in passed.findings
                  if one.change.kind is ChangeKind.COUNT_FILLS for fill_id in one.change.ids}
        by_entry: dict[str, tuple[Entry, list[Fill]]] = {}
        for fill, entry in self._questions.told():
            if entry is not None and (fill.symbol, fill.id) in wanted:
                by_entry.setdefault(entry.intent.id, (entry, []))[1].append(fill)
        counted = False
        for entry, mine in by_entry.values():
            market = markets.get(entry.intent.symbol)
            if entry.open or entry.intent.symbol in self.desk.busy or market is None:
                continue  # an open one is booked by whoever sees it through
            counted = True
            if entry.verdict == "booked":
                self.desk.books.take(mine, market)
                self.desk.books.paid([entry.intent.id])
            else:
                await self._book_late(entry.intent, mine, market)
        return counted

    async def _book_late(self, intent: Intent, fills: list[Fill], market: Market) -> None:
        """An order that was believed never to have been, or to have come to nothing, was executed after all."""
        log.error("%s %s: order %s was executed after all", self.desk.mode.value, intent.symbol, intent.id)
        done = Filled(fold(fills, fills[0].order_id, intent.fees), tuple(fills))
        if intent.side is Side.BUY:
            await book_entry(self.desk, intent, done, market)
        else:
            await book_exit(self.desk, intent, done, market)

    def _agree(self, markets: Mapping[str, Market]) -> None:
        """A position is never larger than its fills say, e.g. by a fee in the coin that was told late (rule 2)."""
        desk = self.desk
        for symbol, position in list(desk.positions.items()):
            market, held = markets.get(symbol), desk.books.held(symbol)
            if market is None or held is None or symbol in desk.busy or symbol in desk.unresolved():
                continue
            if market.step <= held < position.quantity:
                log.warning("%s %s: %s by the fills, not %s", desk.mode.value, symbol, held, position.quantity)
                desk.change(symbol, quantity=held, owed=min(position.owed, held))

    async def _withdraw_ours(self, passed: Pass) -> None:
        """Our orders never rest: one that does although it was believed finished is cancelled, then read again."""
        account = self.desk.account
        assert account is not None
        for finding in passed.findings:
            if finding.code is Code.ORDER_STILL_OPEN and finding.confirmed:
                for client_id in finding.change.ids:
                    await account.cancel(finding.change.symbol, client_id)

    # -- telling -----------------------------------------------------------------------------------------------

    def _act(self, passed: Pass, markets: Mapping[str, Market]) -> None:
        """Rule 3."""
        desk = self.desk
        self._kept = Reconciled(report=self._kept.report, held_ms=self._kept.held_ms, seen={
            key: Seen(one.first_ms, one.confirmed) for key, one in passed.sightings.items()})
        gone = {symbol for finding in passed.findings for symbol in self._gone(finding, markets)}
        news = [finding for finding in passed.news if not finding.change.automatic
                and finding.code is not Code.ANSWER_MISSING and not (self._about(finding) & gone)]
        for finding in news:
            first = passed.sightings[finding.key].first_ms
            desk.say(finding.sentence(), todo=finding.todo(), level="alert" if finding.stops_entries else "warning",
                     key=f"found-{desk.mode.value}-{finding.key}-{first}")
        for symbol in gone:
            desk.say(**tracker_words.coins_gone(desk.positions[symbol]), level="alert")
            desk.change(symbol, state="external")
            desk.urgent = True
        stops = [finding for finding in passed.findings if finding.stops_entries]
        twins = [finding.sentence() for finding in stops if finding.code is Code.SECOND_WRITER]
        missing = [finding.sentence() for finding in stops if finding.code in _UNANSWERED
                   or finding.code in (Code.FILL_CONFLICT, Code.ORDER_STILL_OPEN)]
        desk.second_writer, desk.doubt = (twins[0] if twins else ""), (missing[0] if missing else "")
        desk.doubted = frozenset(symbol for finding in stops for symbol in self._about(finding))

    def _about(self, finding: Finding) -> set[str]:
        """Symbols whose coins a finding says are gone."""
        return {f"{finding.change.asset}{QUOTE}"} if finding.change.kind is ChangeKind.REDUCE_POSITION else set()

    def _gone(self, finding: Finding, markets: Mapping[str, Market]) -> list[str]:
        """Guarded positions of which nothing is left for sure: twice seen, nothing of it in motion."""
        desk = self.desk
        if not finding.confirmed or finding.venue is None:
            return []
        return [symbol for symbol in self._about(finding) if symbol in desk.positions and symbol in markets
                and finding.venue < markets[symbol].step and symbol not in desk.busy
                and desk.positions[symbol].state in GUARDED]

    async def _report(self, passed: Pass, markets: Mapping[str, Market], balances: Mapping[str, Balance] | Missing,
                      ended: list[OrderState]) -> None:
        moving = self._patience().recent_ms
        if not isinstance(balances, Missing) and not believable(self._view(markets), balances):
            balances = Missing("the answer cannot be right")
        report, held_ms = report_of(self.desk, self._view(markets), passed, markets, balances,
                                    [state for state in ended if state.status is OrderStatus.FILLED],
                                    self._kept.held_ms, self._now_ms(), moving)
        self._kept = Reconciled(report=report, seen=self._kept.seen, held_ms=held_ms)
        try:
            await asyncio.to_thread(self._file.save, self._kept)
        except OSError as problem:  # a report: the books themselves are written
            log.error("%s: the reconciliation report cannot be written: %s", self.desk.mode.value, problem)

    def _now_ms(self) -> int:
        return self.desk.house.market.clock.now_ms()
