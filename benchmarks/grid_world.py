"""Several users' grids over the simulated Bitget: the service with its workers, the venue's truth against each grid.

`judged` is pure: one account as the venue holds it, one grid as it was saved, and what is wrong between them.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import urllib.error
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.futures_world import naked
from benchmarks.killed_world import KilledWorld, WorldError
from config.settings import load_settings
from modules.execution.intents import PREFIX, client_id
from modules.strategies.grid.acting import STOP_SLOT
from modules.strategies.grid.ledger import LegLedger
from modules.strategies.grid.live.host import SYSTEM
from modules.strategies.grid.live.memory import Memory, unpacked
from modules.strategies.grid.live.view import state_of
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import SessionState
from modules.strategies.grid.store.records import Credentials, NewUser, Order, Wanted, Webhook
from modules.strategies.grid.store.store import GridStore
from utils.vault import new_key

SYMBOL, CENT = "BTCUSDT", Decimal("0.000001")
LEASE_S = 4.0
LEGS = {1: "LONG", -1: "SHORT"}
#: narrow levels and targets, so that orders flow
NARROW = GridSettings(
    open_on_new_candle=False, tick_interval=0.4, space_percent=0.03, space1_percent=0.06, space2_percent=0.1,
    space3_percent=0.15, single_order_profit=0.08, pair_global_profit=0.1, base_lot=0.002, protect_pct=1.5)


class Grid(NamedTuple):
    """A grid as last saved, and whether its present holder saved it."""

    user: str
    state: SessionState
    memory: Memory
    held: bool


class GridWorld(KilledWorld):
    """A home, a venue, the service `grid` with two workers, and `users` grids in LIVE. Use as a context."""

    who = "the grid's service"
    program = ("bot.py", "run", "grid")
    patience_s = 120.0

    def __init__(self, home: Path, *, users: int, seed: int, start: str) -> None:
        more = {"BITGET_NAME": "bitget", "GRIDSERVER_SECRET_KEY": new_key(), "GRIDLIVE_WORKERS": "2",
                "GRIDLIVE_LEASE_S": str(LEASE_S), "GRIDLIVE_SAVE_S": "0.5", "GRIDLIVE_SESSIONS": str(users),
                "BITGET_TIMEOUT_S": "3", "DB_CONNECT_S": "30"}
        super().__init__(home, ("COXSWAIN_", "BITGET_", "GRID", "DB_", "SIMULATOR_"), more, (
            "--futures", "2", "--tokens", "5", "--bitget-users", str(users), "--seed", str(seed), "--start", start))
        self.environment["BITGET_BASE_URL"] = self.url
        self.users = tuple(f"user-{number}" for number in range(1, users + 1))
        self.account = {user: f"bitget-{number}" for number, user in enumerate(self.users, 1)}
        self.ask("/api/v2/mix/market/contracts?productType=USDT-FUTURES")  # the futures begin with the first request
        self.store = GridStore.open(load_settings(self.paths, self.environment), self.paths)
        for number, user in enumerate(self.users, 1):
            given = Credentials(f"sim-key-{number}", f"sim-secret-{number}", "sim-passphrase", False)
            self.store.users.add(NewUser(user, "storm", f"token-{number}", given, Webhook("", ""), SYMBOL, {},
                                         NARROW.model_dump()), "storm")
            self.store.sessions.want(user, Wanted.RUNNING, "storm")
        self.watch = Watch(self)

    def __exit__(self, *what: object) -> None:
        self.watch.close()
        self.store.close()
        super().__exit__(*what)

    @property
    def said(self) -> Path:
        """The service's heartbeat."""
        return self.paths.run / "grid.beat.json"

    # -- the service -----------------------------------------------------------------------------------------

    def workers(self) -> list[psutil.Process]:
        """The processes that trade."""
        try:
            found = psutil.Process(self.process.pid).children(recursive=True) if self.process else []
            return [one for one in found if "spawn_main" in " ".join(one.cmdline())]
        except psutil.Error:
            return []

    def kill(self) -> None:
        """kill -9 of the service and of every worker at once."""
        for one in self.workers():
            send(one.pid, signal.SIGKILL)
        super().kill()

    def alive(self) -> bool:
        """Whether the service runs."""
        return self.process is not None and self.process.poll() is None

    # -- the venue -------------------------------------------------------------------------------------------

    def act(self, user: str, **what: Any) -> None:
        """What the owner of an account does by hand. Raises HTTPError where the venue refuses it."""
        self.ask("/sim/act", {"futures": True, "account": self.account[user], **what})

    def accounts(self) -> dict[str, dict[str, Any]]:
        """Every user's account as the venue holds it."""
        told = self.ask("/sim/truth")["futures"]["accounts"]
        return {user: told[name] for user, name in self.account.items()}

    # -- the grids -------------------------------------------------------------------------------------------

    def grids(self) -> dict[str, Grid]:
        """Every grid that was saved at least once."""
        found = {}
        for session in self.store.sessions.all(most=len(self.users)):
            kept = self.store.sessions.state(session.user_id)
            if kept is not None:
                state, memory = state_of(kept[0]), unpacked(kept[1].get("host"))
                mine = bool(session.lease_holder) and kept[1].get("worker") == session.lease_holder
                found[session.user_id] = Grid(session.user_id, state, memory, mine)
        return found

    def verdict(self, handled: set[str], flat: bool) -> list[str]:
        """Everything in which grids and venue do not agree."""
        grids, accounts, problems = self.grids(), self.accounts(), []
        for user in self.users:
            if user not in grids:
                problems.append(f"{user}: never saved")
            else:
                problems += judged(accounts[user], grids[user], user in handled, flat)
        return problems

    def acknowledge(self, answer: str) -> int:
        """What an owner says of everything that blocks a side; how many sides."""
        count = 0
        for grid in self.grids().values():
            for side in (1, -1):
                check = grid.state.check(side)
                if (check.blocked or check.manual) and not self.store.sessions.commands(grid.user):
                    self.store.sessions.say(grid.user, Order.ACKNOWLEDGE, {"side": side, "answer": answer}, "storm")
                    count += 1
        return count


