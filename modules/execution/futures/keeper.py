"""Keeps one futures account: guards first, then opens, then watches; the loop that every futures system runs beside.

1. Order of the start (X16, X18): cover positions, then read everything, then entries. What fails is tried again after
   `RETRY_S`; nothing is opened meanwhile.
2. Truth is REST: a look at positions and conditional orders every `look_s`, a whole pass every `pass_s` (X21), sooner
   after trouble but not more often than every `PASS_APART_S`: a stream of garbage must not use up the weight. The
   account's stream only makes both come sooner; its silence loses nothing (X29).
3. Contracts change while this runs (ticks, halts, delistings): their list is read anew every `LISTED_S` (X10).
4. While looks fail the account's figures are old and entries are closed; they open again with the next whole pass.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path

from modules.exchange.binance_account import BinanceAccount
from modules.exchange.binance_events import News, OrderNews, Trouble, read
from modules.exchange.bybit_account import BybitAccount
from modules.exchange.bybit_events import read as read_bybit
from modules.exchange.futures_api import FuturesAccount, FuturesMarketData
from modules.exchange.futures_gateway import Streams
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.futures_types import MarginMode
from modules.exchange.streams.bybit_private import BybitPrivate
from modules.exchange.streams.private import PrivateStream
from modules.exchange.types import Mode, Unavailable
from modules.execution.futures.books import FuturesBooks, books_file
from modules.execution.futures.desk import FuturesDesk
from modules.execution.futures.episodes import Episodes
from modules.execution.futures.exits import Out
from modules.execution.futures.guard import Identity
from modules.execution.futures.plan import LegKey, Word
from modules.execution.futures.reconcile import PerpReport, Reconciler
from modules.execution.futures.report_file import ReportKeeper
from modules.execution.futures.risk import FuturesRisk, watch
from modules.execution.futures.risk_inbox import Orders, inbox_of
from modules.execution.futures.setup import PATIENCE, DeskTerms
from modules.execution.journal import Journal
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import futures_risk_file, futures_scope
from modules.supervision.messages import Inbox

log = logging.getLogger(__name__)

RETRY_S = 0.5
STALE_S = 30.0
SILENT_S = 600.0
PASS_APART_S = 8.0
LISTED_S = 600.0
TURN_S = 0.25
AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often what is read, in seconds (X21)."""

    look_s: float = 2.0
    pass_s: float = 30.0
    flatten_s: float = 0.5


