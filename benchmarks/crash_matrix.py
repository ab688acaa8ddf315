"""The crash matrix (issue 3): the tracker dies at every step, in every operation, and must end at the venue's truth.

    python -m benchmarks.crash_matrix [--json] [--only POINT] [--operation NAME]

Points come from the code (`modules.execution.crashpoints.declared`), so that none can be forgotten; a point at which no
operation died fails the run. Each case: prepare, die at the n-th passing of the point, start again, wait until nothing
is under way, compare positions, history, cash and fees with the venue's. The first passings may be of other work than
the operation's (positions are saved now and then), so n rises until the process died with the operation's own intent on
disk, or no longer dies.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import modules.strategies.hype.tracker_service  # noqa: F401  all points of the tracker's process are declared with it
from benchmarks.crash_world import World
from benchmarks.killed_world import WorldError
from benchmarks.matrix import Case as AnyCase
from benchmarks.matrix import Matrix, Options, through
from benchmarks.venue_books import Books
from modules.execution.crashpoints import declared

MOST_PASSINGS = 3


@dataclass
class Case(AnyCase):
    """`landed`: it died with the operation's intent on disk."""

    landed: bool = False


class Operation:
    """What the tracker is doing when it dies: prepared while it does not run, done when `done` holds."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.symbol = ""

    def prepare(self) -> None:
        """Leave the work where a tracker finds it at its start."""
        raise AssertionError(f"{type(self).__name__} prepares nothing")

    def done(self) -> bool:
        """Whether the wish is fulfilled, apart from orders under way."""
        return True


class Buy(Operation):
    """A proposal becomes an order and a position."""

    def prepare(self) -> None:
        self.world.kill()
        self.symbol = self.world.next_symbol()
        self.world.propose(self.symbol)


class PartialSell(Operation):
    """A target is reached; a slice is sold."""

    def prepare(self) -> None:
        position = self.world.position()
        self.symbol = position.symbol
        self.world.bring_to_target(position)

    def done(self) -> bool:
        held = self.world.files.tracked.load().get(self.symbol)
        return held is None or held.tp_hit >= 1


class FullSell(Operation):
    """A person sells everything of a token."""

    def prepare(self) -> None:
        self.symbol = self.world.position().symbol
        self.world.sell(self.symbol)

    def done(self) -> bool:
        return self.symbol not in self.world.files.tracked.load()


class Cancel(Operation):
    """An order of ours rests; half of it is filled while it is being cancelled."""

    def prepare(self) -> None:
        self.world.ask("/sim/faults", [{"class": "cancel", "kind": "partial_fill", "max_times": 1}])
        self.world.leave_resting()


class RecoverBuy(Buy):
    """The tracker died behind a purchase's answer; it dies again while it finds out."""

    first = "order.answered"

    def prepare(self) -> None:
        super().prepare()
        die(self.world, self.first)


class RecoverLost(RecoverBuy):
    """The tracker died before the purchase left."""

    first = "intent.written"


class RecoverSell(FullSell):
    """The tracker died behind a sale's answer; it dies again while it finds out."""

    def prepare(self) -> None:
        super().prepare()
        die(self.world, "order.answered")


OPERATIONS: dict[str, Callable[[World], Operation]] = {
    "buy": Buy, "partial sell": PartialSell, "full sell": FullSell, "cancel": Cancel, "recovery of a buy": RecoverBuy,
    "recovery of a lost buy": RecoverLost, "recovery of a sell": RecoverSell}


def points() -> list[str]:
    """Every point of the tracker's process, as declared."""
    return list(declared())


def die(world: World, point: str) -> None:
    """A tracker that dies at `point`. Raises WorldError where it lives on."""
    world.start(crash_at=point)
    world.wait(lambda: world.crashed, f"the tracker dies at {point}")


def at_rest(world: World, operation: Operation) -> bool:
    """Whether nothing is under way any more."""
    return not world.inbox.waiting() and operation.done() and not Books.read(world.home).open


def prepared(world: World, name: str) -> Operation:
    """An operation ready to be carried out; prepared once more where the market refused (the token was halted)."""
    operation = OPERATIONS[name](world)
    try:
        operation.prepare()
    except WorldError:
        world.kill()
        for path, message in world.inbox.take():
            world.inbox.done(path, message)
        operation = OPERATIONS[name](world)
        operation.prepare()
    return operation


def run_case(world: World, point: str, name: str, passing: int) -> Case:
    """One cell of the matrix, once. What is wrong afterwards is in `problems`. Raises WorldError (preparing)."""
    began = time.monotonic()
    case = Case(point, name, passing)
    operation = prepared(world, name)
    before = Books.read(world.home)
    known = set(before.intents) - before.open
    try:
        world.start(crash_at=f"{point}:{passing}")
        world.wait(lambda: world.crashed or (world.ready() and at_rest(world, operation)), f"{name} with {point}")
        if not world.crashed:  # a last turn may still pass the point
            time.sleep(0.3)
        case.struck = world.crashed
        case.landed = case.struck and bool(set(Books.read(world.home).intents) - known)
        world.start()
        world.wait(lambda: world.ready() and at_rest(world, operation), f"{name} after {point}:{passing}")
        world.wait(lambda: not world.verdict().problems, "our books are the venue's", 8.0)
    except WorldError as problem:
        case.problems = [str(problem).split("\n")[0], *world.verdict().problems]
    case.seconds = round(time.monotonic() - began, 2)
    return case


def cell(world: World, point: str, name: str) -> Iterator[Case]:
    """The cases of one point and one operation: n rises until it landed, or is not passed so often."""
    for passing in range(1, MOST_PASSINGS + 1):
        case = run_case(world, point, name, passing)
        yield case
        if case.problems or case.landed or not case.struck:
            return


def matrix(_: Options, chosen: list[str], names: list[str], told: Callable[[Case], None]) -> list[Case]:
    """Every cell."""
    return through([(point, name) for point in chosen for name in names], lambda folder, _: World(folder),
                   lambda world, one: cell(world, *one), told)


def summary(cases: list[Case], chosen_points: list[str]) -> dict[str, Any]:
    """The matrix as one object."""
    struck = {(case.point, case.operation) for case in cases if case.struck}
    landed = {(case.point, case.operation) for case in cases if case.landed}
    never = [point for point in chosen_points if not any(point == other for other, _ in struck)]
    failed = [asdict(case) for case in cases if case.problems]
    return {"points": len(chosen_points), "cases": len(cases), "deaths": sum(case.struck for case in cases),
            "cells_struck": len(struck), "cells_with_an_order_under_way": len(landed), "never_struck": never,
            "not_passed": sorted(f"{case.point} in {case.operation}" for case in cases
                                 if (case.point, case.operation) not in struck),
            "failed": failed, "slowest_s": max((case.seconds for case in cases), default=0.0)}


MATRIX = Matrix(__doc__ or "", list(OPERATIONS), points(), lambda _: points(), matrix, summary,
                lambda _, found: found["never_struck"])

if __name__ == "__main__":
    sys.exit(MATRIX.command())