def send(pid: int, number: int) -> None:
    """A signal to a process, if it is there still."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def mine(row: dict[str, Any]) -> bool:
    """Whether an order or trade of the venue is the grid's own."""
    return str(row["client_id"]).startswith(PREFIX)


class Watch:
    """How long any leg of a grid stood without a stop for all that it holds, by the venue's word.

    A leg on which the owner opened something by hand is left out until it is flat: his part has no stop of ours.
    `gaps`: (seconds, user and leg, when it ended by the monotonic clock); `seen`: accounts as last looked at.
    """

    def __init__(self, world: GridWorld, period_s: float = 0.2) -> None:
        self._world, self._period_s = world, period_s
        self.gaps: list[tuple[float, str, float]] = []
        self.seen: dict[str, dict[str, Any]] = {}
        self.soiled: set[tuple[str, str]] = set()
        self._held: set[tuple[str, str]] = set()
        self._since: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(self._period_s):
            try:
                self.seen = self._world.accounts()
            except (OSError, ValueError, KeyError, urllib.error.URLError):
                continue
            bare = {f"{user} {leg}" for user, account in self.seen.items() for leg in self._bare(user, account)}
            now = time.monotonic()
            for leg in [leg for leg in self._since if leg not in bare]:
                self.gaps.append((now - self._since.pop(leg), leg, now))
            for leg in bare:
                self._since.setdefault(leg, now)

    def _bare(self, user: str, account: dict[str, Any]) -> set[str]:
        held = {row["leg"] for row in account["positions"]}
        # The account was looked at before he bought, perhaps: a leg is clean again once it has been held and is not.
        self._held |= {(user, leg) for leg in held} & self.soiled
        clean = {(user, leg) for leg in LEGS.values() if leg not in held} & self._held
        self.soiled -= clean
        self._held -= clean
        return {leg for leg in naked(account) if (user, leg.rpartition(" ")[2]) not in self.soiled}

    def longest(self) -> float:
        """Seconds, a gap that lasts still included."""
        now = time.monotonic()
        return max([gap[0] for gap in self.gaps] + [now - since for since in self._since.values()], default=0)

    def close(self) -> None:
        """End it."""
        self._over.set()
        self._thread.join(5)


# -- the verdict ---------------------------------------------------------------------------------------------


def judged(account: dict[str, Any], grid: Grid, handled: bool, flat: bool) -> list[str]:
    """What is wrong between one account and its grid. `handled`: its owner traded by hand as well."""
    found = [*_unsettled(grid), *_ids(account, grid)]
    for side, name in LEGS.items():
        found += _leg(account, grid, side, name, flat)
    if not found:
        found += _money(account, grid, handled)
    return [f"{grid.user}: {text}" for text in found]


