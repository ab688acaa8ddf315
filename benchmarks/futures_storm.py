"""The storm of futures: a trader on the simulated venue while everything goes wrong; the venue's truth judges.

    python -m benchmarks.futures_storm --minutes 5 --seed 1 [--rate 0.05..0.2] [--one-way] [--venue bybit]
                                       [--json] [--home DIR]

Wishes (enter, enlarge, move, close) go to the trader; 5–20 % of its requests fail, its stream loses, doubles, reorders
and falls silent; it is killed as with kill -9; the account's owner trades, cancels stops, changes leverage and mode,
moves money; prices jump; funding is settled. Then it is calm, the books are compared with positions open, and once
more when all is closed. Exit code 1 if anything was doubled, lost, left naked or unresolved, or money is off.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.futures_world import ACCOUNTS, World
from benchmarks.killed_world import WorldError
from benchmarks.storms import Deeds, Dice, command

SETTLE_S = 120.0
LOOK_S = 0.15
START = "2025-03-01T15:55:00"
SYMBOLS = ("ETHUSDT", "SOLUSDT", "BTCUSDT")
STEPS = {"ETHUSDT": Decimal("0.01"), "SOLUSDT": Decimal(1), "BTCUSDT": Decimal("0.001")}
TICKS = {"ETHUSDT": Decimal("0.1"), "SOLUSDT": Decimal("0.1"), "BTCUSDT": Decimal(1)}
STREAM_FAULTS = ("lose", "duplicate", "reorder", "late", "truncate", "garbage", "silence", "cut", "reset")
#: what a word of the verdict stands for
KINDS = {"doubled": (" times", " orders"), "lost": ("no intent", "books "), "naked": ("NAKED",),
         "unresolved": ("is open",)}


@dataclass
class FuturesDeeds(Deeds):
    """Besides: what the trader answered to wishes."""

    answers: Counter[str] = field(default_factory=Counter)


class Storm:
    """One run. `rate` None: changes by the dice between 5 and 20 %."""

    def __init__(self, world: World, seed: int, rate: float | None) -> None:
        self.world, self.seed, self.rate = world, seed, rate
        self.dice = Dice(seed)
        self.rng = self.dice.rng
        self.deeds = FuturesDeeds()
        self._last = ""

    def blow(self, seconds: float) -> None:
        """The storm itself."""
        acts: dict[str, tuple[float, float, Callable[[], None]]] = {
            "faults": (15.0, 30.0, self._faults), "kill": (5.0, 12.0, self._kill), "wish": (0.3, 1.0, self._wish),
            "by hand": (2.0, 6.0, self._by_hand), "key": (25.0, 50.0, self._expire)}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, (least, most, deed) in acts.items():
                if self.dice.due(name, least, most, at_once=name == "faults"):
                    deed()
            self._living()
            time.sleep(0.05)

    # -- what happens ----------------------------------------------------------------------------------------

    def _faults(self) -> None:
        rate = self.dice.rate(self.rate)
        streams = [{"kind": kind, "user": True, "probability": round(rate / 3, 3)} for kind in STREAM_FAULTS[:6]]
        streams += [{"kind": kind, "user": True, "probability": 0.01} for kind in STREAM_FAULTS[6:]]
        self.world.ask("/sim/faults", {"seed": self.rng.randrange(10**6), "rate": rate, "streams": streams})

    def _living(self) -> None:
        """A trader that ended by itself is a problem, and is started again."""
        try:
            alive = not self.world.crashed
        except WorldError as problem:
            self.deeds.died.append(str(problem)[:2000])
            alive = False
        if not alive:
            self.world.start()
        last = str(self.world.status().get("last", ""))
        if last and last != self._last:
            codes = re.findall(r"\b[A-Z_]{4,}\b(?=:)", last) if last.startswith("refused") else []
            self.deeds.answers.update(codes or [re.split(r"[(: ]", last)[0]])
        self._last = last

    def _kill(self) -> None:
        self.deeds.did("kill")
        self.world.start()  # ends the one that runs as with kill -9

    def _wish(self) -> None:
        status, seen = self.world.status(), self.world.watch.seen
        if not seen or not status.get("opened") or status.get("waiting", 0) > 3 or self.world.inbox.waiting() > 3:
            return
        legs = [row for row in seen["positions"] if row["symbol"] in SYMBOLS]
        dice = self.rng.random()
        if legs and dice < 0.2:
            self.world.inbox.post("close", self._leg(self.rng.choice(legs)), "storm")
            self.deeds.count["wish close"] += 1
        elif legs and dice < 0.4:
            self._move(self.rng.choice(legs), seen["marks"])
        else:
            self._enter(seen["marks"])

    def _leg(self, row: dict[str, Any]) -> dict[str, str]:
        return {"symbol": row["symbol"], "side": row["leg"]}

    def _move(self, row: dict[str, Any], marks: dict[str, str]) -> None:
        sign = 1 if Decimal(row["qty"]) > 0 else -1
        price = self._price(row["symbol"], marks, -sign * self.rng.uniform(0.02, 0.06))
        take = self._price(row["symbol"], marks, sign * self.rng.uniform(0.03, 0.09))
        self.world.inbox.post("move", {**self._leg(row), "stop": price, "take": take}, "storm")
        self.deeds.count["wish move"] += 1

    def _price(self, symbol: str, marks: dict[str, str], share: float) -> str:
        tick = TICKS[symbol]
        return str((Decimal(marks[symbol]) * Decimal(1 + share) / tick).to_integral_value() * tick)

    def _enter(self, marks: dict[str, str]) -> None:
        symbol, long = self.rng.choice(SYMBOLS), self.rng.random() < 0.6
        mark, step, sign = Decimal(marks[symbol]), STEPS[symbol], 1 if long else -1
        quantity = (Decimal(self.rng.randrange(200, 900)) / mark / step).to_integral_value() * step
        body = {"symbol": symbol, "long": long, "quantity": str(max(quantity, step)), "type": "MARKET",
                "stop": self._price(symbol, marks, -sign * self.rng.uniform(0.02, 0.07)),
                "take": self._price(symbol, marks, sign * self.rng.uniform(0.03, 0.09))}
        kind = self.rng.choice(("MARKET", "MARKET", "LIMIT", "IOC", "large"))
        if kind == "large":  # more than the best levels offer: partial fills, the rest is cancelled
            large = Decimal(self.rng.randrange(80_000, 400_000)) / mark
            body["quantity"] = str((large / step).to_integral_value() * step)
        if kind != "MARKET":
            body |= {"type": "IOC" if kind == "IOC" else "LIMIT", "rest_s": self.rng.uniform(0.3, 1.2),
                     "price": self._price(symbol, marks, self.rng.uniform(-0.0005, 0.0005))}
        self.world.inbox.post("enter", body, "storm")
        self.deeds.count["wish enter"] += 1

    def _by_hand(self) -> None:
        """The account's owner, and what venue and market do."""
        seen = self.world.watch.seen
        legs = [row for row in seen.get("positions", ()) if row["symbol"] in SYMBOLS]
        name = self.rng.choices(("close", "reduce", "buy", "cancel_algo", "cancel", "leverage", "isolated", "hedge",
                                 "transfer", "jump", "funding_rate", "outage", "liquidate"),
                                (3, 3, 2, 3, 2, 1, 1, 1, 1, 2, 1, 1, 0.3))[0]
        row = self.rng.choice(legs) if legs else None
        act = self._act(name, row)
        if act is None:
            return
        try:
            if "futures" in act:
                self.world.act(**act)
            else:
                self.world.ask("/sim/act", act)
        except urllib.error.HTTPError:
            self.deeds.count["refused to the owner"] += 1
            return
        target = act.get("symbol", "")
        self.deeds.did(f"{name} {target}".strip())
        if name == "liquidate" and row is not None:  # a person has looked at it and lets it go on
            self.world.inbox.post("release", self._leg(row), "storm")

    def _act(self, name: str, row: dict[str, Any] | None) -> dict[str, Any] | None:
        symbol, act = self.rng.choice(SYMBOLS), {"futures": True, "action": name}
        match name:
            case "outage":
                return {"action": "outage", "for_ms": self.rng.randrange(200, 1500)}
            case "hedge":
                return act | {"on": self.rng.random() < 0.5}
            case "leverage":
                return act | {"symbol": symbol, "leverage": self.rng.choice((3, 5, 10))}
            case "isolated":
                return act | {"symbol": symbol, "on": self.rng.random() < 0.5}
            case "transfer":
                return act | {"amount": str(self.rng.choice((-50, -20, 25, 75)))}
            case "jump":
                return act | {"symbol": symbol, "pct": str(self.rng.choice((-7, -4, 4, 6)))}
            case "funding_rate":
                return act | {"symbol": symbol, "rate": str(self.rng.choice(("0.003", "-0.002")))}
            case "cancel_algo" | "cancel":
                return act
        if row is None:
            return None
        act |= {"symbol": row["symbol"], "leg": row["leg"]}
        long = Decimal(row["qty"]) > 0
        if name in ("reduce", "buy"):
            half = (abs(Decimal(row["qty"])) / 2 / STEPS[row["symbol"]]).to_integral_value() * STEPS[row["symbol"]]
            grow = name == "buy"
            return act | {"action": "buy" if long is grow else "sell", "qty": str(half)} if half else None
        return act

    def _expire(self) -> None:
        try:
            self.world.ask("/sim/act", {"action": "expire_listen_key", "account": self.world.account})
            self.deeds.did("key expired")
        except urllib.error.HTTPError:
            self.deeds.count["no key to expire"] += 1

    def more(self, told: dict[str, Any]) -> dict[str, Any]:
        """Figures of the heir's own; `told` is what the trader said last before all was closed."""
        return {}

    # -- afterwards ------------------------------------------------------------------------------------------

    def calm(self) -> None:
        """No faults, no kills."""
        self.world.ask("/sim/faults", {"seed": self.seed, "rate": 0.0})
        self._living()

    def settled(self, flat: bool) -> list[str]:
        """What is wrong once nothing is under way; the last findings where that takes too long."""
        end, problems = time.monotonic() + SETTLE_S, ["nothing was compared"]
        while time.monotonic() < end:
            self._living()
            if self.world.at_rest() and not (flat and self.world.held()):
                problems = self.world.verdict()
                if not problems:
                    return []
            time.sleep(0.5)
        return [*problems, f"did not settle within {SETTLE_S:.0f} s: {self.world.status()}"]


