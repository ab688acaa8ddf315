"""``backtest signals --ticks``: what the signal bot would have sent on recorded frames, followed to each end."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from modules.backtest import arrays as a
from modules.backtest.metrics import metrics, shuffle
from modules.backtest.report import Report
from modules.backtest.ticks import signal_trial as st
from modules.backtest.ticks.looks import AT, LOW_LAST, T_MS, T_PRICE, Floats, Looks, gather
from modules.backtest.ticks.settings import TickSettings
from modules.backtest.ticks.tape import TapeError
from modules.backtest.trades import Curve, Trades
from modules.strategies.hype import exits
from modules.strategies.signals import follow, stats
from modules.strategies.signals.settings import SignalSettings
from modules.strategies.signals.stats import Done

Groups = Mapping[str, BaseModel]
SHARE = 0.1  # of the start, each signal's size: results are of the signals, not of a way to size them
STEP_MS = 60_000
CLASSES = ("HIGH", "MEDIUM", "LOW")
SEED = 7
_REASONS = {follow.STOPPED: exits.STOP, follow.FIRST: exits.TARGET, follow.SECOND: exits.TARGET,
            follow.EXPIRED: exits.TIME}


def backtest_signals(paths: Sequence[Path], symbols: Sequence[str], groups: Groups, candles: Mapping[str, Floats],
                     tell: Callable[[float, str], None] = lambda share, what: None) -> Report:
    """One whole run over all symbols. Raises TapeError, CaptureError."""
    own, ticks = groups["signals"], groups["ticks"]
    assert isinstance(own, SignalSettings) and isinstance(ticks, TickSettings)
    began = time.perf_counter()
    gathered = gather(paths, symbols, own, own.imbalance, round(ticks.look_ms), candles, tell)
    if not any(len(one.trades) for one in gathered):
        raise TapeError("the files hold no trade of these symbols")
    seconds = {"read": time.perf_counter() - began}
    began = time.perf_counter()
    terms = st.terms_of(own)
    found = [st.run(one.looks, one.trades, one.tick, terms) for one in gathered]
    seconds["loop"] = time.perf_counter() - began
    ended = [rows[rows[:, st.ENDED] != follow.OPEN] for rows in found]
    unfinished = sum(len(rows) for rows in found) - sum(len(rows) for rows in ended)
    trades, strategy = _trades(ended, ticks, own)
    curve = _curve(gathered, trades, ticks)
    counted = sum((one.counted for one in gathered), Counter[str]())
    counted["signals that had not ended when the recording did (left out)"] = unfinished
    return Report(
        title="Backtest signals on ticks", symbols=[one.symbol for one in gathered], trades=trades, strategy=strategy,
        confidence=(np.concatenate([rows[:, st.QUALITY] for rows in ended]) / 100).tolist()[:len(trades)],
        curve=curve, metrics=metrics(trades, curve, ticks.start_usdt), shuffled=shuffle(trades, ticks.start_usdt),
        refused={}, candles=sum(one.seen for one in gathered), seconds=seconds,
        settings={f"{group}.{key}": value for group in ("ticks", "signals")
                  for key, value in groups[group].model_dump().items()},
        waived=assumed(gathered, found, own, ticks), counted=+counted, walked="looks")


def assumed(gathered: Sequence[Looks], found: Sequence[Floats], own: SignalSettings, ticks: TickSettings) -> list[str]:
    """What was taken for granted, and the control group beside the signals."""
    spans = [(float(one.trades[0, T_MS]), float(one.trades[-1, T_MS])) for one in gathered if len(one.trades)]
    minutes = (max(end for _, end in spans) - min(begin for begin, _ in spans)) / 60_000
    told = [f"each symbol is looked at every {ticks.look_ms:g} ms of market time at most (live: at every change)",
            "the limits of a day, correlation, hold-backs, pauses and demotions are not applied; one signal of a "
            "symbol at a time is",
            f"size {SHARE:.0%} of the start each; results as the bot follows its own signals, fee {own.fee_pct:g} % a "
            "side", versus_control(gathered, found, own)]
    context = sum(int(np.isnan(one.looks[:, 5]).sum()) for one in gathered)
    if context:
        told.append(f"{context:,} looks had no candles for VWAP, average volume and ATR (--candles FILE gives earlier "
                    "ones): none of them can be a signal")
    if minutes < 24 * 60:
        told.append(f"{minutes:.1f} minutes are no proof of anything: use days")
    return told


def versus_control(gathered: Sequence[Looks], found: Sequence[Floats], own: SignalSettings) -> str:
    """One line: n and 90 % intervals of signals and of the same exits from random times (D10)."""
    rng, mine, other = np.random.default_rng(SEED), list[Done](), list[Done]()
    for one, rows in zip(gathered, found, strict=True):
        rows = rows[rows[:, st.ENDED] != follow.OPEN]
        span = own.control_within_h * 3_600_000
        starts = rows[:, st.BEGUN, None] + rng.random((len(rows), own.controls)) * span
        nets = st.controls(one.trades, rows, starts, one.tick, st.terms_of(own))
        mine += [_done(one.symbol, row[st.NET_R], row) for row in rows]
        other += [_done(one.symbol, net, row) for row, group in zip(rows, nets, strict=True) for net in group
                  if not np.isnan(net)]
    text = []
    for name, group in (("signals", mine), ("control", other)):
        figures = stats.figures(group)
        low, high = figures.r_between
        between = f" [{low:+.2f}, {high:+.2f}]" if figures.count > 1 else ""
        text.append(f"{figures.count} {name}" + (f", {figures.mean_r:+.2f} R each{between}, "
                                                 f"{figures.win_rate:.0%} won" if figures.count else ""))
    few = min(len(mine), len(other)) < 30
    return "; ".join(text) + (" (90 % intervals); too few for a verdict" if few else " (90 % intervals)")


def _done(symbol: str, net_r: float, row: Floats) -> Done:
    return Done(symbol, CLASSES[int(row[st.CLASS])], False, int(row[st.BEGUN]), int(row[st.CLOSED]), "", float(net_r),
                0.0)


def _trades(found: Sequence[Floats], ticks: TickSettings, own: SignalSettings) -> tuple[Trades, list[str]]:
    """Signals as trades of one size, in the order of their beginning."""
    token = np.concatenate([np.full(len(rows), place, np.int64) for place, rows in enumerate(found)])
    rows = np.concatenate(list(found)).reshape(-1, st.S_COLUMNS)
    order = np.argsort(rows[:, st.BEGUN], kind="stable")
    token, rows = token[order], rows[order]
    cost = np.full(len(rows), round(ticks.start_usdt * SHARE * a.MONEY), np.int64)
    pnl = np.rint(rows[:, st.NET_PCT] / 100 * cost).astype(np.int64)
    gross = rows[:, st.NET_PCT] + 2 * own.fee_pct
    fees = np.rint(cost * (own.fee_pct / 100 * 2)).astype(np.int64)
    side = rows[:, st.SIDE].astype(np.int64)
    reason = np.array([exits.BREAK_EVEN if row[st.HIT] and row[st.ENDED] == follow.STOPPED
                       else _REASONS[int(row[st.ENDED])] for row in rows], np.int64)
    zero = np.zeros(len(rows), np.int64)
    made = Trades(
        token=token, opened_ms=rows[:, st.BEGUN].astype(np.int64), closed_ms=rows[:, st.CLOSED].astype(np.int64),
        entry_price=rows[:, st.ENTRY], exit_price=rows[:, st.ENTRY] * (1 + side * gross / 100),
        quantity=cost / a.MONEY / np.maximum(rows[:, st.ENTRY], 1e-12), cost=cost, proceeds=cost + pnl, fees=fees,
        pnl=pnl, reason=reason, hit=rows[:, st.HIT].astype(np.int64) + (rows[:, st.ENDED] == follow.SECOND),
        entry=np.arange(len(rows)), side=side, carry=zero)
    return made, [CLASSES[int(row[st.CLASS])] for row in rows]


def _curve(gathered: Sequence[Looks], trades: Trades, ticks: TickSettings) -> Curve:
    """Equity by the signals' ends, each minute, beside the same money held evenly in all symbols."""
    sizes = [one.trades for one in gathered if len(one.trades)]
    first, last = min(rows[0, T_MS] for rows in sizes), max(rows[-1, T_MS] for rows in sizes)
    grid = np.arange(first // STEP_MS, last // STEP_MS + 2).astype(np.int64) * STEP_MS
    by_end = np.argsort(trades.closed_ms, kind="stable")
    earned = np.concatenate(([0.0], np.cumsum(trades.pnl[by_end]) / a.MONEY))
    equity = ticks.start_usdt + earned[np.searchsorted(trades.closed_ms[by_end], grid, side="right")]
    size = ticks.start_usdt * SHARE
    held = size * (np.searchsorted(np.sort(trades.opened_ms), grid, side="right")
                   - np.searchsorted(np.sort(trades.closed_ms), grid, side="right"))
    hold = np.zeros(len(grid))
    for rows in sizes:
        at = np.maximum(np.searchsorted(rows[:, T_MS], grid, side="right") - 1, 0)
        hold += rows[at, T_PRICE] / rows[0, T_PRICE]
    return Curve(grid, equity, held.astype(float), ticks.start_usdt * hold / len(sizes))


def span_of(gathered: Sequence[Looks]) -> tuple[int, int]:
    """First and last market ms of all that was gathered."""
    times = [rows[[0, -1], column] for one in gathered for rows, column in
             ((one.looks, AT), (one.looks, LOW_LAST), (one.trades, T_MS)) if len(rows)]
    seen = np.concatenate(times)
    return int(seen[seen > 0].min()), int(seen.max())
