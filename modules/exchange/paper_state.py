"""The paper account on disk (``data/test_account.json``). Records are frozen, so a snapshot costs no copying."""

from decimal import Decimal

import msgspec

from modules.exchange.types import Balance, Fill, OrderState, OrderStatus, OrderType, Side

KEEP_ORDERS = 400
KEEP_FILLS = 1000


class Money(msgspec.Struct, frozen=True):
    """One coin of the account."""

    free: Decimal = Decimal(0)
    locked: Decimal = Decimal(0)


class PaperOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order. `hold` is what it still locks; `seen_ms`: public trades up to here were counted for it."""

    client_id: str
    order_id: str
    symbol: str
    base: str
    quote: str
    side: Side
    type: OrderType
    status: OrderStatus
    price: Decimal | None
    quantity: Decimal
    filled: Decimal
    filled_quote: Decimal
    hold: Decimal
    fee_rate: Decimal
    created_ms: int
    updated_ms: int
    seen_ms: int

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def hold_asset(self) -> str:
        return self.quote if self.side is Side.BUY else self.base

    def state(self) -> OrderState:
        """As the account's users see it."""
        return OrderState(
            client_id=self.client_id, order_id=self.order_id, symbol=self.symbol, side=self.side, type=self.type,
            status=self.status, quantity=self.quantity, filled=self.filled, filled_quote=self.filled_quote,
            created_ms=self.created_ms, updated_ms=self.updated_ms,
        )


class PaperState(msgspec.Struct, frozen=True):
    """The whole account. Fills up to `dropped_ms` are no longer kept (X15: asking for them is refused)."""

    balances: dict[str, Money]
    orders: list[PaperOrder] = []
    fills: list[Fill] = []
    next_id: int = 1
    dropped_ms: int = -1


def balances_of(state: PaperState) -> dict[str, Balance]:
    """Non-zero balances by asset."""
    return {
        asset: Balance(asset, money.free, money.locked)
        for asset, money in state.balances.items()
        if money.free or money.locked
    }
