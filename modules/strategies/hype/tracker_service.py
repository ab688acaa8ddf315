"""The tracker as a service: connect, look everything up, guard until stopped."""

import logging
import time
from typing import TYPE_CHECKING

from modules.apikeys.api_manager import ApiManager
from modules.exchange.api import Account, MarketData
from modules.exchange.gateway import may_trade_live, open_account, open_market
from modules.exchange.lanes import Lane
from modules.exchange.types import Mode, Unavailable
from modules.execution.executor import Patience
from modules.strategies.hype.files import HypeFiles
from modules.strategies.hype.tracker import Tracker, run_until_stopped
from modules.strategies.hype.venue_notices import listener
from modules.supervision.service import ServiceRun

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)

FIRST_WAIT_S = 0.3
LONGEST_WAIT_S = 5.0
ALERT_AFTER_S = 15.0
KEY_CHECK_EVERY_S = 3600.0


async def main(run: ServiceRun, settings: "Settings") -> None:
    """Entry of the service. Raises StateError when state is damaged beyond its copies."""
    market = await connect(run, settings)
    if market is None:
        return

    keys = ApiManager.open(settings.apikeys, run.paths)

    async def account(mode: Mode) -> Account:
        return await open_account(mode, settings.exchange, run.paths, market, keys)

    patience = Patience(window_s=settings.exchange.recv_window_ms / 1000)
    tracker = Tracker(run, settings.hype, market, account, {Mode.TEST: always, Mode.LIVE: KeyCheck().ask}, patience,
                      settings.risk, settings.decisions)
    try:
        tracker.load()
        try:
            await tracker.start()
        except Unavailable as problem:  # exits only, until a turn gets through (X16)
            log.warning("start: %s", problem)
        run.ready(exchange="ok")
        await run_until_stopped(tracker)
        await tracker.finish()
    finally:
        await tracker.close()
        keys.close()


async def connect(run: ServiceRun, settings: "Settings") -> MarketData | None:
    """Open the market, however long it takes; None when asked to stop meanwhile.

    An unreachable exchange is a state, not a crash: the service is alive, says so, and alerts while positions wait.
    """
    began, wait_s, told = time.monotonic(), FIRST_WAIT_S, False
    while not run.stop.is_set():
        try:
            return await open_market(settings.exchange, run.paths, lane=Lane.EXIT,
                                     listen=listener(run, settings.exchange.name))
        except Unavailable as problem:
            log.warning("connect: %s", problem)
            run.tell(exchange=str(problem))
            if not told and time.monotonic() - began > ALERT_AFTER_S:
                told = True
                run.ready(exchange=str(problem))
                _alert(run, str(problem))
        await run.sleep(wait_s)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
    return None


def _alert(run: ServiceRun, problem: str) -> None:
    held = {mode.value: len(HypeFiles(run.paths, mode).tracked.load()) for mode in Mode}
    if any(held.values()):
        run.outbox.say("Positions are NOT guarded: the exchange cannot be reached", why=problem, level="alert",
                       todo=f"Open: {held['TEST']} TEST, {held['LIVE']} LIVE. I keep trying.")
    else:
        run.outbox.say("The tracker cannot reach the exchange", why=problem, level="warning", todo="I keep trying.")


async def always(account: Account) -> str:
    """Entries need no key."""
    return ""


class KeyCheck:
    """Entries only with a key that can trade and cannot withdraw; asked anew every hour."""

    def __init__(self) -> None:
        self._good_until = 0.0

    async def ask(self, account: Account) -> str:
        """Why the key must not be used, or "". Raises Unavailable when it cannot be found out: then no entry."""
        if time.monotonic() < self._good_until:
            return ""
        report = await may_trade_live(account)
        if not report.usable:
            return report.text
        self._good_until = time.monotonic() + KEY_CHECK_EVERY_S
        return ""
