"""BTC (system C): snapshot, flow with the age of its inputs, decision and why, chart, manual sources and their history;
for every trade the chain decision → orders → fills → cost. Files and SQL are read; nothing is written.
"""

from typing import Any

import msgspec

from modules.dashboard.pages import btc_trades
from modules.dashboard.pages.indicators import indicators
from modules.dashboard.pages.reasons import Check, alive, check, explained
from modules.dashboard.pages.sources import Sources
from modules.dashboard.pages.sql import Sql
from modules.exchange.types import Mode
from modules.strategies.showdown.files import ShowdownFiles, read
from modules.strategies.showdown.manual import EXAMPLES, KINDS, TITLES
from modules.strategies.showdown.manual_store import ManualStore
from modules.strategies.showdown.positions import Trade
from modules.strategies.showdown.records import Decision, Flow, Freshness, Snapshot

SERVICE = "showdown"
INTERVALS = ("1m", "5m", "15m", "1h")
VERSIONS, TOO_OLD = 12, 2.0
_GOOD = {"pass": True, "neutral": True, "fail": False}


class BtcPage:
    """Arguments: `symbol` (the first contract), `interval` of the chart's candles (15m), `indicators` on it."""

    def __init__(self, sources: Sources, sql: Sql) -> None:
        self._sources = sources
        self._sql = sql

    def __call__(self, arguments: dict[str, str]) -> dict[str, Any]:
        """The page's sections."""
        sources, symbols = self._sources, tuple(self._sources.settings.showdown.symbols)
        symbol = arguments.get("symbol", "")
        symbol = symbol if symbol in symbols else symbols[0]
        interval = arguments.get("interval", "")
        interval = interval if interval in INTERVALS else "15m"
        files = ShowdownFiles(sources.paths, symbol, symbol == symbols[0])
        snap = sources.while_same(files.snapshot, lambda: read(files.snapshot, Snapshot))
        flow = sources.while_same(files.flow, lambda: read(files.flow, Flow))
        decision = sources.while_same(files.decision, lambda: read(files.decision, Decision))
        told = sources.info(SERVICE)
        now = _whole(told.get("market_ms")) or (snap.ms if snap is not None else 0)
        held = btc_trades.followed(sources, symbol)
        past = self._sql.read(f"btc {symbol}", lambda connection: btc_trades.read(connection, sources, symbol),
                              "system C makes it. /startbtc starts it.")
        positions = btc_trades.held_rows(held, told)
        shown = chart(interval, snap, flow, decision, positions)
        lines = indicators(shown["candles"], arguments.get("indicators", ""))
        return {"head": head(symbol, symbols, snap, decision, now), "frames": frames(snap), "flow": figures(flow),
                "inputs": inputs(snap, flow, now), "why": why(sources, decision, held, told, now),
                "rules": rules(decision), "chart": {**shown, "indicators": lines},
                "held": positions, "manual": manual(sources, files), **past}


def head(symbol: str, symbols: tuple[str, ...], snap: Snapshot | None, decision: Decision | None,
         now: int) -> dict[str, Any]:
    """What was decided, at which price, how long ago."""
    shown: dict[str, Any] = {"symbol": symbol, "symbols": symbols, "intervals": INTERVALS, "price": None, "action": ""}
    if snap is not None:
        shown |= {"price": snap.price, "session": snap.session, "ms": snap.ms}
    if decision is not None:
        shown |= {"mode": decision.mode, "action": decision.action, "reason": decision.reason, "ms": decision.ms,
                  "age_s": max(0, now - decision.ms) // 1000, "confidence": decision.confidence,
                  "risk_level": decision.risk_level, "zone": decision.entry_zone, "sl": decision.sl,
                  "tp1": decision.tp1, "tp2": decision.tp2, "size_usdt": decision.position_size_usdt,
                  "risk_usdt": decision.risk_usdt, "capped_by": decision.capped_by, "hash": decision.hash[:20]}
    return shown


def frames(snap: Snapshot | None) -> list[dict[str, Any]]:
    """Structure and momentum of each interval."""
    return [] if snap is None else [
        {"name": name, "trend": "broken" if one.broken else one.trend, "momentum": one.momentum, "fading": one.fading,
         "atr_pct": one.atr_pct, "atr_ratio": one.atr_ratio, "closed_ms": one.closed_ms,
         "labels": "-".join(swing.label for swing in one.swings[-4:] if swing.label)}
        for name, one in snap.timeframes.items()]


def figures(flow: Flow | None) -> dict[str, Any]:
    """The flow's scores; None is absent, which counts as neutral."""
    if flow is None:
        return {}
    return {"crowd_bias": flow.crowd_bias, "trap_index": flow.trap_index, "trap_side": flow.trap_side,
            "funding_pct": _times(flow.funding, 100), "oi_change_1h_pct": flow.oi_change_1h_pct,
            "basis_pct": _times(flow.basis, 100), "cvd_1h": flow.cvd_1h, "etf": flow.etf,
            "etf_net_5d_usd": flow.etf_net_5d_usd, "liquidations": flow.liquidations, "sentiment": flow.sentiment,
            "warnings": flow.warnings, "notes": flow.notes, "risk": flow.risk}


def inputs(snap: Snapshot | None, flow: Flow | None, now: int) -> list[dict[str, Any]]:
    """Every input with its age now (market time), not as it was when it was decided on."""
    found: dict[str, Freshness] = flow.inputs if flow is not None else snap.inputs if snap is not None else {}
    seen = flow.ms if flow is not None else snap.ms if snap is not None else now
    rows = []
    for name, one in found.items():
        age = None if one.age_s is None else round(one.age_s + max(0, now - seen) / 1000)
        rows.append({"name": name.replace("_", " "), "state": one.state, "required": one.required, "age_s": age,
                     "ttl_s": one.ttl_s, "why": one.why})
    return rows


