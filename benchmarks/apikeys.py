"""The API manager under load: its overhead a call, and a market day of several processes over HTTP.

    python benchmarks/apikeys.py [--calls 200000] [--http 100000] [--processes 3]

1. Overhead: `take` and `report` on the page that processes share, one process, and with all of them at it.
2. A market day in `--http` calls: a server on this machine limits four owners (eight keys) in turn, fails, and sends
   garbage. Every process notes (sequence, owner, key, instant) of each key it got and of each rest it reported;
   sequences are given under one lock, so afterwards it is certain whether anybody ever got a key that rested.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from modules.apikeys.api_manager import ApiManager, Lease
from modules.apikeys.outcome import DONE, Verdict, outcome
from modules.apikeys.profiles import PROFILES
from modules.apikeys.settings import ApiKeySettings
from tests.apikeys.loopback import Providers, Quota
from utils.paths import Paths

OPENAI = PROFILES["openai"]
START = 1_795_240_000_000
OWNERS = {f"sk-key-number-{n}-{n}{n}{n}": f"o{n // 2}" for n in range(8)}
TEXT = ",".join(f"{owner}={key}" for key, owner in OWNERS.items())
DAY_MS = 86_400_000


def settings(*limits: str) -> ApiKeySettings:
    """Eight keys of four owners."""
    return ApiKeySettings(openai=SecretStr(TEXT), limits=limits)


def overhead(home: str, calls: int, out: Any = None) -> list[float]:
    """Microseconds of each take and report."""
    manager = ApiManager.open(settings("openai rpm=100000000"), Paths(Path(home)).prepare())
    took = []
    cpu = time.process_time_ns()
    for _ in range(calls):
        begin = time.perf_counter_ns()
        lease = manager.take("openai")
        if isinstance(lease, Lease):
            manager.report(lease, DONE)
        took.append((time.perf_counter_ns() - begin) / 1000)
    manager.close()
    if out is not None:
        out.put(took)
    else:
        print(f"CPU of each: {(time.process_time_ns() - cpu) / 1000 / calls:.1f} µs")
    return took


def shown(name: str, took: list[float]) -> None:
    """One line of figures."""
    took.sort()
    print(f"{name}: n {len(took):,}, mean {statistics.fmean(took):.1f} µs, p50 {took[len(took) // 2]:.1f}, "
          f"p99 {took[len(took) * 99 // 100]:.1f}, max {took[-1]:.0f}", flush=True)


class MarketTime:
    """A day that passes in as long as the calls take: the same in all processes."""

    def __init__(self, begun: float, speed: float) -> None:
        self._begun, self._speed = begun, speed

    def __call__(self) -> int:
        return START + int((time.monotonic() - self._begun) * self._speed * 1000)


def serve(port: Any, begun: float, speed: float, end: Any, out: Any) -> None:
    """The server's process."""
    clock = MarketTime(begun, speed)
    loopback = Providers(clock, dict(OWNERS), {f"o{n}": Quota() for n in range(4)})
    quotas = {f"o{n}": [0.0, 0] for n in range(4)}
    draw = random.Random(7)

    async def answer(request: web.Request) -> web.Response:
        key = request.headers["Authorization"].removeprefix("Bearer ")
        owner, now = OWNERS[key], clock() / 1000
        dice = draw.random()
        if dice < 0.0002:
            return web.Response(status=503)
        if dice < 0.0003:
            return web.Response(text="garbage")
        used = quotas[owner]
        used[1] += 1
        if used[1] > 400 + 150 * int(owner[1]):  # spent: rests for a third of a market hour
            used[1] = 0
            loopback.quotas[owner].rests_until = now + 1200
            return web.Response(status=429, headers={"Retry-After": "1200"})
        return web.json_response({"choices": []})

    async def live() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.value = runner.addresses[0][1]
        while not end.is_set():
            await asyncio.sleep(0.05)
        await runner.cleanup()
    asyncio.run(live())