class Keeper:
    """One account, kept. Use `run` as a task; `desk` is for the system's wishes."""

    def __init__(self, desk: FuturesDesk, reconciler: Reconciler, symbols: tuple[str, ...], rhythm: Rhythm,
                 say: Callable[[Word], None]) -> None:
        self.desk, self.reconciler, self.symbols, self.rhythm = desk, reconciler, symbols, rhythm
        self._say = say
        self.guarded = asyncio.Event()
        self.opened = asyncio.Event()
        self.report: PerpReport | None = None
        self.shown: ReportKeeper | None = None
        self.heard_at = 0.0
        self._soon = asyncio.Event()
        self._whole = False
        self._passed_at = 0.0
        self._listed_at = time.monotonic()
        self.risk: FuturesRisk | None = None
        self.orders: Orders | None = None

    async def run(self) -> None:
        """Until cancelled."""
        beside = [asyncio.create_task(self._kept_up(name, work), name=name) for name, work in self._beside().items()]
        try:
            await self._keep()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            if self.risk is not None:
                await self.risk.save()

    def _beside(self) -> dict[str, Callable[[], Coroutine[object, object, None]]]:
        """Risk and persons' words: beside the looks, so that guarding waits for neither."""
        found: dict[str, Callable[[], Coroutine[object, object, None]]] = {}
        if self.risk is not None:
            found["the risk of futures"] = partial(watch, self.risk, TURN_S)
        if self.orders is not None:
            found["the inbox of futures"] = partial(self._obey, self.orders)
        return found

    async def _kept_up(self, name: str, work: Callable[[], Coroutine[object, object, None]]) -> None:
        """The border of a part: what it fell over is logged and told, and it begins anew; guarding goes on beside."""
        while True:
            try:
                await work()
            except Exception as problem:  # border of the task
                log.exception("%s failed; it begins anew", name)
                self._say(Word(f"failed {name}", f"A part failed: {name}; it begins anew",
                               f"{type(problem).__name__}: {problem}", "Look at /logs; positions stay guarded"))
            await asyncio.sleep(AGAIN_S)

    async def _obey(self, orders: Orders) -> None:
        while True:
            try:
                await orders.obey()
            except OSError as problem:
                log.warning("persons' words cannot be read: %s", problem)
            await asyncio.sleep(TURN_S)

    def hurry(self) -> None:
        """A whole pass soon: the wallet moved; at most one in `PASS_APART_S`."""
        if time.monotonic() - self._passed_at >= min(PASS_APART_S, self.rhythm.pass_s):
            self._whole = True
            self._soon.set()

    async def _keep(self) -> None:
        await self._again(self.desk.guard_first, "positions cannot be guarded yet")
        self.guarded.set()
        await self._again(lambda: self.reconciler.open(self.symbols), "the futures account cannot be read yet")
        self.opened.set()
        passed = 0.0
        while True:
            self._soon.clear()
            now = time.monotonic()
            try:
                since = now - passed
                if since >= self.rhythm.pass_s or (self._whole and since >= PASS_APART_S):
                    self._whole = False
                    await self._pass()
                    passed = time.monotonic()
                else:
                    await self.desk.look()
                    self.desk.resume()
            except (Unavailable, OSError) as problem:
                self._failed(problem)
            try:
                async with asyncio.timeout(self.rhythm.look_s):
                    await self._soon.wait()
            except TimeoutError:
                continue

    async def _pass(self) -> None:
        await self._list()
        before = self.desk.closed
        if before:
            await self.desk.verify(self.symbols)
        self.report = await self.reconciler.pass_()
        self._passed_at = time.monotonic()
        if before.startswith(OLD):
            self.desk.closed = ""
        if self.shown is not None:
            await self.shown.keep(self.report)

    async def _list(self) -> None:
        """Rule 3; a list that cannot be read now stays as it was until the next pass."""
        if time.monotonic() - self._listed_at < LISTED_S:
            return
        try:
            await self.desk.market.contracts(True)
            self._listed_at = time.monotonic()
        except Unavailable as problem:
            log.warning("the list of contracts cannot be read anew: %s", problem)

    def _failed(self, problem: Exception) -> None:
        """Rule 4."""
        age = time.monotonic() - self.desk.read_at
        log.warning("a look at the futures account failed (%s)", problem)
        if age > STALE_S and not self.desk.closed:
            self.desk.closed = f"{OLD} {age:.0f} s old"
            self._whole = True
            self._say(Word("stale", "Futures: the account cannot be read; nothing is opened", str(problem),
                           "Nothing: stops stand on the exchange; it is tried again by itself"))

    async def _again(self, step: Callable[[], Coroutine[object, object, None]], text: str) -> None:
        """Rule 1."""
        told = False
        while True:
            try:
                return await step()
            except (Unavailable, OSError) as problem:
                log.warning("%s: %s", text, problem)
                if not told:
                    told = True
                    self._say(Word(f"start {text}", f"Futures: {text}", str(problem), "Nothing: it is tried again"))
                await asyncio.sleep(RETRY_S)

    # -- the account's stream --------------------------------------------------------------------------------

    def hear(self, raw: bytes, local_ns: int, read: Callable[[bytes], News | None] = read) -> None:
        """One event of the account's stream (rule 2)."""
        self.heard_at = time.monotonic()
        news = read(raw)
        if isinstance(news, OrderNews) and news.liquidation:
            self._say(Word(f"liquidating {news.state.order_id}", f"{news.state.symbol}: the exchange is LIQUIDATING",
                           "", "Look at the account on the exchange"))
            self._whole = True
        if isinstance(news, Trouble):
            log.warning("the account's stream: %s", news.why)
            self._whole = True
        if news is not None:
            self._soon.set()

    async def gap(self, why: str) -> None:
        """Events may have been missed."""
        log.info("%s; the account is read anew", why)
        self._whole = True
        self._soon.set()

    def listen(self, account: FuturesAccount, streams: Streams) -> PrivateStream | BybitPrivate | None:
        """The account's stream, to be run as a task; a paper account has none."""
        if isinstance(account, BybitAccount):
            clock = account.link.clock
            return BybitPrivate(streams.session, streams.base, account.key, clock.now_ms,
                                partial(self.hear, read=read_bybit), self.gap, speed=lambda: clock.speed)
        if not isinstance(account, BinanceAccount):
            return None
        return PrivateStream(streams.session, streams.base, account, self.hear, self.gap, silence_s=SILENT_S)

    # -- wishes ------------------------------------------------------------------------------------------------

    async def flatten(self, reason: str, patience_s: float = 60.0) -> list[LegKey]:
        """Close every leg (X36): entries first, then positions; returns the legs that are not flat when time is up."""
        end = time.monotonic() + patience_s
        while True:
            legs = [leg for leg in self.desk.books.plans if leg in self.desk.positions or self.desk.books.held(leg)]
            outs = await asyncio.gather(*(self._sitting(leg, reason) for leg in legs))
            left = [leg for leg, out in zip(legs, outs, strict=True) if not out.flat]
            if not left or time.monotonic() >= end:
                return left
            await asyncio.sleep(self.rhythm.flatten_s)

    async def _sitting(self, leg: LegKey, reason: str) -> Out:
        try:
            return await self.desk.close(leg, reason)
        except (Unavailable, OSError) as problem:
            return Out(False, str(problem))


