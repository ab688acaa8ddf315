"""The last pass over a futures account for whoever shows it: ``data/[test_]futures_SYSTEM_reconciliation.json``.

Written by the keeper after each pass, not flushed to disk: it is written anew within half a minute. A disk that refuses
it costs a page its figures, and the account nothing.
"""

import asyncio
import logging
from decimal import Decimal
from pathlib import Path

import msgspec

from modules.exchange.types import Mode
from modules.execution.futures.desk import FuturesDesk
from modules.execution.futures.reconcile import PerpReport
from modules.execution.invariants import last_held
from utils.files import write_atomic

log = logging.getLogger(__name__)
SUFFIX = "_reconciliation.json"
ZERO = Decimal(0)


class LegLine(msgspec.Struct, frozen=True, kw_only=True):
    """One leg: signed quantities and average prices of our fills and of the venue; None where nothing is held.

    `blocked`: why it takes no entries until a person releases it; `closing`: why it is being closed.
    """

    leg: str
    ours: Decimal
    venue: Decimal
    ours_average: Decimal | None = None
    venue_average: Decimal | None = None
    stop: Decimal | None = None
    blocked: str = ""
    closing: str = ""


class KeptReport(msgspec.Struct, frozen=True, kw_only=True):
    """One pass. `closed`: why nothing is opened, empty: it may be; `held_ms`: when each invariant last held."""

    system: str
    mode: str
    report: PerpReport
    legs: tuple[LegLine, ...] = ()
    wallet: Decimal | None = None
    closed: str = ""
    held_ms: dict[str, int] = {}


def report_path(folder: Path, system: str, mode: Mode) -> Path:
    """Where a system's report of a mode lies."""
    return folder / f"{'test_' if mode is Mode.TEST else ''}futures_{system}{SUFFIX}"


def read_report(path: Path) -> KeptReport | None:
    """A report; None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeptReport)
    except (OSError, msgspec.MsgspecError):
        return None


class ReportKeeper:
    """Keeps the reports of one desk."""

    def __init__(self, desk: FuturesDesk, folder: Path, mode: Mode) -> None:
        self._desk, self._mode = desk, mode
        self._path = report_path(folder, desk.who.system, mode)
        known = read_report(self._path)
        self._held = known.held_ms if known is not None else {}
        self._problem = ""

    async def keep(self, report: PerpReport) -> None:
        """Write a pass."""
        checks, self._held = last_held(report.checks, self._held, report.market_ms)
        report = msgspec.structs.replace(report, checks=tuple(checks))
        kept = KeptReport(system=self._desk.who.system, mode=str(self._mode), report=report, legs=self._legs(),
                          wallet=self._desk.books.wallet(), closed=self._desk.closed, held_ms=self._held)
        body = msgspec.json.encode(kept)
        try:
            await asyncio.to_thread(write_atomic, self._path, body, False)
            self._problem = ""
        except OSError as problem:
            if str(problem) != self._problem:
                log.error("%s cannot be written: %s", self._path.name, problem)
            self._problem = str(problem)

    def _legs(self) -> tuple[LegLine, ...]:
        desk, books = self._desk, self._desk.books
        lines = []
        for leg in sorted(books.legs() | desk.positions.keys() | books.plans.keys(), key=str):
            held, mine, plan = desk.positions.get(leg), books.holding(leg), books.plans.get(leg)
            lines.append(LegLine(
                leg=str(leg), ours=books.expected(leg), venue=held.quantity if held else ZERO,
                ours_average=mine.average if mine is not None and mine.quantity else None,
                venue_average=held.entry if held else None, stop=plan.stop if plan is not None and held else None,
                blocked=books.blocked.get(str(leg), ""), closing=plan.closing if plan is not None else ""))
        return tuple(lines)
