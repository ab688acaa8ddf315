"""Reading what strangers send: every number is checked, every misfit is `Unreadable`, whatever the venue.

A venue's parser builds on these; it lets no other exception out.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec

from modules.exchange.classify import UNREADABLE

ZERO = Decimal(0)
BIGGEST = Decimal("1e30")
HUGE = 10**40  # Python refuses to write integers of thousands of digits; no number here is near that
FIRST_MS, LAST_MS = 10**12, 10**13  # 2001 to 2286
T = TypeVar("T")
R = TypeVar("R")

# A number as venues write it: text, now and then a bare number. Python's Decimal alone would also take "1_000", digits
# of other scripts, "NaN", and exponents that overflow every later calculation.
_PLAIN = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?\Z"
Figure = Annotated[str, msgspec.Meta(pattern=_PLAIN, max_length=48)] | int | float
# The same, where a venue writes an empty text, or null, for nothing.
_PLAIN_OR_NOTHING = r"^(-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?)?\Z"
Maybe = Annotated[str, msgspec.Meta(pattern=_PLAIN_OR_NOTHING, max_length=48)] | int | float | None


class Unreadable(Exception):
    """The venue's answer is not what it documents. The text is short, whatever strangers put into it."""

    def __init__(self, text: str) -> None:
        super().__init__(text[:200])


def exact(value: str | int | float) -> Decimal:
    """A `Figure` as Decimal: text digit by digit, a bare number to its 17 digits."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, int) and not -HUGE < value < HUGE:
        raise Unreadable("a number has far too many digits")
    return Decimal(value)


def number(value: str | int | float | None, what: str) -> Decimal:
    """A `Maybe`; nothing is 0."""
    found = ZERO if value is None or value == "" else exact(value)
    if abs(found) >= BIGGEST:
        raise Unreadable(f"{what} is {found}")
    return found


def decode(body: str, kind: type[T]) -> T:
    """A body as the shape that the venue documents; numbers may be text."""
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except UNREADABLE as problem:
        raise Unreadable(said(problem)) from problem


def said(problem: Exception) -> str:
    """What a decoder says, short: it may quote the whole body."""
    return f"{type(problem).__name__} {str(problem)[:150]}"


def amount(value: str | int | float, what: str) -> Decimal:
    """Zero or more."""
    found = exact(value)
    if not ZERO <= found < BIGGEST:
        raise Unreadable(f"{what} is {found}")
    return found


def positive(value: str | int | float, what: str) -> Decimal:
    """More than zero."""
    found = exact(value)
    if not ZERO < found < BIGGEST:
        raise Unreadable(f"{what} is {found}")
    return found


def instant(ms: int, what: str) -> int:
    """Milliseconds since 1970."""
    if not FIRST_MS < ms < LAST_MS:
        raise Unreadable(f"{what} is no time in milliseconds")
    return ms


def ident(value: str | int, what: str) -> str:
    """An id as text."""
    if isinstance(value, int) and not -HUGE < value < HUGE:
        raise Unreadable(f"{what} has far too many digits")
    found = str(value)
    if not 0 < len(found) <= 100:
        raise Unreadable(f"{what} is {found[:100]!r}")
    return found


def unique(rows: Sequence[R], key: Callable[[R], str], what: str) -> dict[str, R]:
    """Rows by id. The same row told twice is one; two different rows with one id cannot both be true."""
    found: dict[str, R] = {}
    for row in rows:
        name = key(row)
        if not name:
            raise Unreadable(f"{what} without an id")
        if found.setdefault(name, row) != row:
            raise Unreadable(f"{what} {name[:40]} is told twice, differently")
    return found
