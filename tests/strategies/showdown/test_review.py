"""Between decision and execution: opinions make a trade smaller or stop it, never larger."""

import math
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.strategies.showdown import review, stages
from modules.strategies.showdown.decision import encoded
from modules.strategies.showdown.records import Decision, Opinion, Review
from modules.strategies.showdown.settings import ShowdownSettings
from tests.strategies.showdown.market import CONTRACT, inputs

LONG = stages.run(inputs(), ShowdownSettings()).decision
SHORT = stages.run(inputs(-1), ShowdownSettings()).decision


def opinion(verdict, scale=1.0, by="meta"):
    return Opinion(by=by, id=f"{by}-1", verdict=verdict, scale=scale, said="because")


def told(decision: Decision) -> Review:
    assert isinstance(decision.review, Review)
    return decision.review


def test_without_opinions_nothing_changes_not_even_a_byte():
    assert review.apply(LONG, (), CONTRACT) is LONG
    assert b'"review"' not in encoded(LONG)


@pytest.mark.parametrize("verdict", ["take", "aside", "absent"])
def test_who_agrees_or_is_silent_changes_nothing_of_the_trade(verdict):
    found = review.apply(LONG, (opinion(verdict),), CONTRACT)
    assert told(found).outcome == "unchanged"
    assert msgspec.structs.replace(found, review=msgspec.UNSET) == LONG


@pytest.mark.parametrize(("verdict", "by", "outcome", "reason"), [
    ("veto", "adviser", "vetoed", "flat_vetoed_by_adviser"), ("skip", "meta", "skipped", "flat_skipped_by_meta")])
def test_who_stops_makes_it_flat_and_says_what_was_wanted(verdict, by, outcome, reason):
    found = review.apply(LONG, (opinion("scale", 0.5), opinion(verdict, by=by)), CONTRACT)
    assert (found.action, found.reason, found.quantity, found.position_size_usdt) == ("flat", reason, "0", "0")
    assert found.entry_zone is None and found.sl is None and found.tp1 is None
    assert (told(found).outcome, told(found).action, told(found).quantity) == (outcome, "long", LONG.quantity)
    assert found.reasons[0] == f"{by}: because" and LONG.reason in found.reasons[1]


@pytest.mark.parametrize("before", [LONG, SHORT])
def test_the_smallest_scale_counts_on_whole_steps(before):
    found = review.apply(before, (opinion("scale", 0.8), opinion("scale", 0.5, "adviser")), CONTRACT)
    quantity = Decimal(found.quantity)
    assert quantity % Decimal(CONTRACT.step) == 0
    assert Decimal(before.quantity) / 2 - Decimal(CONTRACT.step) < quantity <= Decimal(before.quantity) / 2
    assert before.entry_zone is not None
    worst = Decimal(before.entry_zone[1] if before is LONG else before.entry_zone[0])
    assert Decimal(found.position_size_usdt) == quantity * worst
    assert Decimal(found.risk_usdt) <= Decimal(before.risk_usdt) / 2
    assert (found.action, found.sl, found.tp2, found.capped_by) == (before.action, before.sl, before.tp2, "adviser")


def test_what_falls_under_the_venues_least_is_skipped():
    found = review.apply(LONG, (opinion("scale", 0.001),), CONTRACT)
    assert (found.action, found.reason, told(found).outcome) == ("flat", "flat_size_too_small", "skipped")
    assert "least of 100" in found.reasons[0]


def test_a_scale_needs_a_known_contract():
    assert review.apply(LONG, (opinion("scale", 0.5),), None).reason == "flat_size_unknown"


def test_a_decision_is_reviewed_once():
    once = review.apply(LONG, (opinion("scale", 0.5),), CONTRACT)
    assert review.apply(once, (opinion("scale", 0.5),), CONTRACT) is once


def test_a_flat_decision_stays_as_it_is():
    flat = msgspec.structs.replace(LONG, action="flat")
    assert review.apply(flat, (opinion("veto"),), CONTRACT) is flat


@given(st.lists(st.tuples(st.sampled_from(["take", "scale", "skip", "veto", "aside", "absent"]),
                          st.floats(allow_nan=True, allow_infinity=True)), max_size=4), st.sampled_from([LONG, SHORT]))
def test_never_larger_whatever_is_said(said, before):
    opinions = tuple(opinion(verdict, scale) for verdict, scale in said)
    found = review.apply(before, opinions, CONTRACT)
    assert Decimal(found.quantity) <= Decimal(before.quantity)
    assert Decimal(found.position_size_usdt) <= Decimal(before.position_size_usdt)
    assert Decimal(found.risk_usdt) <= Decimal(before.risk_usdt)
    assert found.action in (before.action, "flat")
    if all(verdict in ("take", "aside", "absent") or (verdict == "scale" and not 0 <= scale < 1)
           for verdict, scale in said):
        assert found.quantity == before.quantity
    if not any(math.isnan(scale) or math.isinf(scale) for _, scale in said):
        assert msgspec.json.decode(encoded(found), type=Decision) == found
