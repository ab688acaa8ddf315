"""The scalper's trader with signals from outside: the process that its crash matrix kills.

    FUTURES_BASE_URL=… COXSWAIN_HOME=… python -m benchmarks.scalper_trader SYMBOL [SYMBOL …]

Everything from the signal on is the scalper's own: trader, state file, keeper, desk. Messages of its inbox: `signal`
{symbol, long, price} as the eye would have told it, `turn` {symbol} (the opposite signal), `late` {} (every hold is
over), `flatten` {} (by hand). A message acts once: it is put away before it acts. What it knows goes to
``data/run/trader.json`` ten times a second.
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
from modules.exchange.futures_gateway import open_futures, open_futures_account, streams
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.lanes import Lane
from modules.exchange.types import Mode, Unavailable
from modules.execution.futures.keeper import Rhythm, keep
from modules.execution.futures.plan import Word
from modules.execution.risk_settings import RiskSettings
from modules.strategies.scalper.eye import Eye, Signal
from modules.strategies.scalper.reasons import Code
from modules.strategies.scalper.records import state_file
from modules.strategies.scalper.settings import ScalperSettings
from modules.strategies.scalper.trade_log import TradeLog
from modules.strategies.scalper.trader import Trader
from modules.supervision.messages import Inbox, Message
from utils.files import write_atomic
from utils.paths import Paths

SYSTEM = "scalper"
NO_LIMITS = RiskSettings(day_loss_pct=0, week_loss_pct=0, drawdown_pct=0, exposure_pct=0, losing_streak=0)
OWN: dict[str, Any] = {"cost_factor": 0, "min_stop_bps": 600, "max_stop_bps": 600, "take_r": 1.5, "risk_pct": 5,
                       "max_position_usdt": 2000.0, "wait_s": 2.0, "max_chase_bps": 50, "hold_s": 86_400, "flip": True,
                       "cooldown_s": 0, "cooldown_loss_s": 0, "trades_a_day": 10_000, "day_loss_pct": 100}


class ToldEye(Eye):
    """An eye that sees what it is told: the price of the last signal, and a score."""

    told: Signal | None = None
    speaks = 0.0

    @property
    def bid(self) -> float:
        return self.told.bid if self.told else 0.0

    @property
    def ask(self) -> float:
        return self.told.ask if self.told else 0.0

    @property
    def score(self) -> float:
        return self.speaks

    def signal(self) -> Signal:
        assert self.told is not None
        return self.told


class Process:
    """Messages in, status out."""

    def __init__(self, trader: Trader, eyes: dict[str, ToldEye], paths: Paths) -> None:
        self.trader, self.eyes, self.desk = trader, eyes, trader.desk
        self.inbox, self._status = Inbox(paths.inbox, SYSTEM), paths.run / "trader.json"
        self.last = ""
        self._began = time.time()

    async def serve(self) -> None:
        """Until cancelled."""
        await self.trader.keeper.opened.wait()
        while True:
            for path, message in self.inbox.take():
                self.inbox.done(path, message)
                self.last = await self._obey(message)
            await self._turn()
            await asyncio.sleep(0.05)

    async def _obey(self, message: Message) -> str:
        body, trader = message.body, self.trader
        if message.kind == "flatten":
            left = await trader.flatten()
            return f"flatten: {len(left)} left"
        if message.kind == "late":
            for trade in list(trader.state.open.values()):
                trader.state.open[trade.id] = msgspec.structs.replace(trade, deadline_ms=1)
            return "late"
        eye = self.eyes[body["symbol"]]
        if message.kind == "turn":
            held = next((one for one in trader.state.open.values() if one.symbol == eye.symbol), None)
            price = float(held.entry) if held else 1.0
            eye.told = Signal(eye.symbol, 1, 0.0, {}, price, price, 1.0, 50.0, trader.now_ms(), time.monotonic_ns(), {})
            eye.speaks = -float(held.side) if held else 0.0
            return "turned"
        bid, ask = float(body["bid"]), float(body["ask"])
        side = 1 if body["long"] else -1
        eye.code, eye.speaks = Code.OK, 0.0
        eye.told = Signal(eye.symbol, side, side * 0.9, {"order flow": side * 0.9}, bid, ask, 1.0, 50.0,
                          trader.now_ms(), time.monotonic_ns(), {})
        trader.state.stopped = ""
        return f"signal {trader.offer(eye.told).name}"

    async def _turn(self) -> None:
        try:
            await self.trader.turn()
        except Unavailable as problem:
            logging.info("%s", problem)

    async def tell(self) -> None:
        """The status file, ten times a second. `open` is empty when nothing of a trade is under way."""
        while True:
            desk, trader, report = self.desk, self.trader, self.trader.keeper.report
            under_way = [f"{entry.intent.leg} {entry.intent.symbol}"
                         for entry in desk.journal.open_entries(desk.who.system, desk.who.account)]
            under_way += list(trader._tasks.keys() - {"wallet"})
            under_way += [f"not open yet {trade.id}" for trade in trader.state.open.values() if not trade.opened_ms]
            legs = {trader.leg(trade) for trade in trader.state.open.values()}
            under_way += [f"plan without a trade {leg}" for leg in desk.books.plans.keys() - legs]
            under_way += [f"trade without a plan {leg}" for leg in legs - desk.books.plans.keys()]
            write_atomic(self._status, json.dumps({
                "pid": os.getpid(), "began": self._began, "guarded": trader.keeper.guarded.is_set(),
                "opened": trader.keeper.opened.is_set() and not desk.closed, "closed": desk.closed, "open": under_way,
                "plans": {str(leg): plan.closing for leg, plan in desk.books.plans.items()},
                "bare": [str(leg) for leg in desk.bare_since], "waiting": self.inbox.waiting(), "last": self.last,
                "refused": trader.newest_refusal.text if trader.newest_refusal else "",
                "clean": report.clean if report else None,
                "checks": [str(check) for check in report.checks if check.ok is False] if report else []}).encode())
            await asyncio.sleep(0.1)


async def main(symbols: tuple[str, ...]) -> None:
    """Until killed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    paths = Paths(Path(os.environ["COXSWAIN_HOME"])).prepare()
    variables: dict[str, Any] = {"base_url": os.environ["FUTURES_BASE_URL"], "arrange": True, "recv_window_ms": 1000,
                                 "timeout_s": 3.0, "hedge": os.environ.get("FUTURES_HEDGE", "1") == "1"}
    settings, own = FuturesSettings(**variables), ScalperSettings(symbols=symbols, most_open=len(symbols), **OWN)
    while True:
        try:
            market = await open_futures(settings, paths, lane=Lane.EXIT)
            break
        except Unavailable as problem:
            print(problem, flush=True)
            await asyncio.sleep(0.3)
    account = await open_futures_account(Mode.LIVE, settings, paths, market)

    def say(word: Word) -> None:
        logging.info("said %s: %s (%s)", word.key, word.what, word.why)

    keeper = keep(SYSTEM, Mode.LIVE, settings, paths.data, account, market, symbols, say,
                  Rhythm(look_s=0.4, pass_s=2.0), NO_LIMITS)
    eyes = {symbol: ToldEye(symbol, own) for symbol in symbols}
    trader = Trader(Mode.LIVE, own, keeper, state_file(paths, Mode.LIVE), dict(eyes), TradeLog(paths.logs),
                    lambda *said: logging.info("told %s", said[0]))
    process = Process(trader, eyes, paths)
    stream = keeper.listen(account, streams(settings, market))
    await asyncio.gather(keeper.run(), process.serve(), process.tell(), *([stream.run()] if stream else []))


if __name__ == "__main__":
    asyncio.run(main(tuple(sys.argv[1:])))
