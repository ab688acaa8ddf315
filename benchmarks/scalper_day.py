"""A market day of the whole crew without a pause, while the keys of every provider tire in turn.

    python -m benchmarks.scalper_day [--speed 240] [--hours 24] [--json]

The real processes (simulator, feed, sentiment, scalper in TEST) on a fast simulated market. OpenAI, Gemini and Hugging
Face are servers on this machine: each owner is limited after a few calls (429 with Retry-After), and in turn keys are
refused (401), quotas spent for the day, answers slow, garbage, steered, or not there (503). Headlines come several
times a second. Judged: no service ended, looks of the scalper and scores of sentiment went on, trades were made, and
the servers saw not one call on a key or owner that they had told to rest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from aiohttp import web

from modules.supervision.outbox import Outbox
from modules.supervision.service import read_beat
from tests.apikeys.loopback import Providers
from utils.paths import Paths
from utils.wall import now_ms

PROJECT = Path(__file__).resolve().parent.parent
KEYS = {"openai": [f"oa{n // 2}=sk-day-{n:02}-aaaaaaaaaaaa" for n in range(10)],
        "gemini": [f"ge{n}=AIday-{n:02}-bbbbbbbbbbbb" for n in range(4)],
        "huggingface": [f"hf{n}=hf_day_{n:02}_cccccccccccc" for n in range(3)]}
PHASES = ("good", "refused", "garbage", "good", "exhausted", "slow", "good", "down", "steered")
PHASE_S, TIMEOUT_S = 5.0, 1.0
BUDGET, REST_S = 12, (2, 6)  # calls of an owner until it is limited; how long, s
SERVED = ("garbage", "slow", "down", "steered")
MOST_REFUSED, MOST_EXHAUSTED = 4, 2  # the rest has to serve: nothing comes back within this run
READY_S, PAUSE_S = 240.0, 20.0
ROUND_S, LONG_S = 0.2, 2.0
SETTINGS = {
    "SIMULATOR_TOKENS": "5", "SIMULATOR_FUTURES": "4", "SCALPER_SYMBOLS": "ETHUSDT,BTCUSDT", "SCALPER_FLOW_S": "120",
    "SCALPER_FAST_S": "30", "SCALPER_BUY_SCORE": "0.1", "SCALPER_MIN_SPEED": "0", "SCALPER_MIN_TRADES": "0",
    "SCALPER_MAX_SPREAD_BPS": "100", "SCALPER_MAX_VOLATILITY_BPS": "5000", "SCALPER_COST_FACTOR": "0",
    "SCALPER_MAX_CHASE_BPS": "50", "SCALPER_WAIT_S": "20", "SCALPER_HOLD_S": "600", "SCALPER_COOLDOWN_S": "120",
    "SCALPER_COOLDOWN_LOSS_S": "120", "SCALPER_TRADES_A_DAY": "10000", "SCALPER_DAY_LOSS_PCT": "100",
    "SCALPER_MAX_BOOK_AGE_S": "10", "SCALPER_COMPILED": "false", "RISK_DAY_LOSS_PCT": "0", "RISK_WEEK_LOSS_PCT": "0",
    "RISK_DRAWDOWN_PCT": "0", "RISK_EXPOSURE_PCT": "0", "RISK_LOSING_STREAK": "0", "FEED_LATE_AFTER_S": "30",
    "FEED_STALE_AFTER_S": "20", "SENTIMENT_FEEDS": "", "SENTIMENT_FILES": "texts.txt", "SENTIMENT_FILE_POLL_S": "0.2",
    "SENTIMENT_BATCH": "1", "SENTIMENT_TIMEOUT_S": str(TIMEOUT_S), "SENTIMENT_HALF_LIFE_S": "3600"}
WORDS = ("rallies to a new high", "crashes after a hack", "is listed by a large exchange", "falls as traders sell",
         "upgrade goes live", "faces a lawsuit", "sees record inflows", "is halted after an exploit")


class Tiring(Providers):
    """Every provider on a bad day. What it tells a key to rest is remembered, and a call before that is counted."""

    def __init__(self) -> None:
        owners = {key: owner for rows in KEYS.values() for owner, key in (row.split("=") for row in rows)}
        super().__init__(now_ms, owners, {})
        self._begun = time.monotonic()
        self.told: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._rests: dict[str, float] = {}
        self._limits: Counter[str] = Counter()
        self._done_in = ""

    def turn(self, key: str) -> int:
        """Which of the phases it is for the key's provider, counted on: each is three phases behind the other."""
        behind = next(place for place, rows in enumerate(KEYS.values()) if any(row.endswith(key) for row in rows))
        return int((time.monotonic() - self._begun) / PHASE_S) + 3 * behind

    def admit(self, key: str) -> tuple[int, dict[str, str]]:
        """(status, headers): limited after a few calls, refused or spent when it is the turn of that."""
        now, owner = time.monotonic(), self.owners[key]
        self.asked.append(key)
        self.told["calls"] += 1
        for name in (key, owner):
            if now < self._rests.get(name, 0.0):
                self.violations.append(f"{name[:6]}… {self._rests[name] - now:.2f} s too early")
        phase = PHASES[self.turn(key) % len(PHASES)]
        place = f"{phase} {self.turn(key)}"
        if phase == "refused" and self._done_in != place and self._limits["refused"] < MOST_REFUSED:
            self._done_in = place
            return self._rest(key, 1e9, "refused", 401)
        if phase == "exhausted" and self._done_in != place and self._limits["exhausted"] < MOST_EXHAUSTED \
                and key.startswith("sk-"):
            self._done_in = place
            return self._rest(owner, 1e9, "exhausted", 429)
        self._calls[owner] += 1
        if self._calls[owner] >= BUDGET:
            self._calls[owner] = 0
            return self._rest(owner, random.uniform(*REST_S), "limited", 429)
        self.mood = phase
        self.told[phase if phase in SERVED else "good"] += 1
        return 200, {}

    def _rest(self, name: str, seconds: float, why: str, status: int) -> tuple[int, dict[str, str]]:
        self.told[why] += 1
        self._limits[why] += 1
        whole = max(1, round(seconds))
        self._rests[name] = time.monotonic() + (whole if seconds < 1e6 else seconds)
        return status, {"Retry-After": str(whole)} if seconds < 1e6 else {"x-why": why}

    async def answered(self, request: web.Request,
                       handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        """Slow where it is the turn of that; a spent quota in OpenAI's own words."""
        found = await handler(request)
        key = request.headers.get("x-goog-api-key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        slow = found.status == 200 and PHASES[self.turn(key) % len(PHASES)] == "slow"
        if found.status == 429 and found.headers.get("x-why") == "exhausted":
            spent = {"error": {"code": "insufficient_quota", "type": "insufficient_quota"}}
            return web.json_response(spent, status=429)
        if slow:
            await asyncio.sleep(2 * TIMEOUT_S)
        return found


class Server:
    """The providers on a port of this machine, in a thread of their own."""

    def __init__(self) -> None:
        self.providers, self.port = Tiring(), 0
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait(30)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = self.providers.app()

        @web.middleware
        async def middle(request: web.Request,
                         handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
            return await self.providers.answered(request, handler)

        app.middlewares.append(middle)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        self.port = runner.addresses[0][1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)


class Pulse:
    """The longest time in which a figure that should rise stood still, of our clock."""

    def __init__(self) -> None:
        self.value, self.worst_s, self.lasting_s, self._since = -1.0, 0.0, 0.0, time.monotonic()

    def see(self, value: float) -> float:
        """The figure now; how long it had stood still, where it has just moved."""
        now, ended = time.monotonic(), 0.0
        if value != self.value:
            ended, self.value, self._since = now - self._since, value, now
        self.lasting_s = now - self._since
        self.worst_s = max(self.worst_s, ended, self.lasting_s)
        return ended


class Stages:
    """Who stood still while nothing was looked at: the loop of each process on the way, or this very script.

    `told`: (seconds without a look, the longest standstill of each stage meanwhile, what the contracts said).
    """

    def __init__(self, day: Day) -> None:
        self._day, self._looks, self._at = day, Pulse(), time.monotonic()
        self._pulses = {name: Pulse() for name in ("simulator", "feed", "scalper")}
        self._worst: dict[str, float] = {}
        self._codes: set[str] = set()
        self.told: list[tuple[float, dict[str, float], list[str]]] = []

    def see(self, view: dict[str, Any]) -> None:
        """Every round, with what the scalper shows."""
        now = time.monotonic()
        found = {name: max(pulse.see(self._count(name)), pulse.lasting_s) for name, pulse in self._pulses.items()}
        for name, seconds in {**found, "this script": now - self._at - ROUND_S}.items():
            self._worst[name] = max(self._worst.get(name, 0.0), round(seconds, 2))
        self._at = now
        self._codes |= {one["code"] for one in view.get("contracts", ())}
        ended = self._looks.see(looks_of(view) or self._looks.value)
        if ended:
            if ended > LONG_S:
                self.told.append((round(ended, 2), dict(self._worst), sorted(self._codes)))
            self._worst.clear()
            self._codes.clear()

    def _count(self, name: str) -> float:
        beat = read_beat(self._day.paths.run, name)
        return beat.count if beat is not None else -1.0

    def longest(self) -> list[tuple[float, dict[str, float], list[str]]]:
        """The five longest."""
        return sorted(self.told, key=lambda one: -one[0])[:5]


class Day:
    """The crew in a home of its own."""

    def __init__(self, home: Path, port: int, speed: float) -> None:
        self.home, self.paths = home, Paths(home).prepare()
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("COXSWAIN_", "SCALPER_", "SIMULATOR_", "APIKEYS_", "SENTIMENT_"))}
        base = f"http://127.0.0.1:{port}"
        self.environment = {
            **kept, **SETTINGS, "COXSWAIN_HOME": str(home), "SIMULATOR_SPEED": f"{speed:g}", "PYTHONUNBUFFERED": "1",
            "SENTIMENT_OPENAI_BASE_URL": f"{base}/v1", "SENTIMENT_GEMINI_BASE_URL": base,
            "SENTIMENT_HUGGINGFACE_BASE_URL": base, **{f"APIKEYS_{name.upper()}": ",".join(rows)
                                                       for name, rows in KEYS.items()}}
        self._texts = open(home / "texts.txt", "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - closed by `close`
        self._log = open(home / "console.log", "ab")  # noqa: SIM115
        self._number = 0
        self._bot = subprocess.Popen([sys.executable, str(PROJECT / "bot.py"), "--console"], cwd=PROJECT,
                                     env=self.environment, stdin=subprocess.PIPE, stdout=self._log,
                                     stderr=subprocess.STDOUT)

    def say(self, line: str) -> None:
        """A command at the console."""
        assert self._bot.stdin is not None
        self._bot.stdin.write(line.encode() + b"\n")
        self._bot.stdin.flush()

    def headline(self) -> None:
        """A text that was never there before."""
        self._number += 1
        name = ("Bitcoin", "Ethereum", "BTC", "ETH")[self._number % 4]
        self._texts.write(f"{name} {WORDS[self._number % len(WORDS)]} for the {self._number}th time\n")

    def read(self, name: str) -> dict[str, Any]:
        """A file of data/; empty where it cannot be read yet."""
        try:
            found: dict[str, Any] = json.loads((self.paths.data / name).read_bytes())
            return found
        except (OSError, ValueError):
            return {}

    def records(self) -> Counter[str]:
        """Recorded scores by provider."""
        found: Counter[str] = Counter()
        for path in (self.paths.data / "sentiment").glob("scores.*.jsonl"):
            for line in path.read_text("utf-8").splitlines():
                if '"provider":"' in line:
                    found[line.split('"provider":"')[1].split('"')[0].split(":")[0]] += 1
        return found

    def close(self) -> None:
        """Everything ends, services included."""
        try:
            self.say("/stopall")
            time.sleep(3)
            self.say("yes")
            assert self._bot.stdin is not None
            self._bot.stdin.close()
            self._bot.wait(60)
        except (OSError, subprocess.TimeoutExpired):
            self._bot.kill()
            self._bot.wait(20)
        subprocess.run([sys.executable, str(PROJECT / "bot.py"), "stop"], cwd=PROJECT, env=self.environment,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=90, check=False)
        self._texts.close()
        self._log.close()


def looks_of(view: dict[str, Any]) -> int:
    """Looks of all contracts."""
    return sum(one["looks"] for one in view.get("contracts", ()))


def live(day: Day, hours: float) -> dict[str, Any]:
    """Until the market day is over. Raises RuntimeError where it does not begin, or stands still."""
    day.say("/startscalper")
    end = time.monotonic() + READY_S
    while not looks_of(day.read("scalper_view.json")):
        if time.monotonic() > end:
            raise RuntimeError("the scalper does not begin: " + (day.home / "console.log").read_text()[-1500:])
        day.headline()
        time.sleep(0.5)
    begun, first = time.monotonic(), int(day.read("scalper_view.json")["ms"])
    looks, market, scores, stages = Pulse(), Pulse(), Pulse(), Stages(day)
    now = first
    while now - first < hours * 3_600_000:
        day.headline()
        view, mood = day.read("scalper_view.json"), day.read("sentiment.json")
        now = int(view.get("ms") or now)
        looks.see(looks_of(view) or looks.value)
        stages.see(view)
        market.see(now)
        scores.see(sum(gauge["texts"] for gauge in mood.get("gauges", {}).values()) or scores.value)
        if max(looks.worst_s, market.worst_s, scores.worst_s) > 120:
            raise RuntimeError("it stands still: " + (day.home / "console.log").read_text()[-1500:])
        time.sleep(ROUND_S)
    mode = day.read("scalper_view.json")["modes"]["TEST"]
    ended = [notice.what for _, notice in Outbox(day.paths.outbox, "day").pending("nobody")
             if "ended unexpectedly" in notice.what]
    said = (day.home / "console.log").read_text("utf-8", "replace")
    return {"market_hours": round((now - first) / 3_600_000, 2), "seconds": round(time.monotonic() - begun),
            "looks": int(looks.value), "longest_without_a_look_s": round(looks.worst_s, 2),
            "longest_pause_of_the_loop_s": round(market.worst_s, 2), "standing_still_meanwhile": stages.longest(),
            "longest_without_a_score_s": round(scores.worst_s, 2), "texts": int(scores.value),
            "trades": mode["trades"], "open": len(mode["open"]), "problem": mode["problem"],
            "providers": day.read("sentiment.json").get("providers", {}),
            "ended_unexpectedly": len(ended) + said.count("ended unexpectedly"), "scored_by": dict(day.records())}


def main() -> int:
    """The command line; 1 where anything paused or a resting key was called."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", type=float, default=240.0, help="market seconds in one of ours")
    parser.add_argument("--hours", type=float, default=24.0, help="market hours")
    parser.add_argument("--pause", type=float, default=PAUSE_S, metavar="S",
                        help="longest time of ours in which looks or scores may stand still")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    server = Server()
    with tempfile.TemporaryDirectory(prefix="coxswain-day-", ignore_cleanup_errors=True) as folder:
        day = Day(Path(folder), server.port, chosen.speed)
        try:
            found = live(day, chosen.hours)
        finally:
            day.close()
            server.close()
        rotation = (day.paths.logs / "api_rotation.jsonl").read_text("utf-8").splitlines()
    told = server.providers
    found |= {"provider_calls": told.told["calls"], "answers": {k: v for k, v in told.told.items() if k != "calls"},
              "calls_on_a_resting_key": len(told.violations), "violations": told.violations[:5],
              "rotation_events": dict(Counter(json.loads(line)["event"] for line in rotation)),
              "load": round(os.getloadavg()[0], 1)}
    print(json.dumps(found) if chosen.json else json.dumps(found, indent=2))
    bad = (found["calls_on_a_resting_key"] or found["ended_unexpectedly"] or not found["trades"]
           or max(found["longest_without_a_look_s"], found["longest_without_a_score_s"]) > chosen.pause)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
