"""Probability is calibrated, confidence is a percentile; both rise with the score."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.learning import calibration
from modules.learning.calibration import Scaler


def sample(count: int, seed: int = 1, slope: float = 1.5, offset: float = -1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=count)
    return scores, (rng.random(count) < 1 / (1 + np.exp(-(slope * scores + offset)))).astype(float)


def test_platt_finds_the_line_that_made_the_labels() -> None:
    slope, offset = calibration.platt(*sample(20_000))
    assert slope == pytest.approx(1.5, abs=0.1) and offset == pytest.approx(-1.0, abs=0.1)


def test_a_score_without_use_gets_the_base_rate() -> None:
    scores, labels = sample(2000)
    slope, offset = calibration.platt(-scores, labels)  # a higher score means less: never turned round
    assert slope == 0.0
    assert 1 / (1 + np.exp(-offset)) == pytest.approx(labels.mean(), abs=0.01)
    assert calibration.platt(np.zeros(100), np.ones(100))[0] == 0.0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(5, 300))
def test_isotonic_rises_and_is_never_certain(seed: int, count: int) -> None:
    xs, ys = calibration.isotonic(*sample(count, seed))
    assert list(xs) == sorted(xs) and list(ys) == sorted(ys)
    assert ys[0] > 0 and ys[-1] < 1


def test_isotonic_is_calibrated() -> None:
    scores, labels = sample(30_000)
    fitted = calibration.curve(scores, labels)
    assert fitted[2], "so much data takes the step curve"
    fresh, truth = sample(30_000, seed=2)
    probability = calibration.apply(fresh, fitted)
    for low in np.arange(0.0, 0.8, 0.1):
        inside = (probability >= low) & (probability < low + 0.1)
        if inside.sum() > 500:
            assert truth[inside].mean() == pytest.approx(probability[inside].mean(), abs=0.04)


def scaler(scores: np.ndarray, **changes: object) -> Scaler:
    values: dict = {"slope": 1.0, "offset": 0.0, "quantiles": calibration.percentiles(scores), "threshold": 0.2}
    return Scaler(**{**values, **changes})


def test_confidence_is_the_percentile() -> None:
    scores = np.random.default_rng(3).normal(size=5000)
    made = scaler(scores)
    for raw in (-1.0, 0.0, 0.7, 2.0):
        assert made.confidence(raw) == pytest.approx((scores < raw).mean(), abs=0.01)
    assert made.confidence(-99.0) == 0.0 and made.confidence(99.0) == 1.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=50), st.floats(-6, 6), st.floats(-6, 6))
def test_a_higher_score_never_means_less(scores: list[float], one: float, other: float) -> None:
    made = scaler(np.array(scores), xs=(-1.0, 0.0, 2.0), ys=(0.1, 0.3, 0.6))
    low, high = sorted((one, other))
    assert made.confidence(low) <= made.confidence(high)
    assert made.probability(low) <= made.probability(high)


def test_equal_scores_share_the_middle() -> None:
    assert scaler(np.zeros(50)).confidence(0.0) == 0.5


def test_scalar_and_array_calibration_agree() -> None:
    scores, labels = sample(3000)
    for fitted in ((1.2, -0.5, (), ()), (1.0, 0.0, *calibration.isotonic(scores, labels))):
        made = scaler(scores, slope=fitted[0], offset=fitted[1], xs=fitted[2], ys=fitted[3])
        np.testing.assert_allclose([made.probability(raw) for raw in scores[:200]],
                                   calibration.apply(scores[:200], fitted), atol=1e-12)


@pytest.mark.parametrize("changes", [
    {"slope": float("nan")}, {"slope": -1.0}, {"quantiles": (1.0,)}, {"quantiles": (2.0, 1.0)}, {"xs": (1.0,)},
    {"xs": (1.0, 2.0), "ys": (0.5, 0.2)}, {"xs": (1.0, 2.0), "ys": (0.5, 1.2)}, {"threshold": float("inf")},
])  # fmt: skip
def test_damaged_figures_are_not_sound(changes: dict) -> None:
    scores = np.random.default_rng(3).normal(size=100)
    assert scaler(scores).sound()
    assert not scaler(scores, **changes).sound()
