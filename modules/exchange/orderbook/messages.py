"""One typed record for each message of the venue that is not read by compiled code (names are the venue's letters)."""

from typing import Annotated

import msgspec

Whole = Annotated[int, msgspec.Meta(ge=0)]


class Depth(msgspec.Struct, gc=False):
    """depthUpdate: changes of the book. Spot has no T and no pu."""

    E: Whole  # event time, ms
    U: Whole  # first update id
    u: Whole  # last update id
    b: list[tuple[str, str]]  # bids: price, quantity (0 takes the level away)
    a: list[tuple[str, str]]
    T: Whole | None = None  # transaction time, ms
    pu: Whole | None = None  # last update id of the message before


class Trade(msgspec.Struct, gc=False):
    """aggTrade (a) or trade (t)."""

    p: str
    q: str
    T: Whole
    m: bool  # the buyer is the maker: the taker sold
    a: Whole | None = None
    t: Whole | None = None


class BookTicker(msgspec.Struct, gc=False):
    """bookTicker: the best level of both sides."""

    u: int
    b: str
    B: str
    a: str
    A: str
    E: int = 0


class Candle(msgspec.Struct, gc=False):
    """The k of a kline message."""

    t: int  # opens, ms
    T: int  # closes, ms
    i: str  # interval
    o: str
    h: str
    l: str  # noqa: E741 - the venue's letter
    c: str
    v: str  # base volume
    q: str  # quote volume
    n: int  # trades
    x: bool  # closed
    V: str = "0"  # base volume of taker buys


class Kline(msgspec.Struct, gc=False):
    """kline: one candle as it stands."""

    E: int
    k: Candle


class MarkPrice(msgspec.Struct, gc=False):
    """markPriceUpdate."""

    E: int
    p: str  # mark price
    i: str = "0"  # index price
    r: str = "0"  # funding rate
    T: int = 0  # next funding, ms


class Snapshot(msgspec.Struct, gc=False):
    """Answer of ``GET /fapi/v1/depth`` (or ``/api/v3/depth``): best level first."""

    lastUpdateId: Whole
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]
    E: int = 0
    T: int = 0


def units(text: str, scale: int) -> int:
    """A decimal text in whole units of 10^-scale. Raises OffGrid where it is finer, ValueError where it is none."""
    whole, _, fraction = text.partition(".")
    if not whole.isascii() or not whole.isdigit() or (fraction and not (fraction.isascii() and fraction.isdigit())):
        raise ValueError(f"{text!r} is not a decimal number")
    if len(fraction) != scale:
        if fraction[scale:].strip("0"):
            raise OffGrid(f"{text} is finer than {scale} decimals")
        fraction = fraction[:scale].ljust(scale, "0")
    found = int(whole + fraction)
    if found > 9 * 10**17:
        raise ValueError(f"{text!r} is out of range")
    return found


class OffGrid(ValueError):
    """A price or quantity with more decimals than the symbol had: its tick or step size has changed."""
