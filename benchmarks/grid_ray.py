"""Grids as Ray actors on two nodes, over the simulated Bitget: an actor killed, one halted, a whole node killed.

    python -m benchmarks.grid_ray [--users 20] [--seconds 15] [--calls 90] [--database URL]

Two Ray nodes on this machine, each with an installation of its own (`COXSWAIN_HOME`: settings, logs), share one
database and one simulated exchange. While grids trade (narrow levels), a worker process is killed with SIGKILL, another
is halted until its leases are over and woken again, and at last one node is killed whole. After each: seconds until
every grid has a new holder, and until each was saved by it with nothing unknown. At the end every grid is paused and
compared with the exchange: both legs' quantities, trades of no order of ours, blocked sides. Exit code 1 where anything
differs.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"

import psutil

from benchmarks.grid_sessions import fill, simulator
from config.grid_entry import worker
from config.settings import load_settings
from modules.exchange.futures_types import MarginMode
from modules.exchange.types import PositionSide
from modules.strategies.grid.live.accounts import open_account
from modules.strategies.grid.live.ray_crew import RayCrew
from modules.strategies.grid.live.service import open_bitget
from modules.strategies.grid.live.view import state_of
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import Wanted
from modules.strategies.grid.store.store import GridStore
from utils.paths import Paths
from utils.vault import new_key

LEASE_S = 6.0
LIMIT_S = 240.0
SYMBOL = "BTCUSDT"


def free_port(first: int) -> int:
    """A free port from `first` on (Ray's own workers take 10002–19999)."""
    for port in range(first, 10_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SystemExit("no free port below 10000")


def home(folder: Path, settings: dict[str, str]) -> Path:
    """An installation of its own."""
    paths = Paths(folder).prepare()
    (paths.config / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return folder


class Nodes:
    """Two Ray nodes; whatever they started is ended by process id."""

    def __init__(self, folder: Path, homes: list[Path]) -> None:
        self._folder, self._ray = folder, str(Path(sys.executable).with_name("ray"))
        self._before = {process.pid for process in psutil.process_iter()}
        self.port, self.client = free_port(9921), free_port(9911)
        self._start(homes[0], "--head", f"--port={self.port}", f"--ray-client-server-port={self.client}",
                    "--include-dashboard=false", f"--temp-dir={folder}", "--node-ip-address=127.0.0.1")
        first = self._mine()
        # Its own folder: two machines do not unpack the program into the same one.
        self._start(homes[1], f"--address=127.0.0.1:{self.port}", "--node-ip-address=127.0.0.2",
                    f"--temp-dir={folder}-second")
        self.second = [process for process in self._mine() if process.pid not in {one.pid for one in first}]

    def _start(self, own: Path, *more: str) -> None:
        done = subprocess.run([self._ray, "start", "--num-cpus=2", "--object-store-memory=80000000", *more],
                              capture_output=True, text=True, env={**os.environ, "COXSWAIN_HOME": str(own)})
        if done.returncode:
            raise SystemExit(f"ray start: {done.stderr[-600:]}")

    def _mine(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if process.pid not in self._before and self._is(process)]

    def _is(self, process: psutil.Process) -> bool:
        try:
            line = " ".join(process.cmdline())
            return str(self._folder) in line or process.environ().get("RAY_TMPDIR", "").startswith(str(self._folder))
        except psutil.Error:
            return False

    def kill_second(self) -> None:
        """The node is gone from one moment to the next, its workers with it."""
        gone = [child for process in self.second for child in children(process)] + self.second
        for process in gone:
            end(process)

    def close(self) -> None:
        mine = self._mine()
        for process in [child for one in mine for child in children(one)] + mine:
            end(process)
        psutil.wait_procs(mine, timeout=10)


def children(process: psutil.Process) -> list[psutil.Process]:
    """All below it."""
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def end(process: psutil.Process) -> None:
    """Kill it."""
    try:
        process.kill()
    except psutil.Error:
        pass


class Watch:
    """What the store says of the grids."""

    def __init__(self, store: GridStore, users: int) -> None:
        self.store, self.users = store, users

    def holders(self) -> dict[str, str]:
        """User → who holds his grid now."""
        now = self.store.now_ms()
        return {one.user_id: one.lease_holder for one in self.store.sessions.all(most=self.users)
                if one.lease_until_ms > now and one.lease_holder}

    def by_worker(self) -> dict[str, int]:
        """Grids by holder, its random part left out."""
        found: dict[str, int] = {}
        for holder in self.holders().values():
            found[holder.rpartition(":")[0]] = found.get(holder.rpartition(":")[0], 0) + 1
        return found

    def settled(self) -> bool:
        """Every grid is held, and was saved by its holder with everything known."""
        holders = self.holders()
        return len(holders) == self.users and all(self._saved(user, holder) for user, holder in holders.items())

    def _saved(self, user: str, holder: str) -> bool:
        found = self.store.sessions.state(user)
        if found is None or found[1].get("worker") != holder:
            return False
        state = state_of(found[0])
        return state.started and not state.pending

    def trades(self) -> int:
        """Positions that are open, all users together."""
        found = [self.store.sessions.state(one) for one in self.holders()]
        states = [state_of(one[0]) for one in found if one is not None]
        return sum(len(state.buy.entries) + len(state.sell.entries) for state in states)


def wait(crew: RayCrew, good: Callable[[], bool], what: str) -> float:
    """Seconds until `good`, the crew looked after meanwhile."""
    began = time.monotonic()
    while not good():
        if time.monotonic() - began > LIMIT_S:
            raise SystemExit(f"not within {LIMIT_S:.0f} s: {what}")
        crew.look()
        time.sleep(0.2)
    return time.monotonic() - began


def pid_of(holder: str) -> int:
    return int(holder.split(":")[1])


def trouble(crew: RayCrew, watch: Watch, seconds: float, strike: Callable[[str], None]) -> dict[str, Any]:
    """Hit the worker that holds most grids; how long until all is well again."""
    wait(crew, watch.settled, "all settled before")
    began = time.monotonic()
    wait(crew, lambda: time.monotonic() - began > seconds, "trading")
    holders = list(watch.holders().values())
    hit = max(set(holders), key=holders.count)
    before, struck = watch.by_worker(), time.monotonic()
    strike(hit)
    wait(crew, lambda: len(found := watch.holders()) == watch.users and hit not in found.values(), "new holders")
    held = time.monotonic() - struck
    wait(crew, watch.settled, "all settled after")
    return {"hit": hit.rpartition(":")[0], "had": holders.count(hit), "before": before, "after": watch.by_worker(),
            "new_holders_s": round(held, 1), "all_settled_s": round(time.monotonic() - struck, 1),
            "deaths_seen": crew.facts()["deaths"]}


async def judged(store: GridStore, settings: Any, paths: Paths, users: int) -> list[str]:
    """What differs between grids and exchange; waits until what is under way has ended."""
    market = await open_bitget(settings.bitget, paths)
    wrong: list[str] = []
    try:
        for number in range(1, users + 1):
            name = f"user-{number:05d}"
            given = store.users.credentials(name)
            account = await open_account(market, given, name, GridSettings(), MarginMode.CROSSED, paths)
            for _ in range(60):
                found = store.sessions.state(name)
                problems = await _differs(name, account, found)
                if not problems:
                    break
                await asyncio.sleep(1.0)
            wrong += problems
            await account.close()
    finally:
        await market.close()
    return wrong


async def _differs(name: str, account: Any, found: Any) -> list[str]:
    if found is None:
        return [f"{name}: never saved"]
    state, memory = state_of(found[0]), found[1]["host"]
    rows = {row.side: abs(row.quantity) for row in await account.positions()}
    wrong = []
    for side, leg in ((PositionSide.LONG, state.buy), (PositionSide.SHORT, state.sell)):
        if rows.get(side, Decimal(0)) != leg.quantity:
            wrong.append(f"{name} {side}: exchange {rows.get(side, 0)}, grid {leg.quantity}")
        if leg.external or leg.external_known:
            wrong.append(f"{name} {side}: external {leg.external}")
    wrong += [f"{name}: side {side} is blocked: {state.check(side).blocked}" for side in (1, -1)
              if state.check(side).blocked is not None or state.check(side).manual]
    unknown = {row.order_id for row in await account.fills(SYMBOL, 0)} - set(memory["orders"])
    if unknown:
        wrong.append(f"{name}: trades of orders that are not its own: {sorted(unknown)}")
    if state.pending:
        wrong.append(f"{name}: {len(state.pending)} orders under way")
    return wrong


@contextmanager
def world(users: int, calls: float, database: str) -> Iterator[tuple[Nodes, Path]]:
    """Exchange, two installations, two nodes."""
    process, url = simulator(users)
    try:
        with tempfile.TemporaryDirectory(prefix="ray") as name:
            folder = Path(name)
            more = {"BITGET_NAME": "bitget", "BITGET_BASE_URL": url, "GRIDSERVER_SECRET_KEY": new_key(),
                    "DB_URL": database or f"sqlite:///{folder}/grid.db", "GRIDLIVE_LEASE_S": str(LEASE_S),
                    "GRIDLIVE_SAVE_S": "1", "GRIDLIVE_SESSIONS": str(users // 2 + 1), "DB_CONNECT_S": "30",
                    "BITGET_CALLS_A_SECOND": str(calls)}
            homes = [home(folder / place, more) for place in ("a", "b")]
            nodes = Nodes(folder / "ray", homes)
            try:
                yield nodes, homes[0]
            finally:
                nodes.close()
    finally:
        process.terminate()
        process.wait(20)


def halted(hit: str) -> None:
    """Stop a process until its leases are over, then wake it."""
    os.kill(pid_of(hit), signal.SIGSTOP)
    time.sleep(LEASE_S + 2)
    os.kill(pid_of(hit), signal.SIGCONT)


def main(users: int, seconds: float, calls: float, database: str) -> int:
    """Measure, judge and print."""
    with world(users, calls, database) as (nodes, own):
        paths = Paths(own)
        settings = load_settings(paths)
        store = GridStore.open(settings, paths)
        fill(store, users)
        found: dict[str, Any] = {"users": users, "load": os.getloadavg()[0]}
        crew = RayCrew(worker, str(own), ["grid-1", "grid-2", "grid-3"], f"ray://127.0.0.1:{nodes.client}")
        try:
            watch = Watch(store, users)
            found["all_settled_s"] = round(wait(crew, watch.settled, "all settled at first"), 1)
            found["workers"] = crew.facts()["workers"]
            found["killed"] = trouble(crew, watch, seconds, lambda hit: os.kill(pid_of(hit), signal.SIGKILL))
            found["halted"] = trouble(crew, watch, seconds, halted)
            node = [name for name, place in crew.facts()["workers"].items() if place and place.startswith("127.0.0.2")]
            found["node_had"] = node
            nodes.kill_second()
            struck = time.monotonic()
            wait(crew, lambda: all(place and not place.startswith("127.0.0.2")
                                   for place in crew.facts()["workers"].values()), "workers on the other node")
            wait(crew, watch.settled, "all settled without the node")
            found["node_killed"] = {"all_settled_s": round(time.monotonic() - struck, 1), "after": watch.by_worker(),
                                    "workers": crew.facts()["workers"]}
            found["positions"] = watch.trades()
            for number in range(1, users + 1):
                store.sessions.want(f"user-{number:05d}", Wanted.PAUSED, "bench")
            time.sleep(LEASE_S)
            found["differences"] = asyncio.run(judged(store, settings, paths, users))
            found["fenced"] = sum(text.count("another worker's by now") for text in (
                one.read_text() for one in own.parent.glob("*/data/logs/grid-*.log")))
        finally:
            crew.end()
            leases = [one for one in store.sessions.all(most=users) if one.lease_holder]
            found["leases_given_back"] = not leases
            store.close()
        print(json.dumps(found, indent=1))
        return 1 if found.get("differences") else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=15.0, help="of trading before each blow")
    parser.add_argument("--calls", type=float, default=90.0, help="calls a second of each installation")
    parser.add_argument("--database", default="", help="URL of a database; default: SQLite that both share")
    chosen = parser.parse_args()
    raise SystemExit(main(chosen.users, chosen.seconds, chosen.calls, chosen.database))
