"""Reading: every kind of file, and everything that may be wrong with one."""

import sys
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest

from modules.backtest.frames import DataError, refined, resampled
from modules.backtest.load import file_symbol, load, plain_symbol
from modules.backtest.market import series_of, steps_of
from tests.backtest.candles import START_MS, STEP_MS, frame, table, write_csv

HEAD = "time,open,high,low,close,volume\n"


def read(path, only=frozenset()):
    counted: Counter[str] = Counter()
    return load([path], counted, only), {name: count for name, count in counted.items() if count}


def without_arrow(monkeypatch):
    import modules.backtest
    monkeypatch.setitem(sys.modules, "modules.backtest.arrow", None)
    monkeypatch.delattr(modules.backtest, "arrow", raising=False)


def lines(tmp_path, *rows, head=HEAD, name="TOKENUSDT.csv"):
    path = tmp_path / name
    path.write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def arrow_file(tmp_path, kind, candles):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.feather
    import pyarrow.parquet
    half = len(candles) // 2
    data = pa.table({
        "date": pa.array(candles[:, 0].astype(np.int64), pa.int64()).cast(pa.timestamp("ms", tz="UTC")),
        "symbol": pa.array(["AAA_USDT"] * half + ["BBB/USDT"] * (len(candles) - half)).dictionary_encode(),
        **{name: candles[:, place] for place, name in enumerate(("open", "high", "low", "close", "volume"), 1)},
    })
    path = tmp_path / f"all.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(data, path)
    else:
        pyarrow.feather.write_feather(data, path, compression="uncompressed")
    return path


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_many_tokens_of_one_file(tmp_path, kind):
    candles = table(1, 400)
    frames, counted = read(arrow_file(tmp_path, kind, candles))
    assert [token.symbol for token in frames] == ["AAAUSDT", "BBBUSDT"]
    assert np.array_equal(frames[1].close, candles[200:, 4]) and np.array_equal(frames[1].time, candles[200:, 0])
    assert counted == {}
    only, _ = read(tmp_path / f"all.{kind}", frozenset({"BBBUSDT"}))
    assert [token.symbol for token in only] == ["BBBUSDT"]


@pytest.mark.parametrize("with_arrow", [True, False])
def test_the_bots_own_candles(tmp_path, monkeypatch, with_arrow):
    if not with_arrow:
        without_arrow(monkeypatch)
    candles = table(2, 300)
    frames, counted = read(write_csv(tmp_path / "PEPEUSDT.csv", candles))
    assert (frames[0].symbol, frames[0].interval_ms, counted) == ("PEPEUSDT", STEP_MS, {})
    for place, name in enumerate(("time", "open", "high", "low", "close", "volume")):
        assert np.array_equal(getattr(frames[0], name), candles[:, place])


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    path = arrow_file(tmp_path, "parquet", table(1, 10))
    without_arrow(monkeypatch)
    with pytest.raises(DataError, match="Parquet needs pyarrow.*requirements-backtest"):
        read(path)


@pytest.mark.parametrize("factor", [0.001, 1, 1000, 1_000_000])
def test_times_of_every_unit(tmp_path, factor):
    path = lines(tmp_path, *(f"{int((START_MS + row * STEP_MS) * factor)},1,1,1,1,5" for row in range(3)))
    assert read(path)[0][0].time.tolist() == [START_MS + row * STEP_MS for row in range(3)]


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00", "%Y-%m-%dT%H:%M:%SZ"])
def test_times_as_text(tmp_path, form):
    times = [START_MS + row * STEP_MS for row in range(3)]
    rows = [datetime.fromtimestamp(ms / 1000, UTC).strftime(form) + ",1,1,1,1,5" for ms in times]
    assert read(lines(tmp_path, *rows))[0][0].time.tolist() == times


def test_what_is_wrong_is_counted_and_left_out(tmp_path):
    at = [START_MS + row * STEP_MS for row in range(12)]
    path = lines(
        tmp_path, f"{at[0]},1,1.1,0.9,1,5", f"{at[2]},1,1.1,0.9,1,5", f"{at[1]},1,1.1,0.9,1,0",
        f"{at[3]},1,1.1,0.9,1,5", f"{at[3]},1,1.1,0.9,1.05,5", f"{at[4]},1,,0.9,1,5", f"{at[5]},1,0.8,0.9,1,5",
        f"{at[6]},-1,1.1,-1,1,5", f"{at[10]},1,1.1,0.9,1,5", f"{at[11]},1,1.1,0.9,1,-5",
    )
    frames, counted = read(path)
    assert frames[0].time.tolist() == [at[0], at[1], at[2], at[3], at[10]]
    assert frames[0].close[3] == 1.05
    assert counted == {"rows with missing numbers (left out)": 1, "impossible candles (left out)": 3,
                       "unsorted rows": 1, "duplicate rows (the later one counts)": 1, "gaps": 1,
                       "candles without volume": 1}


