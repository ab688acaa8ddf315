"""Training: what is there is found, what is not is not claimed, and the same rows make the same model."""

import lightgbm
import numpy as np
import pytest

from modules.learning import datasets, events, features, fit
from modules.learning.datasets import Bars, LabelledRow
from modules.learning.features import CONTEXT, FEATURES, STEP_MS
from modules.learning.fit import Rows, TooLittle
from modules.learning.labels import Rule, label_rows
from modules.learning.settings import LearningSettings
from tests.learning.market import START_MS, pumps, walk

RULE = Rule(6 * 3_600_000, 5.0)
BARS = Bars(3.0, 5.0, 2.0)
SETTINGS = LearningSettings(trees=40)


def history(tokens: int, seed: int = 0) -> dict[str, np.ndarray]:
    return {f"T{number:02d}USDT": pumps(2000, seed=seed + number)[0] for number in range(tokens)}


def rows_of(past: dict[str, np.ndarray], btc: np.ndarray, items: list[LabelledRow]) -> datasets.FeedbackRows:
    """As the trainer puts them together."""
    taken = {symbol: [item.market_ms for item in items if item.symbol == symbol] for symbol in past}
    parts = [datasets.past_rows(past[symbol], btc, RULE, BARS, taken[symbol]) for symbol in sorted(past)]
    width = datasets.PAST_COLUMNS
    return datasets.feedback_rows(np.concatenate([np.empty((0, width)), *parts]), items)


@pytest.fixture(scope="module")
def known() -> datasets.FeedbackRows:
    return rows_of(history(36), walk(2000, seed=99), [])


def test_a_rule_in_the_market_is_learnt_and_holds_on_other_tokens(known: datasets.FeedbackRows) -> None:
    made = fit.fit(known.rows, RULE.after_ms, SETTINGS)
    assert made.metrics is not None and made.scaler.aside == ""
    assert made.metrics.auc.low > 0.75 and made.metrics.brier < made.metrics.brier_constant
    other = rows_of(history(10, seed=500), walk(2000, seed=99), []).rows
    raw = lightgbm.Booster(model_str=made.text).predict(other.features, raw_score=True)
    approved = np.array([made.scaler.probability(score) > made.scaler.threshold for score in raw])
    assert other.labels[approved].mean() > other.labels.mean() + 0.2


def test_shuffled_labels_teach_nothing_and_the_model_stands_aside(known: datasets.FeedbackRows) -> None:
    rows = known.rows
    proven = 0
    for seed in range(4):
        labels = np.random.default_rng(seed).permutation(rows.labels)
        made = fit.fit(Rows(rows.features, labels, rows.times, rows.judged), RULE.after_ms, SETTINGS)
        proven += not made.scaler.aside
    assert proven <= 1


def test_the_same_rows_make_the_same_model(known: datasets.FeedbackRows) -> None:
    one, two = (fit.fit(known.rows, RULE.after_ms, SETTINGS) for _ in range(2))
    assert one == two


def test_confidence_of_unseen_candidates_is_spread_evenly(known: datasets.FeedbackRows) -> None:
    made = fit.fit(known.rows, RULE.after_ms, SETTINGS)
    fresh = rows_of(history(24, seed=900), walk(2000, seed=99), []).rows
    raw = lightgbm.Booster(model_str=made.text).predict(fresh.features, raw_score=True)
    share = np.mean([made.scaler.confidence(score) >= 0.8 for score in raw])
    assert 0.08 < share < 0.40, "about a fifth of the candidates has a confidence of 0.80"


def test_too_few_rows_make_no_model() -> None:
    rows = Rows(np.zeros((100, 3)), np.zeros(100), np.arange(100.0), np.ones(100, dtype=bool))
    with pytest.raises(TooLittle, match="100 usable rows"):
        fit.fit(rows, 1.0, SETTINGS)
    with pytest.raises(ValueError, match="order"):
        fit.fit(Rows(np.zeros((300, 3)), np.zeros(300), -np.arange(300.0), np.ones(300, dtype=bool)), 1.0, SETTINGS)


def test_a_token_that_never_grew_has_a_model_that_stands_aside() -> None:
    rows = datasets.token_rows(walk(1072, sigma=0.0005), RULE, BARS)
    made = fit.fit(rows, RULE.after_ms, SETTINGS)
    assert made.metrics is None and "like a candidate" in made.scaler.aside
    assert made.scaler.sound() and made.scaler.probability(0.0) < 0.01


