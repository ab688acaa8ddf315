"""A real run of the tracker on the simulated exchange, at high speed, whose decisions are recorded."""

import asyncio
import contextlib
import uuid
from pathlib import Path

from modules.exchange.api import Account
from modules.exchange.gateway import open_account, open_market
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Mode
from modules.execution.executor import Patience
from modules.storage.decisions import files
from modules.storage.settings import DecisionSettings
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.hype.tracker import Tracker, run_until_stopped
from modules.strategies.hype.tracker_service import always
from modules.supervision.service import ServiceRun
from tests.exchange.conftest import start_simulator
from utils.paths import Paths

# Narrow levels, so that some minutes of market time reach every kind of exit.
LEVELS = tuple(f"{name} {row}: 1.003 1.006 1.009 / 0.6" for name in ("simple", "aggressive", "revival", "momentum_safe")
               for row in ("0.80", "0.85", "0.90"))
SETTINGS = HypeSettings(max_open_trades=25, max_exposure_usdt=5000, max_slippage_pct=20, max_proposal_age_s=3600,
                        exit_levels=LEVELS, trail_fall_pct=0.4, max_hold_h=0.15, cooldown_after_stop_s=0,
                        cooldown_after_sell_s=0, max_trades_per_day=500)
SPEED, SECONDS, TOKENS = 60.0, 60.0, 30
SALES = 28
KINDS = ("simple", "aggressive", "revival", "momentum_safe")


async def record(home: Path, seconds: float = SECONDS) -> list[Path]:
    """Trade on the TEST account until enough was sold, `seconds` at most; the files of the record."""
    simulator = await asyncio.to_thread(start_simulator, speed=SPEED, tokens=TOKENS)
    paths = Paths(home).prepare()
    exchange = ExchangeSettings(base_url=simulator.url)
    try:
        market = await open_market(exchange, paths)

        async def account(mode: Mode) -> Account:
            return await open_account(mode, exchange, paths, market)

        run = ServiceRun("tracker", paths, 1.0)
        tracker = Tracker(run, SETTINGS, market, account, {Mode.TEST: always, Mode.LIVE: always}, Patience(),
                          recording=DecisionSettings(file_mb=0.02))
        tracker.load()
        await tracker.start()
        turning = asyncio.create_task(run_until_stopped(tracker))
        proposing = asyncio.create_task(propose(tracker, run))
        try:
            async with asyncio.timeout(seconds):
                while sales(tracker) < SALES and not turning.done():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass  # the tests say what is missing
        proposing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await proposing
        run.stop.set()
        await turning
        await tracker.finish()
        await tracker.close()
    finally:
        await asyncio.to_thread(simulator.stop)
    return files(paths.data / "decisions", "hype-test")


def sales(tracker: Tracker) -> int:
    """Orders of the TEST desk that sold and are booked."""
    return sum(1 for entry in tracker.journal.entries.values() if entry.intent.leg == "exit" and not entry.open)


async def propose(tracker: Tracker, run: ServiceRun) -> None:
    """A proposal for every traded token that is not held, again and again."""
    market, desk, number = tracker.market, tracker.desks[Mode.TEST], 0
    markets = await market.markets()
    while True:
        for symbol, ticker in (await market.tickers()).items():
            found = markets[symbol]
            if symbol in desk.positions or ticker.ask <= 0 or not (found.trading and found.api_allowed and found.buys):
                continue
            number += 1
            run.inbox.post("buy", {
                "symbol": symbol, "strategy": KINDS[number % 4], "confidence": 0.8 + 0.05 * (number % 3),
                "probability": 0.4, "price": ticker.ask, "atr_pct": 1.0, "market_ms": market.clock.now_ms(),
                "mode": "TEST", "candidate_id": uuid.uuid4().hex}, "test")
        await asyncio.sleep(1.0)
