"""What a grid can lose, proven on its own rules before it starts (X38): size, margin, loss, liquidation price.

Three ends of the road are reckoned from the start price, each walked order by order along the live rules:

- `down`: the price falls to the last BUY; every BUY is filled at its level, nothing helps on the other side.
- `up`: the mirror.
- `both`: both sides are full at once (filled on the way there and back). Margin and size are both sides'; the loss is
  the worse side's, the other one's result is taken as nothing, never as help.

Loss = Σ (entry − price at the last order) × lot + entry fees + closing fees + funding (paid on the full size for
`funding_days`, always against us). The liquidation price is where the balance less fees and funding, plus the result,
falls to the maintenance margin: of one side, LP = (balance − costs ∓ Σ cost + cum) ÷ (size × (rate ∓ 1)), Bitget's and
Binance's formula for cross margin with the bracket of the notional at LP. Averages between ticks are never rounded.

Beyond the last order the side goes on losing until its protective stop, `protect_pct` further: that loss is told, too,
and judged. Without a stop there is no bound before liquidation.

What it is not: a bound for a day of many grids. After an exit the next grid begins with what is left; the daily
max_loss bounds a day, as far as the market lets orders through.
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

import msgspec

from modules.strategies.grid.rules import BUFFER_TENTHS, BUY, SELL, Rules, stop_price
from modules.strategies.grid.units import Bracket, Contract, Scale, exact, lot_of, misfits, rules_of, scale_of
from modules.strategies.grid.walk import EMPTY, Step, walk

if TYPE_CHECKING:
    from modules.strategies.grid.settings import GridSettings

ZERO = Decimal(0)
CENT = Decimal("0.01")
FINE = Decimal("0.00000001")


class End(msgspec.Struct, frozen=True):
    """One end of the road. Money in USDT, `loss` negative. `affordable`: orders whose margin × 1.2 is there.

    `liquidation` None: no price within reach liquidates. `liquidated_at`: the order before which it would happen.
    `stopped_at`: the order before which the daily max_loss would close all, None without one. `stop`: where the
    protective stop stands once all are filled, `loss_at_stop` the loss there (without a stop: that of the last order).
    """

    name: str
    orders: int
    last_price: Decimal
    size: Decimal
    average: Decimal
    notional: Decimal
    margin: Decimal
    fees: Decimal
    funding: Decimal
    loss: Decimal
    liquidation: Decimal | None
    affordable: int
    liquidated_at: int | None
    stopped_at: int | None
    stop: Decimal | None
    loss_at_stop: Decimal


class WorstCase(msgspec.Struct, frozen=True):
    """The three ends, and why the grid is unsafe (nothing: it may start)."""

    symbol: str
    price: Decimal
    balance: Decimal
    leverage: int
    limit: Decimal
    down: End
    up: End
    both: End
    unsafe: tuple[str, ...]

    @property
    def safe(self) -> bool:
        """Whether the grid may start without `acceptRisk`."""
        return not self.unsafe

    @property
    def loss(self) -> Decimal:
        """The largest of the losses, negative."""
        return min(self.down.loss, self.up.loss, self.both.loss)


class Start(msgspec.Struct, frozen=True):
    """The answer to "may it start?": `accepted` is the recorded word of whoever took the risk."""

    allowed: bool
    figures: WorstCase
    impossible: tuple[str, ...]
    accepted: str = ""


def may_start(settings: "GridSettings", contract: Contract, price: Decimal, balance: Decimal,
              accept_risk: str = "") -> Start:
    """Whether a grid may start (X38). `accept_risk`: who accepts the risk and when, "" nobody.

    What cannot work at all (leverage above the contract's, lots below its minimum) no acceptance allows.
    """
    figures = worst_case(settings, contract, price, balance)
    wrong = (*misfits(settings, contract), *_too_small(settings, contract, price))
    impossible = wrong or (() if figures.down.orders and figures.up.orders else (
        f"with a balance of {balance:f} USDT at leverage {settings.leverage} a tenth of it does not pay the smallest "
        f"lot: raise the balance or the leverage, or trade a smaller contract",))
    allowed = not impossible and (figures.safe or bool(accept_risk))
    return Start(allowed, figures, impossible, accept_risk if allowed and not figures.safe else "")


def _too_small(settings: "GridSettings", contract: Contract, price: Decimal) -> list[str]:
    """The first lot, where the venue takes no order of so little money."""
    value = lot_of(settings, 0) * price
    if value >= contract.min_notional:
        return []
    least = (contract.min_notional / price / contract.step).to_integral_value(ROUND_CEILING) * contract.step
    return [f"the first lot, {lot_of(settings, 0)}, is worth {value:.2f} USDT at {price:f}: {contract.symbol} takes no "
            f"order under {contract.min_notional:f} USDT. Give a first lot of {least:f} or more"]


def worst_case(settings: "GridSettings", contract: Contract, price: Decimal, balance: Decimal) -> WorstCase:
    """The figures for a grid that starts at `price` with `balance` USDT. Raises ValueError for a price or balance ≤ 0.
    """
    if not (price > 0 and balance > 0):
        raise ValueError(f"price {price} and balance {balance} must both be above 0")
    scale = scale_of(contract)
    rules = rules_of(settings, contract, scale)
    start, money = scale.prices(price), scale.to_money(balance)
    terms = _Terms(settings, contract, scale, balance, rules)
    down = terms.end("down", BUY, walk(rules, EMPTY, start, money), start)
    up = terms.end("up", SELL, walk(rules, EMPTY, -start, money), start)
    both = terms.both(down, up)
    limit = (balance * exact(settings.risk_limit_pct) / 100).quantize(CENT)
    return WorstCase(contract.symbol, price, balance, settings.leverage, limit, down, up, both,
                     tuple(_unsafe(settings, contract, balance, limit, (down, up, both))))


class _Terms:
    """What all ends share: fees, funding, brackets, balance."""

    def __init__(self, settings: "GridSettings", contract: Contract, scale: Scale, balance: Decimal,
                 rules: Rules) -> None:
        self.contract, self.scale, self.balance, self.rules = contract, scale, balance, rules
        self.leverage = settings.leverage
        self.max_loss = exact(settings.max_loss)
        # Funding is settled every 8 hours.
        self.funding = exact(settings.funding_pct) / 100 * exact(settings.funding_days) * 3

    def end(self, name: str, side: int, steps: Sequence[Step], start: int) -> End:
        """The figures at the last order of one side."""
        if not steps:
            price = start * self.scale.price
            return End(name, 0, price, ZERO, price, ZERO, ZERO, ZERO, ZERO, ZERO, None, 0, None, None, None, ZERO)
        rows = [self._row(side, step) for step in steps]
        size, cost, last, fees, funding, result = rows[-1]
        margin = cost / self.leverage
        liquidation = liquidation_price(self.contract.brackets, side, size, cost, self.balance - fees - funding)
        return End(name, len(steps), last, size, (cost / size).quantize(FINE), cost, margin.quantize(CENT),
                   fees.quantize(CENT), funding.quantize(CENT), result.quantize(CENT), liquidation,
                   self._affordable(rows), self._first(rows, self._liquidated), self._first(rows, self._stopped),
                   *self._at_stop(side, steps[-1], result))

    def both(self, down: End, up: End) -> End:
        """Both sides full: margins and sizes together, the worse side's result, and its liquidation price."""
        worse = down if down.loss <= up.loss else up
        other = up if worse is down else down
        costs = other.fees + other.funding
        side = BUY if worse is down else SELL
        liquidation = None if not worse.size else liquidation_price(
            self.contract.brackets, side, worse.size, worse.notional, self.balance - worse.fees - worse.funding - costs)
        return End("both", down.orders + up.orders, worse.last_price, down.size + up.size, worse.average,
                   down.notional + up.notional, down.margin + up.margin, down.fees + up.fees,
                   down.funding + up.funding, worse.loss - costs, liquidation, down.affordable + up.affordable,
                   worse.liquidated_at, worse.stopped_at, worse.stop, worse.loss_at_stop - costs)

    def _row(self, side: int, step: Step) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal, Decimal]:
        """(size, cost, price, fees, funding, result) of the side just after an order is filled."""
        size = step.leg.steps * self.scale.step
        cost = abs(step.leg.cost) * self.scale.money
        price = abs(step.price) * self.scale.price
        value = size * price
        fees = (cost + value) * self.contract.taker
        funding = max(cost, value) * self.funding
        return size, cost, price, fees, funding, side * (value - cost) - fees - funding

    def _at_stop(self, side: int, last: Step, result: Decimal) -> tuple[Decimal | None, Decimal]:
        """(price, loss) of the protective stop once every order is filled."""
        if not self.rules.protect_ppm:
            return None, result.quantize(CENT)
        price = abs(stop_price(self.rules, last.leg._replace(held=self.rules.orders))) * self.scale.price
        size, cost = last.leg.steps * self.scale.step, abs(last.leg.cost) * self.scale.money
        value = size * price
        loss = side * (value - cost) - (cost + value) * self.contract.taker - max(cost, value) * self.funding
        return price, loss.quantize(CENT)

    def _affordable(self, rows: Sequence[tuple[Decimal, ...]]) -> int:
        """Orders that E7 lets through: margin × 1.2 out of what is left of the balance at that price."""
        size_before = cost_before = ZERO
        for number, (size, cost, price, _, _, result) in enumerate(rows):
            new = (size - size_before) * price
            equity = self.balance + result
            free = equity - cost_before / self.leverage
            if new / self.leverage * BUFFER_TENTHS / 10 > free:
                return number
            size_before, cost_before = size, cost
        return len(rows)

    def _first(self, rows: Sequence[tuple[Decimal, ...]], happens: Callable[[Decimal, Decimal], bool]) -> int | None:
        """Number of the first order at whose price the leg before it has come to that; None: at none of them."""
        for number in range(1, len(rows)):
            size, cost = rows[number - 1][0], rows[number - 1][1]
            price = rows[number][2]
            sign = 1 if price < rows[0][2] else -1
            value = size * price
            costs = (cost + value) * self.contract.taker + max(cost, value) * self.funding
            if happens(value, sign * (value - cost) - costs):
                return number + 1
        return None

    def _liquidated(self, value: Decimal, result: Decimal) -> bool:
        return self.balance + result <= maintenance(self.contract.brackets, value)

    def _stopped(self, value: Decimal, result: Decimal) -> bool:
        return self.max_loss > 0 and result <= -self.max_loss


