"""The collecting scripts as a person runs them, against the simulated exchange."""

import asyncio
import json
import sys
from datetime import UTC, datetime

import pytest

from modules.market import candles
from modules.simulator.server import serve
from modules.simulator.settings import SimulatorSettings
from tests.surroundings import environment
from utils.paths import PROJECT


@pytest.fixture
async def venue():
    """Address of a small simulated exchange."""
    port: list[int] = []
    stop, ready = asyncio.Event(), asyncio.Event()

    def listening(number: int) -> None:
        port.append(number)
        ready.set()

    options = SimulatorSettings(tokens=20, seed=3, start=datetime(2026, 3, 3, 12, tzinfo=UTC))
    task = asyncio.create_task(serve(options, listening, stop))
    await asyncio.wait_for(ready.wait(), 30)
    yield f"http://127.0.0.1:{port[0]}"
    stop.set()
    await task


async def run(script: str, home, address: str, *arguments: str) -> tuple[int, str, str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(PROJECT / "scripts" / script), *arguments, cwd=home,
        env=environment(home, EXCHANGE_BASE_URL=address),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode is not None
    return child.returncode, out.decode("utf-8"), err.decode("utf-8")


async def test_collecting_all_one_and_an_unknown_symbol(venue, tmp_path):
    code, out, _ = await run("collect_all_data.py", tmp_path, venue, "--limit", "2", "--candles", "600")
    assert code == 0
    assert "2/2 " in out
    files = sorted((tmp_path / "data" / "market_data").glob("*.csv"))
    assert len(files) == 2
    assert all(len(candles.read(file)) == 600 for file in files)

    code, out, _ = await run("collect_and_save.py", tmp_path, venue, "eth/usdt", "--candles", "300")
    assert code == 0
    assert json.loads((tmp_path / "data" / "pending_training.json").read_bytes()).keys() == {"ETHUSDT"}
    assert len(list((tmp_path / "data" / "inbox" / "trainer").glob("[0-9]*.json"))) == 1

    code, _, err = await run("collect_and_save.py", tmp_path, venue, "ethh")
    assert code == 2
    assert "Near: ETHUSDT" in err


async def test_an_absent_exchange_is_one_clear_line(tmp_path):
    code, out, err = await run("collect_all_data.py", tmp_path, "http://127.0.0.1:9")
    assert code == 1
    assert err.startswith("The exchange gives no answer: ")
    assert "Traceback" not in out + err
