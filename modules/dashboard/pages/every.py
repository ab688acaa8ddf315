"""All pages by name: the builders that `live` runs."""

from collections.abc import Callable
from functools import partial
from typing import Any

from modules.dashboard.live import Builder, Sections
from modules.dashboard.pages.backtests import BacktestsPage
from modules.dashboard.pages.bar import bar
from modules.dashboard.pages.btc import BtcPage
from modules.dashboard.pages.data import DataPage
from modules.dashboard.pages.grid import GridPage
from modules.dashboard.pages.hype import HypePage
from modules.dashboard.pages.logs import logs
from modules.dashboard.pages.overview import overview
from modules.dashboard.pages.reconciliation import ReconciliationPage
from modules.dashboard.pages.scalper import ScalperPage
from modules.dashboard.pages.settings import Reference, SettingsPage
from modules.dashboard.pages.signals import SignalsPage
from modules.dashboard.pages.sources import Sources
from modules.dashboard.pages.sql import Sql
from modules.dashboard.pages.system import SystemPage


def builders(sources: Sources, own: Callable[[], dict[str, Any]], reference: Reference = ()) -> dict[str, Builder]:
    """One for each page of `app.PAGES`, and the bar. `own`: figures of the dashboard itself; `reference`: settings."""
    def plain(build: Any, arguments: dict[str, str]) -> Sections:
        shown: Sections = build(sources)
        return shown

    system, sql = SystemPage(sources, own), Sql(sources)
    return {"bar": partial(plain, bar), "overview": partial(plain, overview), "hype": HypePage(sources),
            "signals": SignalsPage(sources, system, sql), "btc": BtcPage(sources, sql),
            "grid": GridPage(sources, sql), "scalper": ScalperPage(sources),
            "backtests": BacktestsPage(sources), "data": DataPage(sources),
            "reconciliation": ReconciliationPage(sources, sql),
            "logs": partial(logs, sources), "system": system, "settings": SettingsPage(reference)}
