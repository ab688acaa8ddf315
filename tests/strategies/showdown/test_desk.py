"""One contract's desk from venue to file: recorded, replayed byte for byte, flat when the database is away."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from config.settings import load_settings
from modules.backtest import replay_cli
from modules.exchange.types import Unavailable
from modules.storage.decisions import DecisionFileError, DecisionLog
from modules.storage.sql.database import Database, DatabaseAway
from modules.storage.sql.insert import insert_rows
from modules.storage.sql.migrate import upgrade
from modules.storage.sql.settings import DatabaseSettings
from modules.storage.sql.tables import METADATA, decisions, news_sentiment, snapshots
from modules.strategies.showdown import replay
from modules.strategies.showdown.desk import Desk
from modules.strategies.showdown.files import RECORD, ShowdownFiles, last
from modules.strategies.showdown.settings import ShowdownSettings
from tests.strategies.showdown.market import NOW, SYMBOL
from tests.strategies.showdown.venue import MemoryVenue
from utils.paths import Paths

OWN = ShowdownSettings(history_bars=300)


class Surroundings:
    """A desk with a database and a record of its own."""

    def __init__(self, home: Path) -> None:
        self.paths = Paths(home).prepare()
        self.database = Database.of(DatabaseSettings(), self.paths)
        upgrade(self.database)
        self.venue = MemoryVenue()
        folder = self.paths.data / "decisions"
        folder.mkdir()
        self.record = DecisionLog(folder, RECORD, replay.head("test"), disk_mb=10, keep_days=10, file_mb=1)
        self.desk = Desk(self.venue, self.database, self.put, ShowdownFiles(self.paths, SYMBOL, True), OWN, self.record)

    def put(self, table: str, rows: list[dict[str, Any]]) -> None:
        with self.database.begin() as connection:
            insert_rows(connection, METADATA.tables[table], rows)

    def rows(self, table: Any) -> list[Any]:
        with self.database.begin() as connection:
            return list(connection.execute(select(table)).all())


@pytest.fixture
def around(tmp_path: Path):
    made = Surroundings(tmp_path)
    yield made
    made.database.close()


async def test_from_the_venue_to_files_and_sql(around):
    await around.desk.collect()
    outcome = await around.desk.decide(around.venue.now)
    snap, flow, decision = last(around.desk.files)
    assert (snap, flow, decision) == outcome[:2] + outcome[3:]
    assert snap is not None and decision is not None
    assert {check.result for check in decision.gates[:2]} == {"pass"}
    assert [row.hash for row in around.rows(decisions)] == [decision.hash]
    assert len(around.rows(snapshots)) == 1
    assert around.desk.price == snap.price


async def test_a_decision_is_replayed_byte_for_byte_and_a_changed_one_is_found(around, capsys):
    await around.desk.collect()
    for _ in range(3):
        await around.desk.decide(around.venue.now)
        around.venue.now += 300_000
        await around.desk.collect()
    await around.record.close()
    path = around.paths.data / "decisions" / "showdown.000001.jsonl"
    assert [again.same for again in replay.replay(path)[0]] == [True] * 3
    assert replay_cli.main([str(path), "--json"], load_settings(around.paths, {}), around.paths) == 0
    assert json.loads(capsys.readouterr().out)["decisions"] == 3

    lines = path.read_bytes().splitlines(keepends=True)
    from modules.storage.decisions import line_of
    body = lines[1].split(b" ", 1)[1].rstrip(b"\n").replace(b'"action":"flat"', b'"action":"long"')
    path.write_bytes(b"".join([lines[0], line_of(body), *lines[2:]]))
    assert [again.same for again in replay.replay(path)[0]] == [False, True, True]
    assert replay_cli.main([str(path)], load_settings(around.paths, {}), around.paths) == 1
    assert "1 DIFFER" in capsys.readouterr().out
    path.write_bytes(lines[0] + lines[1].replace(b"flat", b"fake"))
    with pytest.raises(DecisionFileError, match="checksum"):
        replay.replay(path)


async def test_a_database_that_is_away_means_flat_and_said(around, monkeypatch):
    await around.desk.collect()

    def away(*_: Any) -> None:
        raise DatabaseAway("no route")
    monkeypatch.setattr("modules.strategies.showdown.store.read_market", away)
    written = []
    around.desk._put = lambda table, rows: written.append(table)
    decision = (await around.desk.decide(around.venue.now)).decision
    assert decision.reason == "flat_data_fresh" and "no route" in decision.reasons[0]
    assert "decisions" in written


async def test_a_contract_the_venue_does_not_have_is_named(around):
    around.venue.known = None
    with pytest.raises(Unavailable, match=r"BTCUSDT.*showdown\.symbols"):
        await around.desk.collect()
    assert (await around.desk.decide(around.venue.now)).decision.action == "flat"


async def test_manual_sources_count_and_reach_sql_once(around):
    await around.desk.collect()
    around.desk.manual.enter("sentiment", "halt rumours", "console", None, around.venue.now)
    around.desk.put_manual()
    around.desk.put_manual()
    assert (await around.desk.decide(around.venue.now)).decision.reason == "flat_no_warnings"
    around.desk.manual.undo("sentiment", NOW + 60_000)
    around.desk.put_manual()
    rows = around.rows(news_sentiment)
    assert [(row.version, row.undone_ms) for row in rows] == [(1, NOW + 60_000)]
    assert "halt" not in (await around.desk.decide(around.venue.now)).decision.reason


async def test_a_map_put_by_hand_waits_for_a_price_and_errors_are_told(around):
    path = around.paths.data / "btc_liquidation_map.json"
    path.write_text('{"zones": [{"side": "long", "low": 1, "high": 49000, "size_usd": 5}]}')
    assert around.desk.by_hand(around.venue.now) == ([], [])
    await around.desk.collect()
    await around.desk.decide(around.venue.now)
    assert [kind for kind, _ in around.desk.by_hand(around.venue.now)[0]] == ["liqmap"]
    path.write_text('{"zones": "bad"}')
    assert around.desk.by_hand(around.venue.now) == ([], [("liqmap", ["zones: Input should be a list (it is 'bad')"])])


async def test_damaged_manual_sources_refuse_entries(around):
    await around.desk.collect()
    for name in ("btc_manual.json", "btc_manual.json.bak"):
        (around.paths.data / name).write_text("{ broken")
    decision = (await around.desk.decide(around.venue.now)).decision
    assert decision.reason == "flat_account_readable" and "manual sources" in decision.reasons[0]


def test_files_of_further_contracts_do_not_meet(tmp_path):
    paths = Paths(tmp_path)
    first, other = ShowdownFiles(paths, "BTCUSDT", True), ShowdownFiles(paths, "ETHUSDT", False)
    assert first.decision.name == "decision.json" and other.decision.name == "eth_decision.json"
    names = [{str(getattr(one, name)) for name in ("snapshot", "flow", "decision", "versions")}
             | {str(one.manual(kind)) for kind in ("etf", "liqmap", "sentiment")} for one in (first, other)]
    assert not names[0] & names[1]
