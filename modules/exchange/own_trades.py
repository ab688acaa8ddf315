"""The account's own trades as a venue lists them: each trade once, whatever the list repeats.

1. A trade id names one trade of a symbol (X11). Two rows with one id that say different things cannot both be true, and
   nobody can tell which one lies: such a list is not believed, and is read again. Counted under the wrong id, a fill
   would come a second time under its own one, and the fill that the id belongs to never.
2. A trade of the account with itself is one trade with two rows: same price, quantity and time, the sides of two
   orders, one of them the maker. Binance prevents such trades (self-trade prevention EXPIRE_MAKER is mandatory: spot
   since 2023-10-26, futures since 2024-12-10), MEXC leaves it to the order's `stpMode`.
"""

from collections.abc import Iterable

from modules.exchange.parsing import Unreadable
from modules.exchange.types import Fill


def halves(one: Fill, other: Fill) -> bool:
    """Whether two rows with one id are the two sides of a trade of the account with itself (rule 2)."""
    return (one.id == other.id and one.side is not other.side and one.order_id != other.order_id
            and one.maker is not other.maker
            and (one.price, one.quantity, one.market_ms) == (other.price, other.quantity, other.market_ms))


def once(found: Iterable[Fill]) -> list[Fill]:
    """Each row once (rule 1), oldest first. Raises Unreadable."""
    by_id: dict[str, list[Fill]] = {}
    for fill in found:
        known = by_id.setdefault(fill.id, [])
        if fill in known:
            continue
        if known and (len(known) > 1 or not halves(known[0], fill)):
            raise Unreadable(f"fill {fill.id[:40]} is told twice, differently")
        known.append(fill)
    return sorted((fill for rows in by_id.values() for fill in rows),
                  key=lambda fill: (fill.market_ms, len(fill.id), fill.id, fill.side))
