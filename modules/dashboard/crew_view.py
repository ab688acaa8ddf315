"""The services as they lie in shared state: heartbeats, the registry of the supervisor, what is wanted; CPU and memory.

The supervisor itself lives in the command process. Here is only looked at: a service is alive when the process its
heartbeat names is (pid and start), stuck when its counter has not moved for a while of our own clock.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import psutil

from modules.supervision.registry import Service
from modules.supervision.service import Beat, read_beat
from modules.supervision.status import ServiceStatus, State
from utils.logs import last_error
from utils.paths import Paths
from utils.processes import find

LOAD_EVERY_S = 2.0
HISTORY = 300  # ten minutes


@dataclass
class _Seen:
    """What was seen of one service."""

    count: int = -1
    moved_s: float = 0.0
    process: psutil.Process | None = None
    cpu_s: float = 0.0
    at_s: float = 0.0
    cpu_pct: float = 0.0
    rss_mb: float = 0.0
    error: str = ""


class CrewView:
    """Looks at the crew. Not for several threads at once."""

    def __init__(self, paths: Paths, crew: Sequence[Service], stuck_after_s: float) -> None:
        self._paths = paths
        self._crew = crew
        self._stuck_after_s = stuck_after_s
        self._seen = {service.name: _Seen() for service in crew}
        self._bot = _Seen()
        self._loaded_s = float("-inf")
        self.history: deque[tuple[int, float, float]] = deque(maxlen=HISTORY)

    def look(self, now_ms: int) -> list[ServiceStatus]:
        """Every service now; CPU and memory are at most two seconds old. `now_ms`: for the stamps of the history."""
        now = time.monotonic()
        beats = {service.name: read_beat(self._paths.run, service.name) for service in self._crew}
        if now - self._loaded_s >= LOAD_EVERY_S:
            self._load(now, now_ms, beats)
        wanted = self._wanted()
        return [self._status(service, beats[service.name], service.name in wanted, now, now_ms)
                for service in self._crew]

    def command_process(self) -> dict[str, Any]:
        """The command process: pid (None: it does not run), CPU, memory."""
        owner = _owner(self._paths)
        process = find(*owner) if owner else None
        return {"pid": process.pid if process else None, "cpu_pct": round(self._bot.cpu_pct, 1),
                "rss_mb": round(self._bot.rss_mb, 1)}

    def _wanted(self) -> set[str]:
        try:
            return set(msgspec.json.decode((self._paths.run / "desired.json").read_bytes(), type=list[str]))
        except (OSError, msgspec.MsgspecError):
            return set()

    def _status(self, service: Service, beat: Beat | None, wanted: bool, now: float,
                now_ms: int) -> ServiceStatus:
        seen = self._seen[service.name]
        process = find(beat.pid, beat.started) if beat is not None else None
        if beat is None or process is None:
            error = last_error(self._paths, service.name) if wanted and seen.process is not None else seen.error
            seen.process, seen.error = None, error if wanted else ""
            return ServiceStatus(service.name, service.title, "backoff" if wanted else "stopped", wanted,
                                 last_error=seen.error)
        if beat.count != seen.count or seen.process is None:
            seen.count, seen.moved_s = beat.count, now
        seen.process, seen.error = process, ""
        state: State = "ready" if beat.ready else "starting"
        if now - seen.moved_s > self._stuck_after_s:
            state = "stuck"
        up = max(0.0, now_ms / 1000 - process.create_time())
        return ServiceStatus(service.name, service.title, state, wanted, beat.pid, up, 0, seen.cpu_pct, seen.rss_mb,
                             None, beat.info)

    def _load(self, now: float, now_ms: int, beats: dict[str, Beat | None]) -> None:
        self._loaded_s = now
        for name, beat in beats.items():
            process = find(beat.pid, beat.started) if beat is not None else None
            _measure(self._seen[name], process, now)
        owner = _owner(self._paths)
        others = {beat.pid for beat in beats.values() if beat is not None}  # services are children of that process
        _measure(self._bot, find(*owner) if owner else None, now, others)
        every = [*self._seen.values(), self._bot]
        self.history.append((now_ms, round(sum(one.cpu_pct for one in every), 1),
                             round(sum(one.rss_mb for one in every), 1)))


def _owner(paths: Paths) -> tuple[int, float] | None:
    """Who holds the lock of the command process."""
    try:
        told = msgspec.json.decode((paths.run / "bot.owner.json").read_bytes(), type=dict[str, float])
        return int(told["pid"]), float(told["started"])
    except (OSError, msgspec.MsgspecError, KeyError):
        return None


def _tree(process: psutil.Process, without: set[int]) -> list[psutil.Process]:
    """A process and its descendants, without the trees of `without`."""
    found = [process]
    for child in process.children():
        if child.pid not in without:
            found += _tree(child, without)
    return found


def _measure(seen: _Seen, process: psutil.Process | None, now: float, without: set[int] | None = None) -> None:
    """CPU since the last look and memory, of the process and its children."""
    used = rss = 0.0
    if process is not None:
        try:
            for one in _tree(process, without or set()):
                times = one.cpu_times()
                used += times.user + times.system
                rss += one.memory_info().rss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            pass
    passed = now - seen.at_s
    seen.cpu_pct = max(0.0, used - seen.cpu_s) / passed * 100 if seen.at_s and passed > 0 and seen.cpu_s else 0.0
    seen.cpu_s, seen.at_s, seen.rss_mb = used, now, rss / 1e6
