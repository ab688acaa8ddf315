"""The parts of the dashboard, put together: sessions, pages, actions, application, guard."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

from modules.dashboard.actions import Actions
from modules.dashboard.app import application
from modules.dashboard.guard import App, Guard
from modules.dashboard.live import Builder, Live, Sections
from modules.dashboard.login import Login
from modules.dashboard.pages.bar import bar
from modules.dashboard.pages.hype import hype
from modules.dashboard.pages.logs import logs
from modules.dashboard.pages.overview import overview
from modules.dashboard.pages.showdown_api import ManualApi, market_clock, router
from modules.dashboard.pages.signals import SignalsPage
from modules.dashboard.pages.sources import Sources
from modules.dashboard.pages.system import SystemPage
from modules.dashboard.sessions import Sessions
from modules.dashboard.throttle import Buckets, Throttle
from modules.supervision.registry import Service
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


def assemble(paths: Paths, service: str, settings: "Settings", crew: Sequence[Service],
             hashes: dict[str, str]) -> Parts:
    """Everything but the server. `hashes`: role → scrypt hash. Raises StateError, OSError."""
    wishes = settings.dashboard
    sessions = Sessions(paths, wishes.session_days, now_ms)
    actions = Actions(paths, service, now_ms)
    login = Login(sessions, actions, Throttle(time.monotonic), dict(hashes), round(wishes.session_days * DAY_S))
    for role, stored in hashes.items():
        login.change(role, stored)  # sessions of an earlier password end
    sources = Sources(paths, settings, crew)
    live = Live({})
    live.builders.update(_builders(sources, live))
    secure = wishes.public_url.startswith("https://")
    inner = application(sessions, login, live, actions, secure, lambda: {"status": "ok"})
    clock = market_clock(paths, settings.futures.name == "simulated")
    inner.include_router(router(ManualApi(paths, settings, actions, clock)))
    hosts = {wishes.host.lower(), urlsplit(wishes.public_url).hostname or ""} - {"", "0.0.0.0", "::"}
    guard = Guard(inner, sessions, Buckets(REQUESTS_S, BURST, time.monotonic), frozenset(hosts), secure)
    return Parts(guard, guard, live, actions, sessions, login)


def _builders(sources: Sources, live: Live) -> dict[str, Builder]:
    process = psutil.Process(os.getpid())

    def own() -> dict[str, Any]:
        return {"clients": live.watchers, "build_ms": round(live.build_ms, 1), "failures": live.failures,
                "rss_mb": sources.for_a_while("rss", 2.0, lambda: round(process.memory_info().rss / 1e6, 1))}

    def plain(build: Any, arguments: dict[str, str]) -> Sections:
        shown: Sections = build(sources)
        return shown

    system = SystemPage(sources, own)
    return {"bar": partial(plain, bar), "overview": partial(plain, overview), "hype": partial(plain, hype),
            "signals": SignalsPage(sources, system), "logs": partial(logs, sources), "system": system}
