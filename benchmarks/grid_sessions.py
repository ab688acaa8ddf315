"""Sessions of the grid over the simulated Bitget: CPU, memory, price → order sent, restart to all reconciled.

``python -m benchmarks.grid_sessions --users 500 [--seconds 60] [--calls 90] [--database URL] [--instant]``. The
simulator and the receiver of webhooks run pinned to the last core, worker and webhook sender to the first; each session
sends its status every 30 s; orders flow because levels are narrow. `--calls` is the address's rate (Bitget: 6,000 a
minute beside each account's own rates), which all its users share; a greater one shows the worker with several
addresses' worth of calls. `--database`: an empty database of a server; default: SQLite in a file that is removed. With
``--instant`` accounts answer at once in this process (the tests' small exchange, its price on a random walk): what is
measured then is the worker alone, with its commits, without an exchange's limits. `away`: how often the database did
not take a save or a renewal; `unlike`: sessions whose legs are not the exchange's at the end. Exit code 1 where either
is not 0, or a session was not reconciled.
"""

import argparse
import asyncio
import json
import logging
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy.engine import make_url

from benchmarks.grid_hooks import beside, receiver, sender
from modules.exchange.bitget_settings import BitgetSettings
from modules.exchange.lanes import Lane
from modules.exchange.types import PositionSide, Unavailable
from modules.storage.sql.database import Database
from modules.storage.sql.migrate import upgrade
from modules.strategies.grid import events as ev
from modules.strategies.grid.live.accounts import open_account
from modules.strategies.grid.live.host import Host
from modules.strategies.grid.live.service import open_bitget
from modules.strategies.grid.live.settings import GridLiveSettings
from modules.strategies.grid.live.worker import Worker
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import Credentials, NewUser, Wanted, Webhook
from modules.strategies.grid.store.store import GridStore
from tests.strategies.grid.live.world import World
from utils.paths import Paths
from utils.vault import Vault, new_key

STATUS_S = 30.0
START_S, SETTLE_S = 1800.0, 300.0
NARROW = {"open_on_new_candle": False, "space_percent": 0.05, "space1_percent": 0.1, "space2_percent": 0.15,
          "space3_percent": 0.2, "single_order_profit": 0.1, "pair_global_profit": 0.15, "base_lot": 0.002}


def simulator(users: int, calls: float = 90.0) -> tuple[subprocess.Popen[str], str]:
    """The simulated exchange on the last core; its address."""
    argv = [sys.executable, "bot.py", "simulate", "--port", "0", "--futures", "2", "--tokens", "5", "--bitget-users",
            str(users), "--bitget-calls", str(max(6_000, round(calls * 66)))]
    cores = os.cpu_count() or 1
    process = subprocess.Popen(["taskset", "-c", str(cores - 1), *argv], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"http://[0-9.:]+", line)
        if found:
            return process, found.group()
    raise SystemExit("the simulator does not start")


def fill(store: GridStore, users: int, hook: str = "") -> None:
    """Users with running grids; `hook`: where their events go."""
    settings = GridSettings(**NARROW).model_dump()
    for number in range(1, users + 1):
        name = f"user-{number:05d}"
        store.users.add(NewUser(name, "bench", f"token-{number}", Credentials(
            f"sim-key-{number}", f"sim-secret-{number}", "sim-passphrase", False),
            Webhook(hook, "hook-secret"), "BTCUSDT", {}, settings), "bench")
        store.sessions.want(name, Wanted.RUNNING, "bench")


async def until_all(worker: Worker, users: int, limit_s: float) -> float:
    """Seconds until every session is reconciled."""
    began = time.monotonic()
    while time.monotonic() - began < limit_s:
        if len(worker.hosts) == users and all(host.reconciled for host in worker.hosts.values()):
            return time.monotonic() - began
        await asyncio.sleep(0.05)
    return float("nan")


def jump(url: str, pct: float) -> None:
    """The price of all sessions jumps: each that has a level or a profit there wants an order at that tick."""
    body = json.dumps({"futures": True, "symbol": "BTCUSDT", "action": "jump", "pct": str(pct)}).encode()
    urllib.request.urlopen(f"{url}/sim/act", body, timeout=60).close()


async def measured(worker: Worker, seconds: float, poke: Callable[[], None] | None = None) -> dict[str, Any]:
    """CPU, memory and latencies of a stretch; `poke` is called after a third of it."""
    for host in worker.hosts.values():
        host.delays.clear()
    process = psutil.Process()
    before, began = process.cpu_times(), time.monotonic()
    ticks: list[float] = []
    counted = sum(host.state.tick for host in worker.hosts.values())
    while time.monotonic() - began < seconds:
        await asyncio.sleep(0.5)
        ticks.append(worker.tick_s)
        if poke is not None and time.monotonic() - began > seconds / 3:
            await asyncio.to_thread(poke)
            poke = None
    wall, after = time.monotonic() - began, process.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    hosts = list(worker.hosts.values())
    sent, answered = ([one for host in hosts for one in getattr(host.delays, name)] for name in ("sent", "answered"))
    stepped = sum(host.state.tick for host in worker.hosts.values()) - counted
    return {
        "cpu_pct": round(100 * cpu / wall, 1), "ticks_a_second": round(stepped / wall, 1),
        "cpu_us_a_tick": round(1e6 * cpu / max(stepped, 1)), "orders": len(sent),
        "price_to_sent_ms": shares(sent), "price_to_answer_ms": shares(answered),
        "tick_of_all_ms": {"median": round(1000 * statistics.median(ticks), 1), "max": round(1000 * max(ticks), 1)},
        "rss_mb": round(process.memory_info().rss / 2**20, 1), "positions": sum(
            len(host.state.buy.entries) + len(host.state.sell.entries) for host in worker.hosts.values()),
        "waiting_readings": worker.pacer.length,
        "problems": Counter(host.problem[:60] for host in hosts if host.problem)}


