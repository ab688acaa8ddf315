"""The scalper tick by tick: the live flow windows, judgement, limits and exits on recorded trades and depth (B7).

1. A message is judged as live (`rules.look`): the trades that arrived go into the windows, then the trader's book.
   What arrives within LOOK_NS is looked at together. Without news nothing is judged again, as live.
2. A signal sends a limit order at the best price; after `wait_s` it is cancelled, and taken once at a price cap where
   it still stands and is worth a taker's fees (trader.py, rule 2). `rules.limit` asks the same limits as live.
3. A position leaves by `rules.exit_of` at the price that an exit would get, with a reduce-only market order.
4. Indicators come from closed 1m candles of the tape's own trades. A recording that is too short for them is scalped
   without: their weights are 0, and ATR is √(60 s ÷ window) × the short volatility. The report says so.
5. Sentiment is what the record says was known at that instant (scalper_play.py).
"""

from typing import NamedTuple

import numpy as np

from modules.backtest import arrays as ba
from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.arena import LO_ASK, LO_AT, LO_BID, LO_DOUBT, O_KNOWN, POSITION, RESTS, Arena, Ints, T
from modules.backtest.ticks.engine import advance_to, cancel, row_of, submit
from modules.backtest.ticks.tape import TRADE
from modules.strategies.hype import exits
from modules.strategies.scalper import flow as fl
from modules.strategies.scalper import rules
from modules.strategies.scalper.flow import Floats, Flow
from modules.strategies.scalper.terms import Terms
from utils.compiled import kernel, part

LOOK_NS = 20_000_000
FARTHEST = 4_000  # ticks that the best levels are looked for in
MINUTE_MS, DAY_MS = 60_000, 86_400_000
# Cells of `account` (floats): what the limits need
A_START, A_MAX_USDT, A_RISK, A_WAIT_NS, A_TAKER, A_CHASE_BPS, A_MOST_LOSS, A_A_DAY, A_COOL_MS, A_COOL_LOSS_MS, A_UNIT, \
    A_MAKER, A_TAKES = range(13)
REASONS = (0, exits.STOP, exits.TARGET, exits.TIME, ba.SIGNAL)  # of HOLD, STOP, TARGET, TIME, FLIP
# What a run keeps from look to look: whole numbers, then floats
(ORDER, SIDE, FIRST, SENT, CHASED, WANTED, HELD, DEADLINE, FREE_MS, DAY, TODAY, BLIND, SINCE, MINUTE, MOOD) = range(15)
KEPT = 15
STOP_BPS, STOP, TAKE, LOST = range(4)
REALS = 4
DOUBT, TOO_SMALL, NOT_FILLED = -1, 31, 34  # the last two as in reasons.Code


class Known(NamedTuple):
    """What comes from beside the book: contexts (n, CONTEXT) and moods (n, 2: score, 1 where there is one), each with
    the ms at which it was known."""

    contexts: Floats
    at_ms: Ints
    moods: Floats
    mood_ms: Ints


class Now(NamedTuple):
    """One look."""

    levels: Ints
    features: Floats
    parts: Floats
    context: Floats


@part
def take_levels(bids: Ints, asks: Ints, base: int, bid: int, ask: int, levels: Ints) -> None:
    """The best levels of the trader's book as `flow.features` wants them."""
    levels[:, :] = 0
    seen, at = 0, bid
    while at >= 0 and seen < fl.DEPTH and bid - at < FARTHEST:
        if bids[at] > 0:
            levels[fl.BID_PRICE, seen], levels[fl.BID_QTY, seen] = at + base, bids[at]
            seen += 1
        at -= 1
    seen, at = 0, ask
    while at < len(asks) and seen < fl.DEPTH and at - ask < FARTHEST:
        if asks[at] > 0:
            levels[fl.ASK_PRICE, seen], levels[fl.ASK_QTY, seen] = at + base, asks[at]
            seen += 1
        at += 1


@part
def take_trades(a: Arena, flow: Flow, terms: Terms, since: int) -> int:
    """Trades that arrived since row `since` of the order of arrival; the next row."""
    for row in range(since, a.now[LO_AT]):
        message = a.order[row]
        if a.kind[message] == TRADE:
            key = a.key[a.begin[message]]
            fl.on_trade(flow, terms, a.exch[message] // 1_000_000, abs(key), a.qty[a.begin[message]],
                        0 if key < 0 else 1)
    return int(a.now[LO_AT])


