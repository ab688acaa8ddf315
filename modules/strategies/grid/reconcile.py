"""The ledger of a leg against the venue's aggregate (E5, X15, X22, X24, X25): a table of cases, and what each means.

| case | the venue says | what is done |
|---|---|---|
| MATCHES | same quantity, same average | nothing |
| AVERAGE_DIFFERS | same quantity, average beyond 0.01 % | blocked; the fold follows the venue once acknowledged |
| GREW | more than the entries | the residue is external, new levels blocked |
| SHRANK | less than the entries, not nothing | after a second sighting external below zero, blocked |
| GONE | nothing, entries held | after a second sighting: closed from outside, blocked |
| STRANGE | something, no entries | external, blocked |
| DUST | a difference below one step | nothing |
| IN_FLIGHT | differs while an order of ours is under way | not judged (X21) |
| UNREAD | no trustworthy answer (X15) | nothing changes, no new levels |
| WRONG_MODE | one-way mode, or margin mode not as agreed (X22) | refused, nothing is switched |

"Blocked" means: exits go on, no new level until a person acknowledges. Destroying a record needs more than making one
(X25): entries vanish only after two sightings, or by fills. An acknowledgement says what the residue is:
`leave` (not ours: exempt from then on) or `adopt` (it becomes an entry, marked, if quantity and average can be met; of
a residue below zero the entries opened last are taken out).
"""

from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec

from modules.strategies.grid.ledger import ZERO, Entry, LegLedger, reduced

# X20: how far the venue's average may stand from our fold.
AVERAGE_TOLERANCE = Decimal("0.0001")
Answer = Literal["leave", "adopt"]


class Case(StrEnum):
    """What a comparison has found; the table above."""

    MATCHES = "MATCHES"
    AVERAGE_DIFFERS = "AVERAGE_DIFFERS"
    GREW = "GREW"
    SHRANK = "SHRANK"
    GONE = "GONE"
    STRANGE = "STRANGE"
    DUST = "DUST"
    IN_FLIGHT = "IN_FLIGHT"
    UNREAD = "UNREAD"
    WRONG_MODE = "WRONG_MODE"


#: Cases in which new levels of the leg wait for a person (X24).
BLOCKING = frozenset({Case.AVERAGE_DIFFERS, Case.GREW, Case.SHRANK, Case.GONE, Case.STRANGE, Case.WRONG_MODE})
#: Cases in which nothing is known, so nothing new is begun, but which pass by themselves.
WAITING = frozenset({Case.IN_FLIGHT, Case.UNREAD})
_LESS = frozenset({Case.SHRANK, Case.GONE})


class VenueLeg(msgspec.Struct, frozen=True):
    """One side as the venue holds it. `read` False: no trustworthy answer. `hedge` False: it is in one-way mode."""

    side: int
    quantity: Decimal = ZERO
    average: Decimal = ZERO
    read: bool = True
    hedge: bool = True


class Finding(msgspec.Struct, frozen=True):
    """One comparison: the case, both quantities and averages, and a sentence with the mend."""

    case: Case
    side: int
    ours: Decimal
    theirs: Decimal
    our_average: Decimal
    their_average: Decimal
    text: str


class LegCheck(msgspec.Struct, frozen=True):
    """What is remembered of a leg's checks: the finding that blocks, and sightings of something that is missing.

    `manual`: fills that were not ours have closed entries; that explains the figures, but a person has to see it.
    """

    blocked: Case | None = None
    missing: Decimal = ZERO
    venue: VenueLeg | None = None
    sure: bool = False
    manual: bool = False


def compared(ledger: LegLedger, venue: VenueLeg, step: Decimal, in_flight: bool) -> Finding:
    """The case of a leg; pure, nothing is changed. Raises ValueError for a row of the other side (X22)."""
    if venue.side != ledger.side:
        raise ValueError(f"row of side {venue.side} compared with leg {ledger.side}: read rows by side, not by index")
    # What was left outside before does not count again; a closing order may since have eaten into it.
    theirs = venue.quantity - ledger.external_known
    ours = ledger.quantity
    case = _case(ledger, venue, theirs - ours, step, in_flight)
    return Finding(case, ledger.side, ours, venue.quantity, ledger.average, venue.average,
                   _words(case, ledger, venue, ours))


def _case(ledger: LegLedger, venue: VenueLeg, residue: Decimal, step: Decimal, in_flight: bool) -> Case:
    if not venue.read:
        return Case.UNREAD
    if not venue.hedge:
        return Case.WRONG_MODE
    if abs(residue) >= step:
        if in_flight:
            return Case.IN_FLIGHT
        if residue > 0:
            return Case.GREW if ledger.entries else Case.STRANGE
        return Case.SHRANK if venue.quantity > 0 else Case.GONE
    if ledger.entries and not in_flight and abs(venue.average - ledger.average) > ledger.average * AVERAGE_TOLERANCE:
        return Case.AVERAGE_DIFFERS
    return Case.DUST if residue else Case.MATCHES


