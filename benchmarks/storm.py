"""The storm (issue 3): the whole program on the simulated exchange, LIVE, while everything goes wrong.

    python -m benchmarks.storm --minutes 10 --seed 1 [--rate 0.05..0.2] [--manual] [--json] [--home DIR]

For that many minutes proposals and sales are posted to the tracker, faults hit 5–20 % of all requests, and processes
(tracker, simulator, scanner, trainer, command process) are killed as with kill -9. Then it is calm; what is under way
settles; our books are held against the venue's truth, with positions open and once more when all is sold. Exit code 1
if anything was doubled, lost, left unresolved, or is off by the last unit, or if a state file is damaged.
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.storm_watch import Venue, Watch, load
from benchmarks.storms import Deeds, Dice, command
from benchmarks.venue_books import Books, Verdict, compare, same_orders
from modules.supervision.messages import Inbox
from tests.e2e.harness import Program, state_files_are_whole

SERVICES = ("tracker", "simulator", "scanner", "trainer", "bot")
# The tracker dies most often: money is there.
WEIGHTS = (5, 3, 3, 2, 3)
SPEED = 60
SETTLE_S = 150.0
# Sales come in waves: equity, which entries need, is read when no order is under way.
WAVE_S = 8.0
ENVIRONMENT = {
    "SIMULATOR_SPEED": str(SPEED), "SIMULATOR_TOKENS": "200",
    "HYPE_MAX_OPEN_TRADES": "60", "HYPE_MAX_EXPOSURE_USDT": "8000", "HYPE_MAX_TRADES_PER_DAY": "100000",
    "HYPE_MAX_SLIPPAGE_PCT": "15", "HYPE_MAX_PROPOSAL_AGE_S": "3600", "HYPE_COOLDOWN_AFTER_STOP_S": "0",
    "HYPE_COOLDOWN_AFTER_SELL_S": "0", "EXCHANGE_TIMEOUT_S": "2", "EXCHANGE_RECV_WINDOW_MS": "1000",
    # The limits of risk have tests of their own; here they would only end the orders.
    "RISK_DAY_LOSS_PCT": "0", "RISK_WEEK_LOSS_PCT": "0", "RISK_DRAWDOWN_PCT": "0", "RISK_EXPOSURE_PCT": "0",
    "RISK_LOSING_STREAK": "0", "RISK_DATA_STALE_S": "3600", "RISK_EQUITY_STALE_S": "7200",
    # A crash a few seconds after the other is what is tried here; giving up on a crash loop is tested elsewhere.
    "SUPERVISION_CRASH_LOOP_COUNT": "100000", "SUPERVISION_RESTART_LONGEST_S": "1",
}


@dataclass
class SpotDeeds(Deeds):
    """Besides: what the exchange's processes counted."""

    faults: int = 0
    requests: int = 0


class Commanded(Program):
    """The program, whose command process can be killed alone."""

    def kill_command(self) -> None:
        """kill -9; its services live on."""
        assert self._process is not None
        psutil.Process(self.command_pid).kill()
        self._process.wait(20)


