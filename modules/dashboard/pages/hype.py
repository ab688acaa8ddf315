"""Hype (system A): the scan's funnel, the pairs it screened, what was looked at closely and why it fell, positions and
fills on live candles, trades, models and their cards, why nothing is bought.
"""

from collections import Counter
from typing import Any

from modules.dashboard.candles import marks_on
from modules.dashboard.pages.indicators import indicators
from modules.dashboard.pages.models import card, models
from modules.dashboard.pages.overview import positions, reasons
from modules.dashboard.pages.sources import Sources, number
from modules.exchange.types import Mode
from modules.learning.modelfiles import FEEDBACK
from modules.strategies.hype.reasons import Refusal
from modules.strategies.hype.records import Activity, Position, Trade
from modules.strategies.hype.scan_report import ScanReport, scan_report_file

NEWEST = 60
CHECKS = 40
MOST_SYMBOLS, MARKS = 14, 60
PAIRS, LOOKED = 120, 6
BTC = "BTCUSDT"
_CLOSED = frozenset({Refusal.NOT_TRADING, Refusal.API_CLOSED})
INTERVALS = ("1m", "5m", "15m", "1h")


class HypePage:
    """Arguments: `symbol` of the chart (the newest position, else bitcoin), `interval` (5m), `indicators`, `model`."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def __call__(self, arguments: dict[str, str]) -> dict[str, Any]:
        """The page's sections."""
        return {**hype(self._sources), "chart": chart(self._sources, arguments), "models": models(self._sources),
                "card": card(self._sources, arguments.get("model", "") or FEEDBACK)}


def hype(sources: Sources) -> dict[str, Any]:
    """The page's sections."""
    mode = sources.mode()
    files = sources.files(mode)
    report_file = scan_report_file(sources.paths)
    report = sources.while_same(report_file.path, report_file.load)
    trades = sources.while_same(files.trades.path, lambda: files.trades.newest(5000))
    activity = sources.while_same(files.activity.path, lambda: files.activity.newest(500))
    return {"scan": scan(report), "market": sources.for_a_while("pairs", 2.0, lambda: market(report)),
            "checks": checks(report), "positions": positions(sources), "why": reasons(sources),
            "trades": [trade_row(trade) for trade in reversed(trades[-NEWEST:])],
            "activity": [activity_row(one) for one in reversed(activity[-NEWEST:])],
            "codes": Counter(code for one in activity if one.verdict == "rejected" for code in one.codes
                             ).most_common(12)}


def chart(sources: Sources, arguments: dict[str, str]) -> dict[str, Any]:
    """Live candles of one token with its position's levels and its fills."""
    mode = sources.mode()
    held = {one.symbol: one for one in [*sources.positions(Mode.TEST), *sources.positions(Mode.LIVE)]}
    file = sources.files(mode).trades
    trades = sources.while_same(file.path, lambda: file.newest(5000))
    traded = list(dict.fromkeys([*reversed(held), *(one.symbol for one in reversed(trades))]))[:MOST_SYMBOLS]
    recent = list(dict.fromkeys([*traded, *looked_at(sources), BTC]))[:MOST_SYMBOLS]
    symbol, interval = arguments.get("symbol", ""), arguments.get("interval", "")
    symbol = symbol if symbol in recent else traded[0] if traded else BTC
    interval = interval if interval in INTERVALS else "5m"
    shown: dict[str, Any] = {"symbol": symbol, "symbols": recent, "interval": interval, "intervals": INTERVALS,
                             "candles": [], "indicators": [], "lines": [], "marks": [], "problem": ""}
    known = sources.candles.look(symbol, interval)
    marks = [{"s": one.market_ms // 1000, "up": one.side == "BUY", "tone": "up" if one.side == "BUY" else "down",
              "text": "buy" if one.side == "BUY" else f"sell {one.pnl_usdt or 0:+.2f}"}
             for one in trades if one.symbol == symbol][-MARKS:]
    return {**shown, "candles": known.rows, "indicators": indicators(known.rows, arguments.get("indicators", "")),
            "problem": known.problem, "marks": marks_on(known.rows, marks),
            "lines": levels(held[symbol]) if symbol in held else [], "held": symbol in held}


