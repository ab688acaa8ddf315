"""Candidates get their label when their time has come; what candles do not tell stays without one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.learning.features import STEP_MS
from modules.learning.labels import Rule
from modules.strategies.hype import labels as labels_module
from modules.strategies.hype.files import LearningFiles
from modules.strategies.hype.labels import CandidateTail, Labeller
from tests.learning.market import START_MS, candles_of
from tests.learning.venue import MemoryMarket
from utils.paths import Paths

HOURS_6 = 6 * 3_600_000
RULE = Rule(HOURS_6, 5.0)


def candidate(symbol: str, at: int, price: float = 100.0, verdict: str = "rejected", **changes: Any) -> dict[str, Any]:
    row = {"id": f"{symbol}-{at}", "symbol": symbol, "strategy": "simple", "market_ms": at, "price": repr(price),
           "verdict": verdict, "codes": "feedback_no", "probability": None, "confidence": 0.5, "features": "{}"}
    return {**row, **changes}


def rising(count: int = 400, growth: float = 0.001) -> np.ndarray:
    return candles_of(100.0 * (1 + growth) ** np.arange(count, dtype=np.float64), np.full(count, 10.0))


@pytest.fixture
def files(tmp_path: Path) -> LearningFiles:
    return LearningFiles(Paths(tmp_path).prepare())


@pytest.fixture
def market() -> MemoryMarket:
    table = {"UPUSDT": rising(), "FLATUSDT": rising(growth=0.0)}
    return MemoryMarket(table, START_MS + 200 * STEP_MS)


async def labelled(files: LearningFiles, market: MemoryMarket, labeller: Labeller | None = None) -> Any:
    labeller = labeller or Labeller(files, RULE)
    labeller.look()
    return await labeller.label_due(market, market.clock.now_ms())


async def test_due_candidates_are_labelled_trades_and_refused_alike(files: LearningFiles, market: MemoryMarket) -> None:
    files.candidates.append([
        candidate("UPUSDT", START_MS, 100.0), candidate("FLATUSDT", START_MS, 100.0),
        candidate("UPUSDT", START_MS + 20 * STEP_MS, 102.0, verdict="approved"),
    ])
    outcome = await labelled(files, market)
    assert (outcome.labelled, outcome.grown, dict(outcome.unlabelled)) == (3, 2, {})
    rows = {row["id"]: row for row in files.labeled.read()}
    assert [row["label"] for row in rows.values()].count("1") == 2
    assert rows[f"FLATUSDT-{START_MS}"]["label"] == "0"
    up = rows[f"UPUSDT-{START_MS}"]
    assert float(up["price_after"]) == market.table["UPUSDT"][72, 1]
    assert float(up["growth_pct"]) == pytest.approx(float(up["price_after"]) - 100.0, abs=1e-3)
    assert files.pending.load() == {"UPUSDT": "grew by the label: train it anew"}


async def test_nothing_is_labelled_before_its_time_or_twice(files: LearningFiles, market: MemoryMarket) -> None:
    files.candidates.append([candidate("UPUSDT", START_MS)])
    labeller = Labeller(files, RULE)
    market.hand.ms = START_MS + HOURS_6 + STEP_MS - 1
    assert (await labelled(files, market, labeller)).labelled == 0 and labeller.waiting == 1 and not market.calls
    market.hand.ms += 1
    assert (await labelled(files, market, labeller)).labelled == 1
    assert (await labelled(files, market, labeller)).labelled == 0
    assert (await labelled(files, market)).labelled == 0, "not after a restart either"
    assert len(files.labeled.read()) == 1


async def test_near_candidates_share_one_request(files: LearningFiles, market: MemoryMarket) -> None:
    files.candidates.append([candidate("UPUSDT", START_MS + i * STEP_MS) for i in range(30)])
    assert (await labelled(files, market)).labelled == 30
    assert len(market.calls) == 1


async def test_what_candles_do_not_tell_stays_without_a_label(files: LearningFiles, market: MemoryMarket) -> None:
    market.table["HOLEUSDT"] = np.delete(rising(), np.s_[60:90], 0)
    market.table["GONEUSDT"] = rising()[:50]
    names = ("HOLEUSDT", "GONEUSDT", "NOTUSDT", "UPUSDT")
    files.candidates.append([candidate(symbol, START_MS) for symbol in names])
    labeller = Labeller(files, RULE)
    outcome = await labelled(files, market, labeller)
    assert outcome.labelled == 1 and sum(outcome.unlabelled.values()) == 3
    assert [row["symbol"] for row in files.labeled.read()] == ["UPUSDT"]
    assert labeller.waiting == 1, "no answer is asked for again; an answer without the candle hours later is final"
    market.hand.ms = START_MS + HOURS_6 + labels_module.GIVE_UP_MS + STEP_MS
    await labelled(files, market, labeller)
    assert labeller.waiting == 0, "given up a day later"


async def test_a_candle_that_is_late_is_waited_for(files: LearningFiles, market: MemoryMarket) -> None:
    whole = market.table["UPUSDT"]
    market.table["UPUSDT"] = whole[:72]
    files.candidates.append([candidate("UPUSDT", START_MS)])
    labeller = Labeller(files, RULE)
    market.hand.ms = START_MS + HOURS_6 + 2 * STEP_MS
    assert (await labelled(files, market, labeller)).labelled == 0 and labeller.waiting == 1
    market.table["UPUSDT"] = whole
    assert (await labelled(files, market, labeller)).labelled == 1


async def test_an_exchange_that_is_away_is_left_alone(files: LearningFiles, market: MemoryMarket) -> None:
    files.candidates.append([candidate(f"T{i}USDT", START_MS) for i in range(20)])
    market.away = True
    outcome = await labelled(files, market)
    assert outcome.labelled == 0 and len(market.calls) == labels_module.SILENT


async def test_any_time_within_is_a_setting(files: LearningFiles, market: MemoryMarket) -> None:
    market.table["FLATUSDT"][30, 2] = 106.0
    files.candidates.append([candidate("FLATUSDT", START_MS)])
    outcome = await labelled(files, market, Labeller(files, Rule(HOURS_6, 5.0, any_time=True)))
    assert outcome.grown == 1


async def test_rows_that_make_no_sense_are_passed_over(files: LearningFiles, market: MemoryMarket) -> None:
    files.candidates.append([candidate("UPUSDT", START_MS, 0.0), candidate("UPUSDT", START_MS + 1, float("nan")),
                             candidate("UPUSDT", START_MS + 2)])
    assert (await labelled(files, market)).labelled == 1


def test_the_tail_reads_only_what_is_new(files: LearningFiles) -> None:
    tail = CandidateTail(files.candidates.path)
    assert tail.read() == []
    files.candidates.append([candidate("AUSDT", 1)])
    assert [row["symbol"] for row in tail.read()] == ["AUSDT"]
    assert tail.read() == []
    files.candidates.append([candidate("BUSDT", 2), candidate("CUSDT", 3)])
    assert [row["symbol"] for row in tail.read()] == ["BUSDT", "CUSDT"]
    files.candidates.replace([candidate("DUSDT", 4)])
    assert [row["symbol"] for row in tail.read()] == ["DUSDT"], "cleaned up: from the beginning"
    files.candidates.path.unlink()
    assert tail.read() == []


def test_a_row_being_written_waits(files: LearningFiles) -> None:
    files.candidates.append([candidate("AUSDT", 1)])
    whole = files.candidates.path.read_bytes()
    tail = CandidateTail(files.candidates.path)
    files.candidates.path.write_bytes(whole + b"BUSDT-2,BUS")
    assert [row["symbol"] for row in tail.read()] == ["AUSDT"]
    files.candidates.append([candidate("CUSDT", 3)])  # mends the torn row
    assert [row["symbol"] for row in tail.read()][-1] == "CUSDT"
