"""Reports of day and week, and what is stored, on every database there is: once, and nothing lost while it is away."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL

from modules.storage.sql.database import Database
from modules.storage.sql.settings import DatabaseSettings
from modules.storage.sql.spool import Spool
from modules.storage.sql.tables import signals as signals_table
from modules.storage.sql.writer import Writer
from modules.strategies.signals import report, report_words
from modules.strategies.signals.follower import Tick
from modules.strategies.signals.report import Row
from modules.strategies.signals.reporter import GRACE_MS, Reporter, Said
from tests.storage.sql.conftest import url  # noqa: F401
from tests.strategies.signals.market import NOW, House

DAY = report.period("day", NOW, "UTC")
AFTER = DAY.end_ms + GRACE_MS + 1000


async def no_picture(*given: Any) -> str:
    return ""


def writer_of(folder: Path, address: URL) -> Writer:
    writer = Writer(Database(address, 1.0), Spool(folder / "data" / "spool" / "signals", 10_000_000),
                    DatabaseSettings())
    writer.start()
    return writer


def reporter_of(house: House, writer: Writer) -> Reporter:
    return Reporter(house.paths, writer, house.outbox, "UTC", "", no_picture)


def reports(house: House) -> list[str]:
    return [one.what for _, one in house.outbox.pending("owner") if one.what.startswith("Signals of")]


def row(net_r: float, control: bool = False, ms: int = DAY.begin_ms + 5000, symbol: str = "XUSDT") -> Row:
    return Row(symbol, "HIGH", control, ms, 80, True, ms + 1000, "TP2" if net_r > 0 else "SL", "", net_r, net_r, 2.0)


def test_a_period_is_a_calendar_day_or_week_of_the_zone() -> None:
    day = report.period("day", 1_774_746_000_000, "Europe/Riga")  # 2026-03-29, the clocks go forward
    assert day.name == "2026-03-29" and day.end_ms - day.begin_ms == 23 * 3_600_000
    week = report.period("week", NOW, "UTC", 1)
    assert week.end_ms == report.period("week", NOW, "UTC").begin_ms and week.end_ms - week.begin_ms == 7 * 86_400_000


def test_what_ended_in_the_period_is_judged_and_what_began_is_counted() -> None:
    rows = [row(1.5), row(-1.1, symbol="YUSDT"), row(-0.4, True), row(9, ms=DAY.begin_ms - 90_000_000),
            Row("XUSDT", "LOW", False, DAY.end_ms - 1, 50, False)]
    found = report.build(DAY, rows, {"HELD_BACK": 2, "IMBALANCE": 99}, AFTER, "UTC")
    assert (found["generated"], found["sent"], found["open"], found["ended"], found["triggered"]) == (5, 2, 1, 2, 2)
    assert found["best"][0]["symbol"] == "XUSDT" and found["worst"][0]["symbol"] == "YUSDT"
    assert found["efficiency"] == pytest.approx(0.4 / 4) and found["all"]["control"]["count"] == 1
    assert "Too few for a verdict" in report.verdict(found)
    text = "\n".join(report_words.lines(found))
    assert "held back after a loss 2" in text and "1 × " not in report_words.headline(found)


def test_a_verdict_needs_enough_of_both() -> None:
    many = [row(1.0 + n % 3, ms=DAY.begin_ms + n) for n in range(40)]
    against = [row(-1.0 + n % 3, True, ms=DAY.begin_ms + n) for n in range(40)]
    assert "better than" in report.verdict(report.build(DAY, many + against, {}, AFTER, "UTC"))
    assert "not distinguishable" in report.verdict(report.build(
        DAY, many + [row(1.0 + n % 3, True) for n in range(40)], {}, AFTER, "UTC"))


async def test_stored_followed_restarted_and_reported_once(tmp_path: Path, url: URL) -> None:  # noqa: F811
    house = House(tmp_path)
    writer = writer_of(tmp_path, url)
    house.rows.add = writer.add  # type: ignore[method-assign]
    reporter = reporter_of(house, writer)
    assert await reporter.turn(NOW) == 0, "the first run reports nothing that was over before"
    house.ready()
    assert house.desk.look("XUSDT") is None
    await house.ledger.dispatch(lambda: NOW, no_picture)
    writer.close()
    heir, writer = House(tmp_path, house.source), writer_of(tmp_path, url)  # a restart with a signal open
    try:
        heir.rows.add = writer.add  # type: ignore[method-assign]
        (signal,) = heir.ledger.state.open.values()
        heir.follower.begin(signal, again=True)
        assert await heir.follower.fill("XUSDT")
        heir.follower.on_ticks("XUSDT", [Tick(405, NOW + 5000, signal.follow.tp2)])
        await heir.ledger.dispatch(lambda: NOW + 5000, no_picture)
        assert writer.drain(20)
        with writer.database.begin() as connection:
            rows = connection.execute(select(signals_table.c.id, signals_table.c.status, signals_table.c.outcome)).all()
        assert [tuple(one) for one in rows] == [(signal.id, "closed", "TP2")]
        assert await reporter_of(heir, writer).turn(AFTER) == 1
        for _ in range(2):  # a restart after it was said; then one that forgot that it was
            assert await reporter_of(heir, writer).turn(AFTER + 1000) == 0
        (tmp_path / "data" / "signals_reports.json").write_text('{"newest": {"day": 0, "week": 0}}')
        await reporter_of(heir, writer).turn(AFTER + 2000)
        assert len(reports(heir)) == 1 and "1 ended" in reports(heir)[0]
    finally:
        writer.close()


async def test_the_database_away_with_a_signal_open_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.strategies.signals.reporter.DRAIN_S", 0.05)
    gone = URL.create("postgresql+pg8000", "nobody", host="127.0.0.1", port=1, database="none")
    house, writer = House(tmp_path), writer_of(tmp_path, gone)
    house.rows.add = writer.add  # type: ignore[method-assign]
    house.ready()
    assert house.desk.look("XUSDT") is None
    assert await house.ledger.dispatch(lambda: NOW, no_picture) == 1, "the message does not wait for the database"
    reporter = reporter_of(house, writer)
    reporter._file.save(Said(newest={"day": DAY.begin_ms - 86_400_000, "week": DAY.begin_ms}))
    assert await reporter.turn(AFTER) == 0 and reporter.waits and not reports(house)
    (signal,) = house.ledger.state.open.values()
    house.follower.on_ticks("XUSDT", [Tick(405, NOW + 5000, signal.follow.tp2)])
    await house.ledger.dispatch(lambda: NOW + 5000, no_picture)
    writer.close(0.1)
    back = writer_of(tmp_path, URL.create("sqlite", database=str(tmp_path / "back.db")))
    try:
        monkeypatch.setattr("modules.strategies.signals.reporter.DRAIN_S", 20.0)
        reporter = reporter_of(house, back)
        assert await reporter.turn(AFTER) == 1 and await reporter.turn(AFTER) == 0
        with back.database.begin() as connection:
            assert connection.execute(select(signals_table.c.status)).scalars().all() == ["closed"]
        told = [one.what for _, one in house.outbox.pending("owner")]
        assert len(told) == 3 and len(reports(house)) == 1
    finally:
        back.close()


async def test_a_symbol_delisted_with_a_signal_open_ends_as_gone_and_is_told_once(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.ready()
    assert house.desk.look("XUSDT") is None
    await house.ledger.dispatch(lambda: NOW, no_picture)
    for late in (0, 1000):
        house.follower.gone("XUSDT", NOW + 130_000 + late)
        await house.ledger.dispatch(lambda: NOW + 130_000, no_picture)
    told = [one.what for _, one in house.outbox.pending("owner")]
    assert len(told) == 2 and "no longer traded" in told[1]
    assert [one["outcome"] for one in house.rows.of("signals")] == [None, "GONE"] and not house.ledger.state.open