def _unsettled(grid: Grid) -> list[str]:
    state = grid.state
    found = [f"order {one.slot} is open ({one.phase})" for one in state.pending]
    found += [f"side {side} is open: blocked {state.check(side).blocked}" for side in LEGS
              if state.check(side).blocked or state.check(side).manual]
    found += ["closing is open"] if state.closing is not None else []
    return found + ([] if grid.held and state.started else ["is open: not read by its holder"])


def _ids(account: dict[str, Any], grid: Grid) -> list[str]:
    """Orders that stand twice, that nobody decided, or of which one decision made several."""
    times = Counter(row["client_id"] for row in account["orders"] if mine(row) and not row["algo_id"])
    times.update(row["client_id"] for row in account["algos"] if mine(row))
    found = [f"order {name} stands {count} times" for name, count in times.items() if count > 1]
    slots = {client_id(SYSTEM, grid.user, SYMBOL, "grid", slot, number): slot
             for slot, last in grid.state.generations.items() for number in range(1, last + 1)}
    orders = [row for row in account["orders"] if mine(row) and not row["algo_id"]]
    found += [f"order {row['client_id']}: no intent" for row in orders if row["client_id"] not in slots]
    opened = Counter(slots.get(row["client_id"], "") for row in orders if row["filled"])
    found += [f"slot {slot} led to {count} orders" for slot, count in opened.items()
              if count > 1 and slot[:1] in ("b", "s")]
    stops = {client_id(SYSTEM, grid.user, SYMBOL, STOP_SLOT, str(side), number)
             for side in LEGS for number in range(1, grid.memory.generation + 1)}
    return found + [f"stop {row['client_id']}: no intent" for row in account["algos"]
                    if mine(row) and row["client_id"] not in stops]


def _leg(account: dict[str, Any], grid: Grid, side: int, name: str, flat: bool) -> list[str]:
    """Quantity, trades and stop of one side."""
    ledger: LegLedger = grid.state.ledger(side)
    held = sum((abs(Decimal(row["qty"])) for row in account["positions"] if row["leg"] == name), Decimal(0))
    found = [] if held == ledger.quantity + ledger.external_known else [
        f"{name}: books {ledger.quantity} and {ledger.external_known} of others, venue {held}"]
    trades = [row for row in account["fills"] if row["leg"] == name and _ours(account, row)]
    known = {*ledger.seen, *grid.memory.seen}
    lost = [row["trade_id"] for row in trades[-500:] if str(row["trade_id"]) not in known]
    found += [f"{name}: books lack trades {lost[:5]} of ours"] if lost else []
    stops = [row for row in account["algos"] if row["leg"] == name and row["status"] == "NEW" and mine(row)]
    if ledger.entries and [Decimal(row["qty"]) for row in stops] != [ledger.quantity]:
        found.append(f"{name} is NAKED: holds {ledger.quantity}, stops {[row['qty'] for row in stops]}")
    if not ledger.entries and stops:
        found.append(f"{name}: stop of a flat leg")
    return found + ([f"{name}: not flat, {ledger.quantity}"] if flat and ledger.entries else [])


def _ours(account: dict[str, Any], trade: dict[str, Any]) -> bool:
    if mine(trade):
        return True
    order = next((row for row in account["orders"] if row["id"] == trade["order_id"]), None)
    algos = {row["id"] for row in account["algos"] if mine(row)}
    return order is not None and order["algo_id"] in algos


def _money(account: dict[str, Any], grid: Grid, handled: bool) -> list[str]:
    """Result, fees and funding. An owner's own trades belong to the grid's books only as far as they closed entries."""
    state = grid.state
    fees = {True: Decimal(0), False: Decimal(0)}
    result = Decimal(0)
    for row in account["fills"]:
        fees[_ours(account, row)] += Decimal(row["fee"])
        result += Decimal(row["realized"])
    booked = state.buy.fees + state.sell.fees
    if handled:
        return [] if fees[True] - CENT <= booked <= fees[True] + fees[False] + CENT else [
            f"equity: fees {booked}, venue {fees[True]} of ours and {fees[False]} of the owner's"]
    realised = state.buy.realised_fold + state.sell.realised_fold
    found = [f"equity: {name} {ours}, venue {theirs}" for name, ours, theirs in (
        ("fees", booked, fees[True]), ("result", realised, result)) if abs(ours - theirs) > CENT]
    funding = Decimal(account["sums"].get("FUNDING_FEE", "0"))
    held = state.buy.entries or state.sell.entries
    if held and abs(state.day_funding - funding) > CENT:  # a flat grid reads it when it holds something again
        found.append(f"equity: funding {state.day_funding}, venue {funding}")
    return found


__all__ = ["Grid", "GridWorld", "Watch", "WorldError", "judged"]
