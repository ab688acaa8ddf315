"""Recorded candles as the market: they come back as they were recorded, live and in candles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modules.simulator.history import History
from modules.simulator.market import Market
from modules.simulator.replay import ReplayError, ReplaySource
from modules.simulator.universe import DAY_MS, MINUTE_MS
from tests.simulator.conftest import Starter

BEGIN = pd.Timestamp("2024-03-04", tz="UTC")


def table(minutes: int, count: int, scale: float = 1.0, seed: int = 1) -> pd.DataFrame:
    """A made-up recording with rising and falling bars, wicks, and prices of four decimals."""
    rng = np.random.default_rng(seed)
    close = np.round(scale * np.exp(np.cumsum(rng.normal(0, 0.004, count))), 4)
    opened = np.concatenate(([scale], close[:-1]))
    high = np.round(np.maximum(opened, close) * (1 + rng.random(count) * 0.004) + 0.0001, 4)
    low = np.round(np.minimum(opened, close) * (1 - rng.random(count) * 0.004) - 0.0001, 4)
    date = BEGIN + pd.to_timedelta(np.arange(count) * minutes, unit="min")
    volume = np.round(rng.random(count) * 1000 + minutes, 0) * minutes
    return pd.DataFrame({"date": date, "open": opened, "high": high, "low": low, "close": close, "volume": volume})


@pytest.mark.parametrize("minutes,interval", [(1, "1m"), (5, "5m"), (15, "15m"), (60, "60m")])
def test_candles_come_back_as_recorded(tmp_path: Path, minutes: int, interval: str) -> None:
    recorded = table(minutes, 12 * 1440 // minutes)
    recorded.to_csv(tmp_path / "PEPE_USDT.csv", index=False)
    source = ReplaySource.load(tmp_path, 1)
    market = Market(source)
    token = source.calendar(0).tokens[0]
    assert token.symbol == "PEPEUSDT"
    now = source.begin_ms + 3 * DAY_MS + 7 * 3_600_000
    rows = History(market).candles(token, interval, now, None, now, 300).rows[:-1]
    assert len(rows) == 299 if minutes < 60 else len(rows) > 150
    at = ((rows[:, 0] - int(BEGIN.timestamp() * 1000)) // (minutes * MINUTE_MS)).astype(int)
    for column, name in ((1, "open"), (2, "high"), (3, "low"), (4, "close")):
        wanted = np.rint(recorded[name].to_numpy()[at] / token.tick)
        assert (rows[:, column] == wanted).all(), name
    volume = recorded["volume"].to_numpy()[at] * 10**token.base_scale
    assert np.abs(rows[:, 5] - volume).max() <= minutes


def test_a_bar_is_walked_through_its_extremes(tmp_path: Path) -> None:
    recorded = table(60, 24 * 20)
    recorded.to_parquet(tmp_path / "X-USDT.parquet")
    source = ReplaySource.load(tmp_path, 1)
    market = Market(source)
    begin = int(BEGIN.timestamp() * 1000) + 15 * DAY_MS
    seen = [market.price(0, ms) for ms in range(begin, begin + 3_600_000, 1000)]
    bar, tick = recorded.iloc[15 * 24], source.calendar(0).tokens[0].tick
    assert abs(min(seen) - round(bar.low / tick)) <= 0.03 * (bar.high - bar.low) / tick + 1
    assert abs(max(seen) - round(bar.high / tick)) <= 0.03 * (bar.high - bar.low) / tick + 1
    low_first = seen.index(min(seen)) < seen.index(max(seen))
    assert low_first == (bar.close >= bar.open)


async def test_a_bot_can_trade_on_a_recording(start: Starter, tmp_path: Path) -> None:
    token, bitcoin = table(5, 288 * 12, 1.5, 1), table(5, 288 * 12, 60_000, 2)
    both = pd.concat([token.assign(symbol="AAA_USDT"), bitcoin.assign(symbol="BTC_USDT")])
    both.to_parquet(tmp_path / "both.parquet")
    venue = await start(replay=tmp_path, start=None)
    client = venue.mexc()
    assert set(await client.load_markets()) == {"BTC/USDT", "AAA/USDT"}
    placed = await client.create_order("AAA/USDT", "market", "buy", 20, 1.5)
    assert (await client.fetch_order(placed["id"], "AAA/USDT"))["status"] == "closed"
    venue.pass_s(20 * 86_400)
    status = (await venue.get("/sim/status"))[1]
    assert status["ends_ms"] < status["market_ms"]
    assert await client.fetch_tickers() == {}, "after its end nothing trades"


@pytest.mark.parametrize("make,words", [
    (lambda t: t.drop(columns="close"), "no column close"), (lambda t: t.assign(low=t.high * 2), "impossible"),
    (lambda t: t.assign(open="x"), "x"), (lambda t: pd.concat([t, t.head(1)]), "twice")])
def test_a_wrong_recording_is_named(tmp_path: Path, make, words: str) -> None:
    make(table(5, 50)).to_csv(tmp_path / "A_USDT.csv", index=False)
    with pytest.raises(ReplayError, match=words) as error:
        ReplaySource.load(tmp_path, 1)
    assert "A_USDT.csv" in str(error.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="no .csv or .parquet"):
        ReplaySource.load(tmp_path / "nowhere", 1)
    (tmp_path / "A_USDT.parquet").write_bytes(b"not parquet")
    with pytest.raises(ReplayError, match="cannot be read"):
        ReplaySource.load(tmp_path, 1)
    (tmp_path / "A_USDT.parquet").unlink()
    table(5, 50).to_csv(tmp_path / "notes.csv", index=False)
    with pytest.raises(ReplayError, match="'notes' is not a pair"):
        ReplaySource.load(tmp_path, 1)
