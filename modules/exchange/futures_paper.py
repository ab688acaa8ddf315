"""The futures paper account TEST trades on: the venue's interface, its own money, fills by the live or simulated book.

1. A request takes `paper_latency_ms` of market time to arrive; the book that fills it is fetched after that.
2. An answer is given only after the change is on disk; where the disk refuses, the answer is `Unknown`.
3. What rests and waits, funding and liquidation are looked at whenever the account is asked, and by themselves every
   `LOOK_S`: a stop that was passed between two looks fills at what the book gives at the next one.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Self

from modules.exchange.futures_api import FuturesMarketData
from modules.exchange.futures_paper_ledger import PerpLedger, refused
from modules.exchange.futures_paper_state import BRACKETS, PaperFutures, PaperTrigger
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.futures_types import (
    Bracket,
    Income,
    MarginMode,
    Position,
    Setup,
    TriggerLookup,
    TriggerRequest,
    TriggerState,
    Wallet,
)
from modules.exchange.paper_disk import PaperDisk
from modules.exchange.types import (
    Absent,
    Accepted,
    Balance,
    Failed,
    Fill,
    Lookup,
    Mode,
    NotSent,
    OrderRequest,
    OrderState,
    Outcome,
    Unavailable,
    Unknown,
)
from modules.storage.json_state import JsonFile
from utils.paths import Paths

log = logging.getLogger(__name__)

BOOK_LEVELS = 50  # weight 2
LOOK_S = 2.0
AGAIN_S = 1.0  # a question asked sooner than this after a look is answered by it: looks cost request weight


class FuturesPaper:
    """Implements ``futures_api.FuturesAccount`` without touching anybody's money."""

    mode = Mode.TEST

    def __init__(self, market: FuturesMarketData, file: JsonFile[PaperFutures], state: PaperFutures,
                 settings: FuturesSettings) -> None:
        self._market, self._settings = market, settings
        self.ledger = PerpLedger(state, settings.leverage, MarginMode(settings.margin))
        self._disk = PaperDisk(file, self.ledger.snapshot, "The TEST futures account")
        self._looking = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self._looked_at = -AGAIN_S

    @classmethod
    async def open(cls, market: FuturesMarketData, settings: FuturesSettings, paths: Paths, system: str = "") -> Self:
        """Load or begin the account. One process writes it, so each system has its own, named by `system`.

        Raises StateError when its file and copy are damaged, OSError by the disk.
        """
        start = Decimal(str(settings.paper_usdt))
        name = f"test_futures_account_{system}.json" if system else "test_futures.json"
        file = JsonFile(paths.data / name, PaperFutures,
                        lambda: PaperFutures(wallet=start, hedge=settings.hedge))
        state = await asyncio.to_thread(file.load)
        if not file.path.exists():
            await asyncio.to_thread(file.save, state)
        account = cls(market, file, state, settings)
        account._watcher = asyncio.create_task(account._watch(), name="paper futures")
        return account

    async def _watch(self) -> None:
        """Rule 3; a look that fails is made again."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look()
                await self._disk.settled()
            except (Unavailable, OSError) as problem:
                log.info("the paper futures account was not looked at: %s", problem)
            except Exception:  # border of a task that nobody awaits: paper stops must go on being looked at
                log.exception("a look at the paper futures account failed; it is made again")

    async def _look(self) -> None:
        """Let the market reach everything that rests, waits or is held. Raises Unavailable."""
        async with self._looking:
            if not self.ledger.symbols() or time.monotonic() - self._looked_at < AGAIN_S:
                return
            marks = dict(await self._market.marks())
            contracts = await self._market.contracts()
            self.ledger.marks.update({symbol: mark.price for symbol, mark in marks.items()})
            resting = {one.symbol for one in self.ledger.resting()}
            for symbol in sorted((resting | self.ledger.near()) & contracts.keys()):
                prints = await self._market.trades(symbol, 100) if symbol in resting else ()
                book = await self._market.book(symbol, BOOK_LEVELS)
                if self.ledger.reach(contracts[symbol], book, prints, self._now(book.market_ms)):
                    self._disk.changed()
            self._looked_at = time.monotonic()
            if self.ledger.settle(marks, self._now(0)):
                self._disk.changed()

    def _now(self, least: int) -> int:
        return max(self._market.clock.now_ms(), least)

    async def _fresh(self) -> None:
        await self._look()
        await self._disk.settled()

    async def _travel(self) -> None:
        if self._settings.paper_latency_ms:
            await asyncio.sleep(self._settings.paper_latency_ms / 1000.0 / self._market.clock.speed)

    # -- orders ----------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> Outcome:
        try:
            await self._travel()
            market = (await self._market.contracts()).get(request.symbol)
            if market is None:
                return refused("-1121", request.symbol)
            marks = await self._market.marks()
            book = await self._market.book(request.symbol, BOOK_LEVELS)
            now_ms = self._now(book.market_ms)
        except Unavailable as problem:
            return Failed(f"the paper order was not taken: {problem}", NotSent.PAPER)
        if request.symbol in marks:
            self.ledger.marks[request.symbol] = marks[request.symbol].price
        return await self._disk.answer(self.ledger.submit(request, market, book, now_ms))

    async def cancel(self, symbol: str, client_id: str) -> Outcome:
        try:
            await self._travel()
            await self._look()
            now_ms = self._now(0)
        except Unavailable as problem:
            return Failed(f"the paper order was not cancelled: {problem}", NotSent.PAPER)
        return await self._disk.answer(self.ledger.cancel(symbol, client_id, now_ms))

    async def order(self, symbol: str, client_id: str) -> Lookup:
        try:
            await self._fresh()
        except Unavailable as problem:
            return Unknown(str(problem))
        found = self.ledger.orders.get(client_id)
        return found.state() if found is not None and found.symbol == symbol else Absent(client_id)

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderState]:
        await self._fresh()
        return [one.state() for one in self.ledger.resting(symbol)]

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        await self._fresh()
        if since_ms <= self.ledger.dropped_ms:
            raise Unavailable(f"The TEST futures account keeps its fills only from {self.ledger.dropped_ms + 1} on.")
        return [fill for fill in self.ledger.fills if fill.symbol == symbol and fill.market_ms >= since_ms]

    # -- conditional orders ------------------------------------------------------------------------------------

    async def place_trigger(self, request: TriggerRequest) -> Outcome:
        try:
            await self._travel()
            market = (await self._market.contracts()).get(request.symbol)
            if market is None:
                return refused("-1121", request.symbol)
            self.ledger.marks.update({symbol: mark.price for symbol, mark in (await self._market.marks()).items()})
            book = await self._market.book(request.symbol, 5)
            now_ms = self._now(0)
        except Unavailable as problem:
            return Failed(f"the paper order was not taken: {problem}", NotSent.PAPER)
        last = book.bids[0][0] if book.bids else self.ledger.marks.get(request.symbol, Decimal(0))
        return await self._disk.answer(self.ledger.submit_trigger(request, market, last, now_ms))

    async def cancel_trigger(self, symbol: str, client_id: str) -> Outcome:
        try:
            await self._travel()
            now_ms = self._now(0)
        except Unavailable as problem:
            return Failed(f"the paper order was not cancelled: {problem}", NotSent.PAPER)
        return await self._disk.answer(self.ledger.cancel_trigger(client_id, now_ms))

    async def trigger(self, symbol: str, client_id: str) -> TriggerLookup:
        try:
            await self._fresh()
        except Unavailable as problem:
            return Unknown(str(problem))
        found = self.ledger.triggers.get(client_id)
        return _told(found) if found is not None and found.symbol == symbol else Absent(client_id)

    async def open_triggers(self, symbol: str | None = None) -> Sequence[TriggerState]:
        await self._fresh()
        return [_told(one) for one in self.ledger.waiting(symbol)]

    # -- the account -------------------------------------------------------------------------------------------

    async def balances(self) -> dict[str, Balance]:
        wallet = await self.wallet()
        return {"USDT": Balance("USDT", wallet.available, wallet.equity - wallet.available)}

    async def wallet(self) -> Wallet:
        await self._fresh()
        return self.ledger.view()

    async def positions(self) -> Sequence[Position]:
        await self._fresh()
        return self.ledger.positions()

    async def incomes(self, since_ms: int) -> Sequence[Income]:
        await self._fresh()
        return [row for row in self.ledger.incomes if row.market_ms >= since_ms]

    async def hedge(self) -> bool:
        return self.ledger.hedge

    async def setups(self) -> Mapping[str, Setup]:
        return {symbol: Setup(symbol, *self.ledger.setup(symbol)) for symbol in await self._market.contracts()}

    async def brackets(self, symbol: str) -> Sequence[Bracket]:
        return BRACKETS

    async def set_hedge(self, on: bool) -> Outcome:
        if self.ledger.legs:
            return refused("-4068")
        if self.ledger.resting() or self.ledger.waiting():
            return refused("-4067")
        self.ledger.hedge = on
        return await self._disk.answer(Accepted(""))

    async def set_leverage(self, symbol: str, leverage: int) -> Outcome:
        if not 1 <= leverage <= BRACKETS[0].leverage:
            return refused("-4028", str(leverage))
        self.ledger.setups[symbol] = (leverage, self.ledger.setup(symbol)[1])
        return await self._disk.answer(Accepted(""))

    async def set_margin(self, symbol: str, mode: MarginMode) -> Outcome:
        if any(one == symbol for one, _ in self.ledger.legs):
            return refused("-4048")
        self.ledger.setups[symbol] = (self.ledger.setup(symbol)[0], mode)
        return await self._disk.answer(Accepted(""))

    async def close(self) -> None:
        """Stop looking, write what is not written. Raises Unavailable when the disk refuses."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self._disk.settled()


def _told(one: PaperTrigger) -> TriggerState:
    """A conditional order as the venue tells it."""
    return TriggerState(one.client_id, one.trigger_id, one.symbol, one.side, one.position_side, str(one.kind),
                        one.status, one.trigger, one.quantity, str(one.source), one.order_id, one.created_ms,
                        one.updated_ms)
