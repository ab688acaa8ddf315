"""From settings and a contract to the integers that the rules work with, and back."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

import msgspec

from modules.strategies.grid.rules import PPM, Rules

if TYPE_CHECKING:
    from modules.strategies.grid.settings import GridSettings

# M5: a martingale's lot is at most this many times its base.
MOST_TIMES_BASE = 10
# Averages of partial fills lie between ticks: the live rules count prices in parts of a tick.
PARTS_OF_TICK = 10_000


class Bracket(msgspec.Struct, frozen=True):
    """Up to `cap` USDT of one side: highest leverage and maintenance rate; `cum` makes it continuous."""

    cap: Decimal
    leverage: int
    rate: Decimal
    cum: Decimal = Decimal(0)


class Contract(msgspec.Struct, frozen=True):
    """What the venue says of a contract. Quantities in base, `taker` a fraction; no bracket: none is known."""

    symbol: str
    tick: Decimal
    step: Decimal
    min_quantity: Decimal
    min_notional: Decimal = Decimal(5)
    max_quantity: Decimal = Decimal(0)
    max_leverage: int = 125
    taker: Decimal = Decimal("0.0006")
    brackets: tuple[Bracket, ...] = (Bracket(Decimal(10**12), 125, Decimal("0.005")),)

    def largest(self, quantity: Decimal) -> Decimal:
        """A quantity, or what one order takes of it."""
        most = self.max_quantity // self.step * self.step
        return min(quantity, most) if most > 0 else quantity

    def parts(self, quantity: Decimal) -> list[Decimal]:
        """A quantity in orders that the venue takes."""
        found: list[Decimal] = []
        while quantity > 0:
            found.append(self.largest(quantity))
            quantity -= found[-1]
        return found


class Scale(msgspec.Struct, frozen=True):
    """The size of one unit of price and one step of quantity."""

    price: Decimal
    step: Decimal

    @property
    def money(self) -> Decimal:
        """USDT of one unit of money."""
        return self.price * self.step

    def prices(self, price: Decimal) -> int:
        """A price in units, to the nearest."""
        return round(price / self.price)

    def steps(self, quantity: Decimal) -> int:
        """Whole steps in a quantity, rounded down."""
        return int((quantity / self.step).to_integral_value(ROUND_FLOOR))

    def to_money(self, usdt: Decimal) -> int:
        """USDT in units of money, rounded down."""
        return int((usdt / self.money).to_integral_value(ROUND_FLOOR))

    def usdt(self, money: int) -> Decimal:
        """Units of money in USDT."""
        return money * self.money


def exact(value: float) -> Decimal:
    """A setting as it was written: 0.1 is a tenth."""
    return Decimal(repr(value))


def ppm(percent: float) -> int:
    """Percent in parts per million, to the nearest."""
    return round(exact(percent) * PPM / 100)


def scale_of(contract: Contract, parts: int = PARTS_OF_TICK) -> Scale:
    """The units of a contract; `parts` of a tick make the unit of price (1: whole ticks, for the backtest)."""
    return Scale(contract.tick / parts, contract.step)


def level_of(settings: "GridSettings", count: int) -> int:
    """The level 1–4 that a side with `count` open positions is in (E1): 0–4 → 1 … by default."""
    passed = 0
    for number, level in enumerate(settings.levels(), start=1):
        passed += level.orders
        if count < passed:
            return number
    return 4


def lot_of(settings: "GridSettings", count: int) -> Decimal:
    """The lot after `count` open positions before it is cut to steps and to the balance (E2, M5)."""
    if settings.multiplier > 0:
        base = exact(settings.base_lot)
        wanted = base * min(exact(settings.multiplier) ** min(count, 400), Decimal(MOST_TIMES_BASE))
    else:
        wanted = exact(settings.levels()[level_of(settings, count) - 1].lots)
    return max(exact(settings.min_lot), min(exact(settings.max_lot), wanted))


def orders_of(settings: "GridSettings") -> int:
    """Orders of one side at most."""
    return sum(level.orders for level in settings.levels())


def least_lot(settings: "GridSettings", contract: Contract) -> int:
    """Smallest order in steps: the setting's and the venue's, rounded up."""
    least = max(exact(settings.min_lot), contract.min_quantity)
    return int((least / contract.step).to_integral_value(ROUND_CEILING))


def rules_of(settings: "GridSettings", contract: Contract, scale: Scale) -> Rules:
    """The rules that settings and contract mean, in the units of `scale`."""
    orders = orders_of(settings)
    least = least_lot(settings, contract)
    most = scale.steps(contract.max_quantity) if contract.max_quantity else 1 << 50
    lots = tuple(min(scale.steps(lot_of(settings, count)), most) for count in range(orders))
    widths = tuple(ppm(settings.levels()[level_of(settings, count) - 1].percent) for count in range(orders))
    return Rules(
        lots=lots, distances=widths, orders=orders, min_lot=max(least, 1),
        leverage=settings.leverage, single_ppm=ppm(settings.single_order_profit),
        pair_ppm=ppm(settings.pair_global_profit), day_target=scale.to_money(exact(settings.global_profit)),
        day_loss=scale.to_money(exact(settings.max_loss)),
        taker_ppm=int((contract.taker * PPM).to_integral_value(ROUND_CEILING)),
        new_candle=settings.open_on_new_candle,
        start_minute=settings.start_hour * 60 + settings.start_minute,
        finish_minute=settings.finish_hour * 60 + settings.finish_minute,
        protect_ppm=ppm(settings.protect_pct),
    )


def misfits(settings: "GridSettings", contract: Contract) -> list[str]:
    """Why these settings cannot trade this contract, one sentence each (E6, X10)."""
    wrong: list[str] = []
    if settings.trading_symbol != contract.symbol:
        wrong.append(f"trading_symbol {settings.trading_symbol} is not the contract {contract.symbol}")
    if settings.leverage > contract.max_leverage:
        wrong.append(f"leverage {settings.leverage} is above the {contract.max_leverage} that {contract.symbol} allows")
    if exact(settings.max_lot) < contract.min_quantity:
        wrong.append(f"max_lot {settings.max_lot:g} is below the smallest order of {contract.symbol}, "
                     f"{contract.min_quantity}")
    rules = rules_of(settings, contract, scale_of(contract))
    low = next((count for count, steps in enumerate(rules.lots) if steps < rules.min_lot), None)
    if low is not None:
        wrong.append(f"the lot of order {low + 1}, {lot_of(settings, low)}, is below the smallest order of "
                     f"{contract.symbol}, {rules.min_lot * contract.step}")
    if contract.max_quantity and any(lot_of(settings, count) > contract.max_quantity for count in range(rules.orders)):
        wrong.append(f"a lot is above the largest order of {contract.symbol}, {contract.max_quantity}")
    return wrong
