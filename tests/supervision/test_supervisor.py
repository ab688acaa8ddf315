"""The supervisor with real processes: spawn, adopt, restart, crash loop, stuck, stop, trees."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from modules.supervision.outbox import Outbox
from modules.supervision.supervisor import Supervisor
from tests.supervision import crew_fixture
from utils.paths import Paths


async def eventually(condition: Callable[[], object], within_s: float = 15.0) -> None:
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come"
        await asyncio.sleep(0.02)


def make(home: Path, *entries: str, **more: Any) -> Supervisor:
    crew = tuple(crew_fixture.service(entry) for entry in entries)
    return Supervisor(Paths(home), more.pop("limits", crew_fixture.LIMITS), crew,
                      command=lambda name: crew_fixture.command(home, name, name), **more)


@asynccontextmanager
async def crew(home: Path, *entries: str, **more: Any):
    """A watched supervisor; everything is stopped at the end."""
    boss = make(home, *entries, **more)
    watching = asyncio.create_task(boss.watch())
    try:
        yield boss
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await boss.shutdown()


async def test_started_service_is_ready_and_stops(tmp_path: Path) -> None:
    async with crew(tmp_path, "good") as boss:
        [state] = await boss.start("good")
        assert state.state == "ready"
        assert state.info == {"home": str(tmp_path)}
        pid = state.pid
        assert pid is not None
        await boss.stop("good")
        assert boss.status()[0].state == "stopped"
        assert not psutil.pid_exists(pid)
