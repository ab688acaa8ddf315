"""Overview: equity against buy-and-hold, every account, coins, positions, services, alerts, why nothing is bought."""

from decimal import Decimal
from typing import Any

import msgspec

from modules.dashboard.candles import BARS
from modules.dashboard.pages.balance import balance
from modules.dashboard.pages.bar import used
from modules.dashboard.pages.sources import Sources, number
from modules.exchange.types import Mode
from modules.execution.risk_state import RiskState, Unreadable, futures_risk_file, futures_scope, load_risk
from modules.storage.damage import StateError
from modules.storage.history import History
from modules.strategies.hype import why
from modules.strategies.hype.records import Position, Trade

NEWEST_TRADES = 5000
ALERTS = 40
HOLD = "BTCUSDT"
HOLD_STEPS = (("1m", 60), ("5m", 300), ("15m", 900), ("1h", 3600), ("4h", 14_400), ("1d", 86_400))
_STARTS_BY = {"tracker": "/startbot", "scanner": "/startbot"}


class Said(msgspec.Struct, frozen=True):
    """One message to people, as the command process delivered it (``data/notices.json``)."""

    ms: int
    text: str
    loud: bool = False


def overview(sources: Sources) -> dict[str, Any]:
    """The page's sections."""
    mode = sources.mode()
    return {"equity": equity(sources, mode), "hold": hold(sources, mode), "accounts": accounts(sources),
            "balance": balance(sources),
            "positions": positions(sources), "services": services(sources),
            "alerts": alerts(sources), "why": reasons(sources), "limits": limits(sources, mode)}


def equity(sources: Sources, mode: Mode) -> dict[str, Any]:
    """Equity over market time: the realised result of the trades kept, and where it stands now."""
    file = sources.files(mode).trades
    trades = sources.while_same(file.path, lambda: file.newest(NEWEST_TRADES))
    risk = sources.risk(mode)
    now = None if isinstance(risk, Unreadable) else risk.equity
    held = sources.positions(mode)
    return {"mode": mode.value, "now": number(now), "points": curve(trades, held, now, sources.market_ms(mode))}


def hold(sources: Sources, mode: Mode) -> dict[str, Any]:
    """What the same money in bitcoin would have become since the curve's first point (spot candles of the venue)."""
    points = equity(sources, mode)["points"]
    if len(points) < 2:
        return {"points": [], "problem": "", "symbol": HOLD}
    first, last = points[0][0], points[-1][0]
    interval = next((name for name, step_s in HOLD_STEPS if (last - first) / step_s <= BARS - 5), HOLD_STEPS[-1][0])
    known = sources.candles.look(HOLD, interval)
    step_s = dict(HOLD_STEPS)[interval]
    rows = [row for row in known.rows if first - step_s < row[0] <= last]
    base = rows[0][4] if rows else 0.0
    found = [(max(row[0], first), points[0][1] * row[4] / base) for row in rows] if base else []
    return {"points": sorted(dict(found).items()), "problem": known.problem, "symbol": HOLD}


def accounts(sources: Sources) -> list[dict[str, Any]]:
    """Every account whose risk is watched: system A's, and each futures system's, TEST and LIVE."""
    rows = []
    for mode in Mode:
        there = sources.files(mode).risk.path.exists()
        rows.append(account_row("hype (spot)", mode, sources.risk(mode), there))
        prefix = "test_futures_" if mode is Mode.TEST else "futures_"
        for path in sorted(sources.paths.data.glob(f"{prefix}*_risk.json")):
            system = path.name.removeprefix(prefix).removesuffix("_risk.json")
            file = futures_risk_file(sources.paths.data, system, mode)
            risk = sources.while_same(path, lambda file=file, system=system, mode=mode: load_risk(  # type: ignore[misc]
                file, futures_scope(system, mode)))
            rows.append(account_row(f"{system} (futures)", mode, risk, True))
    return [row for row in rows if row is not None]


def account_row(name: str, mode: Mode, risk: RiskState | Unreadable, there: bool) -> dict[str, Any] | None:
    """One account; None where there is none yet."""
    if not there:
        return None
    if isinstance(risk, Unreadable):
        return {"name": name, "mode": mode.value, "trading": "UNREADABLE", "why": risk.reason, "latched": ""}
    if risk.equity is None:
        return None
    day = risk.equity - risk.day_start if risk.day_start else None
    return {"name": name, "mode": mode.value, "trading": risk.trading.value, "why": risk.reason,
            "equity": number(risk.equity), "day": number(day), "exposure": number(risk.exposure),
            "day_pct": number(day / risk.day_start * 100) if day is not None and risk.day_start else None,
            "latched": ", ".join(sorted(str(one).replace("_", " ").lower() for one in risk.latched)),
            "ms": risk.equity_ms}


