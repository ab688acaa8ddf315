"""A kept account on the simulated Bybit, LIVE: entry, guards, its stream cut, the owner's hand, an exit, a stop
that fires; books and venue agree, and nothing is sent twice.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from modules.exchange.bybit_account import BybitAccount
from modules.exchange.futures_gateway import open_futures_account, open_venue, streams
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.streams.bybit_private import BybitPrivate
from modules.exchange.types import Mode, OrderType
from modules.execution.executor import Filled
from modules.execution.futures.checklist import PerpAsk
from modules.execution.futures.keeper import Keeper, Rhythm, keep
from modules.execution.futures.plan import LegKey, Word
from modules.execution.risk_settings import RiskSettings
from modules.simulator.fault_plan import FaultPlan
from modules.simulator.server import Simulator
from modules.simulator.settings import SimulatorSettings
from utils.paths import Paths

D = Decimal
SYMBOL = "ETHUSDT"
NO_LIMITS = RiskSettings(day_loss_pct=0, week_loss_pct=0, drawdown_pct=0, exposure_pct=0, losing_streak=0)


@dataclass
class Kept:
    """A simulator, a keeper, and the account's stream."""

    simulator: Simulator
    keeper: Keeper
    stream: BybitPrivate
    words: list[Word]

    @property
    def venue(self) -> Any:
        """The simulated venue."""
        return self.simulator.door.open().venue

    def truth(self) -> dict[str, Any]:
        found: dict[str, Any] = self.venue.truth()["accounts"]["bybit"]
        return found

    def act(self, **what: Any) -> None:
        """The owner's or the venue's hand."""
        self.simulator.door.act({"account": "bybit", **what} if what["action"] != "jump" else what)

    async def enter(self, slot: str, quantity: str = "0.1") -> Filled:
        desk = self.keeper.desk
        mark = (await desk.market.marks())[SYMBOL].price
        stop, take = (mark * D("0.94")).quantize(D("0.1")), (mark * D("1.09")).quantize(D("0.1"))
        result = await desk.enter(PerpAsk(SYMBOL, True, D(quantity), OrderType.MARKET, None, stop, take), slot)
        assert isinstance(result, Filled), result
        return result

    @property
    def leg(self) -> LegKey:
        return self.keeper.desk.leg_of(SYMBOL, True)

    def agrees(self) -> bool:
        """Books and venue say the same: quantity, wallet, fills; what is held has a stop and nothing else has."""
        truth, books = self.truth(), self.keeper.desk.books
        held = sum((D(row["qty"]) for row in truth["positions"]), D(0))
        known = sum(len(ledger.fills(SYMBOL)) for ledger in books.ledgers.values())
        stops = [row for row in truth["algos"] if row["status"] == "NEW" and "STOP" in row["kind"]]
        wallet = books.wallet()
        return books.held(self.leg) == held and known == len(truth["fills"]) and wallet is not None \
            and abs(wallet - D(truth["wallet"])) <= books.rounding() and bool(stops) == bool(held) \
            and not self.keeper.desk.journal.open_entries("b", "LIVE")

    async def settle(self) -> None:
        """Wait for agreement, by the keeper's own looks alone."""
        await until(self.agrees, lambda: (self.truth(), self.keeper.report))


