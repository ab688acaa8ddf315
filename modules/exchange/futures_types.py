"""The words for perpetual futures: contracts, positions, conditional orders, money that moved. Money is Decimal."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from modules.exchange.types import Absent, Market, PositionSide, Side, Unknown

ZERO = Decimal(0)


class MarginMode(StrEnum):
    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


class TriggerKind(StrEnum):
    """A conditional order that closes at market when its price is reached."""

    STOP = "STOP_MARKET"
    TAKE = "TAKE_PROFIT_MARKET"


class PriceSource(StrEnum):
    """Which price triggers."""

    MARK = "MARK_PRICE"
    LAST = "CONTRACT_PRICE"


class TriggerStatus(StrEnum):
    """WAITING stands on the venue; TRIGGERED became an order; the others are ends without one."""

    WAITING = "WAITING"
    TRIGGERED = "TRIGGERED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Bracket:
    """From `floor` to `cap` of notional: highest leverage, maintenance `rate`, and `cum`, which makes it continuous."""

    floor: Decimal
    cap: Decimal
    leverage: int
    rate: Decimal
    cum: Decimal


@dataclass(frozen=True, slots=True)
class FuturesMarket(Market):
    """A linear perpetual. Quantities in base; `market_max` and `limit_max` are the largest of one order.

    `band_up` and `band_down`: a limit price may be at most mark × `band_up` (buy) and at least mark × `band_down`.
    """

    least: Decimal = ZERO
    market_max: Decimal = ZERO
    limit_max: Decimal = ZERO
    band_up: Decimal = Decimal(2)
    band_down: Decimal = Decimal("0.5")
    liquidation_fee: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Mark:
    """Mark price and the coming funding; `rate` is a fraction, paid by longs where positive."""

    symbol: str
    price: Decimal
    rate: Decimal
    next_funding_ms: int
    market_ms: int


@dataclass(frozen=True, slots=True)
class Position:
    """One leg as the venue holds it. `quantity` is signed by direction: negative is short, whatever the side says."""

    symbol: str
    side: PositionSide
    quantity: Decimal
    entry: Decimal
    mark: Decimal
    unrealised: Decimal
    liquidation: Decimal | None
    maintenance: Decimal = ZERO
    isolated_margin: Decimal = ZERO

    @property
    def long(self) -> bool:
        return self.quantity > 0

    @property
    def closing_side(self) -> Side:
        """What an order that closes it does."""
        return Side.SELL if self.quantity > 0 else Side.BUY

    @property
    def liquidation_distance_pct(self) -> Decimal | None:
        """How far the mark price is from liquidation, in percent of itself; None where the venue names no price."""
        if self.liquidation is None or self.mark <= 0:
            return None
        return abs(self.mark - self.liquidation) / self.mark * 100


@dataclass(frozen=True, slots=True)
class Setup:
    """How the venue would open a symbol."""

    symbol: str
    leverage: int
    margin: MarginMode


@dataclass(frozen=True, slots=True)
class Wallet:
    """USDT of the account: `balance` without, `equity` with the unrealised result; `available` for new positions."""

    balance: Decimal
    equity: Decimal
    available: Decimal
    maintenance: Decimal


@dataclass(frozen=True, slots=True)
class TriggerRequest:
    """A conditional order. `quantity` None closes the whole position, whatever it is then (closePosition)."""

    client_id: str
    symbol: str
    side: Side
    position_side: PositionSide
    kind: TriggerKind
    trigger: Decimal
    quantity: Decimal | None
    source: PriceSource = PriceSource.MARK


@dataclass(frozen=True, slots=True)
class TriggerState:
    """A conditional order as the venue tells it. `order_id` is the order that it became."""

    client_id: str
    trigger_id: str
    symbol: str
    side: Side
    position_side: PositionSide
    kind: str
    status: TriggerStatus
    trigger: Decimal
    quantity: Decimal | None
    source: str
    order_id: str
    created_ms: int
    updated_ms: int


TriggerLookup = TriggerState | Absent | Unknown


@dataclass(frozen=True, slots=True)
class Income:
    """One change of the wallet; unique by kind, id, time and amount. `amount` in `asset`, positive is received."""

    id: str
    kind: str
    symbol: str
    amount: Decimal
    asset: str
    market_ms: int
    trade_id: str = ""


def opens(side: Side, position_side: PositionSide) -> bool:
    """Whether an order in hedge mode opens: LONG is opened by buying and closed by selling, SHORT the other way (X23).

    Raises ValueError for BOTH, where that depends on what is held.
    """
    if position_side is PositionSide.BOTH:
        raise ValueError("in one-way mode an order's side alone does not tell whether it opens")
    return (side is Side.BUY) == (position_side is PositionSide.LONG)
