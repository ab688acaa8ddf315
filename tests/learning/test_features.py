"""One function makes the features of training and of prediction: causal, honest about NaN, fast, small."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.learning import features
from modules.learning.features import CONTEXT, FEATURES, STEP_MS, compute
from tests.learning.market import walk
from utils.paths import PROJECT


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 699), price=st.sampled_from([1e-8, 0.03, 60_000.0]))
def test_later_rows_change_nothing(seed: int, cut: int, price: float) -> None:
    candles = walk(700, seed=seed, price=price)
    assert np.array_equal(compute(candles)[:cut], compute(candles[:cut]), equal_nan=True)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(50, 600))
def test_later_rows_change_nothing_where_candles_are_missing(seed: int, cut: int) -> None:
    candles = walk(700, seed=seed)
    keep = np.random.default_rng(seed).random(700) > 0.1
    candles = candles[keep]
    assert np.array_equal(compute(candles)[:cut], compute(candles[:cut]), equal_nan=True)


def test_a_changed_future_changes_no_earlier_row_but_a_changed_past_does() -> None:
    candles = walk(600, seed=3)
    later = candles.copy()
    later[400:, 1:] *= 3.0
    assert np.array_equal(compute(candles)[:400], compute(later)[:400], equal_nan=True)
    assert not np.array_equal(compute(candles)[400], compute(later)[400], equal_nan=True)


def test_a_live_window_gives_what_the_long_history_gives() -> None:
    candles = walk(3000, seed=5)
    live, trained = compute(candles[-500:])[-1], compute(candles)[-1]
    np.testing.assert_allclose(live, trained, rtol=1e-6, atol=1e-9)


def test_the_unit_of_the_price_does_not_matter() -> None:
    dear, cheap = walk(600, seed=4, price=100.0), walk(600, seed=4, price=100.0)
    cheap[:, 1:5] *= 1e-9
    cheap[:, 5] *= 1e9
    np.testing.assert_allclose(compute(dear), compute(cheap), rtol=1e-6, atol=1e-9)


def test_unknown_is_nan_and_never_zero() -> None:
    made = compute(walk(600))
    column = {name: made[:, i] for i, name in enumerate(FEATURES)}
    assert np.isnan(column["return_288"][:288]).all() and np.isfinite(column["return_288"][288:]).all()
    assert np.isnan(column["rsi_14"][:14]).all() and np.isfinite(column["rsi_14"][14:]).all()
    silent = walk(600)
    silent[:, 5] = 0.0
    assert np.isnan(compute(silent)[-1, FEATURES.index("volume_12")])


def test_a_missing_candle_is_five_minutes_without_trade() -> None:
    full = walk(600, seed=8)
    full[500, 1:5] = full[499, 4]
    full[500, 5] = 0.0
    np.testing.assert_array_equal(compute(np.delete(full, 500, 0))[500:], compute(full)[501:])


def test_after_a_long_hole_the_history_begins_anew() -> None:
    candles = walk(900, seed=2)
    candles[600:, 0] += 3 * features.DAY * STEP_MS
    np.testing.assert_array_equal(compute(candles)[600:], compute(candles[600:]))


def test_bad_rows_give_nan_rows_and_disorder_is_refused() -> None:
    candles = walk(600)
    candles[300, 4] = np.nan
    candles[301, 1] = -1.0
    made = compute(candles)
    assert np.isnan(made[300:302]).all() and np.isfinite(made[302:, 0]).all()
    with pytest.raises(ValueError, match="ascend"):
        compute(walk(50)[::-1])
    with pytest.raises(ValueError, match="shape"):
        compute(np.zeros((5, 5)))
    assert compute(np.empty((0, 6))).shape == (0, len(FEATURES))
    assert compute(walk(3)).shape == (3, len(FEATURES))


def test_pack_keeps_names_values_and_nan() -> None:
    row = compute(walk(400))[-1]
    context = features.context_row({"btc_1h_pct": -0.5, "spread_pct": None})
    text = features.pack(row, context)
    back = features.unpack(text, FEATURES + CONTEXT)
    assert back is not None
    np.testing.assert_array_equal(back, np.concatenate([row, [-0.5], np.full(len(CONTEXT) - 1, np.nan)]))
    assert "NaN" not in text
    assert features.unpack("{}", FEATURES) is None, "no version: not ours"
    assert features.unpack("not json", FEATURES) is None
    assert features.unpack(text.replace('"v":1', '"v":99'), FEATURES) is None
    with pytest.raises(ValueError):
        features.pack(row[:5])


def test_closed_leaves_out_the_candle_still_open() -> None:
    candles = walk(10)
    end = int(candles[-1, 0]) + STEP_MS
    assert len(features.closed(candles, end)) == 10
    assert len(features.closed(candles, end - 1)) == 9


def test_importing_the_features_brings_no_heavy_package() -> None:
    heavy = "{'pandas', 'sklearn', 'lightgbm', 'polars', 'matplotlib', 'scipy'}"
    code = f"import sys; import modules.learning.features; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


def test_a_hidden_package_can_be_imported_afterwards() -> None:
    code = "import modules.learning.talib_lite, sys; import pandas; sys.exit(pandas is None)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
