"""The paper account TEST trades on: the venue's interface, its own money, fills by the live or simulated book.

1. A request takes `paper_latency_ms` of market time to arrive; the book that fills it is fetched after that. So
   a stop in a gap fills in the gap, and a thin book fills thinly (`paper_depth`, `paper_ledger`).
2. An answer is given only after the change is on disk. Where the disk refuses, the answer is `Unknown`, no further
   order is taken, and the file is tried again: whoever asks by client id then learns the truth.
3. Resting orders are looked at whenever they are asked about, and by themselves every `LOOK_EVERY_MS`.

One process at a time may hold the account (the tracker); others read balances with `PaperAccount.peek`.
"""

import asyncio
import logging
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from modules.exchange.api import MarketData
from modules.exchange.lanes import Lane, in_lane
from modules.exchange.paper_disk import PaperDisk
from modules.exchange.paper_ledger import Ledger, refused
from modules.exchange.paper_state import Money, PaperState, balances_of
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import (
    Absent,
    Accepted,
    Balance,
    Failed,
    Fill,
    Lookup,
    Market,
    Mode,
    NotSent,
    OrderRequest,
    OrderState,
    Outcome,
    Side,
    Unavailable,
    Unknown,
)
from modules.storage.json_state import JsonFile
from utils.paths import Paths

log = logging.getLogger(__name__)

BOOK_LEVELS = 200
LOOK_EVERY_MS = 2000
LEAST_LOOK_S = 0.5
MARKETS_AGE_MS = 60_000  # a halt or delisting must be noticed; the venue would refuse


def account_file(paths: Paths) -> Path:
    """Where the paper account lies."""
    return paths.data / "test_account.json"


