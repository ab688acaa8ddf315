"""What the grid's server holds: ``python benchmarks/grid_api.py [--rate 10000] [--seconds 60] [--users 200]``.

The server runs as the service does, a process of its own with SQLite in a temporary home and a simulated exchange.
Requests come at a fixed rate (a minute), each at its own time whether earlier ones were answered or not, so that
waiting counts: status 80 %, a user's page 10 %, /health 5 %, stop previews 4 %, starts with their proof 1 %. Reported:
how many were answered, which way, and the time from the moment a request was due to its answer.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import aiohttp
import psutil

ROOT = Path(__file__).resolve().parents[1]
KEY = "platform-key-of-the-benchmark"
MIX = (("status", 80), ("user", 10), ("health", 5), ("preview", 4), ("start", 1))


def begin(service: str, home: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A service of the crew, and its address."""
    more = {"COXSWAIN_HOME": str(home), "SERVER_PORT": "0", "PLATFORM_API_KEY": KEY, "SIMULATOR_FUTURES": "3",
            "SIMULATOR_TOKENS": "1", "GRIDSERVER_REQUESTS_S": "1000", "GRIDSERVER_BURST": "1000",
            "GRIDSERVER_ADDRESS_S": "10000"}
    process = subprocess.Popen([sys.executable, "bot.py", "run", service], cwd=ROOT, env=os.environ | more,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    beat = home / "data" / "run" / f"{service}.beat.json"
    for _ in range(1200):
        time.sleep(0.1)
        if process.poll() is not None:
            raise SystemExit(f"{service} ended with {process.returncode}")
        try:
            told = json.loads(beat.read_bytes())
        except (OSError, ValueError):
            continue
        if told["ready"]:
            return process, f"http://127.0.0.1:{told['info']['port']}"
    raise SystemExit(f"{service} did not start")


async def people(session: aiohttp.ClientSession, url: str, count: int) -> list[tuple[str, str]]:
    """Users on paper accounts, each with its token."""
    made = []
    for number in range(count):
        body = {"userId": f"user{number}", "userBotId": "bench", "exchange": {
            "apiKey": "paper", "apiSecret": "x", "passphrase": "x", "isDemo": True},
            "settings": {"tradingPair": "BTCUSDT", "leverage": 10,
                                                             "customSettings": {"baseLot": 0.002, "minLot": 0.002}}}
        async with session.post(f"{url}/api/v1/users", json=body, headers={"X-Platform-Key": KEY}) as answer:
            assert answer.status == 201, await answer.text()
            made.append((f"user{number}", (await answer.json())["token"]))
    return made


async def storm(url: str, rate: float, seconds: float, count: int) -> tuple[list[tuple[str, float]], Counter[str]]:
    """((kind, seconds from due to answered) of every request, answers by status)."""
    times: list[tuple[str, float]] = []
    statuses: Counter[str] = Counter()
    draw = random.Random(11)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as session:
        users = await people(session, url, count)

        async def one(kind: str, due: float) -> None:
            name, token = draw.choice(users)
            path = {"status": f"/api/v1/users/{name}/status", "user": f"/api/v1/users/{name}", "health": "/health",
                    "preview": f"/api/v1/users/{name}/stop", "start": f"/api/v1/users/{name}/start"}[kind]
            body = {"dryRun": True} if kind == "preview" else None
            try:
                async with session.request("POST" if kind in ("preview", "start") else "GET", url + path, json=body,
                                           headers={"Authorization": f"Bearer {token}"}) as answer:
                    await answer.read()
                    statuses[str(answer.status)] += 1
            except (aiohttp.ClientError, TimeoutError) as problem:
                statuses[type(problem).__name__] += 1
            times.append((kind, time.perf_counter() - due))

        names, weights = [name for name, _ in MIX], [weight for _, weight in MIX]
        began, tasks = time.perf_counter(), []
        for number in range(round(rate / 60 * seconds)):
            due = began + number * 60 / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(one(draw.choices(names, weights)[0], due)))
        await asyncio.gather(*tasks)
    return times, statuses


def told(times: list[float]) -> str:
    found = sorted(times)
    at = [found[min(len(found) - 1, int(len(found) * share))] * 1000 for share in (0.5, 0.9, 0.99, 0.999)]
    return "p50 {:.1f}  p90 {:.1f}  p99 {:.1f}  p99.9 {:.1f}  max {:.1f} ms".format(*at, found[-1] * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=10_000, help="requests a minute")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--users", type=int, default=200)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "config").mkdir()
        running = []
        try:
            running.append(begin("simulator", home)[0])
            process, url = begin("gridserver", home)
            running.append(process)
            server = psutil.Process(process.pid)
            before = sum(server.cpu_times()[:2])
            began = time.perf_counter()
            times, statuses = asyncio.run(storm(url, chosen.rate, chosen.seconds, chosen.users))
            spent = time.perf_counter() - began
            cpu = (sum(server.cpu_times()[:2]) - before) / spent
            print(f"{len(times)} requests, {spent:.1f} s with the making of {chosen.users} users; "
                  f"load {os.getloadavg()[0]:.1f}")
            print(f"answers {dict(statuses)}; server {cpu:.0%} of a core, {server.memory_info().rss / 1e6:.0f} MB")
            print(f"all      {told([seconds for _, seconds in times])}")
            for kind, _ in MIX:
                if some := [seconds for name, seconds in times if name == kind]:
                    print(f"{kind:8} {told(some)}")
        finally:
            for one in reversed(running):
                one.terminate()
            for one in running:
                one.wait(30)


if __name__ == "__main__":
    main()
