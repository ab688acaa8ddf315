"""The seed's label (A8), and its refusal to guess."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.learning.features import STEP_MS
from modules.learning.labels import Label, Rule, Unlabelled, label_one, label_rows
from tests.learning.market import START_MS, candles_of, walk

HOURS_6 = 6 * 3_600_000
RULE = Rule(HOURS_6, 5.0)
ANY = Rule(HOURS_6, 5.0, any_time=True)


def flat(count: int = 100, price: float = 100.0) -> np.ndarray:
    return candles_of(np.full(count, price), np.full(count, 10.0))


@pytest.mark.parametrize(("growth", "label"), [(5.0, 1), (4.999, 0), (-3.0, 0), (12.0, 1)])
def test_the_price_six_hours_after_decides(growth: float, label: int) -> None:
    candles = flat()
    candles[72, 1] = 100.0 * (1 + growth / 100)
    found = label_one(candles, START_MS, 100.0, RULE)
    assert isinstance(found, Label) and found.label == label
    assert found.growth_pct == pytest.approx(growth) and found.price_after == candles[72, 1]


def test_a_peak_in_between_counts_only_if_set_so() -> None:
    candles = flat()
    candles[40, 2] = 107.0
    at_the_end, any_time = label_one(candles, START_MS, 100.0, RULE), label_one(candles, START_MS, 100.0, ANY)
    assert isinstance(at_the_end, Label) and at_the_end.label == 0
    assert isinstance(any_time, Label) and any_time.label == 1
    candles[40, 2], candles[73, 2] = 100.0, 120.0  # after the six hours: not within
    later = label_one(candles, START_MS, 100.0, ANY)
    assert isinstance(later, Label) and later.label == 0


def test_the_high_before_the_decision_does_not_count() -> None:
    candles = flat()
    candles[0, 2] = 120.0
    found = label_one(candles, START_MS + 1000, 100.0, ANY)
    assert isinstance(found, Label) and found.label == 0


def test_missing_candles_are_never_guessed() -> None:
    young = label_one(flat(50), START_MS, 100.0, RULE)
    assert isinstance(young, Unlabelled) and not young.final
    hole = label_one(np.delete(flat(), np.s_[70:80], 0), START_MS, 100.0, RULE)
    assert isinstance(hole, Unlabelled) and hole.final
    inside = label_one(np.delete(flat(), np.s_[20:40], 0), START_MS, 100.0, ANY)
    assert isinstance(inside, Unlabelled) and inside.final
    nothing = label_one(np.empty((0, 6)), START_MS, 100.0, RULE)
    assert isinstance(nothing, Unlabelled) and not nothing.final
    free = label_one(flat(), START_MS, 0.0, RULE)
    assert isinstance(free, Unlabelled) and free.final
    late_but_near = label_one(np.delete(flat(), np.s_[72:74], 0), START_MS, 100.0, RULE)
    assert isinstance(late_but_near, Label)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 500), any_time=st.booleans(), holes=st.booleans())
def test_rows_are_labelled_as_single_candidates_are(seed: int, any_time: bool, holes: bool) -> None:
    candles = walk(260, seed=seed, sigma=0.01)
    if holes:
        candles = candles[np.random.default_rng(seed).random(260) > 0.03]
    rule = Rule(HOURS_6, 5.0, any_time)
    rows = label_rows(candles, rule)
    for number in range(0, len(candles), 7):
        single = label_one(candles, int(candles[number, 0]) + STEP_MS, float(candles[number, 4]), rule)
        if isinstance(single, Label):
            assert rows[number] == single.label
        else:
            assert np.isnan(rows[number])


def test_the_last_six_hours_have_no_label() -> None:
    rows = label_rows(walk(300), RULE)
    assert np.isnan(rows[-72:]).all() and np.isfinite(rows[:-73]).all()
