"""Several workers: processes of this machine, or Ray actors over several machines; restarted when they die.

No scheduler of our own: which worker trades which grid is decided by leases in SQL alone. A worker process ends when
the pipe to its parent closes, so that the death of the service leaves no worker behind. What a worker does not share:
its settings are read by itself (Ray: from the environment of its own machine), so that no secret travels.
"""

import asyncio
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from modules.exchange.types import Unavailable

log = logging.getLogger(__name__)

Line = Connection
#: (home, name, line to the parent or None)
Target = Callable[[str, str, Line | None], None]
LOOK_S = 0.5
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
HEALTHY_S = 60.0
END_S = 20.0


def watch_line(line: Line, stop: Callable[[], object]) -> None:
    """Call `stop` once the parent says so, or is gone; in a thread of its own."""
    def wait() -> None:
        try:
            line.recv()
        except (EOFError, OSError):
            pass
        stop()

    threading.Thread(target=wait, daemon=True, name="line to the parent").start()


class _Child:
    """One worker process and its restarts."""

    def __init__(self, target: Target, home: str, name: str) -> None:
        self._target, self._home, self.name = target, home, name
        self._process: SpawnProcess | None = None
        self._line: Line | None = None
        self._wait_s = FIRST_WAIT_S
        self._not_before = 0.0
        self._began = 0.0
        self.deaths = 0

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    def look(self) -> None:
        """Start it where it does not run, later each time where it keeps dying."""
        now = time.monotonic()
        if self._process is not None and self._process.is_alive():
            if now - self._began > HEALTHY_S:
                self._wait_s = FIRST_WAIT_S
            return
        if self._process is not None:
            self.deaths += 1
            log.error("worker %s ended (%s); again in %.0f s", self.name, self._process.exitcode, self._wait_s)
            self._not_before = now + self._wait_s
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
            self._process = None
        if now < self._not_before:
            return
        context = multiprocessing.get_context("spawn")
        theirs, ours = context.Pipe(duplex=False)
        self._process = context.Process(target=self._target, args=(self._home, self.name, theirs), name=self.name)
        self._process.start()
        theirs.close()
        self._line, self._began = ours, now

    def stop(self) -> None:
        """Ask it to end in order."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def end(self, patience_s: float) -> None:
        """Wait for its end, then end it."""
        if self._process is not None:
            self._process.join(patience_s)
            if self._process.is_alive():
                self._process.kill()
                self._process.join(5.0)


class LocalCrew:
    """Workers as processes of this machine."""

    def __init__(self, target: Target, home: str, names: list[str]) -> None:
        self._children = [_Child(target, home, name) for name in names]

    def look(self) -> None:
        """Start who does not run."""
        for child in self._children:
            child.look()

    def facts(self) -> dict[str, Any]:
        """For /status."""
        return {"workers": {child.name: child.pid for child in self._children},
                "deaths": sum(child.deaths for child in self._children)}

    def end(self) -> None:
        """End all in order; blocks."""
        for child in self._children:
            child.stop()
        until = time.monotonic() + END_S
        for child in self._children:
            child.end(max(until - time.monotonic(), 0.1))


class RayCrew:
    """Workers as actors of a Ray cluster, which restarts them, on other machines too."""

    def __init__(self, target: Target, home: str, names: list[str], address: str) -> None:
        try:
            import ray
        except ImportError:
            raise Unavailable("GRIDLIVE_BACKEND=ray, but ray is not installed: pip install -r requirements-ray.txt, "
                              "or set GRIDLIVE_BACKEND=local.") from None
        self._ray = ray
        whom = None if address in ("local", "") else "auto" if address == "ray://auto" else address
        ray.init(address=whom, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR,
                 include_dashboard=False)
        actor = ray.remote(max_restarts=-1, max_task_retries=-1, num_cpus=0.1)(_Actor)
        self._actors = {name: actor.options(name=f"grid-{name}", lifetime=None).remote(home, name, target)
                        for name in names}
        self._runs = {name: one.run.remote() for name, one in self._actors.items()}
        self.deaths = 0

    def look(self) -> None:
        """Begin a worker's run again where it has ended."""
        for name, run in list(self._runs.items()):
            done, _ = self._ray.wait([run], timeout=0)
            if done:
                self.deaths += 1
                log.error("worker %s ended; it is begun again", name)
                self._runs[name] = self._actors[name].run.remote()

    def facts(self) -> dict[str, Any]:
        """For /status."""
        return {"workers": {name: "ray" for name in self._actors}, "deaths": self.deaths}

    def end(self) -> None:
        """Leases of actors that are killed run out by themselves; positions keep their stops."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._ray.shutdown()


class _Actor:
    """A worker as a Ray actor."""

    def __init__(self, home: str, name: str, target: Target) -> None:
        self._home, self._name, self._target = home, name, target

    def run(self) -> None:
        """Trade until killed."""
        self._target(self._home, self._name, None)


Crew = LocalCrew | RayCrew


async def keep_alive(crew: Crew, stop: asyncio.Event, told: Callable[[dict[str, Any]], None]) -> None:
    """Look after the workers until `stop`."""
    while not stop.is_set():
        await asyncio.to_thread(crew.look)
        told(crew.facts())
        try:
            async with asyncio.timeout(LOOK_S):
                await stop.wait()
        except TimeoutError:
            continue
    await asyncio.to_thread(crew.end)
