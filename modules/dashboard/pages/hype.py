"""Hype (system A): the scan's funnel, what was looked at closely and why it fell, positions, trades, why nothing is
bought."""

from collections import Counter
from typing import Any

from modules.dashboard.pages.overview import positions, reasons
from modules.dashboard.pages.sources import Sources, number
from modules.strategies.hype.records import Activity, Trade
from modules.strategies.hype.scan_report import ScanReport, scan_report_file

NEWEST = 60
CHECKS = 40


def hype(sources: Sources) -> dict[str, Any]:
    """The page's sections."""
    mode = sources.mode()
    files = sources.files(mode)
    report_file = scan_report_file(sources.paths)
    report = sources.while_same(report_file.path, report_file.load)
    trades = sources.while_same(files.trades.path, lambda: files.trades.newest(5000))
    activity = sources.while_same(files.activity.path, lambda: files.activity.newest(500))
    return {"scan": scan(report), "checks": checks(report), "positions": positions(sources), "why": reasons(sources),
            "trades": [trade_row(trade) for trade in reversed(trades[-NEWEST:])],
            "activity": [activity_row(one) for one in reversed(activity[-NEWEST:])],
            "codes": Counter(code for one in activity if one.verdict == "rejected" for code in one.codes
                             ).most_common(12)}


def scan(report: ScanReport) -> dict[str, Any]:
    """The last scan in figures."""
    return {"market_ms": report.market_ms, "scans": report.scans, "scan_ms": report.scan_ms, "mood": report.mood,
            "btc_1h_pct": report.btc_1h_pct, "btc_24h_pct": report.btc_24h_pct, "error": report.error,
            "feedback": report.feedback_model or ("votes" if report.feedback_ready else "not trained yet"),
            "funnel": list(report.funnel.items()), "totals": list(report.totals.items()),
            "waiting": list(report.waiting.items())[:CHECKS]}


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
