"""Collector: gaps repaired, restarts go on, history limits, CVD from trades or from candles."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, select

from modules.exchange.parsing import Unreadable
from modules.exchange.types import Mode, Unavailable
from modules.storage.sql.database import Database
from modules.storage.sql.insert import insert_rows
from modules.storage.sql.migrate import upgrade
from modules.storage.sql.settings import DatabaseSettings
from modules.storage.sql.tables import METADATA, candles, derivatives, equity_curve
from modules.strategies.showdown import store
from modules.strategies.showdown.collector import Collector
from modules.strategies.showdown.execution import AccountNow
from modules.strategies.showdown.records import TIMEFRAMES
from modules.strategies.showdown.settings import ShowdownSettings
from modules.strategies.showdown.venue import read_klines
from tests.strategies.showdown.market import NOW, SYMBOL
from tests.strategies.showdown.venue import MemoryVenue
from utils.paths import Paths

OWN = ShowdownSettings(history_bars=200)
MINUTE = 60_000


@pytest.fixture
def database(tmp_path: Path):
    opened = Database.of(DatabaseSettings(), Paths(tmp_path).prepare())
    upgrade(opened)
    yield opened
    opened.close()


def collector(database: Database, venue: MemoryVenue, settings: ShowdownSettings = OWN) -> Collector:
    def put(table: str, rows: list[dict[str, Any]]) -> None:
        with database.begin() as connection:
            insert_rows(connection, METADATA.tables[table], rows)
    return Collector(venue, database, put, SYMBOL, settings)


def opens(database: Database, interval: str) -> list[int]:
    return store.open_times(database, SYMBOL, interval, 0).tolist()


def cvd(database: Database) -> dict[int, tuple[float, str]]:
    with database.begin() as connection:
        rows = connection.execute(select(derivatives.c.ms, derivatives.c.value, derivatives.c.body)
                                  .where(derivatives.c.kind == "cvd")).all()
    return {ms: (value, body["from"]) for ms, value, body in rows}


async def test_the_first_look_brings_the_history_of_closed_candles(database):
    await collector(database, MemoryVenue()).look()
    for name, step in TIMEFRAMES.items():
        found = opens(database, name)
        assert len(found) == 200 and (np.diff(found) == step).all()
        assert found[-1] + step <= NOW + 30_000 < found[-1] + 2 * step
    assert len(store.times(database, SYMBOL, "open_interest", 0)) == 288
    assert len(store.times(database, SYMBOL, "funding", 0)) == 90


async def test_a_gap_is_repaired_and_nothing_else_is_asked(database):
    venue = MemoryVenue()
    own = collector(database, venue)
    await own.look()
    whole = opens(database, "5m")
    with database.begin() as connection:
        connection.execute(delete(candles).where(candles.c.timeframe == "5m", candles.c.open_ms.in_(whole[50:60])))
    venue.asked.clear()
    looked = await own.look()
    assert opens(database, "5m") == whole
    assert [one for one in venue.asked if one[0] == "candles"] == [("candles", "5m", whole[50])]
    assert (looked.candles, looked.gaps) == (10, 1)


async def test_a_restart_goes_on_where_it_stopped(database):
    venue = MemoryVenue()
    await collector(database, venue).look()
    venue.now += 20 * MINUTE
    venue.asked.clear()
    await collector(database, venue).look()
    asked = {(what, which): start for what, which, start in venue.asked if what in ("candles", "open_interest")}
    assert asked[("candles", "1m")] == NOW
    assert asked[("open_interest", "")] == NOW + 1
    assert (np.diff(opens(database, "1m")) == MINUTE).all()


async def test_what_the_venue_does_not_have_is_asked_once_an_hour(database):
    venue = MemoryVenue()
    venue.born = NOW - 100 * MINUTE
    own = collector(database, venue)
    await own.look()
    venue.asked.clear()
    await own.look()
    assert not [one for one in venue.asked if one[0] == "candles"]
    venue.now += 3_600_001
    await own.look()
    assert [one for one in venue.asked if one[0] == "candles" and one[2] < NOW - 100 * MINUTE]


async def test_an_outage_loses_nothing(database):
    venue = MemoryVenue()
    own = collector(database, venue)
    await own.look()
    venue.down = True
    venue.now += 5 * MINUTE
    with pytest.raises(Unavailable):
        await own.look()
    venue.down = False
    await own.look()
    assert (np.diff(opens(database, "1m")) == MINUTE).all() and opens(database, "1m")[-1] == NOW + 4 * MINUTE


async def test_cvd_comes_from_trades_and_for_missed_minutes_from_candles(database):
    venue = MemoryVenue()
    own = collector(database, venue)
    await own.look()
    assert set(cvd(database).values()) == {(10.0, "candles")}  # 2 × 20 − 30
    venue.now += 3 * MINUTE
    await own.look()
    found = cvd(database)
    assert [found[NOW + place * MINUTE] for place in range(3)] == [(10.0, "trades")] * 3  # 10 × 2 − 10 × 1
    assert max(found) == NOW + 2 * MINUTE  # the open minute is not there


async def test_cvd_goes_on_after_a_short_restart_from_the_last_trade(database):
    venue = MemoryVenue()
    own = collector(database, venue)
    await own.look()
    venue.now += 2 * MINUTE
    await own.look()
    venue.now += 2 * MINUTE
    venue.asked.clear()
    await collector(database, venue).look()
    assert next(which for what, which, _ in venue.asked if what == "trades") == (NOW + 2 * MINUTE) // 3000
    assert cvd(database)[NOW + 3 * MINUTE] == (10.0, "trades")


async def test_more_trades_than_the_pages_allow_come_from_candles(database):
    venue = MemoryVenue(per_minute=2000)
    own = collector(database, venue, OWN.model_copy(update={"trade_pages": 2}))
    await own.look()
    venue.now += 5 * MINUTE
    await own.look()
    venue.now += MINUTE
    await own.look()
    assert (np.diff(sorted(cvd(database))) == MINUTE).all()
    assert len([one for one in venue.asked if one[0] == "trades"]) <= 6


def test_missing_ranges():
    have = np.array([0, 10, 40], dtype=np.int64)
    assert store.missing_ranges(have, 0, 60, 10) == [(20, 40), (50, 60)]
    assert store.missing_ranges(np.array([], dtype=np.int64), 5, 30, 10) == [(10, 30)]
    assert store.missing_ranges(have, 0, 20, 10) == []


def test_drawdown_counts_from_the_highest_of_day_and_week(database):
    monday = NOW // 86_400_000 * 86_400_000 - 3 * 86_400_000  # 2026-01-01 is a Thursday
    curve = [(monday + 1000, "12000"), (NOW // 86_400_000 * 86_400_000 + 1000, "10000"), (NOW - 1000, "9900"),
             (monday - 1000, "99999")]
    with database.begin() as connection:
        insert_rows(connection, equity_curve, [{"account": "showdown-test", "ms": ms, "mode": "TEST", "wallet": value,
                                                "unrealised": "0", "equity": value} for ms, value in curve])
    money = store.read_money(database, NOW, OWN, AccountNow(Mode.TEST, "showdown-test", Decimal(9900)))
    assert (money.equity, money.day_drawdown_pct, money.week_drawdown_pct) == ("9900", 1.0, 17.5)


@pytest.mark.parametrize("body", ['[[1,"2"]]', '[[1,"2","3","1","x","5",2,"1",1,"2","1","0"]]', "{}",
                                  '[[2,"1","1","1","1","1",3,"1",1,"1","1","0"],[1,"1","1","1","1","1",3,"1",1,"1","1","0"]]',
                                  '[[2,"1","1","1","NaN","1",3,"1",1,"1","1","0"]]'])
def test_candles_that_cannot_be_trusted_are_refused(body):
    with pytest.raises(Unreadable):
        read_klines(body)
