"""Order flow of one contract, message by message (B3): windows that cost the same however long they are.

Prices and quantities are whole units as the feed has them and sums are whole numbers: what is taken in and let go
never drifts, so every figure equals its batch form (`flow_batch.py`) exactly. With bids and asks, buys and sells
swapped (prices mirrored) every signed figure changes its sign and every other one stays.

1. A window holds what is not older than it; an event's time is never before that of the one taken in before it.
2. Order-flow imbalance of a change of the best prices (Cont, Kukanov, Stoikov 2014, "The Price Impact of Order Book
   Events", eq. 2.3): e = [Pb ≥ Pb'] qb − [Pb ≤ Pb'] qb' − [Pa ≤ Pa'] qa + [Pa ≥ Pa'] qa', ' being the state before.
   The figure is Σe ÷ Σ|e| over the window.
3. Microprice (Gatheral, Oomen; Stoikov 2018, first term): (Pa qb + Pb qa) ÷ (qb + qa), told as its distance from the
   mid in bps and, as a part of the score, in half spreads.
4. Short volatility: √Σ(Δmid)² of the window ÷ mid, in bps.
5. A window is whole when nothing inside it can be missing: `whole_from` moves with every hole.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modules.strategies.scalper.terms import Terms
from utils.compiled import kernel, part

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DEPTH = 20
# Rows of `levels`, best first
BID_PRICE, BID_QTY, ASK_PRICE, ASK_QTY = range(4)
# Cells
(KNOWN, PB, QB, PA, QA, C_FROM, C_TO, T_FROM, T_TO, T_FAST, E_SUM, E_ABS, SQUARES, BUYS, SELLS, L_BUYS, L_SELLS, CVD,
 C_MS, T_MS, WHOLE_FROM, NOW) = range(22)
CELLS = 22
# Features
(IMB_1, IMB_5, IMB_10, IMB_20, MICRO_BPS, MICRO, OFI, DELTA, SPEED, SPEED_RATIO, TRADES, LARGE_RESTING, LARGE_TRADED,
 SPREAD_BPS, VOLATILITY_BPS, MID2) = range(16)
FEATURES = 16
NAMES = ("imbalance_1", "imbalance_5", "imbalance_10", "imbalance_20", "micro_bps", "micro", "ofi", "delta", "speed",
         "speed_ratio", "trades", "large_resting", "large_traded", "spread_bps", "volatility_bps", "mid2")
SIGNED = (IMB_1, IMB_5, IMB_10, IMB_20, MICRO_BPS, MICRO, OFI, DELTA, LARGE_RESTING, LARGE_TRADED)
NEVER = 1 << 62


class Flow(NamedTuple):
    """One contract. `changes` (n, 4): ms, e, |e|, (2 Δmid)²; `trades` (n, 3): ms, price × quantity (sold: negative), 1
    if large. Rings: the oldest go first, and what had to go too early makes the window not whole."""

    cells: Ints
    changes: Ints
    trades: Ints


def empty(size: int = 8192) -> Flow:
    """Nothing heard yet; `size` events of each kind at most."""
    cells = np.zeros(CELLS, np.int64)
    cells[WHOLE_FROM] = NEVER
    return Flow(cells, np.zeros((size, 4), np.int64), np.zeros((size, 3), np.int64))


@part
def ratio(up: float, down: float) -> float:
    """(up − down) ÷ (up + down), 0 of nothing."""
    return (up - down) / (up + down) if up + down > 0 else 0.0


@kernel
def hole(flow: Flow, ms: int) -> None:
    """Events up to `ms` may be missing; what was known of the best prices is forgotten."""
    cells = flow.cells
    cells[KNOWN] = 0
    cells[WHOLE_FROM] = max(ms, cells[WHOLE_FROM]) if cells[WHOLE_FROM] != NEVER else ms


@part
def drop_change(flow: Flow) -> None:
    """Let the oldest change go."""
    cells, row = flow.cells, flow.cells[C_FROM] % len(flow.changes)
    cells[E_SUM] -= flow.changes[row, 1]
    cells[E_ABS] -= flow.changes[row, 2]
    cells[SQUARES] -= flow.changes[row, 3]
    cells[C_FROM] += 1


@part
def drop_trade(flow: Flow) -> None:
    """Let the oldest trade go."""
    cells, row = flow.cells, flow.cells[T_FROM] % len(flow.trades)
    worth, large = flow.trades[row, 1], flow.trades[row, 2]
    if worth > 0:
        cells[BUYS] -= worth
        cells[L_BUYS] -= worth * large
    else:
        cells[SELLS] += worth
        cells[L_SELLS] += worth * large
    cells[T_FROM] += 1
    cells[T_FAST] = max(cells[T_FAST], cells[T_FROM])


@kernel
def on_trade(flow: Flow, terms: Terms, ms: int, price: int, qty: int, sold: int) -> None:
    """The next trade; `sold`: 1 where the taker sold."""
    cells = flow.cells
    if cells[WHOLE_FROM] == NEVER:
        cells[WHOLE_FROM] = ms
    ms = max(ms, cells[T_MS])  # rule 1
    cells[T_MS] = ms
    if cells[T_TO] - cells[T_FROM] >= len(flow.trades):
        cells[WHOLE_FROM] = max(cells[WHOLE_FROM], flow.trades[cells[T_FROM] % len(flow.trades), 0] + 1)
        drop_trade(flow)
    worth, row = price * qty, cells[T_TO] % len(flow.trades)
    large = 1 if worth >= terms.large_units else 0
    flow.trades[row, 0], flow.trades[row, 1], flow.trades[row, 2] = ms, -worth if sold == 1 else worth, large
    cells[T_TO] += 1
    if sold == 1:
        cells[SELLS] += worth
        cells[L_SELLS] += worth * large
        cells[CVD] -= worth
    else:
        cells[BUYS] += worth
        cells[L_BUYS] += worth * large
        cells[CVD] += worth


@kernel
def on_book(flow: Flow, ms: int, bid: int, bid_qty: int, ask: int, ask_qty: int) -> None:
    """The best prices after a message, rule 2."""
    cells = flow.cells
    if cells[WHOLE_FROM] == NEVER:
        cells[WHOLE_FROM] = ms
    pb, qb, pa, qa = cells[PB], cells[QB], cells[PA], cells[QA]
    known = cells[KNOWN]
    cells[KNOWN], cells[PB], cells[QB], cells[PA], cells[QA] = 1, bid, bid_qty, ask, ask_qty
    if known == 0 or (pb == bid and qb == bid_qty and pa == ask and qa == ask_qty):
        return
    change = 0
    if bid >= pb:
        change += bid_qty
    if bid <= pb:
        change -= qb
    if ask <= pa:
        change -= ask_qty
    if ask >= pa:
        change += qa
    ms = max(ms, cells[C_MS])
    cells[C_MS] = ms
    if cells[C_TO] - cells[C_FROM] >= len(flow.changes):
        cells[WHOLE_FROM] = max(cells[WHOLE_FROM], flow.changes[cells[C_FROM] % len(flow.changes), 0] + 1)
        drop_change(flow)
    row, moved = cells[C_TO] % len(flow.changes), bid + ask - pb - pa
    flow.changes[row, 0], flow.changes[row, 1] = ms, change
    flow.changes[row, 2], flow.changes[row, 3] = abs(change), moved * moved
    cells[C_TO] += 1
    cells[E_SUM] += change
    cells[E_ABS] += abs(change)
    cells[SQUARES] += moved * moved


@kernel
def let_go(flow: Flow, terms: Terms, now_ms: int) -> None:
    """What is older than the windows at `now_ms`, rule 1."""
    cells = flow.cells
    cells[NOW] = max(cells[NOW], now_ms)
    oldest, fast = cells[NOW] - terms.flow_ms, cells[NOW] - terms.fast_ms
    while cells[C_FROM] < cells[C_TO] and flow.changes[cells[C_FROM] % len(flow.changes), 0] < oldest:
        drop_change(flow)
    while cells[T_FROM] < cells[T_TO] and flow.trades[cells[T_FROM] % len(flow.trades), 0] < oldest:
        drop_trade(flow)
    while cells[T_FAST] < cells[T_TO] and flow.trades[cells[T_FAST] % len(flow.trades), 0] < fast:
        cells[T_FAST] += 1


@kernel
def whole(flow: Flow, terms: Terms) -> bool:
    """The window is known without a hole (rule 5)."""
    return bool(flow.cells[WHOLE_FROM] != NEVER and flow.cells[NOW] - flow.cells[WHOLE_FROM] >= terms.flow_ms)


@part
def large_side(levels: Ints, row: int, factor: float) -> float:
    """Quantity of one side's levels above `factor` × their average."""
    total, count = 0, 0
    for at in range(DEPTH):
        if levels[row, at] > 0:
            total += levels[row, at]
            count += 1
    found = 0
    for at in range(DEPTH):
        if levels[row, at] * count > factor * total:
            found += levels[row, at]
    return float(found)