def shares(seconds: list[float]) -> dict[str, float]:
    """Quantiles, ms."""
    row = sorted(seconds)
    return {f"p{share}": round(1000 * row[min(len(row) - 1, len(row) * share // 100)], 1)
            for share in (50, 90, 99)} if row else {}


async def wander(world: World) -> None:
    """A price that moves 0.03 % a second, up and down."""
    dice = random.Random(1)
    while True:
        world.market.set(round(world.market.price * Decimal(1 + dice.gauss(0, 0.0003)), 1), 1000)
        await asyncio.sleep(1.0)


async def main(given: argparse.Namespace) -> int:
    """Measure and print; 0 where all is well."""
    away = Away()
    logging.getLogger("modules.strategies.grid").addHandler(away)
    process, url = (None, "") if given.instant else simulator(given.users, given.calls)
    world = World()
    walking = asyncio.create_task(wander(world))
    try:
        with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
            paths = Paths(Path(folder)).prepare()
            url_of_it = given.database or f"sqlite:///{paths.data / 'grid.db'}"
            key, database = new_key(), Database(make_url(url_of_it), connect_s=30)
            upgrade(database)
            store = GridStore(database, Vault([key]))
            platform = None if given.instant else stack.enter_context(beside(receiver))
            fill(store, given.users, f"http://127.0.0.1:{platform.first}/hook" if platform else "")
            sending = stack.enter_context(beside(sender, url_of_it, key)) if platform else None
            found: dict[str, Any] = {"users": given.users, "instant": given.instant, "calls": given.calls,
                                     "database": database.url.get_backend_name(),
                                     "load": round(os.getloadavg()[0], 1)}
            found |= await lives(given, store, paths, url, world)
            if platform and sending:
                found["webhooks"] = sending.end() | platform.end()
            found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            found["away"], found["load_at_end"] = away.count, round(os.getloadavg()[0], 1)
            print(json.dumps(found))
            store.close()
            return 0 if not away.count and not found["unlike"] and found["restart_reconciled_s"] > 0 else 1
    finally:
        walking.cancel()
        if process is not None:
            process.terminate()
            process.wait(20)


async def lives(given: argparse.Namespace, store: GridStore, paths: Paths, url: str, world: World) -> dict[str, Any]:
    """A first worker that is measured, and the one after a restart."""
    bitget = BitgetSettings(base_url=url, calls_a_second=given.calls)
    live = GridLiveSettings(sessions=given.users, save_s=10)
    found: dict[str, Any] = {}
    empty = psutil.Process().memory_info().rss
    for life in ("first", "restart"):
        market: Any = world.market if given.instant else await open_bitget(bitget, paths)
        worker = Worker(store, market, live, life, paths, lambda host, notice: None, status_s=STATUS_S,
                        open_account=world.open if given.instant else open_account)
        stop = asyncio.Event()
        task = asyncio.create_task(worker.run(stop))
        found[f"{life}_reconciled_s"] = round(await until_all(worker, given.users, START_S), 2)
        print(f"{life}: all reconciled after {found[f'{life}_reconciled_s']} s", file=sys.stderr, flush=True)
        if life == "first":  # the burst of first orders
            await asyncio.sleep(10.0 if given.instant else min(120.0, given.users * 6 / given.calls))
            found |= await measured(worker, given.seconds, partial(jump, url, given.jump) if given.jump else None)
            found["kb_a_session"] = round((psutil.Process().memory_info().rss - empty) / given.users / 1024, 1)
        else:
            found["unlike"] = await unlike(worker)
        stop.set()
        await task
        if not given.instant:
            await market.close()
    return found


class Away(logging.Handler):
    """Counts what the database did not take."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """One more, where the record says so."""
        text = record.getMessage()
        self.count += "cannot be saved" in text or "cannot be renewed" in text or "could not be given back" in text


async def unlike(worker: Worker) -> int:
    """Sessions whose legs are not the exchange's, once all are paused; read for every user."""
    hosts = list(worker.hosts.values())
    for host in hosts:
        host.tell(ev.Said(host.now_ms, ev.Word.PAUSE, "bench"))
    until = time.monotonic() + SETTLE_S
    return sum(await asyncio.gather(*(_unlike(host, until) for host in hosts)))


async def _unlike(host: Host, until: float) -> bool:
    """Exits go on meanwhile, so a difference counts once it stays."""
    while True:
        try:
            rows = {row.side: abs(row.quantity) for row in await host.account.positions(Lane.DATA)
                    if row.symbol == host.symbol}
            same = not host.state.pending and (host.state.buy.quantity, host.state.sell.quantity) == (
                rows.get(PositionSide.LONG, Decimal(0)), rows.get(PositionSide.SHORT, Decimal(0)))
        except Unavailable:
            same = False
        if same or time.monotonic() > until:
            return not same
        await asyncio.sleep(2.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--jump", type=float, default=0.0, metavar="PCT",
                        help="the price jumps by so much meanwhile: all sessions want an order at one tick")
    parser.add_argument("--calls", type=float, default=90.0, help="calls a second of this address (Bitget: 100)")
    parser.add_argument("--database", default="", help="URL of an empty database; default: SQLite")
    parser.add_argument("--instant", action="store_true", help="accounts that answer at once, no simulator")
    os.sched_setaffinity(0, {0})
    raise SystemExit(asyncio.run(main(parser.parse_args())))
