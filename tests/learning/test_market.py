"""The market beside a token: the same figures live and from years of candles, and nothing from the future."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.learning.features import STEP_MS
from modules.learning.market import MARKET, Board, Panel, figures
from tests.learning.market import START_MS, walk

TOKENS = ("BTCUSDT", *(f"T{number}USDT" for number in range(9)))


def panel(count: int = 400, drop: float = 0.0) -> Panel:
    made = Panel(STEP_MS)
    for seed, name in enumerate(TOKENS):
        candles = walk(400, seed=seed)[:count]
        candles = candles[np.random.default_rng(seed).random(len(candles)) >= drop]
        made.add(name, candles[:, 0], candles[:, 4], candles[:, 5])
    return made


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(20, 399), drop=st.sampled_from([0.0, 0.2]))
def test_later_candles_change_nothing(cut: int, drop: float) -> None:
    at = [START_MS + cut * STEP_MS]
    kept = Panel(STEP_MS)
    for name, (closed, close, quote) in panel(400, drop)._tokens.items():
        known = closed <= at[0]
        volume = np.diff(quote)[known] / close[known]
        kept.add(name, closed[known] - STEP_MS, close[known], volume)
    for name in ("BTCUSDT", "T3USDT"):
        np.testing.assert_array_equal(panel(400, drop).rows(name, at), kept.rows(name, at))


def test_figures_are_what_they_are_called() -> None:
    hour = np.array([[1.0, 4.0, -2.0, 0.0, 10.0, np.nan]])
    board = Board(hour / 10, hour, hour * 2, np.array([[9e9, 1.0, 2.0, 3.0, 4.0, 5.0]]))
    row = dict(zip(MARKET, figures(board, np.array([4]), 0)[0], strict=True))
    assert row["btc_1h_pct"] == 1.0 and row["market_1h_pct"] == 1.0 and row["over_market_1h"] == 9.0
    assert row["rank_volume"] == 4 / 6 + 0.5 / 6 - 1 / 6
    assert row["market_rising_1h"] == 0.6 and row["market_hot_1h"] == 0.4 and row["rank_1h"] == 0.9


def test_one_token_is_no_market_and_unknown_stays_unknown() -> None:
    alone = Panel(STEP_MS)
    candles = walk(400)
    alone.add("T0USDT", candles[:, 0], candles[:, 4], candles[:, 5])
    row = dict(zip(MARKET, alone.rows("T0USDT", [int(candles[300, 0])])[0], strict=True))
    assert all(np.isnan(value) for value in row.values())
    late = panel().rows("T1USDT", [START_MS + 10_000 * STEP_MS])
    assert np.isnan(late).all(), "closes of days ago are not now"


def test_the_same_whether_asked_together_or_alone() -> None:
    made = panel()
    at = START_MS + np.arange(250, 390) * STEP_MS
    together = made.rows("T5USDT", at)
    assert np.isfinite(together[:, MARKET.index("rank_1h")]).all()
    for place in (0, 50, 139):
        np.testing.assert_array_equal(together[place], made.rows("T5USDT", at[place : place + 1])[0])
