"""What watching costs: trading latency with nobody and with ten watching, in turns of one run; memory, first paint.

    python -m benchmarks.dashboard                     the whole simulated crew, two turns of each, some five minutes
    python -m benchmarks.dashboard --seconds 60 --turns 3 --json

All five systems trade on paper (tests/e2e/whole_crew.py). Times are of the wall clock:
  message to order   scalper: from the message that made the signal to the order's line in the journal
  order's answer     from that line to the line of its answer, as this process sees the file grow (every 2 ms)
  look gap           tracker: between two looks at a position, the median that it tells
  loop               showdown: the turn of its trading loop that it tells
Needs chromium and playwright for the first paint; without them it is left out, and said.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil
import websockets

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.scalper import percentile
from modules.dashboard.pages import PAGES
from tests.e2e.harness import Program
from tests.e2e.whole_crew import EAGER, PASSWORD, prepared, start_all

CLIENTS, FEW = 10, 5
JOURNALS = ("intents.jsonl", "test_futures_scalper_intents.jsonl", "test_futures_showdown_intents.jsonl")


class Orders:
    """Follows the journals of all systems."""

    def __init__(self, data: Path, speed: float) -> None:
        self._data, self._speed = data, speed
        self._places = {name: (data / name).stat().st_size if (data / name).exists() else 0 for name in JOURNALS}
        self._sent: dict[str, float] = {}
        self.to_order_ms: list[float] = []
        self.answer_ms: list[float] = []

    def look(self) -> None:
        """Take in what was appended."""
        now = time.perf_counter()
        for name, place in self._places.items():
            try:
                with open(self._data / name, "rb") as held:
                    held.seek(place)
                    content = held.read()
            except OSError:
                continue
            whole = content[:content.rfind(b"\n") + 1]
            self._places[name] = place + len(whole)
            for line in whole.splitlines():
                self._take(json.loads(line), now)

    def _take(self, entry: dict[str, Any], now: float) -> None:
        if entry.get("type") == "intent":
            intent = entry["intent"]
            self._sent[intent["id"]] = now
            cause = str(intent.get("cause", "")).rpartition("-")[2]
            if intent["system"] == "scalper" and intent["leg"] == "entry" and cause.isdecimal():
                self.to_order_ms.append((intent["market_ms"] - int(cause)) / self._speed)
        elif entry.get("type") == "answer" and entry["id"] in self._sent:
            self.answer_ms.append((now - self._sent.pop(entry["id"])) * 1000)


async def watcher(url: str, cookie: str, page: str) -> None:
    """One page that somebody looks at, until cancelled."""
    async with websockets.connect(url.replace("http", "ws", 1) + "/live", origin=url, compression=None,  # type: ignore[arg-type]
                                  additional_headers={"Cookie": cookie}, max_size=None) as live:
        await live.send(json.dumps({"page": page}))
        async for _ in live:
            pass


def log_in(url: str) -> str:
    """The session's cookie."""
    with httpx.Client(base_url=url, timeout=30) as client:
        answer = client.post("/login", json={"password": PASSWORD}, headers={"Origin": url})
        answer.raise_for_status()
        return str(answer.headers["set-cookie"]).split(";")[0]


async def turn(program: Program, url: str, cookie: str, clients: int, seconds: float, speed: float) -> dict[str, Any]:
    """One turn with so many watching."""
    tasks = [asyncio.create_task(watcher(url, cookie, PAGES[n % len(PAGES)])) for n in range(clients)]
    await asyncio.sleep(3)
    orders = Orders(program.home / "data", speed)
    server = psutil.Process((program.beat("dashboard") or {})["pid"])
    gaps, loops, memory = [], [], []
    busy = sum(server.cpu_times()[:2])
    end = time.perf_counter() + seconds
    sampled = 0.0
    while (now := time.perf_counter()) < end:
        orders.look()
        if now - sampled >= 1:
            sampled = now
            gaps.append(float(((program.beat("tracker") or {}).get("info") or {}).get("look_p50_ms") or 0) / speed)
            accounts = ((program.beat("showdown") or {}).get("info") or {}).get("accounts") or {}
            loops += [float(one["loop_ms"]) for one in accounts.values() if one.get("loop_ms")]
            memory.append(server.memory_info().rss / 1e6)
        await asyncio.sleep(0.002)
    broken = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"clients": clients, "lost": len(broken), "to_order_ms": orders.to_order_ms, "answer_ms": orders.answer_ms,
            "look_gap_ms": [one for one in gaps if one], "loop_ms": loops, "rss_mb": max(memory),
            "cpu_pct": (sum(server.cpu_times()[:2]) - busy) / seconds * 100}


