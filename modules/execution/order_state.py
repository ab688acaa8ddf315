"""What an order has become: one function applies an update, one folds its fills (X11).

1. Terminal states don't come back, and the filled quantity never falls.
2. A fill is unique by (symbol, id); the average price comes from fills.
3. A fee in the coin itself shrinks what was received; a fee in any other asset is money paid on top.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import msgspec

from modules.exchange.types import Fill, OrderState, PositionSide
from modules.execution.intents import FeeTerms

ZERO = Decimal(0)


class Executed(msgspec.Struct, frozen=True, kw_only=True):
    """What an order achieved. `quantity` in base, gross; `fee_base` was taken in the coin; `fee_usdt` is the value of
    all fees in quote, those in the coin included. `estimated` says that fees were reckoned, not told.
    """

    order_id: str
    quantity: Decimal
    quote: Decimal
    fee_usdt: Decimal
    fee_base: Decimal = ZERO
    fill_ids: tuple[str, ...] = ()
    market_ms: int
    estimated: bool = False

    @property
    def price(self) -> Decimal:
        """Average price. Raises ZeroDivisionError where nothing was executed."""
        return self.quote / self.quantity

    @property
    def received(self) -> Decimal:
        """Coins that a buy brought in, net of a fee taken in the coin."""
        return self.quantity - self.fee_base

    @property
    def cost(self) -> Decimal:
        """All that a buy cost in quote (rule 3)."""
        return self.quote + self._fee_on_top

    @property
    def proceeds(self) -> Decimal:
        """All that a sale brought in quote (rule 3)."""
        return self.quote - self._fee_on_top

    @property
    def _fee_on_top(self) -> Decimal:
        return self.fee_usdt - (self.fee_base * self.price if self.fee_base else ZERO)


def advance(known: OrderState | None, update: OrderState) -> OrderState:
    """The state after an update (rule 1). An update that would go back leaves what is known."""
    if known is None:
        return update
    filled = max(known.filled, update.filled)
    quote = max(known.filled_quote, update.filled_quote)
    if known.status.terminal and not update.status.terminal:
        return replace(known, filled=filled, filled_quote=quote)
    return replace(update, filled=filled, filled_quote=quote)


def own_fills(fills: Iterable[Fill], state: OrderState) -> list[Fill]:
    """The fills of one order, each once (rule 2), oldest first."""
    seen: dict[str, Fill] = {}
    for fill in fills:
        if fill.order_id == state.order_id or (state.client_id and fill.client_id == state.client_id):
            seen.setdefault(fill.id, fill)
    return sorted(seen.values(), key=lambda fill: (fill.market_ms, fill.id))


def in_leg(fill: Fill, ordered: PositionSide) -> Fill:
    """A fill of an order of ours: where the venue names no leg it is the ordered one's, whatever was made of its other
    figures in a position mode that may have changed. A leg that the venue names stands, be it another one.
    """
    return fill if fill.leg_named else replace(fill, position_side=ordered)


def fold(fills: list[Fill], order_id: str, fees: FeeTerms) -> Executed:
    """What these fills amount to (rules 2, 3). `fills` must not be empty."""
    quantity = sum((fill.quantity for fill in fills), ZERO)
    quote = sum((fill.quantity * fill.price for fill in fills), ZERO)
    fee_base = fee_usdt = ZERO
    estimated = False
    for fill in fills:
        if fill.fee_asset == fees.quote:
            fee_usdt += fill.fee
        elif fill.fee_asset == fees.base:
            fee_base += fill.fee
            fee_usdt += fill.fee * fill.price
        elif fill.fee:  # e.g. the venue's own coin, whose price is not known here
            fee_usdt += fill.quantity * fill.price * fees.taker
            estimated = True
    return Executed(order_id=order_id, quantity=quantity, quote=quote, fee_usdt=fee_usdt, fee_base=fee_base,
                    fill_ids=tuple(fill.id for fill in fills), market_ms=fills[-1].market_ms, estimated=estimated)


def from_order(state: OrderState, fees: FeeTerms) -> Executed:
    """What the order itself tells, where its fills could not be had: fees reckoned at the taker's rate."""
    return Executed(order_id=state.order_id, quantity=state.filled, quote=state.filled_quote,
                    fee_usdt=state.filled_quote * fees.taker, market_ms=state.updated_ms, estimated=True)
