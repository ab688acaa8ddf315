"""The live record against the promise: kept promises are left alone, broken ones are found, whatever the order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.learning.promise import LEAST_PROMISED, Vote, Watch, by_day, promise, watch

HORIZON = 6 * 3_600_000
DAY = 86_400_000
NOW = 10_000 * HORIZON
GIVE_UP = 3 * DAY


def seen(votes: list[Vote], *, days: float = 90.0, now: int = NOW) -> Watch:
    return watch(votes, HORIZON, days, now, GIVE_UP)


def lives(rng: np.random.Generator, precision: float, promised: float, blocks: int) -> list[Vote]:
    """One approved candidate a block, right with this chance; nothing is known of its money."""
    right = rng.random(blocks) < precision
    return [Vote(number * HORIZON, True, promised, float(one), float("nan")) for number, one in enumerate(right)]


def test_a_kept_promise_is_seldom_taken_for_a_broken_one() -> None:
    """ARL: the mean number of blocks until a false alarm is at least the limit, here 5 days × 4 blocks."""
    rng = np.random.default_rng(1)
    limit = seen([], days=5).limit
    assert limit == 20.0
    alarms = []
    for _ in range(25):
        votes = lives(rng, 0.3, 0.3, 120)
        first = next((count for count in range(6, 121, 6) if seen(votes[:count], days=5).broken), 120)
        alarms.append(first)
    assert np.mean(alarms) >= limit


def test_a_broken_promise_is_found_soon_and_after_good_months_too() -> None:
    rng = np.random.default_rng(2)
    bad = lives(rng, 0.05, 0.3, 60)
    assert seen(bad).broken
    good = lives(rng, 0.5, 0.3, 400)
    later = [vote._replace(market_ms=vote.market_ms + 400 * HORIZON) for vote in bad]
    assert not seen(good).broken and seen(good + later).broken
    assert "retired at 360" in seen(good).sentence()


def test_a_record_that_mends_may_speak_again() -> None:
    bad = [Vote(number * HORIZON, True, 0.4, 0.0, float("nan")) for number in range(30)]
    good = [Vote((30 + number) * HORIZON, True, 0.4, 1.0, float("nan")) for number in range(40)]
    assert seen(bad).broken and not seen(bad).mended
    assert seen(bad + good).mended


def test_money_counts_as_well_as_precision() -> None:
    """Right as promised, but each block's approvals earn less than its refused ones."""
    votes = [vote for number in range(80) for vote in (
        Vote(number * HORIZON, True, 0.3, 1.0, -3.0), Vote(number * HORIZON + 1, False, 0.3, 0.0, 3.0))]
    found = seen(votes)
    assert found.broken and found.right == found.approved == 80
    assert found.net_approved_pct == -3.0 and found.net_all_pct == 0.0
    mirrored = [vote._replace(net=-(vote.net or 0.0)) for vote in votes]
    assert not seen(mirrored).broken


def test_a_pump_of_many_tokens_is_one_bet() -> None:
    crowd = [Vote(number, True, 0.3, 0.0, float("nan")) for number in range(50)]
    assert seen(crowd).blocks == 1 and not seen(crowd).broken


def test_what_is_not_resolved_is_waited_for_and_then_given_up() -> None:
    open_vote = Vote(NOW - HORIZON, True, 0.3, None, None)
    assert seen([open_vote]).blocks == 0
    block = [open_vote, Vote(NOW - HORIZON + 1, True, 0.3, 0.0, None)]
    assert seen(block).blocks == 0
    assert seen(block, now=NOW + GIVE_UP + 2 * HORIZON).blocks == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.booleans(), st.sampled_from([0.0, 1.0, None, float("nan")]),
                          st.sampled_from([-60.0, -1.0, 0.0, 2.0, None])), max_size=40), st.randoms())
def test_the_order_of_the_votes_does_not_matter_and_wealth_stays_positive(rows: list, random: object) -> None:
    votes = [Vote(hour * 3_600_000 + number, approved, 0.25, right, net)
             for number, (hour, approved, right, net) in enumerate(rows)]
    mixed = list(votes)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert seen(mixed) == seen(votes)
    assert seen(votes).figure > 0.0


def test_intervals_resample_days() -> None:
    """A hundred candidates of one day are one observation: no interval can be drawn from it, so it is a point."""
    values = np.array([1.0, 0.0] * 50)
    group = np.ones((1, 100), bool)
    [one_day] = by_day(values, group, np.zeros(100), 7)
    assert one_day.low == one_day.mean == one_day.high == 0.5
    [two] = by_day(np.repeat([1.0, 0.0], 50), group, np.repeat([0.0, DAY], 50), 7)
    assert two.low == 0.0 and two.high == 1.0
    [none] = by_day(values, ~group, np.zeros(100), 7)
    assert np.isnan(none.mean)


@pytest.mark.parametrize("approved", [LEAST_PROMISED - 1, LEAST_PROMISED])
def test_of_few_approved_nothing_is_promised(approved: int) -> None:
    confidence = np.r_[np.full(approved, 0.9), np.full(200, 0.2), np.full(5, np.nan)]
    labels = np.r_[np.ones(approved), np.zeros(205)]
    made = promise(confidence, labels, np.arange(approved + 205, dtype=np.float64) * 3_600_000.0, None, 0.8, 7)
    assert (made is None) == (approved < LEAST_PROMISED)
    if made is not None:
        assert made.precision.mean == 1.0 and made.approved == approved
