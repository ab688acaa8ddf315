"""Sessions of the grid over the simulated Bitget: CPU, memory, price → order sent, restart to all reconciled.

``python -m benchmarks.grid_sessions --users 500 [--seconds 60] [--calls 90] [--instant]``. The simulator runs pinned to
the last core, the worker to the first; orders flow because levels are narrow. With ``--instant`` accounts answer at
once in this process (the tests' small exchange, its price on a random walk): what is measured then is the worker alone,
with its commits, without an exchange's limits. Nothing here is asserted.
"""

import argparse
import asyncio
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy.engine import URL

from modules.exchange.bitget_settings import BitgetSettings
from modules.storage.sql.database import Database
from modules.storage.sql.migrate import upgrade
from modules.storage.vault import Vault, new_key
from modules.strategies.grid.live.accounts import open_account
from modules.strategies.grid.live.service import open_bitget
from modules.strategies.grid.live.settings import GridLiveSettings
from modules.strategies.grid.live.worker import Worker
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import Credentials, NewUser, Wanted, Webhook
from modules.strategies.grid.store.store import GridStore
from tests.strategies.grid.live.world import World
from utils.paths import Paths

NARROW = {"open_on_new_candle": False, "space_percent": 0.05, "space1_percent": 0.1, "space2_percent": 0.15,
          "space3_percent": 0.2, "single_order_profit": 0.1, "pair_global_profit": 0.15, "base_lot": 0.002}


def simulator(users: int) -> tuple[subprocess.Popen[str], str]:
    """The simulated exchange on the last core; its address."""
    argv = [sys.executable, "bot.py", "simulate", "--port", "0", "--futures", "2", "--tokens", "5", "--bitget-users",
            str(users)]
    cores = os.cpu_count() or 1
    process = subprocess.Popen(["taskset", "-c", str(cores - 1), *argv], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"http://[0-9.:]+", line)
        if found:
            return process, found.group()
    raise SystemExit("the simulator does not start")


def fill(store: GridStore, users: int) -> None:
    """Users with running grids."""
    settings = GridSettings(**NARROW).model_dump()
    for number in range(1, users + 1):
        name = f"user-{number:05d}"
        store.users.add(NewUser(name, "bench", f"token-{number}", Credentials(
            f"sim-key-{number}", f"sim-secret-{number}", "sim-passphrase", False),
            Webhook("https://hooks.example/x", "hook-secret"), "BTCUSDT", {}, settings), "bench")
        store.sessions.want(name, Wanted.RUNNING, "bench")


async def until_all(worker: Worker, users: int, limit_s: float) -> float:
    """Seconds until every session is reconciled."""
    began = time.monotonic()
    while time.monotonic() - began < limit_s:
        if len(worker.hosts) == users and all(host.reconciled for host in worker.hosts.values()):
            return time.monotonic() - began
        await asyncio.sleep(0.05)
    return float("nan")


async def measured(worker: Worker, seconds: float) -> dict[str, Any]:
    """CPU, memory and latencies of a stretch."""
    for host in worker.hosts.values():
        host.sent_at.clear()
    process = psutil.Process()
    before, began = process.cpu_times(), time.monotonic()
    ticks: list[float] = []
    counted = sum(host.state.tick for host in worker.hosts.values())
    while time.monotonic() - began < seconds:
        await asyncio.sleep(0.5)
        ticks.append(worker.tick_s)
    wall, after = time.monotonic() - began, process.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    sent = sorted(one for host in worker.hosts.values() for one in host.sent_at)
    stepped = sum(host.state.tick for host in worker.hosts.values()) - counted
    return {
        "cpu_pct": round(100 * cpu / wall, 1), "ticks_a_second": round(stepped / wall, 1),
        "cpu_us_a_tick": round(1e6 * cpu / max(stepped, 1)), "orders": len(sent),
        "order_ms": {f"p{share}": round(1000 * sent[min(len(sent) - 1, len(sent) * share // 100)], 1)
                     for share in (50, 90, 99)} if sent else {},
        "tick_of_all_ms": {"median": round(1000 * statistics.median(ticks), 1), "max": round(1000 * max(ticks), 1)},
        "rss_mb": round(process.memory_info().rss / 2**20, 1), "positions": sum(
            len(host.state.buy.entries) + len(host.state.sell.entries) for host in worker.hosts.values()),
        "waiting_readings": worker.pacer.length,
        "problems": len([1 for host in worker.hosts.values() if host.problem])}


async def wander(world: World) -> None:
    """A price that moves 0.03 % a second, up and down."""
    dice = random.Random(1)
    while True:
        world.market.set(round(world.market.price * Decimal(1 + dice.gauss(0, 0.0003)), 1), 1000)
        await asyncio.sleep(1.0)


async def main(users: int, seconds: float, calls: float, instant: bool) -> None:
    """Measure and print."""
    process, url = (None, "") if instant else simulator(users)
    world = World()
    walking = asyncio.create_task(wander(world))
    try:
        with tempfile.TemporaryDirectory() as folder:
            paths = Paths(Path(folder)).prepare()
            database = Database(URL.create("sqlite", database=str(paths.data / "grid.db")), connect_s=30)
            upgrade(database)
            store = GridStore(database, Vault([new_key()]))
            fill(store, users)
            bitget = BitgetSettings(base_url=url, calls_a_second=calls)
            live = GridLiveSettings(sessions=users, save_s=10)
            found: dict[str, Any] = {"users": users, "instant": instant, "load": os.getloadavg()[0]}
            empty = psutil.Process().memory_info().rss
            for life in ("first", "restart"):
                market: Any = world.market if instant else await open_bitget(bitget, paths)
                worker = Worker(store, market, live, life, paths, lambda host, notice: None, status_s=60,
                                open_account=world.open if instant else open_account)
                stop = asyncio.Event()
                task = asyncio.create_task(worker.run(stop))
                found[f"{life}_reconciled_s"] = round(await until_all(worker, users, 600), 2)
                if life == "first":
                    await asyncio.sleep(10.0 if instant else min(90.0, users * 6 / calls))  # the burst of first orders
                    found |= await measured(worker, seconds)
                    found["kb_a_session"] = round((psutil.Process().memory_info().rss - empty) / users / 1024, 1)
                stop.set()
                await task
                if not instant:
                    await market.close()
            found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(json.dumps(found))
            store.close()
    finally:
        walking.cancel()
        if process is not None:
            process.terminate()
            process.wait(20)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--calls", type=float, default=90.0, help="calls a second of this address (Bitget: 100)")
    parser.add_argument("--instant", action="store_true", help="accounts that answer at once, no simulator")
    given = parser.parse_args()
    os.sched_setaffinity(0, {0})
    asyncio.run(main(given.users, given.seconds, given.calls, given.instant))