async def until(condition: Any, told: Any = lambda: "") -> None:
    end = asyncio.get_running_loop().time() + 60
    while not condition():
        assert asyncio.get_running_loop().time() < end, told()
        await asyncio.sleep(0.05)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    simulator = Simulator(SimulatorSettings(tokens=2, futures=3, start=datetime(2026, 2, 3, 11, tzinfo=UTC), speed=6))
    runner = web.AppRunner(simulator.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    simulator.port = runner.addresses[0][1]
    settings = FuturesSettings(base_url=f"http://127.0.0.1:{simulator.port}", timeout_s=30, arrange=True,
                               dialect="bybit")
    paths = Paths(tmp_path).prepare()
    market = await open_venue(settings, paths)
    account = await open_futures_account(Mode.LIVE, settings, paths, market, symbols=(SYMBOL,))
    assert isinstance(account, BybitAccount)
    words: list[Word] = []
    keeper = keep("b", Mode.LIVE, settings, paths.data, account, market, (SYMBOL,), words.append,
                  Rhythm(look_s=0.3, pass_s=1.0), NO_LIMITS)
    stream = keeper.listen(account, streams(settings, market))
    assert isinstance(stream, BybitPrivate)
    tasks = [asyncio.create_task(work) for work in (keeper.run(), stream.run(), _stepped(simulator))]
    await until(keeper.opened.is_set, lambda: words)
    await until(lambda: stream.connected)
    yield Kept(simulator, keeper, stream, words)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await keeper.desk.shut()
    await market.close()
    await runner.cleanup()
    simulator.close()


async def _stepped(simulator: Simulator) -> None:
    """What the server's own loop does with the futures."""
    await simulator.door.run(asyncio.Event())


async def test_entry_guards_hand_and_exit(kept: Kept) -> None:
    await kept.enter("a")
    kinds = {row["kind"] for row in kept.truth()["algos"] if row["status"] == "NEW"}
    assert {"STOP_MARKET", "TAKE_PROFIT_MARKET"} <= kinds
    kept.act(action="sell", symbol=SYMBOL, leg="LONG", qty="0.04")
    await kept.settle()
    assert kept.keeper.desk.books.held(kept.leg) == D("0.06")
    while not (await kept.keeper.desk.close(kept.leg, "test")).flat:
        await asyncio.sleep(0.05)
    await kept.settle()
    assert not kept.truth()["positions"] and not kept.keeper.desk.books.conflicts


async def test_fills_of_our_orders_are_booked_in_the_leg_that_was_ordered(kept: Kept,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever position mode the executions were read in: Bybit names no leg in them."""
    async def one_way(symbol: str) -> bool:
        return False

    monkeypatch.setattr(kept.keeper.desk.account, "_mode", one_way)
    await kept.enter("a")
    await kept.settle()
    assert kept.keeper.desk.books.held(kept.leg) == D("0.1")
    while not (await kept.keeper.desk.close(kept.leg, "test")).flat:
        await asyncio.sleep(0.05)
    await kept.settle()
    assert not kept.keeper.desk.books.conflicts and not kept.keeper.desk.books.legs()


async def test_a_stop_that_fires_while_the_stream_is_cut(kept: Kept) -> None:
    await kept.enter("a")
    gaps: list[str] = []
    keeper, heard = kept.keeper, kept.stream._on_gap

    async def gap(why: str) -> None:
        gaps.append(why)
        await heard(why)

    kept.stream._on_gap = gap
    for session in list(kept.simulator.door.open().bybit.hub.sessions):
        session.abort("cut")
    kept.act(action="jump", symbol=SYMBOL, pct="-8")
    await until(lambda: not kept.truth()["positions"])
    await kept.settle()
    await until(lambda: gaps[-1:] == ["the account's stream begins"] and kept.stream.connected)
    assert gaps[0] == "the account's stream was cut"
    assert keeper.desk.books.held(kept.leg) == 0
    foreign = [word for word in kept.words if word.key.startswith("foreign")]
    assert not foreign, "the stop's fill is known as our own by its id"


@pytest.mark.parametrize("kind", ["drop_after", "status_after", "truncated", "drop_before"])
async def test_answers_that_are_lost_lead_to_no_second_order(kept: Kept, kind: str) -> None:
    kept.simulator.faults.replace(FaultPlan.parse(
        {"seed": 1, "rules": [{"class": "order", "kind": kind, "max_times": 2}]}, "test"))
    mark = (await kept.keeper.desk.market.marks())[SYMBOL].price
    stop = (mark * D("0.94")).quantize(D("0.1"))
    ask = PerpAsk(SYMBOL, True, D("0.1"), OrderType.MARKET, None, stop, None)
    await kept.keeper.desk.enter(ask, "a", "wish")
    await kept.settle()
    entries = [row for row in kept.truth()["orders"] if not row.get("algo_id")]
    assert len(entries) == (0 if kind == "drop_before" else 1)
    assert len({row["client_id"] for row in entries}) == len(entries)