async def paints(url: str) -> dict[str, float]:
    """First contentful paint of each page in chromium, ms; empty without it."""
    try:
        from benchmarks.dashboard_tour import Browser
    except ImportError:
        return {}
    found = {}
    async with Browser(url) as browser:
        page = await browser.logged_in(1366, "dark", PASSWORD)
        for name in PAGES:
            await page.goto(f"{url}/{name}")
            await page.locator(".panel h2:visible").first.wait_for()
            found[name] = float(await page.evaluate(
                "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"))
    return found


def told(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of nobody and of ten watching, and their ratio."""
    def of(watched: bool, name: str) -> list[float]:
        return [value for one in turns if bool(one["clients"]) is watched for value in one[name]]

    shown: dict[str, Any] = {}
    for name in ("to_order_ms", "answer_ms", "look_gap_ms", "loop_ms"):
        none, ten = of(False, name), of(True, name)
        if none and ten:
            shown[name] = {"n": [len(none), len(ten)], "p50": [round(median(none), 2), round(median(ten), 2)],
                           "p99": [round(percentile(none, 0.99), 2), round(percentile(ten, 0.99), 2)],
                           "ratio": round(median(ten) / median(none), 3) if median(none) else None}
    return shown


async def measure(seconds: float, turns: int, settle_s: float) -> dict[str, Any]:
    """Everything, in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="coxswain-bench-", ignore_cleanup_errors=True) as folder:
        program = prepared(Path(folder)).start()
        try:
            await asyncio.to_thread(start_all, program)
            await asyncio.to_thread(program.ask, "/dashboard", r"#once=", 90)
            url = str((program.beat("dashboard") or {})["info"]["url"])
            cookie, speed = log_in(url), float(EAGER["SIMULATOR_SPEED"])
            await asyncio.sleep(settle_s)
            found = [await turn(program, url, cookie, clients, seconds, speed)
                     for _ in range(turns) for clients in (0, CLIENTS)]
            five = await turn(program, url, cookie, FEW, 10, speed)
            return {"load": os.getloadavg(), "latency": told(found), "lost": sum(one["lost"] for one in found),
                    "cpu_pct": [round(one["cpu_pct"], 1) for one in found[:2]], "rss_mb_five": round(five["rss_mb"], 1),
                    "rss_mb_ten": round(max(one["rss_mb"] for one in found), 1), "first_paint_ms": await paints(url)}
        finally:
            program.kill_all()


def main() -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=45, help="of a turn")
    parser.add_argument("--turns", type=int, default=2, help="of each kind")
    parser.add_argument("--settle", type=float, default=20, help="seconds before the first turn")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = asyncio.run(measure(chosen.seconds, chosen.turns, chosen.settle))
    if chosen.json:
        print(json.dumps(found, indent=1))
        return 0
    print(f"load {found['load'][0]:.1f}; nobody watches | {CLIENTS} watch")
    for name, row in found["latency"].items():
        print(f"{name:14} p50 {row['p50'][0]:8.1f} | {row['p50'][1]:8.1f} ms   p99 {row['p99'][0]:8.1f} | "
              f"{row['p99'][1]:8.1f}   n {row['n'][0]} | {row['n'][1]}   ratio {row['ratio']}")
    print(f"server: {found['rss_mb_five']} MB with {FEW} watching, {found['rss_mb_ten']} MB with {CLIENTS}; "
          f"CPU of a core {found['cpu_pct'][0]} % | {found['cpu_pct'][1]} %; {found['lost']} connections lost")
    paint = found["first_paint_ms"]
    print("first paint: " + (", ".join(f"{name} {ms:.0f} ms" for name, ms in paint.items()) or "no chromium here"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
