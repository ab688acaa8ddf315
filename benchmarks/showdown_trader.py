"""System C's execution as a process that the matrix and the storm kill: the real `Execution`, decisions from outside.

    FUTURES_BASE_URL=… COXSWAIN_HOME=… python -m benchmarks.showdown_trader SYMBOL [SYMBOL …]

Messages of its inbox: `decision` {a decision as in decision.json}, `close` {symbol}, `release`, `flatten`. It trades
LIVE on the simulated venue; what it knows goes to ``data/run/trader.json`` ten times a second.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from config.settings import load_settings
from modules.exchange.futures_gateway import open_futures
from modules.exchange.types import Mode, PositionSide, Unavailable
from modules.execution.futures.plan import LegKey
from modules.execution.mode import TestMode, mode_file
from modules.strategies.showdown.execution import SYSTEM, Execution
from modules.strategies.showdown.records import Decision
from modules.strategies.showdown.shelf import Shelf
from modules.strategies.showdown.trade_words import Voice
from modules.supervision.messages import Inbox
from modules.supervision.outbox import Outbox
from utils.files import write_atomic
from utils.paths import Paths


class Driver:
    """Wishes from outside, and the status file."""

    def __init__(self, execution: Execution, paths: Paths) -> None:
        self.execution = execution
        self.inbox = Inbox(paths.inbox, SYSTEM)
        self._status = paths.run / "trader.json"
        self._began = time.time()
        self.last = ""

    async def serve(self) -> None:
        """Wishes, one after the other; a decision is offered once the account is open."""
        trader = self.execution.traders[Mode.LIVE]
        await trader.keeper.opened.wait()
        while True:
            for path, message in self.inbox.take():
                if message.kind == "decision":
                    offered = msgspec.convert(message.body, Decision)
                    await self._otherwise(offered)
                    self.execution.offer(offered)
                    await self._taken(offered)
                    self.last = f"offered {offered.hash[:20]}"
                elif message.kind == "release":
                    trader.desk.books.release(LegKey(message.body["symbol"], PositionSide(message.body["side"])))
                elif message.kind == "flatten":
                    if await self._flatten():
                        break  # it stays, and is tried again
                else:
                    self.last = await self.execution.close_trade(str(message.body["symbol"]), "told to")
                self.inbox.done(path, message)
            await asyncio.sleep(0.05)

    async def _flatten(self) -> bool:
        """Whether something is still held."""
        trader = self.execution.traders[Mode.LIVE]
        for symbol in list(trader.book.trades.open):
            await trader.close(symbol, "flatten")
        return bool(await trader.keeper.flatten("told to", 5.0))

    async def _otherwise(self, decision: Decision) -> None:
        """What was closed by hand is opened the same way again only after another decision: there was one."""
        trader = self.execution.traders[Mode.LIVE]
        if decision.symbol not in trader.book.trades.rests:
            return
        self.execution.offer(msgspec.structs.replace(decision, action="flat"))
        end = time.monotonic() + 5
        while decision.symbol in trader.book.trades.rests and time.monotonic() < end:
            await asyncio.sleep(0.02)

    async def _taken(self, decision: Decision) -> None:
        """Until the trader has looked at it: a death before that is a decision that was never heard."""
        trader = self.execution.traders[Mode.LIVE]
        end = time.monotonic() + 5
        while trader.book.trades.seen.get(decision.symbol, 0) < decision.ms and time.monotonic() < end:
            await asyncio.sleep(0.02)

    async def tell(self) -> None:
        """The status file, ten times a second."""
        trader = self.execution.traders[Mode.LIVE]
        desk, keeper = trader.desk, trader.keeper
        while True:
            report = keeper.report
            open_ = desk.journal.open_entries(desk.who.system, desk.who.account)
            told: dict[str, Any] = {
                "pid": os.getpid(), "began": self._began, "guarded": keeper.guarded.is_set(),
                "opened": keeper.opened.is_set() and not desk.closed, "closed": desk.closed,
                "open": [f"{entry.intent.leg} {entry.intent.symbol}" for entry in open_],
                "plans": {str(leg): plan.closing for leg, plan in desk.books.plans.items()},
                "bare": [str(leg) for leg in desk.bare_since], "waiting": self.inbox.waiting(), "last": self.last,
                "trades": {symbol: f"{'entering' if one.entering else 'held'} part {one.part_done} stop {one.stop} "
                                   f"of {one.sl} even {one.stop != one.sl}"
                           for symbol, one in trader.book.trades.open.items()},
                "loop_ms": trader.loop_ms(), "clean": report.clean if report else None,
                "checks": [str(check) for check in report.checks if check.ok is False] if report else [],
                "notes": list(report.notes) if report else []}
            write_atomic(self._status, json.dumps(told).encode(), durable=False)
            await asyncio.sleep(0.1)


async def main(symbols: tuple[str, ...]) -> None:
    """Until killed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    paths = Paths(Path(os.environ["COXSWAIN_HOME"])).prepare()
    mode_file(paths).save(TestMode(test_mode=False))
    settings = load_settings(paths, {
        "FUTURES_BASE_URL": os.environ["FUTURES_BASE_URL"], "FUTURES_ARRANGE": "true", "FUTURES_RECV_WINDOW_MS": "1000",
        "FUTURES_TIMEOUT_S": "3", "FUTURES_HEDGE": os.environ.get("FUTURES_HEDGE", "1"),
        "SHOWDOWN_SYMBOLS": json.dumps(symbols), "SHOWDOWN_EXECUTE_S": "0.2", "SHOWDOWN_CHASE_REST_S": "1",
        "SHOWDOWN_CHASE_REQUOTES": os.environ.get("REQUOTES", "1"), "SHOWDOWN_ENTRY_LIVES_S": "600",
        "SHOWDOWN_EMERGENCY_REWARD": "0", "SHOWDOWN_EMERGENCY_SPREAD_PCT": "1",
        "SHOWDOWN_EMERGENCY_SLIPPAGE_PCT": "0.5",
        "SHOWDOWN_CHASE_DRIFT_PCT": "30",
        "RISK_DAY_LOSS_PCT": "0", "RISK_WEEK_LOSS_PCT": "0", "RISK_DRAWDOWN_PCT": "0", "RISK_LOSING_STREAK": "0"})
    while True:
        try:
            market = await open_futures(settings.futures, paths)
            break
        except Unavailable as problem:
            print(problem, flush=True)
            await asyncio.sleep(0.3)
    shelf = Shelf()
    voice = Voice(Outbox(paths.outbox, SYSTEM), shelf.put_quietly, market.clock.now_ms)
    execution = Execution(paths, settings, market, voice, shelf.put)
    while Mode.LIVE not in execution.traders:
        await execution.open()
    driver = Driver(execution, paths)
    trader = execution.traders[Mode.LIVE]
    trader.keeper.rhythm = type(trader.keeper.rhythm)(look_s=0.4, pass_s=2.0)
    await asyncio.gather(execution.run(), driver.serve(), driver.tell())


if __name__ == "__main__":
    asyncio.run(main(tuple(sys.argv[1:])))
