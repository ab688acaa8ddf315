"""Prices and size of an entry on the contract's grid, in Decimal (X12); distances come from the rules. Pure."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from modules.exchange.futures_types import FuturesMarket

BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Levels:
    """Stop and target of an entry."""

    stop: Decimal
    take: Decimal


def on_grid(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    """The multiple of `step` next to `value`."""
    return (value / step).to_integral_value(rounding) * step


def entry_price(price: float, tick: Decimal) -> Decimal:
    """A price of the book, exactly."""
    return on_grid(Decimal(repr(price)), tick, ROUND_HALF_EVEN)


def levels_of(side: int, price: Decimal, stop_bps: float, take_r: float, tick: Decimal) -> Levels:
    """The stop never stands nearer than the rule says; the target goes to the nearest tick, one at least away."""
    distance = price * Decimal(repr(stop_bps)) / BPS
    stop = on_grid(price - side * distance, tick, ROUND_FLOOR if side > 0 else ROUND_CEILING)
    away = max(on_grid(distance * Decimal(repr(take_r)), tick, ROUND_HALF_EVEN), tick)
    return Levels(stop, price + side * away)


def quantity_of(price: Decimal, stop: Decimal, equity: Decimal, risk_pct: float, most_usdt: float,
                market: FuturesMarket) -> Decimal:
    """risk ÷ stop distance, capped, in whole steps; 0 where that is less than the contract's smallest order."""
    risk = equity * Decimal(repr(risk_pct)) / 100
    wanted = min(risk / abs(price - stop), Decimal(repr(most_usdt)) / price)
    found = on_grid(max(wanted, Decimal(0)), market.step, ROUND_FLOOR)
    enough = found >= max(market.least, market.step) and found * min(price, stop) >= market.min_notional
    return found if enough else Decimal(0)
