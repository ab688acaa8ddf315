"""The supervisor of the crew (P1): spawn, adopt, watch, restart, stop. `slot.py` has the state machine of each.

1. A service runs while it is wanted: because a person started it (kept in ``desired.json`` over restarts of the
   command process), because a wanted one needs it, or because `must_run` says so (positions are open: A17).
2. Stuck is a heartbeat that does not move on our monotonic clock; time in which we ourselves stood still is credited.
3. The wait before a restart doubles with each crash in the window; too many crashes stop the restarts, with one
   alert. One that must run is still tried at the longest interval: unguarded positions are worse than a loop.
4. Whatever is alive from before is adopted, not doubled. Workers that a dead service left behind are ended.
5. `tick` is synchronous and quick; `start`, `stop`, `restart` and `watch` only drive it.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from modules.storage.damage import StateError
from modules.storage.json_state import JsonFile
from modules.supervision.child import Registry, adopt
from modules.supervision.disk import DiskWatch
from modules.supervision.outbox import Level, Outbox
from modules.supervision.registry import Service
from modules.supervision.settings import SupervisionSettings
from modules.supervision.slot import Slot
from modules.supervision.status import ServiceStatus, measure
from utils.paths import PROJECT, Paths

log = logging.getLogger(__name__)
POLL_S = 0.1
_STOOD_STILL_S = 2.0
_ASK_MUST_EVERY_S = 1.0
_GRACE_S = 10.0


def service_command(name: str) -> list[str]:
    """How a service is started: the same program, told to be that service."""
    return [sys.executable, str(PROJECT / "bot.py"), "run", name, "--supervised"]


class Supervisor:
    """The crew of one installation. Made by the command process, which holds the lock of the state."""

    def __init__(self, paths: Paths, settings: SupervisionSettings, crew: Sequence[Service], *,
                 must_run: Callable[[], set[str]] = set, command: Callable[[str], list[str]] = service_command,
                 outbox: Outbox | None = None, mode: Callable[[], str] = str) -> None:
        """Reads what is wanted and adopts what is alive. `crew`: the services that exist with these settings;
        a need that is not among them does not count. `must_run`: names that have to run now, whatever was asked.
        `mode`: the mode that messages are headed with.
        """
        self.settings = settings
        self._paths = paths.prepare()
        self._outbox = outbox or Outbox(paths.outbox, "supervisor")
        self._must_run = must_run
        self._mode = mode
        self._must: set[str] = set()
        self._asked_must = float("-inf")
        self._registry = Registry(paths.run)
        self._wish: JsonFile[list[str]] = JsonFile(paths.run / "desired.json", list[str], list)
        self._slots = {service.name: Slot(service, paths, settings, command, self._tell) for service in crew}
        self._needs = {s.name: tuple(n for n in s.needs if n in self._slots) for s in crew}
        self._disk = DiskWatch(paths.data, settings.disk_low_mb, self._tell)
        self._unguarded = False
        self._ticked = time.monotonic()
        self.desired: set[str] = self._load_desired()
        self.adopted: tuple[str, ...] = self._adopt()
        self.failures = 0

    # -- what people ask for ------------------------------------------------------------------------------------

    async def start(self, *names: str) -> list[ServiceStatus]:
        """Want these (and what they need), and wait until they are ready, in a crash loop, or `ready_within_s` is over.

        Returns their states. Raises ValueError for a name that is no service.
        """
        wanted = self._closure(self._known(names))
        self._unguarded = False
        self._want(self.desired | wanted)
        for name in wanted:
            slot = self._slots[name]
            slot.kept = False
            slot.forget_crashes()
            if slot.state != "stopping":
                slot.stop_asked = False
        await self._drive(lambda: all(self._settled(name) for name in wanted), self.settings.ready_within_s)
        return [self._status(self._slots[name]) for name in self._ordered(wanted)]

    async def stop(self, *names: str) -> list[str]:
        """Stop these in good order; returns the names that go on running because they must (A17).

        One that must run ends by itself, as soon as it no longer must.
        """
        asked = self._known(names)
        kept = asked & self._closure(self._ask_must(force=True))
        self._want(self.desired - asked)
        for name in kept:
            self._slots[name].kept = True
        await self._stop(asked - kept)
        return self._ordered(kept)

    async def restart(self, *names: str) -> list[ServiceStatus]:
        """Stop these, then start them."""
        asked = self._known(names)
        self._want(self.desired | asked)
        await self._stop(asked)
        return await self.start(*names)

    async def stop_all(self) -> None:
        """Stop every service, also those that guard positions, until the next `start` (/stopall)."""
        self._unguarded = True
        self._want(set())
        await self._stop(set(self._slots))

    async def shutdown(self) -> None:
        """Stop every service because the command process ends; what was wanted stays noted for its next start."""
        self._unguarded = True
        self.desired = set()
        await self._stop(set(self._slots))

    async def watch(self) -> None:
        """The monitor: runs until cancelled. The services live on when it ends."""
        while True:
            self._safe_tick()
            await asyncio.sleep(POLL_S)

    # -- what people may know -----------------------------------------------------------------------------------

    def status(self, load: bool = True) -> list[ServiceStatus]:
        """Every service now; `load` measures CPU and memory too (some ms for each process)."""
        return [self._status(slot, load) for slot in self._slots.values()]

    def healthy(self) -> bool:
        """Whether all that is wanted is ready: what the dead-man ping tells the world."""
        return all(self._slots[name].state == "ready" for name in self._wanted())

    # -- the machine --------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """One look at every service, and what follows from it."""
        now = time.monotonic()
        stood = now - self._ticked - POLL_S
        self._ticked = now
        wanted = self._wanted()
        must = set() if self._unguarded else self._closure(self._must)
        changed = False
        for name in self._ordered(self._slots):
            slot = self._slots[name]
            if stood > _STOOD_STILL_S:
                slot.credit(stood)
            if slot.child is None and name in must and name not in self.desired:
                slot.kept = True
            if slot.kept and name not in must and name not in self.desired and slot.child is not None:
                slot.kept, slot.stop_asked = False, True
            changed |= slot.advance(now, wanted=name in wanted, must=name in must,
                                    needs_ready=all(self._slots[n].state == "ready" for n in self._needs[name]),
                                    may_stop=not self._leaned_on(name))
        if changed:
            self._note()
        self._disk.look(now)

    def _safe_tick(self) -> None:
        try:
            self.tick()
        except Exception:  # border of the monitor: one bad look must not leave the crew unwatched
            self.failures += 1
            log.exception("a look at the crew failed (%d so far)", self.failures)
            if self.failures in (1, 100):
                self._tell("The supervisor had an error and goes on watching.", level="alert",
                           todo="/logs bot has the details; /restartloop restarts the command process.")

    async def _drive(self, until: Callable[[], bool], within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while True:
            self._safe_tick()
            if until():
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_S / 2)

    async def _stop(self, names: set[str]) -> None:
        before = {name: self._slots[name].child for name in names if self._slots[name].child is not None}
        for name in before:
            self._slots[name].stop_asked = True

        def running() -> list[str]:  # a wanted one may be there again already (restart)
            return [name for name, child in before.items() if self._slots[name].child is child]

        limit = (self.settings.stop_within_s + _GRACE_S) * len(before)
        if not await self._drive(lambda: not running(), limit):
            left = running()
            log.error("could not be stopped: %s", ", ".join(left))
            self._tell(f"Could not be stopped: {', '.join(left)}.", level="alert",
                       todo="End these processes with the system's own tools; /status shows their PIDs.")

    def _leaned_on(self, name: str) -> bool:
        """Whether one that is to stop as well still needs it: dependents stop first."""
        return any(name in self._needs[other] and slot.stop_asked and slot.child is not None
                   for other, slot in self._slots.items())

    def _settled(self, name: str) -> bool:
        if name not in self._wanted() or self._slots[name].state in ("ready", "crash-loop"):
            return True  # or another command stopped it meanwhile
        return any(self._slots[need].state == "crash-loop" for need in self._closure(self._needs[name]))

    def _wanted(self) -> set[str]:
        must = set() if self._unguarded else self._ask_must()
        return self._closure((self.desired | must) & set(self._slots))

    def _ask_must(self, force: bool = False) -> set[str]:
        """`must_run` reads files: asked once a second. If it cannot tell, its last answer stands."""
        now = time.monotonic()
        if force or now - self._asked_must >= _ASK_MUST_EVERY_S:
            self._asked_must = now
            try:
                self._must = self._must_run() & set(self._slots)
            except (OSError, StateError) as problem:
                log.error("cannot tell whether positions are open: %s", problem)
        return self._must

    def _closure(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo.extend(self._needs[name])
        return found

    def _ordered(self, names: Iterable[str]) -> list[str]:
        """In the order of the crew's declaration: what is needed stands before what needs it."""
        chosen = set(names)
        return [name for name in self._slots if name in chosen]

    def _known(self, names: Iterable[str]) -> set[str]:
        asked = set(names)
        unknown = asked - set(self._slots)
        if unknown:
            raise ValueError(f"no such service: {', '.join(sorted(unknown))}. There are: {', '.join(self._slots)}")
        return asked

    def _load_desired(self) -> set[str]:
        try:
            return set(self._wish.load()) & set(self._slots)
        except (OSError, StateError) as problem:
            log.error("which services were wanted cannot be read: %s", problem)
            self._tell("Which services were running is not known any more.", why=str(problem), level="alert",
                       todo="Start them again, e.g. /startbot.")
            return set()

    def _want(self, names: set[str]) -> None:
        self.desired = names
        try:
            self._wish.save(self._ordered(names))
        except OSError as problem:
            log.error("which services are wanted cannot be written: %s", problem)

    def _adopt(self) -> tuple[str, ...]:
        before = self._registry.load()
        now = time.monotonic()
        found = []
        for name, slot in self._slots.items():
            child = adopt(name, before.get(name), self._paths)
            if child is not None:
                slot.take_over(child, now)
                found.append(name)
                log.info("%s adopted, pid %d", name, child.record.pid)
        return tuple(found)

    def _note(self) -> None:
        try:
            self._registry.save({name: slot.child.record for name, slot in self._slots.items() if slot.child})
        except OSError as problem:
            log.error("registry of services cannot be written: %s", problem)

    def _tell(self, what: str, *, why: str = "", todo: str = "", level: Level = "info") -> None:
        self._outbox.say(what, mode=self._mode(), why=why, todo=todo, level=level)

    def _status(self, slot: Slot, load: bool = False) -> ServiceStatus:
        now = time.monotonic()
        figures = measure(slot.child) if load and slot.child else None
        again = slot.state == "backoff" or (slot.state == "crash-loop" and slot.name in self._closure(self._must))
        return ServiceStatus(
            name=slot.name, title=slot.service.title, state=slot.state, wanted=slot.name in self._wanted(),
            pid=slot.child.record.pid if slot.child else None,
            uptime_s=slot.child.age_s() if slot.child else 0.0,
            restarts=slot.restarts, cpu_pct=figures.cpu_pct if figures else 0.0,
            rss_mb=figures.rss_mb if figures else 0.0, pss_mb=figures.pss_mb if figures else None,
            info=dict(slot.beat.info) if slot.beat else {}, last_error=slot.error, last_end=slot.last_end,
            next_try_s=max(0.0, slot.next_try - now) if again else None,
        )
