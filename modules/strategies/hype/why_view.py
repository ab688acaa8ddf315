"""What the checks of /why look at, read once: services, settings, the scanner's report, positions, trades."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.exchange.types import Mode
from modules.execution.risk_state import RiskState, Unreadable
from modules.strategies.hype.files import HypeFiles, mode_file
from modules.strategies.hype.records import Position
from modules.strategies.hype.scan_report import ScanReport, scan_report_file
from modules.strategies.hype.trade_book import TradeBook
from modules.supervision.status import ServiceStatus
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer. `text` is a sentence part that fits after "because"; `todo` what to do."""

    name: str
    ok: bool
    text: str
    value: str = ""
    limit: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """The state of the crew at one moment. `now_ms` is the market time of the last scan."""

    settings: "Settings"
    services: dict[str, ServiceStatus]
    mode: Mode
    risk: RiskState | Unreadable
    report: ScanReport
    positions: dict[str, Position]
    trades: TradeBook

    @property
    def now_ms(self) -> int:
        return self.report.market_ms

    @property
    def simulated(self) -> bool:
        return self.settings.exchange.name == "simulated"


def gather(paths: Paths, settings: "Settings", services: Sequence[ServiceStatus]) -> View:
    """Read everything. Raises StateError where a file is damaged beyond its copy."""
    mode = mode_file(paths).load().mode
    files = HypeFiles(paths, mode)
    trades = TradeBook(files.trades, settings.hype)
    trades.load()
    return View(
        settings=settings, services={status.name: status for status in services}, mode=mode,
        risk=files.read_risk(), report=scan_report_file(paths).load(),
        positions=files.tracked.load(), trades=trades,
    )


def pct(value: float | None) -> str:
    """Percent for a phone."""
    return "not known yet" if value is None else f"{value:+.2f} %"


def times(value: float | None) -> str:
    """A multiple."""
    return "not known" if value is None else f"{value:.1f} ×"


def usdt(value: float | None) -> str:
    """An amount of USDT."""
    if value is None:
        return "not known"
    return f"{value / 1e6:.2f} M USDT" if value >= 1e6 else f"{value:,.0f} USDT"


def span(ms: float) -> str:
    """A stretch of market time."""
    minutes = max(0.0, ms) / 60_000
    if minutes < 1:
        return f"{max(0.0, ms) / 1000:.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
