"""Risk of one system's futures account: the rules of `execution/risk.py`, fed with the venue's figures (X34–X36).

1. Equity is the venue's (wallet and unrealised results) less the commission of closing everything. It counts only when
   the wallet is the one that fills and income explain (`Reconciler.agreed`): a withdrawal must not look like a loss.
2. Exposure is the margin that positions tie up: notional ÷ leverage.
3. Transfers are counted from the books' own sum, results of closed legs by their id: a crash counts none twice.
4. DRAIN, FLATTEN and a halt cancel waiting entries first; flat is by the venue's positions, our fills and our intents.
5. The state is durable before a command counts as done. One that can be neither read nor written refuses entries,
   never exits (X35).
6. Runs beside the looks: guarding waits for nothing here.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from modules.exchange.futures_types import Position, Wallet
from modules.exchange.types import Unavailable
from modules.execution import risk_words
from modules.execution.futures.desk import FuturesDesk
from modules.execution.futures.plan import ZERO, Word
from modules.execution.futures.risk_words import FUTURES
from modules.execution.risk import Allowed
from modules.execution.risk_driver import RiskDriver
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import (
    DataSeen,
    EntriesCleared,
    EquitySeen,
    FlatSeen,
    RiskState,
    TradeClosed,
    Transferred,
    Unreadable,
    load_risk,
)
from modules.storage.json_state import JsonFile

log = logging.getLogger(__name__)

EQUITY_EVERY_S = 5.0
FRESH_S = 5.0


class FuturesRisk(RiskDriver):
    """The risk of one desk. `agreed` tells the wallet that is explained; `hurry` asks for a pass that explains it."""

    wording = FUTURES

    def __init__(self, desk: FuturesDesk, file: JsonFile[RiskState], scope: str, settings: RiskSettings,
                 say: Callable[[Word], None], agreed: Callable[[], Decimal | None], hurry: Callable[[], None]) -> None:
        super().__init__(file, scope, settings)
        self.desk = desk
        self.say, self._agreed, self._hurry = say, agreed, hurry
        self._next_equity = 0.0
        desk.stopped, desk.exposure_pct = self.stopped, Decimal(str(settings.exposure_pct))

    def market_speed(self) -> float:
        """How many market seconds pass in one second."""
        return self.desk.market.clock.speed

    def load(self) -> None:
        """Read the state. Results from before there was one are not counted."""
        self.state = load_risk(self._file, self.scope)
        if isinstance(self.state, RiskState) and not self.state.counted and not self.state.since_ms \
                and self.state.peak is None:
            before = tuple(one.id for one in self.desk.books.results)
            self.state = replace(self.state, counted=before, moved=self.desk.books.transferred())

    # -- entries -------------------------------------------------------------------------------------------

    def stopped(self, wallet: Wallet, positions: tuple[Position, ...]) -> tuple[str, ...]:
        """What speaks against an entry, with the account as it was read for it (X35)."""
        now_ms = self.now_ms()
        self.start(now_ms)
        self.feed(DataSeen(now_ms, now_ms))
        self._see(wallet, positions)
        found = self.may_enter(now_ms)
        return () if isinstance(found, Allowed) else found.reasons

    def told(self) -> dict[str, str | float]:
        """Facts for the service's heartbeat: equity, and what stops entries for longer than a moment."""
        return self.facts(self.desk.who.account.lower(), self.now_ms())

    # -- what is told and done -----------------------------------------------------------------------------

    def tell(self, words: dict[str, Any], key: str) -> None:
        """Said every time that it happens: the moment is part of the key."""
        self.say(Word(f"risk {key} {self.now_ms()}", f"Futures, {self.desk.who.system}: {words['what']}",
                       words.get("why", ""), words.get("todo", ""), urgent=words.get("level") == "alert"))

    def close_all(self) -> None:
        """Every leg of ours is being closed; the desk's looks go on with it until it is flat."""
        for leg in list(self.desk.books.plans):
            self.desk.close_soon(leg, "flatten")

    # -- what is seen --------------------------------------------------------------------------------------

    async def turn(self) -> None:
        """Several times a second. Raises Unavailable; the next turn goes on then."""
        if not self.desk.read_at or isinstance(self.state, Unreadable):
            return
        now_ms = self.now_ms()
        self.start(now_ms)
        if time.monotonic() - self.desk.read_at < FRESH_S:
            self.feed(DataSeen(now_ms, now_ms))
        self._count(now_ms)
        try:
            if time.monotonic() >= self._next_equity:
                await self._read_equity()
            if self.clearing_due():
                await self._clear_entries()
            if self.ending():
                self.feed(FlatSeen(self.now_ms(), self._flat()))
        finally:
            if self.write_due():
                await self.save()

    def _count(self, now_ms: int) -> None:
        """Rule 3. Transfers go first: equity must not be judged without them."""
        assert isinstance(self.state, RiskState)
        total = self.desk.books.transferred()
        if total != self.state.moved:
            self.feed(Transferred(now_ms, total - self.state.moved))
            self.state = replace(self.state, moved=total)
        known = set(self.state.counted)
        for one in self.desk.books.results:
            if one.id not in known:
                self.feed(TradeClosed(now_ms, one.id, one.net))

    async def _read_equity(self) -> None:
        self._next_equity = time.monotonic() + EQUITY_EVERY_S
        wallet, positions = await asyncio.gather(self.desk.account.wallet(), self.desk.account.positions())
        if not self._see(wallet, tuple(positions)):
            self._hurry()

    def _see(self, wallet: Wallet, positions: tuple[Position, ...]) -> bool:
        """Rules 1 and 2; False where the wallet is not explained yet."""
        if isinstance(self.state, Unreadable) or wallet.balance != self._agreed():
            return False
        now_ms = self.now_ms()
        self._count(now_ms)
        fees = sum((abs(one.quantity) * one.mark * self.desk.taker_fee(one.symbol) for one in positions), ZERO)
        self.feed(EquitySeen(now_ms, max(ZERO, wallet.equity - fees), self.desk.margin_of(positions)))
        return True

    async def _clear_entries(self) -> None:
        """By the journal, which has every order that may have left (X1); what became of it is asked by id (X9)."""
        self.clearing_begins()
        for entry in self.desk.waiting_entries():
            await self.desk.account.cancel(entry.intent.symbol, entry.intent.id)
        self.desk.resume()
        self.feed(EntriesCleared(self.now_ms(), len(self.desk.waiting_entries()) + self.desk.entering))

    def _flat(self) -> bool | None:
        """Rule 4; None where the account was not read just now (X15)."""
        if time.monotonic() - self.desk.read_at > FRESH_S:
            return None
        desk = self.desk
        return not (desk.books.plans or desk.books.legs() or desk.entering or desk.waiting_entries())

    def tell_unreadable(self) -> None:
        """Said at the start."""
        if isinstance(self.state, Unreadable):
            self.tell(risk_words.unreadable(self.state.reason), "unreadable")

    def now_ms(self) -> int:
        """Market time. Raises Unavailable."""
        return self.desk.market.clock.now_ms()


async def watch(risk_of: FuturesRisk, every_s: float) -> None:
    """Turns until cancelled; a venue that does not answer costs the turn."""
    risk_of.tell_unreadable()
    while True:
        try:
            await risk_of.turn()
        except Unavailable as problem:
            log.warning("%s: %s", risk_of.scope, problem)
        await asyncio.sleep(every_s)
