"""The writer: nothing is lost while the database is away, whatever dies; bad rows stop nobody."""

import subprocess
import sys
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import URL

from modules.storage.sql.database import Database
from modules.storage.sql.settings import DatabaseSettings
from modules.storage.sql.spool import Entry, Place, Spool, SpoolFull
from modules.storage.sql.tables import logs, metrics, trades
from modules.storage.sql.writer import Writer
from tests.storage.sql.proxy import Proxy
from tests.storage.sql.test_schema import TRADE
from tests.surroundings import wait_until

SETTINGS = DatabaseSettings(flush_ms=1, batch_rows=50)


def metric(ms: int) -> dict[str, object]:
    return {"name": "lag", "ms": ms, "value": float(ms)}


def open_writer(url: URL, folder, listen=None) -> Writer:
    writer = Writer(Database(url), Spool(folder), SETTINGS, listen)
    writer.start()
    return writer


def count(url: URL, table) -> int:
    database = Database(url)
    with database.begin() as connection:
        found = connection.execute(select(func.count()).select_from(table)).scalar_one()
    database.close()
    return int(found)


def test_rows_arrive_in_order_with_ids_of_their_own(url: URL, tmp_path) -> None:
    writer = open_writer(url, tmp_path / "spool")
    for ms in range(120):
        writer.add("logs", [{"ms": ms, "service": "s", "level": "INFO", "kind": "ORDERS", "text": f"ü {ms}"}])
    writer.add("trades", [TRADE], durable=True)
    assert writer.drain(30)
    writer.close()
    assert writer.state().written == 121 and writer.state().waiting_bytes == 0
    assert count(url, logs) == 120 and count(url, trades) == 1


def test_a_database_that_is_down_loses_nothing(url: URL, tmp_path) -> None:
    """Down from the start: rows wait on disk through a kill, and are written once when it is back."""
    away = URL.create(url.drivername, "root", host="127.0.0.1", port=1, database="x") if url.host else URL.create(
        "sqlite", database=str(tmp_path / "no" / "such" / "folder.db"))
    told: list[str] = []
    writer = open_writer(away, tmp_path / "spool", told.append)
    writer.add("metrics", [metric(ms) for ms in range(70)])
    wait_until(lambda: told, "the writer tells that the database is away")
    assert told[0] and not writer.drain(0.01)
    writer.close(0.01)
    second = open_writer(url, tmp_path / "spool")
    second.add("metrics", [metric(70)])
    assert second.drain(30)
    second.close()
    assert count(url, metrics) == 71


def test_a_server_that_goes_and_comes_back_gets_every_row_once(url: URL, tmp_path) -> None:
    if url.host is None:
        pytest.skip("SQLite has no server that could go")
    told: list[str] = []
    with Proxy(url.host, url.port or 0) as proxy:
        writer = open_writer(url.set(port=proxy.port), tmp_path / "spool", told.append)
        writer.add("metrics", [metric(0)])
        assert writer.drain(30)
        proxy.cut()
        writer.add("metrics", [metric(ms) for ms in range(1, 400)])
        wait_until(lambda: told, "the writer tells that the database is away")
        proxy.mend()
        assert writer.drain(60)
        writer.close()
    assert told[0] and told[-1] == "" and count(url, metrics) == 400


def test_taking_the_same_rows_twice_writes_them_once(url: URL, tmp_path) -> None:
    writer = open_writer(url, tmp_path / "spool")
    writer.add("logs", [{"ms": 1, "service": "s", "level": "INFO", "kind": "ORDERS", "text": "once"}] * 3)
    assert writer.drain(30)
    writer.close()
    (tmp_path / "spool" / "done.json").unlink()  # as after a death between the commit and the note of it
    again = open_writer(url, tmp_path / "spool")
    assert again.drain(30)
    again.close()
    assert again.state().written == 3 and count(url, logs) == 3


def test_a_bad_row_is_set_aside_and_the_others_arrive(url: URL, tmp_path) -> None:
    writer = open_writer(url, tmp_path / "spool")
    writer.add("metrics", [metric(ms) for ms in range(30)])
    writer.add("trades", [{**TRADE, "price": Decimal("1e-25")}, {**TRADE, "trade_id": "2"}])
    assert writer.drain(30)
    writer.close()
    assert count(url, metrics) == 30 and count(url, trades) == 1 and writer.state().refused == 1
    refused = msgspec.json.decode((tmp_path / "spool" / "refused.jsonl").read_bytes())
    assert refused["row"]["trade_id"] == "1" and "money" in refused["reason"]


def test_unknown_tables_and_columns_are_told_at_once(tmp_path) -> None:
    writer = Writer(Database(URL.create("sqlite", database=str(tmp_path / "a.db"))), Spool(tmp_path / "s"), SETTINGS)
    with pytest.raises(KeyError, match="colour"):
        writer.add("metrics", [{**metric(1), "colour": "red"}])
    with pytest.raises(KeyError):
        writer.add("paintings", [{}])


def test_a_kill_loses_no_row_that_was_handed_over(tmp_path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from modules.storage.sql.spool import Entry, Spool
spool = Spool(Path({str(tmp_path / 'spool')!r}))
for number in range(500):
    spool.put([Entry("metrics", {{"ms": number}})])
os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
"""
    subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    entries, _ = Spool(tmp_path / "spool").take(1000)
    assert [entry.row["ms"] for entry in entries] == list(range(500))


def test_segments_turn_over_and_are_removed_when_done(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("modules.storage.sql.spool.SEGMENT_BYTES", 1000)
    spool = Spool(tmp_path)
    for number in range(200):
        spool.put([Entry("t", {"n": number})])
    spool.close()
    spool = Spool(tmp_path)
    seen: list[int] = []
    while True:
        entries, place = spool.take(7)
        if not entries:
            break
        seen += [entry.row["n"] for entry in entries]
        spool.done(place)
    assert seen == list(range(200)) and len(list(tmp_path.glob("*.spool"))) == 1


def test_torn_and_damaged_lines(tmp_path) -> None:
    spool = Spool(tmp_path)
    for number in range(5):
        spool.put([Entry("t", {"n": number})])
    spool.close()
    path = tmp_path / "00000001.spool"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"n":2', b'"n":7')
    path.write_bytes(b"".join(lines) + lines[0][:9])
    spool = Spool(tmp_path)
    entries, place = spool.take(10)
    assert [entry.row["n"] for entry in entries] == [0, 1, 3, 4] and spool.damaged == 1
    assert (tmp_path / "damaged.txt").read_bytes() == lines[2] and place == Place(1, sum(map(len, lines)))


def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path) -> None:
    spool = Spool(tmp_path, most_bytes=100)
    spool.put([Entry("t", {"n": 1})])
    with pytest.raises(SpoolFull, match="spool_mb"):
        spool.put([Entry("t", {"text": "x" * 200})])
    assert len(spool.take(10)[0]) == 1
