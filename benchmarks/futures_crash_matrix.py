"""The crash matrix of futures: the trader dies at every step, in every operation, and must end at the venue's truth.

    python -m benchmarks.futures_crash_matrix [--json] [--only POINT] [--operation NAME] [--one-way] [--venue bybit]

Points come from the code (`crashpoints.declared`). Each case: prepare, die at the n-th passing of the point, start
again, wait until nothing is under way, then compare orders, positions, guards, funding and the wallet with the venue's.
The watch beside it measures how long any position stood without a stop on the venue, deaths and restarts included.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.futures_matrix import Course, GuardedCase, alive, carry_out, flat, summary
from benchmarks.futures_world import ACCOUNTS, World
from benchmarks.matrix import Cell, Matrix, Options, through
from modules.execution.crashpoints import declared

SYMBOL = "ETHUSDT"


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


def run_case(world: World, point: str, name: str) -> GuardedCase:
    """One cell of the matrix."""
    return carry_out(world, GuardedCase(point, name), Course(
        lambda: OPERATIONS[name](world), lambda: world.at_rest() and world.status().get("last"), world.at_rest))


def matrix(options: Options, points: list[str], operations: list[str],
           told: Callable[[GuardedCase], None]) -> list[GuardedCase]:
    """Every cell; funding has worlds of its own, which begin shortly before it is settled."""
    def world(folder: Path, cell: Cell) -> World:
        start = "2025-03-01T15:58:00" if cell[1] == "funding" else "2025-03-01T10:00:00"
        return World(folder, start=start, hedge=not options.one_way, venue=options.venue)

    cells = [(point, name) for name in operations for point in points]
    return through(cells, world, lambda made, cell: [run_case(made, *cell)], told, lambda cell: cell[1] == "funding")


def more(parser: argparse.ArgumentParser) -> None:
    """Options of this matrix."""
    parser.add_argument("--one-way", action="store_true", help="one-way mode instead of hedge mode")
    parser.add_argument("--venue", choices=list(ACCOUNTS), default="binance", help="whose protocol is spoken")


MATRIX = Matrix(__doc__ or "", list(OPERATIONS), list(declared()), lambda _: list(declared()), matrix, summary,
                lambda _, found: found["never_struck"])

if __name__ == "__main__":
    sys.exit(MATRIX.command(more))
