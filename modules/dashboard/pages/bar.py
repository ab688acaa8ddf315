"""The health bar on every page: mode, services, venue links, data age, PnL today, limits near."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from modules.dashboard.pages.sources import Sources, number
from modules.exchange.health import health
from modules.exchange.types import Mode
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import RiskState, Unreadable
from modules.storage.damage import StateError

_NAMES = {"DAY_LOSS": "loss of the day", "WEEK_LOSS": "loss of the week", "DRAWDOWN": "drawdown",
          "EXPOSURE": "exposure", "LOSING_STREAK": "losing streak"}


def bar(sources: Sources) -> dict[str, Any]:
    """The bar's one section."""
    services = sources.services()
    bot = sources.view.command_process()
    try:
        mode: Mode | None = sources.mode()
    except StateError:
        mode = None
    troubles = [{"name": one.title, "state": one.state, "error": one.last_error} for one in services
                if one.state in ("stuck", "backoff", "crash-loop")]
    shown = {"mode": mode.value if mode else "?", "venue": sources.settings.exchange.name,
             "real": mode is Mode.LIVE and sources.settings.exchange.name != "simulated",
             "running": sum(1 for one in services if one.state == "ready"),
             "wanted": sum(1 for one in services if one.wanted), "troubles": troubles, "bot": bot["pid"] is not None,
             "links": links(sources), "data_age_s": data_age_s(sources)}
    if mode is None:
        return {"bar": {**shown, "trading": "UNREADABLE", "why": "config/state.json is damaged"}}
    return {"bar": {**shown, **money_of(sources.risk(mode), sources.settings.risk, sources.market_ms(mode))}}


def links(sources: Sources) -> list[dict[str, Any]]:
    """The ways to the venue: REST as all processes feel it, the tracker's, and the feed's sockets."""
    found: list[dict[str, Any]] = []
    told = sources.for_a_while("health", 1.0, lambda: health(sources.settings.exchange, sources.paths))
    if told is not None:
        found.append({"name": "REST", "ok": told.text == "well", "text": told.text})
    exchange = sources.info("tracker").get("exchange")
    if isinstance(exchange, str):
        found.append({"name": "tracker", "ok": exchange == "ok", "text": exchange})
    feed = sources.info("feed")
    if feed:
        fresh, symbols, waiting = feed.get("fresh", 0), feed.get("symbols", 0), str(feed.get("waiting", "") or "")
        words = waiting or f"{fresh} of {symbols} books fresh, worst {feed.get('late_ms', 0)} ms late"
        found.append({"name": "feed", "ok": not waiting and fresh == symbols, "text": words})
    return found


def data_age_s(sources: Sources) -> float | None:
    """Age of the newest prices of whoever looks at the market, in market seconds; None where nobody does."""
    age = sources.info("scanner").get("data_age_s")
    return float(age) if isinstance(age, int | float) else None


def money_of(risk: RiskState | Unreadable, limits: RiskSettings, market_ms: int) -> dict[str, Any]:
    """Trading state, PnL of the (UTC, market) day, limits near. Nothing is guessed where nothing is known."""
    if isinstance(risk, Unreadable):
        return {"trading": "UNREADABLE", "why": risk.reason, "limits": []}
    shown: dict[str, Any] = {"trading": risk.trading.value, "why": risk.reason, "equity": number(risk.equity),
                             "market_ms": market_ms, "limits": []}
    if risk.equity is None:
        return shown
    today = datetime.fromtimestamp(market_ms / 1000, UTC).strftime("%Y-%m-%d") if market_ms else risk.day
    if risk.day_start and risk.day == today:
        shown["pnl"] = number(risk.equity - risk.day_start)
        shown["pnl_pct"] = number((risk.equity / risk.day_start - 1) * 100)
    shown["limits"] = [row for row in used(risk, limits) if row["latched"] or row["share_pct"] >= limits.rearm_at_pct]
    return shown


def used(risk: RiskState, limits: RiskSettings) -> list[dict[str, Any]]:
    """How much of each limit is used, percent of the limit."""
    def lost(start: Decimal | None) -> float:
        return max(0.0, float((1 - risk.equity / start) * 100)) if start and risk.equity is not None else 0.0

    exposed = float(risk.exposure / risk.equity * 100) if risk.equity else 0.0
    rows = (("DAY_LOSS", lost(risk.day_start), limits.day_loss_pct), ("WEEK_LOSS", lost(risk.week_start),
            limits.week_loss_pct), ("DRAWDOWN", lost(risk.peak), limits.drawdown_pct),
            ("EXPOSURE", exposed, limits.exposure_pct), ("LOSING_STREAK", float(risk.streak), limits.losing_streak))
    latched = {str(limit) for limit in risk.latched}
    return [{"name": _NAMES[code], "value": value, "limit": float(limit), "share_pct": value / limit * 100,
             "latched": code in latched, "unit": "" if code == "LOSING_STREAK" else "%"}
            for code, value, limit in rows if limit]
