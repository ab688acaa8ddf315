"""The candle engine: entries and candles in, positions and sales out, on one shared account.

1. Events run in the order of time. At one time purchases come before the sales of that candle, so a slot or money
   that a candle frees can be used from the next one on.
2. A position's candle of entry is walked like any other: its stop is honoured at once.
3. Between events nothing can happen: candles that reach neither stop nor target are passed over in a tight loop.
4. A signal to sell, or the longest hold, sells at the open of its candle, whatever the candle does later.
5. Where a token's data end, what is held is sold at the last close: DELISTED where others go on, END at the end.
6. Cash at the end is what the loop moved, never a sum made afterwards: start + Σ pnl = end can be checked.
"""

import math

import numpy as np

from modules.backtest import arrays as a
from modules.backtest import book as b
from modules.backtest import walk as w
from modules.backtest.arrays import Ints, Made, Series, Terms
from modules.strategies.hype import exits
from utils.compiled import inlined, kernel

PPM = 1_000_000
DAY_MS = 86_400_000


@kernel
def plan_in(slot: Ints) -> exits.Plan:
    """The plan that a slot holds."""
    p = slot[b.PLAN:b.STATE]
    return exits.Plan((int(p[0]), int(p[1]), int(p[2]), int(p[3])), (int(p[4]), int(p[5]), int(p[6]), int(p[7])),
                      int(p[8]), int(p[9]), int(p[10]), int(p[11]), int(p[12]), int(p[13]), int(p[14]))


@kernel
def state_in(slot: Ints) -> exits.State:
    """The state that a slot holds."""
    s = slot[b.STATE:]
    return exits.State(int(s[0]), int(s[1]), int(s[2]), int(s[3]), int(s[4]))


@kernel
def put_plan(slot: Ints, plan: exits.Plan) -> None:
    """Write a plan into a slot."""
    for level in range(4):
        slot[b.PLAN + level] = plan.tp[level]
        slot[b.PLAN + 4 + level] = plan.slices[level]
    slot[b.PLAN + 8], slot[b.PLAN + 9], slot[b.PLAN + 10] = plan.levels, plan.stop, plan.break_even
    slot[b.PLAN + 11], slot[b.PLAN + 12], slot[b.PLAN + 13] = plan.trail_ppm, plan.min_value, plan.deadline_ms
    slot[b.PLAN + 14] = plan.side


@kernel
def put_state(slot: Ints, state: exits.State) -> None:
    """Write a state into a slot."""
    slot[b.STATE], slot[b.STATE + 1], slot[b.STATE + 2] = state.quantity, state.stop, state.peak
    slot[b.STATE + 3], slot[b.STATE + 4] = state.hit, state.owed


@kernel
def first_from(values: Ints, begin: int, end: int, wanted: int) -> int:
    """The first place in ascending `values[begin:end]` that is not below `wanted`; `end` if none.

    In steps that double from `begin` on: what is searched mostly lies near.
    """
    step = 1
    while begin + step < end and values[begin + step] < wanted:
        begin += step
        step *= 2
    end = min(end, begin + step + 1)
    while begin < end:
        middle = (begin + end) // 2
        if values[middle] < wanted:
            begin = middle + 1
        else:
            end = middle
    return begin


@kernel
def plan_for(series: Series, entries: Ints, e: int, rules: exits.Rules, entry: int, quantity: int, value: int,
             fee: int, fee_ppm: int) -> exits.Plan:
    """The plan of an entry: the tracker's own, or target and stop that the wish brings."""
    token = entries[e, a.E_TOKEN]
    side = -1 if entries[e, a.E_SIDE] < 0 else 1
    goal, stop = int(entries[e, a.E_GOAL]), int(entries[e, a.E_STOP])
    if stop > 0 or goal > 0:
        if goal <= 0 or goal >= a.NEVER:
            goal = side * a.NEVER
        if stop <= 0 and side < 0:
            stop = a.NEVER
        hold = entries[e, a.E_HOLD]
        deadline = int(series.candles[a.TIME, entries[e, a.E_AT]] + hold) if hold > 0 else 0
        return exits.Plan((side * goal, 0, 0, 0), (quantity, 0, 0, 0), 1, side * stop, 0 if side > 0 else exits.NONE,
                          0, 0, deadline, side)
    if side > 0:
        even = int(math.ceil((value + fee) / series.unit[token] / quantity / (1.0 - fee_ppm / PPM) - 1e-9))
    else:
        even = int((value - fee) / series.unit[token] / quantity / (1.0 + fee_ppm / PPM) + 1e-9)
    opened_ms = int(series.candles[a.TIME, entries[e, a.E_AT]])
    return exits.make_plan(rules, int(entries[e, a.E_STRATEGY]), int(entries[e, a.E_CONFIDENCE]),
                           int(entries[e, a.E_ATR]), entry, quantity, even, int(series.tokens[token, a.K_LEAST]),
                           opened_ms, side)


