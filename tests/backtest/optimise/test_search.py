"""The whole search: an edge is found and kept, noise is not, a kill loses nothing, several objectives make a front."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modules.backtest.frames import Frame
from modules.backtest.optimise import search as search_module
from modules.backtest.optimise.arena import Arena
from modules.backtest.optimise.folds import FoldError, folds_of
from modules.backtest.optimise.journal import RANDOM, TPE, Study, StudyError
from modules.backtest.optimise.search import Found, Task, run_search
from modules.backtest.optimise.session import other_searches
from modules.backtest.optimise.space import space_of
from modules.backtest.optimise.verdict import Verdict, judge, text_of
from modules.backtest.settings import BacktestSettings, RsiSettings
from modules.strategies.hype.settings import HypeSettings
from tests.backtest.candles import frame, table, write_csv
from utils.compute import ComputeSettings, Crew
from utils.paths import PROJECT

DAY = 288
ASKED = ["rsi_period=4:12:4", "rsi_buy=20:40:10", "target_pct=0.5:2.5:1", "stop_pct=1:3:1"]


def market(seed: int, days: int, edge: bool) -> Frame:
    """A token that walks; with an edge, a fall of twelve candles is always followed by a rise of the same height."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0, 0.0012, days * DAY)
    if edge:
        for begin in range(40, len(moves) - 60, 72):
            moves[begin:begin + 12] -= 0.003
            moves[begin + 13:begin + 25] += 0.003
    close = np.exp(np.cumsum(moves - moves.mean()))
    rows = table(seed, len(close))
    opened = np.concatenate(([1.0], close[:-1]))
    rows[:, 1:5] = np.round(np.column_stack((opened, np.maximum(opened, close) * 1.0002,
                                             np.minimum(opened, close) * 0.9998, close)), 6)
    rows[:, 5] = 1e6
    return frame("WALKUSDT", rows)


def arena_of(seed: int, days: int, edge: bool) -> Arena:
    """RSI with little cost; the present settings hardly trade."""
    costs = BacktestSettings(fee_pct=0.02, spread_pct=0.0, slippage_pct=0.0, impact_pct=0.0)
    rules = RsiSettings(rsi_period=14, rsi_buy=8.0, target_pct=0.2, stop_pct=0.2)
    return Arena("rsi", [market(seed, days, edge)], {"rsi": rules, "hype": HypeSettings(), "backtest": costs})


def searched(folder: Path, arena: Arena, trials: int = 60, stage1: float = 1.0, grid: bool = False,
             objectives: tuple[str, ...] = ("net",), min_trades: int = 10) -> tuple[Found, Task, Verdict]:
    """A search in this process."""
    task = Task(space_of(arena.base, ASKED, {}), folds_of(arena.days, 3, 0.4, "anchored"), objectives, trials, stage1,
                grid, min_trades, 0.0, 1)
    study = Study.opened(folder, {"test": 1})
    with Crew(ComputeSettings(jobs=1)) as crew:
        found = run_search(arena, task, study, crew, lambda *_: None)
    return found, task, judge(found, task, arena.start_usdt())


def test_a_planted_edge_is_found_and_held_up(tmp_path: Path) -> None:
    found, task, verdict = searched(tmp_path, arena_of(1, 50, edge=True))
    assert verdict.held_up, verdict.reasons
    assert verdict.difference.low > 0 and verdict.chance_p <= 0.01 and verdict.chance_of_nothing_p <= 0.05
    assert verdict.candidate and len(verdict.folds) == 3
    told = text_of(verdict, {"rsi.rsi_buy": [8.0, verdict.candidate["rsi.rsi_buy"]]}, 1.0, [])
    assert "Held up out of sample" in told and "rsi.rsi_buy: 8.0 →" in told


@pytest.mark.parametrize("seed", range(3))
def test_on_a_pure_walk_nothing_is_kept(tmp_path: Path, seed: int) -> None:
    _, _, verdict = searched(tmp_path, arena_of(seed + 10, 50, edge=False))
    assert not verdict.held_up
    assert "Nothing is kept" in text_of(verdict, {}, 1.0, [])


def test_a_winner_is_chosen_before_its_days_are_seen(tmp_path: Path) -> None:
    whole = arena_of(2, 40, edge=True)
    found, task, _ = searched(tmp_path / "a", whole)
    cut = task.folds.segments[-1].begin
    other = market(99, 40, edge=False)
    mixed = {name: np.concatenate((getattr(whole.frames[0], name)[:cut * DAY], getattr(other, name)[cut * DAY:]))
             for name in ("open", "high", "low", "close", "volume")}
    changed = Arena("rsi", [Frame("WALKUSDT", 300_000, other.time, **mixed)], whole.base)
    again, _, _ = searched(tmp_path / "b", changed)
    assert [each.values for each in found.winners] == [each.values for each in again.winners]
    assert not np.array_equal(found.winners[-1].table[cut:], again.winners[-1].table[cut:])  # type: ignore[index]


def test_no_trade_at_all_is_said(tmp_path: Path) -> None:
    _, _, verdict = searched(tmp_path, arena_of(3, 30, edge=False), min_trades=100_000)
    assert verdict.reasons == ["no trial was within the limits (least trades, drawdown)"]


def test_several_objectives_have_a_front(tmp_path: Path) -> None:
    _, _, verdict = searched(tmp_path, arena_of(1, 40, edge=True), objectives=("net", "drawdown"))
    assert verdict.front and {"net", "drawdown", "settings"} == set(verdict.front[0])
    nets = [each["net"] for each in verdict.front]
    falls = [each["drawdown"] for each in verdict.front]
    assert nets == sorted(nets, reverse=True) and falls == sorted(falls)


