"""``results.csv`` and the JSON object: every trade, the totals, and what was assumed."""

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.backtest.arrays import MONEY
from modules.backtest.metrics import Metric, Shuffled
from modules.backtest.trades import REASONS, Curve, Trades

if TYPE_CHECKING:
    from modules.backtest.models import Fold

COLUMNS = ("kind", "number", "symbol", "strategy", "side", "confidence", "opened_utc", "closed_utc", "hold_min",
           "entry_price", "exit_price", "quantity", "cost_usdt", "proceeds_usdt", "fees_usdt", "carry_usdt", "pnl_usdt",
           "pnl_pct", "targets_hit", "reason")


@dataclass(frozen=True, slots=True)
class Report:
    """All that a run has to tell. `strategy` and `confidence` are columns beside `trades`.

    `folds`: what each model did that judged the entries; `without`: the metrics without any model, then.
    """

    title: str
    symbols: Sequence[str]
    trades: Trades
    strategy: Sequence[str]
    confidence: Sequence[float]
    curve: Curve
    metrics: Sequence[Metric]
    shuffled: Shuffled | None
    refused: dict[str, int]
    candles: int
    seconds: dict[str, float]
    settings: dict[str, Any]
    waived: Sequence[str]
    counted: Counter[str] = field(default_factory=Counter)
    walked: str = "candles"  # what `candles` counts: messages, where ticks were walked
    folds: "Sequence[Fold]" = ()
    without: Sequence[Metric] = ()

    def span(self) -> str:
        """``2024-01-01 … 2024-09-07``."""
        return f"{utc(int(self.curve.time[0]))[:10]} … {utc(int(self.curve.time[-1]))[:10]}"

    def value(self, name: str) -> float:
        """The metric of that name. Raises KeyError."""
        return {metric.name: metric.value for metric in self.metrics}[name]


def utc(ms: int) -> str:
    """2024-01-01T00:05:00Z"""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def money(units: int) -> str:
    """Whole units as USDT, exactly."""
    sign, whole = ("-" if units < 0 else ""), abs(units)
    return f"{sign}{whole // MONEY}.{whole % MONEY:08d}"


def groups(report: Report, keys: Sequence[str]) -> list[tuple[str, int, int, float]]:
    """(key, trades, pnl in units, share won in %) for each distinct key, by name."""
    names = np.array(keys, dtype=object)
    found = []
    for key in sorted(set(keys)):
        pnl = report.trades.pnl[names == key]
        found.append((key, len(pnl), int(pnl.sum()), float((pnl > 0).mean() * 100)))
    return found


def by_symbol(report: Report) -> list[tuple[str, int, int, float]]:
    """Results of each token."""
    return groups(report, [report.symbols[token] for token in report.trades.token])


def by_reason(report: Report) -> list[tuple[str, int, int, float]]:
    """Results by the reason of the last sale."""
    return groups(report, [REASONS[code] for code in report.trades.reason.tolist()])


def by_strategy(report: Report) -> list[tuple[str, int, int, float]]:
    """Results by the strategy of the entry."""
    return groups(report, list(report.strategy))


def by_side(report: Report) -> list[tuple[str, int, int, float]]:
    """Results of longs and shorts."""
    return groups(report, [side_of(side) for side in report.trades.side.tolist()])


def side_of(side: int) -> str:
    """long or short"""
    return "short" if side < 0 else "long"


def by_month(report: Report) -> list[tuple[str, int, int, float]]:
    """Results by the month of the last sale, UTC."""
    return groups(report, [utc(ms)[:7] for ms in report.trades.closed_ms.tolist()])