def bracket_at(brackets: Sequence[Bracket], notional: Decimal) -> Bracket:
    """The bracket of a notional; the last one beyond its cap."""
    return next((one for one in brackets if notional <= one.cap), brackets[-1])


def maintenance(brackets: Sequence[Bracket], notional: Decimal) -> Decimal:
    """Maintenance margin of a side's notional."""
    one = bracket_at(brackets, notional)
    return notional * one.rate - one.cum


def liquidation_price(brackets: Sequence[Bracket], side: int, size: Decimal, cost: Decimal,
                      wallet: Decimal) -> Decimal | None:
    """Price at which ``wallet + side × (size × price − cost)`` is the maintenance margin; None where there is none."""
    found: list[Decimal] = []
    floor = ZERO
    for one in brackets:
        below = size * (one.rate - side)
        if below:
            price = (wallet - side * cost + one.cum) / below
            if price > 0 and floor <= price * size <= one.cap:
                found.append(price)
        floor = one.cap
    # The first one met on the way counts: the highest below for longs, the lowest above for shorts.
    return (max(found) if side > 0 else min(found)).quantize(FINE) if found else None


def _unsafe(settings: "GridSettings", contract: Contract, balance: Decimal, limit: Decimal,
            ends: Sequence[End]) -> list[str]:
    """Each limit that is broken, and by how much."""
    wrong: list[str] = []
    share = f"({settings.risk_limit_pct:g} % of {balance:,.2f})"
    for end in ends:
        if -end.loss > limit:
            wrong.append(f"{end.name}: the loss at the last order is {end.loss:,.2f} USDT, {-end.loss - limit:,.2f} "
                         f"more than the limit of {limit:,.2f} {share}")
        elif -end.loss_at_stop > limit:
            wrong.append(f"{end.name}: the loss at the stop {end.stop:,f} is {end.loss_at_stop:,.2f} USDT, "
                         f"{-end.loss_at_stop - limit:,.2f} more than the limit of {limit:,.2f} {share}")
        if end.name == "both":
            if end.margin * BUFFER_TENTHS / 10 > balance:
                wrong.append(f"both: a margin of {end.margin:,.2f} USDT with its buffer of 20 % is "
                             f"{end.margin * BUFFER_TENTHS / 10 - balance:,.2f} more than the balance of "
                             f"{balance:,.2f}")
            continue
        if end.liquidated_at is not None:
            wrong.append(f"{end.name}: liquidated before order {end.liquidated_at} of {end.orders}")
        elif _stop_is_late(end):
            wrong.append(f"{end.name}: liquidated at {end.liquidation:,f}, before its stop at {end.stop:,f}")
        if end.affordable < end.orders:
            wrong.append(f"{end.name}: the balance pays {end.affordable} of {end.orders} orders, "
                         f"then the margin is missing")
        allowed = bracket_at(contract.brackets, end.notional).leverage
        if settings.leverage > allowed:
            wrong.append(f"{end.name}: a side of {end.notional:,.0f} USDT allows leverage {allowed}, "
                         f"not {settings.leverage}")
    return wrong


def _stop_is_late(end: End) -> bool:
    """Whether the price comes to the liquidation before it comes to the protective stop."""
    if end.stop is None or end.liquidation is None:
        return False
    return end.liquidation >= end.stop if end.stop < end.last_price else end.liquidation <= end.stop
