"""Candles: ATR, VWAP, RSI, confirmations, each against a plain second way, and their mirror."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modules.strategies.signals import context

STEP = 900_000


def rows_of(closes: list[float], spread: float = 0.5, last_open: bool = True) -> context.Rows:
    rows = np.zeros((len(closes), 9))
    rows[:, 0] = np.arange(len(closes)) * STEP
    rows[:, 4] = closes
    rows[:, 1] = np.concatenate([[closes[0]], closes[:-1]])
    rows[:, 2] = np.maximum(rows[:, 1], rows[:, 4]) + spread
    rows[:, 3] = np.minimum(rows[:, 1], rows[:, 4]) - spread
    rows[:, 5] = 10.0
    rows[:, 6] = 10.0 * rows[:, 4]
    rows[:, 8] = 1.0
    if last_open:
        rows[-1, 8] = 0.0
    return rows


moves = arrays(np.int64, 80, elements=st.integers(-64, 64)).map(lambda found: found / 64)  # exact sums and mirrors


@given(moves)
def test_all_of_it_is_symmetric(found: np.ndarray) -> None:
    up, down = rows_of((1000 + np.cumsum(found)).tolist()), rows_of((1000 - np.cumsum(found)).tolist())
    assert context.atr(up) == pytest.approx(context.atr(down))
    low, high = context.swing(up, 8, 1), context.swing(down, 8, -1)
    assert low is not None and high is not None and low + high == pytest.approx(2000)
    price = float(up[-1, 4])
    mirror = {"RSI oversold": "RSI overbought", "support tested": "resistance tested"}
    for side in (1, -1):
        one = context.confirmations(up, price, 0.3, side)
        other = context.confirmations(down, 2000 - price, 0.3, -side)
        pairs = mirror if side > 0 else {b: a for a, b in mirror.items()}
        strength = context.rsi(context.closed(up)[:, 4])
        if np.min(np.abs(strength[~np.isnan(strength)] - 50)) > 1e-6:  # else rounding decides
            assert {pairs.get(name, name) for name in one} - {"RSI divergence"} == set(other) - {"RSI divergence"}


@given(moves)
def test_rsi_is_between_0_and_100_and_its_mirror(found: np.ndarray) -> None:
    closes = 1000 + np.cumsum(found)
    one, other = context.rsi(closes), context.rsi(2000 - closes)
    assert np.isnan(one[:9]).all() and (one[9:] >= 0).all() and (one[9:] <= 100).all()
    assert np.allclose(one[9:] + other[9:], 100, atol=1e-6)


def test_rsi_extremes_confirm() -> None:
    falling = rows_of([100 - 0.1 * n for n in range(60)])
    assert "RSI oversold" in context.confirmations(falling, 94, 0.01, 1)
    assert "RSI overbought" not in context.confirmations(falling, 94, 0.01, -1)


def test_vwap_takes_a_share_of_the_candle_it_begins_in() -> None:
    rows = rows_of([100, 100, 200, 100, 100, 100.0])
    now = int(rows[-1, 0]) + STEP // 2  # the hour begins in the middle of candle 1
    assert context.vwap(rows, now, STEP) == pytest.approx((0.5 * 100 + 200 + 300) / 4.5)
    assert context.vwap(rows[3:], now, STEP) is None, "not a whole hour known"
    assert context.vwap(np.delete(rows, 3, axis=0), now, STEP) is None, "a candle is missing"


def test_24_h_volume_needs_24_h() -> None:
    rows = rows_of([100.0] * 100)
    assert context.quote_24h(rows, int(rows[-1, 0]) + STEP, STEP) == pytest.approx(96 * 1000)
    assert context.quote_24h(rows[10:], int(rows[-1, 0]) + STEP, STEP) is None


def test_only_closed_candles_count_for_atr_and_returns() -> None:
    rows = rows_of([100.0] * 40)
    before, shifted = context.atr(rows), rows.copy()
    shifted[-1, 2] = 500
    assert context.atr(shifted) == before and len(context.returns(rows, 30)) == 30
    assert context.atr(rows[:10]) is None
