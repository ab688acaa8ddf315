"""What all storms share: the dice that say when something is due, what was done, the command line."""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NEAR_S = 3.0


@dataclass
class Deeds:
    """What the storm did; `log` has what may explain a gap, by the monotonic clock; `died`: processes that ended by
    themselves, in words."""

    count: Counter[str] = field(default_factory=Counter)
    log: list[tuple[float, str]] = field(default_factory=list)
    died: list[str] = field(default_factory=list)

    def did(self, what: str) -> None:
        """One more."""
        self.count[what] += 1
        self.log.append((time.monotonic(), what))

    def around(self, start: float, end: float, began: float, what: str) -> str:
        """A gap in words: how long, when after `began`, and what was done in it or shortly before."""
        near = [f"{deed} {at - start:+.1f}" for at, deed in self.log if start - NEAR_S < at < end]
        return f"{end - start:.2f} s at {start - began:.0f} s, {what}; {', '.join(near) or 'faults only'}"


class Dice:
    """One seed for a whole storm; and when each kind of deed is due next."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self._next: dict[str, float] = {}

    def due(self, name: str, least_s: float, most_s: float, at_once: bool = False) -> bool:
        """Whether it is time for it; if so the next time is thrown. The first comes `least_s` later, or `at_once`."""
        now = time.monotonic()
        if now < self._next.setdefault(name, now if at_once else now + least_s):
            return False
        self._next[name] = now + self.rng.uniform(least_s, most_s)
        return True

    def rate(self, fixed: float | None) -> float:
        """The share of requests that fail: `fixed`, or between 5 and 20 %."""
        return round(fixed if fixed is not None else self.rng.uniform(0.05, 0.2), 3)


def _rate(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 0.5:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 0.5")
    return value


def command(doc: str | None, minutes: float, more: Callable[[argparse.ArgumentParser], None],
            run: Callable[[argparse.Namespace, Path], dict[str, Any]],
            show: Callable[[dict[str, Any]], None] = lambda found: print(json.dumps(found, indent=2))) -> int:
    """The command line of a storm of `minutes`; 1 where an invariant is broken. `more` adds options."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=_rate, default=None, help="share of requests that fail (default: 0.05 to 0.2)")
    parser.add_argument("--home", type=Path, help="state folder to use and keep (default: a temporary one)")
    parser.add_argument("--json", action="store_true")
    more(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coxswain-storm-", ignore_cleanup_errors=True) as folder:
        home = options.home or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        found = run(options, home.resolve())
    if options.json:
        print(json.dumps(found))
    else:
        show(found)
    return 1 if found["problems"] else 0
