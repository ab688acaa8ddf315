"""The storm of system C: its execution on the simulated venue while everything goes wrong; the venue's truth judges.

    python -m benchmarks.showdown_storm --minutes 5 --seed 1 [--rate 0.05..0.2] [--one-way] [--json]

Decisions and closes go to the service's execution; faults, kills and the owner's hand are those of `futures_storm`.
Then it is calm, books and trades are compared with positions open, and once more when all is closed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.futures_storm import KINDS, LOOK_S, SYMBOLS, Storm, _told
from benchmarks.showdown_world import ShowdownWorld


class ShowdownStorm(Storm):
    """Wishes of system C instead of single orders."""

    def _kill(self) -> None:
        """A trader that is still starting is left: on a busy machine nothing else would ever happen."""
        if self.world.status().get("opened"):
            super()._kill()

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


def run(minutes: float, seed: int, rate: float | None, hedge: bool, home: Path) -> dict[str, Any]:
    """A storm and what it left behind, as one object."""
    began = time.monotonic()
    with ShowdownWorld(home, seed=seed, start="2025-03-01T15:55:00", hedge=hedge, look_s=LOOK_S) as made:
        world = cast(ShowdownWorld, made)
        storm = ShowdownStorm(world, seed, rate)
        world.start()
        world.wait(lambda: world.status().get("opened"), "the trader begins")
        storm.blow(minutes * 60)
        storm.calm()
        problems = [f"open: {text}" for text in storm.settled(flat=False)]
        stormy = world.watch.longest()
        loops = world.status().get("loop_ms", [0, 0])
        world.inbox.post("flatten", {}, "storm")
        problems += [f"flat: {text}" for text in storm.settled(flat=True)]
        problems += [f"the trader died: {text}" for text in storm.deeds.died]
        account, status, ended = world.truth(), world.ask("/sim/status"), world.ended()
        if Decimal(account["identity"]):
            problems.append(f"the venue's own identity is off by {account['identity']}")
        gaps = sorted(world.watch.gaps, reverse=True)[:6]
        return {
            "seed": seed, "minutes": minutes, "mode": "hedge" if hedge else "one-way", "trades": len(ended),
            "ended": {one: sum(1 for row in ended if row.ended == one) for one in sorted({row.ended for row in ended})},
            "emergencies": sum(row.emergencies for row in ended), "orders": len(account["orders"]),
            "conditional_orders": len(account["algos"]), "fills": len(account["fills"]),
            "requests": status["faults"]["requests"],
            "faults": status["faults"]["injected"] + status["faults"]["in_bursts"],
            "kills": storm.deeds.count["kill"], "deeds": dict(sorted(storm.deeds.count.items())),
            "funding": account["sums"].get("FUNDING_FEE", "0"), "loop_ms_median_and_longest": loops,
            **{name: sum(any(word in text for word in words) for text in problems) for name, words in KINDS.items()},
            "worst_unguarded_s": round(stormy, 2), "longest_gaps": [_told(gap, storm.deeds, began) for gap in gaps],
            "load": os.getloadavg()[0], "seconds": round(time.monotonic() - began), "problems": problems}


def main() -> int:
    """The command line; 1 where an invariant is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=None, help="share of requests that fail (default: 0.05 to 0.2)")
    parser.add_argument("--one-way", action="store_true", help="one-way mode instead of hedge mode")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coxswain-cstorm-", ignore_cleanup_errors=True) as folder:
        found = run(options.minutes, options.seed, options.rate, not options.one_way, Path(folder).resolve())
    print(json.dumps(found, indent=None if options.json else 2))
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
