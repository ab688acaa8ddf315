"""The tracker as a real process dies once at every declared step; the venue's truth must be ours (issue 3).

One operation for each point here, so that it is quick; ``python -m benchmarks.crash_matrix`` has every combination.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.crash_matrix import OPERATIONS, Case, cell, points
from benchmarks.crash_world import World

# Where a point is passed only on one path; all others take turns.
ONLY = {"message.taken": "full sell", "message.carried_out": "full sell", "message.bought": "buy",
        "cancel.due": "cancel", "cancel.answered": "cancel"}
# What a recovery passes, too.
TURNS = ("buy", "partial sell", "full sell")
RECOVERIES = {"order.ended": "recovery of a sell", "trades.written": "recovery of a buy"}


def chosen() -> list[tuple[str, str]]:
    """One operation for every point, and two recoveries."""
    turns = [(point, ONLY.get(point, TURNS[i % len(TURNS)])) for i, point in enumerate(points())]
    return turns + [(point, name) for point, name in RECOVERIES.items() if point in points()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("crash") / "home") as made:
        yield made


@pytest.mark.parametrize(("point", "operation"), chosen(), ids=lambda value: value.replace(" ", "-"))
def test_a_death_at_every_step_ends_at_the_venues_truth(world: World, point: str, operation: str) -> None:
    cases: list[Case] = list(cell(world, point, operation))
    assert not [problem for case in cases for problem in case.problems], cases
    assert any(case.struck for case in cases), \
        f"{point} is not passed in {operation}: name the operation that passes it in ONLY"


def test_every_operation_is_tried() -> None:
    tried = {operation for _, operation in chosen()}
    assert tried >= set(OPERATIONS) - {"recovery of a lost buy"}
