"""The grid walked to its last order along its own rules: what each order is, where it stands, what the leg weighs."""

from typing import NamedTuple

from modules.strategies.grid.rules import Leg, Rules, lot, trigger

EMPTY = Leg(0, 0, 0, 0)


class Step(NamedTuple):
    """One order of a side: number from 1, mirror price (minus the price for SELL), steps, and the leg once filled."""

    number: int
    price: int
    steps: int
    leg: Leg


def added(leg: Leg, price: int, steps: int) -> Leg:
    """The leg with one more position at a mirror price."""
    extreme = price if leg.held == 0 else min(leg.extreme, price)
    return Leg(leg.held + 1, leg.steps + steps, leg.cost + price * steps, extreme)


def walk(rules: Rules, leg: Leg, start: int, balance: int) -> list[Step]:
    """Every order that the side would still make while the price moves against it; an empty leg begins at `start`.

    `start` is a mirror price. The walk ends at the last order, or where the caps leave no lot (E2). It does not ask
    whether the margin is there: the worst case has to show what lies beyond.
    """
    steps: list[Step] = []
    while leg.held < rules.orders:
        price = start if leg.held == 0 else min(trigger(leg.extreme, rules.distances[leg.held]), start)
        size = lot(rules, leg.held, price, balance)
        if size == 0:
            break
        leg = added(leg, price, size)
        steps.append(Step(leg.held, price, size, leg))
    return steps
