"""Reconciliation: venue against ledger, invariants with when they last held, gaps and what explains them, for the spot
account, each futures account, and each grid. Read from the reports that their keepers leave after every pass.
"""

from typing import TYPE_CHECKING, Any

from modules.dashboard.pages.reasons import Check as Reason
from modules.dashboard.pages.reasons import check, explained
from modules.dashboard.pages.sources import Sources, number
from modules.dashboard.pages.sql import Sql
from modules.exchange.types import Mode
from modules.execution.findings import plain
from modules.execution.futures.report_file import SUFFIX, KeptReport, read_report
from modules.execution.invariants import Check, Report, Rule
from modules.storage.damage import StateError
from modules.strategies.grid.live.view import state_of
from modules.strategies.hype.desk_books import reconciled_file

if TYPE_CHECKING:
    from sqlalchemy import Connection

MEANING = {Rule.QUANTITY: "quantities as on the exchange", Rule.AVERAGE: "average prices as their fills",
           Rule.EQUITY: "result as the change of the account", Rule.REMAINDER: "no ended order with a remainder",
           Rule.PROTECTED: "every position guarded"}
UNITS = {Rule.QUANTITY: "", Rule.AVERAGE: "%", Rule.EQUITY: "USDT", Rule.REMAINDER: "", Rule.PROTECTED: ""}
LATE_MS = 300_000  # of market time: a pass comes every half minute of ours
MOST_GRIDS = 100


class ReconciliationPage:
    """Takes no arguments."""

    def __init__(self, sources: Sources, sql: Sql) -> None:
        self._sources = sources
        self._sql = sql

    def __call__(self, arguments: dict[str, str]) -> dict[str, Any]:
        """The page's sections."""
        accounts = [*self._spot(), *self._futures()]
        grids = self._sql.read("grid legs", legs_of_grids, "the grid makes it.").get("legs", [])
        return {"accounts": [{key: one[key] for key in one if key not in ("rows", "checks", "findings")}
                             for one in accounts],
                "rows": [{"account": one["name"], **row} for one in accounts for row in one["rows"]] + grids,
                "checks": [{"account": one["name"], **row} for one in accounts for row in one["checks"]],
                "findings": [{"account": one["name"], **row} for one in accounts for row in one["findings"]],
                "gaps": gaps(self._sources), "why": verdict(accounts, grids)}

    def _spot(self) -> list[dict[str, Any]]:
        """System A's accounts, TEST before LIVE."""
        found = []
        for mode in (Mode.TEST, Mode.LIVE):
            file = reconciled_file(self._sources.paths, mode)
            try:
                report = self._sources.while_same(file.path, file.load).report
            except StateError as problem:
                found.append(unreadable(f"[{mode}] spot", str(problem)))
                continue
            if report is not None:
                found.append(spot(report, self._now("tracker", report.market_ms), self._running("tracker")))
        return found

    def _futures(self) -> list[dict[str, Any]]:
        """Every futures account whose keeper has left a report."""
        found = []
        data = self._sources.paths.data
        for path in sorted([*data.glob(f"test_futures_*{SUFFIX}"), *data.glob(f"futures_*{SUFFIX}")]):
            kept = self._sources.while_same(path, lambda path=path: read_report(path))  # type: ignore[misc]
            if kept is None:
                found.append(unreadable(path.name, "it cannot be read; the next pass writes it anew"))
            else:
                now = self._now(kept.system, kept.report.market_ms)
                found.append(futures(kept, now, self._running(kept.system)))
        return found

    def _now(self, service: str, least: int) -> int:
        """Market time as that service tells it; never before its own report."""
        told = self._sources.info(service)
        seen = [value for name in ("market_ms", "seen_ms") if isinstance(value := told.get(name), int)]
        if service not in ("tracker", "showdown"):  # they tell no market time: any service's does
            seen += [value for name in ("showdown", "tracker")
                     if isinstance(value := self._sources.info(name).get("market_ms"), int)]
        return max([least, *seen])

    def _running(self, service: str) -> bool:
        return any(one.name == service and one.state == "ready" for one in self._sources.services())


def gaps(sources: Sources) -> list[dict[str, Any]]:
    """Holes in data and what guards, as the services tell them: ``bad`` where something is open now."""
    feed, tracker, signals = (sources.info(name) for name in ("feed", "tracker", "signals"))
    facts = [("feed", "streams that are silent", feed.get("stale_streams"), True),
             ("feed", "frames that could not be read", feed.get("damaged"), True),
             ("feed", "books read anew after a gap", feed.get("snapshots"), False),
             ("feed", "frames that were not recorded", feed.get("not_recorded"), True),
             ("signals", "holes while following", signals.get("holes"), True),
             ("tracker", "orders whose end is not known", tracker.get("unresolved"), True),
             ("tracker", "positions without a guard", tracker.get("unguarded"), True),
             ("tracker", "looks that failed in a row", tracker.get("failed_looks"), True),
             ("tracker", "longest time between two looks, ms of market time", tracker.get("look_max_gap_ms"), False)]
    facts += [("showdown", f"{name.removesuffix('_gaps')}: candles missing", value, True)
              for name, value in sources.info("showdown").items() if name.endswith("_gaps")]
    return [{"service": service, "what": what, "value": value, "bad": bool(open_ and value)}
            for service, what, value, open_ in facts if isinstance(value, int | float)]


