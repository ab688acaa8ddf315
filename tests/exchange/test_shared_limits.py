"""Four processes ask as fast as they can: the venue never has to refuse, and exits do not wait for data (X31)."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.exchange.budget import Budget
from modules.exchange.gateway import open_market
from modules.exchange.health import health
from modules.exchange.lanes import Lane
from modules.exchange.mexc_codes import LIMIT, WINDOW_S
from modules.exchange.page import Busy
from modules.exchange.settings import ExchangeSettings
from modules.exchange.venue_mexc import MexcMarket
from tests.exchange.conftest import ROOT, SimProcess, start_simulator
from utils.paths import Paths

SPEED = 2.0
SECONDS = 8.0
PROCESSES = 4
EXITS = 20
LONGEST_EXIT_WAIT_S = 2.5  # two cores and five processes; a window is 5 s, and data waits for most of it


@pytest.fixture
def venue_sim() -> Iterator[SimProcess]:
    running = start_simulator(speed=SPEED, tokens=5)
    yield running
    running.stop()


def start(url: str, home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.exchange.hammer", url, str(home), str(SECONDS)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def line_of(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def _eaten(budget: Budget) -> bool:
    """Whether data has to wait by now; not known while another process holds the page."""
    try:
        return budget.delay("depth", 1, Lane.DATA) >= 0.3
    except Busy:
        return False


async def exits_meanwhile(market: MexcMarket) -> list[float]:
    """Twenty looks at once, as exits, while data has eaten its share: how long each took."""
    deadline = time.monotonic() + SECONDS
    budget = market.link.limiter._budget
    while not _eaten(budget):
        assert time.monotonic() < deadline, "data never filled its share"
        await asyncio.sleep(0.01)

    async def one() -> float:
        began = time.monotonic()
        await market.book("BTCUSDT", 5)
        return time.monotonic() - began

    return await asyncio.gather(*(one() for _ in range(EXITS)))


async def test_four_processes_never_overspend_and_exits_do_not_wait(venue_sim: SimProcess, tmp_path: Path) -> None:
    settings, paths = ExchangeSettings(base_url=venue_sim.url, timeout_s=5), Paths(tmp_path).prepare()
    market = await open_market(settings, paths, lane=Lane.EXIT)
    children = [start(venue_sim.url, tmp_path) for _ in range(PROCESSES)]
    try:
        assert isinstance(market, MexcMarket)
        assert [await asyncio.to_thread(line_of, child) for child in children] == ["ready"] * PROCESSES
        began = time.monotonic()
        took = await exits_meanwhile(market)
        told = [json.loads(await asyncio.to_thread(line_of, child)) for child in children]
        windows = (time.monotonic() - began) / (WINDOW_S / SPEED)
    finally:
        for child in children:
            child.kill()
            child.wait(60)
            assert child.stdout is not None
            child.stdout.close()
        await market.close()
    found = health(settings, paths)
    assert found is not None and found.refusals == 0, f"the venue had to refuse: {told}"
    assert max(took) < LONGEST_EXIT_WAIT_S, took
    books = sum(one["books"] for one in told)
    assert books > LIMIT * 0.6  # more than one window's share of data went through, so windows did turn over
    assert books <= LIMIT * 0.6 * (windows + 2)
