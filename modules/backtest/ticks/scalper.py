"""The scalper tick by tick: the live flow windows, judgement, limits and exits on recorded trades and depth (B7).

1. Every LOOK_NS the trades that arrived go into the windows, then the trader's book; `rules.look` judges as live.
2. A signal sends a limit order at the best price; after `wait_s` it is cancelled, and taken once at a price cap where
   it still stands and is worth a taker's fees (trader.py, rule 2). `rules.limit` asks the same limits as live.
3. A position leaves by `rules.exit_of` at the price that an exit would get, with a reduce-only market order.
4. Indicators come from closed 1m candles of the tape's own trades. A recording that is too short for them is scalped
   without: their weights are 0, and ATR is √(60 s ÷ window) × the short volatility. The report says so.
"""

import numpy as np

from modules.backtest import arrays as ba
from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.arena import LO_ASK, LO_AT, LO_BID, LO_DOUBT, O_KNOWN, POSITION, RESTS, Arena, Ints, T
from modules.backtest.ticks.engine import advance, cancel, row_of, submit
from modules.backtest.ticks.tape import TRADE, Tape
from modules.strategies.hype import exits
from modules.strategies.scalper import flow as fl
from modules.strategies.scalper import indicators, rules
from modules.strategies.scalper.flow import Floats, Flow
from modules.strategies.scalper.settings import ScalperSettings
from modules.strategies.scalper.terms import Terms, terms_of
from utils.compiled import kernel, part

LOOK_NS = 20_000_000
FARTHEST = 4_000  # ticks that the best levels are looked for in
MINUTE_MS, DAY_MS = 60_000, 86_400_000
# Cells of `account` (floats): what the limits need
A_START, A_MAX_USDT, A_RISK, A_WAIT_NS, A_TAKER, A_CHASE_BPS, A_MOST_LOSS, A_A_DAY, A_COOL_MS, A_COOL_LOSS_MS, A_UNIT, \
    A_MAKER, A_TAKES = range(13)
REASONS = (0, exits.STOP, exits.TARGET, exits.TIME, ba.SIGNAL)  # of HOLD, STOP, TARGET, TIME, FLIP


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


@kernel
def run(a: Arena, flow: Flow, terms: Terms, contexts: Floats, known_ms: Ints, without: bool, account: Floats,  # noqa: C901
        counts: Ints) -> int:
    """The whole tape. `counts`: refusals by code of reasons.Code; returns looks left out because the book was in doubt.
    """
    levels, features, parts = np.zeros((4, fl.DEPTH), np.int64), np.zeros(fl.FEATURES), np.zeros(rules.PARTS)
    context = np.zeros(rules.CONTEXT)
    order, side, first, sent, chased = 0, 0, 0, 0, 0
    wanted, stop_bps, stop, take, deadline = 0, 0.0, 0.0, 0.0, 0
    since, minute, doubtful, held = 0, 0, 0, 0
    free_ms, day, today, lost, epoch = 0, 0, 0, 0.0, False
    while advance(a, LOOK_NS):
        since = take_trades(a, flow, terms, since)
        now_ms = a.now[T] // 1_000_000
        while minute < len(known_ms) and known_ms[minute] <= now_ms:
            context[:] = contexts[minute]
            minute += 1
        bid, ask = a.now[LO_BID], a.now[LO_ASK]
        if a.now[LO_DOUBT] == 1 or bid < 0 or ask >= len(a.lo_asks):
            doubtful += 1
            if not epoch:
                fl.hole(flow, now_ms)
            epoch = True
            continue
        epoch = False
        take_levels(a.lo_bids, a.lo_asks, a.base, bid, ask, levels)
        fl.on_book(flow, now_ms, bid + a.base, a.lo_bids[bid], ask + a.base, a.lo_asks[ask])
        if without:
            context[rules.X_ATR_BPS] = max(features[fl.VOLATILITY_BPS], 0.01) * (MINUTE_MS / terms.flow_ms) ** 0.5
        code = rules.look(flow, terms, levels, now_ms, context, features, parts)
        found = parts[rules.SCORE]
        if order > 0:
            row = row_of(a, order)
            if a.orders[row, O_KNOWN] <= RESTS:
                if held == 0 and chased == 0 and a.now[T] - sent > account[A_WAIT_NS]:
                    cancel(a, order)
                continue
            order = 0
            position = a.now[POSITION]
            if held == 0 and position == 0 and chased == 0 and account[A_TAKER] > 0 and code == rules.OK and \
                    found * side > 0 and rules.worth_it(terms, found, context[rules.X_ATR_BPS],
                                                        features[fl.SPREAD_BPS], False):
                touch = (ask if side > 0 else bid) + a.base
                cap = round(wanted * (1 + side * account[A_CHASE_BPS] / 1e4))
                if (touch - cap) * side <= 0:
                    chased = 1
                    order = submit(a, side, ar.IOC, cap, size_of(touch, stop_bps, account))
                    continue
            if held == 0 and position == 0:
                counts[34] += 1
                today -= 1
        position = a.now[POSITION]
        if position == 0 and held != 0:  # the trade has ended
            result = money_since(a, first, account)
            lost -= result
            free_ms = now_ms + int(account[A_COOL_MS] if result > 0 else account[A_COOL_LOSS_MS])
            held = 0
        if position == 0:
            if code != rules.OK:
                counts[code] += 1
                continue
            if now_ms // DAY_MS != day:
                day, today, lost = now_ms // DAY_MS, 0, 0.0
            limit = rules.limit(now_ms, free_ms, today, int(account[A_A_DAY]), 0, 1, lost / account[A_START],
                                account[A_MOST_LOSS])
            if limit != rules.OK:
                counts[limit] += 1
                continue
            side = 1 if found > 0 else -1
            wanted = (bid if side > 0 else ask) + a.base
            stop_bps = rules.stop_bps(terms, context[rules.X_ATR_BPS])
            qty = size_of(wanted, stop_bps, account)
            if qty < 1:
                counts[31] += 1
                continue
            counts[0] += 1
            today += 1
            first, sent, chased = a.now[ar.FILLS], a.now[T], 0
            order = submit(a, side, ar.LIMIT, wanted, qty)
            continue
        if held == 0:
            held = abs(position)
            entry = entered(a, first)
            away = max(entry * stop_bps / 1e4, 1.0)
            stop, take = entry - side * away, entry + side * max(away * terms.take_r, 1.0)
            deadline = now_ms + terms.hold_ms
        price = float((bid if position > 0 else ask) + a.base)
        sound = code == rules.OK or code == rules.WEAK or code == rules.COST
        why = rules.exit_of(side, stop, take, deadline, price, now_ms, found if sound else 0.0, terms)
        if why != rules.HOLD:
            order = submit(a, -side, ar.MARKET, int(price), abs(position), 1, REASONS[why])
    return doubtful


