"""Legs where venue and plan say different things: what is wrong, and the words for it."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from modules.exchange.futures_types import Position
from modules.exchange.types import Fill
from modules.execution.futures.plan import LegKey, Plan, Word
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


def turned_word(leg: LegKey, held: Position) -> Word:
    """A position that somebody turned round by hand (one-way mode): our stop closes the other direction."""
    return Word(f"turned {leg}", f"{leg}: {held.quantity} are held, the other way round than was opened",
                "Somebody traded by hand or with another program",
                "No stop of ours stands for it: set one on the exchange, or close it. The leg takes no entries")


def foreign_word(fill: Fill, text: str, plan: Plan | None, held: Decimal) -> Word:
    """A fill that was not ours. `held`: the leg by all fills, this one counted."""
    todo = "If you did this, nothing"
    if held and plan is not None and plan.long == (held > 0):
        todo = "If you did this, nothing: the position is guarded as it is now"
    elif held:
        todo = "If you did this: no stop of ours stands for it, set one on the exchange. The leg takes no entries"
    return Word(f"foreign {fill.symbol} {fill.order_id}", text,
                "Somebody traded by hand, with another program, or the exchange liquidated", todo)
