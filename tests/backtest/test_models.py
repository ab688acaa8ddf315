"""Models in a backtest: nothing that judges has learnt from what it judges, or from later."""

from collections import Counter

import msgspec
import numpy as np
import pytest

from modules.backtest import arrays as a
from modules.backtest import engine, models
from modules.backtest.pipeline import Chosen, backtest
from modules.backtest.report import json_object, short_text
from modules.backtest.settings import BacktestSettings
from modules.backtest.signals import hype_wishes
from modules.learning import fit
from modules.learning.settings import LearningSettings
from modules.strategies.hype.settings import HypeSettings
from tests.backtest.candles import START_MS, STEP_MS, frame, table
from tests.backtest.maker import FREE, RULES, entries, series

pytest.importorskip("lightgbm")

COUNT = 2600
HOUR_MS = 3_600_000
HYPE = HypeSettings(min_quote_volume=0, rejudge_after_s=300, veto_strategies=())  # all have the model's confidence
VETO = HYPE.model_copy(update={"veto_strategies": ("simple", "aggressive", "revival", "momentum_safe")})
LEARNING = LearningSettings(label_after_h=1, label_growth_pct=0.5, trees=10, min_rows=50)
COSTS = BacktestSettings(models="walk-forward", model_every_days=1.5, model_embargo_h=1)
assert engine.PPM


@pytest.fixture
def outspoken(monkeypatch):
    """Models that judge whatever their evidence: on made-up candles none has any."""
    plain = fit.fit

    def fitted(*given):
        made = plain(*given)
        return fit.Fitted(made.text, msgspec.structs.replace(made.scaler, aside="", threshold=0.0), made.metrics)
    monkeypatch.setattr(models.fit, "fit", fitted)


def tokens(seed=1):
    return [table(seed, COUNT), table(seed + 1, COUNT), table(9, COUNT, price=50_000.0, pumps=False)]


def judged(candles, costs=COSTS, hype=HYPE):
    frames = [frame(name, each) for name, each in zip(("AAAUSDT", "BBBUSDT", "BTCUSDT"), candles, strict=True)]
    wishes = hype_wishes(frames, hype, costs, Counter())
    found, folds = models.judged(wishes, frames, hype, LEARNING, costs)
    return frames, found, folds


@pytest.fixture(scope="module")
def known():
    """Runs by their costs, so that each is made once."""
    return {}


@pytest.fixture
def whole(outspoken, known):
    """(frames, wishes, folds) of the untouched candles."""
    if "whole" not in known:
        known["whole"] = judged(tokens())
    return known["whole"]


def told(wishes, until_ms):
    """Verdicts of all wishes up to a time."""
    keep = wishes.known_ms <= until_ms
    order = np.lexsort((wishes.token[keep], wishes.known_ms[keep]))
    return np.column_stack((wishes.token, wishes.known_ms, wishes.confidence))[keep][order]


def changed_after(candles, at_ms, seed=3):
    """The same candles up to a close; all later ones are those of other tokens, continued from the same price."""
    made = []
    for number, each in enumerate(candles):
        keep = each[:, 0] + STEP_MS <= at_ms
        later = table(seed + 40 + number, COUNT)[~keep]
        later[:, 1:5] *= each[keep][-1, 4] / later[0, 1]
        made.append(np.concatenate((each[keep], later)))
    return made


@pytest.mark.parametrize("share", [0.5, 0.83])
def test_another_future_changes_no_judgement(whole, share):
    candles = tokens()
    _, whole, _ = whole
    at_ms = int(START_MS + share * COUNT * STEP_MS)
    _, other, _ = judged(changed_after(candles, at_ms))
    assert np.array_equal(told(whole, at_ms), told(other, at_ms)) and len(told(whole, at_ms)) > 50
    assert len(np.unique(told(whole, at_ms)[:, 2])) > 3  # they do judge
    assert not np.array_equal(told(whole, 1 << 60), told(other, 1 << 60))


def label_of(frames, wishes, place):
    rule = models.labels.Rule(HOUR_MS, LEARNING.label_growth_pct, False)
    rows = models.labels.label_rows(models.candles_of(frames[wishes.token[place]]), rule)
    return rows[wishes.row[place]]


def flipped(candles, wishes, place, label):
    """Candles in which the price an hour after a wish turns its label round; nothing before is touched."""
    made = [each.copy() for each in candles]
    mine = made[wishes.token[place]]
    after = mine[:, 0] >= wishes.known_ms[place] + HOUR_MS
    mine[after, 1:5] *= 0.5 if label else 2.0
    return made


