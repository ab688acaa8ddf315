"""The grid's rules (E1–E4, E7) as pure functions of one (user, symbol): what to do at a price, and why.

Units: prices in whole price units (a tick, or a part of one), quantities in whole steps, money in price unit × step,
shares and distances in parts per million, time of day in minutes UTC. No Decimal, files, clocks (`units.py` converts).

The SELL leg is a BUY leg in the mirror: its prices stand below zero (minus the price), so that lower is always further
against the leg, and one set of comparisons serves both sides. Only `decide` takes real prices, and turns them.

1. Exits before entries. Exits in order: single position, all by combined profit, daily target, daily loss (E4).
2. An exit of a BUY looks at the bid, an entry at the ask; of a SELL the other way round.
3. A position's profit is its price move from entry, without leverage; the combined one is after closing fees (E4).
4. A day's result is realised − fees ± funding of the day + unrealised − estimated closing fees (E4).
5. A side's next order: price at least the distance beyond its furthest entry; the distance of the level that the count
   of its open positions puts it in (E1).
6. The time filter gates entries and additions, the signal and the new candle only a side's first order (E3, E9).
7. A lot the caps leave below the minimum is no order (E2); nor is one whose margin × 1.2 is not there (E7).

A leg's extreme entry is the furthest against it, hence also the one with the most profit: aggregates decide it all.
"""

from collections.abc import Sequence
from typing import NamedTuple

from utils.compiled import kernel

PPM = 1_000_000
BUY, SELL, NEITHER = 1, -1, 0
# One position's margin is at most a tenth of the balance (E2); a new order needs 1.2 times its margin (E7).
BALANCE_PARTS = 10
BUFFER_TENTHS = 12

# What `decide` answers.
NONE = 0
SINGLE = 1
PAIR = 2
DAY_TARGET = 3
DAY_LOSS = 4
FIRST = 5
ADD = 6

# Why a due entry is not made.
FINE = 0
LOT_BELOW_MINIMUM = 1
NO_MARGIN = 2


class Rules(NamedTuple):
    """What settings and contract say. `lots` and `distances` by the count of the side's open positions."""

    lots: Sequence[int]
    distances: Sequence[int]
    orders: int
    min_lot: int
    leverage: int
    single_ppm: int
    pair_ppm: int
    day_target: int
    day_loss: int
    taker_ppm: int
    new_candle: bool
    start_minute: int
    finish_minute: int
    protect_ppm: int


class Leg(NamedTuple):
    """One side's open positions, in the mirror for SELL: how many, steps, Σ price × steps, furthest entry."""

    held: int
    steps: int
    cost: int
    extreme: int


class Look(NamedTuple):
    """What is seen at one moment. `day` is the day's realised − fees ± funding; `fresh`: first look of a candle.

    `buys`, `sells`, `singles`: whether such an order may be sent now (no other one under way, not paused …).
    """

    bid: int
    ask: int
    day: int
    balance: int
    available: int
    minute: int
    signal: int
    fresh: bool
    buys: bool
    sells: bool
    singles: bool


class Choice(NamedTuple):
    """The one thing to do: code, side (NEITHER: both), steps to trade; `refused` tells why a due entry is not made."""

    code: int
    side: int
    steps: int
    refused: int


@kernel
def share(value: int, ppm: int) -> int:
    """``value × ppm // 1,000,000`` exactly, without passing through a product that 64 bits could not hold."""
    return value // PPM * ppm + value % PPM * ppm // PPM


@kernel
def trigger(extreme: int, distance_ppm: int) -> int:
    """Mirror price at or below which the next order is due (rule 5), rounded away from the entry."""
    return extreme + share(-abs(extreme), distance_ppm)


@kernel
def stop_price(rules: Rules, leg: Leg) -> int:
    """Mirror price of the stop that stands on the exchange for a leg with entries (X18): `protect_ppm` beyond the last
    level that it can still reach. Meaningless where `protect_ppm` is 0."""
    last = leg.extreme
    for count in range(leg.held, rules.orders):
        last = trigger(last, rules.distances[count])
    return trigger(last, rules.protect_ppm)


@kernel
def gain(entry: int, gain_ppm: int) -> int:
    """Mirror price at or above which a position has gained `gain_ppm` of its entry, rounded away from the entry."""
    return entry - share(-abs(entry), gain_ppm)


