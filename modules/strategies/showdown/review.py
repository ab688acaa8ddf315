"""Between decision and execution: what others say of a trade may make it smaller or stop it, never larger. Pure.

1. Only a long or short is reviewed; a flat decision comes back as it is.
2. ``veto`` and ``skip`` make it flat; of several scales the smallest counts. ``take``, ``aside``, ``absent`` change
   nothing. An opinion with a scale outside 0 … 1 or no number is as if it were absent.
3. A scaled size is cut down to the contract's step; under the venue's least it is skipped.
4. A decision is reviewed once: one that bears a review comes back as it is.
Live, paper account, backtest and replay call `apply` alike; opinions are recorded, so that replay makes the same bytes.
"""

import math
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

import msgspec

from modules.strategies.showdown.records import Contract, Decision, Opinion, Review

FLAT = {"action": "flat", "entry_zone": None, "sl": None, "tp1": None, "tp2": None, "position_size_usdt": "0",
        "quantity": "0", "risk_usdt": "0", "capped_by": ""}


def apply(decision: Decision, opinions: Sequence[Opinion], contract: Contract | None) -> Decision:
    """`decision` as it may be executed; its `review` says what became of it. Without opinions: itself."""
    if decision.action == "flat" or not opinions or decision.review is not msgspec.UNSET:
        return decision
    heard = tuple(_usable(one) for one in opinions)
    stops = next((one for kind in ("veto", "skip") for one in heard if one.verdict == kind), None)
    if stops is not None:
        vetoed = stops.verdict == "veto"
        return _stopped(decision, heard, "vetoed" if vetoed else "skipped",
                        f"flat_{'vetoed' if vetoed else 'skipped'}_by_{stops.by}", f"{stops.by}: {stops.said}")
    smallest = min((one for one in heard if one.verdict == "scale"), key=lambda one: one.scale, default=None)
    if smallest is None or smallest.scale >= 1.0:
        return msgspec.structs.replace(decision, review=_review(decision, heard, "unchanged", 1.0))
    return _scaled(decision, heard, smallest, contract)


def said(decision: Decision) -> list[str]:
    """What the reviewers said, a line each, for people; nothing where nobody was asked."""
    if decision.review is msgspec.UNSET:
        return []
    names = {"meta": "Meta-layer", "adviser": "Adviser"}
    words = {"take": "", "scale": "smaller: ", "skip": "SKIP: ", "veto": "VETO: ", "aside": "", "absent": "no answer: "}
    return [f"{names[one.by]}: {words[one.verdict]}{one.said}" for one in decision.review.opinions]


def _scaled(decision: Decision, heard: tuple[Opinion, ...], by: Opinion, contract: Contract | None) -> Decision:
    before, zone = Decimal(decision.quantity), decision.entry_zone
    if contract is None or zone is None or before <= 0:
        return _stopped(decision, heard, "skipped", "flat_size_unknown", "its size or contract is not known")
    step = Decimal(contract.step)
    quantity = (before * Decimal(repr(by.scale)) / step).to_integral_value(ROUND_FLOOR) * step
    quote = quantity * Decimal(zone[1] if decision.action == "long" else zone[0])
    if quantity <= 0 or quote < Decimal(contract.min_notional):
        return _stopped(decision, heard, "skipped", "flat_size_too_small",
                        f"{by.by} scales it to {quote:.2f} USDT, under the venue's least of {contract.min_notional}")
    risk = Decimal(decision.risk_usdt) * quantity / before
    return msgspec.structs.replace(
        decision, quantity=format(quantity, "f"), position_size_usdt=format(quote, "f"), risk_usdt=f"{risk:.4f}",
        capped_by=by.by, reasons=(*decision.reasons, f"scaled by {by.scale:.2f} ({by.by}): {by.said}"),
        review=_review(decision, heard, "scaled", float(quantity / before)))


def _stopped(decision: Decision, heard: tuple[Opinion, ...], outcome: str, reason: str, said: str) -> Decision:
    return msgspec.structs.replace(
        decision, **FLAT, reason=reason, reasons=(said, f"the rules wanted {decision.action}: {decision.reason}"),
        review=_review(decision, heard, outcome, 0.0))


def _review(decision: Decision, heard: tuple[Opinion, ...], outcome: str, scale: float) -> Review:
    return Review(outcome=outcome, scale=scale, action=decision.action,  # type: ignore[arg-type]
                  quantity=decision.quantity, reason=decision.reason, opinions=heard)


def _usable(one: Opinion) -> Opinion:
    """Rule 2: an opinion that would enlarge, or is no number, is absent."""
    if one.verdict != "scale" or (math.isfinite(one.scale) and 0.0 < one.scale <= 1.0):
        return one
    if one.scale == 0.0:
        return msgspec.structs.replace(one, verdict="skip")
    return msgspec.structs.replace(one, verdict="absent", scale=1.0, said=f"its scale is not from 0 to 1; {one.said}")
