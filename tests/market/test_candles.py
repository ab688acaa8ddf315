"""Candle files: what is written is read back, closed candles only, gaps told, damage set aside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.market import candles
from modules.market.candles import INTERVAL_MS, CandleFileError

T0 = 1_743_500_000_000 // INTERVAL_MS * INTERVAL_MS
LATE = T0 + 10**9


def series(*slots: int, price: float = 1.5) -> np.ndarray:
    return np.array([[T0 + s * INTERVAL_MS, price, price * 1.01, price * 0.99, price, 12.25] for s in slots])


def test_written_rows_are_iso_utc_and_read_back_bit_equal(tmp_path):
    path = candles.candle_path(tmp_path, "PEPEUSDT")
    table = series(0, 1, 2, price=0.1 + 0.2)
    table[1, 1:5] = 1.2345e-08
    assert candles.merge(path, table, LATE) == 3
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "time,open,high,low,close,volume"
    assert lines[1].startswith("2025-04-01T09:3")
    assert lines[1].split(",")[0].endswith("Z")
    assert np.array_equal(candles.read(path), table)


def test_a_file_with_milliseconds_is_read_too(tmp_path):
    path = tmp_path / "AUSDT.csv"
    path.write_text(f"time,open,high,low,close,volume\n{T0},1,2,0.5,1.5,10\n", encoding="utf-8")
    assert candles.read(path).tolist() == [[T0, 1, 2, 0.5, 1.5, 10]]


def test_the_candle_in_progress_is_not_stored(tmp_path):
    path = tmp_path / "AUSDT.csv"
    assert candles.merge(path, series(0, 1), T0 + 2 * INTERVAL_MS - 1) == 1
    assert candles.merge(path, series(0, 1), T0 + 2 * INTERVAL_MS) == 1
    assert len(candles.read(path)) == 2


def test_a_candle_fetched_again_replaces_the_stored_one(tmp_path):
    path = tmp_path / "AUSDT.csv"
    candles.merge(path, series(0, 1, price=1.0), LATE)
    assert candles.merge(path, series(1, 2, price=9.0), LATE) == 1
    assert candles.read(path)[:, 4].tolist() == [1.0, 9.0, 9.0]


def test_nothing_new_leaves_the_file_untouched(tmp_path):
    path = tmp_path / "AUSDT.csv"
    candles.merge(path, series(0, 1), LATE)
    before = path.stat().st_mtime_ns
    assert candles.merge(path, series(0, 1), LATE) == 0
    assert path.stat().st_mtime_ns == before


@given(st.lists(st.lists(st.integers(0, 40), max_size=12), min_size=1, max_size=6))
def test_merging_in_any_order_keeps_every_time_once_and_ascending(parts):
    stored = np.empty((0, 6))
    for part in parts:
        fresh = series(*sorted(set(part))) if part else np.empty((0, 6))
        stored = candles.joined(stored, fresh)
    slots = ((stored[:, 0] - T0) / INTERVAL_MS).astype(int).tolist()
    assert slots == sorted({slot for part in parts for slot in part})


def test_gaps_are_told_as_missing_stretches():
    found = candles.gaps(series(0, 1, 4, 5, 9))
    assert found == [(T0 + 2 * INTERVAL_MS, T0 + 4 * INTERVAL_MS), (T0 + 6 * INTERVAL_MS, T0 + 9 * INTERVAL_MS)]
    assert candles.gaps(series(0, 1)) == []
    assert candles.gaps(np.empty((0, 6))) == []


@pytest.mark.parametrize("content", [
    "", "date,open\n", "time,open,high,low,close,volume\n2025-04-01T00:00:00Z,1,1,1,1\n",
    "time,open,high,low,close,volume\n2025-04-01T00:00:00Z,1,1,one,1,1\n",
    "time,open,high,low,close,volume\n2025-04-01T00:05:00Z,1,1,1,1,1\n2025-04-01T00:00:00Z,1,1,1,1,1\n",
    "time,open,high,low,close,volume\n2025-04-01T00:05:00Z,1,1,nan,1,1\n",
])
def test_a_damaged_file_is_refused_by_name_and_set_aside_by_a_merge(tmp_path, content):
    path = tmp_path / "AUSDT.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CandleFileError, match=r"AUSDT\.csv"):
        candles.read(path)
    assert candles.merge(path, series(0, 1), LATE) == 2
    [aside] = tmp_path.glob("AUSDT.csv.damaged-*")
    assert aside.read_text(encoding="utf-8") == content
