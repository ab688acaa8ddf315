"""The crash matrix of system C: its execution dies at every step of enter, chase, emergency, target, close.

    python -m benchmarks.showdown_matrix [--json] [--only POINT] [--operation NAME] [--one-way] [--own | --desk]

`--own`: only the points of system C's own steps; `--desk`: only those of the futures desk below, under this system.
Each case: prepare, die at the first passing of the point, start again, wait until nothing is under way, compare orders,
positions, guards, funding, wallet and the trade's record with the venue's truth. Funding is settled while a position is
held: in the preparation, while the process is dead, and once more before the comparison. A watch measures how long any
position stood without a stop on the venue, and how long a start takes until positions are under guard.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.futures_matrix import Course, GuardedCase, alive, carry_out, summary
from benchmarks.matrix import Matrix, Options, through
from benchmarks.showdown_world import ShowdownWorld
from modules.execution.crashpoints import declared

SYMBOL = "ETHUSDT"
TRIES = 5
SETTLE_S = 2.0
OWN = [point for point, module in declared().items() if module.startswith("modules.strategies.showdown.")]


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
    "enter": ("trade.written", "chase.due", "chase.quoted", "aim.written", "aim.placed"),
    "chase": ("chase.quoted", "trade.over"),
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
    world.wait(world.aimed, "the first target stands on the exchange")
    world.settle_funding()
    world.kill()


def run_case(world: ShowdownWorld, point: str, name: str) -> GuardedCase:
    """One cell of the matrix."""
    return carry_out(world, GuardedCase(point, name), Course(
        lambda: OPERATIONS[name](world), lambda: over(world, name), lambda: over(world, name), world.settle_funding,
        world.settle_funding, SETTLE_S))


def tried(world: ShowdownWorld, point: str, name: str) -> Iterator[GuardedCase]:
    """A cell; once more where the quote was filled before an emergency could be."""
    case = run_case(world, point, name)
    for _ in range(TRIES if point in PASSES["emergency"] else 0):
        if not case.struck and not case.problems:
            case = run_case(world, point, name)
    yield case


def matrix(options: Options, points: list[str], operations: list[str], told: Callable[[GuardedCase], None],
           funding: list[tuple[int, Decimal]]) -> list[GuardedCase]:
    """Every cell but those of own points that the operation never passes. `funding` grows by each world's payments:
    how many, USDT.
    """
    def paid(world: ShowdownWorld) -> None:
        account = world.truth()
        funding.append((sum(row["kind"] == "FUNDING_FEE" for row in account["income"]),
                        Decimal(account["sums"].get("FUNDING_FEE", "0"))))

    own = {point for passed in PASSES.values() for point in passed}
    cells = [(point, name) for name in operations for point in points if point not in own or point in PASSES[name]]
    return through(cells, lambda folder, _: ShowdownWorld(folder, hedge=not options.one_way),
                   lambda world, cell: tried(world, *cell), told, leaving=paid)


def chosen(options: Options) -> list[str]:
    """The points by the options."""
    return OWN if options.own else [point for point in declared() if not options.desk or point not in OWN]


def more(parser: argparse.ArgumentParser) -> None:
    """Options of this matrix."""
    parser.add_argument("--own", action="store_true", help="only system C's own points")
    parser.add_argument("--desk", action="store_true", help="only the points of the desk below")
    parser.add_argument("--one-way", action="store_true", help="one-way mode instead of hedge mode")


def main() -> int:
    """The command line; 1 where a case failed, or a point of system C was never reached."""
    funding: list[tuple[int, Decimal]] = []

    def whole(cases: list[GuardedCase], points: list[str]) -> dict[str, Any]:
        return {**summary(cases, points), "funding_payments": sum(count for count, _ in funding),
                "funding_usdt": str(sum((much for _, much in funding), Decimal(0)))}

    return Matrix(__doc__ or "", list(OPERATIONS), list(declared()), chosen,
                  lambda options, points, names, told: matrix(options, points, names, told, funding), whole,
                  lambda _, found: [point for point in OWN if point in found["never_struck"]]).command(more)


if __name__ == "__main__":
    sys.exit(main())
