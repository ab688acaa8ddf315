"""The usual ratios of a run, each with its definition, and what chance alone would make of its trades.

Ratios over time are of daily equity (UTC) and a year of 365 days, without a risk-free rate.
"""

from typing import NamedTuple

import numpy as np

from modules.backtest.arrays import MONEY, Floats
from modules.backtest.trades import Curve, Trades

DAY_MS = 86_400_000
YEAR_DAYS = 365.0
RUNS = 1000
LEAST_RUNS = 200
CELLS = 3_000_000  # trades drawn in all runs together; many trades need fewer runs for the same certainty
CHUNK_CELLS = 250_000


class Metric(NamedTuple):
    """A figure for people: NaN where it cannot be told."""

    name: str
    value: float
    unit: str
    meaning: str


def metrics(trades: Trades, curve: Curve, start: float) -> list[Metric]:
    """All ratios of a run, in the order in which they are shown."""
    return [*_of_account(curve, start), *_of_trades(trades), *_of_time(trades, curve)]


def drawdown(equity: Floats) -> Floats:
    """How far each value lies below the highest before it, as a share from 0 to −1."""
    peak = np.maximum.accumulate(equity)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(peak > 0, equity / peak - 1.0, 0.0)
    return found


def daily(curve: Curve) -> Floats:
    """Equity at the end of every UTC day, the start before them; days without a candle keep the value before."""
    day = curve.time // DAY_MS
    places = np.searchsorted(day, np.arange(day[0], day[-1] + 1), side="right") - 1
    found: Floats = curve.equity[places]
    return found


def _of_account(curve: Curve, start: float) -> list[Metric]:
    end, days = float(curve.equity[-1]), float(curve.time[-1] - curve.time[0]) / DAY_MS
    fall = drawdown(np.concatenate(([start], curve.equity)))
    worst = float(-fall.min()) * 100.0
    ratio = end / start
    grown = (ratio ** (YEAR_DAYS / days) - 1.0) * 100.0 if days >= 1 and ratio > 0 else float("nan")
    ends = np.concatenate(([start], daily(curve)))
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = np.diff(ends) / ends[:-1]
    spread, below = _deviation(returns), float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    mean = float(returns.mean())
    return [
        Metric("start", start, "USDT", "cash at the start"),
        Metric("end", end, "USDT", "cash at the end; everything is sold"),
        Metric("result", (ratio - 1) * 100.0, "%", "end against start, all costs paid"),
        Metric("buy and hold", (float(curve.hold[-1]) / start - 1) * 100.0, "%",
               "the same money spread evenly over all tokens at their first candle, held to the end, without costs"),
        Metric("growth a year", grown, "%", "result as if it went on for 365 days (CAGR)"),
        Metric("deepest drawdown", worst, "%", "largest fall of equity from its highest before, at candle closes"),
        Metric("longest drawdown", _longest(fall, curve), "days", "longest time below the highest equity before"),
        Metric("Sharpe", _ratio(mean, spread), "", "mean daily return over its standard deviation × √365"),
        Metric("Sortino", _ratio(mean, below), "", "mean daily return over the root mean square of its falls × √365"),
        Metric("Calmar", grown / worst if worst > 0 else float("nan"), "", "growth a year over the deepest drawdown"),
        Metric("volatility", spread * np.sqrt(YEAR_DAYS) * 100.0, "%", "standard deviation of daily returns × √365"),
    ]


