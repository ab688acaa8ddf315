"""The scalper's modes and its inbox: one account's trouble is not the other's, a wish survives whoever hears it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from config.settings import Settings
from modules.exchange.types import Mode, Unavailable
from modules.execution.futures.plan import FuturesState, Plan
from modules.execution.mode import TestMode, mode_file
from modules.storage.damage import StateError
from modules.storage.json_state import JsonFile
from modules.strategies.scalper import account as accounts
from modules.strategies.scalper import live
from modules.strategies.scalper.live import Scalper
from modules.strategies.scalper.obey import obey
from modules.strategies.scalper.records import State, state_file
from modules.strategies.scalper.trade_log import TradeLog
from modules.supervision.service import ServiceRun
from tests.execution.futures.house import SYMBOL, Venue
from tests.strategies.scalper.test_trader import trade_of
from utils.paths import Paths


class Side:
    """A scalper whose accounts open over a paper venue; `closed`: modes whose account does not open, and why."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths = Paths(home).prepare()
        self.run = ServiceRun("scalper", self.paths, 1.0)
        self.closed: dict[Mode, Exception] = {}
        self.lines = TradeLog(self.paths.logs)
        monkeypatch.setattr(live, "open_mode", self._open)

    def scalper(self) -> Scalper:
        return Scalper(self.run, Settings(), Venue(), self.lines)  # type: ignore[arg-type]

    async def _open(self, mode: Mode, *rest: object) -> object:
        if mode in self.closed:
            raise self.closed[mode]
        opened = asyncio.Event()
        opened.set()
        file = state_file(self.paths, mode)

        async def flatten(reason: str = "hand") -> list[object]:
            trader.state.stopped = "closed by hand"
            file.save(trader.state)
            return []

        async def resume() -> None:
            trader.state.stopped = ""
            file.save(trader.state)

        trader = SimpleNamespace(state=file.load(), flatten=flatten, resume=resume)
        return SimpleNamespace(mode=mode, trader=trader, keeper=SimpleNamespace(opened=opened), busy=True)

    def said(self) -> list[tuple[str | None, str, str]]:
        return [(notice.mode, notice.what, notice.why) for _, notice in self.run.outbox.pending("owner")]


@pytest.fixture
async def side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Side]:
    made = Side(tmp_path, monkeypatch)
    yield made
    made.lines.close()


@pytest.mark.parametrize("trouble", ["the venue refuses", "the file is damaged"])
async def test_an_account_that_cannot_be_opened_leaves_the_other_one_its_own_and_is_told_once(
        side: Side, trouble: str) -> None:
    """What is open in the one must be kept whatever becomes of the other (P6)."""
    mode_file(side.paths).save(TestMode(test_mode=False))
    file = state_file(side.paths, Mode.TEST)
    file.save(State(open={"b1-1": trade_of("b1-1")}))
    if trouble == "the venue refuses":
        side.closed[Mode.TEST] = Unavailable("no answer")
    else:
        for path in side.paths.data.glob("test_scalper_state.json*"):
            path.write_bytes(b"{")
    scalper = side.scalper()
    for _ in range(3):
        await scalper.choose_modes()
    assert list(scalper.modes) == [Mode.LIVE]
    told = [(mode, why) for mode, what, why in side.said() if "account" in what]
    assert len(told) == 1 and told[0][0] == "TEST" and told[0][1]


async def test_a_position_whose_trade_was_lost_keeps_its_account_open(side: Side) -> None:
    """The futures books know a plan that the scalper's own file does not."""
    file = JsonFile(side.paths.data / "futures_scalper.json", FuturesState, FuturesState)
    plan = Plan(symbol=SYMBOL, side="LONG", long=True, stop="1900")  # type: ignore[arg-type]
    file.save(FuturesState(plans={f"{SYMBOL} LONG": plan}))
    scalper = side.scalper()
    await scalper.choose_modes()
    assert set(scalper.modes) == {Mode.TEST, Mode.LIVE}


async def test_a_message_that_says_nothing_known_does_not_keep_the_next_one_waiting(side: Side) -> None:
    scalper = side.scalper()
    await scalper.choose_modes()
    for kind, body in (("flatten", {"mode": "DEMO"}), ("flatten", {}), ("dance", {}), ("flatten", {"mode": "TEST"})):
        side.run.inbox.post(kind, body, "test")
    await obey(scalper)
    assert scalper.modes[Mode.TEST].trader.state.stopped and not side.run.inbox.waiting()
    assert sum("not understood" in what for _, what, _ in side.said()) == 3


async def test_resuming_reaches_the_account_that_is_not_open(side: Side) -> None:
    """Closed by hand in LIVE, then TEST: the next switch to LIVE would find it stopped by a wish taken back."""
    live_file = state_file(side.paths, Mode.LIVE)
    live_file.save(State(stopped="closed by hand"))
    scalper = side.scalper()
    await scalper.choose_modes()
    side.run.inbox.post("resume", {}, "test")
    await obey(scalper)
    assert not live_file.load().stopped


async def test_an_account_whose_books_are_damaged_is_let_go_again(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again every second: each try would leave an account open."""
    closed: list[str] = []

    async def close() -> None:
        closed.append("account")

    async def opened(*given: object) -> object:
        return SimpleNamespace(close=close)

    monkeypatch.setattr(accounts, "open_futures_account", opened)
    for name in ("test_scalper_state.json", "test_scalper_state.json.bak"):
        (side.paths.data / name).write_bytes(b"{")
    with pytest.raises(StateError):
        await accounts.open_mode(Mode.TEST, side.run, Settings(), Venue(), {}, side.lines)  # type: ignore[arg-type]
    assert closed == ["account"]
