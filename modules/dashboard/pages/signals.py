"""Signals (D11): live ones by priority, performance by class, symbol and hour beside a control group, quality history,
the universe's funnel, refusals, latencies. Read from SQL only, every two seconds at most; nothing is written.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modules.dashboard.pages.reasons import alive, check, explained
from modules.dashboard.pages.sources import Sources
from modules.dashboard.pages.sql import Sql
from modules.dashboard.pages.system import SystemPage

if TYPE_CHECKING:
    from sqlalchemy import Connection

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
NEWEST_CLOSED, NEWEST_QUALITY, METRIC_POINTS, MOST_OPEN, MOST_SYMBOLS = 50, 400, 300, 200, 300
PRIORITIES = ("HIGH", "MEDIUM", "LOW")
NORMAL_95 = 1.959964


class SignalsPage:
    """Figures from SQL, the state of the service beside them."""

    def __init__(self, sources: Sources, system: SystemPage, sql: Sql) -> None:
        self._sources = sources
        self._system = system
        self._sql = sql

    def __call__(self, arguments: dict[str, str]) -> dict[str, Any]:
        """The page's sections; `problem` says why there is nothing, where there is nothing."""
        found = self._sql.read("signals", read, "the signal bot makes it. /startsignals starts it.")
        system = self._system({})
        names = ("signals", "feed")
        rows = [row for row in system["processes"] if row["name"] in names]
        titles = {row["title"] for row in rows}
        return {**found, "processes": rows, "history": system["history"], "why": why(self._sources, found),
                "latency": [row for row in system["latency"] if row["service"] in titles]}


def why(sources: Sources, found: dict[str, Any]) -> dict[str, Any]:
    """Why no signal is sent."""
    told = sources.info("signals")
    paused, waiting = str(told.get("paused") or ""), str(told.get("waiting") or "")
    refused = found.get("refusals") or []
    rows = [alive(sources, "signals", "/startsignals"), alive(sources, "feed", "/startsignals"),
            check("database", not found["problem"], found["problem"] or "it answers"),
            check("health", not paused, f"signalling is paused: {paused}" if paused else "data are good"),
            check("data", not waiting, f"it waits: {waiting}" if waiting else "it has what it needs")]
    if refused and not found.get("open"):
        rows.append(check("rules", False, f"no market passed; most fell at {refused[0][0]} ({refused[0][1]} in a day)",
                          "this is how it should be most of the time; the table of refusals tells more"))
    return explained(rows, "Nothing stands in the way of signals.", "No signal")


def read(connection: "Connection") -> dict[str, Any]:
    """All sections from one transaction. Raises SQLAlchemyError."""
    from sqlalchemy import func, select

    from modules.storage.sql.tables import signals

    newest = connection.execute(select(func.max(signals.c.ms))).scalar() or 0
    return {"open": open_signals(connection), "closed": closed_signals(connection), "today": today(connection, newest),
            "classes": performance(connection, "priority"), "symbols": performance(connection, "symbol"),
            "hours": by_hour(connection), "quality": quality(connection), "refusals": refusals(connection),
            "universe": universe(connection), "metrics": metrics(connection)}


def open_signals(connection: "Connection") -> list[dict[str, Any]]:
    """Live signals, HIGH first, the newest first within a class."""
    from sqlalchemy import case, select

    from modules.storage.sql.tables import signals

    order = case(*((signals.c.priority == word, place) for place, word in enumerate(PRIORITIES)), else_=9)
    query = select(signals).where(signals.c.status == "open", signals.c.kind == "ENTRY").order_by(
        order, signals.c.ms.desc()).limit(MOST_OPEN)
    return [_row(row) for row in connection.execute(query).mappings()]


def closed_signals(connection: "Connection") -> list[dict[str, Any]]:
    """What became of the newest ones."""
    from sqlalchemy import select

    from modules.storage.sql.tables import signals

    query = select(signals).where(signals.c.status == "closed", signals.c.kind == "ENTRY").order_by(
        signals.c.closed_ms.desc()).limit(NEWEST_CLOSED)
    return [_row(row) for row in connection.execute(query).mappings()]