@inlined
def go_on(series: Series, slot: Ints, plan: exits.Plan, state: exits.State, at: int, every: bool) -> None:
    """Note in the slot its state and the next candle from `at` on that matters (rule 3)."""
    end = int(min(slot[b.FORCED], slot[b.DATA_END]))
    if not every:
        high, low = series.candles[a.HIGH], series.candles[a.LOW]
        if state.hit >= plan.levels:
            at, state = w.quiet_trailing(high, low, at, end, plan, state)
        else:
            at = w.quiet(high, low, at, end, state.stop, plan.tp[state.hit], plan.side)
    put_state(slot, state)
    slot[b.NEXT] = at
    data_end = slot[b.DATA_END]
    slot[b.WHEN] = series.candles[a.TIME, at] if at < data_end else series.candles[a.TIME, data_end - 1] + 1


@inlined
def forced(series: Series, slot: Ints, marks: Ints, plan: exits.Plan, at: int) -> None:
    """Note in the slot the candle at whose open a signal or the longest hold ends it, if there is one (rule 4)."""
    token, end = slot[b.TOKEN], slot[b.DATA_END]
    slot[b.FORCED], slot[b.FORCED_CODE] = end, 0
    if plan.deadline_ms > 0:
        slot[b.FORCED] = first_from(series.candles[a.TIME], at, end, plan.deadline_ms)
        slot[b.FORCED_CODE] = exits.TIME
    hint = b.SELL_HINT if plan.side > 0 else b.COVER_HINT
    signals = series.exits if plan.side > 0 else series.covers
    if len(signals) == 0:
        return
    place = first_from(signals, marks[token, hint], len(signals), at + 1)
    marks[token, hint] = place
    if place < len(signals) and signals[place] < slot[b.FORCED]:
        slot[b.FORCED], slot[b.FORCED_CODE] = signals[place], a.SIGNAL


@inlined
def open_slot(series: Series, entries: Ints, e: int, rules: exits.Rules, terms: Terms, slots: Ints, account: Ints,
              marks: Ints, made: Made, quantity: int, price: float, value: int, every: bool) -> None:
    """Book an entry and put its position into a free slot; its own candle is the first to matter (rule 2)."""
    slot = slots[account[b.OPEN]]
    token, at = entries[e, a.E_TOKEN], entries[e, a.E_AT]
    fee = b.fee_of(value, terms.fee_ppm)
    cost = value + fee
    entry = int(price) if entries[e, a.E_SIDE] >= 0 else int(math.ceil(price))
    plan = plan_for(series, entries, e, rules, entry, quantity, value, fee, terms.fee_ppm)
    put_plan(slot, plan)
    number, end = made.totals[a.T_POSITIONS], series.tokens[token, a.K_END]
    slot[b.TOKEN], slot[b.NEXT], slot[b.POSITION] = token, at, number
    slot[b.COST], slot[b.LEFT], slot[b.DATA_END] = cost, quantity, end
    slot[b.VALUE], slot[b.SIDE], slot[b.OPENED] = value, plan.side, series.candles[a.TIME, at]
    forced(series, slot, marks, plan, at)
    go_on(series, slot, plan, exits.first_state(plan, entry, quantity), at, every)
    account[b.CASH] -= cost
    account[b.EXPOSURE] += cost
    account[b.OPEN] += 1
    account[b.BOUGHT_TODAY] += 1
    row = made.positions[number]
    row[a.P_TOKEN], row[a.P_AT], row[a.P_ENTRY], row[a.P_QUANTITY] = token, at, entry, quantity
    row[a.P_COST], row[a.P_FEE], row[a.P_STOP], row[a.P_SIGNAL] = cost, fee, plan.side * plan.stop, e
    row[a.P_SIDE] = plan.side
    made.totals[a.T_POSITIONS] = number + 1


@inlined
def last_sale(series: Series, terms: Terms, slot: Ints, account: Ints, marks: Ints, made: Made, at: int) -> None:
    """Sell all that is left at row `at` by rule 4 (its open) or rule 5 (the close before it)."""
    end = slot[b.DATA_END]
    if at >= end:
        gone = series.last_ms - series.candles[a.TIME, end - 1] >= DAY_MS
        b.sell(series, terms, slot, account, marks, made, end - 1, a.DELISTED if gone else a.END, slot[b.LEFT],
               series.candles[a.CLOSE, end - 1], slot[b.STATE + 3])
        return
    b.sell(series, terms, slot, account, marks, made, at, slot[b.FORCED_CODE], slot[b.LEFT], series.candles[a.OPEN, at],
           slot[b.STATE + 3])


