"""A simulated venue for tests: in this process, on a free port, with a market clock that tests move by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import ccxt.async_support as ccxt
import pytest
from aiohttp import ClientSession, web

from modules.simulator.server import Simulator
from modules.simulator.settings import SimulatorSettings

START = datetime(2026, 2, 3, 11, 17, 20, tzinfo=UTC)


@dataclass
class HandClock:
    """Seconds that pass only when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Running:
    """A simulator that serves, and the hand on its clock."""

    simulator: Simulator
    base: str
    clock: HandClock
    session: ClientSession
    _clients: list[Any] = field(default_factory=list)

    def pass_s(self, seconds: float) -> int:
        """Let wall time pass; returns market time."""
        self.clock.seconds += seconds
        return self.simulator.clock.now()

    def mexc(self, key: str = "sim-key", secret: str = "sim-secret") -> Any:
        """An unmodified ccxt client: only `urls` are overridden."""
        api = {"spot": {"public": self.base, "private": self.base},
               "contract": {"public": self.base + "/api/v1/contract", "private": self.base + "/api/v1/private"}}
        client = ccxt.mexc({"apiKey": key, "secret": secret, "enableRateLimit": False, "urls": {"api": api}})
        self._clients.append(client)
        return client

    async def get(self, path: str) -> tuple[int, Any]:
        """An unsigned GET: (status, JSON)."""
        async with self.session.get(self.base + path) as answer:
            return answer.status, await answer.json()


Starter = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start() -> AsyncIterator[Starter]:
    """Start simulators; all are stopped at the end of the test."""
    running: list[tuple[Running, web.AppRunner]] = []

    async def starter(**options: Any) -> Running:
        clock = HandClock()
        settings = SimulatorSettings(**{"tokens": 12, "start": START, "accept_wall_time": True, **options})
        simulator = Simulator(settings, elapsed=clock)
        runner = web.AppRunner(simulator.app(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        simulator.port = runner.addresses[0][1]
        one = Running(simulator, f"http://127.0.0.1:{simulator.port}", clock, ClientSession())
        running.append((one, runner))
        return one

    yield starter
    for one, runner in running:
        for client in one._clients:
            await client.close()
        await one.session.close()
        await runner.cleanup()
        one.simulator.close()


@pytest.fixture
async def venue(start: Starter) -> Running:
    """One simulator with 12 tokens."""
    return await start()
