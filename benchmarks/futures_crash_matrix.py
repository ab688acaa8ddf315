"""The crash matrix of futures: the trader dies at every step, in every operation, and must end at the venue's truth.

    python -m benchmarks.futures_crash_matrix [--json] [--only POINT] [--operation NAME] [--one-way]

Points come from the code (`crashpoints.declared`). Each case: prepare, die at the n-th passing of the point, start
again, wait until nothing is under way, then compare orders, positions, guards, funding and the wallet with the venue's.
The watch beside it measures how long any position stood without a stop on the venue, deaths and restarts included.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from decimal import Decimal

from benchmarks.futures_world import World, WorldError
from modules.execution.crashpoints import declared

SYMBOL = "ETHUSDT"
ALLOWED_S = 3.0


@dataclass
class Case:
    """One death and what came of it."""

    point: str
    operation: str
    struck: bool = False
    seconds: float = 0.0
    bare_s: float = 0.0
    last: str = ""
    problems: list[str] = field(default_factory=list)


def entry(world: World) -> None:
    """A market order becomes a guarded position."""
    flat(world)
    world.enter(SYMBOL)


def partial(world: World) -> None:
    """An order takes what the best level offers, rests with the remainder, and is cancelled."""
    flat(world)
    offers = {symbol: world.book(symbol)["asks"][0] for symbol in ("ETHUSDT", "SOLUSDT")}
    symbol = min(offers, key=lambda one: Decimal(offers[one][0]) * Decimal(offers[one][1]))
    price, size = offers[symbol]
    more = Decimal("0.5") if symbol == "ETHUSDT" else 10
    world.enter(symbol, kind="LIMIT", price=price, quantity=str(Decimal(size) + more), rest_s=0.6)


def replace(world: World) -> None:
    """Stop and target of a position are moved."""
    held(world)
    mark = world.mark(SYMBOL)
    world.inbox.post("move", {**world.leg(SYMBOL), "stop": f"{mark * Decimal('0.95'):.1f}",
                              "take": f"{mark * Decimal('1.08'):.1f}"}, "matrix")


def enlarge(world: World) -> None:
    """A guarded position gets more."""
    held(world)
    world.enter(SYMBOL)


def close(world: World) -> None:
    """A position is closed."""
    held(world)
    world.inbox.post("close", world.leg(SYMBOL), "matrix")


def cancel(world: World) -> None:
    """An order rests and is cancelled."""
    flat(world)
    price = f"{world.mark(SYMBOL) * Decimal('0.98'):.1f}"
    world.enter(SYMBOL, kind="LIMIT", price=price, rest_s=0.4)


def stopped(world: World) -> None:
    """The stop is filled while nobody looks."""
    held(world)
    world.act(action="jump", symbol=SYMBOL, pct="-8")
    time.sleep(1.0)
    world.enter("SOLUSDT")


def target(world: World) -> None:
    """The target is reached while nobody looks."""
    held(world)
    world.act(action="jump", symbol=SYMBOL, pct="11")
    time.sleep(1.0)
    world.enter("SOLUSDT", long=False)


def funding(world: World) -> None:
    """Funding is settled while nobody looks (the world begins shortly before it)."""
    held(world)
    world.wait(lambda: "FUNDING_FEE" in world.truth()["sums"], "funding is settled", 60)
    world.enter("SOLUSDT")


OPERATIONS: dict[str, Callable[[World], None]] = {
    "entry": entry, "partial": partial, "enlarge": enlarge, "replace": replace, "close": close, "cancel": cancel,
    "stopped": stopped, "target": target, "funding": funding}


def flat(world: World) -> None:
    """Nothing is held; no trader runs."""
    if world.held() or not world.status():
        alive(world)
        if world.held():
            world.inbox.post("flatten", {}, "matrix")
        world.wait(lambda: world.at_rest() and not world.held(), "everything is closed")
    world.kill()


def held(world: World) -> None:
    """A guarded position; no trader runs."""
    if not [row for row in world.held() if row["symbol"] == SYMBOL and Decimal(row["qty"]) > 0]:
        alive(world)
        world.enter(SYMBOL)
        world.wait(lambda: world.at_rest() and world.held(), "a position is held")
    if len(world.held()) > 1:
        alive(world)
        world.inbox.post("close", world.leg("SOLUSDT", "-" not in str(next(
            row["qty"] for row in world.held() if row["symbol"] != SYMBOL))), "matrix")
        world.wait(lambda: world.at_rest() and len(world.held()) == 1, "the other position is closed")
    world.kill()


def alive(world: World) -> None:
    """A trader in health, with everything read."""
    if world.trader is None or world.armed or world.crashed:
        world.start()
    world.wait(world.at_rest, "a trader in health")


def run_case(world: World, point: str, name: str, passing: int = 1) -> Case:
    """One cell of the matrix. Raises WorldError while preparing."""
    began, case = time.monotonic(), Case(point, name)
    OPERATIONS[name](world)
    before = len(world.watch.gaps)
    try:
        world.start(crash_at=f"{point}:{passing}")
        world.wait(lambda: world.crashed or (world.at_rest() and world.status().get("last")), f"{name} with {point}")
        case.struck, case.last = world.crashed, str(world.status().get("last", ""))[:150]
        if case.struck:
            world.start()
        world.wait(world.at_rest, f"{name} after {point}")
        end = time.monotonic() + 15
        while (problems := world.verdict()) and time.monotonic() < end:
            time.sleep(0.3)
        case.problems = problems
    except WorldError as problem:
        case.problems = [str(problem)[:1500], *world.verdict()]
    case.bare_s = round(max((gap[0] for gap in world.watch.gaps[before:]), default=0.0), 2)
    if case.bare_s > ALLOWED_S:
        case.problems.append(f"a position stood {case.bare_s} s without a stop")
    case.seconds = round(time.monotonic() - began, 1)
    return case


def matrix(points: list[str], operations: list[str], tell: Callable[[Case], None], hedge: bool) -> list[Case]:
    """Every cell; a world in which something went wrong is left."""
    cells = [(point, name) for name in operations for point in points]
    cases: list[Case] = []
    while cells:
        start = "2025-03-01T15:58:00" if cells[0][1] == "funding" else "2025-03-01T10:00:00"
        with tempfile.TemporaryDirectory(prefix="coxswain-futures-", ignore_cleanup_errors=True) as folder, \
                World(Path(folder), start=start, hedge=hedge) as world:
            healthy = True
            while cells and healthy:
                point, name = cells.pop(0)
                case = run_case(world, point, name)
                cases.append(case)
                tell(case)
                healthy = not case.problems and name != "funding" and not (cells and cells[0][1] == "funding")
    return cases


def summary(cases: list[Case], points: list[str]) -> dict[str, object]:
    """The matrix as one object."""
    struck = [case for case in cases if case.struck]
    return {"points": len(points), "cases": len(cases), "deaths": len(struck),
            "never_struck": [point for point in points if point not in {case.point for case in struck}],
            "worst_unguarded_s": max((case.bare_s for case in cases), default=0.0),
            "failed": [asdict(case) for case in cases if case.problems]}


def main() -> int:
    """The command line; 1 where a case failed or a point was never reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=list(declared()), action="append", help="this point (may be repeated)")
    parser.add_argument("--operation", choices=list(OPERATIONS), action="append", help="this operation")
    parser.add_argument("--one-way", action="store_true", help="one-way mode instead of hedge mode")
    options = parser.parse_args()
    began = time.monotonic()

    def tell(case: Case) -> None:
        if not options.json:
            end = "wrong" if case.problems else "struck" if case.struck else "not passed"
            print(f"{case.point:>18} {case.operation:<10} {end:<10} {case.seconds:5.1f} s, bare {case.bare_s:.2f} s"
                  + ("" if case.struck else f"; {case.last}"), flush=True)
            for problem in case.problems:
                print(f"      ! {problem}", flush=True)

    points = options.only or list(declared())
    cases = matrix(points, options.operation or list(OPERATIONS), tell, not options.one_way)
    found = {**summary(cases, points), "seconds": round(time.monotonic() - began)}
    print(json.dumps(found) if options.json else json.dumps(found, indent=2))
    never = found["never_struck"] if not options.operation else []
    return 1 if found["failed"] or never else 0


if __name__ == "__main__":
    sys.exit(main())
