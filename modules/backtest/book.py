"""One shared account in whole money units: limits before an entry, what an entry costs, what an exit brings.

1. The limits stand in the order of modules/execution/limits.py, the sizing is sizing.py's (A18).
2. A purchase is paid at the open plus half the spread plus slippage, a sale at the look's price less both.
3. Slippage has a fixed part and one that grows with the order's share of the candle's volume; a candle without
   volume gives the widest to a sale, and nothing to a purchase.
4. What is paid is rounded up to whole units, what is got down, a fee up; from there on money is exact: no other line
   changes the cash.
5. A short is sold at the open less half the spread and slippage, and bought back at the look's price plus both. Its
   whole value is put down as margin and comes back with the result; `carry_ppm` of it is paid a day. A price that
   more than doubles loses more than the margin: it is booked as it is, nobody liquidates before.
"""

import math

from modules.backtest import arrays as a
from modules.backtest.arrays import Ints, Made, Series, Terms
from modules.strategies.hype import exits
from utils.compiled import inlined, kernel

PPM = 1_000_000
NOISE = 1e-6  # of a float product that is whole in truth, in units
CENT = a.MONEY // 100
DAY_MS = 86_400_000

# Places in the account's row.
CASH, EXPOSURE, OPEN, DAY, BOUGHT_TODAY = range(5)
# Columns of a slot, which holds one open position. The first slots are used, as many as the account has OPEN. WHEN:
# time of its next event. VALUE: what is left of the entry's value, a short's margin. Plan: 15 columns, state: 5.
(TOKEN, NEXT, WHEN, FORCED, FORCED_CODE, DATA_END, POSITION, COST, LEFT, VALUE, SIDE, OPENED) = range(12)
PLAN, STATE, SLOT_COLUMNS = 12, 27, 32
# Columns of the marks of a token: until when it is not judged again, until when it rests, and where in the signals to
# sell (to cover) the last search ended.
AGAIN, REST, SELL_HINT, COVER_HINT = range(4)
MARK_COLUMNS = 4


@kernel
def slippage_ppm(terms: Terms, value: float, quote: float) -> float:
    """How far an order worth `value` units moves the price in a candle of `quote` USDT (rule 3)."""
    if quote <= 0.0:
        return float(terms.most_slippage_ppm)
    moved = terms.slippage_ppm + terms.impact_ppm * (value / a.MONEY) / quote
    return min(moved, float(terms.most_slippage_ppm))


@kernel
def fee_of(value: int, fee_ppm: int) -> int:
    """The fee, rounded up (rule 4)."""
    return (value * fee_ppm + PPM - 1) // PPM


@kernel
def size_of(terms: Terms, equity: int, factor_ppm: int) -> int:
    """What to spend, as sizing.trade_size: fixed or a share of equity, times the mood's factor, whole cents."""
    size = terms.trade_size
    if terms.share_ppm > 0:
        size = int(equity * float(terms.share_ppm) / PPM)
    size = min(int(size * float(factor_ppm) / PPM), terms.max_token)
    return max(size, 0) // CENT * CENT


@kernel
def equity_at(series: Series, slots: Ints, account: Ints, now_ms: int) -> int:
    """Cash plus what is held at the last close before `now_ms`."""
    total = int(account[CASH])
    for place in range(account[OPEN]):
        slot = slots[place]
        token = slot[TOKEN]
        begin, end = series.tokens[token, a.K_BEGIN], series.tokens[token, a.K_END]
        low, high = begin, end
        while low < high:  # the first row at or after now
            middle = (low + high) // 2
            if series.candles[a.TIME, middle] < now_ms:
                low = middle + 1
            else:
                high = middle
        last = max(low - 1, begin)
        worth = int(float(slot[STATE]) * series.candles[a.CLOSE, last] * series.unit[token])
        total += worth if slot[SIDE] > 0 else 2 * slot[VALUE] - worth
    return total


@inlined
def refusal(series: Series, entries: Ints, e: int, terms: Terms, slots: Ints, account: Ints,
            marks: Ints) -> int:
    """The first limit against entry `e`, before its size is known (rule 1). Notes that the token was judged."""
    token, at = entries[e, a.E_TOKEN], entries[e, a.E_AT]
    now = series.candles[a.TIME, at]
    for place in range(account[OPEN]):
        if slots[place, TOKEN] == token:
            return a.HELD
    if entries[e, a.E_KNOWN] < marks[token, AGAIN]:
        return a.JUDGED_LATELY
    marks[token, AGAIN] = entries[e, a.E_KNOWN] + terms.rejudge_ms
    if entries[e, a.E_CONFIDENCE] < 0:
        return a.MODEL_NO
    if now - entries[e, a.E_KNOWN] > terms.max_age_ms:
        return a.TOO_OLD
    if now < marks[token, REST]:
        return a.COOL_DOWN
    if account[OPEN] >= terms.max_open:
        return a.MAX_TRADES
    day = now // DAY_MS
    if day != account[DAY]:
        account[DAY] = day
        account[BOUGHT_TODAY] = 0
    if account[BOUGHT_TODAY] >= terms.max_per_day:
        return a.MAX_PER_DAY
    if series.quote[at] <= 0.0:
        return a.NO_VOLUME
    return a.BOUGHT