class Storm:
    """One run. `rate` None: changes by the dice between 5 and 20 %."""

    def __init__(self, home: Path, seed: int, rate: float | None, manual: bool) -> None:
        self.home = home
        self.seed, self.rate, self.manual = seed, rate, manual
        self.dice = Dice(seed)
        self.rng = self.dice.rng
        self.venue = Venue(home)
        self.inbox = Inbox(home / "data" / "inbox", "tracker")
        self.deeds = SpotDeeds()
        self.program = Commanded(home, ("--console",), SIMULATOR_SEED=str(seed), **ENVIRONMENT)
        self.watch = Watch(home)
        self.asks: dict[str, float] = {}
        self._plan: dict[str, Any] = {}
        self._plan_pid: int | None = None
        self._counted: dict[int, tuple[int, int]] = {}

    # -- start and end

    def start(self) -> None:
        """The program in LIVE mode, trading, with all services ready."""
        config = self.home / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "state.json").write_text('{"test_mode": false}\n', encoding="utf-8")
        self.program.start()
        self.program.send("/startbot")
        for name in SERVICES[:-1]:
            self.program.wait_ready(name)
        self._prices()
        self.watch.start()

    def end(self) -> int:
        """Everything stopped in good order; how many processes were left over."""
        self.watch.close()
        self.program.end_of_input()
        left = len(self.program.left_over())
        self.program.kill_all()
        return left

    # -- what happens

    def blow(self, seconds: float) -> None:
        """The storm itself."""
        end = time.monotonic() + seconds
        acts: dict[str, tuple[float, float, Callable[[], None]]] = {
            "rate": (20.0, 40.0, self._new_rate), "prices": (2.0, 4.0, self._prices), "kill": (6.0, 16.0, self._kill),
            "propose": (0.2, 0.5, self._propose), "sell": (0.2, 0.6, self._sell)}
        if self.manual:
            acts["manual"] = (8.0, 20.0, self._by_hand)
        while time.monotonic() < end:
            for name, (least, most, deed) in acts.items():
                if self.dice.due(name, least, most, at_once=name in ("rate", "prices")):
                    deed()
            self._renew_faults()
            time.sleep(0.1)

    def _new_rate(self) -> None:
        rate = self.dice.rate(self.rate)
        self._plan = {"seed": self.rng.randrange(10**6), "rate": rate}
        self._plan_pid = None

    def _renew_faults(self) -> None:
        """The plan lives in the simulator's memory: a new process has to be told. Counts what was injected."""
        status = self.venue.ask("/sim/status")
        if status is None:
            return
        self._counted[status["pid"]] = (status["faults"]["injected"] + status["faults"]["in_bursts"],
                                        status["faults"]["requests"])
        self.deeds.faults = sum(faults for faults, _ in self._counted.values())
        self.deeds.requests = sum(requests for _, requests in self._counted.values())
        if status["pid"] != self._plan_pid and self.venue.ask("/sim/faults", self._plan) is not None:
            self._plan_pid = status["pid"]

    def _prices(self) -> None:
        """Offers of the liquid pairs, from the public list of tickers like everybody's; old ones where it fails."""
        rows = self.venue.ask("/api/v3/ticker/24hr")
        if not isinstance(rows, list):
            return
        found: list[tuple[float, str, float]] = []
        for row in rows:
            try:
                found.append((float(row["quoteVolume"]), str(row["symbol"]), float(row["askPrice"])))
            except (KeyError, TypeError, ValueError):  # a spoilt row: that is the weather here
                continue
        self.asks.update((symbol, ask) for volume, symbol, ask in sorted(found)[-120:] if 0 < ask < 1e6)

    def _propose(self) -> None:
        status = self.venue.ask("/sim/status")
        held = load(self.home / "data" / "tracked_tokens.json") or {}
        free = sorted(self.asks.keys() - held.keys())
        beat = self.program.beat("tracker")
        closed = beat is None or not beat["ready"] or beat["info"].get("closed_live", "?")
        # Where entries are closed only some are posted: they would be refused, and the tracker has its hands full.
        if status is None or not free or self.inbox.waiting() > (2 if closed else 10):
            return
        symbol = self.rng.choice(free)
        self.inbox.post("buy", {
            "symbol": symbol, "strategy": self.rng.choice(("simple", "aggressive", "revival", "momentum_safe")),
            "confidence": self.rng.choice((0.8, 0.86, 0.92, 0.96)), "probability": 0.4, "price": self.asks[symbol],
            "atr_pct": 1.0, "market_ms": status["market_ms"], "mode": "LIVE", "candidate_id": uuid.uuid4().hex,
        }, "storm")
        self.deeds.count["proposal"] += 1

    def _sell(self) -> None:
        held = load(self.home / "data" / "tracked_tokens.json") or {}
        wished = sorted(symbol for symbol, row in held.items() if row["state"] == "open")
        if len(wished) < 6 or time.monotonic() % WAVE_S > WAVE_S / 2:
            return
        self.inbox.post("sell", {"symbol": self.rng.choice(wished), "mode": "LIVE"}, "storm")
        self.deeds.count["sale"] += 1

    def _by_hand(self) -> None:
        """The account's owner trades on the exchange."""
        held = sorted(load(self.home / "data" / "tracked_tokens.json") or {})
        if held and self.rng.random() < 0.4:
            act: dict[str, Any] = {"action": "manual_sell", "symbol": self.rng.choice(held), "qty": "all"}
        elif self.asks:
            act = {"action": "manual_buy", "symbol": self.rng.choice(sorted(self.asks)), "usdt": "25"}
        else:
            return
        self.deeds.count["by hand"] += self.venue.ask("/sim/act", act) is not None

    def _kill(self) -> None:
        name = self.rng.choices(SERVICES, WEIGHTS)[0]
        if name == "bot":
            self._kill_command_process()
            return
        pid = self.program.service_pid(name)
        if pid is None:
            return
        self._renew_faults()
        try:
            psutil.Process(pid).kill()
        except psutil.NoSuchProcess:
            return
        self.deeds.did(f"kill {name}")

    def _kill_command_process(self) -> None:
        """It is started anew at once, as systemd would; the services live on meanwhile and are adopted."""
        self.program.kill_command()
        self.deeds.did("kill bot")
        heir = Commanded(self.home, self.program.arguments)
        heir.environment.update(self.program.environment)
        heir.start()
        self.program = heir

    # -- afterwards

    def calm(self) -> None:
        """No faults, no kills, no entries: what the scanner still proposes is refused."""
        self._plan = {"seed": self.seed, "rate": 0.0}
        self._plan_pid = None
        self.inbox.post("pause", {"on": True, "reason": "the storm is over"}, "storm")

    def settled(self, flat: bool) -> tuple[Verdict, list[str]]:
        """The verdict once nothing is under way, or the last one when that takes too long, and what was waited for."""
        end = time.monotonic() + SETTLE_S
        quiet_since = 0.0
        verdict, waiting = Verdict(), ["the venue"]
        while time.monotonic() < end:
            time.sleep(0.5)
            self._renew_faults()
            found = self._snapshot()
            if found is None:
                continue
            books, verdict = found
            waiting = self._waiting_for(books, verdict, flat)
            if waiting:
                quiet_since = 0.0
            elif not verdict.problems:
                return verdict, []
            elif not quiet_since:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > 20:  # quiet, and still wrong: it will not get better
                return verdict, []
        return verdict, waiting

    def _snapshot(self) -> tuple[Books, Verdict] | None:
        """Books and verdict at an instant at which the venue did not move."""
        before = self.venue.ask("/sim/truth")
        if before is None or self._plan_pid is None:
            return None
        try:
            books = Books.read(self.home)
        except (OSError, msgspec.MsgspecError):
            return None
        after = self.venue.ask("/sim/truth")
        return (books, compare(books, after)) if after is not None and same_orders(before, after) else None

    def _waiting_for(self, books: Books, verdict: Verdict, flat: bool) -> list[str]:
        found = [f"{len(verdict.unresolved)} intents"] if verdict.unresolved else []
        found += [f"{len(verdict.resting)} resting orders"] if verdict.resting else []
        found += ["the inbox"] if self.inbox.waiting() else []
        closing = [p.symbol for p in books.positions.values() if p.state == "closing"]
        sellable = [p.symbol for p in books.positions.values() if p.state in ("open", "closing")]
        found += [f"sales of {', '.join(closing)}"] if closing else []
        found += [f"positions {', '.join(sellable)}"] if flat and sellable else []
        beat = self.program.beat("tracker")
        ready = beat is not None and beat["ready"] and self.program.service_pid("tracker") == beat["pid"]
        return found if ready else [*found, "the tracker"]


