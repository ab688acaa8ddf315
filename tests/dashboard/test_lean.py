"""Candles of a venue without ccxt's blocking half, in a process of its own: what is loaded, what comes."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modules.simulator.server import serve
from modules.simulator.settings import SimulatorSettings
from tests.surroundings import environment
from utils.paths import PROJECT

PROBE = """
import asyncio, json, sys
from config.settings import load_settings
from modules.dashboard.candles import LiveCandles
from modules.dashboard.lean import NotHere
from utils.paths import default_paths

async def main():
    paths = default_paths().prepare()
    candles = LiveCandles(load_settings(paths), paths)
    task = asyncio.create_task(candles.run())
    async with asyncio.timeout(40):
        while not candles.look("BTCUSDT", "5m").rows:
            await asyncio.sleep(0.05)
    loaded = [name for name in ("requests", "cryptography", "urllib3") if name in sys.modules]
    import ccxt.base.exchange as base
    refused = 0
    for asked in (base.Session, base.hashes.SHA256 if hasattr(base.hashes, "SHA256") else base.hashes):
        try:
            asked()
        except NotHere:
            refused += 1
    import requests
    from cryptography.hazmat.primitives import hashes
    task.cancel()
    print(json.dumps({"loaded": loaded, "rows": len(candles.look("BTCUSDT", "5m").rows), "refused": refused,
                      "real": [requests.Session.__module__, hashes.SHA256.name]}))

asyncio.run(main())
"""


@pytest.fixture
async def venue() -> AsyncIterator[str]:
    """Address of a small simulated exchange."""
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    options = SimulatorSettings(tokens=10, seed=3, start=datetime(2026, 3, 3, 12, tzinfo=UTC))
    task = asyncio.create_task(serve(options, ready.set_result, stop))
    yield f"http://127.0.0.1:{await asyncio.wait_for(ready, 30)}"
    stop.set()
    await task


async def test_candles_come_and_neither_requests_nor_cryptography_is_loaded(venue: str, tmp_path: Path) -> None:
    home = environment(tmp_path, EXCHANGE_BASE_URL=venue)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROBE, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **home, "PYTHONPATH": str(PROJECT)})
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, err.decode()
    told = json.loads(out.decode().splitlines()[-1])
    assert told == {"loaded": [], "rows": 300, "refused": 2, "real": ["requests.sessions", "sha256"]}
