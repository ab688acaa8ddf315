"""What should be heard, spread over connections: pure, so that a change of the universe is one comparison.

Since 2026-04-23 the venue's sockets are split by category (X26): a stream asked of the wrong one stays silent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """A family of sockets; its value is the path."""

    PUBLIC = "public"  # depth, bookTicker, trade
    MARKET = "market"  # aggTrade, kline, markPrice, tickers, forceOrder
    PRIVATE = "private"  # user stream, by listen key


_PUBLIC = ("depth", "bookTicker", "trade")


def category_of(stream: str) -> Category:
    """The family that carries ``btcusdt@depth@100ms``, ``!bookTicker`` and so on."""
    kind = stream.lstrip("!") if stream.startswith("!") else stream.partition("@")[2]
    name = kind.partition("@")[0]
    return Category.PUBLIC if name.startswith("depth") or name in _PUBLIC else Category.MARKET


@dataclass(frozen=True, slots=True)
class Change:
    """What a connection has to say to get from what it hears to what it should hear."""

    subscribe: tuple[str, ...]
    unsubscribe: tuple[str, ...]


def spread(wanted: Iterable[str], present: Mapping[int, frozenset[str]], most: int) -> dict[int, frozenset[str]]:
    """Streams for each connection by number, at most `most` on one; who is served stays where he is.

    Numbers without streams are left out: those connections can go. New numbers follow on the highest.
    """
    left = dict.fromkeys(wanted)
    result: dict[int, set[str]] = {}
    for number in sorted(present):
        kept = [name for name in sorted(present[number]) if name in left][:most]
        for name in kept:
            del left[name]
        if kept:
            result[number] = set(kept)
    number = max(present, default=-1)
    for name in left:
        free = min((n for n, held in result.items() if len(held) < most), key=lambda n: len(result[n]), default=None)
        if free is None:
            number += 1
            free = number
            result[free] = set()
        result[free].add(name)
    return {n: frozenset(held) for n, held in result.items()}


def change(heard: Iterable[str], wanted: Iterable[str]) -> Change:
    """From `heard` to `wanted`."""
    before, after = set(heard), set(wanted)
    return Change(tuple(sorted(after - before)), tuple(sorted(before - after)))
