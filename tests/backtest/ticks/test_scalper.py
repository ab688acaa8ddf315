"""The scalper on a recording made by hand: it enters with the flow, leaves in time, refuses by its codes."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.build import load_tape
from modules.backtest.ticks.scalper_play import assumed, candles_of, play
from modules.backtest.ticks.tape import Tape
from modules.sentiment.board import RECORD
from modules.sentiment.desk import HEAD
from modules.sentiment.mood import Scored
from modules.storage.decisions import line_of
from modules.strategies.hype import exits
from modules.strategies.scalper.reasons import Code
from modules.strategies.scalper.settings import ScalperSettings
from tests.backtest.ticks.frames import T0, depth, snapshot, trade, write

EAGER: dict[str, Any] = {"flow_s": 1, "fast_s": 0.5, "buy_score": 0.3, "cost_factor": 0, "min_trades": 1,
                         "min_speed": 0, "max_spread_bps": 50, "max_volatility_bps": 5000, "min_stop_bps": 300,
                         "max_stop_bps": 300, "hold_s": 1, "flip": False, "cooldown_s": 3600, "cooldown_loss_s": 3600,
                         "wait_s": 0.2, "max_chase_bps": 50, "max_position_usdt": 300.0, "risk_pct": 5}


def leaning(side: int, seconds: int = 5) -> list[dict[str, Any]]:
    """Ten messages and ten trades a second, all of one side, the book ten times as thick there."""
    ours, theirs = ("50.00", "5.00") if side > 0 else ("5.00", "50.00")
    steps: list[dict[str, Any]] = [snapshot(0, 10, [("100.0", "10.00"), ("99.9", "20.00")],
                                            [("100.2", "10.00"), ("100.3", "20.00")])]
    last = 10
    for step in range(seconds * 10):
        ms = 10 + step * 100
        wiggle = f"{float(ours) + step % 3:.2f}" if side > 0 else ours
        other = f"{float(theirs) + step % 3:.2f}" if side < 0 else theirs
        steps += [depth(ms, (last + 1, last + 2, last), [("100.0", wiggle)], [("100.2", other)]),
                  trade(ms + 50, "100.2" if side > 0 else "100.0", "1.00", side < 0)]
        last += 2
    return steps


def played(tmp_path: Path, side: int, **changes: Any) -> tuple[Tape, ar.Arena, Any]:
    tape = load_tape([write(tmp_path / "a.gz", leaning(side))])
    a, counts = ar.arena_of(tape, entry_ns=5_000_000, answer_ns=5_000_000), np.zeros(64, np.int64)
    play(a, tape, ScalperSettings(**{**EAGER, **changes}), 10_000.0, 0.0002, 0.0005, counts)
    return tape, a, counts


@pytest.mark.parametrize("side", [1, -1])
def test_it_enters_with_the_flow_and_leaves_when_time_is_over(tmp_path: Path, side: int) -> None:
    _, a, counts = played(tmp_path, side)
    fills = a.fills[:a.now[ar.FILLS]]
    assert [int(row[ar.F_SIDE]) for row in fills] == [side, -side]
    assert counts[Code.OK] == 1 and counts[Code.FLOW_NOT_WHOLE] > 0 and counts[Code.COOL_DOWN] > 0
    assert int(fills[1][ar.F_NOTE]) == exits.TIME
    assert fills[1][ar.F_NS] - fills[0][ar.F_NS] >= 1_000_000_000
    assert a.now[ar.POSITION] == 0


def test_a_limit_that_nobody_comes_to_is_given_up_where_it_must_not_take(tmp_path: Path) -> None:
    _, a, counts = played(tmp_path, 1, taker=False)
    assert counts[Code.NOT_FILLED] > 0 and a.now[ar.FILLS] == 0


def test_costs_and_weak_scores_refuse(tmp_path: Path) -> None:
    _, a, counts = played(tmp_path, 1, cost_factor=20, take_r=0.1, min_stop_bps=5, max_stop_bps=5)
    assert counts[Code.COST] > 0 and a.now[ar.FILLS] == 0
    _, a, counts = played(tmp_path, 1, buy_score=1.0, w_large=10)
    assert counts[Code.SCORE] > 0 and a.now[ar.FILLS] == 0


def test_candles_of_the_tape_are_whole_minutes_without_a_gap(tmp_path: Path) -> None:
    steps = leaning(1, 1) + [trade(ms, price, "1.00", True) for ms, price in (
        (70_000, "100.5"), (80_000, "99.5"), (200_000, "101.0"), (400_000, "100.0"))]
    opened, rows = candles_of(load_tape([write(tmp_path / "a.gz", steps)]))
    assert set(np.diff(opened).tolist()) == {60_000} and not (opened % 60_000).any()
    assert (rows[:, 0] >= rows[:, 2]).all() and (rows[:, 1] <= rows[:, 2]).all()
    assert rows[0].tolist() == [1005.0, 995.0, 995.0] and rows[1].tolist() == [995.0, 995.0, 995.0]


def recorded(folder: Path, *texts: tuple[int, float]) -> Path:
    """A record of sentiment: (ms after the beginning of the tape, score) of each text about BTCUSDT."""
    folder.mkdir()
    lines = [HEAD, *(msgspec.json.encode(Scored(
        known_ms=T0 + ms, score=score, label="bullish", confidence=1.0, provider="p", source="s", id=str(ms),
        symbols=("BTCUSDT",))) for ms, score in texts)]
    (folder / f"{RECORD}.000001.jsonl").write_bytes(b"".join(map(line_of, lines)))
    return folder


# Nothing is large there: without a mood the score is 0
ONLY_MOOD = {"w_imbalance": 0, "w_micro": 0, "w_ofi": 0, "w_cvd": 0, "w_large": 0.01, "w_sentiment": 1.0}


@pytest.mark.parametrize("side", [1, -1])
def test_sentiment_counts_from_the_moment_at_which_it_was_known(tmp_path: Path, side: int) -> None:
    folder = recorded(tmp_path / "record", (2500, side * 1.0))
    _, a, counts = played(tmp_path, 1, sentiment_record=str(folder), buy_score=0.4, **ONLY_MOOD)
    fills = a.fills[:a.now[ar.FILLS]]
    assert [int(row[ar.F_SIDE]) for row in fills] == [side, -side]
    assert int(fills[0][ar.F_NS]) >= (T0 + 2500) * 1_000_000
    assert counts[Code.SCORE] > 10  # before it nothing spoke


def test_what_became_known_later_or_has_faded_changes_nothing(tmp_path: Path) -> None:
    late = recorded(tmp_path / "late", (60_000, 1.0))
    old = recorded(tmp_path / "old", (-10 * 86_400_000, 1.0))
    for folder in (late, old, tmp_path / "none"):
        _, a, _ = played(tmp_path, 1, sentiment_record=str(folder), buy_score=0.4, **ONLY_MOOD)
        assert a.now[ar.FILLS] == 0, folder.name
    with_text, without = (played(tmp_path, 1, sentiment_record=str(folder))[1] for folder in (old, tmp_path / "none"))
    assert (with_text.fills == without.fills).all()  # a mood that has faded is left out of the weights as well


def test_the_report_says_what_sentiment_there_was(tmp_path: Path) -> None:
    tape = load_tape([write(tmp_path / "a.gz", leaning(1))])
    folder = recorded(tmp_path / "record", (2500, 1.0))
    assert "1 recorded texts" in assumed(tape, ScalperSettings(sentiment_record=str(folder)))[1]
    assert "no record" in assumed(tape, ScalperSettings(sentiment_record=str(tmp_path / "none")))[1]
