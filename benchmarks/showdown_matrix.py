"""The crash matrix of system C: its execution dies at every step of enter, chase, emergency, target, close.

    python -m benchmarks.showdown_matrix [--json] [--only POINT] [--operation NAME] [--one-way] [--own]

`--own`: only the points of system C's own steps (those of the desk below are tried by futures_crash_matrix as well).
Each case: prepare, die at the first passing of the point, start again, wait until nothing is under way, compare orders,
positions, guards, funding, wallet and the trade's record with the venue's truth. A watch measures how long any position
stood without a stop on the venue, and how long a start takes until positions are under guard.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.futures_world import WorldError
from benchmarks.showdown_world import ShowdownWorld
from modules.execution.crashpoints import declared

SYMBOL = "ETHUSDT"
ALLOWED_S = 3.0
TRIES = 5
SETTLE_S = 2.0
OWN = ("modules.strategies.showdown.",)


@dataclass
class Case:
    """One death and what came of it."""

    point: str
    operation: str
    struck: bool = False
    seconds: float = 0.0
    bare_s: float = 0.0
    guarded_s: float = 0.0
    problems: list[str] = field(default_factory=list)


def enter(world: ShowdownWorld) -> None:
    """A decision becomes a guarded position by its quotes."""
    flat(world)
    world.decide(SYMBOL, off_pct="0.3")


def chase(world: ShowdownWorld) -> None:
    """The market runs away: quotes that rest, one after the other, none filled or a part."""
    flat(world)
    world.decide(SYMBOL, off_pct="-1.5", confidence=0.1)


def emergency(world: ShowdownWorld) -> None:
    """The quotes are used up, the rest is taken at the market."""
    flat(world)
    world.environment["REQUOTES"] = "0"
    world.decide(SYMBOL, off_pct="0.5")


def target(world: ShowdownWorld) -> None:
    """The first target is reached: part is closed, the stop goes to the entry."""
    held(world)
    world.act(action="jump", symbol=SYMBOL, pct="3.7")


def close(world: ShowdownWorld) -> None:
    """A person closes it."""
    held(world)
    world.inbox.post("close", {"symbol": SYMBOL}, "matrix")


def stopped(world: ShowdownWorld) -> None:
    """The stop is filled while nobody looks."""
    held(world)
    world.act(action="jump", symbol=SYMBOL, pct="-6")


OPERATIONS: dict[str, Callable[[ShowdownWorld], None]] = {
    "enter": enter, "chase": chase, "emergency": emergency, "target": target, "close": close, "stopped": stopped}


#: which of system C's own points an operation passes
PASSES: dict[str, tuple[str, ...]] = {
    "enter": ("trade.written", "chase.due", "chase.quoted"), "chase": ("chase.quoted", "trade.over"),
    "emergency": ("emergency.due", "emergency.done"),
    "target": ("part.written", "part.reduced", "part.done", "even.done"), "close": ("trade.over",),
    "stopped": ("trade.over",)}


def over(world: ShowdownWorld, name: str) -> bool:
    """Whether the operation has come to its end."""
    trades = world.trades()
    if not world.at_rest() or any("entering" in text for text in trades.values()):
        return False
    if name == "target":
        return not trades or all("even True" in text for text in trades.values())
    return name not in ("close", "stopped") or not trades


def flat(world: ShowdownWorld) -> None:
    """Nothing is held; no trader runs."""
    world.environment.pop("REQUOTES", None)
    if world.held() or world.trades() or not world.status():
        alive(world)
        world.wait(lambda: not any("entering" in text for text in world.trades().values()), "no entry is under way")
        for symbol in list(world.trades()):
            world.inbox.post("close", {"symbol": symbol}, "matrix")
        world.wait(lambda: world.at_rest() and not world.held() and not world.trades(), "everything is closed")
    world.kill()


def held(world: ShowdownWorld) -> None:
    """A guarded position at its first stop; no trader runs."""
    flat(world)
    alive(world)
    world.decide(SYMBOL, off_pct="0.3")
    world.wait(lambda: world.at_rest() and world.held() and "held" in world.trades().get(SYMBOL, ""),
               "a position is held")
    world.kill()


def alive(world: ShowdownWorld) -> None:
    """A trader in health, with everything read."""
    if world.trader is None or world.armed or world.crashed:
        world.start()
    world.wait(world.at_rest, "a trader in health")


def run_case(world: ShowdownWorld, point: str, name: str) -> Case:
    """One cell of the matrix."""
    began, case = time.monotonic(), Case(point, name)
    try:
        OPERATIONS[name](world)
        before = len(world.watch.gaps)
        world.start(crash_at=f"{point}:1")
        world.wait(lambda: world.crashed or (over(world, name) and world.status().get("trades") is not None),
                   f"{name} with {point}")
        time.sleep(SETTLE_S)  # a step may be written before it is carried out
        case.struck = world.crashed
        if case.struck:
            start = time.monotonic()
            world.start()
            world.wait(lambda: world.status().get("guarded"), "positions under guard")
            case.guarded_s = round(time.monotonic() - start, 2)
        world.wait(lambda: over(world, name), f"{name} after {point}")
        end = time.monotonic() + 15
        while (problems := world.verdict()) and time.monotonic() < end:
            time.sleep(0.3)
        case.problems = problems
        case.bare_s = round(max((gap[0] for gap in world.watch.gaps[before:]), default=0.0), 2)
    except WorldError as problem:
        case.problems = [str(problem)[:1500], *world.verdict()]
    if case.bare_s > ALLOWED_S:
        case.problems.append(f"a position stood {case.bare_s} s without a stop")
    case.seconds = round(time.monotonic() - began, 1)
    return case


def matrix(points: list[str], operations: list[str], tell: Callable[[Case], None], hedge: bool) -> list[Case]:
    """Every cell but those of own points that the operation never passes; a world that went wrong is left."""
    own = {point for passed in PASSES.values() for point in passed}
    cells = [(point, name) for name in operations for point in points if point not in own or point in PASSES[name]]
    cases: list[Case] = []
    while cells:
        with tempfile.TemporaryDirectory(prefix="coxswain-showdown-", ignore_cleanup_errors=True) as folder, \
                ShowdownWorld(Path(folder), hedge=hedge) as made:
            world = cast(ShowdownWorld, made)
            healthy = True
            while cells and healthy:
                point, name = cells.pop(0)
                case = run_case(world, point, name)
                for _ in range(0 if point not in PASSES["emergency"] else TRIES):
                    if not case.struck and not case.problems:  # the quote was filled before: once more
                        case = run_case(world, point, name)
                cases.append(case)
                tell(case)
                healthy = not case.problems
    return cases


def main() -> int:
    """The command line; 1 where a case failed, or a point of system C was never reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--own", action="store_true", help="only system C's own points")
    parser.add_argument("--only", choices=list(declared()), action="append", help="this point (may be repeated)")
    parser.add_argument("--operation", choices=list(OPERATIONS), action="append", help="this operation")
    parser.add_argument("--one-way", action="store_true", help="one-way mode instead of hedge mode")
    options = parser.parse_args()
    began = time.monotonic()

    def tell(case: Case) -> None:
        if not options.json:
            end = "wrong" if case.problems else "struck" if case.struck else "not passed"
            print(f"{case.point:>18} {case.operation:<10} {end:<10} {case.seconds:5.1f} s, bare {case.bare_s:.2f} s, "
                  f"guarded after {case.guarded_s:.2f} s", flush=True)
            for problem in case.problems:
                print(f"      ! {problem}", flush=True)

    own = [point for point, module in declared().items() if module.startswith(OWN)]
    points = options.only or (own if options.own else list(declared()))
    cases = matrix(points, options.operation or list(OPERATIONS), tell, not options.one_way)
    struck = [case for case in cases if case.struck]
    found = {"points": len(points), "cases": len(cases), "deaths": len(struck),
             "never_struck": [point for point in points if point not in {case.point for case in struck}],
             "worst_unguarded_s": max((case.bare_s for case in cases), default=0.0),
             "worst_start_s": max((case.guarded_s for case in cases), default=0.0),
             "load": round(os.getloadavg()[0], 1), "seconds": round(time.monotonic() - began),
             "failed": [asdict(case) for case in cases if case.problems]}
    print(json.dumps(found) if options.json else json.dumps(found, indent=2))
    missed = [point for point in own if point in found["never_struck"]] if not options.operation else []  # type: ignore[operator]
    return 1 if found["failed"] or missed else 0


if __name__ == "__main__":
    sys.exit(main())