def _of_trades(trades: Trades) -> list[Metric]:
    nan = float("nan")
    pnl, count = trades.pnl / MONEY, len(trades)
    won, lost = pnl[pnl > 0], pnl[pnl <= 0]
    pct = trades.pnl_pct
    risk = _deviation(pct)
    return [
        Metric("trades", count, "", "positions opened and closed"),
        Metric("won", len(won) / count * 100.0 if count else nan, "%", "trades that ended above zero after all costs"),
        Metric("profit factor", float(won.sum() / -lost.sum()) if lost.sum() < 0 else nan, "",
               "sum of gains over sum of losses"),
        Metric("mean trade", float(pct.mean()) if count else nan, "%", "mean result of a trade, of its cost"),
        Metric("mean trade ±", 1.96 * risk / np.sqrt(count) if count > 1 else nan, "%",
               "95 % interval of that mean (normal); if it reaches across zero, the mean is no better than chance"),
        Metric("median trade", float(np.median(pct)) if count else nan, "%", "half the trades did better"),
        Metric("mean gain", float(won.mean()) if len(won) else nan, "USDT", "of the trades that won"),
        Metric("mean loss", float(lost.mean()) if len(lost) else nan, "USDT", "of those that lost"),
        Metric("best trade", float(pct.max()) if count else nan, "%", "of its cost"),
        Metric("worst trade", float(pct.min()) if count else nan, "%", "of its cost"),
        Metric("SQN", float(np.sqrt(count) * pct.mean() / risk) if risk > 0 else nan, "",
               "√trades × mean trade over its standard deviation (Van Tharp)"),
        Metric("losses in a row", _streak(pnl <= 0), "", "longest run of losing trades, by purchase"),
        Metric("fees", float(trades.fees.sum() / MONEY), "USDT", "paid on both sides"),
        Metric("cost of shorts", float(trades.carry.sum() / MONEY), "USDT", "borrowing or funding while short"),
    ]


def _of_time(trades: Trades, curve: Curve) -> list[Metric]:
    hold = (trades.closed_ms - trades.opened_ms) / 3_600_000
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(curve.equity > 0, curve.held / curve.equity, 0.0)
    return [
        Metric("mean hold", float(hold.mean()) if len(hold) else float("nan"), "h",
               "from the candle of purchase to the candle of the last sale"),
        Metric("time in the market", float((curve.held > 0).mean()) * 100.0, "%", "candle closes with a position open"),
        Metric("mean exposure", float(share.mean()) * 100.0, "%", "worth of positions over equity, mean of all closes"),
    ]


class Shuffled(NamedTuple):
    """Percentiles 5, 25, 50, 75, 95 over the runs, in percent. `lost` is the share of resampled runs that lose."""

    drawdowns: list[float]
    results: list[float]
    lost: float
    runs: int


def shuffle(trades: Trades, start: float, runs: int = RUNS, seed: int = 7) -> Shuffled | None:
    """Monte Carlo of trade order; None for fewer than two trades.

    Drawdowns: the same trades in a random order, of the account after each trade. Results: as many trades drawn with
    replacement. Money of each trade as it was; sizes do not grow with the account.
    """
    pnl = trades.pnl / MONEY
    if len(pnl) < 2:
        return None
    runs = max(min(runs, CELLS // len(pnl)), min(runs, LEAST_RUNS))
    rng = np.random.default_rng(seed)
    falls, ends = np.empty(runs), np.empty(runs)
    step = max(CHUNK_CELLS // len(pnl), 1)
    for begin in range(0, runs, step):
        some = slice(begin, min(begin + step, runs))
        size = some.stop - begin
        order = rng.permuted(np.broadcast_to(pnl, (size, len(pnl))), axis=1)
        equity = start + np.concatenate((np.zeros((size, 1)), np.cumsum(order, axis=1)), axis=1)
        peak = np.maximum.accumulate(equity, axis=1)
        falls[some] = ((peak - equity) / peak).max(axis=1) * 100.0
        ends[some] = rng.choice(pnl, (size, len(pnl))).sum(axis=1) / start * 100.0
    at = (5, 25, 50, 75, 95)
    return Shuffled(np.percentile(falls, at).tolist(), np.percentile(ends, at).tolist(),
                    float((ends < 0).mean()) * 100.0, runs)


def _deviation(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _ratio(mean: float, spread: float) -> float:
    return mean / spread * float(np.sqrt(YEAR_DAYS)) if spread > 0 else float("nan")


def _longest(fall: Floats, curve: Curve) -> float:
    """Days of the longest stretch below the peak; `fall` has the start before the curve's values."""
    time = np.concatenate((curve.time[:1], curve.time))
    high = np.where(fall >= 0, time, 0)
    return float((time - np.maximum.accumulate(high)).max()) / DAY_MS


def _streak(flags: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> int:
    longest = run = 0
    for flag in flags.tolist():
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest
