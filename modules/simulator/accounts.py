"""Accounts, orders and fills: who owns what. Decimal only; nothing here knows of a market or a wire.

Conservation: a fill moves quote and base between an account and the model's makers or another account and
takes the commission; an order only moves between `free` and `locked`. Nothing else changes a balance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class Status(StrEnum):
    """Life of an order; the last three are final."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    PARTIALLY_CANCELED = "PARTIALLY_CANCELED"

    @property
    def final(self) -> bool:
        """No change follows."""
        return self not in (Status.NEW, Status.PARTIALLY_FILLED)


class OrderType(StrEnum):
    """What the venue can be asked to do."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    IOC = "IMMEDIATE_OR_CANCEL"
    FOK = "FILL_OR_KILL"


@dataclass(slots=True)
class Order:
    """One order. Prices in ticks, amounts in base steps of its pair; money as Decimal."""

    id: str
    seq: int
    account: str
    symbol: str
    slot: int
    side: str
    type: OrderType
    price: int | None
    steps: int | None  # None: a market order by quote amount
    quote_limit: Decimal | None
    client_id: str | None
    price_scale: int
    base_scale: int
    base: str
    created_ms: int
    updated_ms: int
    shown_price: Decimal | None = None  # as the client sent it (market buys carry one)
    status: Status = Status.NEW
    filled: int = 0
    filled_quote: Decimal = ZERO
    hold: Decimal = ZERO
    ahead: int = 0  # model's amount standing before it at its price
    credit: float = 0.0  # taker flow that reached it, not yet a whole fill

    @property
    def remaining(self) -> int:
        """Steps not filled yet; 0 for market orders by quote amount."""
        return 0 if self.steps is None else self.steps - self.filled

    @property
    def limit(self) -> int:
        """Price of a limit order, ticks. Market orders have none: AssertionError."""
        assert self.price is not None
        return self.price

    def amount(self, steps: int) -> Decimal:
        """Steps as an amount of the base coin."""
        return Decimal(steps).scaleb(-self.base_scale)

    def at(self, ticks: int) -> Decimal:
        """Ticks as a price."""
        return Decimal(ticks).scaleb(-self.price_scale)

    @property
    def hold_asset(self) -> str:
        """The coin that the order's hold is in."""
        return "USDT" if self.side == "BUY" else self.base


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of one order."""

    id: str
    order: str
    account: str
    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    quote: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    self_trade: bool
    ms: int
    client_id: str | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that the owner moved into an account, or (negative) out of it."""

    account: str
    asset: str
    amount: Decimal
    ms: int


@dataclass(slots=True)
class Balance:
    """A coin of an account."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(slots=True)
class Account:
    """One customer (UID) with its key."""

    name: str
    api_key: str
    secret: str = field(repr=False)
    can_withdraw: bool = False
    balances: dict[str, Balance] = field(default_factory=dict)

    def balance(self, asset: str) -> Balance:
        """The balance of a coin, made on first use."""
        found = self.balances.get(asset)
        if found is None:
            found = self.balances[asset] = Balance()
        return found

    def lock(self, order: Order, amount: Decimal) -> None:
        """Move free money into the order's hold. Raises ValueError where it is not there."""
        balance = self.balance(order.hold_asset)
        if amount > balance.free:
            raise ValueError("not enough free")
        balance.free -= amount
        balance.locked += amount
        order.hold += amount

    def unlock(self, order: Order, amount: Decimal) -> None:
        """Give a part of the order's hold back."""
        balance = self.balance(order.hold_asset)
        balance.locked -= amount
        balance.free += amount
        order.hold -= amount

    def settle(self, order: Order, fill: Fill) -> None:
        """Book one fill: the order's hold pays, the other coin comes in, the commission goes."""
        quote_fee = fill.fee if fill.fee_asset == "USDT" else ZERO
        base_fee = fill.fee if fill.fee_asset != "USDT" else ZERO
        pays = fill.quote + quote_fee if order.side == "BUY" else fill.qty
        paid_from = self.balance(order.hold_asset)
        paid_from.locked -= pays
        order.hold -= pays
        if order.side == "BUY":
            self.balance(order.base).free += fill.qty - base_fee
        else:
            self.balance("USDT").free += fill.quote - quote_fee
