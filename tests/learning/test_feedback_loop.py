"""From the scanner's judgement to the next training: the same features, the label, the money, the live record."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from modules.exchange.types import Mode
from modules.learning import datasets, modelfiles
from modules.learning.features import CONTEXT, FEATURES, STEP_MS, pack, unpack
from modules.learning.jobs import Result, age_weights
from modules.learning.modelfiles import FEEDBACK, Manifest
from modules.learning.predictor import Judgement, Predictor
from modules.learning.promise import Promise
from modules.learning.settings import LearningSettings
from modules.learning.validation import Interval
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.files import HypeFiles, LearningFiles
from modules.strategies.hype.records import Strategy, Trade
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.hype.trainer_jobs import TrainerJobs
from modules.strategies.hype.trainer_promise import PromiseKeeper
from modules.strategies.hype.trainer_results import GIVE_UP_MS, Results
from tests.hype.test_scanner import STEADY, YES, Bench, Voices
from tests.learning.market import START_MS
from tests.learning.models import put, small_model
from tests.learning.test_labeller import candidate, rising
from tests.learning.venue import MemoryMarket
from utils.paths import Paths

HOUR = 3_600_000
HYPE = HypeSettings()
LEARNING = LearningSettings(false_alarm_days=5)


@pytest.fixture
def files(tmp_path: Path) -> LearningFiles:
    return LearningFiles(Paths(tmp_path).prepare())


class Listening(Voices):
    """Keeps the very figures that the scanner judged by."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(said)
        self.rows: list[list[float]] = []

    def feedback(self, row: Any, context: Any = ()) -> Any:
        self.rows.append([*row, *context])
        return super().feedback(row, context)


async def test_what_the_training_learns_from_is_bit_for_bit_what_the_scanner_judged(tmp_path: Path) -> None:
    voices = Listening({"feedback": YES, "AUSDT": YES})
    bench = await Bench(tmp_path, {"AUSDT": STEADY}, voices).start()
    await bench.scan()
    await bench.scan(30)
    files = LearningFiles(bench.paths)
    [stored] = files.candidates.read()
    [judged] = voices.rows
    values = unpack(stored["features"], FEATURES + CONTEXT)
    assert values is not None
    assert np.array(judged).tobytes() == values.tobytes(), "NaN included"
    files.labeled.append([{**stored, "label": 1, "price_after": "1.0", "growth_pct": 6.0, "labelled_ms": 1}])
    files.results.append([{"id": stored["id"], "net_pct": "1.25", "source": "exits", "known_ms": 2}])
    [row] = TrainerJobs(bench.market, files, LEARNING, HYPE, _never).labelled()
    assert row.features == stored["features"] and row.net_pct == 1.25
    table = datasets._labelled([row])
    assert table[0, : len(judged)].tobytes() == np.array(judged).tobytes()
    assert table[0, len(judged):].tolist() == [1.0, float(stored["market_ms"]), 1.25]


async def _never(job: Any) -> Result:
    raise AssertionError("nothing is trained here")


def labelled(files: LearningFiles, *rows: dict[str, Any]) -> None:
    files.labeled.append([{**row, "label": 1, "price_after": "1", "growth_pct": 1.0, "labelled_ms": 1} for row in rows])


def trade(symbol: str, opened: int, mode: str, pnl: str) -> tuple[Trade, Trade]:
    common: dict[str, Any] = {"position_id": f"{mode}{opened}", "symbol": symbol, "mode": mode, "price": Decimal(1),
                              "quantity": Decimal(50), "strategy": Strategy.SIMPLE, "confidence": 0.9,
                              "opened_ms": opened}
    return (Trade(id=f"b{mode}{opened}", side="BUY", market_ms=opened, quote_usdt=Decimal("49.9"),
                  fee_usdt=Decimal("0.1"), reason="entry", **common),
            Trade(id=f"s{mode}{opened}", side="SELL", market_ms=opened + HOUR, quote_usdt=Decimal(50) + Decimal(pnl),
                  fee_usdt=Decimal("0.1"), reason="stop_loss", pnl_usdt=Decimal(pnl), closes=True, **common))


async def test_a_trade_tells_its_own_result_and_a_refused_candidate_what_the_exits_would_have_made(
        files: LearningFiles) -> None:
    at = START_MS + 40 * STEP_MS
    market = MemoryMarket({"UPUSDT": rising(700, 0.002), "GONEUSDT": rising(50)}, at + 60 * HOUR)
    labelled(files, candidate("UPUSDT", at, verdict="approved"), candidate("UPUSDT", at + 1, verdict="rejected"),
             candidate("UPUSDT", at + 20 * STEP_MS, verdict="approved"), candidate("GONEUSDT", at))
    for mode, pnl in (("TEST", "9"), ("LIVE", "-2.5")):
        HypeFiles(files.paths, Mode[mode]).trades.extend(trade("UPUSDT", at + 30_000, mode, pnl))
    results = Results(files, rules_of(HYPE), 0.2)
    results.look()
    assert await results.write_due(market, market.clock.now_ms()) == 3
    rows = {row["id"]: row for row in files.results.read()}
    assert (rows[f"UPUSDT-{at}"]["source"], float(rows[f"UPUSDT-{at}"]["net_pct"])) == ("LIVE", -5.0)
    would = rows[f"UPUSDT-{at + 1}"]
    assert would["source"] == "exits" and float(would["net_pct"]) > 2.0, "it rose and rose"
    assert rows[f"UPUSDT-{at + 20 * STEP_MS}"]["source"] == "exits", "approved, but not bought"
    assert results.waiting == 1
    asked = len(market.calls)
    assert await results.write_due(market, market.clock.now_ms()) == 0
    assert len(market.calls) == asked, "not asked at once"
    market.hand.ms = at + GIVE_UP_MS + 1
    assert await results.write_due(market, market.clock.now_ms()) == 1 and results.waiting == 0
    assert {row["id"]: row for row in files.results.read()}[f"GONEUSDT-{at}"]["net_pct"] == ""
    again = Results(files, rules_of(HYPE), 0.2)
    again.look()
    assert again.waiting == 0, "after a restart nothing is done twice"


