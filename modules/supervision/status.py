"""What people may know of a service: the supervisor's answer to /status."""

import time
from dataclasses import dataclass, field
from typing import Any, Literal

import psutil

from modules.supervision.child import Child, CpuSeen
from utils.processes import descendants

SHORTEST_S = 1.0  # less tells chance, not load
State = Literal["stopped", "starting", "ready", "stuck", "backoff", "crash-loop", "stopping"]


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service now. Memory and CPU are of the whole process tree; `pss_mb` is None where the system has none."""

    name: str
    title: str
    state: State
    wanted: bool
    pid: int | None = None
    uptime_s: float = 0.0
    restarts: int = 0
    cpu_pct: float = 0.0
    rss_mb: float = 0.0
    pss_mb: float | None = None
    info: dict[str, Any] = field(default_factory=dict)
    last_error: str = ""
    last_end: str = ""
    next_try_s: float | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """CPU and memory of one process tree."""

    cpu_pct: float
    rss_mb: float
    pss_mb: float | None


def measure(child: Child) -> Load:
    """CPU (`cpu_pct`) and memory of a service with its workers."""
    used = rss = 0.0
    pss: float | None = None
    for process in [child.process, *descendants(child.record.pid, own_session=False)]:
        try:
            used += _cpu_seconds(process)
            rss += process.memory_info().rss
            full = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if hasattr(full, "pss"):
            pss = (pss or 0.0) + full.pss
    return Load(cpu_pct(child, used, time.monotonic()), rss / 1e6, None if pss is None else pss / 1e6)


def cpu_pct(child: Child, used_s: float, now_s: float) -> float:
    """Percent of one core since the last look; at the first look, and at one that follows at once, over a longer time:
    since the process started, or what was told before.
    """
    seen = child.cpu_seen
    if seen is not None and now_s - seen.at_s < SHORTEST_S:
        return seen.told_pct
    since_s, before_s = (child.age_s(), 0.0) if seen is None else (now_s - seen.at_s, seen.used_s)
    # A worker killed from outside takes its share along: never less than nothing.
    told = max(0.0, used_s - before_s) / max(since_s, 0.1) * 100.0
    child.cpu_seen = CpuSeen(now_s, used_s, told)
    return told


def _cpu_seconds(process: psutil.Process) -> float:
    """CPU a process has used, with that of its children that have ended (where the system counts it)."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
