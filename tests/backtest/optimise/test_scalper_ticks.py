"""The scalper searched on recorded frames: weights of order flow act, days stay apart, what holds up is loaded."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.settings import load_settings
from modules.backtest.optimise.arena import COUNT, PNL, Segment
from modules.backtest.optimise.scalper_arena import ScalperArena
from modules.backtest.optimise.session import optimise
from modules.backtest.optimise.space import space_of
from modules.backtest.optimize_cli import arguments, wrong
from modules.backtest.settings import BacktestSettings
from modules.backtest.ticks.build import load_tape
from modules.backtest.ticks.settings import TickSettings
from modules.backtest.ticks.tape import TapeError
from modules.storage.settings_versions import Versions
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.scalper.settings import ScalperSettings
from tests.backtest.ticks.frames import depth, snapshot, trade, write
from utils.paths import Paths

DAY = 86_400_000
FIRST = DAY - 1_723_161_255_000 % DAY + 3_600_000  # an hour into the day after T0
#: decides by the volume delta, which misleads in this market; the book's imbalance tells the truth
MISLED: dict[str, Any] = {
    "symbols": ("BTCUSDT",), "flow_s": 1, "fast_s": 0.5, "buy_score": 0.3, "cost_factor": 0, "min_trades": 1,
    "min_speed": 0, "max_spread_bps": 50, "max_volatility_bps": 5000, "min_stop_bps": 100, "max_stop_bps": 100,
    "take_r": 1.0, "hold_s": 4, "flip": False, "cooldown_s": 60, "cooldown_loss_s": 60, "wait_s": 0.2,
    "max_chase_bps": 50, "max_position_usdt": 300.0, "risk_pct": 5, "w_imbalance": 0.0, "w_micro": 0, "w_ofi": 0,
    "w_large": 0, "w_cvd": 1.0, "w_rsi": 0, "w_macd": 0, "w_bollinger": 0, "w_sentiment": 0}


def market(days: int, episodes: int = 3) -> list[dict[str, Any]]:
    """Some moves a day: for 1.6 s the book leans to where the price is about to go, the trades go the other way."""
    steps = [snapshot(FIRST - 1000, 10, [("100.0", "10.00"), ("99.9", "20.00")],
                      [("100.1", "10.00"), ("104.0", "9.00")])]
    last = 10

    def change(ms: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
        nonlocal last
        steps.append(depth(ms, (last + 1, last + 2, last), bids, asks))
        last += 2

    for number in range(days * episodes):
        ms = FIRST + number // episodes * DAY + number % episodes * 7_200_000
        up = number % 2 == 0
        for step in range(16):
            wiggle = 50 + step % 3 + number % 5
            change(ms + step * 100, [("100.0", f"{wiggle}.00" if up else "5.00")],
                   [("100.1", "5.00" if up else f"{wiggle}.00")])
            steps.append(trade(ms + step * 100 + 40, "100.0" if up else "100.1", "1.00", up))
        change(ms + 1700, [("102.0", "9.00")] if up else [("100.0", "0"), ("99.9", "0"), ("98.0", "20.00")],
               [("100.1", "0"), ("102.1", "9.00")] if up else [("98.1", "9.00")])
        change(ms + 2500, [("102.0", "9.50")] if up else [("98.0", "9.50")], [])
        change(ms + 60_000, [("102.0", "0"), ("98.0", "0"), ("100.0", "10.00"), ("99.9", "20.00")],
               [("98.1", "0"), ("102.1", "0"), ("100.1", "10.00")])
        steps.append(trade(ms + 60_100, "100.0", "1.00", True))
    return steps


def base() -> dict[str, Any]:
    return {"scalper": ScalperSettings(**MISLED), "ticks": TickSettings()}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("frames") / "a.gz", market(7))


def test_flow_is_searched_on_frames_and_not_on_candles() -> None:
    groups = {"scalper": ScalperSettings(), "backtest": BacktestSettings(), "hype": HypeSettings()}
    on_candles, on_frames = ({one.name for one in space_of(groups, [], {}, ticks)} for ticks in (False, True))
    flow = {"scalper.w_imbalance", "scalper.w_micro", "scalper.w_ofi", "scalper.w_cvd", "scalper.w_large",
            "scalper.buy_score", "scalper.min_speed"}
    assert flow <= on_frames and not flow & on_candles and on_candles < on_frames


def test_weights_act_and_each_day_stands_for_itself(frames: Path) -> None:
    arena = ScalperArena([load_tape([frames])], base())
    parts = [Segment(0, 2), Segment(2, 4)]
    misled, led = arena.trials([{}, {"scalper.w_cvd": 0.0, "scalper.w_imbalance": 1.0}], parts)
    assert not isinstance(misled, str) and not isinstance(led, str)
    assert misled[:4, COUNT].sum() >= 6 and led[:4, COUNT].sum() >= 6
    assert misled[:4, PNL].sum() < 0 < led[:4, PNL].sum()
    assert np.isnan(led[4:]).all()
    [alone] = arena.trials([{"scalper.w_cvd": 0.0, "scalper.w_imbalance": 1.0}], parts[:1])
    assert not isinstance(alone, str) and (alone[:2] == led[:2]).all()  # later days change nothing of earlier ones


def test_settings_that_cannot_be_are_told(frames: Path) -> None:
    arena = ScalperArena([load_tape([frames])], base())
    [told] = arena.trials([{"scalper.w_cvd": 0.0}], [Segment(0, 1)])
    assert isinstance(told, str) and "without looking at the book" in told


def test_what_held_up_is_kept_applied_and_loaded_by_the_next_start(frames: Path, tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path).prepare()
    (paths.config / "config.yaml").write_text(json.dumps({"scalper": MISLED, "compute": {"jobs": 1}}), "utf-8")
    settings = load_settings(paths)
    chosen = arguments().parse_args([
        "scalper", "--ticks", str(frames), "--space", "w_imbalance=0,4", "--grid", "--folds", "1", "--min-trades", "1",
        "--json", "--apply"])
    assert not wrong(chosen)
    found = json.loads(optimise(chosen, settings, paths))
    assert found["held_up"] and found["applied"], found["reasons"]
    assert found["changed"] == {"scalper.w_imbalance": [0.0, 4]}
    assert Versions(paths).applied().versions == {"scalper": found["version"]}
    assert load_settings(paths).scalper.w_imbalance == 4.0  # what a process reads that starts now


@pytest.mark.parametrize(("argv", "word"), [
    (["scalper", "--ticks", "x.gz", "--candles", "y"], "--candles"), (["scalper", "--top", "3"], "--top"),
    (["scalper", "--ticks", "--since", "2026-01-01"], "--since"), (["rsi", "--ticks", "x.gz"], "--ticks")])
def test_arguments_that_do_not_go_together_are_refused(argv: list[str], word: str) -> None:
    chosen: argparse.Namespace = arguments().parse_args(argv)
    assert wrong(chosen).startswith(word)


def test_frames_without_the_contract_are_refused_by_name(frames: Path, tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    chosen = arguments().parse_args(["scalper", "--ticks", str(frames), "--symbols", "NOPEUSDT"])
    with pytest.raises(TapeError, match="NOPEUSDT: the files hold no trade"):
        optimise(chosen, load_settings(paths), paths)
