"""The storm of grids: several users' grids in LIVE over the simulated Bitget while everything goes wrong.

    python -m benchmarks.grid_storm --minutes 5 --seed 1 [--users 5] [--rate 0.05..0.2] [--json] [--home DIR]

5–20 % of the requests fail (lost before and after the deed, 5xx, 429, refused addresses, cut and doubled answers); the
sockets lose, double, reorder and fall silent; workers, or all of the service, die as with kill -9, or are halted until
their leases are over; two of three owners trade by hand, cancel stops, switch leverage and mode and acknowledge what
they did; grids are paused, drained, flattened, stopped and begun again; prices jump; funding is settled. Then it is
calm, every grid is compared with the venue's truth with positions open, and once more when all is flat. Exit code 1 if
anything was doubled, lost, left naked or unresolved, or money is off.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import urllib.error
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.futures_storm import SETTLE_S, STREAM_FAULTS, Deeds
from benchmarks.grid_world import LEASE_S, SYMBOL, GridWorld, send
from modules.strategies.grid.store.records import Order, Wanted

#: what a word of the verdict stands for
KINDS = {"doubled": (" times", " orders"), "lost": ("no intent", "books "), "naked": ("NAKED",),
         "unresolved": ("is open", "not flat"), "equity": ("equity",)}
STEP = Decimal("0.001")


class Storm:
    """One run. `rate` None: changes by the dice between 5 and 20 %."""

    def __init__(self, world: GridWorld, seed: int, rate: float | None) -> None:
        self.world, self.rate, self.seed = world, rate, seed
        self.rng = random.Random(seed)
        self.deeds = Deeds()
        # Every third owner keeps his hands off, so that his money can be reckoned to the last unit.
        self.handled = {user for number, user in enumerate(world.users) if number % 3 != 0}
        self._next: dict[str, float] = {}
        self._wake: dict[int, float] = {}

    def blow(self, seconds: float) -> None:
        """The storm itself."""
        acts: dict[str, tuple[float, float, Callable[[], None]]] = {
            "faults": (15.0, 30.0, self._faults), "kill": (8.0, 20.0, self._kill), "wish": (5.0, 12.0, self._wish),
            "by hand": (1.5, 5.0, self._by_hand), "acknowledge": (2.0, 6.0, self._acknowledge),
            "venue": (6.0, 15.0, self._venue)}
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            for name, (least, most, deed) in acts.items():
                if now >= self._next.setdefault(name, now if name == "faults" else now + least):
                    self._next[name] = now + self.rng.uniform(least, most)
                    deed()
            self._living(now)
            time.sleep(0.1)

    # -- what happens ----------------------------------------------------------------------------------------

    def _faults(self) -> None:
        rate = self.rate if self.rate is not None else self.rng.uniform(0.05, 0.2)
        streams = [{"kind": kind, "user": user, "probability": round(rate / 3, 3) if number < 6 else 0.01}
                   for number, kind in enumerate(STREAM_FAULTS) for user in (True, False)]
        self.world.ask("/sim/faults", {"seed": self.rng.randrange(10**6), "rate": round(rate, 3), "streams": streams})

    def _living(self, now: float) -> None:
        """Who was halted wakes up; a service that ended by itself is a problem, and is started again."""
        for pid in [pid for pid, when in self._wake.items() if now >= when]:
            del self._wake[pid]
            send(pid, signal.SIGCONT)
        if not self.world.alive():
            self.deeds.died.append(self.world.log_tail()[-1500:])
            self.world.start()

    def _kill(self) -> None:
        workers = self.world.workers()
        name = self.rng.choices(("worker", "halt", "service"), (4, 2, 2))[0]
        if name == "service":
            self.deeds.did("kill")
            self._wake.clear()
            self.world.start()  # ends all that runs as with kill -9
        elif workers:
            hit = self.rng.choice(workers).pid
            self.deeds.did(f"{name} hit")
            send(hit, signal.SIGKILL if name == "worker" else signal.SIGSTOP)
            if name == "halt":
                self._wake[hit] = time.monotonic() + self.rng.uniform(0.5, LEASE_S + 3)

    def _wish(self) -> None:
        user, sessions = self.rng.choice(self.world.users), self.world.store.sessions
        name = self.rng.choices(("pause", "drain", "flatten", "stop"), (3, 1, 2, 2))[0]
        if sessions.session(user).wanted is not Wanted.RUNNING:
            sessions.want(user, Wanted.RUNNING, "storm")
            self.deeds.did(f"run {user}")
            return
        self.deeds.did(f"{name} {user}")
        wanted = {"pause": Wanted.PAUSED, "stop": Wanted.STOPPED}.get(name, Wanted.DRAINING)
        sessions.want(user, wanted, "storm", order=Order.FLATTEN if name == "flatten" else None)

    def _acknowledge(self) -> None:
        self.deeds.count["acknowledged"] += self.world.acknowledge(self.rng.choice(("leave", "adopt")))

    def _by_hand(self) -> None:
        """An account's owner."""
        user = self.rng.choice(sorted(self.handled))
        name = self.rng.choices(("buy", "sell", "reduce", "close", "cancel_algo", "leverage", "isolated", "transfer"),
                                (1, 1, 3, 1, 3, 1, 0.5, 1))[0]
        legs = [row for row in self.world.watch.seen.get(user, {}).get("positions", ()) if row["symbol"] == SYMBOL]
        row = self.rng.choice(legs) if legs else None
        act: dict[str, Any] = {"action": name}
        if name in ("buy", "sell"):  # opens: he buys LONG, or sells SHORT
            leg = "LONG" if name == "buy" else "SHORT"
            act |= {"symbol": SYMBOL, "leg": leg, "qty": str(self.rng.randrange(1, 8) * STEP)}
            self.world.watch.soiled.add((user, leg))
        elif name in ("reduce", "close"):
            if row is None:
                return
            held = abs(Decimal(row["qty"]))
            part = max(STEP, held // 2 // STEP * STEP) if name == "reduce" else held
            act = {"action": "sell" if Decimal(row["qty"]) > 0 else "buy", "symbol": SYMBOL, "leg": row["leg"],
                   "qty": str(part)}
        else:
            more: dict[str, dict[str, Any]] = {
                "leverage": {"symbol": SYMBOL, "leverage": self.rng.choice((5, 10, 20))},
                "isolated": {"symbol": SYMBOL, "on": self.rng.random() < 0.3},
                "transfer": {"amount": str(self.rng.choice((-50, -20, 25, 75)))}}
            act |= more.get(name, {})
        self._do(f"{name} {user}", user, act)

    def _venue(self) -> None:
        """Market and exchange."""
        name = self.rng.choices(("jump", "funding_rate", "outage", "liquidate"), (5, 1, 2, 0.2))[0]
        user = self.rng.choice(sorted(self.handled))
        if name == "outage":
            self.world.ask("/sim/act", {"action": "outage", "for_ms": self.rng.randrange(200, 1500)})
            self.deeds.did("outage")
        elif name == "liquidate":
            self._do(f"liquidate {user}", user, {"action": name})
        else:
            more = {"pct": str(self.rng.choice((-3, -1, -0.5, 0.5, 1, 3)))} if name == "jump" else {
                "rate": self.rng.choice(("0.003", "-0.002"))}
            self.world.ask("/sim/act", {"futures": True, "action": name, "symbol": SYMBOL, **more})
            self.deeds.did(name)

    def _do(self, what: str, user: str, act: dict[str, Any]) -> None:
        try:
            self.world.act(user, **act)
            self.deeds.did(what)
        except urllib.error.HTTPError:
            self.deeds.count["refused to the owner"] += 1

    # -- afterwards ------------------------------------------------------------------------------------------

    def calm(self) -> None:
        """No faults, no kills, nothing new; modes as agreed."""
        self.world.ask("/sim/faults", {"seed": self.seed, "rate": 0.0})
        for pid in self._wake:
            send(pid, signal.SIGCONT)
        self._wake.clear()
        for user in self.world.users:
            self.world.store.sessions.want(user, Wanted.PAUSED, "storm")
            self._do("isolated back", user, {"action": "isolated", "symbol": SYMBOL, "on": False})
        self.deeds.did("last kill")
        self.world.start()  # what is read only now and then is read anew

    def settled(self, flat: bool) -> list[str]:
        """What is wrong once nothing is under way; the last findings where that takes too long."""
        end, problems = time.monotonic() + SETTLE_S, ["nothing was compared"]
        while time.monotonic() < end:
            self._living(time.monotonic())
            self.world.acknowledge("leave")
            problems = self.world.verdict(self.handled, flat)
            if not problems:
                return []
            time.sleep(1.0)
        return [*problems, f"did not settle within {SETTLE_S:.0f} s"]

    def flatten(self) -> None:
        """Everything of the grids is closed."""
        for user in self.world.users:
            self.world.store.sessions.want(user, Wanted.DRAINING, "storm", order=Order.FLATTEN)


def run(minutes: float, seed: int, rate: float | None, users: int, home: Path) -> dict[str, Any]:
    """A storm and what it left behind, as one object."""
    began = time.monotonic()
    # Funding is settled at 16:00, in the middle of the storm.
    start = datetime(2025, 3, 1, 16) - timedelta(minutes=minutes / 2)
    with GridWorld(home, users=users, seed=seed, start=start.isoformat(timespec="seconds")) as world:
        storm = Storm(world, seed, rate)
        world.start()
        world.wait(lambda: len(world.grids()) == users, "every grid begins")
        storm.blow(minutes * 60)
        storm.calm()
        problems = [f"open: {text}" for text in storm.settled(flat=False)]
        stormy = world.watch.longest()
        storm.flatten()
        problems += [f"flat: {text}" for text in storm.settled(flat=True)]
        problems += [f"the service died: {text}" for text in storm.deeds.died]
        accounts, status = world.accounts(), world.ask("/sim/status")
        (home / "truth.json").write_text(json.dumps(accounts), "utf-8")
        problems += [f"{user}: the venue's own identity is off by {account['identity']}"
                     for user, account in accounts.items() if Decimal(account["identity"])]
        gaps = sorted(world.watch.gaps, reverse=True)[:6]
        return {
            "seed": seed, "minutes": minutes, "users": users,
            **{name: sum(len(account[name]) for account in accounts.values()) for name in ("orders", "algos", "fills")},
            "requests": status["faults"]["requests"],
            "faults": status["faults"]["injected"] + status["faults"]["in_bursts"],
            "stream_faults": status["faults"].get("streams", {}).get("by_kind", {}),
            "deaths": {name: storm.deeds.count[name] for name in ("kill", "worker hit", "halt hit")},
            "deeds": dict(sorted(storm.deeds.count.items())),
            **{name: sum(any(word in text for word in words) for text in problems) for name, words in KINDS.items()},
            "worst_unguarded_s": round(stormy, 2), "longest_gaps": [_told(gap, storm.deeds, began) for gap in gaps],
            "load": os.getloadavg()[0], "seconds": round(time.monotonic() - began), "problems": problems}


def _told(gap: tuple[float, str, float], deeds: Deeds, began: float) -> str:
    """A gap, when it was, and what happened to that user or to all in it or shortly before."""
    seconds, leg, ended = gap
    start, user = ended - seconds, leg.split()[0]
    near = [f"{what} {at - start:+.1f}" for at, what in deeds.log
            if start - 8 < at < ended and ("user" not in what or user in what)]
    return f"{seconds:.2f} s at {start - began:.0f} s, {leg}; {', '.join(near) or 'faults only'}"


def main() -> int:
    """The command line; 1 where an invariant is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--users", type=int, default=5)
    parser.add_argument("--rate", type=float, default=None, help="share of requests that fail (default: 0.05 to 0.2)")
    parser.add_argument("--home", type=Path, help="state folder to use and keep, with the venue's truth.json in it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coxswain-gstorm-", ignore_cleanup_errors=True) as folder:
        home = options.home or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        found = run(options.minutes, options.seed, options.rate, options.users, home.resolve())
    print(json.dumps(found, indent=None if options.json else 2))
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
