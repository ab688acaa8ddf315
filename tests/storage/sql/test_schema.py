"""The schema on every database: migrated equals declared, money is exact, repeating changes nothing."""

import subprocess
import sys
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from modules.storage.sql import migrate
from modules.storage.sql.database import Database
from modules.storage.sql.insert import insert_rows
from modules.storage.sql.migrate import NewerSchema, differences, upgrade
from modules.storage.sql.retention import DAY_MS, PORTION, trim
from modules.storage.sql.settings import DatabaseSettings
from modules.storage.sql.tables import METADATA, candles, metrics, trades
from utils.paths import PROJECT

TRADE = {"venue": "binanceusdm", "symbol": "BTCUSDT", "trade_id": "1", "account": "main", "mode": "TEST",
         "client_id": "c1", "leg": "LONG", "side": "BUY", "price": Decimal("61828.1"), "quantity": Decimal("0.001"),
         "fee": Decimal("0.000000000000000001"), "fee_asset": "USDT", "maker": False, "ms": 1}


def candle(open_ms: int, close: float = 1.0) -> dict[str, object]:
    return {"venue": "v", "symbol": "S", "timeframe": "1m", "open_ms": open_ms, "open": 1.0, "high": 2.0, "low": 0.5,
            "close": close, "volume": 3.0}


def test_what_migrations_make_is_what_is_declared(database: Database) -> None:
    assert upgrade(database) == (None, migrate.head())
    assert upgrade(database) == (migrate.head(), migrate.head())
    with database.begin() as connection:
        assert differences(connection) == []


_UPGRADE = """
import sys
from sqlalchemy.engine import make_url
from modules.storage.sql.database import Database
from modules.storage.sql.migrate import upgrade
print(upgrade(Database(make_url(sys.argv[1]), connect_s=60))[0])
"""


def test_processes_that_migrate_at_once_do_it_once(url) -> None:
    command = [sys.executable, "-c", _UPGRADE, url.render_as_string(hide_password=False)]
    running = [subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    befores = [process.communicate(timeout=60)[0].strip() for process in running]
    assert sorted(befores) == sorted(["None", *[migrate.head()] * 2])


def test_a_database_of_a_newer_program_is_left_alone(database: Database) -> None:
    upgrade(database)
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerSchema, match="9999"):
        upgrade(database)


def test_money_is_exact_and_case_counts_in_keys(database: Database) -> None:
    upgrade(database)
    largest = Decimal("12345678901234567890.123456789012345678")
    with database.begin() as connection:
        insert_rows(connection, trades, [TRADE, {**TRADE, "trade_id": "a", "price": largest},
                                         {**TRADE, "trade_id": "A", "realised": Decimal("-0.5")}])
    with database.begin() as connection:
        rows = {row.trade_id: row for row in connection.execute(select(trades))}
    assert set(rows) == {"1", "a", "A"} and rows["a"].price == largest and rows["A"].realised == Decimal("-0.5")
    assert rows["1"].fee == TRADE["fee"] and rows["1"].realised is None


@pytest.mark.parametrize("bad", [0.1, Decimal("1e-19"), Decimal("NaN"), Decimal("1e20")])
def test_money_that_does_not_fit_is_refused(database: Database, bad: object) -> None:
    upgrade(database)
    with pytest.raises(Exception, match="money"), database.begin() as connection:
        insert_rows(connection, trades, [{**TRADE, "price": bad}])


def test_events_stay_and_states_are_replaced(database: Database) -> None:
    upgrade(database)
    for close in (1.0, 2.0):
        with database.begin() as connection:
            insert_rows(connection, candles, [candle(0, close), candle(60_000, close), candle(0, close + 0.25)])
            insert_rows(connection, trades, [{**TRADE, "price": Decimal(str(close))}])
    with database.begin() as connection:
        closes = connection.execute(select(candles.c.close).order_by(candles.c.open_ms)).scalars().all()
        assert closes == [2.25, 2.0]
        assert connection.execute(select(trades.c.price)).scalar_one() == 1


def test_old_rows_go_and_young_ones_stay(database: Database) -> None:
    upgrade(database)
    now = 500 * DAY_MS
    count = PORTION + 20
    with database.begin() as connection:
        insert_rows(connection, metrics, [{"name": "cpu", "ms": ms, "value": 1.0} for ms in range(count)])
        insert_rows(connection, metrics, [{"name": "cpu", "ms": now - DAY_MS, "value": 1.0}])
        insert_rows(connection, trades, [TRADE])
    assert trim(database, DatabaseSettings(), now)["metrics"] == count
    with database.begin() as connection:
        assert connection.execute(select(metrics.c.ms)).scalars().all() == [now - DAY_MS]
        assert connection.execute(select(trades.c.trade_id)).scalars().all() == ["1"]  # money's history has no age


def test_every_table_says_what_a_repeated_row_does() -> None:
    assert {table.info["repeat"] for table in METADATA.tables.values()} == {"keep", "replace"}