def looked_at(sources: Sources) -> list[str]:
    """Tokens of the newest close looks."""
    file = scan_report_file(sources.paths)
    report = sources.while_same(file.path, file.load)
    return [one.symbol for one in sorted(report.checks.values(), key=lambda one: -one.market_ms)[:LOOKED]]


def levels(one: Position) -> list[dict[str, Any]]:
    """Entry, stop, the targets that are left, the peak that it trails from."""
    found = [("in", one.entry_price, "accent"), ("SL", one.sl_price, "down"),
             *((f"TP{place + 1}", price, "up") for place, price in enumerate(one.tp_prices) if place >= one.tp_hit)]
    if one.trailing:
        found.append(("peak", one.dynamic_peak, "warn"))
    return [{"price": number(price), "text": f"{one.mode} {name}", "tone": tone} for name, price, tone in found]


def scan(report: ScanReport) -> dict[str, Any]:
    """The last scan in figures."""
    return {"market_ms": report.market_ms, "scans": report.scans, "scan_ms": report.scan_ms, "mood": report.mood,
            "btc_1h_pct": report.btc_1h_pct, "btc_24h_pct": report.btc_24h_pct, "error": report.error,
            "feedback": report.feedback_model or ("votes" if report.feedback_ready else "not trained yet"),
            "funnel": list(report.funnel.items()), "totals": list(report.totals.items()),
            "waiting": list(report.waiting.items())[:CHECKS]}


def market(report: ScanReport) -> dict[str, Any]:
    """The pairs as the last screening saw them: those that pass it first, then by growth over an hour."""
    rows = sorted(report.board, key=lambda row: (row.code != Refusal.NONE, row.code in _CLOSED,
                                                 -(row.growth_1h if row.growth_1h is not None else -1e9), row.symbol))
    return {"listed": len(rows), "passed": sum(row.code == Refusal.NONE for row in rows),
            "rows": [{"symbol": row.symbol, "price": row.price, "spread_pct": row.spread_pct,
                      "volume": row.quote_volume, "growth_5m": row.growth_5m, "growth_1h": row.growth_1h,
                      "growth_24h": row.growth_24h,
                      "code": "passes" if row.code == Refusal.NONE else why_not(row.code)} for row in rows[:PAIRS]]}


def why_not(code: int) -> str:
    """A code of the board in words; one of another version as it is."""
    try:
        return Refusal(code).code.replace("_", " ")
    except ValueError:
        return f"code {code}"


def checks(report: ScanReport) -> list[dict[str, Any]]:
    """The newest close looks."""
    found = sorted(report.checks.values(), key=lambda one: -one.market_ms)[:CHECKS]
    return [{"symbol": one.symbol, "ms": one.market_ms, "strategy": one.strategy, "verdict": one.verdict,
             "codes": ", ".join(one.codes), "confidence": one.confidence, "probability": one.probability,
             "text": one.text} for one in found]


def trade_row(trade: Trade) -> dict[str, Any]:
    """One executed order for a table."""
    return {"ms": trade.market_ms, "symbol": trade.symbol, "mode": trade.mode, "side": trade.side,
            "price": number(trade.price), "quote": number(trade.quote_usdt), "fee": number(trade.fee_usdt),
            "strategy": str(trade.strategy), "reason": trade.reason, "pnl": number(trade.pnl_usdt),
            "pnl_pct": trade.pnl_pct}


def activity_row(one: Activity) -> dict[str, Any]:
    """One judgement for a table."""
    return {"ms": one.market_ms, "symbol": one.symbol, "strategy": one.strategy, "verdict": one.verdict,
            "codes": ", ".join(one.codes), "confidence": one.confidence, "text": one.text or one.event}