def csv_text(report: Report) -> str:
    """Every trade, then a total of each token, then that of all."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    t = report.trades
    for row in range(len(t)):
        opened, closed = int(t.opened_ms[row]), int(t.closed_ms[row])
        writer.writerow(("trade", row + 1, report.symbols[t.token[row]], report.strategy[row],
                         side_of(int(t.side[row])), report.confidence[row], utc(opened), utc(closed),
                         (closed - opened) // 60_000, f"{t.entry_price[row]:.12g}",
                         f"{t.exit_price[row]:.12g}", f"{t.quantity[row]:.12g}", money(int(t.cost[row])),
                         money(int(t.proceeds[row])), money(int(t.fees[row])), money(int(t.carry[row])),
                         money(int(t.pnl[row])),
                         f"{t.pnl_pct[row]:.4f}", t.hit[row], REASONS[int(t.reason[row])]))
    tokens = np.asarray(t.token)
    for token, symbol in enumerate(report.symbols):
        if (tokens == token).any():
            writer.writerow(_total(symbol, t, tokens == token))
    writer.writerow(_total("ALL", t, np.ones(len(t), np.bool_)))
    return out.getvalue()


def _total(name: str, t: Trades, mine: "np.ndarray[Any, np.dtype[np.bool_]]") -> tuple[Any, ...]:
    cost, pnl = int(t.cost[mine].sum()), int(t.pnl[mine].sum())
    pct = f"{pnl / cost * 100:.4f}" if cost else ""
    return ("total", int(mine.sum()), name, *[""] * 9, money(cost),
            money(int(t.proceeds[mine].sum())), money(int(t.fees[mine].sum())), money(int(t.carry[mine].sum())),
            money(pnl), pct, "", "")


def json_object(report: Report) -> dict[str, Any]:
    """Everything but the single trades and the curve."""
    return {
        "title": report.title, "span": report.span(), "symbols": list(report.symbols), "candles": report.candles,
        "metrics": {metric.name: _finite(metric.value) for metric in report.metrics},
        "units": {metric.name: metric.unit for metric in report.metrics},
        "definitions": {metric.name: metric.meaning for metric in report.metrics},
        "by_symbol": _named(by_symbol(report)), "by_reason": _named(by_reason(report)),
        "by_month": _named(by_month(report)), "by_strategy": _named(by_strategy(report)),
        "by_side": _named(by_side(report)),
        "monte_carlo": report.shuffled._asdict() if report.shuffled else None, "refused": report.refused,
        "folds": [{"begin": utc(fold.begin_ms), "learnt": fold.learnt, "judged": fold.judged,
                   "approved": fold.approved, "aside": fold.aside} for fold in report.folds],
        "without_models": {metric.name: _finite(metric.value) for metric in report.without},
        "data": dict(report.counted), "waived": list(report.waived), "settings": report.settings,
        "seconds": {name: round(value, 4) for name, value in report.seconds.items()},
    }


def _named(rows: list[tuple[str, int, int, float]]) -> list[dict[str, Any]]:
    return [{"name": name, "trades": count, "pnl_usdt": money(pnl), "won_pct": round(won, 2)}
            for name, count, pnl, won in rows]


def _finite(value: float) -> float | int | None:
    return value if math.isfinite(value) else None


def figure(metric: Metric) -> str:
    """A ratio's value: counts without decimals."""
    text = f"{metric.value:,.0f}" if isinstance(metric.value, int) else f"{metric.value:,.2f}"
    return text.removeprefix("-") if not text.strip("-0.") else text  # nothing has no sign


def short_text(report: Report) -> str:
    """A few lines for a terminal or a phone."""
    lines = [f"{report.title}, {report.span()}: {len(report.symbols)} tokens, "
             f"{report.candles:,} {report.walked}"]
    shown = ("result", "buy and hold", "deepest drawdown", "trades", "won", "mean trade", "mean trade ±",
             "profit factor", "Sharpe", "mean hold", "time in the market", "fees")
    for metric in report.metrics:
        if metric.name in shown and math.isfinite(metric.value):
            lines.append(f"  {metric.name:<19} {figure(metric)} {metric.unit}".rstrip())
    sides = by_side(report)
    for name, rows in (("exit", by_reason(report)), ("strategy", by_strategy(report)),
                       ("side", sides if len(sides) > 1 or report.trades.carry.any() else [])):
        lines += [f"  {name} {key:<14} {count:>6} trades {pnl / MONEY:>+12,.2f} USDT, won {won:.0f} %"
                  for key, count, pnl, won in rows]
    return "\n".join([*lines, *model_lines(report)])


def model_lines(report: Report) -> list[str]:
    """What the models did, fold by fold, and what the run would have been without them."""
    if not report.folds:
        return []
    lines = ["  models, fitted on the past of each fold (learnt from / judged / approved of those they may veto):"]
    lines += [f"    {utc(fold.begin_ms)[:10]} {fold.learnt:>7,} / {fold.judged:>6,} / {fold.approved:>6,}"
              + (f"  stands aside: {fold.aside}" if fold.aside else "") for fold in report.folds]
    with_models = {metric.name: metric.value for metric in report.metrics}
    for metric in report.without:
        if metric.name in ("result", "trades", "mean trade", "mean trade ±", "deepest drawdown", "profit factor"):
            lines.append(f"    {metric.name:<19} {with_models[metric.name]:,.2f} {metric.unit} with models, "
                         f"{metric.value:,.2f} {metric.unit} without".replace("  ", " ").replace(" with", " with"))
    return lines
