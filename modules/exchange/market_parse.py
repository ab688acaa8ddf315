"""Books and candles of the futures venues, read the same way for all of them. Raises `Unreadable`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from modules.exchange.parsing import FIRST_MS, Figure, Unreadable, amount, positive
from modules.exchange.types import Book, Candles

Levels = Sequence[tuple[Figure, Figure]]


def candles_of(rows: Sequence[Sequence[Any]]) -> Candles:
    """Rows that begin with open time in ms, open, high, low, close, volume; oldest first. Shape (n, 6)."""
    try:
        found = np.array([row[:6] for row in rows], dtype=np.float64).reshape(len(rows), 6)
    except (ValueError, TypeError) as problem:
        raise Unreadable(f"candles cannot be read ({problem})") from problem
    if len(found) and (not np.isfinite(found).all() or (np.diff(found[:, 0]) <= 0).any() or found[0, 0] < FIRST_MS):
        raise Unreadable("candles are not in order")
    return found


def book_of(symbol: str, bids: Levels, asks: Levels, market_ms: int) -> Book:
    """A book, best prices first on both sides; refused where it is not sorted, or its sides cross."""
    below, above = _levels(bids), _levels(asks)
    sinks = all(a[0] > b[0] for a, b in zip(below, below[1:], strict=False))
    rises = all(a[0] < b[0] for a, b in zip(above, above[1:], strict=False))
    if not sinks or not rises or (below and above and below[0][0] >= above[0][0]):
        raise Unreadable(f"the book of {symbol} is not in order")
    return Book(symbol, below, above, market_ms)


def _levels(rows: Levels) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((positive(price, "a price of the book"), amount(size, "a size of the book")) for price, size in rows)
