"""What is held of one symbol, folded from fills by average cost (X11, X12, X19). Pure; Decimal throughout.

1. A buy adds its quantity at its price; a sale realises (price − average) on what it closes.
2. A fee in the coin shrinks the quantity and counts at the fill's price; a fee in quote is money; a fee in a third
   coin is kept by coin and valued only when somebody gives a price. So ``average`` is the average of prices alone.
3. Spot never goes below zero: what is sold beyond the quantity known came from outside. It is counted as ``surplus``,
   at the sale's own price, so that it makes neither profit nor loss, and reconciliation reports it.
4. A signed holding (futures) goes through zero: the part beyond opens the other side at the fill's price.
5. With a mark price M, exactly: realised + (quantity × M − basis) − fees + funding = cash + quantity × M − inflow.
   ``equity_gap`` is the difference; it stays zero but for the rounding of 50-digit divisions.
"""

from collections.abc import Mapping
from decimal import Context, Decimal, localcontext

import msgspec

from modules.exchange.types import Fill, Market, Side

ZERO = Decimal(0)
EXACT = Context(prec=50)


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """Quantities in base, money in quote. `basis` is quantity × average (negative for a short).

    `cash` is the quote that flowed in (negative: out), quote fees and funding included. `fees` is the value of fees in
    quote and in the coin; `fees_base` the coins, `fees_other` the amounts by third coin. `inflow` is the value of the
    `surplus` (rule 3). `first_ms` is when the present holding began, `last_ms` the newest fill.
    """

    symbol: str
    base: str
    quote: str
    signed: bool = False
    quantity: Decimal = ZERO
    basis: Decimal = ZERO
    realised: Decimal = ZERO
    cash: Decimal = ZERO
    fees: Decimal = ZERO
    fees_base: Decimal = ZERO
    fees_other: dict[str, Decimal] = {}
    funding: Decimal = ZERO
    surplus: Decimal = ZERO
    inflow: Decimal = ZERO
    first_ms: int = 0
    last_ms: int = 0

    @property
    def average(self) -> Decimal | None:
        """Average price of what is held; None where nothing is."""
        if not self.quantity:
            return None
        with localcontext(EXACT):
            return self.basis / self.quantity

    def unrealised(self, mark: Decimal) -> Decimal:
        """Result of closing at `mark`, before fees."""
        with localcontext(EXACT):
            return self.quantity * mark - self.basis

    def net(self, mark: Decimal) -> Decimal:
        """Realised and unrealised result after fees in quote and in the coin, with funding."""
        with localcontext(EXACT):
            return self.realised + self.unrealised(mark) - self.fees + self.funding


def empty(market: Market, signed: bool = False) -> Holding:
    """Nothing held yet of `market`."""
    return Holding(symbol=market.symbol, base=market.base, quote=market.quote, signed=signed)


def problem_of(fill: Fill) -> str:
    """Why a fill cannot be believed (NaN, zero, negative, nameless); empty if it can."""
    for name, value in (("price", fill.price), ("quantity", fill.quantity)):
        if not value.is_finite() or value <= 0:
            return f"its {name} is {value}"
    if not fill.fee.is_finite():
        return f"its fee is {fill.fee}"
    if not fill.id:
        return "it has no id"
    if fill.fee and not fill.fee_asset:
        return "its fee names no coin"
    return ""


def apply(held: Holding, fill: Fill) -> Holding:
    """The holding after one fill (rules 1–4). A negative fee is a rebate. Raises ValueError for a foreign symbol."""
    if fill.symbol != held.symbol:
        raise ValueError(f"a fill of {fill.symbol} does not belong to {held.symbol}")
    with localcontext(EXACT):
        coins = fill.fee if fill.fee_asset == held.base else ZERO
        paid = fill.fee if fill.fee_asset == held.quote else ZERO
        gross = fill.price * fill.quantity
        delta = fill.quantity - coins if fill.side is Side.BUY else -(fill.quantity + coins)
        money = -gross if fill.side is Side.BUY else gross
        other = held.fees_other
        if fill.fee and not coins and not paid:
            other = {**other, fill.fee_asset: other.get(fill.fee_asset, ZERO) + fill.fee}
        moved = _move(held, delta, fill.price, fill.market_ms)
        return msgspec.structs.replace(
            moved, cash=held.cash + money - paid, fees=held.fees + paid + coins * fill.price,
            fees_base=held.fees_base + coins, fees_other=other, last_ms=max(held.last_ms, fill.market_ms),
        )


def fund(held: Holding, amount: Decimal, market_ms: int) -> Holding:
    """Funding received (positive) or paid, in quote."""
    with localcontext(EXACT):
        return msgspec.structs.replace(held, funding=held.funding + amount, cash=held.cash + amount,
                                       last_ms=max(held.last_ms, market_ms))


def _move(held: Holding, delta: Decimal, price: Decimal, market_ms: int) -> Holding:
    """Quantity changed by `delta` at `price`: what closes is realised, what is beyond opens (rules 1, 3, 4)."""
    quantity = held.quantity
    opens = not quantity or (delta > 0) == (quantity > 0)
    if opens and (delta >= 0 or held.signed):
        return msgspec.structs.replace(held, quantity=quantity + delta, basis=held.basis + delta * price,
                                       first_ms=held.first_ms if quantity else market_ms)
    if abs(delta) <= abs(quantity):
        part = held.basis if abs(delta) == abs(quantity) else held.basis * abs(delta) / abs(quantity)
        return msgspec.structs.replace(held, quantity=quantity + delta, basis=held.basis - part,
                                       realised=held.realised - delta * price - part)
    beyond = delta + quantity
    flat = msgspec.structs.replace(held, quantity=ZERO, basis=ZERO,
                                   realised=held.realised + quantity * price - held.basis)
    if held.signed:  # rule 4
        return msgspec.structs.replace(flat, quantity=beyond, basis=beyond * price, first_ms=market_ms)
    return msgspec.structs.replace(flat, surplus=held.surplus - beyond, inflow=held.inflow - beyond * price)  # rule 3


def equity_gap(held: Holding, mark: Decimal) -> Decimal:
    """How far the identity of rule 5 is from holding at `mark`; zero unless money was miscounted."""
    with localcontext(EXACT):
        return held.net(mark) - (held.cash + held.quantity * mark - held.inflow)


def third_coin_fees(held: Holding, prices: Mapping[str, Decimal]) -> Decimal | None:
    """Value in quote of fees taken in third coins; None as soon as one of them has no price (X15: never zero)."""
    with localcontext(EXACT):
        total = ZERO
        for asset, amount in held.fees_other.items():
            price = prices.get(asset)
            if price is None:
                return None
            total += amount * price
        return total


def unsellable(quantity: Decimal, market: Market, price: Decimal) -> bool:
    """Whether the venue would refuse to sell it: below one step, or under the least notional at `price`."""
    sellable = (quantity // market.step) * market.step
    return sellable <= 0 or sellable * price < market.min_notional


def negligible(quantity: Decimal, market: Market, price: Decimal) -> bool:
    """The stricter bar for dropping a record (X25): under one step, or worth under a tenth of the minimum."""
    return quantity < market.step or quantity * price < market.min_notional / 10
