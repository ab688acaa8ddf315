"""One run of the signal bot's rules over looks (looks.py): the live functions, compiled, from conditions to the end of
each signal. Limits of D8 across symbols, pauses and demotions are not part of it; one signal of a symbol at a time is.
"""

from typing import NamedTuple

import numpy as np

from modules.backtest.ticks.looks import (
    ASK,
    AT,
    ATR,
    BID,
    HIGH,
    LEAN,
    LOW,
    LOW_FIRST,
    LOW_LAST,
    MID,
    PACE,
    T_MS,
    T_PRICE,
    T_QUOTE,
    T_SOLD,
    TRADES,
    VWAP,
    Floats,
)
from modules.strategies.signals import rules
from modules.strategies.signals.follow import EXPIRED, OPEN, net_of, touched
from modules.strategies.signals.settings import SignalSettings
from utils.compiled import kernel

# Columns of a signal. ENDED is OPEN where the recording ended first. HIT: TP1 was reached.
BEGUN, CLOSED, SIDE, ENTRY, STOP, TARGET1, TARGET2, EXIT, HIT, ENDED, NET_R, NET_PCT, QUALITY, CLASS = range(14)
S_COLUMNS = 14
MOST = 200_000


class Terms(NamedTuple):
    """The settings of a run in plain numbers."""

    window_ms: float
    need_lean: float
    large_usdt: float
    need_large: int
    need_volume: float
    quality_low: int
    quality_medium: int
    quality_high: int
    rearm_ms: float
    atr_factor: float
    max_stop_pct: float
    tp1_r: float
    tp2_r: float
    tp1_share: float
    breakeven: bool
    fee_pct: float
    hold_high_ms: float
    hold_medium_ms: float
    hold_low_ms: float


def terms_of(s: SignalSettings) -> Terms:
    """Settings as a run takes them."""
    hold = [minutes * 60_000.0 for minutes in s.hold_min]
    return Terms(float(int(s.window_s * 1000)), s.imbalance, s.large_trade_usdt, s.large_trades, s.intensity,
                 s.quality_low, s.quality_medium, s.quality_high, s.rearm_s * 1000.0, s.atr_factor, s.max_stop_pct,
                 s.tp1_r, s.tp2_r, s.tp1_share, s.breakeven, s.fee_pct, hold[0], hold[1], hold[2])


@kernel
def followed(trades: Floats, first: int, begun: float, expires: float, side: int, entry: float, stop: float, tp1: float,
             tp2: float, tp1_share: float, breakeven: bool) -> tuple[int, float, float, float, bool]:
    """(how it ended, when, gross %, last price, TP1 reached) of what begins before trade `first`; OPEN where the trades
    end first. The live rules of following (follow.py)."""
    left, gross, stop_now, hit, last = 1.0, 0.0, stop, False, entry
    for row in range(first, len(trades)):
        ms, price = trades[row, T_MS], trades[row, T_PRICE]
        if ms > expires:
            return EXPIRED, expires, gross + left * (last - entry) * side / entry * 100, last, hit
        if ms < begun:
            continue
        last = price
        stop_now, left, gross, hit, ended = touched(side, entry, stop_now, tp1, tp2, left, gross, hit, price, tp1_share,
                                                    breakeven)
        if ended != OPEN:
            return ended, ms, gross, price, hit
    return OPEN, trades[len(trades) - 1, T_MS] if len(trades) else begun, gross, last, hit


