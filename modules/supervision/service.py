"""What a service is given to live: stop event, heartbeat, inbox, outbox.

The heartbeat is written from the service's own event loop, so that a stuck loop is seen as stuck. It carries a
counter, not a time: the supervisor watches the counter move against its own monotonic clock.
"""

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import msgspec

from modules.supervision.messages import Inbox
from modules.supervision.outbox import Outbox
from utils.paths import Paths
from utils.processes import start_mark

log = logging.getLogger(__name__)


class Beat(msgspec.Struct, frozen=True):
    """One heartbeat as it lies in ``data/run/SERVICE.beat.json``. `info` is what the service tells of itself."""

    service: str
    pid: int
    started: float
    count: int
    ready: bool
    info: dict[str, Any]


def read_beat(run_folder: Path, service: str) -> Beat | None:
    """The newest heartbeat of a service, or None where there is none that can be read."""
    try:
        return msgspec.json.decode((run_folder / f"{service}.beat.json").read_bytes(), type=Beat)
    except (OSError, msgspec.MsgspecError):
        return None


class ServiceRun:
    """The surroundings of one running service."""

    def __init__(self, name: str, paths: Paths, beat_every_s: float) -> None:
        self.name = name
        self.paths = paths
        self.inbox = Inbox(paths.inbox, name)
        self.outbox = Outbox(paths.outbox, name)
        self.stop = asyncio.Event()
        self._beat_every_s = beat_every_s
        self._count = 0
        self._ready = False
        self._info: dict[str, Any] = {}
        self._beat_problem = ""
        self._started = start_mark(os.getpid())

    @property
    def stop_file(self) -> Path:
        """Its existence asks the service to stop: works alike on Linux and Windows."""
        return self.paths.run / f"{self.name}.stop"

    def ready(self, **info: Any) -> None:
        """The service can do its work now."""
        self._ready = True
        self.tell(**info)
        self.beat()

    def tell(self, **info: Any) -> None:
        """Facts for /status, e.g. ``tell(scans=12, last_scan_ms=40)``; shown with the next heartbeat."""
        self._info.update(info)

    def beat(self) -> None:
        """Write a heartbeat now."""
        self._count += 1
        beat = Beat(self.name, os.getpid(), self._started, self._count, self._ready, self._info)
        path = self.paths.run / f"{self.name}.beat.json"
        try:
            aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            aside.write_bytes(msgspec.json.encode(beat))  # no fsync: a heartbeat lost with the power is no loss
            os.replace(aside, path)
            self._beat_problem = ""
        except OSError as problem:
            self._beat_by_touch(path, str(problem))

    def _beat_by_touch(self, path: Path, problem: str) -> None:
        """A full disk takes no new file, but still a new time on the old one: alive is alive."""
        if problem != self._beat_problem:  # said once, or the log would fill the rest of the disk
            log.error("heartbeat cannot be written: %s", problem)
            self._beat_problem = problem
        try:
            os.utime(path)
        except OSError:
            return

    async def keep_beating(self) -> None:
        """Beat and watch for the stop file until stopped. Runs as a task of the service's own loop."""
        while not self.stop.is_set():
            self.beat()
            self.outbox.flush()
            if self.stop_file.exists():
                self.stop.set()
                return
            await self.sleep(self._beat_every_s)

    async def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until the stop."""
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            pass
