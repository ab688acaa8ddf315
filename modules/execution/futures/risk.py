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

from msgspec.structs import replace

from modules.exchange.futures_types import Position, Wallet
from modules.exchange.types import Unavailable
from modules.execution import risk, risk_words
from modules.execution.futures.desk import FuturesDesk
from modules.execution.futures.plan import ZERO, Word
from modules.execution.futures.risk_words import closing_all, moved
from modules.execution.risk import Allowed
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import (
    Broken,
    CancelEntries,
    ClosePositions,
    DataSeen,
    Decision,
    Declined,
    EntriesCleared,
    EquitySeen,
    Event,
    FlatSeen,
    Lifted,
    Moved,
    RiskState,
    Started,
    StopServices,
    TradeClosed,
    Trading,
    Transferred,
    Unreadable,
    Warned,
    lasting,
    load_risk,
)
from modules.storage.damage import set_aside_name
from modules.storage.json_state import JsonFile

log = logging.getLogger(__name__)

EQUITY_EVERY_S = 5.0
CANCEL_EVERY_S = 1.0
WRITE_EVERY_S = 3.0
FRESH_S = 5.0
TELL_AT_WRITE = 3


class FuturesRisk:
    """The risk of one desk. `agreed` tells the wallet that is explained; `hurry` asks for a pass that explains it."""

    def __init__(self, desk: FuturesDesk, file: JsonFile[RiskState], scope: str, settings: RiskSettings,
                 say: Callable[[Word], None], agreed: Callable[[], Decimal | None], hurry: Callable[[], None]) -> None:
        self.desk, self.scope, self._file, self._as_set = desk, scope, file, settings
        self.say, self._agreed, self._hurry = say, agreed, hurry
        self.state: RiskState | Unreadable = Unreadable("it has not been read yet")
        self.problem = ""
        self._failed_writes = 0
        self._saved: RiskState | None = None
        self._started = self._cancel = False
        self._next_equity = self._next_cancel = self._next_write = 0.0
        self._write_lock = asyncio.Lock()
        desk.stopped, desk.exposure_pct = self.stopped, Decimal(str(settings.exposure_pct))

    @property
    def settings(self) -> RiskSettings:
        """The settings at the market's speed."""
        return self._as_set.at_speed(self.desk.market.clock.speed)

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
        if self.problem:
            return (f"the risk state cannot be written: {self.problem}",)
        now_ms = self._now()
        self._start(now_ms)
        self.feed(DataSeen(now_ms, now_ms))
        self._see(wallet, positions)
        found = risk.may_enter(self.state, now_ms, self.settings)
        return () if isinstance(found, Allowed) else found.reasons

    def told(self) -> dict[str, str | float]:
        """Facts for the service's heartbeat: equity, and what stops entries for longer than a moment."""
        mode = self.desk.who.account.lower()
        standing = risk.standing(self.state, self._now()) + ([self.problem] if self.problem else [])
        equity = None if isinstance(self.state, Unreadable) else self.state.equity
        known: dict[str, str | float] = {} if equity is None else {f"equity_usdt_{mode}": round(float(equity), 2)}
        return {f"stopped_{mode}": "; ".join(standing), **known}

    # -- the rules -----------------------------------------------------------------------------------------

    def feed(self, event: Event) -> None:
        """Tell the rules something, and carry out what they decide."""
        if isinstance(self.state, Unreadable):
            return
        self.state, decisions = risk.step(self.state, event, self.settings)
        for decision in decisions:
            self._carry_out(decision)

    def _carry_out(self, decision: Decision) -> None:
        match decision:
            case Moved():
                log.warning("%s: %s -> %s (%s)", self.scope, decision.old, decision.new, decision.reason)
                self._tell(moved(decision), f"state {decision.new}")
            case Warned():
                self._tell(risk_words.warned(decision), f"near {decision.measure.limit}")
            case Broken():
                self._tell(risk_words.broken(decision), f"broken {decision.measure.limit}")
            case Lifted(limit):
                self._tell(risk_words.lifted(limit), f"lifted {limit}")
            case CancelEntries():
                self._cancel = True
            case ClosePositions():
                self.close_all()
            case Declined(reason):
                self._tell(risk_words.declined(reason), "declined")
            case StopServices():
                log.info("%s: the services are to be stopped; stops stay on the exchange", self.scope)

    def _tell(self, words: dict[str, str], key: str) -> None:
        """Said every time that it happens: the moment is part of the key."""
        self.say(Word(f"risk {key} {self._now()}", f"Futures, {self.desk.who.system}: {words['what']}",
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
        now_ms = self._now()
        self._start(now_ms)
        if time.monotonic() - self.desk.read_at < FRESH_S:
            self.feed(DataSeen(now_ms, now_ms))
        self._count(now_ms)
        try:
            if time.monotonic() >= self._next_equity:
                await self._read_equity()
            if self._clearing() and time.monotonic() >= self._next_cancel:
                await self._clear_entries()
            if self._ending():
                self.feed(FlatSeen(self._now(), self._flat()))
        finally:
            if self._write_due():
                await self.save()

    def _start(self, now_ms: int) -> None:
        """Before anything is told: what was seen before the start does not count any more."""
        if not self._started:
            self._started = True
            self.feed(Started(now_ms))

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
        now_ms = self._now()
        self._count(now_ms)
        fees = sum((abs(one.quantity) * one.mark * self.desk.taker_fee(one.symbol) for one in positions), ZERO)
        self.feed(EquitySeen(now_ms, max(ZERO, wallet.equity - fees), self.desk.margin_of(positions)))
        return True

    def _clearing(self) -> bool:
        closing = isinstance(self.state, RiskState) and self.state.trading is Trading.FLATTENING \
            and not self.state.closing
        return self._cancel or closing

    async def _clear_entries(self) -> None:
        """By the journal, which has every order that may have left (X1); what became of it is asked by id (X9)."""
        self._cancel = False
        self._next_cancel = time.monotonic() + CANCEL_EVERY_S
        for entry in self.desk.waiting_entries():
            await self.desk.account.cancel(entry.intent.symbol, entry.intent.id)
        self.desk.resume()
        self.feed(EntriesCleared(self._now(), len(self.desk.waiting_entries()) + self.desk.entering))

    def _ending(self) -> bool:
        return isinstance(self.state, RiskState) and (
            self.state.trading is Trading.DRAINING or (self.state.trading is Trading.FLATTENING and self.state.closing))

    def _flat(self) -> bool | None:
        """Rule 4; None where the account was not read just now (X15)."""
        if time.monotonic() - self.desk.read_at > FRESH_S:
            return None
        desk = self.desk
        return not (desk.books.plans or desk.books.legs() or desk.entering or desk.waiting_entries())

    # -- a person's words: see risk_inbox; the state on disk ---------------------------------------------------

    def start_anew(self) -> None:
        """A person accepted that the state which cannot be read is set aside. Raises OSError."""
        if self._file.path.exists():
            self._file.path.replace(set_aside_name(self._file.path))
        self._file.remove()
        self.load()
        self._started = False

    def tell_closing(self) -> None:
        """FLATTEN without a state that can be read: exits never depend on it."""
        self._tell(closing_all(), "closing")

    def tell_unreadable(self) -> None:
        """Said at the start, and to every word that needs the state."""
        if isinstance(self.state, Unreadable):
            self._tell(risk_words.unreadable(self.state.reason), "unreadable")

    def decline(self, reason: str) -> None:
        """A word that cannot be followed."""
        self._tell(risk_words.declined(reason), "declined")

    def _write_due(self) -> bool:
        state, saved = self.state, self._saved
        if isinstance(state, Unreadable) or state == saved:
            return False
        return saved is None or time.monotonic() >= self._next_write or lasting(state) != lasting(saved)

    async def save(self) -> bool:
        """Write the state where it changed (rule 5); False, told once, where the disk refuses."""
        async with self._write_lock:
            state = self.state
            if isinstance(state, Unreadable) or state == self._saved:
                return True
            try:
                await asyncio.to_thread(self._file.save, state)
            except OSError as problem:
                self.problem = str(problem) or repr(problem)
                log.error("%s: the risk state cannot be written: %s", self.scope, self.problem)
                self._failed_writes += 1
                if self._failed_writes == TELL_AT_WRITE:
                    self._tell(risk_words.unwritten(self.problem), "unwritten")
                return False
            self.problem, self._failed_writes = "", 0
            self._saved = state
            self._next_write = time.monotonic() + WRITE_EVERY_S
            return True

    def _now(self) -> int:
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
