"""The chance test: noise is found out at the stated rate, an edge is seen, however many trials there were."""

import numpy as np
import pytest

from modules.backtest.optimise.arena import COUNT, PCT, PNL
from modules.backtest.optimise.chance import drawn, paired, reality_check
from modules.backtest.optimise.scores import OBJECTIVES, best, drawdown_pct, front

RUNS = 120


def noise(rng: np.random.Generator, trials: int, days: int) -> np.ndarray:
    """Daily results of trials that share half of what moves them, with fat tails; none has an edge."""
    shared = rng.standard_t(4, days)
    return shared + rng.standard_t(4, (trials, days))


@pytest.mark.parametrize("trials", [5, 60])
def test_on_noise_the_best_trial_is_called_better_about_as_often_as_said(trials: int) -> None:
    rng = np.random.default_rng(17)
    found = 0
    for run in range(RUNS):
        days = noise(rng, trials + 1, 120)
        found += reality_check(days[1:], days[0], seed=run, runs=200) <= 0.05
    assert 0.01 * RUNS <= found <= 0.11 * RUNS


def test_without_the_correction_noise_would_pass_many_times_too_often() -> None:
    rng = np.random.default_rng(4)
    naive = 0
    for _ in range(100):
        days = noise(rng, 61, 150)
        excess = days[1:] - days[0]
        t = excess.mean(axis=1) / (excess.std(axis=1) / np.sqrt(150))
        naive += t.max() > 1.645
    assert naive > 30


def test_an_edge_among_many_trials_is_seen() -> None:
    rng = np.random.default_rng(9)
    days = noise(rng, 61, 150)
    days[30] += 1.0
    assert reality_check(days[1:], days[0], runs=500) <= 0.01


def test_no_trials_or_trials_like_the_benchmark_are_no_better() -> None:
    benchmark = np.random.default_rng(1).normal(size=50)
    assert reality_check(np.zeros((0, 50)), benchmark) == 1.0
    assert reality_check(np.stack([benchmark, benchmark]), benchmark) == 1.0


def test_days_are_drawn_in_runs_of_neighbours() -> None:
    places = drawn(200, 300, np.random.default_rng(2))
    assert places.shape == (300, 200) and places.min() >= 0 and places.max() < 200
    follows = ((places[:, 1:] - places[:, :-1]) % 200 == 1).mean()
    assert 0.70 < follows < 0.80  # three of four days follow the one before: runs of four
    assert np.bincount(places.ravel(), minlength=200).std() / 300 < 0.1


def table(pnl: np.ndarray) -> np.ndarray:
    """A table of days with one trade a day."""
    made = np.zeros((len(pnl), 5))
    made[:, PNL], made[:, COUNT], made[:, PCT] = pnl, 1, pnl
    return made


def test_the_paired_interval_holds_the_difference_and_sees_pairs() -> None:
    rng = np.random.default_rng(3)
    market = rng.normal(0, 10, 120)
    mine, other = table(market + 0.5 + rng.normal(0, 0.5, 120)), table(market)
    told = paired(mine, other, lambda days: OBJECTIVES["net_per_trade"](days, 1000.0))
    assert told.low < told.value < told.high and told.low > 0  # days of ±10 cancel, because they are the same days
    assert paired(other, mine, lambda days: OBJECTIVES["net"](days, 1000.0)).high < 0


def test_objectives_by_hand() -> None:
    made = table(np.array([10.0, -20.0, 30.0, 0.0]))
    made[:, 4] = np.maximum(made[:, PNL], 0)
    assert float(OBJECTIVES["net"](made, 1000.0)) == 20.0
    assert float(OBJECTIVES["net_per_trade"](made, 1000.0)) == 5.0
    assert float(OBJECTIVES["profit_factor"](made, 1000.0)) == 2.0
    assert float(drawdown_pct(made, 1000.0)) == pytest.approx(20 / 1010 * 100)
    assert float(OBJECTIVES["drawdown"](made, 1000.0)) == pytest.approx(-20 / 1010 * 100)
    daily = made[:, PNL] / 1000
    assert float(OBJECTIVES["sharpe"](made, 1000.0)) == pytest.approx(daily.mean() / daily.std() * np.sqrt(365))
    nothing = np.zeros((4, 5))
    assert all(float(score(nothing, 1000.0)) == 0.0 for score in OBJECTIVES.values())


def test_the_front_is_what_nothing_beats() -> None:
    values = np.array([[1.0, 5.0], [2.0, 4.0], [1.5, 3.0], [3.0, 1.0], [0.0, 0.0]])
    assert front(values) == [0, 1, 3]
    assert best(values) in front(values)
    assert best(values[:, :1]) == 3
