"""Sends the report of each day and week once, by market time, and keeps the running ones for others to show (D10, D13).

1. A period's report is due GRACE_MS after its end; it is made from the database once all rows are there, and waits
   while the database is away. After a pause of several periods only the newest that is over is reported.
2. Its notice has the period's name as its key, and ``signals_reports.json`` names the newest that was said: dying in
   between repeats it under the same key, which the outbox says once (X39).
3. A period in which the bot left nothing at all (it did not run) is passed over. The first run reports no period that
   was over before it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import msgspec
from sqlalchemy import func, or_, select

from modules.storage.json_state import JsonFile
from modules.storage.sql.database import Database, DatabaseAway
from modules.storage.sql.tables import refusals as refusals_table
from modules.storage.sql.tables import signals as signals_table
from modules.storage.sql.writer import Writer
from modules.strategies.signals import report, report_words
from modules.strategies.signals.report import TREND, Kind, Period, Row
from modules.supervision.outbox import Outbox
from utils.files import write_atomic
from utils.paths import Paths

log = logging.getLogger(__name__)
FILE = "signals_report.json"
GRACE_MS = 120_000
EVERY_S = 60.0
DRAIN_S = 10.0
PICTURE_S = 30.0

Draw = Callable[[dict[str, Any], float], Awaitable[str]]  # (report, within s) → a picture's path below data/, or ""


class Said(msgspec.Struct, kw_only=True):
    """The beginning of the newest period that was reported, by kind; market ms."""

    newest: dict[str, int] = {}


class Reporter:
    """One turn a second at most; all of it beside the looks."""

    def __init__(self, paths: Paths, writer: Writer, outbox: Outbox, zone: str, market: str, draw: Draw) -> None:
        self._file = JsonFile(paths.data / "signals_reports.json", Said, Said)
        self._shown = paths.data / FILE
        self._writer, self._outbox, self._zone, self._market, self._draw = writer, outbox, zone, market, draw
        self._said: Said | None = None
        self._kept_at = -EVERY_S
        self.waits = ""

    async def turn(self, now_ms: int) -> int:
        """Report what is due, keep what is running; how many reports were said. Raises OSError, StateError."""
        said = 0
        try:
            for kind in get_args(Kind):
                said += await self._due(kind, now_ms)
            if said or time.monotonic() - self._kept_at >= EVERY_S:
                await self._keep(now_ms)
            self.waits = ""
        except DatabaseAway as problem:
            if not self.waits:
                log.warning("reports of the signal bot wait for the database: %s", problem)
            self.waits = str(problem)
            await asyncio.sleep(DRAIN_S)
        return said

    async def _due(self, kind: Kind, now_ms: int) -> int:
        if self._said is None:
            self._said = await asyncio.to_thread(self._file.load)
        state = self._said
        over = report.period(kind, now_ms - GRACE_MS, self._zone, back=1)
        newest = state.newest.get(kind)
        if newest is None or newest > over.begin_ms + 2 * (over.end_ms - over.begin_ms):  # first run, or a new market
            await self._note(state, kind, over)
            return 0
        if newest >= over.begin_ms:
            return 0
        await self._all_rows()
        found = await asyncio.to_thread(self._make, over, now_ms)
        if found["lived"]:
            await self._say(over, found)
        await self._note(state, kind, over)
        return int(found["lived"])

    async def _say(self, over: Period, found: dict[str, Any]) -> None:
        image = await self._draw(found, PICTURE_S) if found["ended"] else ""
        self._outbox.say(report_words.headline(found), why="\n".join(report_words.lines(found, self._market)),
                         image=image, key=f"signal-report-{over.kind}-{over.name}")

    async def _note(self, state: Said, kind: Kind, over: Period) -> None:
        state.newest[kind] = over.begin_ms
        await asyncio.to_thread(self._file.save, state)

    async def _all_rows(self) -> None:
        if not await asyncio.to_thread(self._writer.drain, DRAIN_S):
            raise DatabaseAway(self._writer.state().problem or "rows still wait on disk")

    async def _keep(self, now_ms: int) -> None:
        """The running and the last whole period, for /signalreport."""
        def keep() -> None:
            kept = {f"{kind}{back or ''}": self._make(report.period(kind, now_ms, self._zone, back), now_ms)
                    for kind in get_args(Kind) for back in (0, 1)}
            write_atomic(self._shown, msgspec.json.encode({"ms": now_ms, **kept}), durable=False)

        await self._all_rows()
        await asyncio.to_thread(keep)
        self._kept_at = time.monotonic()

    def _make(self, span: Period, now_ms: int) -> dict[str, Any]:
        first = report.period(span.kind, span.begin_ms, self._zone, TREND - 1)
        rows, refused = collect(self._writer.database, span, first.begin_ms)
        found = report.build(span, rows, refused, now_ms, self._zone)
        lived = bool(refused) or any(
            span.begin_ms <= ms < span.end_ms for one in rows for ms in (one.ms, one.closed_ms))
        return {**found, "lived": lived, "headline": report_words.headline(found),
                "lines": report_words.lines(found, self._market)}


def collect(database: Database, span: Period, since_ms: int) -> tuple[list[Row], dict[str, int]]:
    """Rows of the period and of the trend before it, and how often each code refused within the period. Raises
    DatabaseAway."""
    t, away = signals_table, refusals_table
    columns = (t.c.symbol, t.c.priority, t.c.kind, t.c.ms, t.c.quality, t.c.closed_ms, t.c.outcome, t.c.net_r,
               t.c.net_pct)
    within = or_((t.c.ms >= span.begin_ms) & (t.c.ms < span.end_ms),
                 (t.c.closed_ms >= span.begin_ms) & (t.c.closed_ms < span.end_ms))
    with database.begin() as connection:
        whole = connection.execute(select(*columns, t.c.body).where(within)).all()
        earlier = connection.execute(select(*columns).where(
            t.c.kind != "CTRL", t.c.ms >= since_ms, t.c.ms < span.begin_ms,
            or_(t.c.closed_ms.is_(None), t.c.closed_ms < span.begin_ms, t.c.closed_ms >= span.end_ms))).all()
        codes = connection.execute(select(away.c.code, func.count()).where(
            away.c.ms >= span.begin_ms, away.c.ms < span.end_ms).group_by(away.c.code)).all()
    return [_row(*one) for one in (*whole, *earlier)], {code: int(count) for code, count in codes}


def _row(symbol: str, priority: str, kind: str, ms: int, quality: float, closed_ms: int | None, outcome: str | None,
         net_r: float | None, net_pct: float | None, body: dict[str, Any] | None = None) -> Row:
    body = body or {}
    follow = body.get("follow", {})
    return Row(symbol, priority, kind == "CTRL", ms, quality, bool(body.get("sent_as")),
               closed_ms if closed_ms and net_r is not None else 0, outcome or "", follow.get("first", ""),
               net_r or 0.0, net_pct or 0.0, follow.get("best_pct", 0.0))
