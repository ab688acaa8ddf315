"""Order intents: what is about to be asked of a venue, and why, with an id that never varies (X1, X2)."""

import hashlib
from decimal import Decimal
from typing import Literal

import msgspec

from modules.exchange.types import OrderRequest, OrderType, PositionSide, Side

# MEXC takes up to 32 characters; the prefix tells our orders from those of others on the same account (X14).
PREFIX = "cx"
_HASH_CHARS = 26

# `stop`, `take` and `part` (a share of the leg at a first target) are conditional orders on futures (X26); they only
# ever close.
Leg = Literal["entry", "exit", "stop", "take", "part"]
CONDITIONAL = frozenset({"stop", "take", "part"})


class FeeTerms(msgspec.Struct, frozen=True):
    """What is needed to read a fee: the pair's assets, and the taker's rate where the venue tells no fee."""

    base: str
    quote: str
    taker: Decimal


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One order that is about to be sent. Written durably before the request leaves (X1).

    `slot` names what the order is for within its leg (the message that asked for an entry, the position that an exit
    belongs to); `generation` counts attempts for one slot. `market_ms` is when it was signed, by the exchange's
    clock. `cause` is the id of the message or look that led to it. `note` carries what its booking needs.
    `position_side` and `reduce_only` are for futures; `rest_s` is how long the order may rest before it is cancelled,
    0 for the executor's own patience.
    """

    id: str
    system: str
    account: str
    symbol: str
    leg: Leg
    slot: str
    generation: int
    side: Side
    type: OrderType
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    reason: str
    cause: str = ""
    position_id: str = ""
    market_ms: int
    fees: FeeTerms
    note: dict[str, str] = {}
    position_side: PositionSide = PositionSide.BOTH
    reduce_only: bool = False
    rest_s: float = 0.0

    def request(self) -> OrderRequest:
        """The order as the account takes it."""
        return OrderRequest(client_id=self.id, symbol=self.symbol, side=self.side, type=self.type,
                            quantity=self.quantity, quote_quantity=self.quote_quantity, price=self.price,
                            position_side=self.position_side, reduce_only=self.reduce_only)


def client_id(system: str, account: str, symbol: str, leg: str, slot: str, generation: int) -> str:
    """A short hash of what the order is (X2); the journal keeps the map, nothing is parsed out of the id."""
    text = "|".join((system, account, symbol, leg, slot, str(generation)))
    return PREFIX + hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARS]
