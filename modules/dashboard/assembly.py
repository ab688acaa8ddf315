"""The parts of the dashboard, put together: sessions, pages, actions, application, guard."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

from modules.dashboard import metrics_api
from modules.dashboard.actions import Actions
from modules.dashboard.app import application
from modules.dashboard.candles import LiveCandles
from modules.dashboard.guard import App, Guard
from modules.dashboard.live import Live
from modules.dashboard.login import Login
from modules.dashboard.metrics import Metrics
from modules.dashboard.pages.every import builders
from modules.dashboard.pages.settings import Reference
from modules.dashboard.pages.showdown_api import ManualApi, market_clock, router
from modules.dashboard.pages.sources import Sources
from modules.dashboard.scrapers import Scrapers
from modules.dashboard.sessions import Sessions
from modules.dashboard.throttle import Throttle
from modules.supervision.registry import Service
from utils.buckets import Buckets
from utils.paths import Paths
from utils.wall import now_ms

if TYPE_CHECKING:
    from config.settings import Settings

DAY_S = 86_400
REQUESTS_S, BURST = 20.0, 120.0


@dataclass
class Parts:
    """What the service runs."""

    app: App
    guard: Guard
    live: Live
    actions: Actions
    sessions: Sessions
    login: Login
    candles: LiveCandles


def assemble(paths: Paths, service: str, settings: "Settings", crew: Sequence[Service],
             hashes: dict[str, str], reference: Reference = ()) -> Parts:
    """Everything but the server. `hashes`: role → scrypt hash. Raises StateError, OSError."""
    wishes = settings.dashboard
    sessions = Sessions(paths, wishes.session_days, now_ms)
    actions = Actions(paths, service, now_ms)
    login = Login(sessions, actions, Throttle(time.monotonic), dict(hashes), round(wishes.session_days * DAY_S))
    for role, stored in hashes.items():
        login.change(role, stored)  # sessions of an earlier password end
    sources = Sources(paths, settings, crew)
    live = Live({})
    own = _own(sources, live)
    live.builders.update(builders(sources, own, reference))
    secure = wishes.public_url.startswith("https://")
    inner = application(sessions, login, live, actions, secure, lambda: {"status": "ok"})
    clock = market_clock(paths, settings.futures.name == "simulated")
    inner.include_router(router(ManualApi(paths, settings, actions, clock)))
    metrics = Metrics(sources, own, lambda: guard.refused)
    inner.include_router(metrics_api.router(metrics, live))
    hosts = {wishes.host.lower(), urlsplit(wishes.public_url).hostname or ""} - {"", "0.0.0.0", "::"}
    scrapers = Scrapers(wishes.metrics_token.get_secret_value(), wishes.metrics_on_loopback)
    guard = Guard(inner, sessions, Buckets(REQUESTS_S, BURST, time.monotonic), frozenset(hosts), secure, scrapers)
    return Parts(guard, guard, live, actions, sessions, login, sources.candles)


def _own(sources: Sources, live: Live) -> Callable[[], dict[str, Any]]:
    """Figures of the dashboard itself."""
    process = psutil.Process(os.getpid())

    def own() -> dict[str, Any]:
        return {"clients": live.watchers, "build_ms": round(live.build_ms, 1), "failures": live.failures,
                "rss_mb": sources.for_a_while("rss", 2.0, lambda: round(process.memory_info().rss / 1e6, 1))}

    return own
