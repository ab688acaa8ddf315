"""Grid (system E): every session with its lease, both legs of the chosen one, its worst case, webhooks, audit.

Read from SQL alone, in one transaction of bounded size; sealed keys and webhook secrets are never selected.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from modules.dashboard.pages.reasons import Check, alive, check, explained
from modules.dashboard.pages.sources import Sources, number
from modules.dashboard.pages.sql import Sql
from modules.strategies.grid.live.view import SideView, View, state_of, view
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import SessionState
from utils.wall import now_ms

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST_SESSIONS, MOST_EVENTS, MOST_AUDIT = 200, 60, 60
START = "the grid makes it. /startgrid starts one."
_ENDS = ("down", "up", "both")
_END = ("orders", "last_price", "size", "margin", "fees", "funding", "loss", "liquidation", "stop", "loss_at_stop",
        "affordable", "liquidated_at", "stopped_at")


class GridPage:
    """Argument `user`: whose grid is shown in full (the standalone one's)."""

    def __init__(self, sources: Sources, sql: Sql) -> None:
        self._sources = sources
        self._sql = sql

    def __call__(self, arguments: dict[str, str]) -> dict[str, Any]:
        """The page's sections; `problem` says why there is nothing."""
        own = self._sources.settings.gridlive.user
        wanted = arguments.get("user", "")
        found = dict(self._sql.read(f"grid {wanted}", lambda connection: read(connection, wanted or own), START))
        chosen = found.get("chosen")
        found["why"] = why(self._sources, found, chosen)
        found["own"] = own
        return found


def read(connection: "Connection", user: str) -> dict[str, Any]:
    """All sections from one transaction; where `user` has no grid, the first one is chosen. Raises SQLAlchemyError."""
    rows = _rows(connection)
    counts = _events_of(connection)
    now = now_ms()
    sessions, chosen = [], None
    for row in rows:
        state, seen, bad = _seen(row)
        sessions.append({**session_row(row, seen, now), "problem": bad or (seen.problem if seen else ""),
                         **counts.get(row["user_id"], {"queued": 0, "dead": 0})})
        if seen is not None and state is not None and (chosen is None or row["user_id"] == user):
            chosen = detail(row, state, seen)
    return {"sessions": sessions, "chosen": chosen, "events": events(connection), "audit": audit(connection)}


def _rows(connection: "Connection") -> list[Any]:
    from sqlalchemy import select

    from modules.storage.sql.grid_tables import grid_keys, grid_sessions, grid_states

    query = (select(grid_sessions, grid_keys.c.demo, grid_keys.c.refused, grid_states.c.body, grid_states.c.facts,
                    grid_states.c.saved_ms)
             .outerjoin(grid_keys, grid_keys.c.user_id == grid_sessions.c.user_id)
             .outerjoin(grid_states, grid_states.c.user_id == grid_sessions.c.user_id)
             .order_by(grid_sessions.c.wanted == "STOPPED", grid_sessions.c.started_ms.desc()).limit(MOST_SESSIONS))
    return list(connection.execute(query).mappings())


def _seen(row: Any) -> tuple[SessionState | None, View | None, str]:
    """The saved state and how it looks; words where it cannot be read (another version's, damaged)."""
    if row["body"] is None:
        return None, None, ""
    try:
        state = state_of(row["body"].encode())
        return state, view(state, row["facts"] or {}, GridSettings.model_validate(row["settings"])), ""
    except (msgspec.DecodeError, ValueError) as problem:
        return None, None, f"its state cannot be read: {str(problem).splitlines()[0][:120]}"


def session_row(row: Any, seen: View | None, now: int) -> dict[str, Any]:
    """One session for the table."""
    shown = {"user": row["user_id"], "symbol": row["symbol"], "wanted": row["wanted"], "mode": "", "price": None,
             "holder": row["lease_holder"][:24], "leased": row["lease_until_ms"] > now, "day": None, "closed": None,
             "saved_s": max(0, now - row["saved_ms"]) // 1000 if row["saved_ms"] else None,
             "refused": row["refused"] or "", "started_ms": row["started_ms"], "accepted": row["accepted"]}
    if seen is None:
        return shown
    return {**shown, "word": seen.word, "mode": seen.mode, "price": seen.price, "day": seen.day,
            "closed": seen.realised - seen.fees, "trades": seen.trades, "wins": seen.wins,
            "open": seen.buy.result + seen.sell.result, "buy": f"{len(seen.buy.entries)}/{seen.buy.most}",
            "sell": f"{len(seen.sell.entries)}/{seen.sell.most}",
            "blocked": "; ".join(f"{name}: {side.blocked}" for name, side in (("BUY", seen.buy), ("SELL", seen.sell))
                                 if side.blocked)}


def detail(row: Any, state: SessionState, seen: View) -> dict[str, Any]:
    """One grid in full: both legs, the venue's word on each, the worst case it was started with."""
    return {"user": row["user_id"], "symbol": seen.symbol, "wanted": row["wanted"], "mode": seen.mode,
            "word": seen.word, "price": seen.price, "break_even": seen.break_even, "signal": seen.signal,
            "refusal": seen.refusal, "problem": seen.problem, "day": seen.day, "realised": seen.realised,
            "fees": seen.fees, "trades": seen.trades, "wins": seen.wins, "balance": number(state.balance),
            "breaker": state.breaker_open, "pending": len(state.pending), "started": state.started,
            "sides": [leg(state, side) for side in (seen.buy, seen.sell)], "worst": worst(row["figures"]),
            "accepted": row["accepted"]}


def leg(state: SessionState, side: SideView) -> dict[str, Any]:
    """One side, with what the venue last said of it (E5)."""
    told = state.check(side.side).venue
    return {"side": "BUY" if side.side > 0 else "SELL", "entries": side.entries, "most": side.most,
            "quantity": side.quantity, "average": side.average, "result": side.result, "next": side.next_price,
            "stop": side.stop, "liquidation": side.liquidation, "blocked": side.blocked,
            "venue_quantity": number(told.quantity) if told is not None and told.read else None,
            "venue_average": number(told.average) if told is not None and told.read else None}


def worst(figures: dict[str, Any] | None) -> dict[str, Any] | None:
    """The proof that was made before the start (X38), as figures."""
    if not figures or not all(isinstance(figures.get(name), dict) for name in _ENDS):
        return None
    ends = [{"name": name, **{key: _float(figures[name].get(key)) for key in _END}} for name in _ENDS]
    return {"price": _float(figures.get("price")), "balance": _float(figures.get("balance")),
            "limit": _float(figures.get("limit")), "leverage": figures.get("leverage"), "ends": ends,
            "unsafe": list(figures.get("unsafe") or ())}


def why(sources: Sources, found: dict[str, Any], chosen: dict[str, Any] | None) -> dict[str, Any]:
    """Why the chosen grid opens nothing."""
    rows: list[Check] = [alive(sources, "grid", "/startgrid"),
                         check("database", not found["problem"], found["problem"] or "it answers")]
    if chosen is None:
        none = not found.get("sessions")
        rows.append(check("session", False, "no grid was ever started" if none else "no worker has saved it yet",
                          "/startgrid shows first what one can lose"))
        return explained(rows)
    wanted = chosen["wanted"]
    rows += [check("wanted", wanted == "RUNNING", f"{chosen['user']}'s grid is {wanted.lower()}", "/startgrid"),
             check("account", not chosen["problem"], chosen["problem"] or "it answers"),
             check("breaker", not chosen["breaker"], "the exchange fails: entries wait" if chosen["breaker"]
                   else "the exchange answers")]
    for side in chosen["sides"]:
        name, full = side["side"], len(side["entries"]) >= side["most"]
        rows.append(check(name, not side["blocked"], f"{name} is blocked: {side['blocked']}" if side["blocked"] else
                          "books and exchange agree", f"/gridack {name.lower()} leave, or adopt"))
        rows.append(check(f"{name} levels", not full, f"all {side['most']} orders of {name} are open" if full else
                          f"{len(side['entries'])} of {side['most']} are open", "exits go on"))
    if chosen["refusal"]:
        rows.append(check("rules", False, chosen["refusal"]))
    if not any(side["entries"] for side in chosen["sides"]) and all(row["ok"] for row in rows):
        rows.append(check("signal", False, f"it waits for the first signal (now {chosen['signal']})",
                          "the first order of a side waits for a candle's close and its signal"))
    return explained(rows, "Nothing stands in the way: levels are added as the price reaches them.")


def _events_of(connection: "Connection") -> dict[str, dict[str, int]]:
    from sqlalchemy import func, select

    from modules.storage.sql.grid_tables import grid_events as table

    found: dict[str, dict[str, int]] = {}
    query = select(table.c.user_id, table.c.state, func.count()).group_by(table.c.user_id, table.c.state)
    for user, state, count in connection.execute(query):
        found.setdefault(user, {"queued": 0, "dead": 0})[state] = count
    return found


def events(connection: "Connection") -> list[dict[str, Any]]:
    """Webhook events that wait or were given up, dead ones first, the newest first."""
    from sqlalchemy import select

    from modules.storage.sql.grid_tables import grid_events as table

    names = ("number", "user_id", "kind", "created_ms", "due_ms", "tries", "state", "error")
    query = select(*(table.c[name] for name in names)).order_by(table.c.state, table.c.number.desc()).limit(MOST_EVENTS)
    return [dict(row) for row in connection.execute(query).mappings()]


def audit(connection: "Connection") -> list[dict[str, Any]]:
    """Who did what through server and command, newest first."""
    from sqlalchemy import select

    from modules.storage.sql.grid_tables import grid_audit as table

    names = ("number", "ms", "who", "what", "user_id", "address", "outcome")
    query = select(*(table.c[name] for name in names)).order_by(table.c.number.desc()).limit(MOST_AUDIT)
    return [dict(row) for row in connection.execute(query).mappings()]


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
