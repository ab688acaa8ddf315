"""The trainer as the scanner and people meet it: inbox in, model files, notices and ``model_ready`` out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from modules.learning import jobs, modelfiles
from modules.learning.jobs import Job, Result
from modules.learning.modelfiles import Manifest, NoneNow
from modules.learning.settings import LearningSettings
from modules.learning.workers import WorkerFailed
from modules.strategies.hype import trainer_jobs, trainer_service
from modules.strategies.hype.files import LearningFiles
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.hype.trainer_service import Trainer
from modules.supervision.messages import Inbox
from modules.supervision.service import ServiceRun
from tests.learning.market import START_MS, pumps, walk
from tests.learning.models import put, small_model
from tests.learning.test_labeller import candidate
from tests.learning.venue import MemoryMarket
from tests.surroundings import until
from utils.paths import Paths

NOW = START_MS + 1999 * 300_000 + 1000
LEARNING = LearningSettings(trees=15, bootstrap_symbols=30, bootstrap_candles=1990, bootstrap_most_candles=1990,
                            min_rows=100)


class HereWorkers:
    """Trains in this process: the worker processes have tests of their own."""

    def __init__(self) -> None:
        self.done: list[Job] = []
        self.broken: Exception | None = None
        self.answer: Result | None = None
        self.hold: asyncio.Event | None = None

    async def run(self, job: Job) -> Result:
        self.done.append(job)
        if self.hold is not None:
            await self.hold.wait()
        if self.broken is not None:
            raise self.broken
        if self.answer is not None:
            return self.answer
        return await asyncio.to_thread(jobs.run, job)

    async def trim(self) -> None:
        return None


class Stage:
    """A trainer with its surroundings."""

    def __init__(self, home: Path, tokens: int) -> None:
        self.paths = Paths(home).prepare()
        table = {f"T{number:02d}USDT": pumps(2000, seed=number)[0] for number in range(tokens)}
        self.market = MemoryMarket({"BTCUSDT": walk(2000, seed=99), **table}, NOW)
        self.workers = HereWorkers()
        self.run = ServiceRun("trainer", self.paths, 0.1)
        self.settings = SimpleNamespace(learning=LEARNING, hype=HypeSettings())
        self.files = LearningFiles(self.paths)
        self.scanner = Inbox(self.paths.inbox, "scanner")

    @asynccontextmanager
    async def living(self) -> AsyncIterator[Trainer]:
        trainer = Trainer(self.run, self.settings, self.market, self.workers)  # type: ignore[arg-type]
        task = asyncio.create_task(trainer.live())
        try:
            yield trainer
        finally:
            self.run.stop.set()
            await asyncio.wait_for(task, 60)

    def post(self, kind: str, sender: str = "test", **body: Any) -> None:
        Inbox(self.paths.inbox, "trainer").post(kind, body, sender)

    def heard(self) -> list[dict[str, Any]]:
        """Bodies of model_ready in the scanner's inbox."""
        return [message.body for _, message in self.scanner.take() if message.kind == "model_ready"]

    def said(self) -> list[str]:
        return [notice.text() for _, notice in self.run.outbox.pending("test")]

    def card(self, name: str) -> Manifest | NoneNow | None:
        return modelfiles.read_manifest(self.paths.models, name)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(trainer_service, "TURN_S", 0.01)
    monkeypatch.setattr(trainer_service, "RETRY_S", 0.01)
    return Stage(tmp_path, 24)


async def test_the_first_start_trains_the_feedback_model_from_the_past(stage: Stage) -> None:
    async with stage.living():
        await until(lambda: stage.heard())
    card = stage.card("feedback")
    assert isinstance(card, Manifest) and card.origin == "bootstrap" and card.labelled_rows == 0
    assert card.to_ms + 6 * 3_600_000 <= NOW, "nothing was learnt whose outcome was not known"
    assert card.trained_ms == NOW and card.label == "+5 % after 6 h"
    assert stage.heard()[0]["symbol"] == "feedback" and stage.heard()[0]["made"]
    said = stage.said()
    assert any("first time" in text for text in said)
    assert any("base rate" in text and "AUC" in text and "constant" in text for text in said)