@kernel
def money_since(a: Arena, since: int, account: Floats) -> float:
    """USDT that the fills from row `since` on brought, fees paid (a flat position's result)."""
    total = 0.0
    for row in range(since, a.now[ar.FILLS]):
        worth = a.fills[row, ar.F_PRICE] * a.fills[row, ar.F_QTY] * account[A_UNIT]
        total -= a.fills[row, ar.F_SIDE] * worth
        if a.fills[row, ar.F_SIDE] != 0:
            total -= worth * (account[A_MAKER] if a.fills[row, ar.F_MAKER] == 1 else account[A_TAKES])
    return total


@kernel
def size_of(price: int, stop_bps: float, account: Floats) -> int:
    """Steps: risk ÷ stop distance, capped (sizing.quantity_of)."""
    worth = min(account[A_RISK] / (stop_bps / 1e4), account[A_MAX_USDT])
    return int(worth / (price * account[A_UNIT]))


@kernel
def entered(a: Arena, since: int) -> float:
    """Average price, in ticks, of the fills from row `since` on."""
    value, qty = 0.0, 0
    for row in range(since, a.now[ar.FILLS]):
        value += a.fills[row, ar.F_PRICE] * a.fills[row, ar.F_QTY]
        qty += a.fills[row, ar.F_QTY]
    return value / max(qty, 1)


@part
def look_at(a: Arena, flow: Flow, terms: Terms, known: Known, keep: Ints, now: Now) -> int:
    """What arrived since the last look goes into windows, context and levels; the judgement, or DOUBT."""
    keep[SINCE] = take_trades(a, flow, terms, keep[SINCE])
    now_ms = a.now[T] // 1_000_000
    while keep[MINUTE] < len(known.at_ms) and known.at_ms[keep[MINUTE]] <= now_ms:
        now.context[:4] = known.contexts[keep[MINUTE], :4]
        keep[MINUTE] += 1
    while keep[MOOD] < len(known.mood_ms) and known.mood_ms[keep[MOOD]] <= now_ms:
        now.context[rules.X_SENTIMENT] = known.moods[keep[MOOD], 0]
        now.context[rules.X_HAS_SENTIMENT] = known.moods[keep[MOOD], 1]
        keep[MOOD] += 1
    bid, ask = a.now[LO_BID], a.now[LO_ASK]
    if a.now[LO_DOUBT] == 1 or bid < 0 or ask >= len(a.lo_asks):
        if keep[BLIND] == 0:
            fl.hole(flow, now_ms)
        keep[BLIND] = 1
        return DOUBT
    keep[BLIND] = 0
    take_levels(a.lo_bids, a.lo_asks, a.base, bid, ask, now.levels)
    fl.on_book(flow, now_ms, bid + a.base, a.lo_bids[bid], ask + a.base, a.lo_asks[ask])
    if len(known.at_ms) == 0:  # rule 4
        now.context[rules.X_ATR_BPS] = (max(now.features[fl.VOLATILITY_BPS], 0.01)
                                        * (MINUTE_MS / terms.flow_ms) ** 0.5)
    return rules.look(flow, terms, now.levels, now_ms, now.context, now.features, now.parts)


@part
def order_waits(a: Arena, terms: Terms, account: Floats, keep: Ints, real: Floats, now: Now, code: int,
                counts: Ints) -> bool:
    """Rule 2: an order that is under way, or its end and what follows; False where the look may go on."""
    flat = keep[HELD] == 0
    if a.orders[row_of(a, keep[ORDER]), O_KNOWN] <= RESTS:
        if flat and keep[CHASED] == 0 and a.now[T] - keep[SENT] > account[A_WAIT_NS]:
            cancel(a, keep[ORDER])
        return True
    keep[ORDER] = 0
    flat = flat and a.now[POSITION] == 0
    side = keep[SIDE]
    if flat and keep[CHASED] == 0 and account[A_TAKER] > 0 and code == rules.OK and \
            now.parts[rules.SCORE] * side > 0 and \
            rules.worth_it(terms, now.parts[rules.SCORE], now.context[rules.X_ATR_BPS],
                           now.features[fl.SPREAD_BPS], False):
        touch = (a.now[LO_ASK] if side > 0 else a.now[LO_BID]) + a.base
        cap = round(keep[WANTED] * (1 + side * account[A_CHASE_BPS] / 1e4))
        if (touch - cap) * side <= 0:
            keep[CHASED] = 1
            keep[ORDER] = submit(a, side, ar.IOC, cap, size_of(touch, real[STOP_BPS], account))
            return True
    if flat:
        counts[NOT_FILLED] += 1
        keep[TODAY] -= 1
    return False


