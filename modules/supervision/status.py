"""What people may know of a service: the supervisor's answer to /status."""

from dataclasses import dataclass, field
from typing import Any, Literal

import psutil

from modules.supervision.child import Child
from utils.processes import descendants

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
    """CPU since the last measure, and memory, of a service with its workers."""
    cpu = rss = 0.0
    pss: float | None = None
    for process in [child.process, *descendants(child.record.pid, own_session=False)]:
        try:
            cpu += process.cpu_percent(interval=None)
            rss += process.memory_info().rss
            full = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if hasattr(full, "pss"):
            pss = (pss or 0.0) + full.pss
    return Load(cpu, rss / 1e6, None if pss is None else pss / 1e6)