async def test_who_asks_while_it_is_being_made_is_told_with_the_first(stage: Stage) -> None:
    stage.workers.hold = asyncio.Event()
    async with stage.living():
        await until(lambda: stage.workers.done)
        stage.market.hand.ms += 10 * 60_000  # the schedule looks again
        for _ in range(3):
            stage.post("feedback", sender="scanner")
        await until(lambda: stage.run.inbox.waiting() == 3)
        await asyncio.sleep(0.1)
        stage.workers.hold.set()
        await until(lambda: not stage.run.inbox.waiting())
        await until(lambda: stage.run._info["state"] == "idle")
    assert sum(isinstance(job, jobs.FeedbackJob) for job in stage.workers.done) == 1


async def test_a_token_that_a_candidate_waits_for_is_trained_and_told(stage: Stage) -> None:
    stage.files.pending.save({"T03USDT": "no model yet", "OTHERUSDT": "x"})
    stage.market.table["YOUNGUSDT"] = walk(150, start_ms=START_MS + 1850 * 300_000)
    stage.post("token", symbol="T03USDT")
    stage.post("token", symbol="T03USDT")
    stage.post("token", symbol="YOUNGUSDT")
    stage.post("token", symbol="../evil")
    stage.post("nonsense")
    async with stage.living():
        await until(lambda: {"T03USDT", "YOUNGUSDT"} <= {body["symbol"] for body in stage.heard()})
        await until(lambda: not stage.run.inbox.waiting())
    heard = {body["symbol"]: body for body in stage.heard()}
    assert heard["T03USDT"]["made"] and not heard["YOUNGUSDT"]["made"]
    assert "usable rows" in heard["YOUNGUSDT"]["reason"]
    card = stage.card("T03USDT")
    assert isinstance(card, Manifest) and card.origin == "candles" and card.rows <= LEARNING.candles
    assert isinstance(stage.card("YOUNGUSDT"), NoneNow)
    pending = stage.files.pending.load()
    assert "T03USDT" not in pending and pending["OTHERUSDT"] == "x" and "usable rows" in pending["YOUNGUSDT"]
    made = [job for job in stage.workers.done if getattr(job, "symbol", "") == "T03USDT"]
    assert len(made) == 1, "asked twice, made once"
    assert not list(stage.paths.models.parent.rglob("*evil*"))


async def test_a_token_never_waits_behind_a_long_training(stage: Stage) -> None:
    stage.workers.hold = asyncio.Event()
    async with stage.living():
        await until(lambda: any(isinstance(job, jobs.FeedbackJob) for job in stage.workers.done))
        stage.post("token", symbol="T05USDT")
        await until(lambda: any(getattr(job, "symbol", "") == "T05USDT" for job in stage.workers.done))
        stage.workers.hold.set()
        await until(lambda: len(stage.heard()) == 2)


async def test_labels_are_written_and_teach_the_next_feedback_model(stage: Stage) -> None:
    from modules.learning import features

    rows = []
    for number in range(24):
        candles = stage.market.table[f"T{number:02d}USDT"]
        made = features.compute(candles)
        for at in range(320, 1900, 160):
            moment = int(candles[at, 0]) + 300_000
            packed = features.pack(made[at])
            rows.append(candidate(f"T{number:02d}USDT", moment, float(candles[at, 4]), features=packed))
    stage.files.candidates.append(rows)
    async with stage.living():
        await until(lambda: any(body["symbol"] == "feedback" for body in stage.heard()))
        await until(lambda: stage.files.labeled.path.exists() and len(stage.files.labeled.read()) == len(rows))
        stage.post("feedback", sender="owner")
        await until(lambda: isinstance(card := stage.card("feedback"), Manifest) and card.labelled_rows == len(rows))
    card = stage.card("feedback")
    assert isinstance(card, Manifest) and card.origin == "bootstrap+labelled"
    assert any("Asked for by owner" in text for text in stage.said())
    grown = {row["symbol"] for row in stage.files.labeled.read() if row["label"] == "1"}
    assert grown and grown <= set(stage.files.pending.load())


