"""Legs where venue and plan say different things: what is wrong, and the words for it."""

from collections.abc import Iterable, Iterator, Mapping

from modules.exchange.types import Fill
from modules.execution.futures.plan import LegKey, Word
from modules.execution.journal import Entry


def strays(fills: Iterable[Fill], entries: Mapping[str, Entry]) -> Iterator[tuple[Fill, LegKey]]:
    """Fills of our orders that the venue names in another leg than was ordered, each with the ordered one."""
    for fill in fills:
        entry = entries.get(fill.client_id)
        if entry is not None and entry.intent.symbol == fill.symbol and fill.leg_named \
                and entry.intent.position_side is not fill.position_side:
            yield fill, LegKey(fill.symbol, entry.intent.position_side)


def stray_word(fill: Fill, ordered: LegKey, leg: LegKey) -> Word:
    """What a person hears of one."""
    return Word(f"leg {fill.symbol} {fill.order_id}",
                f"{fill.side} {fill.quantity}, ordered for {ordered}, was booked in {leg} by the exchange",
                "Its position mode was changed meanwhile, or its list of trades is wrong",
                f"Look at the positions on the exchange: in {leg} no stop of ours stands for it. Both legs take no "
                "entries until /release")