def spot(report: Report, now: int, running: bool) -> dict[str, Any]:
    """The spot account of a mode."""
    rows = [{"what": row.asset, "ours": plain(row.ours), "external": plain(row.external) if row.external else "",
             "venue": None if row.venue is None else plain(row.venue),
             "gap": None if row.venue is None else number(row.venue - row.ours - row.external)} for row in report.rows]
    findings = [{"code": str(one.code), "confirmed": one.confirmed, "stops": one.stops_entries,
                 "text": one.sentence(), "todo": one.todo()} for one in report.findings]
    checks = [checked(one, report.market_ms) for one in report.checks]
    return account(f"[{report.mode}] spot", report.mode, report.market_ms, now, running, report.clean,
                   report.unresolved, rows, checks, findings)


def futures(kept: KeptReport, now: int, running: bool) -> dict[str, Any]:
    """One system's futures account."""
    report = kept.report
    rows = [{"what": one.leg, "ours": plain(one.ours), "external": "", "venue": plain(one.venue),
             "gap": number(one.venue - one.ours), "ours_average": number(one.ours_average),
             "venue_average": number(one.venue_average), "stop": number(one.stop),
             "note": "; ".join(text for text in (f"blocked: {one.blocked}" if one.blocked else "",
                                                 f"closing: {one.closing}" if one.closing else "") if text)}
            for one in kept.legs]
    findings = [{"code": "", "confirmed": True, "stops": False, "text": text, "todo": "/futures, /release"}
                for text in report.notes]
    if kept.closed:
        findings.append({"code": "CLOSED", "confirmed": True, "stops": True, "todo": "/futures",
                         "text": f"Nothing is opened: {kept.closed}"})
    checks = [checked(one, report.market_ms) for one in report.checks]
    clean = report.clean and not kept.closed
    return account(f"[{kept.mode}] futures {kept.system}", kept.mode, report.market_ms, now, running, clean,
                   report.unresolved, rows, checks, findings)


def account(name: str, mode: str, at_ms: int, now: int, running: bool, clean: bool, unresolved: int,
            rows: list[dict[str, Any]], checks: list[dict[str, Any]], findings: list[dict[str, Any]]) -> dict[str, Any]:
    """One account for the page. `late`: the keeper runs, and its last pass is old."""
    age_ms = max(0, now - at_ms)
    return {"name": name, "mode": mode, "at_ms": at_ms, "age_s": age_ms // 1000, "running": running, "clean": clean,
            "late": running and age_ms > LATE_MS, "unresolved": unresolved, "problem": "", "rows": rows,
            "checks": checks, "findings": findings, "broken": sum(row["ok"] is False for row in checks)}


def unreadable(name: str, problem: str) -> dict[str, Any]:
    """A report that cannot be read is not a clean one."""
    return {**account(name, "", 0, 0, False, False, 0, [], [], []), "problem": problem}


def checked(one: Check, at_ms: int) -> dict[str, Any]:
    """One invariant."""
    return {"rule": str(one.rule), "meaning": MEANING[one.rule], "subject": one.subject, "ok": one.ok,
            "value": number(one.value), "tolerance": number(one.tolerance), "unit": UNITS[one.rule], "note": one.note,
            "held_ms": one.held_ms, "held_s": max(0, at_ms - one.held_ms) // 1000 if one.held_ms else None}


def verdict(accounts: list[dict[str, Any]], grids: list[dict[str, Any]]) -> dict[str, Any]:
    """Whether books and exchange agree, account by account."""
    rows: list[Reason] = []
    for one in accounts:
        if one["problem"]:
            rows.append(check(one["name"], False, one["problem"]))
            continue
        words = "agrees" if one["clean"] else (
            f"{one['broken']} invariants do not hold" if one["broken"] else "not everything could be checked"
            if not one["findings"] and not one["unresolved"] else "something is not explained yet")
        late = " (its keeper is stopped: this is how it was then)" if not one["running"] else (
            f"; the last pass is {one['age_s']} s old" if one["late"] else "")
        rows.append(check(one["name"], one["clean"] and not one["late"], f"{one['name']}: {words}{late}", "/reconcile"))
    apart = [row for row in grids if row["note"]]  # a reading may be older than the last fill: the grid judges
    if grids:
        rows.append(check("grids", not apart, f"{len(apart)} legs of grids differ from the exchange" if apart else
                          f"{len(grids)} legs of grids agree", "/grid"))
    if not rows:
        return {"headline": "Nothing was compared yet: no account has been opened.", "checks": []}
    return explained(rows, "Books and exchange agree in everything.", "Not all agrees")


def legs_of_grids(connection: "Connection") -> dict[str, Any]:
    """Both legs of every grid against what the venue last said. Raises SQLAlchemyError."""
    import msgspec
    from sqlalchemy import select

    from modules.storage.sql.grid_tables import grid_sessions, grid_states

    query = select(grid_sessions.c.user_id, grid_sessions.c.symbol, grid_states.c.body, grid_states.c.facts).join(
        grid_states, grid_states.c.user_id == grid_sessions.c.user_id).limit(MOST_GRIDS)
    rows = []
    for user, symbol, body, facts in connection.execute(query):
        try:
            state = state_of(body.encode())
        except msgspec.DecodeError:
            continue  # the page Grid names it
        mode = (facts or {}).get("mode", "")
        for side, name in ((1, "BUY"), (-1, "SELL")):
            ledger, leg = state.ledger(side), state.check(side)
            told = leg.venue if leg.venue is not None and leg.venue.read else None
            ours = ledger.quantity + ledger.external_known
            rows.append({"account": f"[{mode}] grid {user}", "what": f"{symbol} {name}", "ours": plain(ledger.quantity),
                         "external": plain(ledger.external_known) if ledger.external_known else "",
                         "venue": plain(told.quantity) if told else None,
                         "gap": number(told.quantity - ours) if told else None,
                         "ours_average": number(ledger.average),
                         "venue_average": number(told.average) if told and told.quantity else None,
                         "note": f"blocked: {leg.blocked}" if leg.blocked else ""})
    return {"legs": rows}