def why(sources: Sources, decision: Decision | None, held: dict[Mode, Trade], told: dict[str, object],
        now: int) -> dict[str, Any]:
    """Why nothing is opened, in the order in which it is decided."""
    own, error = sources.settings.showdown, str(told.get("error") or "")
    stopped = str(told.get("entries_stopped") or "")
    rows = [alive(sources, SERVICE, "/startbtc"), check("trouble", not error, error or "none"),
            check("trading", own.trade, "it sends orders" if own.trade else "it only decides (setting showdown.trade)",
                  "SHOWDOWN_TRADE=true lets it trade"),
            check("account", not stopped, f"entries are stopped: {stopped}" if stopped else "entries are allowed",
                  "/risk tells more")]
    if decision is None:
        return explained([*rows, check("decision", False, "nothing was decided yet",
                                       "the first decision comes within a minute of the start")])
    old = (now - decision.ms) / 1000 > TOO_OLD * own.decide_s
    rows.append(check("age", not old, f"the decision is {max(0, now - decision.ms) // 1000} s old (market time)",
                      "/logs showdown"))
    rows += [_row(one.code, one.result, one.said) for one in decision.gates]
    if decision.action == "flat":
        side = nearer(decision)
        rows += [_row(f"{side} {one.code}", one.result, one.said) for one in getattr(decision, side)]
        if all(row["ok"] for row in rows):
            rows.append(check("decision", False, "; ".join(decision.reasons).replace(":; ", ": ") or decision.reason))
    told_why = explained(rows, f"Nothing stands in the way: {decision.action}.")
    holds = " and ".join(f"[{mode}] {'LONG' if one.long else 'SHORT'}" for mode, one in held.items())
    return {**told_why, "headline": f"It holds {holds}; its exits are watched."} if holds else told_why


def nearer(decision: Decision) -> str:
    """The side whose table fails in fewer rows."""
    def failed(rows: tuple[Any, ...]) -> int:
        return sum(row.result == "fail" for row in rows)

    return "long" if failed(decision.long) <= failed(decision.short) else "short"


def _row(code: str, result: str, said: str) -> Check:
    return check(code.replace("_", " ").lower(), _GOOD[result], said)


def rules(decision: Decision | None) -> dict[str, Any]:
    """The rule table as it came out, and what others made of it."""
    if decision is None:
        return {"gates": [], "long": [], "short": [], "reasons": [], "absent": [], "review": None}
    tables = {name: [{"code": one.code, "result": one.result, "said": one.said} for one in getattr(decision, name)]
              for name in ("gates", "long", "short")}
    review = msgspec.to_builtins(decision.review) if decision.review is not msgspec.UNSET else None
    return {**tables, "reasons": decision.reasons, "absent": decision.absent, "review": review}


def chart(interval: str, snap: Snapshot | None, flow: Flow | None, decision: Decision | None,
          held: list[dict[str, Any]]) -> dict[str, Any]:
    """Candles with swings, liquidation pools, entry zone, stop and targets (of the position, where there is one)."""
    if snap is None:
        return {"interval": interval, "candles": [], "lines": [], "bands": [], "marks": []}
    frame = snap.timeframes.get(interval)
    marks = [{"s": swing.at_ms // 1000, "up": swing.kind == "low", "text": swing.label or "·",
              "tone": "up" if swing.label in ("HH", "HL") else "down"}
             for swing in (frame.swings if frame else ())]
    bands = [{"low": pool["low"], "high": pool["high"], "tone": "down" if pool["side"] == "long" else "up",
              "text": f"{pool['side']}s' liquidations {pool['size_usd'] / 1e6:.0f}M"} for pool in
             (flow.zones if flow is not None else ())]
    lines: list[dict[str, Any]] = []
    if held:
        for row in held:
            lines += [{"price": row[key], "text": f"{row['mode']} {name}", "tone": tone} for name, key, tone in (
                ("in", "entry", "accent"), ("SL", "stop", "down"), ("TP1", "tp1", "up"), ("TP2", "tp2", "up"))]
    elif decision is not None and decision.entry_zone:
        low, high = (float(value) for value in decision.entry_zone)
        bands.append({"low": low, "high": high, "tone": "accent", "text": f"entry zone {decision.action}"})
        lines = [{"price": float(value), "text": name, "tone": tone} for name, value, tone in (
            ("SL", decision.sl, "down"), ("TP1", decision.tp1, "up"), ("TP2", decision.tp2, "up")) if value]
    candles = [(round(row[0]) // 1000, *row[1:6]) for row in snap.candles.get(interval, ())]
    return {"interval": interval, "candles": candles, "lines": lines, "bands": bands, "marks": marks}


def manual(sources: Sources, files: ShowdownFiles) -> dict[str, Any]:
    """Each manual source: the version that counts, the newest versions, an example."""
    versions = sources.while_same(files.versions, ManualStore(files).versions)
    shown: dict[str, Any] = {}
    for kind in KINDS:
        rows = versions.get(kind, [])
        counts = next((one.version for one in reversed(rows) if one.undone_ms is None), None)
        shown[kind] = {"title": TITLES[kind], "example": EXAMPLES[kind], "file": files.manual(kind).name,
                       "counts": counts, "versions": [msgspec.to_builtins(one) for one in reversed(rows[-VERSIONS:])]}
    return shown


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
