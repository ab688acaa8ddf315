"""``data/scan_report.json``: what the last scan saw, for /why and /status. Only the scanner writes it.

Written at most every two seconds of real time; the table of the whole market in it is renewed every ten.
"""

import math

import msgspec

from modules.storage.json_state import JsonFile
from utils.paths import Paths


class BoardRow(msgspec.Struct, frozen=True, array_like=True):
    """One symbol in the last whole-market screening; growth in percent, None where not known."""

    symbol: str
    price: float | None
    spread_pct: float | None
    quote_volume: float | None
    growth_5m: float | None
    growth_1h: float | None
    growth_24h: float | None
    code: int


class LastCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The last close look at one symbol."""

    symbol: str
    market_ms: int
    strategy: str = ""
    verdict: str = ""
    codes: tuple[str, ...] = ()
    figures: dict[str, float | None] = {}
    confidence: float | None = None
    probability: float | None = None
    text: str = ""


class ScanReport(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the scanner after a scan. `funnel` is of this scan, `totals` since the scanner's start.

    `feedback_model` is why there is no feedback model, or, where there is one, why it stands aside (empty: it votes).
    """

    market_ms: int = 0
    started_ms: int = 0
    scans: int = 0
    scan_interval_s: float = 0.0
    scan_ms: float = 0.0
    warmed: int = 0
    warming: bool = False
    mode: str = ""
    mood: str = ""
    btc_1h_pct: float | None = None
    btc_24h_pct: float | None = None
    feedback_ready: bool = False
    feedback_model: str = ""
    error: str = ""
    bars: dict[str, float] = {}
    funnel: dict[str, int] = {}
    totals: dict[str, int] = {}
    waiting: dict[str, str] = {}
    checks: dict[str, LastCheck] = {}
    board: list[BoardRow] = []


def scan_report_file(paths: Paths) -> JsonFile[ScanReport]:
    """The scanner's report."""
    return JsonFile(paths.data / "scan_report.json", ScanReport, ScanReport)


def known(value: float, digits: int = 4) -> float | None:
    """A number as it stands in the report: `digits` significant ones, None where it is not finite."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
