"""What crash matrices and storms share: whose time a bare position is, which worlds are left, when a deed is due."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.futures_matrix import bare
from benchmarks.matrix import Case, Cell, through
from benchmarks.storms import Deeds, Dice


@pytest.mark.parametrize("gaps, died, back, expected", [
    ([], 10.0, 12.0, (0.0, 0.0)),
    ([(5.0, "a", 14.0)], 10.0, 12.0, (5.0, 3.0)),  # bare from 9 to 14: one second before the death, two after the start
    ([(1.0, "a", 11.5)], 10.0, 12.0, (1.0, 0.0)),  # opened and closed while nobody was awake
    ([(4.0, "a", 30.0)], 10.0, 12.0, (4.0, 4.0)),  # long after it
    ([(5.0, "a", 14.0), (4.0, "b", 30.0)], 10.0, 12.0, (5.0, 4.0)),
    ([(5.0, "a", 14.0)], math.inf, math.inf, (5.0, 5.0)),  # nobody died
])
def test_what_the_matrix_waits_between_death_and_start_is_not_the_programs(
        gaps: list[tuple[float, str, float]], died: float, back: float, expected: tuple[float, float]) -> None:
    assert bare(gaps, died, back) == expected


def test_a_world_in_which_something_went_wrong_is_left_and_a_cell_alone_has_its_own() -> None:
    worlds: list[list[str]] = []
    left: list[int] = []

    @contextmanager
    def world(folder: Path, cell: Cell) -> Iterator[list[str]]:
        assert folder.is_dir()
        worlds.append([])
        yield worlds[-1]

    def run(made: list[str], cell: Cell) -> list[Case]:
        made.append(cell[0])
        return [Case(*cell, problems=["lost"] if cell[0] == "b" else [])]

    cells = [("a", "x"), ("b", "x"), ("c", "x"), ("d", "alone"), ("e", "x")]
    told: list[Case] = []
    cases = through(cells, world, run, told.append, lambda cell: cell[1] == "alone",
                    lambda made: left.append(len(made)))
    assert worlds == [["a", "b"], ["c"], ["d"], ["e"]] and left == [2, 1, 1, 1]
    assert [case.point for case in cases] == ["a", "b", "c", "d", "e"] and told == cases


def test_the_first_deed_comes_after_its_least_time_or_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    dice = Dice(1)
    assert dice.due("faults", 5, 6, at_once=True) and not dice.due("kill", 2, 3)
    now[0] += 2.5
    assert dice.due("kill", 2, 3) and not dice.due("kill", 2, 3) and not dice.due("faults", 5, 6)
    now[0] += 4
    assert dice.due("kill", 2, 3) and dice.due("faults", 5, 6)


def test_a_gap_is_told_with_what_was_done_in_it_or_shortly_before() -> None:
    deeds = Deeds(log=[(1.0, "kill"), (8.0, "outage"), (10.5, "kill"), (20.0, "jump")])
    assert deeds.around(10.0, 12.0, 0.0, "ETH") == "2.00 s at 10 s, ETH; outage -2.0, kill +0.5"
    assert deeds.around(30.0, 31.0, 0.0, "ETH") == "1.00 s at 30 s, ETH; faults only"
