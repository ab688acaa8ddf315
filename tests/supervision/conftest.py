"""Helpers for tests with real processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from modules.supervision.outbox import Notice, Outbox
from modules.supervision.settings import SupervisionSettings
from modules.supervision.supervisor import Supervisor
from tests.supervision import crew_fixture
from utils.paths import Paths

PATIENT = SupervisionSettings(**crew_fixture.QUICK | {"stuck_after_s": 8.0})  # the machine may be busy


def make(home: Path, *entries: str, needs: dict[str, tuple[str, ...]] | None = None, **more: Any) -> Supervisor:
    """A supervisor of fixture services."""
    crew = tuple(crew_fixture.service(entry, needs=(needs or {}).get(entry, ())) for entry in entries)
    return Supervisor(Paths(home), more.pop("limits", PATIENT), crew,
                      command=lambda name: crew_fixture.command(home, name, name), **more)


@asynccontextmanager
async def watched(home: Path, *entries: str, **more: Any) -> AsyncIterator[Supervisor]:
    """A watched supervisor; everything is stopped at the end."""
    boss = make(home, *entries, **more)
    watching = asyncio.create_task(boss.watch())
    try:
        yield boss
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await boss.shutdown()


def notices(home: Path) -> list[Notice]:
    """What was said to people."""
    return [notice for _, notice in Outbox(Paths(home).outbox, "test").pending("test")]


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
