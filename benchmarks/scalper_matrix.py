"""The scalper's crash matrix: it dies at every step of its trades and must end at the venue's truth.

    python -m benchmarks.scalper_matrix [--json] [--main] [--only POINT] [--operation NAME] [--one-way]

Points: those of the scalper's trader (`trade.…`) and of the futures desk below it. Operations: the ways of its trades:
limit filled at once (`entry`), limit then taker (`chase`), opposite signal (`turn`), longest hold (`late`), closed by
hand (`hand`), stop and target filled while it was dead. Besides what the futures' matrix compares (orders, guards,
books, wallet): one trade a signal, no more bought than it asked for, every position a trade of the state file, and the
sum of all results equal to what the wallet gained once all is flat. `--main`: the points of the trader and the
dangerous ones of the desk.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import benchmarks.scalper_trader as scalper_trader
from benchmarks.futures_matrix import ALLOWED_S, Course, GuardedCase, alive, carry_out, flat, summary
from benchmarks.futures_world import World
from benchmarks.matrix import Matrix, Options, through
from modules.exchange.types import Mode
from modules.execution.crashpoints import declared
from modules.execution.journal import read_journal
from modules.strategies.scalper.records import State, state_file

SYMBOL = "ETHUSDT"
MAIN = ("trade.noted", "trade.taken", "trade.opened", "trade.closing", "trade.closed", "intent.written",
        "order.answered", "result.written", "plan.written", "guard.written", "guard.answered", "entry.covered",
        "exit.due", "exit.booked", "perp.booked", "leg.cleared")


class ScalperWorld(World):
    """The futures world with the scalper's trader in it."""

    system, module = scalper_trader.SYSTEM, "benchmarks.scalper_trader"

    def signal(self, long: bool = True, through: bool = False, symbol: str = SYMBOL) -> None:
        """What an eye would tell; `through`: the price is the other side's, so that the limit order fills at once."""
        book = self.book(symbol)
        bid, ask = book["bids"][0][0], book["asks"][0][0]
        body = {"symbol": symbol, "long": long, "bid": ask if through and long else bid,
                "ask": bid if through and not long else ask}
        self.inbox.post("signal", body, "matrix")

    def state(self) -> State:
        """The scalper's own file."""
        return state_file(self.paths, Mode.LIVE).load()

    def all_closed(self) -> bool:
        """No position, and no trade in the state file."""
        return super().all_closed() and not self.state().open

    def verdict(self) -> list[str]:
        """The futures' verdict, and the scalper's: see the module."""
        found = [line for line in super().verdict() if not line.startswith("the wish ")]
        state, account = self.state(), self.truth()
        entries = [entry for entry in read_journal(self.paths.data / f"futures_{self.system}_intents.jsonl")
                   if entry.intent.leg == "entry"]
        orders = Counter(entry.intent.cause for entry in entries)
        found += [f"trade {cause} led to {many} orders" for cause, many in orders.items() if many > 2]
        for cause in orders:
            mine = [entry for entry in entries if entry.intent.cause == cause]
            filled = sum((entry.executed.quantity for entry in mine if entry.executed), Decimal(0))
            if filled > max(entry.intent.quantity or Decimal(0) for entry in mine):
                found.append(f"trade {cause} bought {filled}, more than it asked for")
        legs = Counter((trade.symbol, trade.position_side) for trade in state.open.values())
        held = {(row["symbol"], row["leg"]) for row in account["positions"]}
        found += [f"position {leg} is no trade of the state file" for leg in held - legs.keys()]
        found += [f"trade of {leg} holds nothing" for leg in legs.keys() - held]
        ended = Counter(trade.id for trade in state.last)
        found += [f"trade {name} ended {many} times" for name, many in ended.items() if many > 1]
        return found + ([] if held else self._results(state, account))

    def _results(self, state: State, account: dict[str, Any]) -> list[str]:
        """Flat: what the trades say they earned is what the wallet gained."""
        gained = sum((Decimal(value) for name, value in account["sums"].items() if name != "TRANSFER"), Decimal(0))
        return [] if abs(gained - state.pnl) <= Decimal("0.01") else [f"results {state.pnl}, wallet gained {gained}"]


