"""Small services that misbehave on request, for the supervisor's tests. Also their own program:

``python -m tests.supervision.crew_fixture HOME SERVICE``.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from modules.supervision.registry import Service
from modules.supervision.runner import run_service
from modules.supervision.service import ServiceRun
from modules.supervision.settings import SupervisionSettings
from utils.paths import Paths

QUICK: dict[str, Any] = dict(beat_every_s=0.05, stuck_after_s=1.5, ready_within_s=15.0, stop_within_s=1.5,
                             restart_first_s=0.05, restart_longest_s=0.2, crash_loop_count=3, crash_loop_window_s=60.0)
LIMITS = SupervisionSettings(**QUICK)


async def good(run: ServiceRun, settings: object) -> None:
    """Works until asked to stop; counts its lives in a file."""
    lives = run.paths.data / f"{run.name}.lives"
    with open(lives, "a", encoding="utf-8") as out:
        out.write(f"{os.getpid()}\n")
    run.ready(home=str(run.paths.home))
    await run.stop.wait()


async def crashing(run: ServiceRun, settings: object) -> None:
    """Fails at once."""
    run.ready()
    raise RuntimeError("the fixture broke its leg")


async def hanging(run: ServiceRun, settings: object) -> None:
    """Blocks its own event loop after it was ready, in its first life only."""
    run.ready()
    mark = run.paths.data / "hanging.once"
    if not mark.exists():
        mark.write_text("hung", encoding="utf-8")
        time.sleep(600)
    await run.stop.wait()


async def stubborn(run: ServiceRun, settings: object) -> None:
    """Neither stop file nor signal ends it; it keeps beating."""
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run.ready()
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


async def parent(run: ServiceRun, settings: object) -> None:
    """Has a worker process, which notes its pid."""
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (run.paths.data / "worker.pid").write_text(str(worker.pid), encoding="utf-8")
    run.ready()
    await run.stop.wait()


async def quitting(run: ServiceRun, settings: object) -> None:
    """Returns without being asked."""
    run.ready()


async def unready(run: ServiceRun, settings: object) -> None:
    """Alive, but never ready."""
    await run.stop.wait()


ENTRIES = ("good", "crashing", "hanging", "stubborn", "parent", "quitting", "unready")


def service(entry: str, name: str = "", needs: tuple[str, ...] = ()) -> Service:
    """A service of this file."""
    return Service(name or entry, (name or entry).capitalize(), f"tests.supervision.crew_fixture:{entry}", "", needs)


def command(home: Path, entry: str, name: str) -> list[str]:
    """How to run it as a process."""
    return [sys.executable, "-m", "tests.supervision.crew_fixture", str(home), entry, name, "--supervised"]


def main(argv: list[str]) -> int:
    """The program: HOME ENTRY NAME [--supervised]."""
    settings: Any = SimpleNamespace(supervision=LIMITS)  # all that the runner asks for, and quick to import
    return run_service(service(argv[1], argv[2]), settings, Paths(Path(argv[0])), supervised="--supervised" in argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
