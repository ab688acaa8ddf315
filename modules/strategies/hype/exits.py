"""The exit rules of system A (A13–A16): one pure function for the live tracker, the backtester and the labeller.

Units: prices in whole ticks, quantities in whole steps, shares and distances in parts per million of one, market
time in ms. Nothing here knows Decimal, files or clocks; `positions.py` converts.

A short is a long in the mirror: all prices of its plan and its state are below zero (minus the price in ticks), so
that what is better for the position is always the larger number, and one set of comparisons serves both sides. Only
`make_plan` and `step` take real prices, and turn them by `side`.

1. The stop is looked at before the targets: of two readings of one price the worse one counts.
2. At each target a slice of the *initial* quantity is due; targets jumped over in one look are due together (A15).
3. What is due but worth less than the venue's minimum joins the next target's slice; after the last one it trails.
4. A sale that would leave a remainder too small to be sold at the stop takes the remainder along.
5. After the first target the stop rises to break-even, if there is one (A14).
6. After the last target the stop follows the peak at a fixed distance (A16).
7. Neither stop nor peak ever falls (of a short: in the mirror).
"""

from typing import NamedTuple

from utils.compiled import kernel

PPM = 1_000_000
MAX_LEVELS = 4
ROWS = 4
# A stop further away than half the price protects nobody, however wild the token.
WIDEST_STOP_PPM = 500_000

LONG, SHORT = 1, -1
NONE = -(1 << 60)  # no break-even of a short: below every price in the mirror

# Reason codes of `step`.
HOLD = 0
STOP = 1
BREAK_EVEN = 2
TRAILING = 3
TARGET = 4
TIME = 5

Levels = tuple[int, int, int, int]


class Rules(NamedTuple):
    """What the settings say. `gains` and `stops` have a row per (strategy, confidence), see `row_index`."""

    gains: tuple[Levels, ...]
    stops: tuple[int, ...]
    share_slow: Levels
    share_mid: Levels
    share_fast: Levels
    trail_ppm: int
    break_even: bool
    atr_reference_ppm: int
    atr_least_ppm: int
    atr_most_ppm: int
    max_hold_ms: int


class Plan(NamedTuple):
    """What is fixed at entry: targets in ticks (0 = none), the slice due at each, and the distances.

    Of a short, targets, stop and break-even are below zero (the mirror).
    """

    tp: Levels
    slices: Levels
    levels: int
    stop: int
    break_even: int
    trail_ppm: int
    min_value: int
    deadline_ms: int
    side: int = LONG


class State(NamedTuple):
    """What moves: steps held, stop, peak, targets reached, steps due but too small to be sold alone.

    `peak` is the best price seen: the highest of a long; of a short minus the lowest.
    """

    quantity: int
    stop: int
    peak: int
    hit: int
    owed: int


@kernel
def ceil_div(value: int, by: int) -> int:
    """`value / by` rounded up, for non-negative values."""
    return (value + by - 1) // by


@kernel
def row_index(strategy: int, confidence_ppm: int) -> int:
    """Row of the table (A15): the highest confidence not above the token's, the lowest row below 0.80."""
    row = 0
    if confidence_ppm >= 950_000:
        row = 3
    elif confidence_ppm >= 900_000:
        row = 2
    elif confidence_ppm >= 850_000:
        row = 1
    return strategy * ROWS + row


@kernel
def shares_for(rules: Rules, confidence_ppm: int) -> Levels:
    """Share of the initial quantity sold at each target (A15): sure tokens sell slower."""
    if confidence_ppm >= 950_000:
        return rules.share_slow
    if confidence_ppm <= 850_000:
        return rules.share_fast
    return rules.share_mid