def run(minutes: float, seed: int, rate: float | None, manual: bool, home: Path) -> dict[str, Any]:
    """A storm and what it left behind, as one object."""
    storm = Storm(home, seed, rate, manual)
    began = time.monotonic()
    left_over, state = -1, "whole"
    try:
        storm.start()
        storm.blow(minutes * 60)
        storm.calm()
        open_verdict, waited_open = storm.settled(flat=False)
        storm.inbox.post("sell_all", {"mode": "LIVE"}, "storm")
        verdict, waited = storm.settled(flat=True)
        left_over = storm.end()
        try:
            state_files_are_whole(home)
        except AssertionError as problem:
            state = str(problem)
    finally:
        storm.watch.close()
        storm.program.kill_all()
    problems = [*dict.fromkeys([*open_verdict.problems, *verdict.problems]),
                *(f"did not settle: {text}" for text in [*waited_open, *waited]),
                *([f"state: {state}"] if state != "whole" else []),
                *([f"{left_over} processes left over"] if left_over else [])]
    deeds, watch = storm.deeds, storm.watch
    kills = {name.removeprefix("kill "): count for name, count in deeds.count.items() if name.startswith("kill ")}
    return {
        "seed": seed, "minutes": minutes, "orders": verdict.orders, "executed": verdict.executed,
        "kills": sum(kills.values()), "kills_by_process": kills, "faults": deeds.faults, "requests": deeds.requests,
        "proposals": deeds.count["proposal"], "sales_wished": deeds.count["sale"],
        "manual_trades": verdict.manual, "doubled": len({*open_verdict.doubled, *verdict.doubled}),
        "lost": len({*open_verdict.lost, *verdict.lost, *open_verdict.misbooked, *verdict.misbooked}),
        "unresolved": len({*open_verdict.unresolved, *verdict.unresolved, *verdict.resting}),
        "equity_error": float(max(open_verdict.equity_error, verdict.equity_error)),
        "fees_error": float(max(abs(open_verdict.fees_error), abs(verdict.fees_error))),
        "worst_unguarded_s": round(watch.worst_wall_s, 2), "worst_unguarded_market_s": round(watch.worst_market_s, 1),
        "longest_gaps": [deeds.around(gap.began, gap.ended, began, gap.symbol) for gap in watch.longest(5)],
        "state_files": state, "seconds": round(time.monotonic() - began), "problems": problems,
    }


def show(found: dict[str, Any]) -> None:
    """Line by line."""
    for name, value in found.items():
        if name != "problems":
            print(f"{name:>26}: {value}")
    for problem in found["problems"]:
        print(f"  ! {problem}")


def options(parser: argparse.ArgumentParser) -> None:
    """Options of this storm."""
    parser.add_argument("--manual", action="store_true", help="the account's owner trades on the exchange as well")


if __name__ == "__main__":
    sys.exit(command(__doc__, 10.0, options, lambda chosen, home: run(
        chosen.minutes, chosen.seed, chosen.rate, chosen.manual, home), show))