def test_the_label_of_what_is_judged_does_not_touch_its_judgement(whole):
    candles = tokens()
    frames, whole, _ = whole
    place = int(np.argsort(whole.known_ms)[int(len(whole) * 0.9)])
    label = label_of(frames, whole, place)
    changed, other, _ = judged(flipped(candles, whole, place, label))
    at_ms = int(whole.known_ms[place])
    same = int(np.flatnonzero((other.token == whole.token[place]) & (other.known_ms == at_ms))[0])
    assert label_of(changed, other, same) == 1 - label
    assert np.array_equal(told(whole, at_ms), told(other, at_ms))


def test_the_tests_above_would_see_a_leak(outspoken):
    """Without purge and embargo the model of a fold has learnt from it: then another future does change judgements."""
    leaking = COSTS.model_copy(update={"model_embargo_h": -1000.0})
    candles = tokens()
    at_ms = int(START_MS + 0.5 * COUNT * STEP_MS)
    _, whole, _ = judged(candles, leaking)
    _, other, _ = judged(changed_after(candles, at_ms), leaking)
    assert not np.array_equal(told(whole, at_ms), told(other, at_ms))


def test_a_fold_learns_only_from_labels_that_were_known_before_it(whole):
    frames, wishes, folds = whole
    table_ = models.table_of(wishes, frames, HYPE, LEARNING)
    assert len(folds) >= 5 and (np.diff(table_.rows.times) >= 0).all()
    for fold in folds:
        known = table_.rows.times + HOUR_MS + models.labels.LATE_MS + COSTS.model_embargo_h * HOUR_MS
        assert fold.learnt == (known <= fold.begin_ms).sum()
    assert folds[0].learnt == 0 and folds[-1].learnt > 100


def test_before_the_first_model_it_stands_aside():
    _, wishes, folds = judged(tokens(), hype=VETO)
    first = wishes.known_ms < folds[0].begin_ms + 1.5 * 86_400_000
    assert "at least 50 are needed" in folds[0].aside and set(wishes.confidence[first]) == {0.80}
    assert folds[0].approved == folds[0].judged == first.sum()


def test_the_same_twice(whole):
    assert np.array_equal(judged(tokens())[1].confidence, whole[1].confidence)


def test_confidence_is_the_models_and_a_no_is_a_no(outspoken):
    _, wishes, folds = judged(tokens(), hype=VETO)
    assert sum(fold.judged for fold in folds) == len(wishes)
    late = wishes.confidence[wishes.known_ms >= folds[-1].begin_ms]
    assert ((late == models.REFUSED) | (late >= HYPE.min_confidence)).all()
    assert folds[-1].approved == (late >= 0).sum() < folds[-1].judged


def test_a_refused_wish_is_not_bought_and_its_token_not_asked_again_at_once():
    market = series([(100_000,) * 4] * 6)
    wishes = entries(market, (0, 0), (0, 1), (0, 3))
    wishes[0, a.E_CONFIDENCE] = -1_000_000
    made = engine.run(market, wishes, RULES, FREE._replace(rejudge_ms=700_000))
    assert [a.REFUSALS[code] for code in made.outcomes] == ["MODEL_NO", "JUDGED_LATELY", "bought"]


def test_the_report_tells_of_every_fold_and_of_the_run_without(outspoken):
    frames = [frame("AAAUSDT", table(1, COUNT)), frame("BBBUSDT", table(2, COUNT))]
    groups = {"hype": VETO, "backtest": COSTS, "learning": LEARNING}
    report = backtest(list(frames), [], Chosen("hype", groups), Counter())
    off = backtest(list(frames), [], Chosen("hype", {**groups, "backtest": BacktestSettings()}), Counter())
    object_ = json_object(report)
    assert [fold["learnt"] for fold in object_["folds"]] == sorted(fold["learnt"] for fold in object_["folds"])
    assert object_["without_models"] == json_object(off)["metrics"] != object_["metrics"]
    assert report.refused["MODEL_NO"] > 0 and "MODEL_NO" not in off.refused and not off.folds
    assert "models, fitted on the past of each fold" in short_text(report) and "without" in short_text(report)
    assert "learning.trees" in report.settings and "learning.trees" not in off.settings
    assert len(set(report.confidence)) > 1 and set(off.confidence) == {0.8}