@inlined
def advance(series: Series, terms: Terms, slot: Ints, account: Ints, marks: Ints, made: Made, fills: Ints,
            spare: Ints, every: bool) -> None:
    """The event of a slot: walk its candle, book the sales, find the next candle that matters (rules 3–5).

    `every` walks each candle instead of passing over the quiet ones: slower, the same result (a test holds it).
    """
    at, plan, state = int(slot[b.NEXT]), plan_in(slot), state_in(slot)
    end = int(min(slot[b.FORCED], slot[b.DATA_END]))
    if at >= end:
        if at < slot[b.DATA_END] and slot[b.FORCED_CODE] == exits.TIME:  # a stop that the gap has passed comes first
            slot[b.FORCED_CODE] = exits.step(plan, state, int(series.candles[a.OPEN, at]), plan.deadline_ms)[0]
        last_sale(series, terms, slot, account, marks, made, at)
        return
    c = series.candles
    candle = w.mirrored((int(c[a.OPEN, at]), int(c[a.HIGH, at]), int(c[a.LOW, at]), int(c[a.CLOSE, at])), plan.side)
    state = w.walk(plan, state, candle, int(c[a.TIME, at]), fills, spare)
    for row in range(fills[w.F_COUNT, 0]):
        b.sell(series, terms, slot, account, marks, made, at, fills[row, w.F_CODE], fills[row, w.F_QUANTITY],
               plan.side * fills[row, w.F_PRICE], fills[row, w.F_HIT])
    if slot[b.LEFT] > 0:
        go_on(series, slot, plan, state, at + 1, every)


@inlined
def freed(slots: Ints, account: Ints, place: int) -> None:
    """Give a slot back: the last one in use moves to its place."""
    account[b.OPEN] -= 1
    last = account[b.OPEN]
    if place != last:
        for column in range(b.SLOT_COLUMNS):
            slots[place, column] = slots[last, column]


@inlined
def earliest(slots: Ints, account: Ints) -> tuple[int, int]:
    """(slot with the earliest event, its time); time NEVER where nothing is held. Of equal times the older position."""
    found, when = -1, a.NEVER
    for place in range(account[b.OPEN]):
        time = int(slots[place, b.WHEN])
        if time < when or (time == when and slots[place, b.POSITION] < slots[found, b.POSITION]):
            found, when = place, time
    return found, when


@kernel
def loop(series: Series, entries: Ints, rules: exits.Rules, terms: Terms, slots: Ints, account: Ints, marks: Ints,
         made: Made, every: bool) -> None:
    """The whole run (rule 1). Results go into `made`."""
    fills = np.zeros((w.F_ROWS, w.F_COLUMNS), np.int64)
    spare = np.zeros((w.F_ROWS, w.F_COLUMNS), np.int64)
    e, count = int(made.totals[a.T_POSITIONS]), len(entries)  # 0; a literal would compile all of this twice
    while True:
        place, when = earliest(slots, account)
        if e < count and series.candles[a.TIME, entries[e, a.E_AT]] <= when:
            code = b.refusal(series, entries, e, terms, slots, account, marks)
            if code == a.BOUGHT:
                code, quantity, price, value = b.priced(series, entries, e, terms, slots, account)
                if code == a.BOUGHT:
                    open_slot(series, entries, e, rules, terms, slots, account, marks, made, quantity, price, value,
                              every)
            made.outcomes[e] = code
            e += 1
        elif place >= 0:
            advance(series, terms, slots[place], account, marks, made, fills, spare, every)
            if slots[place, b.LEFT] == 0:
                freed(slots, account, place)
        else:
            break
    made.totals[a.T_CASH] = account[b.CASH]


def run(series: Series, entries: Ints, rules: exits.Rules, terms: Terms, every: bool = False) -> Made:
    """One backtest. `entries` has E_ columns and must ascend in time (ValueError otherwise).

    The tables of the result have only the rows that were made.
    """
    if len(entries) > 1 and (np.diff(series.candles[a.TIME, entries[:, a.E_AT]]) < 0).any():
        raise ValueError("entries must ascend in time")
    entries = np.ascontiguousarray(entries, np.int64)  # one layout, one compilation
    count, tokens = len(entries), len(series.tokens)
    made = Made(np.zeros((count, a.P_COLUMNS), np.int64), np.zeros((count * a.SALES_EACH, a.S_COLUMNS), np.int64),
                np.zeros(count, np.int64), np.zeros(3, np.int64))
    account = np.array([terms.start, 0, 0, -1, 0], np.int64)
    slots = np.zeros((terms.max_open, b.SLOT_COLUMNS), np.int64)
    marks = np.zeros((tokens, b.MARK_COLUMNS), np.int64)
    marks[:, b.AGAIN] = -a.NEVER
    loop(series, entries, rules, terms, slots, account, marks, made, every)
    positions, sales = int(made.totals[a.T_POSITIONS]), int(made.totals[a.T_SALES])
    return Made(made.positions[:positions], made.sales[:sales], made.outcomes, made.totals)
