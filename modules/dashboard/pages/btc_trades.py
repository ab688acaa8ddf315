"""System C's trades for its page: what is followed now, and the chain decision → orders → fills → cost of each."""

from typing import TYPE_CHECKING, Any

from modules.dashboard.pages.sources import Sources, number
from modules.exchange.types import Mode
from modules.storage.damage import StateError
from modules.strategies.showdown.positions import Trade
from modules.strategies.showdown.trade_book import Ended, TradeBook

if TYPE_CHECKING:
    from sqlalchemy import Connection

CHAINS, DECISIONS, POINTS, MOST_ROWS = 15, 60, 500, 400
_MONEY = ("quantity", "entry", "exit", "slip", "realised", "fees", "funding", "net", "r")


def followed(sources: Sources, symbol: str) -> dict[Mode, Trade]:
    """What is followed of a contract, by mode; a damaged file counts as none here (the service tells of it)."""
    found = {}
    for mode in Mode:
        book = TradeBook(sources.paths.data, mode)
        path = sources.paths.data / f"{_prefix(mode)}showdown_trades.json"
        try:
            trades = sources.while_same(path, lambda book=book: _loaded(book))  # type: ignore[misc]
        except StateError:
            continue
        if symbol in trades:
            found[mode] = trades[symbol]
    return found


def _loaded(book: TradeBook) -> dict[str, Trade]:
    book.load()
    return book.trades.open


def _prefix(mode: Mode) -> str:
    return "test_" if mode is Mode.TEST else ""


def held_rows(held: dict[Mode, Trade], told: dict[str, Any]) -> list[dict[str, Any]]:
    """What is held, with the running service's figures where it tells them."""
    accounts = told.get("accounts")
    live = {(mode, row["symbol"]): row for mode, account in (accounts if isinstance(accounts, dict) else {}).items()
            for row in account.get("held", ())}
    rows = []
    for mode, one in held.items():
        now = live.get((str(mode), one.symbol), {})
        stage = "closing" if one.closing else "entering" if one.entering else "open"
        rows.append({"mode": str(mode), "symbol": one.symbol, "side": "LONG" if one.long else "SHORT",
                     "state": now.get("state") or stage,
                     "quantity": _float(now.get("quantity")), "entry": _float(now.get("entry")),
                     "mark": _float(now.get("mark")), "unrealised": _float(now.get("unrealised")),
                     "stop": number(one.stop), "tp1": number(one.tp1), "tp2": number(one.tp2),
                     "part_done": one.part_done, "decided_ms": one.decided_ms, "risk": number(one.risk), "id": one.id})
    return rows


def read(connection: "Connection", sources: Sources, symbol: str) -> dict[str, Any]:
    """Decisions, chains and the account's curve. Raises SQLAlchemyError, StateError."""
    ended = [one for mode in Mode for one in history(sources, mode) if one.symbol == symbol]
    newest = sorted(ended, key=lambda one: -one.closed_ms)
    return {"decisions": decisions(connection, symbol), "chains": chains(connection, newest[:CHAINS]),
            "totals": totals(newest), "curve": curve(connection, sources)}


def history(sources: Sources, mode: Mode) -> list[Ended]:
    """The newest trades that ended."""
    file = TradeBook(sources.paths.data, mode).history
    return sources.while_same(file.path, lambda: file.newest(500))


def totals(ended: list[Ended]) -> list[dict[str, Any]]:
    """n, won and net by mode."""
    rows = []
    for mode in Mode:
        mine = [one for one in ended if one.mode == str(mode)]
        if mine:
            rows.append({"mode": str(mode), "n": len(mine), "won": sum(one.net > 0 for one in mine),
                         "net": float(sum(one.net for one in mine)), "r": float(sum(one.r for one in mine)),
                         "fees": float(sum(one.fees for one in mine))})
    return rows


