"""Trials of the grid: equity day by day, segments of their own, the worst case as a limit, the command to a version."""

import numpy as np
import pytest

from modules.backtest.frames import Frame
from modules.backtest.grid_cli import past_of
from modules.backtest.optimise.arena import COUNT, PNL, Segment
from modules.backtest.optimise.grid_arena import GridArena
from modules.strategies.grid.past import Costs, run_past
from modules.strategies.grid.settings import GridSettings

HOUR, DAYS = 3_600_000, 24
OWN = GridSettings(timeframe="1H", paper_usdt=10_000)


@pytest.fixture(scope="module")
def frame() -> Frame:
    """Hours of some weeks that swing by three percent."""
    at = np.arange(DAYS * 24)
    price = np.round(60_000 * (1 + 0.03 * np.sin(at / 7) + 0.01 * np.sin(at / 2)), 1)
    opened = np.concatenate((price[:1], price[:-1]))
    return Frame("BTCUSDT", HOUR, 20_000 * 24 * HOUR + at * HOUR, opened, np.maximum(opened, price) + 30,
                 np.minimum(opened, price) - 30, price, np.ones(len(at)))


def test_days_are_changes_of_equity_with_what_is_open(frame: Frame) -> None:
    arena = GridArena([frame], {"grid": OWN})
    whole = [Segment(0, DAYS)]
    table = arena.trial({}, whole)
    made = run_past(OWN, Costs(10_000.0), past_of(frame, OWN))
    assert made.counts["first"] > 0 and made.counts["add"] > 0
    left = sum(row[3] * (1 if row[1] in (5, 6) else -1) for row in made.deals.tolist()) * 0.001
    leaving = left * made.last * 0.0007
    assert left > 0, "something is open at the end, else this shows nothing"
    assert table[:, PNL].sum() == pytest.approx(made.equity - made.start - leaving)
    closings = ("single", "pair", "day_target", "day_loss", "stop")
    assert table[:, COUNT].sum() == sum(made.counts[name] for name in closings)


def test_a_segment_knows_nothing_of_the_days_after_it(frame: Frame) -> None:
    cut = frame.rows(slice(0, 12 * 24))
    parts = GridArena([frame], {"grid": OWN}).trial({}, [Segment(0, 6), Segment(6, 12)])
    alone = GridArena([cut], {"grid": OWN}).trial({}, [Segment(6, 12)])
    assert parts[6:12].tolist() == alone[6:12].tolist()
    assert np.isnan(parts[12:]).all() and np.isnan(alone[:6]).all()


def test_worst_case_refuses_a_trial_but_not_the_present_settings(frame: Frame) -> None:
    poor = GridSettings(paper_usdt=300)
    arena = GridArena([frame], {"grid": poor})
    segments = [Segment(0, DAYS)]
    refused, present = arena.trials([{"grid.multiplier": 2.0}, {}], segments)
    assert isinstance(refused, str) and "BTCUSDT" in refused
    assert not isinstance(present, str)
    fine, wrong = GridArena([frame], {"grid": OWN}).trials(
        [{"grid.pair_global_profit": 0.5}, {"grid.space_percent": 5.0}], segments)
    assert not isinstance(fine, str) and isinstance(wrong, str)


def test_lots_in_proportion_let_any_contract_be_searched(frame: Frame) -> None:
    prices = {name: np.round(getattr(frame, name) / 600_000, 5) for name in ("open", "high", "low", "close")}
    cheap = Frame("DOGEUSDT", HOUR, frame.time, volume=frame.volume, **prices)
    both = GridArena([frame, cheap], {"grid": OWN}, lot_usdt=60.0)
    assert both.start_usdt() == 20_000.0
    assert not isinstance(both.trials([{"grid.pair_global_profit": 0.5}], [Segment(0, DAYS)])[0], str)
    told = GridArena([cheap], {"grid": OWN}).trials([{"grid.pair_global_profit": 0.5}], [Segment(0, DAYS)])[0]
    assert isinstance(told, str) and "--lot-usdt" in told
