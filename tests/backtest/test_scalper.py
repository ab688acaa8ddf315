"""The scalper on candles: its own stop, target and longest hold; nothing from the future; sentiment as it was known."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from modules.backtest import arrays as a
from modules.backtest import scalper
from modules.backtest.frames import Frame
from modules.backtest.pipeline import Chosen, backtest
from modules.backtest.settings import BacktestSettings
from modules.backtest.wishes import Wishes
from modules.sentiment.board import History
from modules.sentiment.mood import Scored
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.scalper import rules
from modules.strategies.scalper.settings import ScalperSettings

BEGIN, STEP = 1_717_977_600_000, 60_000


def frame_of(seed: int = 3, count: int = 700) -> Frame:
    rng = np.random.default_rng(seed)
    close = 60_000 * np.exp(np.cumsum(rng.normal(0, 8e-4, count)))
    opened = np.concatenate(([60_000.0], close[:-1]))
    high, low = np.maximum(opened, close) * 1.0003, np.minimum(opened, close) * 0.9997
    first, top, bottom, last = (np.round(each, 1) for each in (opened, high, low, close))
    return Frame("BTCUSDT", STEP, BEGIN + STEP * np.arange(count), first, top, bottom, last, np.full(count, 50.0))


def groups(tmp_path: Path, **own: object) -> dict[str, BaseModel]:
    made: dict[str, Any] = {"sentiment_record": str(tmp_path / "none"), "buy_score": 0.3, "cost_factor": 0.2, **own}
    return {"scalper": ScalperSettings(**made), "hype": HypeSettings(),
            "backtest": BacktestSettings(fee_pct=0.02, spread_pct=0.01, slippage_pct=0.0)}


def wishes(frame: Frame, tmp_path: Path, **own: object) -> Wishes:
    return scalper.scalper_wishes([frame], groups(tmp_path, **own), Counter())


def test_a_trade_lasts_no_longer_than_the_longest_hold(tmp_path: Path) -> None:
    far = groups(tmp_path, min_stop_bps=1500, max_stop_bps=1500, flip=False, hold_s=180, cooldown_loss_s=0)
    report = backtest([frame_of()], [], Chosen("scalper", far), Counter())
    held = report.trades.closed_ms - report.trades.opened_ms
    assert len(held) > 5
    assert set(held.tolist()) <= {180_000, *held[-1:].tolist()}
    assert report.settings["scalper.hold_s"] == 180


def test_stop_and_target_are_the_rules_own(tmp_path: Path) -> None:
    found = wishes(frame_of(), tmp_path, take_r=2.0)
    away = np.abs(found.price - found.stop)
    assert len(found) > 5
    assert np.abs(found.goal - found.price) == pytest.approx(2 * away)
    assert ((found.goal - found.price) * found.side > 0).all()
    assert {a.LONG, a.SHORT} == set(found.side.tolist())


@pytest.mark.parametrize("cut", [350, 500, 699])
def test_what_comes_later_changes_no_signal(cut: int, tmp_path: Path) -> None:
    whole, part = wishes(frame_of(), tmp_path), wishes(frame_of().rows(slice(0, cut)), tmp_path)
    before = whole.row < cut
    assert len(part) == before.sum() > 0
    for name in ("row", "side", "goal", "stop"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[before])


def test_sentiment_counts_from_the_moment_it_was_known(tmp_path: Path) -> None:
    frame = frame_of()
    known_ms = int(frame.time[400]) + 90_000
    history = History([Scored(known_ms=known_ms, score=1.0, label="positive", confidence=0.9, provider="local",
                              source="test", id="1", symbols=("BTCUSDT",))], 3600.0)
    context = scalper.context_of(frame, ScalperSettings(), history)
    has = context[:, rules.X_HAS_SENTIMENT] > 0
    assert not has[:401].any() and has[401:430].all()
    assert (context[401:430, rules.X_SENTIMENT] > 0).all()


def test_live_context_is_that_of_the_last_candle(tmp_path: Path) -> None:
    from modules.strategies.scalper import indicators
    frame, settings = frame_of(), ScalperSettings()
    every = indicators.parts(frame.high, frame.low, frame.close, settings)
    keep = indicators.warm_up(settings)
    last = indicators.latest(frame.high[-keep:], frame.low[-keep:], frame.close[-keep:], settings)
    assert last == pytest.approx(every[-1], abs=1e-4)


def test_results_go_to_their_file_where_no_other_is_named(tmp_path: Path) -> None:
    from argparse import Namespace

    from modules.backtest.cli import results_of
    from utils.paths import Paths
    plain, named, other = (Namespace(strategy="scalper", out=None), Namespace(strategy="scalper", out=tmp_path / "x"),
                           Namespace(strategy="rsi", out=None))
    for each in (plain, named, other):
        results_of(each, Paths(tmp_path))
    assert (plain.out, named.out, other.out) == (tmp_path / "data" / "results.csv", tmp_path / "x", None)
