"""Judgements in a process without machine-learning packages: right, fast, fresh, and honest about what is missing."""

import subprocess
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from modules.learning import modelfiles
from modules.learning.features import CONTEXT, FEATURES, context_row
from modules.learning.predictor import Judgement, NoModel, Predictor
from tests.learning.models import put
from utils.paths import PROJECT


def judged(found: Judgement | NoModel) -> Judgement:
    assert isinstance(found, Judgement), found
    return found


def row(seed: int = 1) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=len(FEATURES)).tolist(), rng.normal(size=len(CONTEXT)).tolist()


def test_the_judgement_is_the_boosters_through_the_calibration(tmp_path: Path) -> None:
    text, _, scaler = put(tmp_path, "feedback", seed=1)
    booster = lightgbm.Booster(model_str=text)
    predictor = Predictor(tmp_path)
    for seed in range(30):
        values, context = row(seed)
        raw = float(booster.predict([values + context], raw_score=True)[0])
        found = judged(predictor.feedback(values, context))
        assert found.probability == pytest.approx(scaler.probability(raw), abs=1e-12)
        assert found.confidence == pytest.approx(scaler.confidence(raw), abs=1e-12)
        assert found.approves is (found.probability > scaler.threshold)
        without = float(booster.predict([values + [np.nan] * len(CONTEXT)], raw_score=True)[0])
        assert judged(predictor.feedback(values)).probability == pytest.approx(scaler.probability(without), abs=1e-12)


def test_columns_are_found_by_name_not_by_place(tmp_path: Path) -> None:
    import msgspec

    from tests.learning.models import small_model

    text, card, scaler = small_model(1)
    turned = tuple(reversed(card.features))
    modelfiles.save(tmp_path, msgspec.structs.replace(card, features=turned), text, scaler)
    values, context = row()
    raw = float(lightgbm.Booster(model_str=text).predict([(values + context)[::-1]], raw_score=True)[0])
    assert judged(Predictor(tmp_path).feedback(values, context)).probability == pytest.approx(scaler.probability(raw))


def test_missing_models_say_what_is_missing(tmp_path: Path) -> None:
    predictor = Predictor(tmp_path)
    values, context = row()
    assert predictor.feedback(values) == NoModel("the feedback model is not trained yet")
    assert predictor.token("PEPEUSDT", values, context) == NoModel("PEPEUSDT has no model yet")
    modelfiles.save_none(tmp_path, "PEPEUSDT", "50 usable rows", 1)
    found = predictor.token("PEPEUSDT", values, context)
    assert isinstance(found, NoModel) and not found.wanted and "50 usable rows" in found.reason


def test_a_refused_model_is_a_missing_model_with_a_reason(tmp_path: Path) -> None:
    put(tmp_path, "PEPEUSDT", seed=1)
    modelfiles.part_path(tmp_path, "PEPEUSDT", "model").write_bytes(b"other")
    found = Predictor(tmp_path).token("PEPEUSDT", *row())
    assert isinstance(found, NoModel) and found.wanted and "refused" in found.reason


def test_a_model_without_edge_stands_aside(tmp_path: Path) -> None:
    put(tmp_path, "PEPEUSDT", seed=1, aside="its AUC is 0.51")
    found = judged(Predictor(tmp_path).token("PEPEUSDT", *row()))
    assert found.approves is None and found.stands_aside and "0.51" in found.reason


def test_a_new_model_is_used_at_once_and_a_cleared_one_no_more(tmp_path: Path) -> None:
    predictor = Predictor(tmp_path)
    values, context = row()
    assert isinstance(predictor.feedback(values, context), NoModel)
    put(tmp_path, "feedback", seed=1)
    first = judged(predictor.feedback(values, context))
    put(tmp_path, "feedback", seed=2)
    assert judged(predictor.feedback(values, context)).probability != first.probability
    modelfiles.remove(tmp_path, "feedback")
    assert isinstance(predictor.feedback(values, context), NoModel)


def test_a_wrong_row_is_an_error_never_padded(tmp_path: Path) -> None:
    put(tmp_path, "feedback", seed=1)
    values, context = row()
    with pytest.raises(ValueError, match="features"):
        Predictor(tmp_path).feedback(values[:-1], context)
    with pytest.raises(ValueError, match="context"):
        Predictor(tmp_path).feedback(values, context[:-1])


def test_memory_of_many_models_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.learning.predictor.KEPT", 3)
    predictor = Predictor(tmp_path)
    for name in ("AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT"):
        put(tmp_path, name, seed=1)
        judged(predictor.token(name, *row()))
    assert len(predictor._models) == 3
    judged(predictor.token("AUSDT", *row()))


def test_context_row_keeps_its_order() -> None:
    values = {name: float(i) for i, name in enumerate(CONTEXT)}
    assert context_row(values) == [float(i) for i in range(len(CONTEXT))]
    assert np.isnan(context_row({})).all()


def test_predicting_brings_no_heavy_package(tmp_path: Path) -> None:
    put(tmp_path, "feedback", seed=1)
    code = (
        "import sys; from pathlib import Path; from modules.learning.predictor import Predictor, Judgement;"
        f"from modules.learning.features import FEATURES; p = Predictor(Path({str(tmp_path)!r}));"
        "assert isinstance(p.feedback([0.1] * len(FEATURES)), Judgement);"
        "sys.exit(bool({'pandas', 'sklearn', 'lightgbm', 'scipy', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
