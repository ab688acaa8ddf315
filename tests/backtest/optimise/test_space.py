"""The search space: declarations, the command line, and what is refused."""

import numpy as np
import pytest

from modules.backtest.optimise.reads import Remembered
from modules.backtest.optimise.space import Parameter, SpaceError, fixed_of, grid_of, space_of, spread_of, with_values
from modules.backtest.settings import BacktestSettings, RsiSettings
from modules.strategies.hype.settings import HypeSettings

RSI = {"rsi": RsiSettings(), "hype": HypeSettings(), "backtest": BacktestSettings()}
HYPE = {"hype": HypeSettings(), "backtest": BacktestSettings()}


def test_without_a_wish_the_declared_settings_are_searched() -> None:
    names = {each.name for each in space_of(HYPE, [], {})}
    assert {"hype.trail_fall_pct", "hype.growth_1h_pct", "hype.tp_preset", "hype.breakeven_after_tp1"} <= names
    assert not any(name.startswith("backtest.") for name in names)
    assert not any("usdt" in name or "exposure" in name for name in names)


def test_every_declared_range_is_one_that_its_setting_takes() -> None:
    for groups in (HYPE, RSI):
        for parameter in space_of(groups, [], {}):
            for place in (0.0, 0.5, 0.999999):
                with_values(groups, {parameter.name: parameter.at(place)})


@pytest.mark.parametrize(("text", "values"), [
    ("rsi_period=5:20:5", [5, 10, 15, 20]),
    ("rsi.target_pct=0.5:2:0.5", [0.5, 1.0, 1.5, 2.0]),
    ("hype.breakeven_after_tp1=true,false", [True, False]),
    ("tp_preset", ["seed", "gain"]),
    ("rsi_period=5:8", [5, 6, 7, 8]),
])
def test_ranges_of_the_command_line(text: str, values: list[object]) -> None:
    [parameter] = space_of(RSI, [text], {})
    assert parameter.values() == values
    assert {parameter.at(place) for place in np.linspace(0, 0.9999, 200)} == set(values)


@pytest.mark.parametrize(("text", "says"), [
    ("rsi_perod=5:20", "Near to it: rsi.rsi_period"),
    ("rsi_period=20:5", "the range is empty"),
    ("rsi_period=5:5", "the range is empty"),
    ("rsi_period=1:20", "must be at least 2"),
    ("rsi_period=5.5:20", "whole number|valid integer"),
    ("rsi_period=5:20:0", "a step must lie above 0"),
    ("rsi_period=5:20:99", "a step must lie above 0"),
    ("rsi_period=a:b", "no number"),
    ("rsi_period=5", "write rsi.rsi_period=low:high"),
    ("backtest.fee_pct=0:1", "costs and assumptions are not searched"),
    ("target_pct=0:4:log", "with log the range must lie above 0"),
    ("target_pct=nan:4", "the range is empty"),
    ("tp_preset=seed", "two values"),
    ("tp_preset=seed,best", "must be"),
    ("exit_levels", "neither a number nor a choice"),
    ("min_quote_volume", "has no range of its own"),
])
def test_what_cannot_be_searched_is_named(text: str, says: str) -> None:
    with pytest.raises(SpaceError, match=says):
        space_of(RSI, [text], {})


def test_fixed_settings_leave_the_space() -> None:
    fixed = fixed_of(RSI, ["rsi_period=9"])
    assert fixed == {"rsi.rsi_period": 9}
    assert "rsi.rsi_period" not in {each.name for each in space_of(RSI, [], fixed)}
    with pytest.raises(SpaceError, match="fixed by --fix as well"):
        space_of(RSI, ["rsi_period=5:9"], fixed)
    with pytest.raises(SpaceError, match="rsi_period"):
        fixed_of(RSI, ["rsi_period=1"])


def test_a_spread_is_even_and_always_the_same() -> None:
    space = [Parameter("rsi.target_pct", 0.3, 10, log=True), Parameter("rsi.rsi_period", 3, 50, whole=True)]
    one, two = spread_of(space, 256, 3), spread_of(space, 256, 3)
    assert one == two != spread_of(space, 256, 4)
    logs = np.log([float(each["rsi.target_pct"]) for each in one])
    halves, _ = np.histogram(logs, 8, (np.log(0.3), np.log(10)))
    assert halves.min() >= 28 and halves.max() <= 36


def test_a_grid_has_every_combination_and_needs_steps() -> None:
    grid = grid_of(space_of(RSI, ["rsi_period=5:10:5", "tp_preset"], {}))
    assert len(grid) == 4 and {"rsi.rsi_period": 10, "hype.tp_preset": "gain"} in grid
    with pytest.raises(SpaceError, match="a grid needs steps"):
        grid_of(space_of(RSI, ["target_pct=1:2"], {}))


def test_a_result_serves_every_trial_that_reads_the_same() -> None:
    asked: list[int] = []

    def work(groups: object) -> float:
        asked.append(1)
        rsi = groups["rsi"]  # type: ignore[index]
        return rsi.rsi_buy * (rsi.rsi_sell if rsi.rsi_period > 10 else 1.0)

    remembered = Remembered(work)
    assert remembered(with_values(RSI, {"rsi.rsi_period": 5})) == 30.0
    assert remembered(with_values(RSI, {"rsi.rsi_period": 5, "rsi.rsi_sell": 80.0})) == 30.0  # was never read
    assert len(asked) == 1
    assert remembered(with_values(RSI, {"rsi.rsi_period": 20, "rsi.rsi_sell": 80.0})) == 2400.0
    assert remembered(with_values(RSI, {"rsi.rsi_period": 20, "rsi.rsi_sell": 70.0})) == 2100.0  # now it was
    assert len(asked) == 3


def test_a_copy_of_all_settings_counts_as_reading_all() -> None:
    remembered = Remembered(lambda groups: groups["rsi"].model_dump())
    first = remembered(RSI)
    assert remembered(with_values(RSI, {"rsi.stop_pct": 9.0})) != first
