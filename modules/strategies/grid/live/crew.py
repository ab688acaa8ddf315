"""Several workers as processes of this machine (over several machines: `ray_crew.py`); restarted when they die.

No scheduler of our own: which worker trades which grid is decided by leases in SQL alone. A worker process ends when
the pipe to its parent closes, so that the death of the service leaves no worker behind. A worker reads its settings by
itself, so that no secret travels.

A worker whose loop does not go on is killed and begun again: halted in the middle of a write it would keep SQLite's one
lock, and nobody could renew a lease. Its fence makes that safe, and the journal undoes the write. The bound is shorter
than a lease, so that the others keep theirs.
"""

import asyncio
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol

log = logging.getLogger(__name__)

Line = Connection
#: (home, name, line to the parent or None)
Target = Callable[[str, str, Line | None], None]
LOOK_S = 0.5
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
HEALTHY_S = 60.0
END_S = 20.0
BEAT_S = 0.5
#: a worker is silent after this part of a lease, and never sooner than so many seconds
SILENT_PART, LEAST_SILENT_S = 0.5, 4.0
BEGIN_S = 180.0  # until its first beat


def silent_after_s(lease_s: float) -> float:
    """How long a worker may be silent."""
    return max(SILENT_PART * lease_s, LEAST_SILENT_S)


async def beat(line: Line) -> None:
    """Tell the parent that this worker's loop goes on; until cancelled. A thread sends: a parent that does not listen
    must not halt the loop."""
    due = threading.Event()

    def send() -> None:
        try:
            while due.wait():
                due.clear()
                line.send_bytes(b"1")
        except OSError:
            return  # the parent is gone; `watch_line` ends the worker

    threading.Thread(target=send, daemon=True, name="beats to the parent").start()
    while True:
        due.set()
        await asyncio.sleep(BEAT_S)


def watch_line(line: Line, stop: Callable[[], object]) -> None:
    """Call `stop` once the parent says so, or is gone; in a thread of its own."""
    def wait() -> None:
        try:
            line.recv()
        except (EOFError, OSError):
            pass
        stop()

    threading.Thread(target=wait, daemon=True, name="line to the parent").start()


class Restarts:
    """When a worker that died is begun again: at once, then later each time where it keeps dying. Seconds are those of
    `time.monotonic`."""

    def __init__(self, longest_s: float = LONGEST_WAIT_S) -> None:
        self._wait_s, self._longest_s = FIRST_WAIT_S, longest_s
        self._not_before = self._began = 0.0
        self.deaths = 0

    def lives(self, now: float) -> None:
        """It runs; after a while its earlier deaths are forgiven."""
        if now - self._began > HEALTHY_S:
            self._wait_s = FIRST_WAIT_S

    def died(self, now: float, words: str) -> None:
        """It ended though nobody asked."""
        self.deaths += 1
        log.error("%s; again in %.0f s", words, self._wait_s)
        self._not_before = now + self._wait_s
        self._wait_s = min(2 * self._wait_s, self._longest_s)

    def due(self, now: float) -> bool:
        """Whether it may begin now."""
        return now >= self._not_before

    def began(self, now: float) -> None:
        """It begins."""
        self._began = now


class _Child:
    """One worker process and its restarts."""

    def __init__(self, target: Target, home: str, name: str, silent_s: float) -> None:
        self._target, self._home, self.name = target, home, name
        self._silent_s = silent_s
        self._process: SpawnProcess | None = None
        self._line: Line | None = None
        self._heard = self._looked = 0.0
        self._beats = False
        self.restarts = Restarts()

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    def look(self) -> None:
        """Start it where it does not run, later each time where it keeps dying."""
        now = time.monotonic()
        if self._process is not None and self._process.is_alive():
            self._listen(now)
            self.restarts.lives(now)
            return
        if self._process is not None:
            self.restarts.died(now, f"worker {self.name} ended ({self._process.exitcode})")
            self._process = None
        if not self.restarts.due(now):
            return
        context = multiprocessing.get_context("spawn")
        theirs, ours = context.Pipe()
        self._process = context.Process(target=self._target, args=(self._home, self.name, theirs), name=self.name)
        self._process.start()
        theirs.close()
        self._line = ours
        self._heard = self._looked = now
        self._beats = False
        self.restarts.began(now)

    def _listen(self, now: float) -> None:
        """Hear its beats; kill it where there are none. Time in which we did not look ourselves (the machine slept) is
        not held against it."""
        assert self._process is not None
        asleep, self._looked = now - self._looked > self._silent_s * 0.75, now
        try:
            while self._line is not None and self._line.poll():
                self._line.recv_bytes()
                self._heard, self._beats = now, True
        except (EOFError, OSError):
            pass  # it ends
        if asleep:
            self._heard = now
        if now - self._heard > (self._silent_s if self._beats else BEGIN_S):
            log.error("worker %s does not go on (silent for %.0f s): killed; its grids go to the others",
                      self.name, now - self._heard)
            self._heard = now
            self._process.kill()

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


class Crew(Protocol):
    """Workers, wherever they are. Calls block."""

    def look(self) -> None:
        """Start who does not run. Raises Unavailable where their place is gone."""

    def facts(self) -> dict[str, Any]:
        """For /status."""

    def end(self) -> None:
        """End all in order."""


class LocalCrew:
    """Workers as processes of this machine."""

    def __init__(self, target: Target, home: str, names: list[str], lease_s: float) -> None:
        self._children = [_Child(target, home, name, silent_after_s(lease_s)) for name in names]

    def look(self) -> None:
        """Start who does not run."""
        for child in self._children:
            child.look()

    def facts(self) -> dict[str, Any]:
        """For /status."""
        return {"workers": {child.name: child.pid for child in self._children},
                "deaths": sum(child.restarts.deaths for child in self._children)}

    def end(self) -> None:
        """End all in order; blocks."""
        for child in self._children:
            child.stop()
        until = time.monotonic() + END_S
        for child in self._children:
            child.end(max(until - time.monotonic(), 0.1))


async def keep_alive(crew: Crew, stop: asyncio.Event, told: Callable[[dict[str, Any]], None]) -> None:
    """Look after the workers until `stop`, then end them. Raises Unavailable where their place is gone."""
    try:
        while not stop.is_set():
            await asyncio.to_thread(crew.look)
            told(crew.facts())
            try:
                async with asyncio.timeout(LOOK_S):
                    await stop.wait()
            except TimeoutError:
                continue
    finally:
        await asyncio.to_thread(crew.end)
