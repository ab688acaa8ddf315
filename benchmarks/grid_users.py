"""Users of the grid's server, each with a trouble of his own, over the simulated Bitget: no other feels it.

    python -m benchmarks.grid_users [--users 8]

Server (`bot.py run gridserver`) and two workers (`bot.py run grid`) run as services of one home. Users are added and
started over REST. Then, one after the other while all trade: a user's key is replaced by a wrong one (the exchange
refuses it) and then by a right one of the same account; every stored secret is sealed anew with a new key and the old
one dropped (`bot.py gridserver rotate`, twice); a user's webhooks go to an address that takes nothing; a worker is
killed. After each: whether every other grid went on, and how long it took. At the end every grid is compared with the
exchange. Exit code 1 where anything differs.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.grid_api import ROOT
from benchmarks.grid_ray import Watch, home, judged, pid_of
from benchmarks.grid_sessions import NARROW, simulator
from config.settings import load_settings
from modules.gridserver.checks import defaults
from modules.strategies.grid.custom import NAMES
from modules.strategies.grid.live.view import state_of
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.store import GridStore
from utils.paths import Paths

KEY, LIMIT_S = "platform-key-of-the-benchmark", 180.0


def custom() -> dict[str, Any]:
    """The narrow settings by the names that users give."""
    wanted = {**NARROW, "min_lot": 0.002}
    chosen = GridSettings(**wanted)
    return {name: value for name, value in defaults(chosen).items() if NAMES[name] in wanted}


def name(number: int) -> str:
    return f"user-{number:05d}"


def key(number: int, secret: str = "") -> dict[str, Any]:
    """A key of the simulator's account `number`; `secret`: a wrong one."""
    return {"name": "bitget", "apiKey": f"sim-key-{number}", "apiSecret": secret or f"sim-secret-{number}",
            "passphrase": "sim-passphrase", "isDemo": False}