def decisions(connection: "Connection", symbol: str) -> list[dict[str, Any]]:
    """The newest decisions; one that stays flat for the same reason is one row."""
    from sqlalchemy import select

    from modules.storage.sql.tables import decisions as table

    query = select(table.c.ms, table.c.action, table.c.confidence, table.c.hash, table.c.body).where(
        table.c.symbol == symbol).order_by(table.c.ms.desc()).limit(MOST_ROWS)
    rows: list[dict[str, Any]] = []
    for ms, action, confidence, mark, body in connection.execute(query):
        told = body if isinstance(body, dict) else {}
        reason, reasons = str(told.get("reason", "")), told.get("reasons") or []
        if rows and action == "flat" and (rows[-1]["action"], rows[-1]["reason"]) == ("flat", reason):
            rows[-1] |= {"times": rows[-1]["times"] + 1, "since_ms": ms}
            continue
        if len(rows) == DECISIONS:
            break
        rows.append({"ms": ms, "since_ms": ms, "times": 1, "action": action, "confidence": confidence,
                     "reason": reason, "said": " ".join(map(str, reasons[:4])), "hash": mark[:20]})
    return rows


def chains(connection: "Connection", ended: list[Ended]) -> list[dict[str, Any]]:
    """Each trade that ended, with its orders and fills."""
    from sqlalchemy import select

    from modules.storage.sql.tables import decisions as decided
    from modules.storage.sql.tables import orders, trades

    ids = [name for one in ended for name in one.orders][:MOST_ROWS]
    fills = [name for one in ended for name in one.fills][:MOST_ROWS]
    orders_by = {row["client_id"]: dict(row) for row in connection.execute(
        select(orders).where(orders.c.client_id.in_(ids))).mappings()} if ids else {}
    fills_by = {(row["account"], row["trade_id"]): dict(row) for row in connection.execute(select(trades).where(
        trades.c.trade_id.in_(fills), trades.c.account.like("showdown-%"))).mappings()} if fills else {}
    sure = {(row.symbol, row.ms): row.confidence for row in connection.execute(
        select(decided.c.symbol, decided.c.ms, decided.c.confidence).where(
            decided.c.ms.in_([one.decided_ms for one in ended])))} if ended else {}
    return [_chain(one, orders_by, fills_by, sure.get((one.symbol, one.decided_ms))) for one in ended]


def _chain(one: Ended, orders: dict[str, Any], fills: dict[tuple[str, str], Any], confidence: Any) -> dict[str, Any]:
    account = f"showdown-{one.mode.lower()}"
    return {
        "id": one.id, "symbol": one.symbol, "mode": one.mode, "side": one.side, "decided_ms": one.decided_ms,
        "opened_ms": one.opened_ms, "closed_ms": one.closed_ms, "reason": one.reason, "ended": one.ended,
        "quotes": one.quotes, "emergencies": one.emergencies,
        "confidence": confidence,
        **{name: number(getattr(one, name)) for name in _MONEY},
        "orders": [_order(name, orders.get(name)) for name in one.orders],
        "fills": [_fill(name, fills.get((account, name))) for name in one.fills]}


def _order(name: str, row: Any) -> dict[str, Any]:
    if row is None:
        return {"id": name, "status": "not in the database yet"}
    return {"id": name, **{key: row[key] for key in ("leg", "side", "type", "status", "created_ms")},
            **{key: number(row[key]) for key in ("quantity", "price", "trigger", "filled", "average")}}


def _fill(name: str, row: Any) -> dict[str, Any]:
    if row is None:
        return {"id": name}
    return {"id": name, "leg": row["leg"], "side": row["side"], "ms": row["ms"], "maker": bool(row["maker"]),
            **{key: number(row[key]) for key in ("price", "quantity", "fee", "realised")}}


def curve(connection: "Connection", sources: Sources) -> list[tuple[int, float]]:
    """(seconds, equity) of the account of the mode in force."""
    from sqlalchemy import select

    from modules.storage.sql.tables import equity_curve as table

    query = select(table.c.ms, table.c.equity).where(
        table.c.account == f"showdown-{sources.mode().lower()}").order_by(table.c.ms.desc()).limit(POINTS)
    return sorted({ms // 1000: float(equity) for ms, equity in connection.execute(query)}.items())


def _float(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
