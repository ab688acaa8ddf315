"""What the crash matrices of futures share: one death in a prepared world, and how long positions stood without a stop.

Two figures, since between a death and the next start nobody could do anything: `bare_s` is how long a position stood
without a stop on the venue in all, `own_s` the program's part of it, without the time between death and start. That is
this matrix's own (what it does to the venue meanwhile) or, in life, the supervisor's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.futures_world import World
from benchmarks.killed_world import WorldError
from benchmarks.matrix import Case

ALLOWED_S = 3.0
AGREE_S = 15.0


@dataclass
class GuardedCase(Case):
    """See the module; `guarded_s`: from the next start until the trader itself says that positions are guarded."""

    bare_s: float = 0.0
    own_s: float = 0.0
    guarded_s: float = 0.0

    def figures(self) -> str:
        """The times."""
        back = f", guarded {self.guarded_s:.2f} s after the start" if self.struck else ""
        return f", bare {self.bare_s:.2f} s (own {self.own_s:.2f}){back}"


@dataclass(frozen=True)
class Course:
    """How one case goes. `begun` holds once the operation is over without a death, `over` whenever nothing of it is
    under way; `dead` is done to the venue while nobody is awake, `after` before the comparison."""

    prepare: Callable[[], None]
    begun: Callable[[], object]
    over: Callable[[], object]
    dead: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    settle_s: float = 0.0
    allowed_s: float = ALLOWED_S


def carry_out(world: World, case: GuardedCase, course: Course) -> GuardedCase:
    """Prepare, die, start again, wait until nothing is under way, compare. Everything wrong is in `problems`."""
    began, before, died, back = time.monotonic(), len(world.watch.gaps), math.inf, math.inf
    what = f"{case.operation} with {case.point}"
    try:
        course.prepare()
        before = len(world.watch.gaps)
        world.start(crash_at=f"{case.point}:{case.passing}")
        world.wait(lambda: world.crashed or course.begun(), what)
        world.until(lambda: world.crashed, course.settle_s)  # a step may be written before it is carried out
        world.until(lambda: world.crashed or not world.verdict(), AGREE_S)  # what comes late may still pass the point
        case.struck, case.last = world.crashed, str(world.status().get("last", ""))[:150]
        if case.struck:
            died = time.monotonic()
            course.dead()
            back = time.monotonic()
            world.start()
            world.wait(lambda: world.status().get("guarded"), "positions under guard")
            case.guarded_s = round(time.monotonic() - back, 2)
        world.wait(course.over, f"{what}, afterwards")
        course.after()
        world.until(lambda: not world.verdict(), AGREE_S)
        case.problems = world.verdict()
    except WorldError as problem:
        case.problems = [str(problem)[:1500], *world.verdict()]
    case.bare_s, case.own_s = bare(world.watch.gaps[before:], died, back)
    if case.own_s > course.allowed_s:
        case.problems.append(f"a position stood {case.own_s} s of the program's own time without a stop")
    case.seconds = round(time.monotonic() - began, 1)
    return case


def bare(gaps: Sequence[tuple[float, str, float]], died: float, back: float) -> tuple[float, float]:
    """The longest time without a stop, and the longest without what lay between death and start; seconds.

    `gaps` as `Watch` has them: (seconds, leg, when it ended); `died`, `back` by the same clock, infinite without one.
    """
    whole, own = 0.0, 0.0
    for seconds, _, ended in gaps:
        waited = 0.0 if died == math.inf else max(0.0, min(ended, back) - max(ended - seconds, died))
        whole, own = max(whole, seconds), max(own, seconds - waited)
    return round(whole, 2), round(own, 2)


def alive(world: World) -> None:
    """A trader in health, with everything read."""
    if world.process is None or world.armed or world.crashed:
        world.start()
    world.wait(world.at_rest, "a trader in health")


def flat(world: World) -> None:
    """Nothing is held; no trader runs."""
    if world.held() or not world.status():
        alive(world)
        if world.held():
            world.inbox.post("flatten", {}, "matrix")
        world.wait(lambda: world.at_rest() and world.all_closed(), "everything is closed")
    world.kill()


def summary(cases: Sequence[GuardedCase], points: list[str]) -> dict[str, Any]:
    """The matrix as one object."""
    struck = [case for case in cases if case.struck]
    return {"points": len(points), "cases": len(cases), "deaths": len(struck),
            "never_struck": [point for point in points if point not in {case.point for case in struck}],
            "worst_unguarded_s": max((case.bare_s for case in cases), default=0.0),
            "worst_own_unguarded_s": max((case.own_s for case in cases), default=0.0),
            "worst_start_s": max((case.guarded_s for case in cases), default=0.0),
            "failed": [asdict(case) for case in cases if case.problems]}