def candles_of(tape: Tape) -> tuple[Ints, Floats]:
    """(open times in ms, rows (n, 3) of high, low, close) of the whole minutes of the tape's trades; a minute without a
    trade goes on at the last price."""
    traded = tape.kind == TRADE
    ms = tape.exch_ns[traded] // 1_000_000
    price = np.abs(tape.key[tape.begin[:-1][traded]]).astype(np.float64)
    if not len(ms):
        return np.zeros(0, np.int64), np.zeros((0, 3))
    minutes = np.arange(ms[0] // MINUTE_MS + 1, ms[-1] // MINUTE_MS)  # the first and the last are cut off
    rows = np.zeros((len(minutes), 3))
    for row, minute in enumerate(minutes.tolist()):
        low, high = np.searchsorted(ms, (minute * MINUTE_MS, (minute + 1) * MINUTE_MS))
        inside = price[low:high] if high > low else price[low - 1:low]
        rows[row] = inside.max(), inside.min(), inside[-1]
    return minutes * MINUTE_MS, rows


def contexts_of(tape: Tape, settings: ScalperSettings) -> tuple[Floats, Ints]:
    """Contexts (n, CONTEXT) by the time (ms) at which each was known: the close of its candle."""
    opened, rows = candles_of(tape)
    found = indicators.parts(np.ascontiguousarray(rows[:, 0]), np.ascontiguousarray(rows[:, 1]),
                             np.ascontiguousarray(rows[:, 2]), settings)
    known = ~np.isnan(found).any(axis=1)
    contexts = np.zeros((int(known.sum()), rules.CONTEXT))
    contexts[:, :4] = found[known]
    return contexts, opened[known] + MINUTE_MS


def play(a: Arena, tape: Tape, settings: ScalperSettings, start_usdt: float, maker_fee: float, taker_fee: float,
         counts: Ints) -> int:
    """Scalp a tape; fees as shares. Returns looks on a doubtful book; refusals go into `counts`."""
    contexts, known_ms = contexts_of(tape, settings)
    without = not len(contexts)
    own = settings.model_copy(update={"w_rsi": 0.0, "w_macd": 0.0, "w_bollinger": 0.0}) if without else settings
    unit = float(tape.tick * tape.step)
    terms = terms_of(own)._replace(large_units=max(round(own.large_trade_usdt / unit), 1))
    account = np.array([start_usdt, own.max_position_usdt, start_usdt * own.risk_pct / 100, own.wait_s * 1e9,
                        float(own.taker), own.max_chase_bps, own.day_loss_pct / 100, own.trades_a_day,
                        own.cooldown_s * 1000, own.cooldown_loss_s * 1000, unit, maker_fee, taker_fee])
    return int(run(a, fl.empty(1 << 16), terms, contexts, known_ms, without, account, counts))


def too_short(tape: Tape, settings: ScalperSettings) -> bool:
    """Whether indicators are left out (rule 4)."""
    return not len(contexts_of(tape, settings)[0])
