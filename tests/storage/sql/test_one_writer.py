"""SQLite lets one transaction write at a time: who waits gets his turn, and who waits in vain is told."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import URL

from modules.storage.sql.database import Database, DatabaseAway
from tests.surroundings import wait_until

PATIENCE_S = 60.0


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A database with one table."""
    place = tmp_path / "one.db"
    with sqlite3.connect(place) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE noted (who TEXT)")
    connection.close()
    yield place


def opened(file: Path, connect_s: float = PATIENCE_S) -> Database:
    return Database(URL.create("sqlite", database=str(file)), connect_s)


def note(database: Database, who: str) -> None:
    with database.begin(alone=True) as connection:
        connection.execute(text("INSERT INTO noted VALUES (:who)"), {"who": who})


def asked(database: Database) -> list[str]:
    """Grows with each question for SQLite's lock."""
    found: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def count(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        if statement == "BEGIN IMMEDIATE":
            found.append(statement)

    return found


def test_the_lock_is_asked_for_again_and_again(file: Path) -> None:
    """SQLite's own wait asks every 100 ms and loses against who writes often; here a free moment is found."""
    holder, waiter = opened(file), opened(file)
    questions = asked(waiter)
    thread = threading.Thread(target=note, args=(waiter, "waiter"))
    with holder.begin(alone=True):
        thread.start()
        wait_until(lambda: len(questions) > 3, "it asks again")
    thread.join()
    with waiter.begin() as connection:
        assert connection.execute(text("SELECT who FROM noted")).scalars().all() == ["waiter"]
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == round(PATIENCE_S * 1000)
    holder.close()
    waiter.close()


def test_writers_of_one_process_queue_before_they_ask(file: Path) -> None:
    database = opened(file)
    questions, begun = asked(database), threading.Event()

    def second() -> None:
        begun.set()
        note(database, "second")

    thread = threading.Thread(target=second)
    with database.begin(alone=True) as connection:
        thread.start()
        begun.wait()
        connection.execute(text("INSERT INTO noted VALUES ('first')"))
        assert database._writing.locked() and len(questions) == 1
    thread.join()
    with database.begin() as connection:
        assert connection.execute(text("SELECT who FROM noted ORDER BY rowid")).scalars().all() == ["first", "second"]
    assert len(questions) == 2
    database.close()


@pytest.mark.parametrize("within", [True, False], ids=["this process's own", "another's"])
def test_who_waits_in_vain_is_told(file: Path, within: bool) -> None:
    holder, waiter = opened(file), opened(file, 0.1)
    with (waiter if within else holder).begin(alone=True):
        with pytest.raises(DatabaseAway, match=r"one\.db"):
            note(waiter, "waiter")
    note(waiter, "waiter")
    with waiter.begin() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM noted")).scalar_one() == 1
    holder.close()
    waiter.close()


def test_writers_of_one_process_lose_nothing(file: Path) -> None:
    database, problems = opened(file), []

    def count() -> None:
        try:
            for _ in range(20):
                with database.begin(alone=True) as connection:
                    seen = connection.execute(text("SELECT COUNT(*) FROM noted")).scalar_one()
                    connection.execute(text("INSERT INTO noted VALUES (:who)"), {"who": str(seen)})
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.begin() as connection:
        seen = connection.execute(text("SELECT who FROM noted")).scalars()
        assert sorted(int(one) for one in seen) == list(range(120))
    assert not problems
    database.close()
