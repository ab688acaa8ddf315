"""What a paper order may take from a real book, which does not notice that it was taken. Pure.

1. Orders walk the book from the best price on, never beyond what stands there.
2. What we took is remembered by price. It does not stand again while the book still shows that price, until
   `HOLD_MS` of market time have passed; what the book shows *more* than then is new and may be taken.
3. A price that has vanished from the book is forgotten: what stands there later is somebody else's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from modules.exchange.api import quantize_down
from modules.exchange.types import Book, Side

HOLD_MS = 10_000
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of an execution."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class _Taken:
    quantity: Decimal
    market_ms: int


class Depth:
    """Remembers what we took, by (symbol, our side) and price."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, Side], dict[Decimal, _Taken]] = {}

    def standing(self, book: Book, side: Side, now_ms: int) -> list[Leg]:
        """What an order of `side` finds on the other side of the book, best first."""
        levels = book.asks if side is Side.BUY else book.bids
        taken = self._taken.get((book.symbol, side), {})
        shown = {price for price, _ in levels}
        for price in [p for p, t in taken.items() if p not in shown or now_ms - t.market_ms >= HOLD_MS]:
            del taken[price]  # rules 2 and 3
        found = []
        for price, quantity in levels:
            left = quantity - taken[price].quantity if price in taken else quantity
            if left > 0:
                found.append(Leg(price, left))
        return found

    def take(self, symbol: str, side: Side, legs: Sequence[Leg], now_ms: int) -> None:
        """Remember an execution."""
        taken = self._taken.setdefault((symbol, side), {})
        for leg in legs:
            before = taken[leg.price].quantity if leg.price in taken else ZERO
            taken[leg.price] = _Taken(before + leg.quantity, now_ms)


def walk(standing: Sequence[Leg], side: Side, step: Decimal, *, quantity: Decimal | None = None,
         budget: Decimal | None = None, limit: Decimal | None = None) -> list[Leg]:
    """The legs of an order: up to `quantity` in base or `budget` in quote, at `limit` or better, in whole steps."""
    legs: list[Leg] = []
    for level in standing:
        if limit is not None and (level.price > limit if side is Side.BUY else level.price < limit):
            break
        most = level.quantity
        if quantity is not None:
            most = min(most, quantity)
        if budget is not None:
            most = min(most, budget / level.price)
        most = quantize_down(most, step)
        if most > 0:
            legs.append(Leg(level.price, most))
            quantity = None if quantity is None else quantity - most
            budget = None if budget is None else budget - most * level.price
        if quantity == 0 or (budget is not None and budget < level.price * step):
            break
    return legs