async def test_pending_tokens_are_trained_with_words_at_the_end(stage: Stage) -> None:
    stage.files.pending.save({"T01USDT": "x", "T02USDT": "x", "NOTUSDT": "x"})
    stage.post("pending")
    async with stage.living():
        await until(lambda: any("2 of 3 tokens have a new model" in text for text in stage.said()))
    assert isinstance(stage.card("T01USDT"), Manifest) and isinstance(stage.card("T02USDT"), Manifest)
    assert list(stage.files.pending.load()) == ["NOTUSDT"]


async def test_an_exchange_that_does_not_answer_is_asked_again(stage: Stage) -> None:
    stage.market.away = True
    stage.post("token", symbol="T01USDT")
    async with stage.living() as trainer:
        await until(lambda: any(body["symbol"] == "T01USDT" for body in stage.heard()))
        assert trainer._failures >= 1
        assert not stage.heard()[0]["made"] and "no answer" in stage.heard()[0]["reason"]
        assert stage.card("T01USDT") is None
        stage.market.away = False
        stage.post("token", symbol="T01USDT")
        await until(lambda: isinstance(stage.card("T01USDT"), Manifest))


async def test_a_failed_training_is_told_and_the_trainer_lives_on(stage: Stage) -> None:
    stage.workers.broken = WorkerFailed("Traceback …\nRuntimeError: boom")
    async with stage.living():
        await until(lambda: any("was not done" in text and "boom" in text for text in stage.said()))
        stage.workers.broken = None
        stage.post("token", symbol="T01USDT")
        await until(lambda: isinstance(stage.card("T01USDT"), Manifest))


async def test_work_interrupted_by_a_crash_is_done_by_the_next_life(stage: Stage) -> None:
    stage.workers.hold = asyncio.Event()
    stage.post("token", symbol="T01USDT")
    trainer = Trainer(stage.run, stage.settings, stage.market, stage.workers)  # type: ignore[arg-type]
    task = asyncio.create_task(trainer.live())
    await until(lambda: any(getattr(job, "symbol", "") == "T01USDT" for job in stage.workers.done))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    stage.workers.hold.set()
    async with stage.living():
        await until(lambda: isinstance(stage.card("T01USDT"), Manifest))
        await until(lambda: not stage.run.inbox.waiting())


async def test_a_stop_that_was_asked_for_forgets_the_long_training(stage: Stage) -> None:
    stage.workers.hold = asyncio.Event()
    stage.files.pending.save({"T01USDT": "x"})
    stage.post("pending")
    async with stage.living() as trainer:
        await until(lambda: trainer._taken)
    assert stage.run.inbox.waiting() == 0


async def test_the_feedback_model_is_trained_anew_by_schedule(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_service, "REST_S", 0.0)

    def age() -> int:
        card = stage.card("feedback")
        return card.trained_ms if isinstance(card, Manifest) else 0

    async with stage.living():
        await until(lambda: age() == NOW)
        stage.market.hand.ms = NOW + 5 * 3_600_000
        await asyncio.sleep(0.2)
        assert age() == NOW, "not before its time"
        stage.market.hand.ms = NOW + 6 * 3_600_000 + 120_000
        await until(lambda: age() > NOW)
        stage.market.hand.ms = NOW - 3_600_000  # the market has begun anew
        await asyncio.sleep(0)


async def test_a_model_without_edge_is_trained_again_from_a_longer_past(stage: Stage) -> None:
    deeper = LEARNING.model_copy(update={"bootstrap_candles": 500, "bootstrap_most_candles": 1990})
    stage.settings = SimpleNamespace(learning=deeper, hype=HypeSettings())
    stage.workers.answer = Result("feedback", True, "Learnt little.", aside="its AUC is 0.51")
    async with stage.living():
        await until(lambda: len(stage.heard()) == 3)
        await until(lambda: not stage.run.inbox.waiting())
    depths = {limit and (NOW - since) // 300_000 for symbol, limit, since in stage.market.calls
              if symbol == "T01USDT" and limit == 500 and since is not None}
    assert {500, 1000, 1990} <= {round(depth, -1) for depth in depths if depth}
    assert sum("trained again now, from a longer past" in text for text in stage.said()) == 2


