"""What is meant to be true of each leg, and what has been counted of the account: the state on disk.

1. A leg is (symbol, position side) (X22). Its plan is durable before its first order leaves: a position found after a
   crash is protected by it, whatever else was lost.
2. `closing` is durable before the first exit leaves: a restart goes on until the leg is flat.
"""

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from modules.exchange.futures_types import Income, Position
from modules.exchange.types import PositionSide, Side
from modules.execution.ledger import Pages

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class LegKey:
    """One leg of the account."""

    symbol: str
    side: PositionSide

    def __str__(self) -> str:
        return f"{self.symbol} {self.side}"

    @classmethod
    def of(cls, thing: "Position | Plan") -> "LegKey":
        """The leg of a position or a plan."""
        return cls(thing.symbol, thing.side)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How one leg is guarded. `stop` and `take` are trigger prices; `closing` says why it is being closed."""

    symbol: str
    side: PositionSide
    long: bool
    stop: Decimal
    take: Decimal | None = None
    closing: str = ""
    slot: str = ""
    opened_ms: int = 0

    @property
    def closing_side(self) -> Side:
        """What an order that closes the leg does."""
        return Side.SELL if self.long else Side.BUY

    def fits(self, position: Position) -> bool:
        """Whether the position is the one that was planned, by its direction."""
        return position.long == self.long


class Cash(msgspec.Struct, frozen=True, kw_only=True):
    """Money of the account since the opening (X20). `other` sums what is neither a trade's result nor its fee, by kind;
    `rows` remembers the newest of them, so that none is counted twice.
    """

    opening: Decimal
    opening_ms: int
    through_ms: int
    other: dict[str, Decimal] = {}
    rows: tuple[Income, ...] = ()


class LegResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a leg brought between two moments at which it was flat, USDT: results less commissions, without funding."""

    id: str
    symbol: str
    side: PositionSide
    net: Decimal
    opened_ms: int
    closed_ms: int


class FuturesState(msgspec.Struct, frozen=True, kw_only=True):
    """``[test_]futures_SYSTEM.json``. Legs are written as ``SYMBOL SIDE``.

    `external`: what stood there before us; `blocked`: legs that take no entries until a person releases them, and why;
    `order_ids`: the newest orders of ours by the venue's ids, so that others' fills are told from ours. `nets`: what a
    leg had brought in all when it was flat last; `results`: the newest round trips. `read_ms`: up to which fill of a
    symbol the venue's whole list was read.
    """

    plans: dict[str, Plan] = {}
    ledgers: dict[str, Pages] = {}
    cash: Cash | None = None
    external: dict[str, Decimal] = {}
    blocked: dict[str, str] = {}
    order_ids: tuple[str, ...] = ()
    nets: dict[str, Decimal] = {}
    results: tuple[LegResult, ...] = ()
    read_ms: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Word:
    """Something a person should hear: once an episode for each `key`."""

    key: str
    what: str
    why: str = ""
    todo: str = ""
    urgent: bool = True