class PaperAccount:
    """Implements ``api.Account`` without touching anybody's money."""

    mode = Mode.TEST

    def __init__(self, market: MarketData, file: JsonFile[PaperState], state: PaperState, latency_ms: int) -> None:
        self._market = market
        self._ledger = Ledger(state)
        self._latency_ms = latency_ms
        self._markets_ms = 0
        self._disk = PaperDisk(file, self._ledger.snapshot, "The TEST account")
        self._arriving: set[str] = set()
        self._watcher: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, market: MarketData, settings: ExchangeSettings, paths: Paths) -> "PaperAccount":
        """Load or begin the account. Raises StateError when its file and copy are damaged, OSError by the disk."""
        start = Decimal(str(settings.paper_usdt))
        file = JsonFile(account_file(paths), PaperState, lambda: PaperState({"USDT": Money(start)}))
        state = await asyncio.to_thread(file.load)
        if not file.path.exists():
            await asyncio.to_thread(file.save, state)
        account = cls(market, file, state, settings.paper_latency_ms)
        account._watch()
        return account

    @staticmethod
    def peek(paths: Paths) -> dict[str, Balance]:
        """Balances as they lie on disk, for another process. Raises Unavailable."""
        try:
            raw = account_file(paths).read_bytes()
            return balances_of(msgspec.json.decode(raw, type=PaperState))
        except FileNotFoundError as missing:
            raise Unavailable("The TEST account has not been opened yet; it begins with /startbot.") from missing
        except (OSError, msgspec.MsgspecError) as problem:
            raise Unavailable(f"The TEST account's file data/{account_file(paths).name} cannot be read "
                              f"({type(problem).__name__}). The tracker writes it anew; if it still cannot be read "
                              "after /restartbot, restore a backup (docs/OPERATIONS.md).") from problem

    # -- questions -----------------------------------------------------------------------------------------

    async def balances(self) -> dict[str, Balance]:
        await self._disk.settled()
        return balances_of(self._ledger.snapshot())

    async def order(self, symbol: str, client_id: str) -> Lookup:
        await self._look_quietly(symbol)
        try:
            await self._disk.settled()
        except Unavailable as problem:
            return Unknown(str(problem))
        found = self._ledger.order(symbol, client_id)
        return Absent(client_id) if found is None else found.state()

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderState]:
        for one in {order.symbol for order in self._ledger.resting(symbol)}:
            await self._look_quietly(one)
        await self._disk.settled()
        return [order.state() for order in self._ledger.resting(symbol)]

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        await self._look_quietly(symbol)
        await self._disk.settled()
        if since_ms <= self._ledger.dropped_ms:  # X15
            raise Unavailable(f"The TEST account keeps its fills only from {self._ledger.dropped_ms + 1} on.")
        return self._ledger.fills(symbol, since_ms)

    # -- orders --------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> Outcome:
        if request.client_id in self._arriving:
            return refused("30026", request.client_id)
        self._arriving.add(request.client_id)
        try:
            with in_lane(Lane.ENTRY if request.side is Side.BUY else Lane.EXIT):  # as the venue's account does (X31)
                return await self._place(request)
        finally:
            self._arriving.discard(request.client_id)

    async def _place(self, request: OrderRequest) -> Outcome:
        try:
            await self._disk.settled()
            await self._travel()
            market = await self._known_market(request.symbol)
            if market is None:
                return refused("-1121", request.symbol)
            book = await self._market.book(request.symbol, BOOK_LEVELS)
        except Unavailable as problem:
            return Failed(f"the paper order was not taken: {problem}", NotSent.PAPER)
        now_ms = max(self._market.clock.now_ms(), book.market_ms)
        outcome = self._ledger.submit(request, market, book, now_ms)  # nothing is awaited from book to booking
        return await self._answer(outcome)

    async def cancel(self, symbol: str, client_id: str) -> Outcome:
        try:
            await self._disk.settled()
            await self._travel()
            await self._look_quietly(symbol)
            now_ms = self._market.clock.now_ms()
        except Unavailable as problem:
            return Failed(f"the paper order was not cancelled: {problem}", NotSent.PAPER)
        return await self._answer(self._ledger.cancel(symbol, client_id, now_ms))

    async def _travel(self) -> None:
        """The request's way to the venue, in market time (rule 1)."""
        if self._latency_ms:
            await asyncio.sleep(self._latency_ms / 1000.0 / self._market.clock.speed)

    async def _known_market(self, symbol: str) -> Market | None:
        now_ms = self._market.clock.now_ms()
        refresh = now_ms - self._markets_ms > MARKETS_AGE_MS * max(1.0, self._market.clock.speed / 10)
        markets = await self._market.markets(refresh=refresh)
        if refresh:
            self._markets_ms = now_ms
        return markets.get(symbol)

    async def _answer(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Accepted):
            self._watch()
        return await self._disk.answer(outcome)  # rule 2

    # -- resting orders ------------------------------------------------------------------------------------

    def _watch(self) -> None:
        if self._ledger.resting() and (self._watcher is None or self._watcher.done()):
            self._watcher = asyncio.create_task(self._watch_resting(), name="paper orders")
            self._watcher.add_done_callback(_report)

    async def _watch_resting(self) -> None:
        """Look at resting orders until none is left (rule 3)."""
        while symbols := {order.symbol for order in self._ledger.resting()}:
            await asyncio.sleep(max(LEAST_LOOK_S, LOOK_EVERY_MS / 1000.0 / self._market.clock.speed))
            for symbol in symbols:
                await self._look_quietly(symbol)
            try:
                await self._disk.settled()
            except Unavailable:
                continue  # logged there; tried again at the next look

    async def _look_quietly(self, symbol: str) -> None:
        """Let the market reach the symbol's resting orders; where it does not answer they simply keep resting."""
        if not self._ledger.resting(symbol):
            return
        try:
            market = await self._known_market(symbol)
            if market is None or not market.trading:
                return
            prints = await self._market.trades(symbol)
            book = await self._market.book(symbol, BOOK_LEVELS)
        except Unavailable as problem:
            log.info("resting paper orders on %s were not looked at: %s", symbol, problem)
            return
        if self._ledger.reach(market, book, prints, max(self._market.clock.now_ms(), book.market_ms)):
            self._disk.changed()

    async def close(self) -> None:
        """Stop looking, write what is not written. Raises Unavailable when the disk refuses."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self._disk.settled()


def _report(task: asyncio.Task[None]) -> None:
    """A task's border: what ended it unexpectedly is logged; the next order starts it again."""
    if not task.cancelled() and task.exception() is not None:
        log.error("the look at resting paper orders failed", exc_info=task.exception())