class Api:
    """The server, asked as a platform and its users do."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = f"{url}/api/v1/users", session
        self._tokens: dict[int, str] = {}

    async def ask(self, method: str, number: int, path: str, body: Any = None) -> Any:
        """One call of a user; its answer. Raises SystemExit for a refusal."""
        headers = {"Authorization": f"Bearer {self._tokens[number]}"}
        async with self._session.request(method, f"{self._url}/{name(number)}{path}", json=body,
                                         headers=headers) as answer:
            found = await answer.json()
            if answer.status >= 300:
                raise SystemExit(f"{method} {path} of {name(number)}: {answer.status} {found}")
            return found

    async def add(self, number: int, hook: str) -> None:
        """Add a user and start his grid."""
        body = {"userId": name(number), "userBotId": "bench", "exchange": key(number), "webhookUrl": hook,
                "webhookSecret": "hook-secret", "settings": {"customSettings": custom()}}
        async with self._session.post(self._url, json=body, headers={"X-Platform-Key": KEY}) as answer:
            found = await answer.json()
            if answer.status != 201:
                raise SystemExit(f"{name(number)}: {found}")
            self._tokens[number] = found["token"]
        await self.ask("POST", number, "/start", {"acceptRisk": True})


class Scene:
    """What is looked at while troubles come."""

    def __init__(self, store: GridStore, users: int) -> None:
        self.store, self.users = store, users
        self.watch = Watch(store, users)

    def ticks(self) -> dict[str, int]:
        """Ticks of each grid, as last saved."""
        found = {name(number): self.store.sessions.state(name(number)) for number in range(1, self.users + 1)}
        return {user: state_of(one[0]).tick if one else 0 for user, one in found.items()}

    def opened(self, number: int) -> set[str]:
        """Trades that a grid knows of."""
        found = self.store.sessions.state(name(number))
        return set(found[1]["host"]["seen"]) if found else set()

    async def until(self, good: Callable[[], Any], what: str) -> float:
        """Seconds until `good`."""
        began = time.monotonic()
        while not await asyncio.to_thread(good):
            if time.monotonic() - began > LIMIT_S:
                raise SystemExit(f"not within {LIMIT_S:.0f} s: {what}")
            await asyncio.sleep(0.3)
        return round(time.monotonic() - began, 1)

    async def others_go_on(self, but: int = 0) -> float:
        """Seconds until every grid but one made five more ticks."""
        before = await asyncio.to_thread(self.ticks)
        return await self.until(lambda: all(now >= before[user] + 5 for user, now in self.ticks().items()
                                            if user != name(but)), "the others go on")


@contextmanager
def service(which: str, own: Path) -> Iterator[str]:
    """A service of the crew; its address where it has one."""
    environment = {**os.environ, "COXSWAIN_HOME": str(own)}
    process = subprocess.Popen([sys.executable, "bot.py", "run", which], cwd=ROOT, env=environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        beat, until = own / "data" / "run" / f"{which}.beat.json", time.monotonic() + LIMIT_S
        while True:
            time.sleep(0.2)
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{which} did not start ({process.poll()})")
            try:
                told = json.loads(beat.read_bytes())
            except (OSError, ValueError):
                continue
            if told["ready"]:
                break
        yield str(told["info"].get("url", ""))
    finally:
        process.terminate()
        process.wait(60)


def command(own: Path, *argv: str) -> str:
    """What a command of the program says. Raises SystemExit where it fails."""
    done = subprocess.run([sys.executable, "bot.py", *argv], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "COXSWAIN_HOME": str(own)})
    if done.returncode:
        raise SystemExit(f"{argv}: {done.stderr[-400:]}")
    return done.stdout.strip()


async def troubles(scene: Scene, api: Api, own: Path) -> dict[str, Any]:
    """Each trouble, and what it did to the others."""
    users, store = scene.users, scene.store
    found: dict[str, Any] = {}
    for number in range(1, users + 1):
        await api.add(number, "http://127.0.0.1:9/nowhere" if number == 1 else "")
    found["all_trade_s"] = await scene.until(lambda: scene.watch.trades() >= users, "all trade")

    before = scene.opened(2)
    await api.ask("PUT", 2, "/keys", key(2, "a-wrong-secret"))
    found["refused_after_s"] = await scene.until(lambda: store.sessions.session(name(2)).key_refused, "refused")
    found["others_with_a_refused_key_s"] = await scene.others_go_on(but=2)
    await api.ask("PUT", 2, "/keys", key(2))
    found["well_again_after_s"] = await scene.until(lambda: not store.sessions.session(name(2)).key_refused, "well")
    found["goes_on_with_its_new_key_s"] = await scene.others_go_on()
    found["grid_kept"] = {"fills_before": len(before), "of_them_still_known": len(before & scene.opened(2)),
                          "key_version": store.sessions.session(name(2)).key_version}

    found["rotation"] = [await asyncio.to_thread(command, own, "gridserver", "rotate"),
                         await asyncio.to_thread(command, own, "gridserver", "rotate", "--drop-old")]
    await api.ask("PUT", 3, "/keys", key(3))
    found["all_go_on_after_rotation_s"] = await scene.others_go_on()
    opened = {store.users.credentials(name(number)).api_secret for number in range(1, users + 1)}
    found["secrets_open_after_rotation"] = len(opened)

    waiting = store.events.waiting()
    found["webhooks_that_nobody_takes"] = {**waiting, "of_users": 1}
    found["others_with_a_full_queue_s"] = await scene.others_go_on(but=1)

    holders = list(scene.watch.holders().values())
    hit = max(set(holders), key=holders.count)
    os.kill(pid_of(hit), signal.SIGKILL)
    held = await scene.until(lambda: len(now := scene.watch.holders()) == users and hit not in now.values(), "held")
    settled = await scene.until(scene.watch.settled, "all settled")
    found["worker_killed"] = {"had": holders.count(hit), "new_holders_s": held,
                              "all_settled_s": round(held + settled, 1)}
    for number in range(1, users + 1):
        await api.ask("POST", number, "/stop", {"action": "pause"})
    await asyncio.sleep(6)
    return found


async def main(users: int) -> int:
    """Play and judge."""
    process, url = simulator(users)
    try:
        with tempfile.TemporaryDirectory() as folder:
            own = home(Path(folder), {
                "BITGET_NAME": "bitget", "BITGET_BASE_URL": url, "PLATFORM_API_KEY": KEY, "SERVER_PORT": "0",
                "GRIDLIVE_WORKERS": "2", "GRIDLIVE_SESSIONS": str(users), "GRIDLIVE_LEASE_S": "6",
                "GRIDLIVE_SAVE_S": "1", "GRIDSERVER_STATUS_S": "1", "GRIDSERVER_WEBHOOK_LOOPBACK": "1",
                "GRIDSERVER_WEBHOOK_HTTP": "1", "DB_CONNECT_S": "30", "GRIDSERVER_REQUESTS_S": "1000"})
            paths = Paths(own)
            settings = load_settings(paths)
            with service("gridserver", own) as address, service("grid", own):
                store = GridStore.open(settings, paths)
                async with aiohttp.ClientSession() as session:
                    found = await troubles(Scene(store, users), Api(address, session), own)
                found["differences"] = await judged(store, settings, paths, users)
                found["load"] = os.getloadavg()[0]
                store.close()
    finally:
        process.terminate()
        process.wait(20)
    print(json.dumps(found, indent=1))
    return 1 if found["differences"] else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=8)
    raise SystemExit(asyncio.run(main(parser.parse_args().users)))
