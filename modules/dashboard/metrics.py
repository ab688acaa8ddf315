"""What /metrics tells a Prometheus server, from the same shared state as the pages. Only what is known is told.

Runs in the pages' thread, at most once a second however many ask. A part that cannot be read says so by
``coxswain_part_readable`` 0; the others are told.
"""

import logging
from collections.abc import Callable
from typing import Any

import psutil

from modules.dashboard.exposition import Exposition
from modules.dashboard.metrics_money import futures_accounts, system_a
from modules.dashboard.pages.bar import data_age_s
from modules.dashboard.pages.sources import Sources
from modules.dashboard.pages.system import is_latency, words
from modules.exchange.budget_view import budgets
from modules.exchange.health import health
from modules.storage.damage import StateError
from modules.storage.sql.waiting import waiting
from modules.supervision.status import ServiceStatus
from utils.version import version

log = logging.getLogger(__name__)
STATES = ("stopped", "starting", "ready", "stuck", "backoff")
FRESH_S = 1.0
SPOOLS_EVERY_S = 10.0
Part = Callable[[Exposition], None]


class Metrics:
    """`own`: figures of the dashboard itself, `turned_away`: requests its door refused. For the pages' thread."""

    def __init__(self, sources: Sources, own: Callable[[], dict[str, Any]], turned_away: Callable[[], int]) -> None:
        self._sources, self._own, self._turned_away = sources, own, turned_away
        self._pids: dict[str, int] = {}
        self._restarts: dict[str, int] = {}
        self._version = version()
        self._broken: dict[str, str] = {}

    def __call__(self) -> str:
        """The whole text."""
        return self._sources.for_a_while("metrics", FRESH_S, self._text)

    def _text(self) -> str:
        out = Exposition()
        out.gauge("coxswain_build_info", "Version of the program.", 1, version=self._version)
        parts: dict[str, Part] = {
            "services": self._services, "data": self._data, "mode": self._mode,
            "system_a": lambda told: system_a(told, self._sources),
            "futures": lambda told: futures_accounts(told, self._sources),
            "budgets": self._budgets, "spool": self._spool, "machine": self._machine, "dashboard": self._dashboard}
        for name, part in parts.items():
            readable = self._told(name, part, out)
            out.gauge("coxswain_part_readable", "1 where this part's state could be read.", readable, part=name)
        return out.text()

    def _told(self, name: str, part: Part, out: Exposition) -> int:
        try:
            part(out)
        except (StateError, OSError) as problem:
            if self._broken.get(name) != str(problem):
                log.error("metrics: %s cannot be read: %s", name, problem)
            self._broken[name] = str(problem)
            return 0
        self._broken.pop(name, None)
        return 1

    def _services(self, out: Exposition) -> None:
        bot = self._sources.view.command_process()
        out.gauge("coxswain_command_process_up", "1 while bot.py runs.", int(bot["pid"] is not None))
        for one in self._sources.services():
            self._service(out, one)

    def _service(self, out: Exposition, one: ServiceStatus) -> None:
        label = {"service": one.name}
        out.gauge("coxswain_service_up", "1 while the service's process lives.", int(one.pid is not None), **label)
        out.gauge("coxswain_service_wanted", "1 where the service is meant to run.", int(one.wanted), **label)
        for state in STATES:
            out.gauge("coxswain_service_state", "1 at the state the service is in.", int(one.state == state), **label,
                      state=state)
        if one.pid is not None:
            if self._pids.get(one.name, one.pid) != one.pid:
                self._restarts[one.name] = self._restarts.get(one.name, 0) + 1
            self._pids[one.name] = one.pid
            out.gauge("coxswain_service_uptime_seconds", "Age of the service's process.", one.uptime_s, **label)
            out.gauge("coxswain_service_memory_bytes", "Resident memory, with children.", one.rss_mb * 1e6, **label)
            out.gauge("coxswain_service_cpu_ratio", "CPU used of late, 1 is a core.", one.cpu_pct / 100, **label)
        out.counter("coxswain_service_restarts_total", "Changes of the service's process that scrapes have seen.",
                    self._restarts.get(one.name, 0), **label)
        for key, value in one.info.items():
            if one.pid is not None and is_latency(key, value):
                out.gauge("coxswain_latency_seconds", "Times that services tell of themselves.", value / 1000,
                          **label, what=words(key).replace(" ", "_"))

    def _data(self, out: Exposition) -> None:
        told = "Age of the newest market data, market seconds."
        out.gauge("coxswain_data_age_seconds", told, data_age_s(self._sources), source="scanner")
        feed = self._sources.info("feed")
        out.gauge("coxswain_data_age_seconds", told, _figure(feed.get("late_ms"), 1000), source="feed")
        out.gauge("coxswain_feed_books", "Order books that are kept.", _figure(feed.get("symbols")))
        out.gauge("coxswain_feed_books_fresh", "Order books that are fresh.", _figure(feed.get("fresh")))
        tracker = self._sources.info("tracker")
        out.gauge("coxswain_exchange_ok", "1 while the tracker reaches the exchange.",
                  int(tracker["exchange"] == "ok") if "exchange" in tracker else None)
        out.gauge("coxswain_positions_unguarded", "Positions of system A whose price is too old to guard them.",
                  _figure(tracker.get("unguarded")), system="hype")
        out.gauge("coxswain_orders_unresolved", "Orders whose end is not known yet.",
                  _figure(tracker.get("unresolved")), system="hype")
        grid = self._sources.info("grid")
        for name in ("grids", "broken", "refused_keys"):
            out.gauge(f"coxswain_grid_{name}", "Grid sessions that run, broke, or lost their key.",
                      _figure(grid.get(name)))

    def _mode(self, out: Exposition) -> None:
        mode = self._sources.mode()
        for one in ("TEST", "LIVE"):
            out.gauge("coxswain_mode", "1 at the mode of new entries.", int(mode.value == one), mode=one)

    def _budgets(self, out: Exposition) -> None:
        settings, paths = self._sources.settings, self._sources.paths
        found = self._sources.for_a_while("health", 1.0, lambda: health(settings.exchange, paths))
        if found is not None:
            out.gauge("coxswain_venue_failing_seconds", "How long system A's venue has been failing.", found.failing_s)
        for one in budgets(settings, paths):
            label = {"venue": one.venue}
            out.gauge("coxswain_budget_used_ratio", "Request weight in use at the fullest endpoint, of what we allow.",
                      one.used / one.limit, **label)
            out.gauge("coxswain_budget_rest_seconds", "Rest of entries and data after a refusal.", one.rest_s, **label)
            out.gauge("coxswain_budget_banned_seconds", "Rest of everything after a ban.", one.banned_s, **label)
            out.counter("coxswain_budget_refusals_total", "Requests refused as too many.", one.refusals, **label)
            out.counter("coxswain_budget_sheds_total", "Requests not sent for want of room.", one.sheds, **label)

    def _spool(self, out: Exposition) -> None:
        folder = self._sources.paths.data / "spool"
        found = self._sources.for_a_while("spools", SPOOLS_EVERY_S, lambda: {
            one.name: waiting(one) for one in sorted(folder.glob("*")) if one.is_dir()})
        for name, one in found.items():
            out.gauge("coxswain_spool_rows", "Rows that wait for the database.", one.rows, service=name)
            out.gauge("coxswain_spool_bytes", "Bytes that wait for the database.", one.bytes, service=name)
            out.gauge("coxswain_spool_set_aside", "1 where rows were damaged or refused and set aside.",
                      int(one.damaged or one.refused), service=name)

    def _machine(self, out: Exposition) -> None:
        def measure() -> tuple[float, float, float]:
            memory = psutil.virtual_memory()
            return memory.total, memory.available, psutil.disk_usage(str(self._sources.paths.data)).free

        total, available, free = self._sources.for_a_while("metrics machine", 2.0, measure)
        out.gauge("coxswain_machine_memory_bytes", "Memory of the machine.", total)
        out.gauge("coxswain_machine_memory_available_bytes", "Memory that is free for programs.", available)
        out.gauge("coxswain_disk_free_bytes", "Room where the state lies.", free)

    def _dashboard(self, out: Exposition) -> None:
        own = self._own()
        out.gauge("coxswain_dashboard_clients", "Pages that are open.", own["clients"])
        out.gauge("coxswain_dashboard_memory_bytes", "Resident memory of the dashboard.", own["rss_mb"] * 1e6)
        out.gauge("coxswain_dashboard_build_seconds", "Time of the newest step of all pages.", own["build_ms"] / 1000)
        out.counter("coxswain_dashboard_page_failures_total", "Pages that could not be built.", own["failures"])
        out.counter("coxswain_dashboard_turned_away_total", "Requests the door refused.", self._turned_away())


def _figure(value: object, divisor: float = 1) -> float | None:
    """A service's fact as a figure; None for anything else."""
    return value / divisor if isinstance(value, int | float) and not isinstance(value, bool) else None