@kernel
def features(flow: Flow, terms: Terms, levels: Ints, now_ms: int, out: Floats) -> None:
    """All figures at `now_ms` into `out`. `levels` (4, DEPTH): the best levels of both sides, 0 where there is none."""
    let_go(flow, terms, now_ms)
    cells = flow.cells
    bids, asks = 0, 0
    for at in range(DEPTH):
        bids += levels[BID_QTY, at]
        asks += levels[ASK_QTY, at]
        if at == 0:
            out[IMB_1] = ratio(bids, asks)
        elif at == 4:
            out[IMB_5] = ratio(bids, asks)
        elif at == 9:
            out[IMB_10] = ratio(bids, asks)
    out[IMB_20] = ratio(bids, asks)
    bid, ask = levels[BID_PRICE, 0], levels[ASK_PRICE, 0]
    qb, qa = levels[BID_QTY, 0], levels[ASK_QTY, 0]
    middle2 = bid + ask
    out[MID2] = middle2
    out[SPREAD_BPS] = (ask - bid) * 2e4 / middle2 if middle2 > 0 else 0.0
    out[MICRO] = ratio(qb, qa)  # rule 3: half a spread × this lies between mid and microprice
    out[MICRO_BPS] = out[MICRO] * out[SPREAD_BPS] / 2
    out[OFI] = cells[E_SUM] / cells[E_ABS] if cells[E_ABS] > 0 else 0.0
    out[DELTA] = ratio(cells[BUYS], cells[SELLS])
    slow, fast = cells[T_TO] - cells[T_FROM], cells[T_TO] - cells[T_FAST]
    out[TRADES] = slow
    out[SPEED] = fast * 1000 / terms.fast_ms
    out[SPEED_RATIO] = fast * terms.flow_ms / (slow * terms.fast_ms) if slow > 0 else 0.0
    out[LARGE_RESTING] = ratio(large_side(levels, BID_QTY, terms.large_level),
                               large_side(levels, ASK_QTY, terms.large_level))
    out[LARGE_TRADED] = ratio(cells[L_BUYS], cells[L_SELLS])
    out[VOLATILITY_BPS] = math.sqrt(cells[SQUARES]) * 1e4 / middle2 if middle2 > 0 else 0.0


def told(out: "Floats | list[float]", **more: Any) -> dict[str, Any]:
    """The features by name, for people and records."""
    return {name: round(float(value), 4) for name, value in zip(NAMES[:-1], out, strict=False)} | more
