"""The ledger on disk: nothing counted twice, nothing forgotten, whatever a crash falls between."""

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from modules.exchange.types import Fill, Mode
from modules.execution import books as books_module
from modules.execution.books import Books
from modules.strategies.hype.desk_books import books_of
from tests.execution.ledger_cases import PEPE, fill
from utils.paths import Paths

D = Decimal
HOUR_MS = 3_600_000


def opened(home: Path) -> Books:
    books = books_of(Paths(home).prepare(), Mode.TEST)
    books.load()
    return books


def many(first: int, count: int, at: int = 0) -> list[Fill]:
    return [fill(number, "BUY", "1", "2", fee="0.002", at=at or number * 60_000)
            for number in range(first, first + count)]


def same(one: Books, other: Books) -> None:
    assert one.ledger.holdings() == other.ledger.holdings() and one.ledger.assets() == other.ledger.assets()
    assert (one.external, one.pending, one.explained) == (other.external, other.pending, other.explained)


def amount(books: Books) -> Decimal:
    """Coins of PEPE in the ledger."""
    holding = books.ledger.holding("PEPEUSDT")
    assert holding is not None
    return holding.quantity


async def test_what_was_written_is_what_is_read(tmp_path):
    books = opened(tmp_path)
    assert books.take(many(1, 3), PEPE) == many(1, 3)
    books.note("PEPE", D(7))
    books.owe("cx9", "PEPEUSDT")
    books.explain(many(50, 1))
    assert books.unwritten
    await books.flush(HOUR_MS)
    assert not books.unwritten
    same(opened(tmp_path), books)
    assert opened(tmp_path).held("PEPEUSDT") is None  # an order's fills are still owed
    books.paid(["cx9"])
    await books.flush(HOUR_MS)
    assert opened(tmp_path).held("PEPEUSDT") == 3


async def test_a_fill_told_again_is_counted_and_written_once(tmp_path):
    books = opened(tmp_path)
    books.take(many(1, 2), PEPE)
    await books.flush(HOUR_MS)
    assert books.take(many(1, 2), PEPE) == [] and not books.unwritten
    assert amount(opened(tmp_path)) == 2


async def test_a_fill_told_differently_is_kept_as_a_conflict_and_changes_nothing(tmp_path):
    books = opened(tmp_path)
    books.take(many(1, 1), PEPE)
    other = fill(1, "BUY", "5", "2", fee="0.002", at=60_000)
    assert books.take([other, other], PEPE) == [] and books.conflicts == [other]
    assert amount(books) == 1


async def test_a_long_history_is_shortened_and_says_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(books_module, "FILLS_AT_MOST", 30)
    monkeypatch.setattr(books_module, "FILLS_KEPT", 10)
    books = opened(tmp_path)
    for first in range(1, 200, 7):
        books.take(many(first, 7), PEPE)
        await books.flush(first * 60_000 + 2 * HOUR_MS)
        same(opened(tmp_path), books)
    assert len(books.ledger.fills("PEPEUSDT")) < 60
    assert amount(books) == 203


@pytest.mark.parametrize("point", ["ledger.written", "fills.written"])
async def test_a_crash_between_the_files_counts_each_fill_once(tmp_path, monkeypatch, point):
    monkeypatch.setattr(books_module, "FILLS_AT_MOST", 5)
    copy = tmp_path / "crashed"
    seen: list[str] = []

    def crash(name: str) -> None:
        seen.append(name)
        if name == point and not copy.exists():
            shutil.copytree(tmp_path / "home", copy)

    monkeypatch.setattr(books_module, "crash_point", crash)
    books = opened(tmp_path / "home")
    books.take(many(1, 4), PEPE)
    await books.flush(HOUR_MS)
    assert point in seen
    again = opened(copy)
    again.take(many(1, 4), PEPE)  # the intent was still open: it is booked again
    await again.flush(HOUR_MS)
    same(opened(copy), books)


async def test_a_shortening_that_a_crash_left_half_done_counts_nothing_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(books_module, "FILLS_AT_MOST", 5)
    monkeypatch.setattr(books_module, "FILLS_KEPT", 2)
    books = opened(tmp_path)
    history = type(books._history)
    with monkeypatch.context() as crash:
        crash.setattr(history, "clear", lambda self: 0)  # never came to it
        books.take(many(1, 9), PEPE)
        await books.flush(20 * HOUR_MS)
    again = opened(tmp_path)
    assert again.ledger.holding("PEPEUSDT") == books.ledger.holding("PEPEUSDT")
    assert again.ledger.assets() == books.ledger.assets()


async def test_a_disk_that_refuses_keeps_everything_for_the_next_write(tmp_path, monkeypatch):
    books = opened(tmp_path)
    books.take(many(1, 2), PEPE)

    def full(*_: object) -> None:
        raise OSError("disk full")

    for kind, method in ((type(books._file), "save"), (type(books._history), "extend")):
        with monkeypatch.context() as broken:
            broken.setattr(kind, method, full)
            with pytest.raises(OSError, match="disk full"):
                await books.flush(HOUR_MS)
        assert books.unwritten
    await books.flush(HOUR_MS)
    same(opened(tmp_path), books)


def test_coins_that_left_by_another_door_are_not_sold(tmp_path):
    books = opened(tmp_path)
    books.take(many(1, 5), PEPE)
    assert books.held("PEPEUSDT") == 5
    books.note("PEPE", D(-2))
    assert books.held("PEPEUSDT") == 3
    books.note("PEPE", D(100))
    assert books.held("PEPEUSDT") == 5 and books.held("NONEUSDT") is None


async def test_what_was_explained_before_sides_were_written_stays_explained(tmp_path):
    books = opened(tmp_path)
    books.explain([fill(1, "SELL", "1", "2")])
    assert books.known() == {("PEPEUSDT", "1 SELL")}
    books.explained = {("PEPEUSDT", "2"): None}  # as an older version wrote it
    books.owe("cx1", "PEPEUSDT")
    await books.flush(HOUR_MS)
    assert opened(tmp_path).known() == {("PEPEUSDT", "2 BUY"), ("PEPEUSDT", "2 SELL")}
