"""What a run has made, as columns for people: trades with prices and money, and the account over time.

A trade is a position from its purchase to its last sale. Money columns are whole units of 1e-8 USDT until they are
printed, so that sums are exact.
"""

from dataclasses import dataclass

import numpy as np

from modules.backtest import arrays as a
from modules.backtest.arrays import Floats, Ints, Made, Series
from modules.strategies.hype import exits

REASONS = {exits.STOP: "stop", exits.BREAK_EVEN: "break_even", exits.TRAILING: "trailing", exits.TARGET: "target",
           exits.TIME: "time", a.SIGNAL: "signal", a.DELISTED: "delisted", a.END: "end_of_data"}


@dataclass(frozen=True, slots=True)
class Trades:
    """Arrays over trades in the order of entry. `hit`: targets reached. `reason`: code of the last sale.

    Of a short, `cost` is its margin and the fee, `proceeds` what came back of it, `carry` what it cost to be short.
    """

    token: Ints
    opened_ms: Ints
    closed_ms: Ints
    entry_price: Floats
    exit_price: Floats
    quantity: Floats
    cost: Ints
    proceeds: Ints
    fees: Ints
    pnl: Ints
    reason: Ints
    hit: Ints
    entry: Ints
    side: Ints
    carry: Ints

    def __len__(self) -> int:
        return len(self.token)

    @property
    def pnl_pct(self) -> Floats:
        """Result of each trade in percent of what it cost."""
        found: Floats = self.pnl / np.maximum(self.cost, 1) * 100.0
        return found


def trades_of(made: Made, series: Series, tick: Floats) -> Trades:
    """The trades; `tick` is the price of a tick of each token."""
    p, s = made.positions, made.sales
    count = len(p)
    value, fee, carry, last = (np.zeros(count, np.int64) for _ in range(4))
    np.add.at(value, s[:, a.S_POSITION], s[:, a.S_VALUE])
    np.add.at(fee, s[:, a.S_POSITION], s[:, a.S_FEE])
    np.add.at(carry, s[:, a.S_POSITION], s[:, a.S_CARRY])
    last[s[:, a.S_POSITION]] = np.arange(len(s))  # the last one written stays
    token, quantity = p[:, a.P_TOKEN], p[:, a.P_QUANTITY]
    unit = series.unit[token]
    steps = np.maximum(quantity, 1)
    bought = p[:, a.P_COST] - p[:, a.P_FEE]
    sold = np.where(p[:, a.P_SIDE] > 0, value, 2 * bought - value)
    ending = s[last] if count else np.zeros((0, a.S_COLUMNS), np.int64)
    return Trades(
        token=token, opened_ms=series.candles[a.TIME, p[:, a.P_AT]],
        closed_ms=series.candles[a.TIME, ending[:, a.S_AT]],
        entry_price=bought / steps / unit * tick[token], exit_price=sold / steps / unit * tick[token],
        quantity=quantity * unit / tick[token] / a.MONEY, cost=p[:, a.P_COST], proceeds=value - fee - carry,
        fees=p[:, a.P_FEE] + fee, pnl=value - fee - carry - p[:, a.P_COST], reason=ending[:, a.S_CODE],
        hit=ending[:, a.S_HIT], entry=p[:, a.P_SIGNAL],
        side=p[:, a.P_SIDE], carry=carry,
    )


def money_gap(trades: Trades, start: int, end: int) -> int:
    """start + Σ pnl − end in units; anything but 0 is a fault of the program."""
    return start + int(trades.pnl.sum()) - end


@dataclass(frozen=True, slots=True)
class Curve:
    """The account at the close of every candle time: USDT. `held` is what the positions are worth at that close."""

    time: Ints
    equity: Floats
    held: Floats
    hold: Floats


def curve_of(made: Made, series: Series, start: int) -> Curve:
    """Equity, worth of positions, and the same money bought and held evenly over all tokens, over time."""
    time = series.candles[a.TIME] if len(series.tokens) == 1 else np.unique(series.candles[a.TIME])
    cash = np.zeros(len(time), np.int64)
    for rows, at, change in ((made.positions, a.P_AT, -made.positions[:, a.P_COST]),
                             (made.sales, a.S_AT, made.sales[:, a.S_VALUE] - made.sales[:, a.S_FEE]
                              - made.sales[:, a.S_CARRY])):
        np.add.at(cash, np.searchsorted(time, series.candles[a.TIME, rows[:, at]]), change)
    held, hold = np.zeros(len(time)), np.zeros(len(time))
    for token, (begin, end) in enumerate(series.tokens[:, :2].tolist()):
        place = _newest(series.candles[a.TIME, begin:end], time)
        close = series.candles[a.CLOSE, begin:end]
        hold += np.where(place >= 0, close[np.maximum(place, 0)] / close[0], 1.0)
        held += _worth(made, token, begin, close, place, float(series.unit[token]))
    equity = (start + np.cumsum(cash) + held) / a.MONEY
    return Curve(time, equity, held / a.MONEY, hold / len(series.tokens) * start / a.MONEY)


def _newest(own: Ints, time: Ints) -> Ints:
    """The newest of a token's candles at each time; −1 before the first."""
    if len(own) == len(time):  # it has a candle at every time
        return np.arange(len(time))
    return np.searchsorted(own, time, side="right") - 1


def _worth(made: Made, token: int, begin: int, close: Ints, place: Ints, unit: float) -> Floats:
    """What is held of a token is worth at each time, in units; `place` is the newest candle then (−1: none).

    Of a short: its margin, and what it would gain or lose at that close.
    """
    mine = made.positions[:, a.P_TOKEN] == token
    if not mine.any():
        return np.zeros(len(place))
    p = made.positions[mine]
    s = made.sales[mine[made.sales[:, a.S_POSITION]]]
    change, margin = np.zeros(len(close), np.int64), np.zeros(len(close), np.int64)
    np.add.at(change, p[:, a.P_AT] - begin, p[:, a.P_QUANTITY] * p[:, a.P_SIDE])
    np.add.at(change, s[:, a.S_AT] - begin, -s[:, a.S_QUANTITY] * made.positions[s[:, a.S_POSITION], a.P_SIDE])
    short = p[:, a.P_SIDE] < 0
    np.add.at(margin, p[short, a.P_AT] - begin, p[short, a.P_COST] - p[short, a.P_FEE])
    np.add.at(margin, s[:, a.S_AT] - begin, -s[:, a.S_MARGIN])
    worth = np.cumsum(change) * close.astype(np.float64) * unit + 2.0 * np.cumsum(margin)
    found: Floats = np.where(place >= 0, worth[np.maximum(place, 0)], 0.0)
    return found
