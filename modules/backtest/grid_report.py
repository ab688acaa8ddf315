"""What the grid's runs on candles come to in the form of every other backtest: trades, curve, ratios.

A trade is an entry of a grid, from its order to the one that closed it: a single exit closes the furthest entry, every
other closing all of the side. Funding is in the curve and told apart: it is paid on a side, not on an entry.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.backtest import arrays as a
from modules.backtest.metrics import metrics, shuffle
from modules.backtest.report import Report
from modules.backtest.trades import Curve, Trades
from modules.strategies.grid.past import Costs, Result
from modules.strategies.hype import exits

if TYPE_CHECKING:
    from modules.backtest.frames import Frame

OPENING = (5, 6)
SINGLE = 1
STEP_MS = 3_600_000
REASONS = {1: exits.TARGET, 2: exits.TARGET, 3: exits.TARGET, 4: exits.STOP, 7: exits.STOP, 8: exits.STOP, 0: a.END}
COLUMNS = 11


def report_of(results: Sequence[Result], frames: "Sequence[Frame]", costs: Costs, names: dict[int, str],
              assumed: Sequence[str], settings: dict[str, Any], seconds: dict[str, float]) -> Report:
    """All contracts as one report, each with its own balance."""
    times = {frame.symbol: frame.time for frame in frames}
    rows = [row for token, result in enumerate(results) for row in entries(token, result, times[result.symbol], costs)]
    rows.sort(key=lambda row: row[1])
    trades, why = _trades(rows), [names.get(row[9], "END") for row in rows]
    curve, start = _curve(results, times), costs.balance * len(results)
    funding = sum(result.funding for result in results)
    return Report(
        title="Backtest grid", symbols=[result.symbol for result in results], trades=trades, strategy=why,
        confidence=[1.0] * len(rows), curve=curve, metrics=metrics(trades, curve, start),
        shuffled=shuffle(trades, start), refused=dict(sum((Counter(result.refused) for result in results), Counter())),
        candles=sum(result.candles for result in results), seconds=seconds, settings=settings,
        waived=[*assumed, f"funding of {funding:+.2f} USDT is in the curve, not in the trades"])


def entries(token: int, result: Result, times: Any, costs: Costs) -> list[tuple[int, ...]]:
    """One contract's trades: token, opened, closed, side, steps, cost, value and fees in units, entry, code, exit."""
    unit = float(result.scale.money) * a.MONEY
    held: dict[int, list[tuple[int, int, int, int]]] = {1: [], -1: []}  # price, steps, ms, fee
    rows: list[tuple[int, ...]] = []

    def close(side: int, lots: list[tuple[int, int, int, int]], price: int, ms: int, code: int, fee: int) -> None:
        whole = max(sum(lot[1] for lot in lots), 1)
        for entry, steps, opened, paid in lots:
            rows.append((token, opened, ms, side, steps, round(entry * steps * unit), round(price * steps * unit),
                         round((paid + fee * steps / whole) * unit), entry, code, price))

    for candle, code, side, steps, price, _, fee, _ in result.deals.tolist():
        ms = int(times[candle])
        if code in OPENING:
            held[side].append((price, steps, ms, fee))
            continue
        for each in (side,) if side else (1, -1):
            lots = held[each]
            if code == SINGLE:
                furthest = min(range(len(lots)), key=lambda at: (each * lots[at][0], at))
                gone = [lots.pop(furthest)]
            else:
                gone, held[each] = lots, []
            close(each, gone, price, ms, code, fee)
    last, fee_share = round(result.last / float(result.scale.price)), costs.fee_pct / 100
    for side, lots in held.items():
        fee = round(sum(lot[1] for lot in lots) * last * fee_share)
        close(side, lots, last, int(times[result.candles - 1]), 0, fee)
    return rows


def _trades(rows: Sequence[tuple[int, ...]]) -> Trades:
    columns = np.array(rows, np.int64).reshape(-1, COLUMNS)
    token, opened, closed, side, steps, cost, value, fees, entry, code, out = columns.T
    pnl = side * (value - cost) - fees
    zero = np.zeros(len(rows), np.int64)
    reason = np.array([REASONS.get(int(one), a.SIGNAL) for one in code], np.int64)
    return Trades(token=token, opened_ms=opened, closed_ms=closed, entry_price=entry.astype(np.float64),
                  exit_price=out.astype(np.float64), quantity=steps.astype(np.float64), cost=cost, proceeds=cost + pnl,
                  fees=fees, pnl=pnl, reason=reason, hit=zero, entry=np.arange(len(rows)), side=side, carry=zero)


def _curve(results: Sequence[Result], times: dict[str, Any]) -> Curve:
    """Equity of all contracts each hour, beside the same money bought and held evenly."""
    first = min(int(times[result.symbol][0]) for result in results)
    last = max(int(times[result.symbol][result.candles - 1]) for result in results)
    grid = np.arange(first // STEP_MS + 1, last // STEP_MS + 2, dtype=np.int64) * STEP_MS
    equity, hold = np.zeros(len(grid)), np.zeros(len(grid))
    for result in results:
        at = np.searchsorted(times[result.symbol], grid, side="left") - 1
        equity += np.where(at >= 0, result.curve[np.clip(at, 0, len(result.curve) - 1)], result.start)
        close = result.closes[np.clip(at, 0, len(result.closes) - 1)]
        hold += result.start * np.where(at >= 0, close / result.first, 1.0)
    return Curve(grid, equity, np.zeros(len(grid)), hold)
