"""A tracker on a venue in memory, turned by hand; `restart` is a crash and a new process over the same files."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from modules.exchange.api import Account
from modules.exchange.types import Mode, Unavailable
from modules.execution.executor import Patience
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import RiskState
from modules.strategies.hype.desk import Desk
from modules.strategies.hype.records import Position, Trade
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.hype.tracker import Every, Tracker
from modules.supervision.outbox import Notice
from modules.supervision.service import ServiceRun
from tests.execution.venue import AccountStub, MarketStub
from utils.paths import Paths

QUICK = Patience(first_poll_s=0.001, longest_poll_s=0.005, cancel_after_s=0.02, settle_s=0.05, fills_s=0.02,
                 window_s=0.02, margin_s=0.01)
D = Decimal


@dataclass
class House:
    """Everything a test of the tracker needs."""

    home: Path
    settings: HypeSettings = field(default_factory=lambda: HypeSettings(max_exposure_usdt=5000, max_open_trades=50))
    venue: MarketStub = field(default_factory=MarketStub)
    account_down: dict[Mode, str] = field(default_factory=dict)
    key_problem: str = ""
    opened: list[Mode] = field(default_factory=list)
    dead: Callable[[], bool] = lambda: False
    limits: RiskSettings = field(default_factory=RiskSettings)

    def __post_init__(self) -> None:
        self.paths = Paths(self.home).prepare()
        self.accounts = {mode: AccountStub(self.venue, mode) for mode in Mode}
        self.build()

    def build(self) -> None:
        """A process's start: everything read from the files."""
        self.run = ServiceRun("tracker", self.paths, 1.0)
        keys: dict[Mode, Callable[[Account], Awaitable[str]]] = {Mode.TEST: self.free, Mode.LIVE: self.key}
        self.tracker = Tracker(self.run, self.settings, self.venue, self.open, keys, QUICK, self.limits)
        self.tracker._clocks = {name: Every(0) for name in self.tracker._clocks}
        for auditor in self.tracker.auditors.values():
            auditor.busy_every_s = auditor.idle_every_s = auditor.retry_s = 0.0
        self.tracker.load()

    async def open(self, mode: Mode) -> AccountStub:
        if self.account_down.get(mode):
            raise Unavailable(self.account_down[mode])
        self.opened.append(mode)
        return self.accounts[mode]

    async def free(self, account: object) -> str:
        return ""

    async def key(self, account: object) -> str:
        return self.key_problem

    @property
    def test(self) -> Desk:
        return self.tracker.desks[Mode.TEST]

    @property
    def live(self) -> Desk:
        return self.tracker.desks[Mode.LIVE]

    @property
    def account(self) -> AccountStub:
        return self.accounts[Mode.TEST]

    def post(self, kind: str, **body: Any) -> str:
        return self.run.inbox.post(kind, body, "test")

    def propose(self, symbol: str = "AAAUSDT", *, mode: str = "TEST", **changes: Any) -> str:
        body = {"symbol": symbol, "strategy": "simple", "confidence": 0.8, "probability": 0.3,
                "price": float(self.venue.ask(symbol)) if symbol in self.venue.bids else 1.0, "atr_pct": 1.0,
                "market_ms": self.venue.clock.ms, "mode": mode, "candidate_id": uuid.uuid4().hex, **changes}
        return self.post("buy", **body)

    async def turn(self, *, quiet: bool = True, **bids: str) -> None:
        """Set prices, let two market seconds pass, look once, and (`quiet`) wait until no order is under way."""
        for symbol, bid in bids.items():
            self.venue.bids[symbol] = D(bid)
        self.venue.clock.pass_s(2)
        buyers = [asyncio.create_task(self.tracker.buy_for(mode)) for mode in Mode]
        try:
            await self.tracker.turn()
            if quiet:
                await self.settle()
        finally:
            for buyer in buyers:
                buyer.cancel()
            await asyncio.gather(*buyers, return_exceptions=True)

    async def settle(self) -> None:
        """Until proposals are carried out and orders have ended."""
        async with asyncio.timeout(60):
            while True:
                await asyncio.sleep(0)
                tasks = [task for desk in self.tracker.desks.values() for task in desk.busy.values()]
                tasks += [one._task for one in self.tracker.auditors.values() if one._task is not None]
                if self.dead():
                    return
                if tasks:
                    await asyncio.wait(tasks)
                elif not self.tracker._queued:
                    return

    async def until(self, condition: Callable[[], object], turns: int = 200, **bids: str) -> None:
        """Turns until a condition holds."""
        for _ in range(turns):
            if condition():
                return
            for desk in self.tracker.desks.values():
                for attempts in desk.attempts.values():
                    attempts.not_before = 0.0  # tests do not wait out the back-off
            await self.turn(quiet=True, **bids)
        raise AssertionError("the condition was never met")

    async def bought(self, symbol: str = "AAAUSDT", bid: str = "1", *, mode: str = "TEST", **changes: Any) -> Position:
        """Propose and buy."""
        if symbol not in self.venue.listed:
            self.venue.add(symbol, bid)
        self.propose(symbol, mode=mode, **changes)
        await self.turn()
        return self.tracker.desks[Mode(mode)].positions[symbol]

    def crash(self) -> None:
        """The process is gone without a word; the next one reads the files."""
        for desk in self.tracker.desks.values():
            for task in desk.busy.values():
                task.cancel()
        self.build()

    def on_disk(self, mode: Mode = Mode.TEST) -> dict[str, Position]:
        return self.tracker.desks[mode].files.tracked.load()

    def risk(self, mode: Mode = Mode.TEST) -> RiskState:
        """The risk state on disk."""
        return self.tracker.desks[mode].files.risk.load()

    def trades(self, mode: Mode = Mode.TEST) -> list[Trade]:
        return list(self.tracker.desks[mode].files.trades.records())

    def notices(self, level: str = "") -> list[Notice]:
        files = sorted(self.paths.outbox.glob("[0-9]*.json"))
        found = [msgspec.json.decode(path.read_bytes(), type=Notice) for path in files]
        return [notice for notice in found if not level or notice.level == level]

    def beat(self) -> dict[str, Any]:
        self.run.beat()
        return json.loads((self.paths.run / "tracker.beat.json").read_bytes())["info"]
