"""A desk: everything of one mode (TEST or LIVE): its account, files, positions, orders under way.

1. There is one desk a mode, and no code that asks which it is.
2. What changes is staged in memory and written in one order: trades, fills, positions, the notice to people, then the
   intent is closed. A crash in between leaves the intent open, and the next start books it again, once
   (`Position.applied`, trade ids), and tells it under the same id (X39).
3. Several changes at one time share one write. A disk that refuses loses nothing: it stays staged, a person is told,
   the next pass tries again, and no order is repeated (X7).
4. One order at a time a symbol (X8): `busy` holds the task that sees it through.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from modules.exchange.api import Account, MarketData
from modules.exchange.types import Market, Mode, Unavailable
from modules.execution.books import Books
from modules.execution.crashpoints import crash_point, declare
from modules.execution.executor import Executor, Filled, Patience
from modules.execution.intents import Intent
from modules.execution.journal import Entry, Journal
from modules.strategies.hype.decisions import Decisions
from modules.strategies.hype.desk_books import books_of
from modules.strategies.hype.exits import Rules
from modules.strategies.hype.files import HypeFiles
from modules.strategies.hype.records import Position, Trade
from modules.strategies.hype.trade_book import TradeBook
from modules.supervision.outbox import Outbox

if TYPE_CHECKING:
    from modules.strategies.hype.settings import HypeSettings

log = logging.getLogger(__name__)

declare(__name__, "booking.begun", "trades.written", "positions.written", "intents.closed")

SYSTEM = "hype"
OPEN_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class House:
    """What both desks share."""

    market: MarketData
    journal: Journal
    settings: "HypeSettings"
    rules: Rules
    patience: Patience
    outbox: Outbox


@dataclass(slots=True)
class Attempts:
    """How a full exit of one symbol has gone so far."""

    count: int = 0
    not_before: float = 0.0
    limit_only: bool = False
    told: bool = False


@dataclass(frozen=True, slots=True)
class Staged:
    """What one order leaves to be written (rule 2)."""

    trade: Trade | None
    intent_id: str
    words: dict[str, Any] | None


@dataclass(slots=True)
class Desk:
    """One mode's trading. Built by the tracker; other rooms only read its files.

    `may_enter` says why the account's key must not be used for entries, or "". `urgent`: a change that a crash must
    not take back waits for the disk. `doubts_markets`: a refusal says that the list of markets is out of date.
    `doubt`, `second_writer`, `doubted`: what reconciliation holds against entries, in all or on some symbols. `free`:
    what the venue has free of an asset, and since when (market ms).
    """

    mode: Mode
    files: HypeFiles
    house: House
    open_account: Callable[[], Awaitable[Account]]
    may_enter: Callable[[Account], Awaitable[str]]
    trades: TradeBook
    decisions: Decisions = field(default_factory=Decisions)
    positions: dict[str, Position] = field(default_factory=dict)
    account: Account | None = None
    executor: Executor | None = None
    closed: str = "the desk has not been checked against the exchange yet"
    busy: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    attempts: dict[str, Attempts] = field(default_factory=dict)
    failures: int = 0
    urgent: bool = False
    doubts_markets: bool = False
    doubt: str = ""
    second_writer: str = ""
    doubted: frozenset[str] = frozenset()
    free: dict[str, Decimal] = field(default_factory=dict)
    free_ms: int = 0
    books: Books = field(init=False)
    _staged: list[Staged] = field(default_factory=list)
    _dirty: bool = False
    _disk_told: bool = False
    _write_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _next_open: float = 0.0
    _open_told: bool = False

    def __post_init__(self) -> None:
        self.books = books_of(self.files.paths, self.mode)

    def load(self) -> None:
        """Read positions, history and ledger. Raises StateError where they are damaged beyond their copies."""
        self.positions = self.files.tracked.load()
        self.trades.load()
        self.books.load()

    @property
    def entries_closed(self) -> str:
        """Why no entry may be made (X16, X35); "" when entries are open."""
        return "the disk refuses to be written" if self._disk_told else self.closed or self.doubt

    async def ensure_account(self) -> bool:
        """Open the account if it is not; False, told once, where that fails."""
        if self.account is not None:
            return True
        if time.monotonic() < self._next_open:
            return False
        self._next_open = time.monotonic() + OPEN_RETRY_S
        try:
            self.account = await self.open_account()
        except Unavailable as problem:
            self.closed = str(problem)
            if not self._open_told:
                self._open_told = True
                level: Any = "alert" if self.positions else "warning"
                self.say(f"The {self.mode.value} account cannot be opened", why=str(problem), level=level,
                         todo=f"{len(self.positions)} positions are NOT guarded until then" if self.positions else "")
            return False
        self._open_told = False
        self.executor = Executor(self.account, self.house.market, self.house.journal, self.house.patience)
        return True

    def open_entries(self) -> list[Entry]:
        """Intents of this desk whose end is not booked."""
        return self.house.journal.open_entries(SYSTEM, self.mode.value)

    def unresolved(self) -> frozenset[str]:
        """Symbols with an intent whose end is not known; nothing else may be ordered there."""
        return frozenset(entry.intent.symbol for entry in self.open_entries())

    def guarded(self) -> set[str]:
        """Symbols that prices decide about: held, and neither halted nor gone."""
        return {symbol for symbol, position in self.positions.items() if position.state in ("open", "closing")}

    def exposure(self) -> Decimal:
        """What the coins still held cost, USDT."""
        return sum((position.cost_usdt * position.quantity / position.initial_quantity
                    for position in self.positions.values()), Decimal(0))

    def worth(self) -> Decimal:
        """What the coins held are worth at the last price seen, USDT."""
        return sum((position.quantity * (position.last_price or position.entry_price)
                    for position in self.positions.values()), Decimal(0))

    def put(self, position: Position) -> None:
        """Add or replace a position; written with the next `flush`."""
        self.positions[position.symbol] = position
        self._dirty = True

    def change(self, symbol: str, **fields: Any) -> Position:
        """Change fields of a position."""
        position = msgspec.structs.replace(self.positions[symbol], **fields)
        self.put(position)
        return position

    def drop(self, symbol: str) -> None:
        """Take a position out; its end must be staged as a trade."""
        self.positions.pop(symbol, None)
        self.attempts.pop(symbol, None)
        self._dirty = True

    def stage(self, trade: Trade | None, intent_id: str = "", words: dict[str, Any] | None = None) -> None:
        """Have a trade written, a person told and an intent closed with the next `flush` (rule 2)."""
        self._staged.append(Staged(trade, intent_id, words))

    def count(self, intent: Intent, done: Filled, market: Market | None) -> None:
        """Have the ledger count what an order executed; to be called before its booking is staged."""
        if done.fills:
            self.books.take(done.fills, market)
            self.books.paid([intent.id])
        else:
            self.books.owe(intent.id, intent.symbol)  # reconciliation asks for them

    @property
    def unwritten(self) -> bool:
        """Whether something waits for the disk."""
        return self._dirty or bool(self._staged) or self.books.unwritten

    async def flush(self) -> bool:
        """Write what is staged (rules 2, 3); False where the disk refuses."""
        async with self._write_lock:
            # One instant for all: a position that ends while trades are being written stays in this snapshot, and goes
            # with the next write, after its own trade.
            staged, positions = list(self._staged), dict(self.positions) if self._dirty else None
            self._dirty = self.urgent = False
            crash_point("booking.begun")
            try:
                for item in staged:
                    if item.trade is not None:
                        await self.trades.record(item.trade)
                crash_point("trades.written")
                if self.books.unwritten:
                    await self.books.flush(self.house.market.clock.now_ms())
                if positions is not None:
                    await asyncio.to_thread(self.files.tracked.save, positions)
                    positions = None
                crash_point("positions.written")
                for item in staged:  # on the loop's own thread: the outbox knows only one
                    if item.words:
                        self.say(**item.words)
                        await asyncio.sleep(0)
                for item in staged:
                    if item.intent_id:
                        self.house.journal.close(item.intent_id, "booked")
                crash_point("intents.closed")
            except OSError as problem:
                log.error("%s: state cannot be written: %s", self.mode.value, problem)
                if not self._disk_told:
                    self._disk_told = True
                    self.say("The tracker cannot write its files", why=str(problem), level="alert",
                             todo="Make room on the disk. Positions are guarded from memory meanwhile; no new entries.")
                return False
            finally:
                self._dirty |= positions is not None  # not saved: the next write takes it along
            del self._staged[:len(staged)]
            self._disk_told = False
            return True

    def say(self, what: str, **parts: Any) -> None:
        """Tell a person, with this desk's mode."""
        self.house.outbox.say(what, mode=self.mode.value, **parts)

    def run(self, symbol: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """See an order of `symbol` through in the background (rule 4)."""
        task = asyncio.create_task(work, name=f"{self.mode.value} {symbol}")
        self.busy[symbol] = task
        task.add_done_callback(lambda done: self._finished(symbol, done))
        return task

    def _finished(self, symbol: str, task: asyncio.Task[None]) -> None:
        """Border of a task: a failure is logged with its stack, counted and told; the symbol is looked at again."""
        self.busy.pop(symbol, None)
        if task.cancelled() or task.exception() is None:
            return
        self.failures += 1
        log.error("%s %s: an order's task failed", self.mode.value, symbol, exc_info=task.exception())
        attempts = self.attempts.setdefault(symbol, Attempts())
        attempts.count += 1
        attempts.not_before = time.monotonic() + min(0.2 * 2 ** min(attempts.count, 5), 5.0)
        if attempts.count == 1:
            self.say(f"Work on {symbol} failed", why=repr(task.exception()), level="alert",
                     todo="It is tried again. See /logs tracker.")

    async def market_of(self, symbol: str) -> Market | None:
        """The market of a symbol, or None where it is not listed. Raises Unavailable."""
        return (await self.house.market.markets()).get(symbol)