def trade(home: str, port: int, begun: float, speed: float, calls: int, number: int) -> None:
    """One process that asks until its calls are made or the market day is over."""
    clock = MarketTime(begun, speed)
    manager = ApiManager.open(settings("openai rpm=0"), Paths(Path(home)).prepare(), clock)
    rows: list[tuple[str, int, str, str, int, int]] = []

    async def live() -> None:
        made = 0
        async with aiohttp.ClientSession() as session:
            while made < calls and clock() < START + DAY_MS:
                lease = manager.take("openai")
                if not isinstance(lease, Lease):
                    rows.append(("tired", 0, lease.why, "", clock(), lease.until_ms))
                    await asyncio.sleep(0.001)
                    continue
                made += 1
                rows.append(("take", lease.sequence, lease.key.owner, lease.key.mark, lease.at_ms, 0))
                async with session.post(f"http://127.0.0.1:{port}/v1/chat/completions",
                                        headers={"Authorization": f"Bearer {lease.key.secret}"}, data=b"{}") as reply:
                    body, status = await reply.read(), reply.status
                    headers = {name.lower(): value for name, value in reply.headers.items()}
                retry = float(headers["retry-after"]) if "retry-after" in headers else None
                found = outcome(OPENAI, 0 if body == b"garbage" else status, headers, clock(), retry_after_s=retry)
                noted = clock()
                rested = manager.report(lease, found)
                if rested and found.verdict is Verdict.LIMITED:
                    ends = noted + int((retry or 0) * 1000)
                    rows.append(("rest", rested, lease.key.owner, lease.key.mark, noted, ends))
                elif found.verdict is Verdict.OK:
                    rows.append(("good", lease.sequence, lease.key.owner, lease.key.mark, clock(), 0))
    asyncio.run(live())
    manager.close()
    Path(home, f"rows.{number}.json").write_text(json.dumps(rows))


def day(calls: int, processes: int, speed: float) -> None:
    """Part 2."""
    home = tempfile.mkdtemp(prefix="apikeys-")
    context = multiprocessing.get_context("spawn")
    port, end, out = context.Value("i", 0), context.Event(), context.Queue()
    begun = time.monotonic() + 2.0
    server = context.Process(target=serve, args=(port, begun, speed, end, out))
    server.start()
    while not port.value:
        time.sleep(0.01)
    workers = [context.Process(target=trade, args=(home, port.value, begun, speed, calls // processes, number))
               for number in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    end.set()
    server.join()
    judge([row for number in range(processes) for row in json.loads(Path(home, f"rows.{number}.json").read_text())],
          processes)


def judge(rows: list[Any], processes: int) -> None:
    """Whether anybody got a key that rested; how long nothing was served."""
    ordered = sorted((row for row in rows if row[0] in ("take", "rest")), key=lambda row: row[1])
    until: dict[str, int] = {}
    early = 0
    for kind, _, owner, _, at, ends in ordered:
        if kind == "rest":
            until[owner] = max(until.get(owner, 0), ends)
        elif at < until.get(owner, 0):
            early += 1
    good = sorted(row[4] for row in rows if row[0] == "good")
    gaps = sorted((b - a for a, b in zip(good, good[1:], strict=False)), reverse=True)
    none = dict(Counter(row[2] for row in rows if row[0] == "tired"))
    print(f"market day: {processes} processes, {sum(row[0] == 'take' for row in rows):,} calls over HTTP, "
          f"{len(good):,} good, {sum(row[0] == 'rest' for row in rows):,} rests of owners, {early} calls on a resting "
          f"key; {(good[-1] - good[0]) / 3_600_000:.1f} market h, longest time without an answer "
          f"{gaps[0] / 1000:.0f} market s; no key at once: {none}", flush=True)
    if early:
        raise SystemExit("a resting key was handed out")


def main() -> None:
    """Entry."""
    parser = argparse.ArgumentParser(description="The API manager under load.")
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--http", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--speed", type=float, default=200.0, help="market seconds in one of ours")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        shown("take + report, one process", overhead(home, chosen.calls))
    with tempfile.TemporaryDirectory() as home:
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        many = [context.Process(target=overhead, args=(home, chosen.calls // 4, queue))
                for _ in range(chosen.processes)]
        for each in many:
            each.start()
        took = [one for _ in many for one in queue.get()]
        for each in many:
            each.join()
        shown(f"take + report, {chosen.processes} processes at once", took)
    if chosen.http:
        day(chosen.http, chosen.processes, chosen.speed)


if __name__ == "__main__":
    main()
