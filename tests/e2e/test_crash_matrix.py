"""The tracker as a real process dies once at every declared step; the venue's truth must be ours (issue 3).

One operation for each point here, so that it is quick; ``python -m benchmarks.crash_matrix`` has every combination.
"""

from collections.abc import Iterator

import pytest

from benchmarks.crash_matrix import OPERATIONS, Case, cell, points
from benchmarks.crash_world import World

# Where a point is passed on one path alone, and where on a path that comes late in the usual order.
FIRST = {"message.taken": "full sell", "message.carried_out": "full sell", "message.bought": "buy",
         "cancel.due": "cancel", "cancel.answered": "cancel", "fills.written": "buy", "ledger.written": "buy",
         "order.ended": "recovery of a sell", "result.written": "recovery of a buy"}
# All others take turns.
TURNS = ("buy", "partial sell", "full sell")


def operations(point: str) -> list[str]:
    """Operations to try until one passes the point: a new point finds its own."""
    first = FIRST.get(point, TURNS[points().index(point) % len(TURNS)])
    return [first, *(name for name in OPERATIONS if name != first)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("crash") / "home") as made:
        yield made


@pytest.mark.parametrize("point", points())
def test_a_death_at_every_step_ends_at_the_venues_truth(world: World, point: str) -> None:
    cases: list[Case] = []
    for operation in operations(point):
        cases += cell(world, point, operation)
        assert not [problem for case in cases for problem in case.problems], cases
        if any(case.struck for case in cases):
            return
    raise AssertionError(f"{point} is declared, and no operation passes it")


def test_every_kind_of_operation_is_tried() -> None:
    assert {operations(point)[0] for point in points()} >= {*TURNS, "cancel", "recovery of a sell", "recovery of a buy"}