def checked(ledger: LegLedger, check: LegCheck, venue: VenueLeg, step: Decimal,
            in_flight: bool) -> tuple[LegLedger, LegCheck, Finding]:
    """The leg and its check after a comparison. A difference downwards counts at its second sighting (X25)."""
    found = compared(ledger, venue, step, in_flight)
    if found.case in WAITING:
        return ledger, msgspec.structs.replace(check, sure=False), found
    residue = venue.quantity - ledger.external_known - ledger.quantity
    if found.case in _LESS and check.missing != residue:
        return ledger, LegCheck(check.blocked, residue, venue, False, check.manual), found
    external = ledger.external_known + (residue if found.case in BLOCKING else ZERO)
    blocked = found.case if found.case in BLOCKING else Case.SHRANK if check.manual else None
    return (msgspec.structs.replace(ledger, external=external),
            LegCheck(blocked, residue if found.case in _LESS else ZERO, venue, True, check.manual), found)


class CannotAdopt(Exception):
    """Quantity and average of a residue make no entry (X19); the text says why and what to do."""


def acknowledged(ledger: LegLedger, check: LegCheck, answer: Answer, market_ms: int) -> tuple[LegLedger, LegCheck]:
    """The leg after a person has said what its residue is. Raises CannotAdopt; ValueError where nothing is blocked."""
    venue = check.venue
    if check.blocked is None or venue is None:
        raise ValueError("nothing waits to be acknowledged on this side")
    if check.blocked is Case.WRONG_MODE:
        raise CannotAdopt("the account is not in hedge mode: switch it back on the exchange, then ask again")
    residue = ledger.external - ledger.external_known
    if residue < 0:
        # What no entry of ours can have been was of what had been left outside before.
        entries, left, _ = reduced(ledger, -residue, last_first=True)
        outside = ledger.external_known - left
        ledger = msgspec.structs.replace(ledger, entries=entries, external=outside, external_known=outside)
    elif residue > 0 and answer == "adopt":
        ledger = _adopted(ledger, venue, residue, market_ms)
    else:
        ledger = msgspec.structs.replace(ledger, external_known=ledger.external)
    # From here on the fold is the venue's: what was done outside has no fill of ours that it could be made from.
    ledger = msgspec.structs.replace(ledger, fold_quantity=venue.quantity, fold_cost=venue.quantity * venue.average)
    return ledger, LegCheck(None, ZERO, venue, True)


def _adopted(ledger: LegLedger, venue: VenueLeg, residue: Decimal, market_ms: int) -> LegLedger:
    """The residue as an entry whose price makes the venue's average come true (X19)."""
    cost = venue.average * venue.quantity - ledger.fold_cost
    if cost <= 0 or not venue.average / 2 < cost / residue < venue.average * 2:
        raise CannotAdopt(f"{residue} would have cost {cost:f}: that does not fit the venue's average {venue.average}. "
                          f"Leave it outside, or close it by hand.")
    entry = Entry(f"adopted-{ledger.side}-{venue.quantity}-{market_ms}", 1, residue, cost, market_ms, adopted=True)
    return msgspec.structs.replace(ledger, entries=(*ledger.entries, entry), external=ledger.external_known)


def closable(ledger: LegLedger, venue: VenueLeg | None, resting_closes: Decimal, wanted: Decimal) -> Decimal:
    """What may be closed (X25): at most the ledger's, and what the venue holds less closes that already rest there."""
    most = min(wanted, ledger.quantity)
    return max(ZERO, most if venue is None else min(most, venue.quantity - resting_closes))


def _words(case: Case, ledger: LegLedger, venue: VenueLeg, ours: Decimal) -> str:
    name = "BUY" if ledger.side > 0 else "SELL"
    both = f"{name}: the exchange holds {venue.quantity}, the grid {ours}"
    return {
        Case.MATCHES: f"{both}: they agree",
        Case.DUST: f"{both}: less than a step apart",
        Case.IN_FLIGHT: f"{both}, while an order is under way: looked at again afterwards",
        Case.UNREAD: f"{name}: the exchange gave no position; no new level until it does",
        Case.WRONG_MODE: f"{name}: the account is in one-way mode; switch it back to hedge mode on the exchange",
        Case.AVERAGE_DIFFERS: f"{name}: the exchange's average is {venue.average}, ours {ledger.average:.8f}: somebody "
                              f"else traded here. Acknowledge it to go on with new levels",
        Case.GREW: f"{both}: the rest was opened by somebody else. Acknowledge it: leave or adopt",
        Case.STRANGE: f"{both}: it was opened by somebody else. Acknowledge it: leave or adopt",
        Case.SHRANK: f"{both}: part was closed by somebody else. Acknowledge it to go on with new levels",
        Case.GONE: f"{both}: it was closed from outside (by hand, by its stop, or liquidated). Acknowledge it",
    }[case]