@kernel
def stop_distance(stop_ppm: int, atr_ppm: int, reference_ppm: int, least_ppm: int, most_ppm: int) -> int:
    """Distance of the stop from the entry (A14).

    ``stop × clamp(ATR/price ÷ reference, least, most)``: never falls as the ATR rises. An unknown ATR (0 or less)
    leaves the stop as printed. At most half the price.
    """
    if atr_ppm <= 0:
        return min(stop_ppm, WIDEST_STOP_PPM)
    factor = min(max(atr_ppm * PPM // reference_ppm, least_ppm), most_ppm)
    return min(stop_ppm * factor // PPM, WIDEST_STOP_PPM)


@kernel
def slices_of(initial: int, shares: Levels) -> Levels:
    """Steps due at each target, rounded down: their sum never passes `initial`."""
    return (initial * shares[0] // PPM, initial * shares[1] // PPM,
            initial * shares[2] // PPM, initial * shares[3] // PPM)


@kernel
def target(entry: int, gain_ppm: int, above: int, side: int) -> int:
    """A target in ticks: rounded away from the entry, and at least a tick beyond `above`; 0 where there is none.

    `entry` is the real price, `above` and the result are in the mirror for a short, whose price cannot fall below 0.
    """
    if gain_ppm <= 0:
        return 0
    found = max(side * entry + ceil_div(entry * gain_ppm, PPM), above + 1)
    return 0 if side < 0 and (found >= 0 or above >= 0) else found


@kernel
def make_plan(rules: Rules, strategy: int, confidence_ppm: int, atr_ppm: int, entry: int, initial: int,
              even: int, min_value: int, opened_ms: int, side: int = LONG) -> Plan:
    """The plan of a new position.

    `entry`: average price in ticks. `even`: the price, in ticks, at which an exit pays back everything, both fees
    included. Both are real prices on either side. `min_value`: the venue's minimum notional in tick·steps.
    """
    row = row_index(strategy, confidence_ppm)
    gains = rules.gains[row]
    one = target(entry, gains[0], side * entry, side)
    two = target(entry, gains[1], one, side)
    three = target(entry, gains[2], two, side)
    four = target(entry, gains[3], three, side)
    levels = (one != 0) + (two != 0) + (three != 0) + (four != 0)
    distance = stop_distance(rules.stops[row], atr_ppm, rules.atr_reference_ppm, rules.atr_least_ppm,
                             rules.atr_most_ppm)
    stop = side * entry - max(ceil_div(entry * distance, PPM), 1)
    if side > 0:
        stop = max(stop, 0)
    # The stop must not rise to where the first target itself would trip it.
    break_even = 0 if side > 0 else NONE
    if rules.break_even:
        break_even = min(side * even, one - 1)
    deadline = opened_ms + rules.max_hold_ms if rules.max_hold_ms > 0 else 0
    return Plan((one, two, three, four), slices_of(initial, shares_for(rules, confidence_ppm)), levels, stop,
                break_even, rules.trail_ppm, min_value, deadline, side)


@kernel
def first_state(plan: Plan, entry: int, initial: int) -> State:
    """The state of a position just opened; `entry` is the real price."""
    return State(initial, plan.stop, plan.side * entry, 0, 0)


@kernel
def trail_stop(peak: int, trail_ppm: int) -> int:
    """Where the trailing stop stands for a peak: a price at or below it has fallen by the whole distance (A16).

    In the mirror (a peak below zero) the distance is a rise from the lowest price.
    """
    if peak < 0:
        return peak * (PPM + trail_ppm) // PPM
    return peak * (PPM - trail_ppm) // PPM


@kernel
def stop_reason(plan: Plan, state: State, stop: int) -> int:
    """Which of the stops it was: the initial one, break-even, or the one that trails."""
    if stop <= plan.stop:
        return STOP
    if state.hit >= plan.levels and stop > plan.break_even:
        return TRAILING
    return BREAK_EVEN


@kernel
def step(plan: Plan, state: State, price: int, now_ms: int) -> tuple[int, int, State]:
    """One look at the price that an exit would get: (reason code, steps to sell, state once they are sold).

    `price` is the best bid for a long, the best ask for a short (whose "sale" buys back). HOLD goes with 0 steps; the
    state may have moved all the same. A price of 0 or less is none and changes nothing.
    """
    if state.quantity <= 0 or price <= 0:
        return HOLD, 0, state
    bid = price if plan.side > 0 else -price
    peak = bid if bid > state.peak else state.peak
    stop = state.stop
    if state.hit >= plan.levels:
        stop = max(stop, trail_stop(peak, plan.trail_ppm))  # rule 6
    if bid <= stop:  # rule 1
        return stop_reason(plan, state, stop), state.quantity, State(0, stop, peak, state.hit, 0)
    if 0 < plan.deadline_ms <= now_ms:
        return TIME, state.quantity, State(0, stop, peak, state.hit, 0)
    hit = state.hit
    due = state.owed
    while hit < plan.levels and bid >= plan.tp[hit]:  # rule 2
        due += plan.slices[hit]
        hit += 1
    if hit == state.hit:
        if peak == state.peak and stop == state.stop:
            return HOLD, 0, state
        return HOLD, 0, State(state.quantity, stop, peak, hit, state.owed)
    stop = max(stop, plan.break_even)  # rule 5
    if hit >= plan.levels:
        stop = max(stop, trail_stop(peak, plan.trail_ppm))
    due = min(due, state.quantity)
    if due < max(ceil_div(plan.min_value, price), 1):  # rule 3; a slice of a few steps may come to none at all
        return HOLD, 0, State(state.quantity, stop, peak, hit, 0 if hit >= plan.levels else due)
    rest = state.quantity - due
    # Rule 4. A short has no lowest price to come; buying back a rest may be worth less than it is now.
    if 0 < rest < ceil_div(plan.min_value, max(stop, 1) if plan.side > 0 else price):
        due = state.quantity
    return TARGET, due, State(state.quantity - due, stop, peak, hit, 0)