def judged(storm: Storm, minutes: float) -> dict[str, Any]:
    """A whole storm over a world that has just begun, and what it left behind, as one object."""
    began, world, deeds = time.monotonic(), storm.world, storm.deeds
    world.start()
    world.wait(lambda: world.status().get("opened"), "the trader begins")
    storm.blow(minutes * 60)
    storm.calm()
    problems = [f"open: {text}" for text in storm.settled(flat=False)]
    stormy, told = world.watch.longest(), world.status()
    world.inbox.post("flatten", {}, "storm")
    problems += [f"flat: {text}" for text in storm.settled(flat=True)]
    problems += [f"the trader died: {text}" for text in deeds.died]
    account, faults = world.truth(), world.ask("/sim/status")["faults"]
    (world.home / "truth.json").write_text(json.dumps(account), "utf-8")
    if Decimal(account["identity"]):
        problems.append(f"the venue's own identity is off by {account['identity']}")
    gaps = sorted(world.watch.gaps, reverse=True)[:6]
    return {
        "seed": storm.seed, "minutes": minutes, "venue": world.venue, "mode": "hedge" if world.hedge else "one-way",
        "orders": len(account["orders"]), "conditional_orders": len(account["algos"]), "fills": len(account["fills"]),
        "requests": faults["requests"], "faults": faults["injected"] + faults["in_bursts"],
        "stream_faults": faults.get("streams", {}).get("by_kind", {}), "kills": deeds.count["kill"],
        "answers": dict(deeds.answers.most_common()), "deeds": dict(sorted(deeds.count.items())),
        "funding": account["sums"].get("FUNDING_FEE", "0"), **storm.more(told),
        **{name: sum(any(word in text for word in words) for text in problems) for name, words in KINDS.items()},
        "worst_unguarded_s": round(stormy, 2),
        "longest_gaps": [deeds.around(ended - seconds, ended, began, leg) for seconds, leg, ended in gaps],
        "load": round(os.getloadavg()[0], 1), "seconds": round(time.monotonic() - began), "problems": problems}


def options(parser: argparse.ArgumentParser) -> None:
    """Options of a storm of futures."""
    parser.add_argument("--one-way", action="store_true", help="one-way mode instead of hedge mode")
    parser.add_argument("--venue", choices=list(ACCOUNTS), default="binance", help="whose protocol is spoken")


def run(chosen: argparse.Namespace, home: Path) -> dict[str, Any]:
    """A storm of the generic trader."""
    with World(home, seed=chosen.seed, start=START, hedge=not chosen.one_way, look_s=LOOK_S,
               venue=chosen.venue) as world:
        return judged(Storm(world, chosen.seed, chosen.rate), chosen.minutes)


if __name__ == "__main__":
    sys.exit(command(__doc__, 5.0, options, run))
