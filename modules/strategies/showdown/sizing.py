"""Entry zone, stop, targets and size of a trade (C6). Prices and sizes are Decimal; distances come from ATR.

Size in quote = risk ÷ (stop distance + fees) × entry, with the worst entry of the zone, so that the loss at the stop is
never above the risk; then the smallest of: that, the largest position, margin × leverage, the venue's largest order.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from modules.strategies.showdown.records import Contract
from modules.strategies.showdown.settings import ShowdownSettings

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Levels:
    """Prices of a trade on the venue's ticks; `zone` low to high; `worst` is the end of it farthest from the stop."""

    zone: tuple[Decimal, Decimal]
    worst: Decimal
    sl: Decimal
    tp1: Decimal
    tp2: Decimal


@dataclass(frozen=True, slots=True)
class Size:
    """What may be bought or sold. `refused`: a code where nothing may; `capped_by`: what held it below the risk."""

    quantity: Decimal
    quote: Decimal
    risk: Decimal
    capped_by: str
    refused: str = ""
    said: str = ""


def levels(side: int, price: float, atr: float, contract: Contract, settings: ShowdownSettings) -> Levels | None:
    """Levels of a long (`side` 1) or short (−1) at `price`, `atr` of 15m; None where they cannot be: a stop at or
    under zero, or an ATR too small for the ticks. Stops are rounded away, targets towards the entry.
    """
    tick, now, unit = Decimal(contract.tick), Decimal(repr(price)), Decimal(repr(atr))
    sign = Decimal(side)
    far, near = (ROUND_FLOOR, ROUND_CEILING) if side > 0 else (ROUND_CEILING, ROUND_FLOOR)
    worst = _to(now, tick, far)
    best = _to(now - sign * unit * _exact(settings.entry_atr), tick, near)
    middle = (worst + best) / 2
    sl = _to(middle - sign * unit * _exact(settings.sl_atr), tick, far)
    tp1 = _to(middle + sign * unit * _exact(settings.tp1_atr), tick, far)
    tp2 = _to(middle + sign * unit * _exact(settings.tp2_atr), tick, far)
    if sl <= 0 or tp2 <= 0 or not (sl < best <= worst < tp1 <= tp2 if side > 0 else sl > best >= worst > tp1 >= tp2):
        return None
    return Levels((min(best, worst), max(best, worst)), worst, sl, tp1, tp2)


def size(found: Levels, equity: Decimal, contract: Contract, settings: ShowdownSettings) -> Size:
    """The position for `levels` with `equity` USDT."""
    step, fee = Decimal(contract.step), Decimal(contract.fee)
    risk = equity * _exact(settings.risk_pct) / 100
    loss = abs(found.worst - found.sl) + fee * (found.worst + found.sl)  # of one unit, both fees as taker
    limits = {
        "risk": risk / loss,
        "max_position_usdt": _exact(settings.max_position_usdt) / found.worst,
        "margin": equity * _exact(settings.margin_share_pct) / 100 * settings.leverage / found.worst,
        "venue": Decimal(contract.max_quantity),
    }
    name = min(limits, key=lambda key: limits[key])
    quantity = _to(limits[name], step, ROUND_FLOOR)
    quote = quantity * found.worst
    if quantity <= 0 or quote < Decimal(contract.min_notional):
        return Size(ZERO, ZERO, ZERO, name, "SIZE_TOO_SMALL",
                    f"{quote:.2f} USDT is under the venue's least of {contract.min_notional} (held by {name})")
    return Size(quantity, quote, quantity * loss, "" if name == "risk" else name)


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))


def _to(value: Decimal, unit: Decimal, rounding: str) -> Decimal:
    return (value / unit).to_integral_value(rounding) * unit