def entry(world: ScalperWorld) -> None:
    """A limit order that fills at once."""
    flat(world)
    world.signal(through=True)


def short(world: ScalperWorld) -> None:
    """The same on the other side."""
    flat(world)
    world.signal(long=False, through=True)


def chase(world: ScalperWorld) -> None:
    """A limit order that waits, is cancelled, and is taken at once."""
    flat(world)
    world.signal()


def turn(world: ScalperWorld) -> None:
    """The opposite signal closes it."""
    held(world)
    world.inbox.post("turn", {"symbol": SYMBOL}, "matrix")


def late(world: ScalperWorld) -> None:
    """The longest hold is over."""
    held(world)
    world.inbox.post("late", {}, "matrix")


def hand(world: ScalperWorld) -> None:
    """Closed by hand."""
    held(world)
    world.inbox.post("flatten", {}, "matrix")


def stopped(world: ScalperWorld) -> None:
    """The stop is filled while it is dead; then another contract is traded."""
    held(world)
    world.act(action="jump", symbol=SYMBOL, pct="-8")
    time.sleep(1.0)
    world.signal(symbol="SOLUSDT", through=True)


def target(world: ScalperWorld) -> None:
    """The target is filled while it is dead; then another contract is traded."""
    held(world)
    world.act(action="jump", symbol=SYMBOL, pct="11")
    time.sleep(1.0)
    world.signal(symbol="SOLUSDT", long=False, through=True)


OPERATIONS: dict[str, Callable[[ScalperWorld], None]] = {
    "entry": entry, "short": short, "chase": chase, "turn": turn, "late": late, "hand": hand, "stopped": stopped,
    "target": target}


def held(world: ScalperWorld) -> None:
    """A guarded long trade of the contract, nothing else; no trader runs."""
    if [(row["symbol"], Decimal(row["qty"]) > 0) for row in world.held()] != [(SYMBOL, True)]:
        flat(world)
        alive(world)
        world.signal(through=True)
        world.wait(lambda: world.at_rest() and world.held(), "a position is held")
    world.kill()


def run_case(world: ScalperWorld, point: str, name: str, allowed_s: float = ALLOWED_S) -> GuardedCase:
    """One cell of the matrix. `allowed_s`: how long a position may stand without a stop, the next start included."""
    return carry_out(world, GuardedCase(point, name), Course(
        lambda: OPERATIONS[name](world), lambda: world.at_rest() and world.status().get("last"), world.at_rest,
        allowed_s=allowed_s))


def matrix(options: Options, points: list[str], operations: list[str],
           told: Callable[[GuardedCase], None]) -> list[GuardedCase]:
    """Every cell."""
    return through([(point, name) for name in operations for point in points],
                   lambda folder, _: ScalperWorld(folder, hedge=not options.one_way),
                   lambda world, cell: [run_case(world, *cell, options.allowed)], told)


def more(parser: argparse.ArgumentParser) -> None:
    """Options of this matrix."""
    parser.add_argument("--main", action="store_true", help="the main points only")
    parser.add_argument("--one-way", action="store_true", help="one-way mode instead of hedge mode")
    parser.add_argument("--allowed", type=float, default=ALLOWED_S, metavar="S",
                        help="longest time without a stop; more on a loaded machine, where a start takes longer")


MATRIX = Matrix(__doc__ or "", list(OPERATIONS), list(declared()),
                lambda options: list(MAIN if options.main else declared()), matrix, summary,
                lambda _, found: found["never_struck"])

if __name__ == "__main__":
    sys.exit(MATRIX.command(more))