OLD = "the account's figures are"


def keep(system: str, mode: Mode, settings: FuturesSettings, folder: Path, account: FuturesAccount,
         market: FuturesMarketData, symbols: tuple[str, ...], say: Callable[[Word], None],
         rhythm: Rhythm | None = None, risk: RiskSettings | None = None) -> Keeper:
    """The keeper of one system's account, its books, journal and risk state read from `folder` (the data folder).

    `risk`: the limits that stop entries; those of the defaults where none are given.

    Raises StateError where they are damaged, OSError by the disk.
    """
    prefix = "test_" if mode is Mode.TEST else ""
    journal = Journal(folder / f"{prefix}futures_{system}_intents.jsonl")
    journal.load()
    books = FuturesBooks(books_file(folder, system, mode), settings.name, str(mode))
    books.load()
    looks = Episodes(say)
    desk = FuturesDesk(account, market, journal, books, Identity(system, str(mode)), terms(settings), looks)
    keeper = Keeper(desk, Reconciler(desk, looks), symbols, rhythm or Rhythm(), say)
    keeper.risk = FuturesRisk(desk, futures_risk_file(folder, system, mode), futures_scope(system, mode),
                              risk or RiskSettings(), say, lambda: keeper.reconciler.agreed, keeper.hurry)
    keeper.risk.load()
    keeper.shown = ReportKeeper(desk, folder, mode)
    keeper.orders = Orders(keeper.risk, Inbox(folder / "inbox", inbox_of(system, mode)))
    return keeper


def terms(settings: FuturesSettings) -> DeskTerms:
    """The settings as the desk takes them."""
    window_s = settings.recv_window_ms / 1000
    return DeskTerms(
        hedge=settings.hedge, margin=MarginMode(settings.margin), leverage=settings.leverage, arrange=settings.arrange,
        margin_share=_exact(settings.margin_share_pct) / 100, warn_pct=_exact(settings.liquidation_warn_pct),
        act_pct=_exact(settings.liquidation_act_pct), exit_pct=_exact(settings.exit_slippage_pct),
        unprotected_s=settings.unprotected_s,
        patience=replace(PATIENCE, window_s=window_s))


def _exact(value: float) -> Decimal:
    """A setting's figure as it was written."""
    return Decimal(str(value))
