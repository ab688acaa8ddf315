"""Random walks through the exit rules, for the property tests and for comparing the plain and the compiled rules.

Run as a program it prints a digest of all decisions on seeded paths: the test starts it with compilation on.
"""

import hashlib
import random
from collections.abc import Iterator

from modules.strategies.hype import exits
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.settings import HypeSettings

Decision = tuple[int, int, exits.State]


def random_plan(rng: random.Random, side: int = exits.LONG) -> tuple[exits.Plan, exits.State, int]:
    """A plan, its first state and the entry price, over all strategies, confidences and magnitudes."""
    settings = HypeSettings(tp_preset=rng.choice(("seed", "gain")), breakeven_after_tp1=rng.random() < 0.7,
                            trail_fall_pct=rng.choice((0.5, 3.0, 12.0)), max_hold_h=rng.choice((0.0, 0.0, 0.01)))
    entry = int(10 ** rng.uniform(0.5, 9))
    initial = int(10 ** rng.uniform(0.5, 8))
    even = entry + side * (entry // 400 + 1)
    min_value = int(entry * initial * rng.choice((0.0, 0.05, 0.2, 0.6)))
    plan = exits.make_plan(rules_of(settings), rng.randrange(4), rng.randrange(0, 1_000_001),
                           rng.choice((0, 2_000, 10_000, 80_000)), entry, initial, even, min_value, 0, side)
    return plan, exits.first_state(plan, entry, initial), entry


def walk(rng: random.Random, entry: int, steps: int) -> Iterator[int]:
    """A jumpy price path that never goes below 1; now and then no price at all."""
    price = float(entry)
    drift = rng.choice((-0.004, 0.0, 0.006, 0.02))
    for _ in range(steps):
        jump = rng.choice((0.7, 1.4)) if rng.random() < 0.01 else 1.0
        price = max(1.0, price * (1 + drift + rng.gauss(0, 0.02)) * jump)
        yield 0 if rng.random() < 0.02 else int(price)


def run(plan: exits.Plan, state: exits.State, prices: Iterator[int]) -> Iterator[tuple[exits.State, int, Decision]]:
    """Every look: state before, bid, decision."""
    for look, bid in enumerate(prices):
        decision = exits.step(plan, state, bid, look * 2_000)
        yield state, bid, decision
        state = decision[2]


def digest(seed: int, paths: int) -> str:
    """One hash over every decision on `paths` random paths."""
    rng = random.Random(seed)
    seen = hashlib.sha256()
    for _ in range(paths):
        plan, state, entry = random_plan(rng, rng.choice((exits.LONG, exits.LONG, exits.SHORT)))
        parts = [tuple(map(int, part)) if isinstance(part, tuple) else int(part) for part in plan]
        seen.update(repr(parts).encode())
        for _, bid, (code, quantity, after) in run(plan, state, walk(rng, entry, 60)):
            seen.update(repr((bid, int(code), int(quantity), [int(value) for value in after])).encode())
    return seen.hexdigest()


if __name__ == "__main__":
    print(digest(7, 300))
