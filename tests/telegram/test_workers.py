"""Workers as real processes: they answer, fail in words, and leave nothing behind."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from modules.exchange.paper import account_file
from modules.exchange.paper_state import Money, PaperState
from modules.exchange.types import Unavailable
from modules.storage.json_state import JsonFile
from modules.telegram import workers
from modules.telegram.workers import Workers
from tests.telegram.house import NOW_MS, House
from utils.paths import Paths

EQUITY = {"mode": "TEST", "zone": "UTC", "now_ms": NOW_MS, "unrealised": 0.0, "points": [(NOW_MS, 3.0)]}


@pytest.fixture
def work(tmp_path: Path) -> Workers:
    house = House(tmp_path)
    return Workers(house.paths, house.settings)


async def test_a_picture_is_drawn(work: Workers, tmp_path: Path) -> None:
    told = await work("equity", EQUITY)
    assert (tmp_path / "data" / told["picture"]).read_bytes().startswith(b"\x89PNG")


async def test_the_paper_account_is_told_without_an_exchange(work: Workers, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="not been opened yet"):
        await work("balance", {"mode": "TEST"})
    state = PaperState({"USDT": Money(Decimal("900.5")), "PEPE": Money(Decimal(7))})
    JsonFile(account_file(Paths(tmp_path)), PaperState, lambda: state).save(state)
    told = await work("balance", {"mode": "TEST"})
    assert told["equity"] == "900.50" and told["unpriced"] == ["PEPE"] and "simulated exchange" in told["note"].lower()


async def test_live_without_an_exchange_is_refused_in_words(work: Workers) -> None:
    with pytest.raises(Unavailable, match="(?i)simulated exchange"):
        await work("balance", {"mode": "LIVE"})


async def test_a_fault_of_the_worker_is_no_silence(work: Workers, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unavailable, match="KeyError"):
        await work("equity", {})
    assert "Traceback" in caplog.text


async def test_one_that_takes_too_long_is_ended(work: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LIMIT_S", 0.05)
    with pytest.raises(Unavailable, match="No answer within"):
        await work("equity", EQUITY)


async def test_an_ended_command_ends_its_worker(work: Workers) -> None:
    task = asyncio.create_task(work("equity", EQUITY))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