def curve(trades: list[Trade], held: list[Position], now: Decimal | None, now_ms: int) -> list[tuple[int, float]]:
    """(seconds, USDT), one for each second at most, oldest first; before it all stands what equity must have been."""
    sales = [(trade.market_ms, trade.pnl_usdt or Decimal(0)) for trade in trades if trade.side == "SELL"]
    open_gain = sum(((one.last_price - one.entry_price) * one.quantity - one.fees_usdt * one.quantity /
                     one.initial_quantity for one in held if one.last_price is not None), Decimal(0))
    total = (now - open_gain if now is not None else Decimal(0)) - sum((pnl for _, pnl in sales), Decimal(0))
    points: dict[int, float] = {}
    first = min((at for at in [*(trade.market_ms for trade in trades[:1]), *(one.opened_ms for one in held)]),
                default=0)
    if first:
        points[first // 1000] = float(total)
    for at, pnl in sales:
        total += pnl
        points[at // 1000] = float(total)
    if now is not None and now_ms:
        points[now_ms // 1000] = float(now)
    return sorted(points.items())


def positions(sources: Sources) -> list[dict[str, Any]]:
    """Everything held, LIVE first."""
    rows = []
    for mode in (Mode.LIVE, Mode.TEST):
        for one in sources.positions(mode):
            rows.append(position_row(one))
    return rows


def position_row(one: Position) -> dict[str, Any]:
    """One position for a table."""
    last = one.last_price
    gain = None if last is None else (last - one.entry_price) * one.quantity
    target = one.tp_prices[one.tp_hit] if one.tp_hit < len(one.tp_prices) else None
    return {"symbol": one.symbol, "mode": one.mode, "strategy": str(one.strategy), "confidence": one.confidence,
            "entry": number(one.entry_price), "last": number(last),
            "pct": None if last is None else float((last / one.entry_price - 1) * 100), "gain": number(gain),
            "taken": number(one.realized_usdt), "stop": number(one.sl_price), "target": number(target),
            "tp_hit": one.tp_hit, "targets": [number(price) for price in one.tp_prices],
            "value": number((last if last is not None else one.entry_price) * one.quantity),
            "opened_ms": one.opened_ms, "seen_ms": one.last_seen_ms, "state": one.state}


def services(sources: Sources) -> list[dict[str, Any]]:
    """The crew, and the command process that commands it."""
    helps = {service.name: service.help for service in sources.crew}
    return [{"name": one.name, "title": one.title, "state": one.state, "wanted": one.wanted, "pid": one.pid,
             "up_s": round(one.uptime_s), "cpu_pct": round(one.cpu_pct, 1), "rss_mb": round(one.rss_mb),
             "error": one.last_error, "help": helps.get(one.name, ""), "start": _STARTS_BY.get(one.name, "")}
            for one in sources.services()]


def alerts(sources: Sources) -> list[dict[str, Any]]:
    """What people were told, newest first."""
    file = History(sources.paths.data / "notices.json", Said)
    said = sources.while_same(file.path, lambda: file.newest(ALERTS))
    return [{"ms": one.ms, "text": one.text, "loud": one.loud} for one in reversed(said)]


def reasons(sources: Sources) -> dict[str, Any]:
    """Why nothing is bought: the headline and every check, in the order of cause."""
    try:
        checks = sources.for_a_while("why", 2.0, lambda: why.explain(sources.paths, sources.settings,
                                                                      sources.services()))
    except (StateError, OSError) as problem:
        return {"headline": str(problem), "checks": []}
    return {"headline": why.headline(checks), "checks": [
        {"name": one.name, "ok": one.ok, "text": one.text, "todo": one.todo} for one in checks]}


def limits(sources: Sources, mode: Mode) -> list[dict[str, Any]]:
    """Every limit with what is used of it."""
    risk = sources.risk(mode)
    return [] if isinstance(risk, Unreadable) else used(risk, sources.settings.risk)