@inlined
def priced(series: Series, entries: Ints, e: int, terms: Terms, slots: Ints,
           account: Ints) -> tuple[int, int, float, int]:
    """(code, steps, exact price in ticks, value) of the entry that wish `e` would be; code BOUGHT if it may be."""
    token, at = entries[e, a.E_TOKEN], entries[e, a.E_AT]
    unit = series.unit[token]
    side = -1 if entries[e, a.E_SIDE] < 0 else 1
    best = series.candles[a.OPEN, at] * (1.0 + side * terms.half_spread_ppm / PPM)
    quantity = int(entries[e, a.E_QUANTITY])
    if quantity > 0:
        size = int(math.ceil(quantity * best * unit))
    else:
        equity = equity_at(series, slots, account, series.candles[a.TIME, at]) if terms.share_ppm > 0 else 0
        size = size_of(terms, equity, entries[e, a.E_SIZE])
    if account[EXPOSURE] + size > terms.max_exposure:
        return a.MAX_EXPOSURE, 0, 0.0, 0
    price = best * (1.0 + side * slippage_ppm(terms, size, series.quote[at]) / PPM)
    if side * price > entries[e, a.E_PRICE] * (side + terms.max_slippage_ppm / PPM):
        return a.SLIPPAGE, 0, 0.0, 0
    if quantity == 0:
        quantity = int(size / (unit * price))
    if quantity <= 0 or quantity * best < series.tokens[token, a.K_LEAST]:
        return a.MIN_NOTIONAL, 0, 0.0, 0
    exact = quantity * price * unit
    value = int(math.ceil(exact - NOISE)) if side > 0 else int(exact + NOISE)
    if account[CASH] < value + fee_of(value, terms.fee_ppm):
        return a.FUNDS, 0, 0.0, 0
    return a.BOUGHT, quantity, price, value


@kernel
def sell(series: Series, terms: Terms, slot: Ints, account: Ints, marks: Ints, made: Made, at: int, code: int,
         quantity: int, look: int, hit: int) -> None:
    """Book one exit of a slot at row `at` (rules 2–5); the cost of what is sold leaves the exposure."""
    token, side = slot[TOKEN], slot[SIDE]
    unit = series.unit[token]
    moved = slippage_ppm(terms, quantity * float(look) * unit, series.quote[at])
    price = look * (1.0 - side * terms.half_spread_ppm / PPM) * (1.0 - side * moved / PPM)
    left = slot[LEFT] - quantity
    cost_left = int(slot[COST] * (left / slot[LEFT])) if left > 0 else 0
    margin, carry = 0, 0
    if side > 0:
        value = int(quantity * price * unit + NOISE)
        fee = fee_of(value, terms.fee_ppm)
    else:
        paid = int(math.ceil(quantity * price * unit - NOISE))
        fee = fee_of(paid, terms.fee_ppm)
        value_left = int(slot[VALUE] * (left / slot[LEFT])) if left > 0 else 0
        margin = slot[VALUE] - value_left
        slot[VALUE] = value_left
        days = (series.candles[a.TIME, at] - slot[OPENED]) / DAY_MS
        carry = int(math.ceil(margin * (terms.carry_ppm / PPM) * days - NOISE))
        value = 2 * margin - paid
    account[CASH] += value - fee - carry
    account[EXPOSURE] -= slot[COST] - cost_left
    slot[COST], slot[LEFT] = cost_left, left
    stopped = code == exits.STOP or code == exits.BREAK_EVEN  # as trade_book.STOPS
    marks[token, REST] = series.candles[a.TIME, at] + (terms.cool_stop_ms if stopped else terms.cool_sell_ms)
    row = made.totals[a.T_SALES]
    sale = made.sales[row]
    sale[a.S_POSITION], sale[a.S_AT], sale[a.S_CODE] = slot[POSITION], at, code
    sale[a.S_QUANTITY], sale[a.S_LOOK], sale[a.S_HIT] = quantity, look, hit
    sale[a.S_VALUE], sale[a.S_FEE], sale[a.S_CARRY], sale[a.S_MARGIN] = value, fee, carry, margin
    made.totals[a.T_SALES] = row + 1
    if left == 0:
        made.positions[slot[POSITION], a.P_CLOSED] = 1
