"""The meta-layer: figures, gate, scale and skip; recorded and replayed to the same bytes."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from modules.learning import modelfiles
from modules.learning.calibration import Scaler
from modules.learning.features import VERSION
from modules.learning.fit import load_lightgbm
from modules.learning.modelfiles import Manifest, Versions
from modules.storage.decisions import DecisionLog
from modules.strategies.showdown import meta, review, stages
from modules.strategies.showdown.adviser_settings import AdviserSettings
from modules.strategies.showdown.records import Opinion
from modules.strategies.showdown.replay import head, line, replay
from modules.strategies.showdown.review_panel import Panel
from modules.strategies.showdown.settings import ShowdownSettings
from tests.strategies.showdown.market import CONTRACT, inputs

OWN = ShowdownSettings()


@pytest.fixture(scope="module")
def text() -> str:
    """Trees that know one thing: high confidence is good."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(400, len(meta.FEATURES)))
    place = meta.FEATURES.index("confidence")
    rows[:, place] = rng.uniform(0, 1, 400)
    lightgbm = load_lightgbm()
    data = lightgbm.Dataset(rows, (rows[:, place] > 0.5).astype(float), params={"verbosity": -1, "num_threads": 1})
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 4, "seed": 1,
                              "deterministic": True}, data, num_boost_round=5)
    return str(booster.model_to_string(num_iteration=-1))


def put(models: Path, text: str, aside: str = "", quantiles: tuple[float, ...] = (-9.0, 9.0),
        names: tuple[str, ...] = meta.FEATURES) -> Manifest:
    card = Manifest(format=modelfiles.FORMAT, name=meta.NAME, generation="", files={}, features=names, label=meta.LABEL,
                    origin="candles", rows=400, labelled_rows=0, from_ms=0, to_ms=1, trained_ms=1, threshold=0.5,
                    aside=aside, metrics=None, versions=Versions(features=VERSION, lightgbm="x", python="x"))
    return modelfiles.save(meta.folder_of(models), card, text,
                           Scaler(slope=1.0, offset=0.0, quantiles=quantiles, threshold=0.5, aside=aside))


def of(side: int, models: Path) -> tuple[stages.Outcome, tuple[Opinion, ...]]:
    model, why = meta.load(models)
    assert model is not None, why
    outcome = stages.run(inputs(side), OWN, meta.identity(model))
    return outcome, (meta.opinion(model, outcome.question, outcome.decision),)


def test_a_row_has_a_figure_for_each_name_and_mirrors_with_the_side():
    long, short = (stages.run(inputs(side), OWN) for side in (1, -1))
    up, down = meta.row(long.question, long.decision), meta.row(short.question, short.decision)
    assert len(up) == len(meta.FEATURES) == len(set(meta.FEATURES))
    assert up == pytest.approx(down, rel=0.02, abs=0.05, nan_ok=True)
    assert all(math.isfinite(value) for value in up)


@pytest.mark.parametrize(("quantiles", "verdict"), [
    ((5.0, 6.0), "skip"), ((-9.0, 9.0), "scale"), ((-6.0, -5.0), "take")])
def test_the_rank_among_earlier_trades_decides(tmp_path, text, quantiles, verdict):
    put(tmp_path, text, quantiles=quantiles)
    outcome, (said,) = of(1, tmp_path)
    assert said.verdict == verdict
    found = review.apply(outcome.decision, (said,), CONTRACT)
    before = float(outcome.decision.quantity)
    assert {"skip": found.action == "flat", "scale": 0.45 * before < float(found.quantity) < before,
            "take": float(found.quantity) == before}[verdict]


def test_one_that_may_not_speak_changes_nothing_and_says_why(tmp_path, text):
    put(tmp_path, text, aside="it does not beat taking every trade", quantiles=(5.0, 6.0))
    outcome, (said,) = of(1, tmp_path)
    assert said.verdict == "aside" and "does not beat" in said.said
    assert review.apply(outcome.decision, (said,), CONTRACT).quantity == outcome.decision.quantity


@pytest.mark.parametrize(("rank", "scale"), [(0.0, 0.0), (0.499, 0.0), (0.5, 0.5), (0.65, 0.75), (0.8, 1.0), (1, 1)])
def test_scale_rises_with_the_rank(rank, scale):
    assert meta.scale_of(rank) == pytest.approx(scale)


def test_the_model_stands_in_the_inputs_hash(tmp_path, text):
    plain = stages.run(inputs(), OWN)
    put(tmp_path, text)
    outcome, _ = of(1, tmp_path)
    assert str(outcome.question.meta).startswith("meta-") and outcome.decision.hash != plain.decision.hash
    assert b'"meta"' not in msgspec.json.encode(plain.question)  # records of before keep their bytes


async def record(folder: Path, outcomes) -> Path:
    log = DecisionLog(folder, "showdown", head("test"), disk_mb=50, keep_days=9, file_mb=5)
    for outcome, opinions in outcomes:
        log.append(line(outcome.question, review.apply(outcome.decision, opinions, CONTRACT), opinions))
    log.flush()
    await log.close()
    [path] = folder.glob("showdown.*.jsonl")
    return path


async def test_reviewed_decisions_replay_byte_for_byte(tmp_path, text):
    models, folder = tmp_path / "models", tmp_path / "decisions"
    folder.mkdir()
    put(models, text)
    adviser = Opinion(by="adviser", id="openai:m", verdict="take", said="fine", facts={"answered_ms": 812.5})
    veto = Opinion(by="adviser", id="openai:m", verdict="veto", said="no")
    outcome, opinions = of(1, models)
    plain = stages.run(inputs(-1), OWN)
    path = await record(folder, [(outcome, (*opinions, adviser)), (outcome, (*opinions, veto)), (plain, ())])
    for known in (models, None, tmp_path / "elsewhere"):
        rows, _ = replay(path, known)
        assert [row.same for row in rows] == [True, True, True]
    assert [row.decision.action for row in replay(path)[0]] == ["long", "flat", "short"]


async def test_a_forged_opinion_is_found_while_the_model_is_there(tmp_path, text):
    models, folder = tmp_path / "models", tmp_path / "decisions"
    folder.mkdir()
    put(models, text)
    outcome, (said,) = of(1, models)
    path = await record(folder, [(outcome, (msgspec.structs.replace(said, scale=0.51),))])
    assert not replay(path, models)[0][0].same


async def test_the_panel_reads_the_model_anew_and_refuses_a_damaged_one(tmp_path, text):
    panel = Panel(AdviserSettings(), tmp_path)
    assert await panel.model() == ""
    outcome = stages.run(inputs(), OWN)
    assert await panel.opinions(outcome.question, outcome.decision) == ()
    first = put(tmp_path, text)
    assert await panel.model() == f"meta-{first.generation}"
    assert [one.by for one in await panel.opinions(outcome.question, outcome.decision)] == ["meta"]
    put(tmp_path, text, aside="other", quantiles=(0.0, 1.0))
    assert (await panel.model()).removeprefix("meta-") != first.generation
    modelfiles.part_path(meta.folder_of(tmp_path), meta.NAME, "model").write_bytes(b"x")
    modelfiles.manifest_path(meta.folder_of(tmp_path), meta.NAME).write_text("{}")
    assert await panel.model() == ""
    assert await Panel(AdviserSettings(meta=False), tmp_path).model() == ""


def test_a_model_of_other_figures_is_none(tmp_path, text):
    put(tmp_path, text, names=tuple(f"other_{number}" for number in range(len(meta.FEATURES))))
    assert meta.load(tmp_path) == (None, "it was trained with other figures; train it anew")
