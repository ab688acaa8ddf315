"""Keeps what /why and /status are told: the funnel, the last close looks, the table of the market; writes it rarely."""

import logging
from collections import Counter
from dataclasses import asdict, dataclass, field

from modules.strategies.hype.reasons import Refusal
from modules.strategies.hype.rules import Bars, Board, Codes
from modules.strategies.hype.scan_report import BoardRow, LastCheck, ScanReport, known, scan_report_file
from modules.strategies.hype.scanner_judge import Verdict
from modules.strategies.hype.scanner_probe import Suspect
from utils.paths import Paths

log = logging.getLogger(__name__)
REPORT_EVERY_S = 2.0
BOARD_EVERY_S = 10.0
CHECKS_KEPT = 200


@dataclass(slots=True)
class Facts:
    """What the scanner sets at each scan; copied into the report as it is."""

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
    bars: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)


class ScanView:
    """The scanner's memory of what it saw."""

    def __init__(self, paths: Paths) -> None:
        self.facts = Facts()
        self.funnel: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self._checks: dict[str, LastCheck] = {}
        self._board: list[BoardRow] = []
        self._file = scan_report_file(paths)
        self._written = self._tabled = float("-inf")

    def begin(self, symbols: list[str], board: Board, codes: Codes, at: Bars, monotonic_s: float) -> None:
        """A new scan: its funnel starts with the whole market."""
        counts = _counts(codes)
        self.funnel = Counter({"listed": len(codes)})
        for code, count in counts.items():
            self.funnel["suspects" if code is Refusal.NONE else code.code] = count
        self.facts.bars = {name: float(value) for name, value in asdict(at).items()}
        if monotonic_s - self._tabled >= BOARD_EVERY_S:
            self._tabled = monotonic_s
            self._board = _rows(symbols, board, codes)

    def renew_board(self) -> None:
        """The next scan renews the table of the market, however young it is."""
        self._tabled = float("-inf")

    def count(self, stage: str, number: int = 1) -> None:
        """One more at a stage, of this scan and since the start."""
        self.funnel[stage] += number
        self.totals[stage] += number

    def looked(self, suspect: Suspect, verdict: Verdict | None = None) -> None:
        """Remember a close look and its verdict."""
        self._checks.pop(suspect.symbol, None)
        figures = {} if suspect.figures is None else {
            name: known(float(value)) for name, value in asdict(suspect.figures).items()
        }
        refusals = suspect.refusals if verdict is None else verdict.codes
        self._checks[suspect.symbol] = LastCheck(
            symbol=suspect.symbol,
            market_ms=suspect.market_ms,
            strategy=suspect.strategy.value if suspect.strategy else "",
            verdict="refused" if verdict is None else verdict.kind,
            codes=tuple(code.code for code in refusals),
            figures=figures,
            confidence=verdict.confidence if verdict and verdict.kind != "waiting" else None,
            probability=verdict.probability if verdict else None,
            text=verdict.text if verdict else suspect.note,
        )
        while len(self._checks) > CHECKS_KEPT:
            del self._checks[next(iter(self._checks))]

    def write(self, monotonic_s: float, force: bool = False) -> None:
        """Write the report if it is due. A disk that refuses is logged: the scan goes on without a report."""
        if not force and monotonic_s - self._written < REPORT_EVERY_S:
            return
        self._written = monotonic_s
        try:
            self._file.save(self.report())
        except OSError as problem:
            log.error("the scan report cannot be written: %s", problem)

    def report(self) -> ScanReport:
        """The report as it stands."""
        return ScanReport(
            **asdict(self.facts), funnel=dict(self.funnel), totals=dict(self.totals), checks=dict(self._checks),
            board=self._board,
        )


def _counts(codes: Codes) -> dict[Refusal, int]:
    """How many symbols have each code."""
    counts: dict[Refusal, int] = {}
    for code, number in Counter(codes.tolist()).items():
        counts[Refusal(code)] = number
    return counts


def _rows(symbols: list[str], board: Board, codes: Codes) -> list[BoardRow]:
    columns = (board.price, board.spread_pct, board.quote_volume, board.growth_5m, board.growth_1h, board.growth_24h)
    table = zip(symbols, *(column.tolist() for column in columns), codes.tolist(), strict=True)
    return [
        BoardRow(symbol, known(price, 8), known(spread), known(volume), known(m5), known(h1), known(h24), code)
        for symbol, price, spread, volume, m5, h1, h24, code in table
    ]
