"""What a command's handler may use: paths, settings, the crew, the tracker's inbox, facts of the process itself."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from modules.exchange.types import Mode
from modules.storage.damage import StateError
from modules.strategies.hype.files import HypeFiles, mode_file
from modules.strategies.showdown.trade_book import open_trades
from modules.supervision.messages import Inbox
from modules.supervision.outbox import Outbox
from modules.supervision.status import ServiceStatus
from modules.telegram.grids_held import GridsHeld
from modules.telegram.long_runs import LongRuns
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.telegram.command import Command

T = TypeVar("T")
SENDER = "command"
TRACKER, SCANNER, TRAINER, SIMULATOR = "tracker", "scanner", "trainer", "simulator"
SHOWDOWN, SCALPER, GRID = "showdown", "scalper", "grid"


class Crew(Protocol):
    """What commands ask of the supervisor."""

    async def start(self, *names: str) -> Sequence[ServiceStatus]:
        """Start services, and wait until they are ready or have failed."""

    async def stop(self, *names: str) -> Sequence[str]:
        """Stop services in good order; returns the names that go on running because they must (A17)."""

    async def restart(self, *names: str) -> Sequence[ServiceStatus]:
        """Stop and start."""

    async def stop_all(self) -> None:
        """Stop every service."""

    def status(self, load: bool = True) -> Sequence[ServiceStatus]:
        """Every service now; `load` measures CPU and memory too."""


class Worker(Protocol):
    """Heavy or rare work in a short-lived process (workers.py)."""

    async def __call__(self, task: str, spec: dict[str, Any]) -> dict[str, Any]:
        """Run `task`; raises Unavailable when it fails."""


@dataclass(slots=True)
class Facts:
    """What the process tells of itself in /status. Fronts and delivery write it."""

    started: float = field(default_factory=time.monotonic)
    lines: dict[str, Callable[[], str]] = field(default_factory=dict)
    found_at_start: str = ""


@dataclass
class Context:
    """Surroundings of every handler."""

    paths: Paths
    settings: "Settings"
    crew: Crew
    worker: Worker
    request_restart: Callable[[], None]
    request_end: Callable[[str], None]
    facts: Facts = field(default_factory=Facts)
    commands: "tuple[Command, ...]" = ()
    runs: LongRuns = field(default_factory=LongRuns)
    grids: GridsHeld = field(init=False)
    guard_off: bool = False  # only while test data are deleted: the tracker need not run for open positions

    def __post_init__(self) -> None:
        self.grids = GridsHeld(self.settings, self.paths)

    def must_run(self) -> set[str]:
        """Services that have to run whatever was asked: those that guard, while any position of theirs is open (A17).

        A file that cannot be read is not "no positions" (X15): the service runs, and tells what is wrong with it.
        """
        if self.guard_off:
            return set()
        try:
            held = {TRACKER} if any(self.files(mode).tracked.load() for mode in Mode) else set()
        except StateError:
            held = {TRACKER}
        if self.grids.must_run(self.running(GRID)):
            held = {*held, GRID}
        try:
            return held | ({SHOWDOWN} if any(open_trades(self.paths.data, mode) for mode in Mode) else set())
        except StateError:
            return {*held, SHOWDOWN}

    @property
    def outbox(self) -> Outbox:
        """For what is said later than the answer."""
        return Outbox(self.paths.outbox, SENDER)

    @property
    def zone(self) -> str:
        """The report's time zone."""
        return self.settings.report.timezone

    def mode(self) -> Mode:
        """The mode of new entries."""
        return mode_file(self.paths).load().mode

    def files(self, mode: Mode) -> HypeFiles:
        """The files of a mode."""
        return HypeFiles(self.paths, mode)

    def post(self, service: str, kind: str, body: dict[str, Any]) -> str:
        """Leave a message in a service's inbox; returns its id."""
        return Inbox(self.paths.inbox, service).post(kind, body, SENDER)

    def service(self, name: str) -> ServiceStatus | None:
        """One service now, None where the crew has none of that name."""
        return next((status for status in self.crew.status(False) if status.name == name), None)

    def running(self, name: str) -> bool:
        """Whether a service does its work now."""
        status = self.service(name)
        return status is not None and status.state == "ready"

    async def read(self, work: Callable[[], T]) -> T:
        """Run file work off the loop, so that /ping stays quick."""
        return await asyncio.to_thread(work)
