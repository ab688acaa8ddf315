"""The tracker on the real gateway and the simulated exchange, with lost answers: the venue's truth must be ours."""

import asyncio
import json
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from modules.exchange.api import Account
from modules.exchange.gateway import open_account, open_market
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Mode
from modules.execution.executor import Patience
from modules.execution.invariants import Rule
from modules.strategies.hype.desk_books import reconciled_file
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.hype.tracker import Tracker, run_until_stopped
from modules.strategies.hype.tracker_service import KeyCheck, always
from modules.supervision.service import ServiceRun
from tests.exchange.conftest import SimProcess, start_simulator
from utils.paths import Paths

D = Decimal
LOSSES = [{"match": {"method": "POST", "path": "/api/v3/order$"}, "probability": 0.3, "kind": "drop_after"},
          {"match": {"method": "POST", "path": "/api/v3/order$"}, "probability": 0.1, "kind": "status_after",
           "params": {"status": 502}}]


@pytest.fixture
def simulator() -> Iterator[SimProcess]:
    found = start_simulator(speed=20, tokens=30)
    yield found
    found.stop()


class Running:
    """A tracker that turns by itself until the test ends."""

    def __init__(self, home: Path, simulator: SimProcess) -> None:
        self.paths = Paths(home).prepare()
        self.simulator = simulator
        self.exchange = ExchangeSettings(base_url=simulator.url)

    async def start(self) -> None:
        self.market = await open_market(self.exchange, self.paths)
        self.run = ServiceRun("tracker", self.paths, 1.0)

        async def account(mode: Mode) -> Account:
            return await open_account(mode, self.exchange, self.paths, self.market)

        settings = HypeSettings(max_open_trades=50, max_exposure_usdt=5000, max_slippage_pct=20,
                                max_proposal_age_s=3600)
        self.tracker = Tracker(self.run, settings, self.market, account,
                               {Mode.TEST: always, Mode.LIVE: KeyCheck().ask}, Patience())
        self.tracker.load()
        await self.tracker.start()
        self.turning = asyncio.create_task(run_until_stopped(self.tracker))

    async def stop(self) -> None:
        self.run.stop.set()
        await self.turning
        await self.tracker.finish()
        await self.tracker.close()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                assert not self.turning.done()
                await asyncio.sleep(0.05)

    async def propose(self, count: int, mode: str) -> None:
        tickers, markets = await self.market.tickers(), await self.market.markets()
        open_ones = [ticker for ticker in tickers.values() if ticker.ask > 0 and (market := markets[ticker.symbol])
                     and market.trading and market.api_allowed and market.buys and market.sells]
        best = sorted(open_ones, key=lambda ticker: -ticker.quote_volume)[:count]
        for ticker in best:
            self.run.inbox.post("buy", {
                "symbol": ticker.symbol, "strategy": "simple", "confidence": 0.86, "probability": 0.4,
                "price": ticker.ask, "atr_pct": 5.0, "market_ms": self.market.clock.now_ms(), "mode": mode,
                "candidate_id": uuid.uuid4().hex}, "test")


@pytest.fixture
async def running(tmp_path: Path, simulator: SimProcess) -> AsyncIterator[Running]:
    made = Running(tmp_path, simulator)
    await made.start()
    yield made
    await made.stop()


def plan(simulator: SimProcess, rules: list[dict]) -> None:
    request = urllib.request.Request(f"{simulator.url}/sim/faults", data=json.dumps(rules).encode(), method="POST",
                                     headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


async def test_twenty_positions_bought_and_sold_with_lost_answers_end_at_the_venues_truth(running, simulator):
    live, test = running.tracker.desks[Mode.LIVE], running.tracker.desks[Mode.TEST]
    plan(simulator, LOSSES)
    await running.propose(20, "LIVE")
    await running.propose(5, "TEST")
    await running.until(lambda: running.run.inbox.waiting() == 0 and not live.unresolved())
    assert len(live.positions) >= 10 and len(test.positions) >= 3
    for mode in ("LIVE", "TEST"):
        running.run.inbox.post("sell_all", {"mode": mode}, "test")
    await running.until(lambda: not live.positions and not test.positions and not live.unresolved()
                        and not live.unwritten)
    venue = next(account for account in simulator.truth()["accounts"].values() if account["api_key"] == "sim-key")
    held = {asset: D(str(amounts["free"])) + D(str(amounts["locked"])) for asset, amounts in venue["balances"].items()}
    trades = list(live.files.trades.records())
    assert {asset for asset, amount in held.items() if amount} == {"USDT"}
    assert abs(held["USDT"] - 10_000 - sum(trade.pnl_usdt or D(0) for trade in trades)) < D("1e-9")
    ids = [order["client_id"] for order in venue["orders"]]
    assert len(set(ids)) == len(ids) == len(running.tracker.journal.entries) - sum(
        1 for entry in running.tracker.journal.entries.values()
        if entry.intent.account == "TEST" or entry.verdict in ("refused", "failed", "absent"))
    assert len({trade.id for trade in trades}) == len(trades)
    books = live.books.ledger.assets()
    assert books["USDT"] == held["USDT"] - 10_000 and not any(books[asset] for asset in books if asset != "USDT")
    await running.until(lambda: agrees(running, Mode.LIVE) and agrees(running, Mode.TEST))
    assert not live.entries_closed and not live.doubted and not live.books.pending


def agrees(running: Running, mode: Mode) -> bool:
    report = reconciled_file(running.paths, mode).load().report
    rules = {check.rule for check in report.checks} if report is not None else set()
    return report is not None and report.clean and rules >= {Rule.QUANTITY, Rule.EQUITY}