@kernel
def lot(rules: Rules, count: int, price: int, balance: int) -> int:
    """Steps of the order after `count` positions at a mirror price (E2); 0 where the caps leave less than the least."""
    if count >= rules.orders or balance <= 0:
        return 0
    cap = balance * rules.leverage // BALANCE_PARTS // max(abs(price), 1)
    steps = min(rules.lots[count], cap)
    return steps if steps >= rules.min_lot else 0


@kernel
def margin(rules: Rules, price: int, steps: int) -> int:
    """Initial margin of `steps` at a price, rounded up."""
    return -(-abs(price) * steps // rules.leverage)


@kernel
def open_hours(rules: Rules, minute: int) -> bool:
    """Whether the time filter lets entries through; the finishing minute belongs to it, midnight may lie within."""
    if rules.start_minute <= rules.finish_minute:
        return rules.start_minute <= minute <= rules.finish_minute
    return minute >= rules.start_minute or minute <= rules.finish_minute


@kernel
def unrealised(leg: Leg, price: int) -> int:
    """Result of a leg at its mirror price, without fees."""
    return leg.steps * price - leg.cost


@kernel
def closing_fee(rules: Rules, buy: Leg, sell: Leg, bid: int, ask: int) -> int:
    """What it would cost to close both legs now, rounded up."""
    return -share(-(buy.steps * bid + sell.steps * ask), rules.taker_ppm)


@kernel
def single_ripe(rules: Rules, leg: Leg, price: int) -> bool:
    """Whether the leg's best position has reached its own target (rule 3)."""
    return rules.single_ppm > 0 and leg.held > 0 and price >= gain(leg.extreme, rules.single_ppm)


@kernel
def exit_code(rules: Rules, buy: Leg, sell: Leg, look: Look) -> Choice:
    """The exit that is due, in the order of rule 1; NONE otherwise."""
    if look.singles:
        if single_ripe(rules, buy, look.bid):
            return Choice(SINGLE, BUY, 0, FINE)
        if single_ripe(rules, sell, -look.ask):
            return Choice(SINGLE, SELL, 0, FINE)
    result = (unrealised(buy, look.bid) + unrealised(sell, -look.ask)
              - closing_fee(rules, buy, sell, look.bid, look.ask))
    if rules.pair_ppm > 0 and buy.held + sell.held > 0 and (
            result >= -share(-(abs(buy.cost) + abs(sell.cost)), rules.pair_ppm)):
        return Choice(PAIR, NEITHER, 0, FINE)
    if rules.day_target > 0 and look.day + result >= rules.day_target:
        return Choice(DAY_TARGET, NEITHER, 0, FINE)
    if rules.day_loss > 0 and look.day + result <= -rules.day_loss:
        return Choice(DAY_LOSS, NEITHER, 0, FINE)
    return Choice(NONE, NEITHER, 0, FINE)


@kernel
def entry_code(rules: Rules, leg: Leg, side: int, price: int, look: Look) -> Choice:
    """The entry of one side that is due at its mirror price (rules 5–7)."""
    code = NONE
    if leg.held == 0:
        if look.signal == side and (look.fresh or not rules.new_candle):
            code = FIRST
    elif leg.held < rules.orders and price <= trigger(leg.extreme, rules.distances[leg.held]):
        code = ADD
    if code == NONE:
        return Choice(NONE, NEITHER, 0, FINE)
    steps = lot(rules, leg.held, price, look.balance)
    if steps == 0:
        return Choice(NONE, side, 0, LOT_BELOW_MINIMUM)
    if margin(rules, price, steps) * BUFFER_TENTHS > look.available * 10:
        return Choice(NONE, side, 0, NO_MARGIN)
    return Choice(code, side, steps, FINE)


@kernel
def decide(rules: Rules, buy: Leg, sell: Leg, look: Look) -> Choice:
    """The one thing to do at this look. Prices of 0 or less, or an ask below the bid, are the caller's to refuse.

    A `SINGLE` is meant for the side's extreme entry; the next look finds the next one.
    """
    found = exit_code(rules, buy, sell, look)
    if found.code != NONE or not open_hours(rules, look.minute):
        return found
    if look.buys:
        found = entry_code(rules, buy, BUY, look.ask, look)
        if found.code != NONE:
            return found
    if look.sells:
        other = entry_code(rules, sell, SELL, -look.bid, look)
        if other.code != NONE or found.refused == FINE:
            return other
    return found