def test_weights_halve_with_age() -> None:
    times = np.array([0.0, 30.0, 60.0]) * 86_400_000
    weights = age_weights(times, 30.0)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[2] / weights[1] == pytest.approx(2.0) and weights[1] / weights[0] == pytest.approx(2.0)
    assert age_weights(np.empty(0), 30.0).shape == (0,)


class Live:
    """Candidates that are judged, labelled and priced, one each six hours."""

    def __init__(self, files: LearningFiles, promised: float = 0.4) -> None:
        self.files = files
        _, card, _ = small_model(1)
        text, saved, scaler = put(files.paths.models, FEEDBACK, seed=1)
        promise = Promise(confidence=0.8, approved=80, precision=Interval(promised + 0.1, promised, promised + 0.2),
                          lift=Interval(0.5, 0.1, 0.9))
        modelfiles.save(files.paths.models, msgspec.structs.replace(saved, promise=promise), text, scaler)
        self.row = self._approved_row()
        self.at = START_MS

    def _approved_row(self) -> str:
        """Features that the model is sure of."""
        predictor, rng = Predictor(self.files.paths.models), np.random.default_rng(1)
        while True:
            values = rng.normal(size=len(FEATURES) + len(CONTEXT))
            row, context = values[: len(FEATURES)].tolist(), values[len(FEATURES):].tolist()
            said = predictor.feedback(row, context)
            assert isinstance(said, Judgement)
            if said.confidence >= 0.9:
                return pack(row, context)

    def pass_by(self, keeper: PromiseKeeper, count: int, label: int, net: float) -> list[Any]:
        changes = []
        for _ in range(count):
            self.at += 6 * HOUR
            row = candidate("UPUSDT", self.at, features=self.row)
            self.files.candidates.append([row])
            changes += keeper.look(self.at + 60_000)
            self.files.labeled.append([{**row, "label": label, "price_after": "1", "growth_pct": 1.0,
                                        "labelled_ms": self.at}])
            self.files.results.append([{"id": row["id"], "net_pct": repr(net), "source": "exits", "known_ms": 1}])
        return changes + keeper.look(self.at + 7 * HOUR)

    def card(self) -> Manifest:
        found = modelfiles.read_manifest(self.files.paths.models, FEEDBACK)
        assert isinstance(found, Manifest)
        return found


def test_a_model_that_breaks_its_promise_is_retired_and_one_that_mends_speaks_again(files: LearningFiles) -> None:
    live = Live(files)
    keeper = PromiseKeeper(files, LEARNING)
    assert live.pass_by(keeper, 10, 1, 1.0) == [] and not live.card().aside
    changes = live.pass_by(keeper, 30, 0, -2.0)
    assert [(change.name, change.speaks) for change in changes] == [(FEEDBACK, False)]
    assert "broke its promise" in live.card().aside and live.card().retired
    jobs = TrainerJobs(MemoryMarket({}, live.at), files, LEARNING, HYPE, _never)
    assert jobs.held(FEEDBACK) == live.card().retired, "a successor is held as well"
    keeper = PromiseKeeper(files, LEARNING)  # a restart forgets nothing
    assert keeper.look(live.at + 7 * HOUR) == [] and live.card().retired
    changes = live.pass_by(keeper, 40, 1, 1.0)
    assert [(change.name, change.speaks) for change in changes] == [(FEEDBACK, True)]
    assert not live.card().aside and jobs.held(FEEDBACK) == ""


def test_a_vote_is_what_the_scanner_heard_and_is_written_before_the_outcome(files: LearningFiles) -> None:
    live = Live(files)
    live.pass_by(PromiseKeeper(files, LEARNING), 2, 1, math.nan)
    first, second = files.votes.read()
    values = unpack(live.row, FEATURES + CONTEXT)
    assert values is not None
    said = Predictor(files.paths.models).feedback(values[: len(FEATURES)].tolist(), values[len(FEATURES):].tolist())
    assert isinstance(said, Judgement)
    assert float(first["confidence"]) == said.confidence and float(first["probability"]) == said.probability
    assert first["approved"] == "1" and first["promised"] == "0.4" and first["id"] != second["id"]
    late = PromiseKeeper(files, LEARNING)
    old = candidate("OLDUSDT", live.at - 50 * HOUR, features=live.row)
    files.candidates.append([old])
    late.look(live.at)
    assert len(files.votes.read()) == 2, "its outcome could be known already: no vote"


def test_a_model_that_stands_aside_promises_nothing(files: LearningFiles) -> None:
    live = Live(files)
    put(files.paths.models, FEEDBACK, seed=1, aside="no edge")
    assert live.pass_by(PromiseKeeper(files, LEARNING), 3, 0, -1.0) == []
    assert files.votes.read() == [] and files.watch.load() == {}
