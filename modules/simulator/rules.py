"""What the venue accepts as an order: decimals, minimums, maximums, the price band, the pair's state."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from modules.simulator.accounts import OrderType
from modules.simulator.book import BUY
from modules.simulator.errors import Reason, Refused
from modules.simulator.pairs import PairState
from modules.simulator.universe import Token

MIN_NOTIONAL = Decimal(1)
MAX_NOTIONAL = Decimal(2_000_000)
MAX_NOTIONAL_MARKET = Decimal(100_000)
MAX_OPEN_ORDERS = 500
PRICE_BAND = 2  # a limit price may be worse than the last price by this factor at most


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a client asks for, parsed but not judged."""

    symbol: str
    side: str
    type: OrderType
    qty: Decimal | None
    quote_qty: Decimal | None
    price: Decimal | None
    client_id: str | None


def check_state(token: Token, state: PairState, ask: NewOrder) -> None:
    """Whether the pair takes such an order now. Raises Refused."""
    if state is PairState.OFFLINE:
        raise Refused(Reason.OFFLINE, token.symbol)
    if not token.api_open or not token.in_defaults:
        raise Refused(Reason.CLOSED_TO_API, token.symbol)
    if state is PairState.HALTED:
        raise Refused(Reason.HALTED, token.symbol)
    if state is PairState.SELL_ONLY and ask.side == BUY:
        raise Refused(Reason.SELL_ONLY, token.symbol)
    if ask.type is OrderType.MARKET and not token.market_orders:
        raise Refused(Reason.NO_MARKET_ORDERS, token.symbol)


def check_size(token: Token, ask: NewOrder, price: int | None, steps: int | None, last: int) -> None:
    """Price band, minimum and maximum worth; prices in ticks. Raises Refused."""
    if price is not None and (price > PRICE_BAND * last if ask.side == BUY else PRICE_BAND * price < last):
        raise Refused(Reason.PRICE_RANGE, f"last price {Decimal(last).scaleb(-token.price_scale)}")
    worth = _worth(token, ask, price, steps, last)
    if worth < MIN_NOTIONAL:
        raise Refused(Reason.UNDER_MINIMUM, f"{MIN_NOTIONAL}USDT")
    maximum = MAX_NOTIONAL_MARKET if ask.type is OrderType.MARKET else MAX_NOTIONAL
    if worth > maximum:
        raise Refused(Reason.OVER_MAXIMUM, f"{maximum}USDT")


def in_units(token: Token, ask: NewOrder) -> tuple[int | None, int | None]:
    """Price in ticks and amount in steps. Raises Refused where the decimals don't fit or a part is missing."""
    price: int | None = None
    prices, amounts = token.order_scales
    if ask.type is not OrderType.MARKET:
        if ask.price is None:
            raise Refused(Reason.MISSING, "price")
        if ask.price <= 0:
            raise Refused(Reason.BAD_PARAMETER, "price")
        price = _whole(ask.price, token.price_scale, prices, Reason.PRICE_DECIMALS)
    if ask.qty is None:
        if ask.type is not OrderType.MARKET or ask.quote_qty is None:
            raise Refused(Reason.MISSING, "quantity")
        if ask.quote_qty <= 0:
            raise Refused(Reason.BAD_AMOUNT, "quoteOrderQty")
        return price, None
    if ask.qty <= 0:
        raise Refused(Reason.BAD_AMOUNT, "quantity")
    return price, _whole(ask.qty, token.base_scale, amounts, Reason.AMOUNT_DECIMALS)


def _whole(value: Decimal, scale: int, allowed: int, reason: Reason) -> int:
    coarse = value.scaleb(allowed)
    if coarse != coarse.to_integral_value():
        raise Refused(reason, f"at most {allowed}")
    return int(value.scaleb(scale))


def _worth(token: Token, ask: NewOrder, price: int | None, steps: int | None, last: int) -> Decimal:
    """USDT that an order is about."""
    if steps is None:
        assert ask.quote_qty is not None
        return ask.quote_qty
    return Decimal((price or last) * steps).scaleb(-token.price_scale - token.base_scale)