def test_a_later_training_begins_as_deep_as_the_standing_model(stage: Stage) -> None:
    learning = LearningSettings(bootstrap_candles=1000, bootstrap_most_candles=5000)
    work = trainer_jobs.TrainerJobs(stage.market, stage.files, learning, HypeSettings(), stage.workers.run)
    card = small_model(1)[1]
    spans = {candles: msgspec.structs.replace(card, from_ms=0, trained_ms=candles * 300_000)
             for candles in (900, 1000, 2000, 4800, 9999)}
    assert work.first_depth(None) == 1000
    assert {candles: work.first_depth(card) for candles, card in spans.items()} == {
        900: 1000, 1000: 1000, 2000: 2000, 4800: 4000, 9999: 5000}
    assert [work.deeper(depth) for depth in (1000, 2000, 4000, 5000)] == [2000, 4000, 5000, 0]
    assert work.first_depth(msgspec.structs.replace(spans[9999], origin="labelled")) == 1000


async def test_collected_candles_are_used_and_only_the_rest_is_fetched(stage: Stage) -> None:
    from modules.market import candles as disk
    from modules.strategies.hype.trainer_candles import history

    known = stage.market.table["T01USDT"]
    path = disk.candle_path(stage.paths.market_data, "T01USDT")
    disk.merge(path, known[:1900], NOW)
    found = await history(stage.market, "T01USDT", 1000, NOW, stage.paths.market_data)
    np.testing.assert_allclose(found, known[999:1999])
    assert len(stage.market.calls) == 1
    other = np.array(known[:1900])
    other[:, 1:5] *= 7.0
    path.unlink()
    disk.merge(path, other, NOW)
    found = await history(stage.market, "T01USDT", 1000, NOW, stage.paths.market_data)
    np.testing.assert_allclose(found, known[999:1999]), "a file of another market is not used"


def test_manifests_are_plain_json(tmp_path: Path) -> None:
    modelfiles.save_none(tmp_path, "NEWUSDT", "too young", 5)
    assert json.loads((tmp_path / "NEWUSDT_manifest.json").read_text(encoding="utf-8"))["reason"] == "too young"


async def test_who_asks_for_the_feedback_model_hears_how_far_it_is(stage: Stage) -> None:
    stage.post("feedback", sender="owner")
    async with stage.living():
        await until(lambda: stage.heard())
    said = stage.said()
    assert any("Asked for by owner" in text for text in said)
    assert any("Training: " in text and "Feedback: candles" in text for text in said)


async def test_training_that_keeps_failing_is_an_alert_and_its_end_is_told(stage: Stage) -> None:
    stage.workers.broken = WorkerFailed("no memory")
    async with stage.living() as trainer:
        for number in range(1, 5):
            stage.post("feedback", sender="owner")
            await until(lambda number=number: trainer._failures >= number)  # type: ignore[misc]
        alerts = [notice for _, notice in stage.run.outbox.pending("test") if notice.level == "alert"]
        assert len(alerts) == 1 and "keeps failing: 3 times in a row" in alerts[0].text()
        assert "no memory" in alerts[0].text()
        stage.workers.broken = None
        stage.post("feedback", sender="owner")
        await until(lambda: any("works again" in text for text in stage.said()))


async def test_a_challenger_that_does_not_win_is_told_to_activity(stage: Stage) -> None:
    stays = "the standing model stays, the new one does not beat it."
    stage.workers.answer = Result("feedback", True, stays, stays=True)
    stage.post("feedback", sender="owner")
    async with stage.living():
        await until(lambda: stage.heard())
    assert any(body.get("text") == f"feedback model: {stays}" for body in stage.heard())


async def test_refused_models_are_set_aside_at_the_start_with_an_alert(stage: Stage) -> None:
    for name in ("feedback", "T03USDT", "T04USDT"):
        put(stage.paths.models, name, seed=1)
    for name in ("feedback", "T03USDT"):
        path = modelfiles.part_path(stage.paths.models, name, "model")
        path.write_bytes(path.read_bytes()[:50])
    stage.workers.hold = asyncio.Event()
    async with stage.living():
        await until(lambda: any("set aside" in text for text in stage.said()))
        stage.workers.hold.set()
    assert any("2 model(s) refused" in text and "feedback_model.pkl" in text for text in stage.said())
    assert "T03USDT" in stage.files.pending.load() and "T04USDT" in modelfiles.names(stage.paths.models)
