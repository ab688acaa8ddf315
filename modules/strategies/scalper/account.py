"""One mode's account: opened, kept and traded; the one that is not in use is kept while anything of it is open."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modules.apikeys.api_manager import ApiManager
from modules.exchange.futures_api import FuturesAccount
from modules.exchange.futures_gateway import VenueMarket, open_futures_account, streams
from modules.exchange.types import Mode
from modules.execution.futures.keeper import Keeper, Rhythm, keep
from modules.execution.futures.plan import Word
from modules.strategies.scalper.eye import Eye
from modules.strategies.scalper.records import state_file
from modules.strategies.scalper.trade_log import TradeLog
from modules.strategies.scalper.trader import Trader
from modules.supervision.service import ServiceRun

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)

SYSTEM = "scalper"
RHYTHM = Rhythm(look_s=1.0, pass_s=30.0)


@dataclass
class Running:
    """The parts of one mode."""

    mode: Mode
    account: FuturesAccount
    keys: ApiManager | None
    keeper: Keeper
    trader: Trader
    tasks: list["asyncio.Task[None]"]

    @property
    def busy(self) -> bool:
        """Something is open, or may be."""
        return bool(self.trader.state.open or self.keeper.desk.books.plans)

    def problem(self) -> str:
        """Why nothing is opened in this mode; "" where it may."""
        if not self.keeper.opened.is_set():
            return self.keeper.desk.closed or "the account is being read"
        risk = self.keeper.risk.told() if self.keeper.risk is not None else {}
        desk = self.keeper.desk
        return self.trader.stopped or desk.closed or desk.unset or str(risk.get(f"stopped_{self.mode.lower()}", ""))

    def facts(self) -> dict[str, str | float]:
        """What the risk rules tell of this account, for the heartbeat."""
        return self.keeper.risk.told() if self.keeper.risk is not None else {}

    async def shut(self) -> None:
        """Stops stay on the venue."""
        await self.trader.shut()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.keeper.desk.shut()
        await _let_go(self.account, self.keys)


async def open_mode(mode: Mode, run: ServiceRun, settings: "Settings", market: VenueMarket, eyes: dict[str, Eye],
                    lines: TradeLog) -> Running:
    """Open a mode: positions are guarded first, then it may trade (X16). Raises Unavailable, StateError, OSError."""
    symbols = tuple(dict.fromkeys((*settings.scalper.symbols,)))
    keys = ApiManager.open(settings.apikeys, run.paths) if mode is Mode.LIVE else None
    try:
        account = await open_futures_account(mode, settings.futures, run.paths, market, SYSTEM, keys, symbols)
    except BaseException:
        if keys is not None:
            keys.close()
        raise

    def say(word: Word) -> None:
        run.outbox.say(word.what, mode=str(mode), why=word.why, todo=word.todo,
                       level="alert" if word.urgent else "warning")

    def tell(what: str, why: str, todo: str, level: str) -> None:
        run.outbox.say(what, mode=str(mode), why=why, todo=todo, level="warning" if level == "warning" else "info")

    try:
        keeper = keep(SYSTEM, mode, settings.futures, run.paths.data, account, market, symbols, say, RHYTHM,
                      settings.risk)
        trader = Trader(mode, settings.scalper, keeper, state_file(run.paths, mode), eyes, lines, tell)
    except BaseException:
        await _let_go(account, keys)
        raise
    tasks = [asyncio.create_task(_restarted(keeper), name=f"keeper {mode}")]
    if mode is Mode.LIVE and (stream := keeper.listen(account, streams(settings.futures, market))) is not None:
        tasks.append(asyncio.create_task(_stream(stream.run), name="account's stream"))
    return Running(mode, account, keys, keeper, trader, tasks)


async def _let_go(account: FuturesAccount, keys: ApiManager | None) -> None:
    await account.close()
    if keys is not None:
        keys.close()


async def _restarted(keeper: Keeper) -> None:
    """The keeper never ends: what it fell over is logged, and it begins anew (guards first)."""
    while True:
        try:
            await keeper.run()
        except Exception:  # border of a task: positions must go on being guarded
            log.exception("the keeper of the scalper's positions failed; it begins anew")
            await asyncio.sleep(1.0)


async def _stream(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await run()
        except Exception:  # border of a task: without the stream the keeper asks
            log.exception("the account's stream failed; it is opened again")
        await asyncio.sleep(2.0)