def test_token_rows_are_known_at_the_close_and_labelled_by_what_came_after() -> None:
    candles = pumps(1200, seed=3)[0]
    rows = datasets.token_rows(candles, RULE, BARS)
    label = label_rows(candles, RULE)
    assert len(rows) == 1200 - datasets.SETTLED - 73
    np.testing.assert_array_equal(rows.times, candles[datasets.SETTLED : -73, 0] + STEP_MS)
    np.testing.assert_array_equal(rows.labels, label[datasets.SETTLED : -73])
    np.testing.assert_array_equal(rows.features, features.compute(candles)[datasets.SETTLED : -73])
    assert 0 < rows.judged.sum() < len(rows) / 4


def test_moments_are_those_of_the_screening() -> None:
    candles, jumps = pumps(2000, seed=5)
    moments = events.hype_moments(candles, 3.0, 5.0, 2.0)
    for jump in jumps:
        assert np.abs(moments - jump).min() == 0, "a jump of 6 % with volume is a moment"
    assert (np.diff(moments) >= events.GAP).all()
    assert len(events.hype_moments(walk(2000, sigma=0.0005), 3.0, 5.0, 2.0)) == 0
    quiet = np.array(candles)
    quiet[:, 5] = 100.0
    assert not set(jumps) & set(events.hype_moments(quiet, 3.0, 5.0, 2.0).tolist()), "without volume it is none"


def test_moments_do_not_look_ahead() -> None:
    candles = pumps(2000, seed=6)[0]
    every = events.hype_moments(candles, 3.0, 5.0, 2.0)
    some = events.hype_moments(candles[:1200], 3.0, 5.0, 2.0)
    assert every[every < 1200].tolist() == some.tolist()


def labelled(symbol: str, at: int, label: int, context: bool = True) -> LabelledRow:
    rng = np.random.default_rng(at % 1000)
    values = rng.normal(size=len(CONTEXT)).tolist() if context else [float("nan")] * len(CONTEXT)
    return LabelledRow(symbol, at, features.pack(rng.normal(size=len(FEATURES)), values), label)


def test_labelled_candidates_replace_the_same_moment_of_the_past() -> None:
    past = history(1)
    alone = rows_of(past, np.empty((0, 6)), [])
    at = int(alone.rows.times[3])
    item = labelled("T00USDT", at + 60_000, 1)
    both = rows_of(past, np.empty((0, 6)), [item])
    assert both.labelled == 1 and len(both.rows) <= len(alone.rows)
    assert at not in both.rows.times.tolist() and at + 60_000 in both.rows.times.tolist()
    assert (np.diff(both.rows.times) >= 0).all()


def test_context_that_history_lacks_is_left_out_until_it_is_there() -> None:
    btc = walk(2000, seed=99)
    past = rows_of(history(2), btc, [])
    assert "btc_1h_pct" in past.names and "change_24h_pct" in past.names and "spread_pct" not in past.names
    assert past.rows.features.shape[1] == len(past.names)
    items = [labelled("AUSDT", START_MS + i * 1000, i % 2) for i in range(50)]
    assert rows_of({}, btc, items).names == FEATURES + CONTEXT
    bare = [labelled("AUSDT", START_MS + i * 1000, i % 2, context=False) for i in range(50)]
    assert rows_of({}, btc, bare).names == FEATURES


def test_btc_is_taken_as_it_was_known_then() -> None:
    btc = walk(2000, seed=99)
    made = rows_of(history(1), btc, [])
    column = made.rows.features[:, made.names.index("btc_1h_pct")]
    for value, at in zip(column, made.rows.times, strict=True):
        seen = btc[btc[:, 0] + STEP_MS <= at]
        assert value == pytest.approx((seen[-1, 4] / seen[-13, 4] - 1) * 100)


def test_rows_of_another_version_are_left_out() -> None:
    good = labelled("AUSDT", START_MS, 1)
    old = LabelledRow("AUSDT", START_MS, good.features.replace('"v":1', '"v":0'), 1)
    assert rows_of({}, np.empty((0, 6)), [good, old]).labelled == 1
    assert len(rows_of({}, np.empty((0, 6)), []).rows) == 0