def _row(row: Any) -> dict[str, Any]:
    body = row["body"] if isinstance(row["body"], dict) else {}
    told = body.get("follow")
    follow = told if isinstance(told, dict) else {}
    return {**{key: row[key] for key in ("id", "symbol", "direction", "priority", "ms", "entry", "stop_loss", "tp1",
                                         "tp2", "quality", "outcome", "closed_ms", "net_r", "net_pct")},
            **{key: body.get(key) for key in ("sent_as", "imbalance", "large_trades", "intensity", "confidence",
                                              "risk_reward")},
            **{key: follow.get(key) for key in ("last_price", "stop_now", "left", "expires_ms", "first")}}


def today(connection: "Connection", newest: int) -> dict[str, Any]:
    """Signals of the newest UTC day that has any, by class."""
    from sqlalchemy import func, select

    from modules.storage.sql.tables import signals

    since = newest // DAY_MS * DAY_MS
    query = select(signals.c.priority, func.count()).where(
        signals.c.ms >= since, signals.c.kind == "ENTRY").group_by(signals.c.priority)
    counted = {word: count for word, count in connection.execute(query)} if newest else {}
    return {"day_ms": since, "counts": {word: counted.get(word, 0) for word in PRIORITIES}, "newest_ms": newest}


def performance(connection: "Connection", column: str) -> list[dict[str, Any]]:
    """Closed signals by `column`, each with its interval and beside its control group."""
    from sqlalchemy import case, func, select

    from modules.storage.sql.tables import signals

    key, r = signals.c[column], signals.c.net_r
    query = select(key, signals.c.kind, func.count(), func.sum(case((r > 0, 1), else_=0)), func.sum(r),
                   func.sum(r * r), func.sum(signals.c.net_pct)).where(
        signals.c.status == "closed", r.is_not(None)).group_by(key, signals.c.kind)
    groups: dict[str, dict[str, Any]] = {}
    for name, kind, count, wins, total, squares, pct in connection.execute(query):
        figures = _figures(int(count), int(wins or 0), float(total or 0), float(squares or 0), float(pct or 0))
        groups.setdefault(str(name), {})["control" if kind == "CTRL" else "signals"] = figures
    rows = [{"name": name, **group.get("signals", _figures(0, 0, 0.0, 0.0, 0.0)), "control": group.get("control")}
            for name, group in groups.items() if "signals" in group]
    return sorted(rows, key=lambda row: -row["net_r"])[:MOST_SYMBOLS]


def _figures(count: int, wins: int, total: float, squares: float, pct: float) -> dict[str, Any]:
    """n, win rate with Wilson's 95 % interval, net R: sum, mean and the normal 95 % interval of the mean."""
    mean = total / count if count else 0.0
    spread = math.sqrt(max(0.0, squares - count * mean * mean) / (count - 1) / count) if count > 1 else None
    low, high = wilson(wins, count)
    return {"n": count, "win_pct": 100 * wins / count if count else None, "win_low": 100 * low, "win_high": 100 * high,
            "net_r": total, "mean_r": mean, "net_pct": pct,
            "mean_low": None if spread is None else mean - NORMAL_95 * spread,
            "mean_high": None if spread is None else mean + NORMAL_95 * spread}


def wilson(wins: int, count: int) -> tuple[float, float]:
    """Wilson's score interval of a share, 95 % (E. B. Wilson, 1927); (0, 1) where nothing was counted."""
    if not count:
        return 0.0, 1.0
    share, z2 = wins / count, NORMAL_95 * NORMAL_95
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = NORMAL_95 / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def by_hour(connection: "Connection") -> list[dict[str, Any]]:
    """Closed signals by UTC hour of their birth."""
    from sqlalchemy import func, select

    from modules.storage.sql.tables import signals

    hour = (signals.c.ms - signals.c.ms % HOUR_MS) / HOUR_MS % 24  # the division is exact on every database
    query = select(hour, func.count(), func.sum(signals.c.net_r)).where(
        signals.c.status == "closed", signals.c.kind == "ENTRY", signals.c.net_r.is_not(None)).group_by(hour)
    return sorted(({"hour": round(float(at)), "n": count, "net_r": float(total)}
                   for at, count, total in connection.execute(query)), key=lambda row: row["hour"])


