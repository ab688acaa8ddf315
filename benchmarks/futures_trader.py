"""A small system that trades futures as it is told: the process that the crash matrix and the storm kill.

    FUTURES_BASE_URL=… COXSWAIN_HOME=… python -m benchmarks.futures_trader SYMBOL [SYMBOL …]

Messages of its inbox (`enter`, `close`, `move`, `flatten`) are its wishes; each acts once (X40): a message that led to
an intent before leads to none again. What it knows goes to ``data/run/trader.json`` ten times a second.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from modules.exchange.futures_gateway import open_futures_account, open_venue, streams
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.lanes import Lane
from modules.exchange.types import Mode, OrderType, PositionSide, Unavailable
from modules.execution.controls import PerpRefusals
from modules.execution.executor import Unresolved
from modules.execution.futures.checklist import PerpAsk
from modules.execution.futures.keeper import Keeper, Rhythm, keep
from modules.execution.futures.plan import LegKey, Word
from modules.execution.risk_settings import RiskSettings
from modules.supervision.messages import Inbox, Message
from utils.files import write_atomic
from utils.paths import Paths

SYSTEM = "trader"
#: the rules run as ever, but the storm has to go on whatever it costs
NO_LIMITS = RiskSettings(day_loss_pct=0, week_loss_pct=0, drawdown_pct=0, exposure_pct=0, losing_streak=0)


class Trader:
    """Wishes from the inbox, carried out on the desk."""

    def __init__(self, keeper: Keeper, paths: Paths, heard: list[Word]) -> None:
        self.keeper, self.desk = keeper, keeper.desk
        self.inbox = Inbox(paths.inbox, SYSTEM)
        self._status = paths.run / "trader.json"
        self._heard = heard
        self.last = ""
        self._began = time.time()

    async def serve(self) -> None:
        """Wishes, one after the other, once entries are open; until cancelled."""
        await self.keeper.opened.wait()
        while True:
            for path, message in self.inbox.take():
                try:
                    self.last = await self._obey(message)
                except (Unavailable, OSError) as problem:
                    self.last = f"{type(problem).__name__}: {problem}"
                    break  # the wish stays; it is tried again
                if self.last == "again":
                    break
                self.inbox.done(path, message)
            await asyncio.sleep(0.05)

    async def _obey(self, message: Message) -> str:
        body = message.body
        if message.kind == "flatten":
            left = await self.keeper.flatten("told to")
            return "again" if left else "flat"
        if message.kind == "release":
            self.desk.books.release(LegKey(body["symbol"], PositionSide(body["side"])))
            return "released"
        if message.kind == "close":
            out = await self.desk.close(LegKey(body["symbol"], PositionSide(body["side"])), "told to")
            return "closed" if out.flat else "again"
        if message.kind == "move":
            leg = LegKey(body["symbol"], PositionSide(body["side"]))
            if leg not in self.desk.books.plans:
                return "nothing to move"
            await self.desk.move(leg, Decimal(body["stop"]), Decimal(body["take"]) if body.get("take") else None)
            return "moved"
        return await self._enter(message)

    async def _enter(self, message: Message) -> str:
        body = message.body
        past = self.desk.journal.of_cause(message.id)
        if past:  # it led to an order before: never to another
            return "again" if any(entry.open for entry in past) else "done before"
        ask = PerpAsk(body["symbol"], body["long"], Decimal(body["quantity"]), OrderType(body["type"]),
                      Decimal(body["price"]) if body.get("price") else None, Decimal(body["stop"]),
                      Decimal(body["take"]) if body.get("take") else None)
        result = await self.desk.enter(ask, message.id, message.id, "told to", body.get("rest_s", 0.0))
        if isinstance(result, PerpRefusals):
            return f"refused {result.text()}"
        return "again" if isinstance(result, Unresolved) else str(result)

    async def tell(self) -> None:
        """The status file, ten times a second."""
        while True:
            desk, report = self.desk, self.keeper.report
            open_ = desk.journal.open_entries(desk.who.system, desk.who.account)
            write_atomic(self._status, json.dumps({
                "pid": os.getpid(), "began": self._began, "guarded": self.keeper.guarded.is_set(),
                "opened": self.keeper.opened.is_set() and not desk.closed, "closed": desk.closed,
                "open": [f"{entry.intent.leg} {entry.intent.symbol}" for entry in open_],
                "plans": {str(leg): plan.closing for leg, plan in desk.books.plans.items()},
                "bare": [str(leg) for leg in desk.bare_since], "waiting": self.inbox.waiting(), "last": self.last,
                "told": [f"{word.key}: {word.what} ({word.why})" for word in self._heard[-20:]],
                "clean": report.clean if report else None,
                "checks": [str(check) for check in report.checks if check.ok is False] if report else [],
                "notes": list(report.notes) if report else []}).encode())
            await asyncio.sleep(0.1)


async def main(symbols: tuple[str, ...]) -> None:
    """Until killed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    paths = Paths(Path(os.environ["COXSWAIN_HOME"])).prepare()
    variables: dict[str, Any] = {"base_url": os.environ["FUTURES_BASE_URL"], "arrange": True, "recv_window_ms": 1000,
                                 "timeout_s": 3.0, "hedge": os.environ.get("FUTURES_HEDGE", "1") == "1",
                                 "dialect": os.environ.get("FUTURES_DIALECT", "binance")}
    settings = FuturesSettings(**variables)
    heard: list[Word] = []
    while True:
        try:
            market = await open_venue(settings, paths, lane=Lane.EXIT)
            break
        except Unavailable as problem:
            print(problem, flush=True)
            await asyncio.sleep(0.3)
    account = await open_futures_account(Mode.LIVE, settings, paths, market, symbols=symbols)
    keeper = keep(SYSTEM, Mode.LIVE, settings, paths.data, account, market, symbols, heard.append,
                  Rhythm(look_s=0.4, pass_s=2.0), NO_LIMITS)
    trader = Trader(keeper, paths, heard)
    stream = keeper.listen(account, streams(settings, market))
    tasks = [keeper.run(), trader.serve(), trader.tell(), *([stream.run()] if stream else [])]
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(tuple(sys.argv[1:])))
