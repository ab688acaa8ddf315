"""The ledger of one leg: the grid's own entries from its fills, and the average-cost fold beside them (E5, X11, X12).

1. An entry is one opening order; its fills are summed. A fill counts once, by its trade id (X11).
2. A single exit closes its own entry; a closing of the leg takes the best entries first.
3. The fold is what the venue reckons: opening adds cost, closing takes out at the average. After a single exit it
   differs from the entries; both realised results are kept and shown (E5).
4. What is closed beyond the entries is external, below zero. Nothing here ever invents an entry.

A leg is BUY (long, side 1) or SELL (short, side −1). Quantities and prices are above zero; money is Decimal.
"""

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from modules.strategies.grid import rules

if TYPE_CHECKING:
    from modules.strategies.grid.units import Scale

ZERO = Decimal(0)
# Trade ids remembered beyond the entries' own life: a stream repeats what is minutes old, not what is weeks old.
REMEMBERED = 600


class GridFill(msgspec.Struct, frozen=True):
    """One trade of one of our orders. `opens`: it opened; `target`: the entry that a single exit is for, "" the leg."""

    trade_id: str
    slot: str
    side: int
    opens: bool
    price: Decimal
    quantity: Decimal
    fee: Decimal
    market_ms: int
    target: str = ""


class Entry(msgspec.Struct, frozen=True):
    """One position of the grid; `id` is the slot of the order that opened it. `adopted`: taken over from outside."""

    id: str
    level: int
    quantity: Decimal
    cost: Decimal
    opened_ms: int
    adopted: bool = False

    @property
    def price(self) -> Decimal:
        """Average of its fills."""
        return self.cost / self.quantity


class LegLedger(msgspec.Struct, frozen=True):
    """One side. `external` is what the venue holds beyond the entries (below zero: less), see reconcile.py."""

    side: int
    entries: tuple[Entry, ...] = ()
    fold_quantity: Decimal = ZERO
    fold_cost: Decimal = ZERO
    realised: Decimal = ZERO
    realised_fold: Decimal = ZERO
    fees: Decimal = ZERO
    external: Decimal = ZERO
    external_known: Decimal = ZERO
    seen: tuple[str, ...] = ()

    @property
    def quantity(self) -> Decimal:
        """What the grid's own entries hold."""
        return sum((entry.quantity for entry in self.entries), ZERO)

    @property
    def average(self) -> Decimal:
        """Average entry by the fold, as the venue reckons it; 0 for an empty leg."""
        return self.fold_cost / self.fold_quantity if self.fold_quantity > 0 else ZERO

    @property
    def extreme(self) -> Entry | None:
        """The entry furthest against the leg, which is also the one with the most profit."""
        return min(self.entries, key=lambda entry: self.side * entry.price, default=None)


def summed(ledger: LegLedger, scale: "Scale") -> rules.Leg:
    """The leg as the rules see it, in the mirror for SELL."""
    extreme = ledger.extreme
    if extreme is None:
        return rules.Leg(0, 0, 0, 0)
    money = scale.money
    return rules.Leg(len(ledger.entries), scale.steps(ledger.quantity),
                     sum(ledger.side * round(entry.cost / money) for entry in ledger.entries),
                     ledger.side * scale.prices(extreme.price))


def booked(ledger: LegLedger, fill: GridFill, level: int) -> tuple[LegLedger, Decimal]:
    """The ledger after a fill, and what it realised (before fees). A fill seen before changes nothing.

    Raises ValueError for a fill of the other side, or of no quantity.
    """
    if fill.side != ledger.side or fill.quantity <= 0 or fill.price <= 0:
        raise ValueError(f"fill {fill.trade_id} (side {fill.side}, {fill.quantity} at {fill.price}) is none of leg "
                         f"{ledger.side}")
    if fill.trade_id in ledger.seen:  # X11
        return ledger, ZERO
    ledger = msgspec.structs.replace(ledger, seen=(*ledger.seen, fill.trade_id)[-REMEMBERED:],
                                     fees=ledger.fees + fill.fee)
    return (_opened(ledger, fill, level), ZERO) if fill.opens else _closed(ledger, fill)


def _opened(ledger: LegLedger, fill: GridFill, level: int) -> LegLedger:
    value = fill.price * fill.quantity
    old = next((entry for entry in ledger.entries if entry.id == fill.slot), None)
    if old is None:
        entries = (*ledger.entries, Entry(fill.slot, level, fill.quantity, value, fill.market_ms))
    else:
        grown = msgspec.structs.replace(old, quantity=old.quantity + fill.quantity, cost=old.cost + value)
        entries = tuple(grown if entry is old else entry for entry in ledger.entries)
    return msgspec.structs.replace(ledger, entries=entries, fold_quantity=ledger.fold_quantity + fill.quantity,
                                   fold_cost=ledger.fold_cost + value)


def _closed(ledger: LegLedger, fill: GridFill) -> tuple[LegLedger, Decimal]:
    entries, left, cost = reduced(ledger, fill.quantity, fill.target)
    realised = ledger.side * (fill.price * (fill.quantity - left) - cost)
    by_fold = min(fill.quantity, ledger.fold_quantity)
    fold_cost = ledger.average * by_fold
    rest = ledger.fold_quantity - by_fold
    return msgspec.structs.replace(
        ledger, entries=entries, fold_quantity=rest, fold_cost=ledger.fold_cost - fold_cost if rest else ZERO,
        realised=ledger.realised + realised,
        realised_fold=ledger.realised_fold + ledger.side * (fill.price * by_fold - fold_cost),
        external=ledger.external - left), realised


def reduced(ledger: LegLedger, quantity: Decimal, target: str = "",
            last_first: bool = False) -> tuple[tuple[Entry, ...], Decimal, Decimal]:
    """(entries left, quantity that none of them had, cost taken out) after closing `quantity`; `target` goes first.

    Then the best entries go first, or (`last_first`) those opened last.
    """
    def order(entry: Entry) -> tuple[bool, Decimal]:
        return entry.id != target, Decimal(-entry.opened_ms) if last_first else ledger.side * entry.price

    left, cost = quantity, ZERO
    kept: dict[str, Entry] = {}
    for entry in sorted(ledger.entries, key=order):
        taken = min(entry.quantity, left)
        left -= taken
        rest = entry.quantity - taken
        out = entry.cost * taken / entry.quantity if rest else entry.cost
        cost += out
        if rest:
            kept[entry.id] = msgspec.structs.replace(entry, quantity=rest, cost=entry.cost - out)
    return tuple(kept[entry.id] for entry in ledger.entries if entry.id in kept), left, cost
