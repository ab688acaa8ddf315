"""The futures paper account on disk (``data/test_futures.json``). Records are frozen: a snapshot costs no copying."""

from decimal import Decimal

import msgspec

from modules.exchange.futures_types import Bracket, Income, MarginMode, PriceSource, TriggerKind, TriggerStatus
from modules.exchange.types import Fill, OrderState, OrderStatus, OrderType, PositionSide, Side

ZERO = Decimal(0)
KEEP = 1000
# A paper account cannot ask for the contract's own brackets (that needs a key): a smaller contract's are assumed.
BRACKETS = tuple(Bracket(Decimal(floor), Decimal(cap), leverage, Decimal(rate), Decimal(cum))
                 for floor, cap, leverage, rate, cum in (
    (0, 10_000, 75, "0.01", 0), (10_000, 60_000, 50, "0.015", 50), (60_000, 300_000, 25, "0.02", 350),
    (300_000, 1_200_000, 20, "0.025", 1850), (1_200_000, 3_000_000, 10, "0.05", 31_850),
    (3_000_000, 10**12, 5, "0.1", 181_850)))


class PaperLeg(msgspec.Struct, frozen=True, kw_only=True):
    """One leg: signed `quantity`, `cost` = quantity × average, what of the wallet is set aside where isolated."""

    symbol: str
    side: PositionSide
    quantity: Decimal
    cost: Decimal
    isolated: Decimal = ZERO


class PaperPerpOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order; `seen_ms`: public trades up to here were counted for it."""

    client_id: str
    order_id: str
    symbol: str
    side: Side
    position_side: PositionSide
    type: OrderType
    status: OrderStatus
    price: Decimal | None
    quantity: Decimal
    reduce_only: bool
    filled: Decimal = ZERO
    filled_quote: Decimal = ZERO
    created_ms: int
    updated_ms: int
    seen_ms: int

    @property
    def remaining(self) -> Decimal:
        """What is not filled yet."""
        return self.quantity - self.filled

    def state(self) -> OrderState:
        """As the account's users see it."""
        return OrderState(
            self.client_id, self.order_id, self.symbol, self.side, self.type, self.status, self.quantity, self.filled,
            self.filled_quote, self.created_ms, self.updated_ms, self.position_side, self.reduce_only)


class PaperTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """A conditional order; `quantity` None closes the leg. `above`: it triggers at or above its price."""

    client_id: str
    trigger_id: str
    symbol: str
    side: Side
    position_side: PositionSide
    kind: TriggerKind
    trigger: Decimal
    quantity: Decimal | None
    source: PriceSource
    above: bool
    status: TriggerStatus
    order_id: str = ""
    created_ms: int
    updated_ms: int


class Due(msgspec.Struct, frozen=True):
    """The coming funding of a symbol as last told."""

    ms: int
    rate: Decimal
    mark: Decimal


class PaperFutures(msgspec.Struct, frozen=True, kw_only=True):
    """The whole account. Fills up to `dropped_ms` are no longer kept (X15: asking for them is refused)."""

    wallet: Decimal
    hedge: bool
    setups: dict[str, tuple[int, MarginMode]] = {}
    legs: tuple[PaperLeg, ...] = ()
    orders: tuple[PaperPerpOrder, ...] = ()
    triggers: tuple[PaperTrigger, ...] = ()
    fills: tuple[Fill, ...] = ()
    incomes: tuple[Income, ...] = ()
    due: dict[str, Due] = {}
    next_id: int = 1
    dropped_ms: int = -1
