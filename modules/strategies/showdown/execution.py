"""Both modes' accounts of system C: opened guards first, kept, traded, recorded (C7, C8).

1. TEST is the paper account, LIVE the venue's. The mode of /testmode takes new trades; the other one is opened as well
   where something of it is followed or planned on disk, and goes on to its exits.
2. Nothing here waits for the database: positions are guarded before it is even opened, rows wait in the spool.
3. What ends a keeper or a trader ends the service: the supervisor starts it again, guards first.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from modules.apikeys.api_manager import ApiManager
from modules.exchange.futures_api import FuturesAccount
from modules.exchange.futures_gateway import open_futures_account, streams
from modules.exchange.lanes import Lane, in_lane
from modules.exchange.types import Mode, Unavailable
from modules.exchange.venue_binance import BinanceMarket
from modules.execution.futures.books import planned
from modules.execution.futures.keeper import Rhythm, keep
from modules.execution.mode import mode_file
from modules.storage.damage import StateError
from modules.strategies.showdown.records import Decision
from modules.strategies.showdown.trade_book import TradeBook, open_trades
from modules.strategies.showdown.trade_rows import Rows, account_of
from modules.strategies.showdown.trade_words import Voice
from modules.strategies.showdown.trader import Trader
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)

SYSTEM = "showdown"
RETRY_S = 5.0
VERIFY_S = 60.0
PASS_S = 30.0
LEAST_TEND_S = 0.5


@dataclass(frozen=True, slots=True)
class AccountNow:
    """The account that new trades are sized for. `problem`: why its equity cannot be told (X35)."""

    mode: Mode
    name: str
    equity: Decimal | None
    problem: str = ""


class Execution:
    """All accounts. `put(table, rows)` hands rows to SQL; it may be given later (rule 2)."""

    def __init__(self, paths: Paths, settings: "Settings", market: BinanceMarket, voice: Voice,
                 put: Callable[[str, list[dict[str, Any]]], None]) -> None:
        self.paths, self.settings, self.market, self.voice = paths, settings, market, voice
        self._put = put
        own = settings.showdown
        leverage = min(own.leverage, settings.futures.leverage)
        self.own = own if own.leverage == leverage else own.model_copy(update={"leverage": leverage})
        self.traders: dict[Mode, Trader] = {}
        self._rows: dict[Mode, Rows] = {}
        self._accounts: list[FuturesAccount] = []
        self._keys: list[ApiManager] = []
        self._work: list[asyncio.Task[None]] = []
        self._problems: dict[Mode, str] = {}
        self.mode = Mode.TEST

    # -- start and end -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """The accounts that are needed now (rule 1). Raises StateError, OSError."""
        await self._choose()
        for mode in Mode:
            if mode is self.mode or self._needed(mode):
                await self._open(mode)

    async def run(self) -> None:
        """Until cancelled; raises what ended a part of it (rule 3)."""
        watch = asyncio.create_task(self._watch(), name="showdown mode")
        try:
            while True:
                done, _ = await asyncio.wait([watch, *self._work], return_when=asyncio.FIRST_COMPLETED, timeout=1.0)
                for task in done:
                    task.result()
                    raise RuntimeError(f"{task.get_name()} ended")
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def close(self) -> None:
        """Take back what would open something; stops and targets stay on the exchange."""
        await asyncio.gather(*(trader.stop() for trader in self.traders.values()))
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        for trader in self.traders.values():
            await trader.desk.shut()
        for account in self._accounts:
            try:
                await account.close()
            except Unavailable as problem:
                log.error("an account could not be closed: %s", problem)
        for keys in self._keys:
            keys.close()

    async def _open(self, mode: Mode) -> None:
        """One account, in the lane of exits; where it cannot be opened the other one goes on."""
        with in_lane(Lane.EXIT):
            await self._opened(mode)

    async def _opened(self, mode: Mode) -> None:
        try:
            account = await open_futures_account(mode, self.settings.futures, self.paths, self.market, SYSTEM,
                                                 self._further_keys() if mode is Mode.LIVE else None)
        except Unavailable as problem:
            self._problems[mode] = str(problem)
            self.voice.say("ERROR", str(mode), "The futures account cannot be opened; nothing is traded there",
                           str(problem), "Mend it; it is tried again by itself", level="alert")
            return
        self._problems.pop(mode, None)
        rhythm = Rhythm(look_s=max(1.0, self.own.execute_s), pass_s=PASS_S)
        keeper = keep(SYSTEM, mode, self.settings.futures, self.paths.data, account, self.market, self.own.symbols,
                      self.voice.of(str(mode)), rhythm, self.settings.risk)
        book = TradeBook(self.paths.data, mode)
        book.load()
        trader = Trader(mode, keeper, book, self.own, self.voice)
        trader.active = mode is self.mode
        self.traders[mode] = trader
        self._accounts.append(account)
        self._rows[mode] = Rows(mode, keeper.desk, self.settings.futures.name, self._put)
        self._spawn(keeper.run(), f"keeper {mode}")
        self._spawn(trader.run(), f"trader {mode}")
        self._spawn(self._tend(mode), f"records {mode}")
        stream = keeper.listen(account, streams(self.settings.futures, self.market))
        if stream is not None:
            self._spawn(stream.run(), f"account stream {mode}")

    def _further_keys(self) -> ApiManager:
        """Further keys of the venue's account: they take over where one is refused (B6)."""
        if not self._keys:
            self._keys.append(ApiManager.open(self.settings.apikeys, self.paths))
        return self._keys[0]

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        self._work.append(asyncio.create_task(work, name=name))

    def _needed(self, mode: Mode) -> bool:
        """Whether something of it has to be guarded; what cannot be read has (X15)."""
        try:
            return bool(open_trades(self.paths.data, mode)) or planned(self.paths.data, SYSTEM, mode)
        except StateError:
            return True

    # -- beside ----------------------------------------------------------------------------------------------------

    async def _choose(self) -> None:
        self.mode = (await asyncio.to_thread(mode_file(self.paths).load)).mode

    async def _watch(self) -> None:
        """The switch between test and live; what could not be opened is tried again (rule 1)."""
        while True:
            try:
                await self._choose()
            except (StateError, OSError) as problem:
                self.voice.say("ERROR", "", "Whether TEST or LIVE cannot be read; nothing is opened", str(problem),
                               "/testmode_on writes it anew", level="alert")
                for trader in self.traders.values():
                    trader.active = False
                await asyncio.sleep(RETRY_S)
                continue
            for mode, trader in self.traders.items():
                trader.active = mode is self.mode
            if self.mode not in self.traders:
                await self._open(self.mode)
                await asyncio.sleep(RETRY_S if self.mode not in self.traders else 0)
            await asyncio.sleep(1.0)

    async def _tend(self, mode: Mode) -> None:
        """Rows and equity into SQL, leverage and mode looked at: nothing waits for this."""
        trader, rows = self.traders[mode], self._rows[mode]
        await trader.keeper.opened.wait()
        pause = max(LEAST_TEND_S, min(self.own.equity_every_s / self.market.clock.speed, 15.0))
        wallet_at = verified_at = 0.0
        while True:
            now = time.monotonic()
            try:
                rows.follow()
                if now - wallet_at >= self.own.equity_every_s / self.market.clock.speed:
                    await self.record_equity(mode)
                    wallet_at = now
                if now - verified_at >= VERIFY_S:
                    await trader.desk.verify(self.own.symbols)  # X22: changed by hand is told, not only refused
                    verified_at = now
            except (Unavailable, OSError) as problem:
                log.info("the account of %s was not recorded: %s", mode, problem)
            await asyncio.sleep(pause)

    async def record_equity(self, mode: Mode) -> Decimal:
        """One point of the equity curve, now. Raises Unavailable."""
        wallet = await self.traders[mode].desk.account.wallet()
        self._rows[mode].equity(wallet, self.market.clock.now_ms())
        return wallet.equity

    # -- for the decisions -----------------------------------------------------------------------------------------

    async def account(self) -> AccountNow:
        """The account that the next decision is sized for."""
        mode = self.mode
        if mode not in self.traders:
            return AccountNow(mode, account_of(mode), None,
                              self._problems.get(mode, f"the {mode} account is not open yet"))
        try:
            return AccountNow(mode, account_of(mode), await self.record_equity(mode))
        except (Unavailable, OSError) as problem:
            return AccountNow(mode, account_of(mode), None, f"the {mode} account cannot be read: {problem}")

    def offer(self, decision: Decision) -> None:
        """A decision for whoever trades in its mode."""
        for trader in self.traders.values():
            trader.offer(decision)

    async def close_trade(self, symbol: str, why: str) -> str:
        """A person's wish, in every mode that holds it. Raises OSError."""
        said = [await trader.close(symbol, why) for trader in self.traders.values()
                if symbol in trader.book.trades.open]
        return "; ".join(said) or f"{symbol}: nothing is held by system C"

    def holds(self, symbol: str) -> bool:
        """Whether a trade of the contract is followed in the mode of new trades."""
        trader = self.traders.get(self.mode)
        return trader is not None and symbol in trader.book.trades.open

    def told(self) -> dict[str, Any]:
        """Facts for /status; `accounts` by mode is for /btc and for whoever looks closer."""
        accounts, held, closed = {}, 0, ""
        for mode, trader in self.traders.items():
            loop = trader.loop_ms()
            held += len(trader.book.trades.open)
            why = trader.desk.closed or trader.desk.unset
            closed = closed or (f"{mode}: {why}" if why else "")
            accounts[str(mode)] = {"loop_ms": loop[0], "loop_max_ms": loop[1], "held": trader.held(),
                                   "guarded": trader.keeper.guarded.is_set(), "bare": len(trader.desk.bare_since)}
        return {"mode": str(self.mode), "trades": held, "entries_stopped": closed, "accounts": accounts}
