"""What a trial is worth: objectives and limits over a table of days.

All are of realised results by UTC day, on an account that begins each segment with `start` USDT; a year has 365 days.
Every objective is "more is better". Tables may carry leading axes, (…, days, 5): a bootstrap scores all at once.
"""

from collections.abc import Callable

import numpy as np

from modules.backtest.arrays import Floats
from modules.backtest.optimise.arena import COUNT, GAIN, PCT, PNL, WON

YEAR_DAYS = 365.0


def net(table: Floats, start: float) -> Floats:
    """USDT earned, all costs paid."""
    found: Floats = table[..., PNL].sum(axis=-1)
    return found


def net_per_trade(table: Floats, start: float) -> Floats:
    """Mean result of a trade, % of its cost."""
    return _over(table[..., PCT].sum(axis=-1), table[..., COUNT].sum(axis=-1))


def sharpe(table: Floats, start: float) -> Floats:
    """Mean daily result over its standard deviation × √365."""
    daily = table[..., PNL] / start
    return _over(daily.mean(axis=-1), daily.std(axis=-1)) * np.sqrt(YEAR_DAYS)


def sortino(table: Floats, start: float) -> Floats:
    """Mean daily result over the root mean square of its falls × √365."""
    daily = table[..., PNL] / start
    below = np.sqrt((np.minimum(daily, 0.0) ** 2).mean(axis=-1))
    return _over(daily.mean(axis=-1), below) * np.sqrt(YEAR_DAYS)


def drawdown_pct(table: Floats, start: float) -> Floats:
    """Deepest fall of start + Σ results from its highest before, % of that (no objective: less is better)."""
    equity = start + np.concatenate((np.zeros((*table.shape[:-2], 1)), table[..., PNL].cumsum(axis=-1)), axis=-1)
    peak = np.maximum.accumulate(equity, axis=-1)
    found: Floats = ((peak - equity) / peak).max(axis=-1) * 100.0
    return found


def calmar(table: Floats, start: float) -> Floats:
    """Result of a year, % of the start, over the deepest drawdown (at least 0.1 %)."""
    yearly = net(table, start) / start * 100.0 * YEAR_DAYS / table.shape[-2]
    found: Floats = yearly / np.maximum(drawdown_pct(table, start), 0.1)
    return found


def profit_factor(table: Floats, start: float) -> Floats:
    """Sum of gains over sum of losses."""
    gains = table[..., GAIN].sum(axis=-1)
    return _over(gains, gains - table[..., PNL].sum(axis=-1))


def low_drawdown(table: Floats, start: float) -> Floats:
    """The deepest drawdown with its sign turned: more is better."""
    found: Floats = -drawdown_pct(table, start)
    return found


def win_rate(table: Floats, start: float) -> Floats:
    """Trades that ended above zero, %."""
    return _over(table[..., WON].sum(axis=-1), table[..., COUNT].sum(axis=-1)) * 100.0


OBJECTIVES: dict[str, Callable[[Floats, float], Floats]] = {
    "net_per_trade": net_per_trade, "net": net, "sharpe": sharpe, "sortino": sortino, "calmar": calmar,
    "profit_factor": profit_factor, "drawdown": low_drawdown, "win_rate": win_rate,
}
UNITS = {"net_per_trade": "% a trade", "net": "USDT", "sharpe": "", "sortino": "", "calmar": "", "profit_factor": "",
         "drawdown": "%", "win_rate": "%"}


def _over(value: Floats, by: Floats) -> Floats:
    """value / by; 0 where there is nothing to divide by: no trades are no result."""
    value, by = np.asarray(value, float), np.asarray(by, float)
    found: Floats = np.divide(value, by, out=np.zeros_like(value), where=by > 1e-12)
    return found


def violations(table: Floats, start: float, min_trades: int, max_drawdown_pct: float) -> tuple[float, float]:
    """How far a trial is beyond its limits; 0 or less: kept. (trades missing, drawdown too deep)"""
    return (float(min_trades - table[:, COUNT].sum()),
            float(drawdown_pct(table, start)) - max_drawdown_pct if max_drawdown_pct else 0.0)


def front(values: Floats) -> list[int]:
    """Rows of (n, objectives) that no other row beats in all objectives (Pareto)."""
    keep = []
    for row, value in enumerate(values):
        better = (values >= value).all(axis=1) & (values > value).any(axis=1)
        if not better.any():
            keep.append(row)
    return keep


def best(values: Floats) -> int:
    """The row to take: the best, or of several objectives the one of the front with the best mean rank."""
    if values.shape[1] == 1:
        return int(values[:, 0].argmax())
    ranks = values.argsort(axis=0).argsort(axis=0).mean(axis=1)
    chosen = front(values)
    return max(chosen, key=lambda row: float(ranks[row]))
