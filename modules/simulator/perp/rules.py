"""What the venue checks before it takes an order: filters, mode, bands. Order of the checks as a client meets them."""

from __future__ import annotations

from decimal import Decimal

from modules.simulator.perp.records import Account, NewOrder, Spec
from modules.simulator.perp.words import Kind, Leg, Refused, Side, Tif, Why


def leg_of(account: Account, side: Side, leg: Leg | None, reduce_only: bool) -> Leg:
    """The leg an order acts on. Raises Refused: LEG_MISMATCH, REDUCE_ONLY with hedge mode is BAD_COMBINATION."""
    if account.hedge:
        if leg not in (Leg.LONG, Leg.SHORT):
            raise Refused(Why.LEG_MISMATCH, "hedge mode: say LONG or SHORT")
        if reduce_only:
            raise Refused(Why.BAD_COMBINATION, "reduceOnly")
        return leg
    if leg not in (None, Leg.BOTH):
        raise Refused(Why.LEG_MISMATCH, "one-way mode: say BOTH")
    return Leg.BOTH


def closes(leg: Leg, side: Side) -> bool:
    """Whether an order of this leg and side can only reduce (hedge mode)."""
    return (leg is Leg.LONG and side is Side.SELL) or (leg is Leg.SHORT and side is Side.BUY)


def whole(value: Decimal, unit: Decimal, decimals: int, off: Why) -> int:
    """A value as whole units. Raises Refused: BAD_PRECISION where it has too many decimals, `off` between units."""
    if not value.is_finite():
        raise Refused(Why.BAD_PRECISION, str(value))
    exponent = value.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > decimals:
        raise Refused(Why.BAD_PRECISION, f"{value} has more than {decimals} decimals")
    units = value / unit
    if units != units.to_integral_value():
        raise Refused(off, f"{value} is no multiple of {unit}")
    return int(units)


def quantity(spec: Spec, qty: Decimal, market: bool) -> int:
    """Steps of an order. Raises Refused."""
    steps = whole(qty, spec.step, spec.qty_precision, Why.QTY_OFF_STEP)
    if steps < spec.min_qty:
        raise Refused(Why.QTY_TOO_SMALL, f"{qty} < {spec.qty(spec.min_qty)}")
    most = spec.max_market_qty if market else spec.max_qty
    if steps > most:
        raise Refused(Why.QTY_TOO_LARGE, f"{qty} > {spec.qty(most)}")
    return steps


def limit_price(spec: Spec, price: Decimal, side: Side, mark: Decimal) -> int:
    """Ticks of a limit price inside the contract's and the mark price's bands. Raises Refused."""
    if price <= 0:
        raise Refused(Why.PRICE_TOO_LOW, str(price))
    ticks = whole(price, spec.tick, spec.price_precision, Why.PRICE_OFF_TICK)
    if ticks < spec.min_price:
        raise Refused(Why.PRICE_TOO_LOW, f"{price} < {spec.price(spec.min_price)}")
    if ticks > spec.max_price:
        raise Refused(Why.PRICE_TOO_HIGH, f"{price} > {spec.price(spec.max_price)}")
    highest, lowest = mark * (1 + spec.band), mark * (1 - spec.band)
    if side is Side.BUY and price > highest:
        raise Refused(Why.PRICE_ABOVE_BAND, f"{price} > {highest:.{spec.price_precision}f}")
    if side is Side.SELL and price < lowest:
        raise Refused(Why.PRICE_BELOW_BAND, f"{price} < {lowest:.{spec.price_precision}f}")
    return ticks


def min_notional(account: Account, spec: Spec, steps: int, price: Decimal, exempt: bool) -> None:
    """Raises Refused where an order that may open is worth too little for the contract, or for the account's wire."""
    least = spec.min_notional if account.least_notional is None else account.least_notional
    if not exempt and spec.qty(steps) * price < least:
        raise Refused(Why.MIN_NOTIONAL, f"{spec.qty(steps) * price} < {least}")


def shape(new: NewOrder) -> None:
    """Raises Refused where the parts of an order do not go together."""
    if new.kind not in (Kind.LIMIT, Kind.MARKET):
        raise Refused(Why.ALGO_PATH, new.kind)
    if new.kind is Kind.LIMIT and new.price is None:
        raise Refused(Why.BAD_COMBINATION, "price")
    if new.kind is Kind.MARKET and new.price is not None:
        raise Refused(Why.BAD_COMBINATION, "price")
    if new.qty is None and not new.close_position:
        raise Refused(Why.BAD_COMBINATION, "quantity")
    if (new.tif is Tif.GTD) != (new.good_till_ms is not None):
        raise Refused(Why.BAD_COMBINATION, "goodTillDate")
