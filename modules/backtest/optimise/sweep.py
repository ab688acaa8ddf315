"""Hundreds of RSI rule sets over one token in one compiled pass each: the grid stage of the ``rsi`` strategy.

The rules are those of rsi.py and the engine, for one token and one position at a time: buys at the open after the RSI
fell below its bar; target and stop from the signal's close, looked at from the candle of entry on; the open first, the
stop before the target within a candle; sells at the open after the RSI stood above the other bar. A test holds every
trade, to the unit of money, equal to the engine's. Whatever it cannot express (`fits`) goes through the engine.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modules.backtest import arrays as a
from modules.backtest import book as b
from modules.backtest.arrays import Floats, Ints, Series, Terms
from modules.backtest.settings import BacktestSettings, RsiSettings
from utils.compiled import kernel

PPM = 1_000_000
# Columns of the trades of a sweep.
W_ENTRY, W_EXIT, W_COST, W_PNL = range(4)
W_COLUMNS = 4
CHUNK = 64


class Rule(NamedTuple):
    """One rule set; `goal` and `stop` as factors on the signal's close, 0 for none."""

    buy: float
    sell: float
    goal: float
    stop: float


@kernel
def cost_of(series: Series, terms: Terms, at: int, cash: int) -> tuple[int, int]:
    """(steps, cost with its fee) of a purchase at the open of row `at`; (0, 0) where the account refuses it."""
    unit = series.unit[0]
    if series.quote[at] <= 0.0:
        return 0, 0
    ask = series.candles[a.OPEN, at] * (1.0 + terms.half_spread_ppm / PPM)
    size = min(terms.trade_size, terms.max_token) // b.CENT * b.CENT
    price = ask * (1.0 + b.slippage_ppm(terms, size, series.quote[at]) / PPM)
    steps = int(size / (unit * price))
    if steps <= 0 or steps * ask < series.tokens[0, a.K_LEAST]:
        return 0, 0
    value = int(math.ceil(steps * price * unit - b.NOISE))
    cost = value + b.fee_of(value, terms.fee_ppm)
    return (steps, cost) if cost <= cash else (0, 0)


@kernel
def got_from(series: Series, terms: Terms, at: int, look: int, steps: int) -> int:
    """What a sale at row `at` and the price `look` brings, its fee paid."""
    unit = series.unit[0]
    moved = b.slippage_ppm(terms, steps * float(look) * unit, series.quote[at])
    value = int(steps * (look * (1.0 - terms.half_spread_ppm / PPM) * (1.0 - moved / PPM)) * unit + b.NOISE)
    return value - b.fee_of(value, terms.fee_ppm)


@kernel
def leave(series: Series, rsi: Floats, at: int, end: int, goal: int, stop: int, sell: float) -> tuple[int, int]:
    """(row, price looked at) of the sale of what was bought at the open of `at`; row `end` where the data end."""
    opened, high, low = series.candles[a.OPEN], series.candles[a.HIGH], series.candles[a.LOW]
    row = at
    while row < end and low[row] > stop and high[row] < goal and (row == at or not rsi[row - 1] > sell):
        row += 1
    if row == end:
        return end, int(series.candles[a.CLOSE, end - 1])
    if row > at and rsi[row - 1] > sell:
        return row, int(opened[row])
    if opened[row] <= stop or opened[row] >= goal:  # a gap fills at the gap
        return row, int(opened[row])
    return row, (stop if low[row] <= stop else goal)


@kernel
def one_rule(series: Series, close: Floats, rsi: Floats, scale: float, rule: Rule, terms: Terms, begin: int, end: int,
             out: Ints) -> int:
    """All trades of one rule set within rows [begin, end); returns how many."""
    cash, made, row = terms.start, 0, max(begin, 1)
    while row < end:
        if not (rsi[row - 1] < rule.buy and row > 1 and not rsi[row - 2] < rule.buy):
            row += 1
            continue
        steps, cost = cost_of(series, terms, row, cash)
        if steps == 0:
            row += 1
            continue
        price = close[row - 1]
        goal = int(np.rint(price * rule.goal * scale)) if rule.goal > 0.0 else a.NEVER
        stop = int(np.rint(price * rule.stop * scale)) if rule.stop > 0.0 else 0
        at, look = leave(series, rsi, row, end, goal, stop, rule.sell)
        got = got_from(series, terms, min(at, end - 1), look, steps)
        cash += got - cost
        trade = out[made]
        trade[W_ENTRY], trade[W_EXIT], trade[W_COST], trade[W_PNL] = row, min(at, end - 1), cost, got - cost
        made += 1
        row = at + 1
    return made


@kernel
def many_rules(series: Series, close: Floats, rsis: Floats, scale: float, rules: Floats, which: Ints, terms: Terms,
               begin: int, end: int, out: Ints, counts: Ints) -> None:
    """`one_rule` for rows of `rules` (n, 4); `which` tells each one's row of `rsis`."""
    for place in range(len(rules)):
        rule = Rule(rules[place, 0], rules[place, 1], rules[place, 2], rules[place, 3])
        counts[place] = one_rule(series, close, rsis[which[place]], scale, rule, terms, begin, end, out[place])


def fits(series: Series, terms: Terms, costs: BacktestSettings) -> bool:
    """Whether the sweep can express the account: one token, trades of a fixed size, filled at the next open."""
    return len(series.tokens) == 1 and terms.share_ppm == 0 and costs.latency_bars == 1


def sweep(series: Series, close: Floats, rsis: Floats, which: Ints, wanted: Sequence[RsiSettings], terms: Terms,
          scale: float, begin: int, end: int) -> list[Ints]:
    """Trades (n, 4) of every rule set, in order, bought in rows [begin, end) and sold by the last of them.

    `close`: as in the file; `scale`: ticks of a price of one; `rsis`: (periods, candles); `which`: for every rule set
    the row of its period.
    """
    rules = np.array([(each.rsi_buy, each.rsi_sell, 1 + each.target_pct / 100 if each.target_pct else 0.0,
                       1 - each.stop_pct / 100 if each.stop_pct else 0.0) for each in wanted], float).reshape(-1, 4)
    most = max((int(np.count_nonzero(np.diff((rsis[row] < buy).astype(np.int8)) == 1))
                for row, buy in {(int(row), float(buy)) for row, buy in zip(which, rules[:, 0], strict=True)}),
               default=0) + 1
    found: list[Ints] = []
    room = np.empty((min(CHUNK, len(rules)), most, W_COLUMNS), np.int64)
    counts = np.zeros(len(room), np.int64)
    for first in range(0, len(rules), max(len(room), 1)):
        some = slice(first, min(first + len(room), len(rules)))
        many_rules(series, close, rsis, scale, rules[some], which[some], terms, begin, end, room, counts)
        found += [room[place, :counts[place]].copy() for place in range(some.stop - some.start)]
    return found
