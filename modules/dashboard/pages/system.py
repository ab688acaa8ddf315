"""System: CPU, memory, latencies of every process and of the machine, room on the disk, the dashboard itself."""

import os
from collections.abc import Callable
from typing import Any

import psutil

from modules.dashboard.pages.sources import Sources
from modules.exchange.budget_view import budgets

MOST_SPOOLS = 40
_NOT_LATENCY = ("seen_ms", "market_ms", "started_ms", "since_ms")


class SystemPage:
    """`own`: figures of the dashboard itself."""

    def __init__(self, sources: Sources, own: Callable[[], dict[str, Any]]) -> None:
        self._sources = sources
        self._own = own
        psutil.cpu_percent()  # the first answer of a process means nothing

    def __call__(self, arguments: dict[str, str]) -> dict[str, Any]:
        """The page's sections."""
        crew = self._sources.services()
        rows = [{"name": one.name, "title": one.title, "state": one.state, "pid": one.pid, "up_s": round(one.uptime_s),
                 "cpu_pct": round(one.cpu_pct, 1), "rss_mb": round(one.rss_mb, 1), "facts": facts(one.info)}
                for one in crew]
        bot = self._sources.view.command_process()
        rows.insert(0, {"name": "bot", "title": "Command process", "state": "ready" if bot["pid"] else "stopped",
                        "up_s": None, "facts": [], **bot})
        latency = [{"service": one.title, "name": words(key), "ms": value}
                   for one in crew if one.pid is not None for key, value in one.info.items() if is_latency(key, value)]
        look = self._sources.for_a_while
        return {"processes": rows, "latency": latency, "limits": look("budgets", 1.0, self._limits),
                "spool": look("spool", 2.0, self._spool), "machine": self._machine(), "own": self._own(),
                "history": list(self._sources.view.history)}

    def _limits(self) -> list[dict[str, Any]]:
        """How much of each venue's request weight all processes use together (X31)."""
        return [{"venue": one.venue, "used": one.used, "limit": one.limit, "window_s": one.window_s,
                 "share_pct": one.used / one.limit * 100 if one.limit else 0.0, "rest_s": round(one.rest_s),
                 "banned_s": round(one.banned_s), "refusals": one.refusals, "sheds": one.sheds}
                for one in budgets(self._sources.settings, self._sources.paths)]

    def _spool(self) -> list[dict[str, Any]]:
        """Files of rows on their way to SQL, by process; more than a few: the database is away."""
        folder = self._sources.paths.data / "spool"
        found = []
        for name in sorted(path for path in folder.glob("*") if path.is_dir())[:MOST_SPOOLS]:
            files = [path.stat().st_size for path in name.iterdir() if path.is_file()]
            found.append({"name": name.name, "files": len(files), "kb": round(sum(files) / 1000, 1)})
        return found

    def _machine(self) -> dict[str, Any]:
        return self._sources.for_a_while("machine", 2.0, self._measure)

    def _measure(self) -> dict[str, Any]:
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(self._sources.paths.data))
        return {"cpu_pct": psutil.cpu_percent(), "cores": psutil.cpu_count(), "memory_pct": memory.percent,
                "memory_mb": round(memory.total / 1e6), "disk_free_mb": round(disk.free / 1e6),
                "disk_pct": disk.percent, "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None}


def is_latency(key: str, value: object) -> bool:
    """Whether a heartbeat's fact is a time something took."""
    return key.endswith("_ms") and key not in _NOT_LATENCY and isinstance(value, int | float) and value < 1e9


def words(key: str) -> str:
    """A fact's name for people."""
    return key.removesuffix("_ms").replace("_", " ")


def facts(info: dict[str, Any]) -> list[tuple[str, str]]:
    """What a service tells of itself, short."""
    return [(key.replace("_", " "), f"{value:g}" if isinstance(value, float) else str(value)[:80])
            for key, value in info.items()
            if isinstance(value, str | int | float) and value not in ("", 0) and not is_latency(key, value)
            and key not in _NOT_LATENCY]