@part
def ended(a: Arena, account: Floats, keep: Ints, real: Floats) -> None:
    """The position is gone: its result counts for the day, and the contract cools down."""
    result = money_since(a, keep[FIRST], account)
    real[LOST] -= result
    keep[FREE_MS] = a.now[T] // 1_000_000 + int(account[A_COOL_MS] if result > 0 else account[A_COOL_LOSS_MS])
    keep[HELD] = 0


@part
def enter(a: Arena, terms: Terms, account: Floats, keep: Ints, real: Floats, now: Now, counts: Ints) -> None:
    """A signal: the limits, then a limit order at the best price (rule 2)."""
    now_ms = a.now[T] // 1_000_000
    if now_ms // DAY_MS != keep[DAY]:
        keep[DAY], keep[TODAY], real[LOST] = now_ms // DAY_MS, 0, 0.0
    limit = rules.limit(now_ms, keep[FREE_MS], keep[TODAY], int(account[A_A_DAY]), 0, 1, real[LOST] / account[A_START],
                        account[A_MOST_LOSS])
    if limit != rules.OK:
        counts[limit] += 1
        return
    keep[SIDE] = 1 if now.parts[rules.SCORE] > 0 else -1
    keep[WANTED] = (a.now[LO_BID] if keep[SIDE] > 0 else a.now[LO_ASK]) + a.base
    real[STOP_BPS] = rules.stop_bps(terms, now.context[rules.X_ATR_BPS])
    qty = size_of(keep[WANTED], real[STOP_BPS], account)
    if qty < 1:
        counts[TOO_SMALL] += 1
        return
    counts[rules.OK] += 1
    keep[TODAY] += 1
    keep[FIRST], keep[SENT], keep[CHASED] = a.now[ar.FILLS], a.now[T], 0
    keep[ORDER] = submit(a, keep[SIDE], ar.LIMIT, keep[WANTED], qty)


@part
def leave(a: Arena, terms: Terms, keep: Ints, real: Floats, found: float) -> None:
    """Rule 3. `found`: the score, 0 where there is no valid judgement."""
    position, now_ms, side = a.now[POSITION], a.now[T] // 1_000_000, keep[SIDE]
    if keep[HELD] == 0:
        keep[HELD] = abs(position)
        entry = entered(a, keep[FIRST])
        away = max(entry * real[STOP_BPS] / 1e4, 1.0)
        real[STOP], real[TAKE] = entry - side * away, entry + side * max(away * terms.take_r, 1.0)
        keep[DEADLINE] = now_ms + terms.hold_ms
    price = float((a.now[LO_BID] if position > 0 else a.now[LO_ASK]) + a.base)
    why = rules.exit_of(side, real[STOP], real[TAKE], keep[DEADLINE], price, now_ms, found, terms)
    if why != rules.HOLD:
        keep[ORDER] = submit(a, -side, ar.MARKET, int(price), abs(position), 1, REASONS[why])


@kernel
def idle_until(a: Arena) -> int:
    """When the next look is due where neither an order nor a position needs one: at the next message, or by LOOK_NS."""
    due = a.now[T] + LOOK_NS
    at = a.now[LO_AT]
    return max(due, a.local[a.order[at]]) if at < len(a.kind) else due


@kernel
def run(a: Arena, flow: Flow, terms: Terms, known: Known, account: Floats, until_ns: int, counts: Ints) -> int:
    """The tape until `until_ns`. `counts`: refusals by code of reasons.Code; returns looks left out because the book
    was in doubt.
    """
    now = Now(np.zeros((4, fl.DEPTH), np.int64), np.zeros(fl.FEATURES), np.zeros(rules.PARTS), np.zeros(rules.CONTEXT))
    keep, real = np.zeros(KEPT, np.int64), np.zeros(REALS)
    doubtful, code, heard = 0, rules.NOT_WHOLE, -1
    while a.now[T] < until_ns:
        busy = keep[ORDER] > 0 or a.now[POSITION] != 0
        if not advance_to(a, a.now[T] + LOOK_NS if busy else idle_until(a)):
            break
        news = a.now[LO_AT] != heard
        if news:
            heard = a.now[LO_AT]
            code = look_at(a, flow, terms, known, keep, now)
        if code == DOUBT:
            doubtful += news
            continue
        if keep[ORDER] > 0 and order_waits(a, terms, account, keep, real, now, code, counts):
            continue
        if a.now[POSITION] != 0:
            sound = code == rules.OK or code == rules.WEAK or code == rules.COST
            leave(a, terms, keep, real, now.parts[rules.SCORE] if sound else 0.0)
            continue
        if keep[HELD] != 0:
            ended(a, account, keep, real)
        if not news:
            continue
        if code != rules.OK:
            counts[code] += 1
        else:
            enter(a, terms, account, keep, real, now, counts)
    return doubtful
