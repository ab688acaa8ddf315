"""The storm of system C: its execution on the simulated venue while everything goes wrong; the venue's truth judges.

    python -m benchmarks.showdown_storm --minutes 5 --seed 1 [--rate 0.05..0.2] [--one-way] [--home DIR] [--json]

Decisions and closes go to the service's execution; faults, kills and the owner's hand are those of `futures_storm`.
Then it is calm, books and trades are compared with positions open, and once more when all is closed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.futures_storm import LOOK_S, START, SYMBOLS, Storm, judged
from benchmarks.showdown_world import ShowdownWorld
from benchmarks.storms import command


class ShowdownStorm(Storm):
    """Wishes of system C instead of single orders; funding falls due every 5 to 12 s, and after each kill."""

    def _by_hand(self) -> None:
        super()._by_hand()
        if self.dice.due("funding", 5, 12):
            self._fund()

    def _fund(self) -> None:
        try:
            cast(ShowdownWorld, self.world).settle_funding(self.rng.choice(("0.003", "-0.002", "0.0005")))
            self.deeds.did("funding settled")
        except (OSError, HTTPException, ValueError):
            self.deeds.count["funding not settled"] += 1

    def _kill(self) -> None:
        """A trader that is still starting is left: on a busy machine nothing else would ever happen."""
        if self.world.status().get("opened"):
            super()._kill()
            self._fund()  # while nobody is awake

    def _wish(self) -> None:
        world = cast(ShowdownWorld, self.world)
        status = world.status()
        if not status.get("opened") or status.get("waiting", 0) > 2 or world.inbox.waiting() > 2:
            return
        trades, dice = world.trades(), self.rng.random()
        if trades and dice < 0.25:
            world.inbox.post("close", {"symbol": self.rng.choice(sorted(trades))}, "storm")
            self.deeds.count["wish close"] += 1
            return
        free = [symbol for symbol in SYMBOLS if symbol not in trades]
        if not free:
            return
        try:
            world.decide(self.rng.choice(free), self.rng.random() < 0.6, self.rng.randrange(300, 2000),
                         off_pct=self.rng.choice(("0.4", "0.1", "-0.2", "-0.6")),
                         confidence=self.rng.choice((0.9, 0.3)))
            self.deeds.count["wish decide"] += 1
        except (OSError, HTTPException, ValueError, KeyError):  # the venue is away, or spoils this answer
            self.deeds.count["wish without a price"] += 1


    def more(self, told: dict[str, Any]) -> dict[str, Any]:
        """Trades, how they ended, the loop's time."""
        ended = cast(ShowdownWorld, self.world).ended()
        return {"trades": len(ended), "ended": dict(Counter(row.ended for row in ended)),
                "emergencies": sum(row.emergencies for row in ended),
                "loop_ms_median_and_longest": told.get("loop_ms", [0, 0])}


def options(parser: argparse.ArgumentParser) -> None:
    """Options of this storm."""
    parser.add_argument("--one-way", action="store_true", help="one-way mode instead of hedge mode")


def run(chosen: argparse.Namespace, home: Path) -> dict[str, Any]:
    """A storm of system C."""
    with ShowdownWorld(home, seed=chosen.seed, start=START, hedge=not chosen.one_way, look_s=LOOK_S) as world:
        return judged(ShowdownStorm(world, chosen.seed, chosen.rate), chosen.minutes)


if __name__ == "__main__":
    sys.exit(command(__doc__, 5.0, options, run))
