"""Signals to positions on a paper account: limit first, guarded, longest hold, flip, results, a kill in between."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modules.exchange import futures_paper
from modules.exchange.types import Mode
from modules.execution.futures import desk, exits
from modules.execution.futures.keeper import Keeper, Rhythm
from modules.execution.futures.plan import Plan
from modules.storage.json_state import JsonFile
from modules.strategies.scalper import rules, trader, words
from modules.strategies.scalper.board import Board
from modules.strategies.scalper.eye import Eye, Signal
from modules.strategies.scalper.reasons import Code
from modules.strategies.scalper.records import State, Trade
from modules.strategies.scalper.settings import ScalperSettings
from modules.strategies.scalper.trade_log import TradeLog
from modules.strategies.scalper.trader import Trader
from tests.execution.futures.house import SYMBOL, House, Venue

LONG_S = 30.0


def trade_of(name: str) -> Trade:
    """One that is open."""
    return Trade(id=name, symbol=SYMBOL, side=1, position_side="LONG", asked_ms=1, score=0.4, quantity=Decimal("0.25"),
                 price=Decimal(2000), stop=Decimal(1990), take=Decimal(2010), opened_ms=2, deadline_ms=3)


class Bench:
    """A trader over a paper house; `settings` as given."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.home = home
        self.house = House(home / "house", Venue())
        self.settings = ScalperSettings(**{"symbols": (SYMBOL,), "cooldown_s": 0, "cooldown_loss_s": 0, **settings})
        self.eye = Eye(SYMBOL, self.settings)
        self.said: list[str] = []

    async def open(self) -> "Bench":
        await self.house.open()
        await self.house.start()
        return self.attach()

    def attach(self) -> "Bench":
        """A new process: everything from disk."""
        keeper = Keeper(self.house.desk, self.house.reconciler, (SYMBOL,), Rhythm(), self.house.words.append)
        keeper.opened.set()
        keeper.guarded.set()
        self.lines = TradeLog(self.home / "logs")
        self.trader = Trader(Mode.TEST, self.settings, keeper, JsonFile(self.home / "state.json", State, State),
                             {SYMBOL: self.eye}, self.lines, lambda what, why, todo, level: self.said.append(what))
        return self

    def signal(self, side: int = 1, bid: float = 0.0) -> Signal:
        """At a price that the book gives at once, unless another is named."""
        bid = bid or 2000.0 + 2 * side
        now = self.house.venue.clock.now_ms()
        return Signal(SYMBOL, side, 0.6 * side, {"order flow": 0.6 * side}, bid, bid, 0.05, 12.0, now, 0, {})

    async def rest(self) -> None:
        """Until nothing of the trader is under way."""
        while self.trader._tasks:
            await asyncio.gather(*self.trader._tasks.values(), return_exceptions=True)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Rounds of the keeper and the trader until it holds."""
        async with asyncio.timeout(LONG_S):
            while not condition():
                await self.house.desk.look()
                await self.house.reconciler.pass_()
                await self.trader.turn()
                await self.rest()
                await asyncio.sleep(0.01)

    @property
    def only(self) -> Any:
        (found,) = self.trader.state.open.values()
        return found

    async def enter(self, side: int = 1) -> None:
        assert self.trader.offer(self.signal(side)) is Code.OK
        await self.rest()
        assert self.trader.state.open, self.trader.newest_refusal
        await self.until(lambda: self.trader.state.open and self.only.opened_ms)

    async def close(self) -> None:
        await self.trader.shut()
        self.lines.close()
        await self.house.close()


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Awaitable[Bench]]]:
    monkeypatch.setattr(futures_paper, "AGAIN_S", -1.0)
    monkeypatch.setattr(desk, "FLAT_FOR_S", 0.0)
    monkeypatch.setattr(exits, "PAUSE_S", 0.001)
    monkeypatch.setattr(trader, "FILLS_WAIT_MS", 0)
    made: list[Bench] = []

    async def make(**settings: Any) -> Bench:
        made.append(await Bench(tmp_path / str(len(made)), **settings).open())
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.mark.parametrize("side", [1, -1])
async def test_a_signal_becomes_a_guarded_position(bench: Callable[..., Awaitable[Bench]], side: int) -> None:
    one = await bench()
    await one.enter(side)
    (position,) = await one.house.account.positions()
    assert 490 < abs(position.quantity) * 2000 <= 501 and position.long is (side > 0)  # 500 USDT at most
    kinds = {trigger.kind: trigger.trigger for trigger in await one.house.triggers()}
    assert kinds["STOP_MARKET"] == one.only.stop and kinds["TAKE_PROFIT_MARKET"] == one.only.take
    assert (one.only.take - one.only.stop) * side > 0
    assert one.said and one.only.parts == {"order flow": 0.6 * side}


async def test_limits_ask_before_anything_is_sent(bench: Callable[..., Awaitable[Bench]]) -> None:
    one = await bench(trades_a_day=1, cooldown_loss_s=3600, cooldown_s=3600)
    await one.enter()
    assert one.trader.offer(one.signal()) is Code.HELD
    left = await one.trader.flatten()
    assert left == []
    assert one.trader.offer(one.signal()) is Code.PAUSED
    await one.trader.resume()
    await one.until(lambda: not one.trader.state.open)
    assert one.trader.offer(one.signal()) is Code.COOL_DOWN
    one.trader.state.free_ms.clear()
    assert one.trader.offer(one.signal()) is Code.DAY_LIMIT
    assert one.trader.refused[Code.DAY_LIMIT] == 1


async def test_closed_by_hand_holds_beyond_a_kill(bench: Callable[..., Awaitable[Bench]]) -> None:
    """X37: a person was told that nothing is entered any more; a process that begins anew knows it."""
    one = await bench()
    await one.enter()
    await one.trader.flatten()
    one.lines.close()
    one.attach()
    assert one.trader.offer(one.signal()) is Code.PAUSED and one.trader.stopped
    await one.trader.resume()
    one.lines.close()
    one.attach()
    assert not one.trader.stopped


async def test_the_longest_hold_closes_and_the_result_is_that_of_the_fills(bench: Callable[..., Awaitable[Bench]]
                                                                            ) -> None:
    one = await bench(hold_s=1)
    before = (await one.house.account.wallet()).balance
    await one.enter()
    await one.until(lambda: not one.trader.state.open)
    (done,) = one.trader.state.last
    assert done.why == "time" and done.filled == done.quantity and done.fees > 0
    assert before + done.pnl == pytest.approx((await one.house.account.wallet()).balance)
    assert one.trader.state.pnl == done.pnl == one.trader.state.day_pnl
    assert not await one.house.account.positions() and not await one.house.triggers()
    logged = (one.home / "logs" / "trades.log").read_text("utf-8").splitlines()
    assert ["OPEN" in line for line in logged] == [True, False] and "why=time" in logged[1]


async def test_a_signal_the_other_way_closes(bench: Callable[..., Awaitable[Bench]]) -> None:
    one = await bench(hold_s=86_400)
    await one.enter()
    one.eye.code, one.eye.desk.parts[rules.SCORE] = Code.OK, -0.9
    one.eye.desk.levels[:] = 1
    await one.until(lambda: not one.trader.state.open)
    assert one.trader.state.last[0].why == "flip"


async def test_a_stop_on_the_venue_ends_the_trade(bench: Callable[..., Awaitable[Bench]]) -> None:
    one = await bench(hold_s=86_400)
    await one.enter()
    one.house.venue.price[SYMBOL] = one.only.stop - 5
    await one.until(lambda: not one.trader.state.open)
    (done,) = one.trader.state.last
    assert done.why == "stop" and done.pnl < 0 and one.trader.state.wins == 0


async def test_a_limit_that_is_not_reached_is_given_up(bench: Callable[..., Awaitable[Bench]]) -> None:
    one = await bench(wait_s=0.1, taker=False)
    assert one.trader.offer(one.signal(1, 1999.0)) is Code.OK
    await one.rest()
    assert one.trader.newest_refusal is not None and one.trader.newest_refusal.code is Code.NOT_FILLED
    assert not one.trader.state.open and one.trader.state.today == 0


async def test_killed_with_a_position_it_goes_on_and_orders_nothing_twice(bench: Callable[..., Awaitable[Bench]]
                                                                         ) -> None:
    one = await bench(hold_s=86_400)
    await one.enter()
    kept, orders = one.only, len(one.house.journal.entries)
    await one.trader.shut()
    one.lines.close()
    await one.house.attach()
    await one.house.start()
    one.attach()
    assert one.only == kept and one.trader.offer(one.signal()) is Code.HELD
    for _ in range(3):
        await one.house.desk.look()
        await one.trader.turn()
        await one.rest()
    assert [entry.intent.cause for entry in one.house.journal.entries.values()
            if entry.intent.leg == "entry"] == [kept.id]
    assert len(one.house.journal.entries) >= orders
    assert await one.house.naked() == []


async def test_a_lost_state_file_loses_no_position(bench: Callable[..., Awaitable[Bench]]) -> None:
    one = await bench(hold_s=86_400)
    await one.enter()
    one.trader.state.open.clear()
    await one.trader.turn()
    assert one.only.id.startswith("found-") and one.only.deadline_ms > 0
    assert any("lost track" in what for what in one.said)


async def test_a_disk_that_refuses_sends_nothing(bench: Callable[..., Awaitable[Bench]], monkeypatch: pytest.MonkeyPatch
                                                 ) -> None:
    one = await bench()

    def refuse(value: State) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(one.trader._file, "save", refuse)
    assert one.trader.offer(one.signal()) is Code.OK
    await one.rest()
    assert one.trader.refused[Code.DISK] == 1 and not one.trader.state.open
    assert not one.house.journal.entries


async def test_no_order_leaves_before_its_trade_is_on_disk(bench: Callable[..., Awaitable[Bench]],
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    one = await bench()
    disk, save = threading.Event(), one.trader._file.save
    planned, plan = asyncio.Event(), one.house.desk.books.plan

    def slow(value: State) -> None:
        assert disk.wait(LONG_S)
        save(value)

    async def noted_plan(made: Plan) -> None:
        await plan(made)
        planned.set()

    monkeypatch.setattr(one.trader._file, "save", slow)
    monkeypatch.setattr(one.house.desk.books, "plan", noted_plan)
    assert one.trader.offer(one.signal()) is Code.OK
    async with asyncio.timeout(LONG_S):
        await planned.wait()  # the questions are answered, the plan is on disk: only the state is not
    await asyncio.sleep(0.05)
    assert not one.house.journal.entries
    disk.set()
    await one.rest()
    assert [entry.intent.cause for entry in one.house.journal.entries.values() if entry.intent.leg == "entry"] \
        == list(one.trader.state.open)


@pytest.mark.parametrize("code", [Code.OK, Code.PRICE_ELSEWHERE], ids=["near", "elsewhere"])
async def test_what_is_taken_is_priced_where_it_is_traded(bench: Callable[..., Awaitable[Bench]], code: Code,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed may hear another exchange, whose price is some basis points away: stop and cap belong to this one's."""
    one = await bench(wait_s=0.1, max_chase_bps=20, hold_s=86_400)
    far = replace(one.signal(1, 1995.0), ask=1995.2, atr_bps=30.0)
    monkeypatch.setattr(one.eye, "signal", lambda: far)
    one.eye.code = Code.OK
    one.trader.priced = lambda signal: (code, replace(signal, bid=1999.99, ask=2000.01))
    assert one.trader.offer(one.signal(1, 1999.0)) is Code.OK
    await one.rest()
    if code is not Code.OK:
        assert not one.trader.state.open and one.trader.refused[Code.NOT_FILLED] == 1
        return
    stop_bps = rules.stop_bps(one.eye.terms, 30.0)
    assert float(one.only.stop) == pytest.approx(2000.01 * (1 - stop_bps / 10_000), abs=0.02)
    assert await one.house.account.positions()


@pytest.mark.parametrize(("mode", "where"), [(Mode.TEST, "on the paper account"), (Mode.LIVE, "on the exchange")])
def test_where_stop_and_target_stand_is_said_truly(mode: Mode, where: str) -> None:
    assert where in words.levels(trade_of("b1-1"), mode)


async def test_an_entry_that_came_to_nothing_is_not_told_as_entered(bench: Callable[..., Awaitable[Bench]]) -> None:
    """The signal began an entry; the checklist refused it a moment later."""
    one = await bench()
    board = Board(SimpleNamespace())  # type: ignore[arg-type]
    one.trader.came_to_nothing = board.refused
    one.house.desk.hedge_ok = False
    signal = one.signal()
    board.signal(signal, one.trader.offer(signal))
    assert board._signals[-1]["code"] == "OK"
    await one.rest()
    assert board._signals[-1]["code"] == "VENUE"