def test_one_candle_is_one_candle(tmp_path):
    frames, counted = read(lines(tmp_path, f"{START_MS},1,1.1,0.9,1,5"))
    assert len(frames[0]) == 1 and counted == {"tokens with one candle only": 1}


@pytest.mark.parametrize(("name", "content", "told"), [
    ("A.csv", "", "is empty"),
    ("A.csv", HEAD, "holds no rows"),
    ("A.csv", "time,open,high\n1,2,3\n", "columns are missing: low, close, volume"),
    ("A.csv", "day,open,high,low,close,volume\n1,1,1,1,1,1\n", "columns are missing: a time"),
    ("A.csv", HEAD + "1704067200000,1,1,1,x,1\n", "column close holds something that is no number"),
    ("A.csv", HEAD + "yesterday,1,1,1,1,1\n", "a time cannot be read"),
    ("A.csv", HEAD + "1704067200000,nan,1,1,1,1\n", "no usable candle"),
    ("A.csv", HEAD + "1704067200000,1,1\n", "cannot be read"),
    ("A.txt", "nothing", "unknown kind of file"),
    ("A.parquet", "nothing", "cannot be read"),
    ("A.feather", "nothing", "cannot be read"),
])
def test_files_that_cannot_be_used_are_named(tmp_path, name, content, told):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read(tmp_path / name)


def test_no_file_an_empty_folder_and_a_token_twice(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read(tmp_path / "A.csv")
    with pytest.raises(DataError, match="no candle files in this folder"):
        read(tmp_path)
    write_csv(tmp_path / "AUSDT.csv", table(1, 5))
    write_csv(tmp_path / "A_USDT.csv", table(1, 5))
    with pytest.raises(DataError, match="AUSDT has come in another file"):
        read(tmp_path)
    with pytest.raises(DataError, match="none of XUSDT"):
        read(tmp_path / "AUSDT.csv", frozenset({"XUSDT"}))


def test_symbols_in_every_spelling(tmp_path):
    assert {plain_symbol(text) for text in ("PEPE/USDT:USDT", "PEPE_USDT", "pepe-usdt", "PEPEUSDT")} == {"PEPEUSDT"}
    assert {file_symbol(tmp_path / name) for name in ("PEPE_USDT-5m.feather", "PEPEUSDT.csv", "PEPEUSDT_1m.parquet")} \
        == {"PEPEUSDT"}


def test_longer_candles_are_made_of_shorter_ones():
    minutes = frame("T", table(3, 600, step_ms=60_000))
    five = resampled(minutes, STEP_MS)
    assert len(five) == 120 and five.interval_ms == STEP_MS
    part = slice(55, 60)
    assert five.time[11] == START_MS + 55 * 60_000
    assert (five.open[11], five.close[11]) == (minutes.open[55], minutes.close[59])
    assert (five.high[11], five.low[11]) == (minutes.high[part].max(), minutes.low[part].min())
    assert five.volume[11] == pytest.approx(minutes.volume[part].sum())
    with pytest.raises(DataError, match="5 minutes long; needed are 1 minutes"):
        resampled(five, 60_000)


def test_finer_candles_replace_only_what_they_cover_wholly():
    minutes = frame("T", table(3, 100, step_ms=60_000))
    five = resampled(minutes, STEP_MS)
    holed = minutes.rows(np.r_[10:37, 38:100])
    mixed = refined(five, holed)
    assert mixed.time.tolist() == sorted([*five.time[[0, 1, 7]].tolist(), *minutes.time[10:35].tolist(),
                                          *minutes.time[40:100].tolist()])
    with pytest.raises(DataError, match="not finer"):
        refined(minutes, five)


@pytest.mark.parametrize(("price", "places"), [(0.1006, 4), (61435.41, 2), (0.00000123, 8), (1234.0, 0)])
def test_the_price_step_is_the_finest_place_in_use(price, places):
    candles = np.array([[START_MS + row * STEP_MS, price, price, price, price, 10] for row in range(50)])
    steps = steps_of(frame("T", candles))
    assert steps.places == places and steps.ticks(np.array([price])) == round(price * 10**places)
    assert 0.001 <= steps.step * price <= 0.0100001


def test_computed_prices_are_counted_finely_enough():
    candles = table(1, 200)
    candles[:, 1:5] /= 3.0
    token = frame("T", candles)
    series, steps = series_of([token], 5.0)
    assert series.candles[4] * steps[0].tick == pytest.approx(token.close, rel=1e-6)
    assert series.tokens[0, 2] * series.unit[0] / 1e8 == pytest.approx(5.0, rel=1e-3)
