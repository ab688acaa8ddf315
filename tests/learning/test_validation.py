"""Nothing that is judged was seen, not even through a label; the figures are the textbook's."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.learning import validation
from modules.learning.validation import Interval, Metrics

HOUR = 3_600_000.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=10, max_size=300), st.integers(1, 50))
def test_every_training_label_has_ended_before_the_fold_begins(hours: list[int], horizon: int) -> None:
    times = np.sort(np.array(hours, dtype=np.float64)) * HOUR
    judged: list[int] = []
    for fold in validation.walk_forward(times, horizon * HOUR):
        begin = times[fold.judge].min()
        assert (times[fold.train] + horizon * HOUR <= begin).all()
        judged += fold.judge.tolist()
    assert len(judged) == len(set(judged)), "a row is judged once"
    assert judged == sorted(judged)


def test_without_the_purge_a_label_would_reach_into_the_fold() -> None:
    times = np.arange(1000, dtype=np.float64) * 300_000
    fold = next(iter(validation.walk_forward(times, 6 * HOUR)))
    assert fold.judge.min() - fold.train.max() == 72, "six hours of five-minute candles lie between"


def test_auc_counts_pairs_and_halves_ties() -> None:
    scores, labels = np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0])
    assert validation.auc(scores, labels) == (3 + 0.5) / 4
    assert validation.auc(-scores, labels) == 1 - (3 + 0.5) / 4
    assert np.isnan(validation.auc(scores, np.ones(4)))


def measured(strength: float, seed: int = 1, count: int = 600) -> Metrics:
    rng = np.random.default_rng(seed)
    edge = rng.normal(size=count)
    truth = 1 / (1 + np.exp(-(strength * edge - 1.5)))
    labels = (rng.random(count) < truth).astype(float)
    times = np.arange(count, dtype=np.float64) * HOUR
    return validation.measure(truth, np.full(count, labels.mean()), labels, times, threshold=0.25, block_ms=6 * HOUR,
                              trained_rows=count, fits=1, seed=7)


def test_a_real_edge_is_seen_and_none_is_not() -> None:
    good = measured(2.0)
    assert good.edge() == "" and good.auc.low > 0.6 and good.brier < good.brier_constant
    assert good.precision is not None and good.precision > good.base_rate
    without = [measured(0.0, seed) for seed in range(20)]
    assert sum(1 for metrics in without if not metrics.edge()) <= 1, "chance alone rarely passes"


def test_intervals_hold_the_figure_and_are_the_same_twice() -> None:
    one = measured(1.0)
    assert one.auc.low <= one.auc.mean <= one.auc.high
    assert one == measured(1.0)


def test_clustered_rows_give_wider_intervals_than_their_number_suggests() -> None:
    rng = np.random.default_rng(4)
    labels = np.repeat(rng.integers(0, 2, 40), 20).astype(float)  # forty clusters of twenty equal rows
    scores = np.repeat(rng.normal(size=40), 20) + 0.8 * labels
    times = np.repeat(np.arange(40, dtype=np.float64) * 6 * HOUR, 20)

    def interval(at: npt.NDArray[np.float64], block_ms: float) -> float:
        found = validation.measure(scores, scores * 0 + 0.5, labels, at, threshold=0.5, block_ms=block_ms,
                                   trained_rows=1, fits=1, seed=1).auc
        return found.high - found.low

    by_block, by_row = interval(times, 6 * HOUR), interval(np.arange(800, dtype=np.float64) * HOUR, 1.0)
    assert by_block > 2 * by_row


def test_a_class_that_is_missing_proves_nothing() -> None:
    times = np.arange(50, dtype=np.float64) * HOUR
    flat = validation.measure(np.full(50, 0.1), np.full(50, 0.1), np.zeros(50), times, threshold=0.2, block_ms=HOUR,
                              trained_rows=1, fits=1, seed=1)
    assert flat.auc == Interval(0.5, 0.0, 1.0) and flat.edge()


@pytest.mark.parametrize("metrics", [measured(0.0), measured(2.0)])
def test_the_sentence_says_base_rate_and_intervals(metrics: Metrics) -> None:
    assert "base rate" in metrics.sentence() and "[" in metrics.sentence() and "constant" in metrics.sentence()