def test_a_grid_tries_every_combination_once(tmp_path: Path) -> None:
    found, _, _ = searched(tmp_path, arena_of(1, 30, edge=True), trials=500, grid=True)
    assert len(found.trials) == 3 * 3 * 3 * 3 == len({json.dumps(each.values) for each in found.trials})


@pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="an optional extra")
def test_the_second_stage_learns_from_the_first_and_never_from_the_future(tmp_path: Path) -> None:
    found, task, _ = searched(tmp_path, arena_of(1, 40, edge=True), trials=48, stage1=0.5)
    assert found.tpe_used
    second = [each for each in found.trials if each.stage == TPE]
    assert len(second) == 24 and {each.fold for each in second} == {1, 2, 3}
    for each in second:
        assert each.table is not None
        assert np.isnan(each.table[task.folds.judge(each.fold)]).all()  # the days that judge were never run

    def mean(stage: str) -> float:
        return float(np.mean([np.nansum(each.table[task.folds.fit(1), 0]) for each in found.trials  # type: ignore[index]
                              if each.stage == stage]))
    assert mean(TPE) > mean(RANDOM)


def test_without_optuna_all_trials_are_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module.tpe, "present", lambda: False)
    found, _, _ = searched(tmp_path, arena_of(1, 30, edge=True), trials=30, stage1=0.5)
    assert not found.tpe_used and len(found.trials) == 30 and {each.stage for each in found.trials} == {RANDOM}


def test_a_study_that_was_torn_goes_on_with_the_same_result(tmp_path: Path) -> None:
    arena = arena_of(1, 30, edge=True)
    whole, _, _ = searched(tmp_path / "whole", arena, trials=40)
    lines = (tmp_path / "whole" / "trials.jsonl").read_bytes()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "study.json").write_bytes((tmp_path / "whole" / "study.json").read_bytes())
    (tmp_path / "torn" / "trials.jsonl").write_bytes(lines[:len(lines) // 2])
    torn, _, _ = searched(tmp_path / "torn", arena, trials=40)
    assert [each.values for each in torn.winners] == [each.values for each in whole.winners]
    assert len(torn.trials) == 40
    for one, two in zip(whole.winners, torn.winners, strict=True):
        np.testing.assert_array_equal(one.table, two.table)


def test_another_question_is_another_study(tmp_path: Path) -> None:
    Study.opened(tmp_path, {"folds": 4, "seed": 1})
    with pytest.raises(StudyError, match="folds was 4, is 5"):
        Study.opened(tmp_path, {"folds": 5, "seed": 1})
    assert Study.opened(tmp_path, {"folds": 5, "seed": 1}, again=True).trials == []


def test_other_searches_on_the_same_candles_are_counted(tmp_path: Path) -> None:
    question = {"strategy": "rsi", "candles": "abc", "seed": 1}
    for name, other in (("mine", {}), ("second", {"seed": 2}), ("foreign", {"candles": "x"}),
                        ("hype", {"strategy": "h"})):
        Study.opened(tmp_path / name, question | other)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "study.json").write_text("{")
    assert other_searches(tmp_path, "mine", question) == 1


def test_too_few_days_say_how_many_are_needed() -> None:
    with pytest.raises(FoldError, match="span 10 days; 4 folds need 2"):
        folds_of(10, 4, 0.4, "anchored")
    folds = folds_of(100, 4, 0.4, "rolling")
    assert [folds.judge(fold) for fold in range(1, 5)] == [slice(40, 55), slice(55, 70), slice(70, 85), slice(85, 100)]
    assert folds.fit(3) == slice(30, 70)
    assert folds_of(100, 4, 0.4, "anchored").fit(3) == slice(0, 70)


def command(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    """bot.py optimize as a user starts it."""
    environment = {**os.environ, "COXSWAIN_HOME": str(home), "COMPUTE_JOBS": "1"}
    return subprocess.Popen([sys.executable, str(PROJECT / "bot.py"), "optimize", *arguments], text=True,
                            env=environment, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_killed_in_the_middle_it_goes_on_by_the_same_command(tmp_path: Path, compiled_cache: Path,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(compiled_cache))
    candles = write_csv(tmp_path / "WALKUSDT.csv", table(4, 20 * DAY, price=2.0))
    line = ["rsi", "--candles", str(candles), "--trials", "600", "--stage1", "1", "--folds", "2", "--min-trades", "1",
            "--name", "kill", "--json", "--progress"]
    first = command(tmp_path, *line)
    assert first.stderr is not None
    for text in first.stderr:
        if text.startswith("progress ") and 0 < json.loads(text[9:])["share"] < 1:
            break
    first.send_signal(signal.SIGKILL)
    first.communicate()
    kept = (tmp_path / "data" / "studies" / "kill" / "trials.jsonl").read_bytes().count(b"\n")
    assert 2 <= kept < 601
    second = command(tmp_path, *line)
    out, err = second.communicate(timeout=100)
    assert second.returncode == 0, err
    told = json.loads(out)
    assert told["asked"] == 600 and told["study"] == "kill"
    assert told["trials"] == 600  # each has its result, those of before the kill among them
    lines = (tmp_path / "data" / "studies" / "kill" / "trials.jsonl").read_bytes().splitlines()
    numbers = [json.loads(line)["number"] for line in lines if b'"random"' in line]
    assert sorted(numbers) == list(range(600))
