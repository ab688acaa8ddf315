"""One candle through the tracker's exit rules: which prices are looked at, and in which order.

1. Every decision is `exits.step`'s. This file only chooses the prices at which it looks. They are those of exits.py's
   mirror: of a short all below zero, and a candle's high is its low (`mirrored`).
2. The open is looked at first: what a gap has jumped over is sold at the gap's price, not at the stop or target.
3. From there the price moves through every level on its way, so a stop fills at the stop, a target at the target.
4. A candle does not tell whether its low or its high came first. Both ways are walked, the worse result counts:
   money from sales plus what is left at the close. Finer candles decide by being walked instead.
5. A candle that reaches neither the stop nor the next target can be passed over (`quiet`, `quiet_trailing`).
"""

from modules.backtest.arrays import Ints
from modules.strategies.hype import exits
from utils.compiled import kernel

# Columns of the sales of one candle; row F_COUNT tells in its first column how many there are.
F_CODE, F_QUANTITY, F_PRICE, F_HIT = range(4)
F_COLUMNS = 4
F_COUNT = 8
F_ROWS = 9


@kernel
def stop_level(plan: exits.Plan, state: exits.State) -> int:
    """The price at or below which the next look sells everything (rules 6, 7 of exits.py)."""
    if state.hit >= plan.levels:
        return max(state.stop, exits.trail_stop(state.peak, plan.trail_ppm))
    return state.stop


@kernel
def look(plan: exits.Plan, state: exits.State, price: int, now_ms: int, fills: Ints) -> exits.State:
    """One look of the tracker; a sale is added to `fills`."""
    code, quantity, after = exits.step(plan, state, plan.side * price, now_ms)
    if quantity > 0:
        count = fills[F_COUNT, 0]
        fills[count, F_CODE] = code
        fills[count, F_QUANTITY] = quantity
        fills[count, F_PRICE] = price
        fills[count, F_HIT] = after.hit
        fills[F_COUNT, 0] = count + 1
    return after


@kernel
def rise(plan: exits.Plan, state: exits.State, to: int, now_ms: int, fills: Ints) -> exits.State:
    """The price rises to `to` through every target on the way (rule 3)."""
    while state.quantity > 0 and state.hit < plan.levels and plan.tp[state.hit] <= to:
        state = look(plan, state, plan.tp[state.hit], now_ms, fills)
    return look(plan, state, to, now_ms, fills)


@kernel
def fall(plan: exits.Plan, state: exits.State, start: int, to: int, now_ms: int, fills: Ints) -> exits.State:
    """The price falls from `start` to `to` through the stop, if it lies on the way (rule 3)."""
    stop = stop_level(plan, state)
    if stop > to:
        state = look(plan, state, min(start, stop), now_ms, fills)
    return look(plan, state, to, now_ms, fills)


@kernel
def mirrored(candle: tuple[int, int, int, int], side: int) -> tuple[int, int, int, int]:
    """A candle (open, high, low, close) as a position of this side sees it (rule 1)."""
    opened, high, low, close = candle
    if side > 0:
        return opened, high, low, close
    return -opened, -low, -high, -close


@kernel
def low_first(plan: exits.Plan, state: exits.State, candle: tuple[int, int, int, int], now_ms: int,
              fills: Ints) -> exits.State:
    """open → low → high → close."""
    opened, high, low, close = candle
    fills[F_COUNT, 0] = 0
    state = look(plan, state, opened, now_ms, fills)
    state = fall(plan, state, opened, low, now_ms, fills)
    state = rise(plan, state, high, now_ms, fills)
    return fall(plan, state, high, close, now_ms, fills)


@kernel
def high_first(plan: exits.Plan, state: exits.State, candle: tuple[int, int, int, int], now_ms: int,
               fills: Ints) -> exits.State:
    """open → high → low → close."""
    opened, high, low, close = candle
    fills[F_COUNT, 0] = 0
    state = look(plan, state, opened, now_ms, fills)
    state = rise(plan, state, high, now_ms, fills)
    state = fall(plan, state, high, low, now_ms, fills)
    return rise(plan, state, close, now_ms, fills)


@kernel
def worth(fills: Ints, left: int, close: int) -> float:
    """What a way through the candle brings, in tick·steps: sales, and the rest at the close."""
    total = float(left) * close
    for row in range(fills[F_COUNT, 0]):
        total += float(fills[row, F_QUANTITY]) * fills[row, F_PRICE]
    return total


@kernel
def settled(plan: exits.Plan, before: exits.State, after: exits.State, candle: tuple[int, int, int, int],
            fills: Ints) -> bool:
    """Whether the other way through the candle sells the same as `low_first` did (rule 4).

    So it is before the last target when the candle reaches no target, or no stop and all went at targets.
    """
    if before.hit >= plan.levels:
        return False
    if candle[1] < plan.tp[before.hit]:
        return True
    return (candle[2] > before.stop and after.quantity == 0 and fills[F_COUNT, 0] > 0
            and fills[fills[F_COUNT, 0] - 1, F_CODE] == exits.TARGET)


@kernel
def walk(plan: exits.Plan, state: exits.State, candle: tuple[int, int, int, int], now_ms: int, fills: Ints,
         spare: Ints) -> exits.State:
    """A whole candle (mirrored), the worse way (rule 4); its sales stand in `fills`."""
    first = low_first(plan, state, candle, now_ms, fills)
    if settled(plan, state, first, candle, fills):
        return first
    other = high_first(plan, state, candle, now_ms, spare)
    if worth(spare, other.quantity, candle[3]) >= worth(fills, first.quantity, candle[3]):
        return first
    for row in range(F_ROWS):  # a slice assignment would cost five seconds of compilation
        for column in range(F_COLUMNS):
            fills[row, column] = spare[row, column]
    return other


@kernel
def quiet(high: Ints, low: Ints, at: int, end: int, stop: int, target: int, side: int) -> int:
    """The first row from `at` on that reaches the stop or the target; `end` if none does (rule 5)."""
    if side > 0:
        while at < end and low[at] > stop and high[at] < target:
            at += 1
        return at
    above, below = -stop, -target
    while at < end and high[at] < above and low[at] > below:
        at += 1
    return at


@kernel
def quiet_trailing(high: Ints, low: Ints, at: int, end: int, plan: exits.Plan,
                   state: exits.State) -> tuple[int, exits.State]:
    """The same while the stop trails the peak: (row, state with the peak risen).

    A candle whose low stays above the stop that its own high would make sells nothing, whichever came first.
    """
    peak = state.peak
    stop = max(state.stop, exits.trail_stop(peak, plan.trail_ppm))
    while at < end:
        top, bottom = (high[at], low[at]) if plan.side > 0 else (-low[at], -high[at])
        if top > peak:
            risen = max(stop, exits.trail_stop(int(top), plan.trail_ppm))
            if bottom <= risen:
                break
            peak, stop = int(top), risen
        elif bottom <= stop:
            break
        at += 1
    return at, exits.State(state.quantity, state.stop, peak, state.hit, state.owed)
