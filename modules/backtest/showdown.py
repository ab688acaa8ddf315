"""Backtest of system C (C16): recorded 1m candles and funding through the live stages, and simulated trades.

1. Every 5 minutes, with no trade open, `stages.run` decides from the candles closed by then: nothing else is known.
   A cheap look first leaves out instants at which the stages could only say flat (5m and 15m structure, momentum).
2. What is decided is followed by the live rules of execution (`positions`), one trade at a time; `showdown_fills` says
   what candles do to the orders, and what fills cost.
Figures are float: this is a simulation, no ledger.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from modules.backtest.showdown_fills import Trade, simulate, units_of
from modules.strategies.showdown import indicators, meta, positions, review, stages, structure
from modules.strategies.showdown.decision import Question
from modules.strategies.showdown.inputs import BARS_NEEDED, Inputs
from modules.strategies.showdown.records import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    OPEN_MS,
    TIMEFRAMES,
    Bars,
    Contract,
    Decision,
    Money,
    Opinion,
    Series,
)
from modules.strategies.showdown.settings import ShowdownSettings

MINUTE, FIVE, DAY, WEEK = 60_000, 300_000, 86_400_000, 604_800_000
WINDOW = 300
MONDAY = 4 * DAY
CONTRACT = Contract(tick="0.1", step="0.001", min_notional="100", max_quantity="1000", fee="0.0005")


@dataclass(frozen=True, slots=True)
class Result:
    """A run: trades, what was decided how often, and the candles it was over."""

    trades: tuple[Trade, ...]
    decided: int
    asked: int
    reasons: dict[str, int]
    equity: float
    minutes: Bars
    contract: Contract = CONTRACT


def contract_of(minutes: Bars, symbol: str) -> Contract:
    """Limits of a contract as its prices tell them: the tick from their decimals, a step worth at most 5 USDT."""
    if symbol == "BTCUSDT":
        return CONTRACT
    prices = minutes[:: max(1, len(minutes) // 5000), CLOSE]
    places = next((n for n in range(10) if np.allclose(prices, np.round(prices, n), rtol=0, atol=10.0 ** -(n + 3))), 10)
    digits = int(np.ceil(np.log10(max(float(np.median(prices)) / 5.0, 1e-9))))
    return Contract(tick=format(Decimal(1).scaleb(-places), "f"), step=format(Decimal(1).scaleb(-max(0, digits)), "f"),
                    min_notional="5", max_quantity="1000000000", fee="0.0005")


def joined(minutes: Bars, step: int) -> Bars:
    """Whole candles of `step` ms out of 1m candles (n, 7); one that lacks a minute is left out."""
    bucket = minutes[:, OPEN_MS] // step
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    counts = np.diff(np.append(starts, len(minutes)))
    whole = counts == step // MINUTE
    first, last = starts[whole], starts[whole] + counts[whole] - 1
    parts = [minutes[first, OPEN_MS], minutes[first, OPEN], np.maximum.reduceat(minutes[:, HIGH], starts)[whole],
             np.minimum.reduceat(minutes[:, LOW], starts)[whole], minutes[last, CLOSE],
             np.add.reduceat(minutes[:, 5], starts)[whole], np.add.reduceat(minutes[:, 6], starts)[whole]]
    return np.column_stack(parts)


Reviewer = Callable[[Question, Decision], Sequence[Opinion]]


def run(minutes: Bars, funding: Series, settings: ShowdownSettings, equity: float, contract: Contract = CONTRACT,
        reviewer: Reviewer | None = None) -> Result:
    """All decisions and trades over closed 1m candles (n, 7), ascending; `funding` (n, 2) settled rates.

    `reviewer` gives opinions of each trade, which pass through the live `review.apply`.
    """
    frames = {name: minutes if name == "1m" else joined(minutes, step) for name, step in TIMEFRAMES.items()}
    start = equity
    curve: list[tuple[int, float]] = []
    trades: list[Trade] = []
    reasons: dict[str, int] = {}
    busy_until, asked = 0, 0
    moments, units = promising(frames, settings), units_of(contract)
    for ms in moments:
        if ms < busy_until:
            continue
        asked += 1
        outcome = stages.run(_inputs(frames, funding, ms, equity, curve, start, contract), settings)
        opinions = reviewer(outcome.question, outcome.decision) if reviewer is not None else ()
        decision = review.apply(outcome.decision, opinions, contract)
        reasons[decision.reason] = reasons.get(decision.reason, 0) + 1
        if decision.action == "flat":
            continue
        followed = positions.followed(decision, ms, settings)
        trade = (simulate(minutes, funding, followed, units, settings) if isinstance(followed, positions.Trade)
                 else None)
        if trade is not None:
            trades.append(replace(trade, figures=tuple(meta.row(outcome.question, outcome.decision))))
            equity += trade.net
            curve.append((trade.exit_ms, equity))
            busy_until = trade.exit_ms
    return Result(tuple(trades), len(moments), asked, reasons, equity, minutes, contract)


def promising(frames: dict[str, Bars], settings: ShowdownSettings) -> list[int]:
    """Instants, multiples of 5 minutes, at which 5m and 15m agree and momentum of 5m suffices (rule 1)."""
    five = frames["5m"]
    closes = five[:, OPEN_MS].astype(np.int64) + FIVE
    fast, slow = _trend_at(five, FIVE, closes, settings), _trend_at(frames["15m"], TIMEFRAMES["15m"], closes, settings)
    ranges = indicators.atr(five, settings.atr_bars)
    n = settings.momentum_bars
    push = np.zeros(len(five))
    with np.errstate(invalid="ignore", divide="ignore"):
        push[n:] = np.tanh((five[n:, CLOSE] - five[:-n, CLOSE]) / (ranges[n:] * np.sqrt(n)))
    good = (fast == slow) & (fast != 0) & (fast * push >= 0.98 * settings.min_momentum)
    good &= closes >= frames["1h"][0, OPEN_MS] + (BARS_NEEDED + 1) * TIMEFRAMES["1h"] if len(frames["1h"]) else False
    return [int(ms) for ms in closes[good]]


def _trend_at(bars: Bars, step: int, at: NDArray[np.int64], settings: ShowdownSettings) -> NDArray[np.int8]:
    """1 up, −1 down, 0 else, as confirmed at each instant; a broken trend still counts here."""
    times, values = [0], [0]
    labels = {"high": "", "low": ""}
    for swing in structure.swings(bars, step, settings.swing_bars):
        labels[swing.kind] = swing.label
        times.append(swing.confirmed_ms)
        values.append({"HHHL": 1, "LHLL": -1}.get(labels["high"] + labels["low"], 0))
    place = np.searchsorted(np.array(times), at, side="right") - 1
    return np.array(values, dtype=np.int8)[place]


def _inputs(frames: dict[str, Bars], funding: Series, ms: int, equity: float, curve: Sequence[tuple[int, float]],
            start: float, contract: Contract = CONTRACT) -> Inputs:
    """What the live desk would have read at `ms`."""
    bars = {}
    for name, step in TIMEFRAMES.items():
        last = int(np.searchsorted(frames[name][:, OPEN_MS], ms - step, side="right"))
        bars[name] = frames[name][max(0, last - WINDOW):last]
    end = int(np.searchsorted(funding[:, 0], ms, side="right"))
    falls = []
    for since in (ms // DAY * DAY, (ms - MONDAY) // WEEK * WEEK + MONDAY):
        place = bisect_left(curve, (since,))  # in order of time: only the day's or week's own values are looked at
        before = curve[place - 1][1] if place else start
        peak = max([before, equity, *(value for _, value in curve[place:])])
        falls.append(round(100 * (peak - equity) / peak, 4))
    money = Money(equity=format(equity, ".2f"), day_drawdown_pct=falls[0], week_drawdown_pct=falls[1],
                  source="backtest")
    return Inputs("BTCUSDT", ms, bars, {"funding": funding[max(0, end - 3):end]}, {}, money, contract)
