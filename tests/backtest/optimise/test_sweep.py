"""The compiled grid of RSI rule sets is the engine: the same trades to the unit of money."""

from collections import Counter

import numpy as np
import pytest

from modules.backtest.optimise.arena import COUNT, PNL, Arena, Segment
from modules.backtest.settings import BacktestSettings, RsiSettings
from modules.strategies.hype.settings import HypeSettings
from tests.backtest.candles import frame, table


def arena_of(seed: int, count: int, **costs: float) -> Arena:
    """An RSI arena over one made-up token."""
    return Arena("rsi", [frame("WALKUSDT", table(seed, count, price=3.0))],
                 {"rsi": RsiSettings(), "hype": HypeSettings(), "backtest": BacktestSettings(**costs)})


@pytest.mark.parametrize("seed", range(4))
def test_every_day_is_the_engines(seed: int) -> None:
    arena = arena_of(seed, 2500, start_usdt=60.0 if seed % 2 else 1000.0)
    rng = np.random.default_rng(seed)
    many: list[dict[str, object]] = [
        {"rsi.rsi_period": int(rng.integers(2, 30)), "rsi.rsi_buy": float(rng.uniform(15, 55)),
         "rsi.rsi_sell": float(rng.uniform(55, 99)), "rsi.target_pct": float(rng.choice([0.0, 0.3, 1.0, 4.0])),
         "rsi.stop_pct": float(rng.choice([0.0, 0.2, 1.0, 3.0]))} for _ in range(12)]
    segments = [Segment(0, 3), Segment(3, 7)]
    swept = arena.trials(many, segments)  # type: ignore[arg-type]
    traded = 0.0
    for values, mine in zip(many, swept, strict=True):
        theirs = arena.trial(values, segments)  # type: ignore[arg-type]
        assert not isinstance(mine, str)
        np.testing.assert_array_equal(np.isnan(mine), np.isnan(theirs))
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-9, equal_nan=True)
        traded += float(np.nansum(mine[:, COUNT]))
    assert traded > 100


def test_refused_settings_are_told_beside_the_others() -> None:
    arena = arena_of(1, 900)
    told = arena.trials([{"rsi.rsi_period": 1}, {"rsi.rsi_period": 5}], [Segment(0, 3)])
    assert isinstance(told[0], str) and "rsi_period" in told[0]
    assert not isinstance(told[1], str)


def test_days_add_up_to_the_account() -> None:
    arena = arena_of(2, 2500)
    whole = arena.trial({}, [Segment(0, arena.days)])
    from modules.backtest.pipeline import Chosen, backtest
    report = backtest(arena.frames, [], Chosen("rsi", arena.base), Counter())
    assert whole[:, PNL].sum() == pytest.approx(report.trades.pnl.sum() / 1e8, abs=1e-9)
    assert whole[:, COUNT].sum() == len(report.trades)