def quality(connection: "Connection") -> list[tuple[int, float, float | None]]:
    """(seconds, quality, net R or None) of the newest signals, oldest first, one for each second."""
    from sqlalchemy import select

    from modules.storage.sql.tables import signals

    query = select(signals.c.ms, signals.c.quality, signals.c.net_r).where(signals.c.kind == "ENTRY").order_by(
        signals.c.ms.desc()).limit(NEWEST_QUALITY)
    found = {ms // 1000: (ms // 1000, float(value), net_r) for ms, value, net_r in connection.execute(query)}
    return [found[at] for at in sorted(found)]


def refusals(connection: "Connection") -> list[tuple[str, int]]:
    """Why there was no signal: reasons of the newest day, the commonest first."""
    from sqlalchemy import func, select

    from modules.storage.sql.tables import refusals as table

    newest = connection.execute(select(func.max(table.c.ms))).scalar()
    if newest is None:
        return []
    count = func.count()
    query = select(table.c.code, count).where(table.c.ms > newest - DAY_MS).group_by(table.c.code).order_by(
        count.desc()).limit(30)
    return [(code, int(many)) for code, many in connection.execute(query)]


def universe(connection: "Connection") -> dict[str, Any]:
    """The newest scan: who fell at which minimum, who was chosen with which score (D2)."""
    from sqlalchemy import func, select

    from modules.storage.sql.tables import universe as table

    newest = connection.execute(select(func.max(table.c.ms))).scalar()
    if newest is None:
        return {"ms": 0, "funnel": [], "chosen": [], "seen": 0}
    rows = connection.execute(select(table).where(table.c.ms == newest)).mappings().all()
    fell: dict[str, int] = {}
    for row in rows:
        if not row["chosen"]:
            fell[row["reason"]] = fell.get(row["reason"], 0) + 1
    chosen = sorted((row for row in rows if row["chosen"]), key=lambda row: -(row["score"] or 0.0))
    return {"ms": newest, "seen": len(rows), "funnel": _by_order(fell),
            "chosen": [{"symbol": row["symbol"], "score": row["score"],
                        "figures": {key: value for key, value in (row["body"] or {}).items()
                                    if isinstance(value, int | float | str)}} for row in chosen]}


_ORDER = ("VOLUME", "SPREAD", "OPEN_INTEREST", "OI", "DEPTH", "SCORE", "BUDGET")


def _by_order(fell: dict[str, int]) -> list[tuple[str, int]]:
    """In the order in which D2 filters; what is not known here comes after."""
    def place(reason: str) -> tuple[int, str]:
        return next((at for at, word in enumerate(_ORDER) if word in reason.upper()), len(_ORDER)), reason

    return sorted(fell.items(), key=lambda one: place(one[0]))


def metrics(connection: "Connection") -> dict[str, list[tuple[int, float]]]:
    """The newest points of every figure the signal bot stored: (seconds, value), oldest first."""
    from sqlalchemy import select

    from modules.storage.sql.tables import metrics as table

    names: Sequence[str] = connection.execute(select(table.c.name).distinct().limit(30)).scalars().all()
    found: dict[str, list[tuple[int, float]]] = {}
    for name in sorted(names):
        query = select(table.c.ms, table.c.value).where(table.c.name == name).order_by(
            table.c.ms.desc()).limit(METRIC_POINTS)
        points = {ms // 1000: float(value) for ms, value in connection.execute(query)}
        found[name] = sorted(points.items())
    return found
