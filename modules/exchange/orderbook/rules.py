"""Which depth message may be applied next (X28): the venue's rule as one function of whole numbers.

Futures, as the venue writes it ("How to manage a local order book correctly", USD-M):
1. After a snapshot with `lastUpdateId` L, drop every message with u < L.
2. The first one applied has U ≤ L ≤ u. (One whose pu is L itself follows on the snapshot without a gap: taken too.)
3. Each later one has pu = u of the one before. Anything else is a break.
Spot: drop u ≤ L; the first has U ≤ L + 1 ≤ u; each later one has U = u of the one before + 1.

A message whose u is not beyond the last id was applied already (a duplicate, or late) and is dropped. But if its time
is later than the book's, ids ran backwards: a break as well, or the book would stand still and look well for ever.
"""

from modules.exchange.orderbook.layout import APPLIED_OK, BROKEN, OLD, RULE_SPOT


def verdict(rule: int, last_id: int, first: int, book_ms: int, first_id: int, final_id: int, previous_id: int,
            event_ms: int) -> int:
    """APPLIED_OK, OLD or BROKEN for a message [first_id, final_id] on a book at `last_id`.

    `first`: 1 while no message was applied since the snapshot. `previous_id` (pu) is not used by the spot rule.
    """
    if final_id < first_id:
        return BROKEN
    if rule == RULE_SPOT:
        if final_id <= last_id:
            return OLD if first == 1 or event_ms <= book_ms else BROKEN
        if first_id == last_id + 1 or (first == 1 and first_id <= last_id):
            return APPLIED_OK
        return BROKEN
    if first == 1:
        if final_id < last_id:
            return OLD
        return APPLIED_OK if first_id <= last_id or previous_id == last_id else BROKEN
    if final_id <= last_id:
        return OLD if event_ms <= book_ms else BROKEN
    return APPLIED_OK if previous_id == last_id else BROKEN
