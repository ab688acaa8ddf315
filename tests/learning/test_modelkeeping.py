"""After the training: unsound models are set aside, retired ones stand aside, a killed writer leaves a whole one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from modules.learning import jobs, modelfiles, modelkeeping
from modules.learning.datasets import Bars
from modules.learning.features import CONTEXT, FEATURES
from modules.learning.modelfiles import FEEDBACK, Loaded, Manifest
from modules.learning.predictor import Judgement, Predictor
from modules.learning.settings import LearningSettings
from tests.learning.market import pumps
from tests.learning.models import put
from tests.surroundings import environment
from utils.paths import PROJECT

ROW, BESIDE = [0.1] * len(FEATURES), [0.1] * len(CONTEXT)


def test_a_retired_model_stands_aside_at_the_next_question_and_comes_back(tmp_path: Path) -> None:
    put(tmp_path, FEEDBACK, seed=1)
    predictor = Predictor(tmp_path)
    before = predictor.feedback(ROW, BESIDE)
    assert isinstance(before, Judgement) and before.approves is not None
    assert modelkeeping.retire(tmp_path, FEEDBACK, "it broke its promise")
    after = predictor.feedback(ROW, BESIDE)
    assert isinstance(after, Judgement) and after.approves is None and "broke its promise" in after.reason
    assert (after.probability, after.confidence) == (before.probability, before.confidence), "it goes on being watched"
    assert not modelkeeping.retire(tmp_path, FEEDBACK, "again")
    assert modelkeeping.reinstate(tmp_path, FEEDBACK) and predictor.feedback(ROW, BESIDE) == before
    assert not modelkeeping.reinstate(tmp_path, FEEDBACK)


def test_a_model_without_an_edge_is_not_retired_and_not_reinstated(tmp_path: Path) -> None:
    put(tmp_path, FEEDBACK, seed=1, aside="no edge")
    assert not modelkeeping.retire(tmp_path, FEEDBACK, "x") and not modelkeeping.reinstate(tmp_path, FEEDBACK)
    assert not modelkeeping.retire(tmp_path, "NOUSDT", "x")


@pytest.mark.parametrize("harm", ["tampered", "truncated", "foreign", "missing"])
def test_what_is_refused_is_set_aside_with_all_its_files(tmp_path: Path, harm: str) -> None:
    put(tmp_path, "PEPEUSDT", seed=1)
    put(tmp_path, "DOGEUSDT", seed=2)
    path = modelfiles.part_path(tmp_path, "PEPEUSDT", "model")
    whole = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes({"tampered": whole[:-1] + bytes([whole[-1] ^ 1]), "truncated": whole[:100],
                          "foreign": modelfiles.part_path(tmp_path, "DOGEUSDT", "model").read_bytes()}[harm])
    why = modelkeeping.set_aside_unsound(tmp_path, "PEPEUSDT")
    assert "PEPEUSDT_model.pkl" in why
    assert modelfiles.names(tmp_path) == ["DOGEUSDT"]
    kept = {path.name.split(".pkl")[0].split(".json")[0] for path in (tmp_path / modelkeeping.REFUSED).iterdir()}
    assert "PEPEUSDT_manifest" in kept and len(kept) == (3 if harm == "missing" else 4)
    assert modelkeeping.set_aside_unsound(tmp_path, "DOGEUSDT") == ""
    assert modelkeeping.set_aside_unsound(tmp_path, "PEPEUSDT") == "", "it is gone"


def _job(folder: Path, **changes: object) -> jobs.TokenJob:
    candles = pumps(1500, seed=3)[0]
    recipe = jobs.recipe(folder, LearningSettings(trees=10), Bars(3.0, 5.0, 2.0))
    job = jobs.TokenJob(recipe, "PEPEUSDT", jobs.pack(candles), int(candles[-1, 0]) + 300_000)
    return msgspec.structs.replace(job, **changes)


def test_a_champion_that_nobody_can_load_is_not_defended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_defends", lambda *_: True)
    jobs.run(_job(tmp_path))
    assert jobs.run(_job(tmp_path)).stays
    path = modelfiles.part_path(tmp_path, "PEPEUSDT", "scaler")
    path.write_bytes(path.read_bytes()[:-2])
    made = jobs.run(_job(tmp_path))
    assert made.made and not made.stays
    assert isinstance(modelfiles.load(tmp_path, "PEPEUSDT"), Loaded)


def test_learning_apart_from_writing_makes_the_same_files(tmp_path: Path) -> None:
    """What another machine has learnt and this one writes is what this one would have made."""
    here, there = tmp_path / "here", tmp_path / "there"
    jobs.run(_job(here))
    learned = jobs.learn_only(_job(Path("/does/not/exist")))
    jobs.keep(learned, there)
    for part in modelfiles.PARTS:
        assert modelfiles.part_path(here, "PEPEUSDT", part).read_bytes() == \
            modelfiles.part_path(there, "PEPEUSDT", part).read_bytes()


def test_an_error_of_one_token_is_its_own_result(tmp_path: Path) -> None:
    broken = jobs.attempt(_job(tmp_path, candles=jobs.pack(np.zeros((500, 6)))))
    assert not broken.made
    named = jobs.attempt(_job(tmp_path, symbol="../evil"))
    assert not named.made and "cannot name a model" in named.text


def test_a_held_successor_may_not_speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules.learning import gate

    monkeypatch.setattr(gate, "decide", lambda _: gate.Decision(True, "it may"))
    monkeypatch.setattr("modules.learning.fit._candidates", lambda rows, fold_of: (np.flatnonzero(fold_of >= 0), ""))
    candles = pumps(1500, seed=3)[0]
    job = _job(tmp_path, net=jobs.pack(np.linspace(-1, 1, len(candles))), held="it broke its promise")
    jobs.run(job)
    card = modelfiles.read_manifest(tmp_path, "PEPEUSDT")
    assert isinstance(card, Manifest) and card.retired == card.aside == "it broke its promise"
    assert modelkeeping.reinstate(tmp_path, "PEPEUSDT")


WRITER = """
import sys
from pathlib import Path
from tests.learning.models import put
seed = 1
while True:
    put(Path(sys.argv[1]), "feedback", seed=seed % 8)
    print(seed, flush=True)
    seed += 1
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_writer_killed_at_any_moment_leaves_a_whole_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    put(tmp_path, FEEDBACK, seed=9)
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=PROJECT, env=environment(tmp_path),
                          stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(int(rng.integers(8, 14))):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    assert isinstance(modelfiles.load(tmp_path, FEEDBACK), Loaded)
    modelfiles.recover(tmp_path)
    assert isinstance(modelfiles.load(tmp_path, FEEDBACK), Loaded)
    assert not list(tmp_path.glob(".*.new"))
