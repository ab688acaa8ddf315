"""Training by hand: what is printed, written and answered."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modules.exchange.types import Unavailable
from modules.learning import catalog, jobs, modelfiles
from modules.learning.datasets import Bars
from modules.learning.modelfiles import Manifest
from modules.strategies.hype import train_cli
from modules.strategies.hype.files import LearningFiles
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.hype.trainer_journal import OLDEST_MS, Journal
from modules.supervision.messages import Inbox
from tests.learning.market import START_MS, pumps, walk
from tests.learning.models import put
from tests.learning.test_labeller import candidate
from tests.learning.test_trainer_service import LEARNING, NOW
from tests.learning.venue import MemoryMarket
from tests.surroundings import environment
from utils.compute import ComputeSettings
from utils.locks import ProcessLock
from utils.paths import PROJECT, Paths

SETTINGS: Any = SimpleNamespace(learning=LEARNING, hype=HypeSettings(), exchange=None, compute=ComputeSettings())


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    async def open_market(settings: Any, where: Paths) -> MemoryMarket:
        table = {f"T{number:02d}USDT": pumps(2000, seed=number)[0] for number in range(24)}
        return MemoryMarket({"BTCUSDT": walk(2000, seed=99), "YOUNGUSDT": walk(50, start_ms=NOW - 60 * 300_000),
                             **table}, NOW)

    monkeypatch.setattr(train_cli, "open_market", open_market)
    return Paths(tmp_path).prepare()


async def train(what: str, paths: Paths, jobs: int = 1) -> tuple[int, list[str]]:
    said: list[str] = []
    return await train_cli.train(what, jobs, SETTINGS, paths, said.append), said


async def test_all_tokens_are_trained_with_progress_and_the_rest_is_named(paths: Paths) -> None:
    code, said = await train("all", paths)
    assert code == 0
    assert any("26/26 (100 %)" in line for line in said)
    assert "25 of 26 tokens have a new model" in said[-2] and "YOUNGUSDT" in said[-1] and "usable rows" in said[-1]
    assert catalog.counts(paths.models)["models"] == 25
    assert "YOUNGUSDT" in LearningFiles(paths).pending.load()


async def test_processes_train_the_same_models(paths: Paths) -> None:
    LearningFiles(paths).pending.save({"T01USDT": "x", "T02USDT": "x"})
    assert (await train("pending", paths, jobs=2))[0] == 0
    there = modelfiles.read_manifest(paths.models, "T01USDT")
    catalog.clear(paths.models)
    LearningFiles(paths).pending.save({"T01USDT": "x", "T02USDT": "x"})
    assert (await train("pending", paths, jobs=1))[0] == 0
    here = modelfiles.read_manifest(paths.models, "T01USDT")
    assert isinstance(here, Manifest) and here == there
    assert LearningFiles(paths).pending.load() == {}
    assert (await train("pending", paths)) == (0, ["No token waits for a model."])


async def test_the_feedback_model_is_trained_and_its_figures_are_said(paths: Paths) -> None:
    code, said = await train("feedback", paths)
    assert code == 0 and "AUC" in said[-1] and "base rate" in said[-1]
    assert isinstance(modelfiles.read_manifest(paths.models, "feedback"), Manifest)


async def test_labels_are_made_here_or_by_the_running_trainer(paths: Paths) -> None:
    LearningFiles(paths).candidates.append([candidate("T01USDT", START_MS + 300 * 300_000, 1.0)])
    lock = ProcessLock(paths.run, "trainer")
    lock.acquire()
    code, said = await train("label", paths)
    assert code == 0 and "trainer is running" in said[0]
    assert [message.kind for _, message in Inbox(paths.inbox, "trainer").take()] == ["label"]
    lock.release()
    code, said = await train("label", paths)
    assert code == 0 and said[0].startswith("1 candidates labelled")
    assert len(LearningFiles(paths).labeled.read()) == 1


def test_an_exchange_that_is_away_is_a_clear_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    async def away(settings: Any, where: Paths) -> None:
        raise Unavailable("the exchange is away")

    monkeypatch.setattr(train_cli, "open_market", away)
    monkeypatch.setattr(train_cli, "_give_way", lambda: None)  # it would slow the other tests
    assert train_cli.main("all", None, SETTINGS, Paths(tmp_path).prepare()) == 1
    assert capsys.readouterr().out == "Nothing was trained: the exchange is away\n"


def script(name: str, home: Path, *arguments: str, answer: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(PROJECT / "scripts" / name), *arguments], env=environment(home),
        cwd=home, capture_output=True, text=True, input=answer, timeout=60, check=False,
    )  # fmt: skip


def test_clearmodels_asks_first(tmp_path: Path) -> None:
    folder = Paths(tmp_path).prepare().models
    put(folder, "feedback", seed=1)
    no = script("clearmodels.py", tmp_path, answer="n\n")
    assert no.returncode == 1 and "Nothing was deleted" in no.stdout and catalog.counts(folder)["feedback_models"] == 1
    nobody = script("clearmodels.py", tmp_path, answer="")
    assert nobody.returncode == 1 and "Nothing was deleted" in nobody.stdout and "Traceback" not in nobody.stderr
    yes = script("clearmodels.py", tmp_path, "--yes")
    assert yes.returncode == 0 and "1 models deleted" in yes.stdout and catalog.entries(folder) == []


@pytest.mark.parametrize("name", ["train_all_models.py", "train_pending_models.py", "train_from_labeled.py",
                                  "train_feedback_model.py", "label_candidates.py"])  # fmt: skip
def test_scripts_run_by_hand_from_any_folder(tmp_path: Path, name: str) -> None:
    done = script(name, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Nothing was trained" in done.stdout and "Traceback" not in done.stderr


async def test_a_killed_training_goes_on_where_it_stopped(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        """Nothing between here and the process catches this."""

    batch, calls = train_cli._batch, []

    def dies(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 3:
            raise Killed
        return batch(*given)

    monkeypatch.setattr(train_cli, "_batch", dies)
    with pytest.raises(Killed):
        await train("all", paths)
    done = catalog.counts(paths.models)["models"]
    assert 0 < done < 26
    made = {name: modelfiles.manifest_path(paths.models, name).stat().st_mtime_ns
            for name in modelfiles.names(paths.models)}
    monkeypatch.setattr(train_cli, "_batch", batch)
    code, said = await train("all", paths)
    assert code == 0 and said[0].startswith(f"It goes on where it stopped: {2 * train_cli.CHUNK} of 26 tokens are done")
    assert catalog.counts(paths.models)["models"] == 25
    for name, stamp in made.items():
        assert modelfiles.manifest_path(paths.models, name).stat().st_mtime_ns == stamp, f"{name} was trained twice"
    assert not list(paths.data.glob("training-*")), "the next one begins anew"


def test_a_journal_of_another_recipe_another_day_or_torn_does_not_count(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    recipe = jobs.recipe(paths.models, LEARNING, Bars(3.0, 5.0, 2.0))
    journal = Journal(paths, "all", recipe)
    assert journal.resume(1000) == set()
    journal.note("AUSDT")
    journal.note("BUSDT")
    assert Journal(paths, "all", recipe).resume(2000) == {"AUSDT", "BUSDT"}
    path = paths.data / "training-all.jsonl"
    path.write_bytes(path.read_bytes()[:-4])  # killed within a line
    assert Journal(paths, "all", recipe).resume(2000) == {"AUSDT"}
    other = jobs.recipe(paths.models, LEARNING.model_copy(update={"trees": 99}), Bars(3.0, 5.0, 2.0))
    assert Journal(paths, "all", other).resume(2000) == set()
    journal.resume(1000, fresh=True)
    journal.note("AUSDT")
    assert journal.resume(1000 + OLDEST_MS + 1) == set()
    path.write_bytes(b"not json\n")
    assert journal.resume(2000) == set()
    journal.finish()
    journal.finish()