@kernel
def run(looks: Floats, trades: Floats, tick: float, t: Terms) -> Floats:
    """All signals (n, S_COLUMNS) of one symbol, in order."""
    found = np.empty((min(len(looks), MOST), S_COLUMNS))
    count, episode, gone, free_at = 0, 0, 0.0, 0.0
    low, high, buys, sells = 0, 0, 0, 0
    for i in range(len(looks)):
        now = looks[i, AT]
        if looks[i, LOW_FIRST] > 0 and episode != 0:  # looks in between that no setting would pass
            gone = looks[i, LOW_FIRST] if gone == 0 else gone
            if looks[i, LOW_LAST] - gone >= t.rearm_ms:
                episode, gone = 0, 0.0
        while high < int(looks[i, TRADES]):
            large = 1 if trades[high, T_QUOTE] >= t.large_usdt else 0
            if trades[high, T_SOLD] > 0:
                sells += large
            else:
                buys += large
            high += 1
        while low < high and trades[low, T_MS] < now - t.window_ms:
            large = 1 if trades[low, T_QUOTE] >= t.large_usdt else 0
            if trades[low, T_SOLD] > 0:
                sells -= large
            else:
                buys -= large
            low += 1
        side, code = rules.met(looks[i, LEAN], buys, sells, looks[i, PACE], looks[i, MID], looks[i, VWAP], t.need_lean,
                               t.need_large, t.need_volume)
        score = rules.quality(looks[i, LEAN], looks[i, PACE], buys if side > 0 else sells) if code == rules.FINE else 0
        if code != rules.FINE or score < t.quality_low:
            if episode != 0:
                gone = now if gone == 0 else gone
                if now - gone >= t.rearm_ms:
                    episode, gone = 0, 0.0
            continue
        gone = 0.0
        swing = looks[i, LOW] if side > 0 else looks[i, HIGH]
        if np.isnan(looks[i, ATR]) or np.isnan(swing):
            continue
        entry = looks[i, ASK] if side > 0 else looks[i, BID]
        risk = rules.risk_of(side, entry, looks[i, ATR], swing, t.atr_factor, t.max_stop_pct)
        if risk <= 0 or episode == side or now < free_at or count >= len(found):
            continue
        stop, tp1, tp2 = rules.levels_of(side, entry, risk, t.tp1_r, t.tp2_r, tick)
        if min(stop, tp1, tp2) <= 0:
            continue
        episode = side
        grade = 0 if score >= t.quality_high else 1 if score >= t.quality_medium else 2
        hold = t.hold_high_ms if grade == 0 else t.hold_medium_ms if grade == 1 else t.hold_low_ms
        ended, closed, gross, last, hit = followed(trades, int(looks[i, TRADES]), now, now + float(int(hold)), side,
                                                   entry, stop, tp1, tp2, t.tp1_share, t.breakeven)
        net_r, net_pct = net_of(side, entry, stop, gross, t.fee_pct)
        free_at = closed
        found[count] = np.array((now, closed, float(side), entry, stop, tp1, tp2, last, 1.0 if hit else 0.0,
                                 float(ended), net_r, net_pct, float(score), float(grade)))
        count += 1
    return found[:count]


@kernel
def controls(trades: Floats, signals: Floats, starts: Floats, tick: float, t: Terms) -> Floats:
    """Net R (n, m) of the control group: the exits of signal n from the m times of `starts`, entered at the last trade
    before; NaN where the trades end first."""
    found = np.full(starts.shape, np.nan)
    for i in range(len(signals)):
        side, entry = int(signals[i, SIDE]), signals[i, ENTRY]
        risk = abs(entry - signals[i, STOP])
        grade = signals[i, CLASS]
        hold = t.hold_high_ms if grade == 0 else t.hold_medium_ms if grade == 1 else t.hold_low_ms
        for j in range(starts.shape[1]):
            first = np.searchsorted(trades[:, T_MS], starts[i, j])
            if first == 0 or first >= len(trades):
                continue
            at = trades[first - 1, T_PRICE]
            stop, tp1, tp2 = rules.levels_of(side, at, risk / entry * at, abs(signals[i, TARGET1] - entry) / risk,
                                             abs(signals[i, TARGET2] - entry) / risk, tick)
            ended, _, gross, _, _ = followed(trades, first, starts[i, j], starts[i, j] + float(int(hold)), side, at,
                                             stop, tp1, tp2, t.tp1_share, t.breakeven)
            if ended != OPEN:
                found[i, j] = net_of(side, at, stop, gross, t.fee_pct)[0]
    return found
