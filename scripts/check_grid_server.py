"""Tries the grid's server mode as compose.yaml runs it: ``python scripts/check_grid_server.py``.

Two processes, `bot.py run gridserver` and `bot.py run grid`, with a home each and one database and secret key between
them, over the simulated Bitget. Asked as a platform and a user would: the compose file's own health check, a user
added, a start proven and refused bad input, started, traded by a worker, stopped, and gone. Loopback only.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
PLATFORM, ADMIN = "platform-key-of-the-check", "admin-key-of-the-check"
PATIENCE_S = 120.0
SYMBOL = "BTCUSDT"


class Failed(Exception):
    """What did not work."""


def ask(url: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.loads(refusal.read() or b"null")


def expect(found: tuple[int, Any], status: int, what: str) -> Any:
    """The answer's body. Raises Failed for another status."""
    if found[0] != status:
        raise Failed(f"{what}: {found}")
    return found[1]


def wait(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` gives once it is something. Raises Failed."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > end:
            raise Failed(f"not within {PATIENCE_S:.0f} s: {what}")
        time.sleep(0.2)
    return found


@contextmanager
def process(python: str, tree: Path, environment: dict[str, str], log: Path, *arguments: str) -> Iterator[None]:
    """A process of the program; ended in good order as a container is. Raises Failed where that takes too long."""
    with open(log, "ab") as out:
        one = subprocess.Popen([python, "bot.py", *arguments], cwd=tree, env=environment, stdout=out, stderr=out)
    try:
        yield
        one.send_signal(signal.SIGTERM)
        code = one.wait(60)
        if code:
            raise Failed(f"bot.py {' '.join(arguments)} ended with {code}: {log.read_text('utf-8')[-800:]}")
    finally:
        if one.poll() is None:
            one.kill()
            one.wait()


def address(log: Path) -> str:
    """The address that a process told on its first line; empty while it has not."""
    found = re.search(r"http://[0-9.:]+", log.read_text("utf-8") if log.exists() else "")
    return found.group() if found else ""


def told(home: Path, service: str) -> dict[str, Any]:
    """A service's heartbeat; empty while there is none."""
    try:
        found: dict[str, Any] = json.loads((home / "data" / "run" / f"{service}.beat.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if found.get("ready") else {}


def check(python: str, tree: Path, folder: Path) -> str:
    """Everything; what was seen in a sentence. Raises Failed."""
    key = subprocess.run([python, "-c", "from utils.vault import new_key; print(new_key())"], cwd=tree,
                         capture_output=True, text=True, check=True).stdout.strip()
    inside = {name: value for name, value in os.environ.items()
              if not name.startswith(("COXSWAIN_", "BITGET_", "GRID", "DB_", "SIMULATOR_", "SERVER_"))}
    venue = folder / "venue.log"
    with ExitStack() as stack:
        stack.enter_context(process(python, tree, {**inside, "COXSWAIN_HOME": str(folder / "venue")}, venue, "simulate",
                                    "--port", "0", "--futures", "2", "--tokens", "5", "--bitget-users", "2"))
        shared = {**inside, "DB_URL": f"sqlite:///{folder}/shared.db", "GRIDSERVER_SECRET_KEY": key,
                  "PLATFORM_API_KEY": PLATFORM, "ADMIN_API_KEY": ADMIN, "BITGET_NAME": "bitget", "SERVER_PORT": "0",
                  "BITGET_BASE_URL": wait(lambda: address(venue), "the simulated exchange"), "GRIDLIVE_LEASE_S": "4",
                  "GRIDLIVE_SAVE_S": "1"}
        homes = {name: folder / name for name in ("gridserver", "grid")}
        for name, home in homes.items():
            stack.enter_context(process(python, tree, {**shared, "COXSWAIN_HOME": str(home)}, folder / f"{name}.log",
                                        "run", name))
        url = wait(lambda: told(homes["gridserver"], "gridserver"), "the server")["info"]["url"]
        wait(lambda: told(homes["grid"], "grid"), "the workers")
        return day(url, compose_health(python, url))


def compose_health(python: str, url: str) -> float:
    """Seconds of compose.yaml's own health check of the server, at this port. Raises Failed."""
    text = (PROJECT / "compose.yaml").read_text("utf-8")
    found = re.search(r'test: \[CMD, python, -c, "(import urllib[^"]+)"\]', text)
    if found is None:
        raise Failed("compose.yaml has no health check of the grid server")
    began = time.monotonic()
    done = subprocess.run([python, "-c", found.group(1).replace("http://127.0.0.1:8082", url)], capture_output=True,
                          text=True)
    if done.returncode:
        raise Failed(f"the health check of compose.yaml: {done.stderr[-400:]}")
    return time.monotonic() - began


def day(url: str, health_s: float) -> str:
    """A user's day over REST."""
    user = {"userId": "ann", "userBotId": "check", "exchange": {
        "name": "bitget", "apiKey": "sim-key-1", "apiSecret": "sim-secret-1", "passphrase": "sim-passphrase",
        "isDemo": False}, "settings": {"tradingPair": SYMBOL, "leverage": 10, "customSettings": {
            "openOnNewCandle": False}}}
    users, platform = f"{url}/api/v1/users", {"X-Platform-Key": PLATFORM}
    expect(ask(users, "POST", user), 401, "a user without the platform's key")
    token = expect(ask(users, "POST", user, **platform), 201, "a user")["token"]
    own = {"Authorization": f"Bearer {token}"}
    proof = ask(f"{users}/ann/start", "POST", {"dryRun": True}, **own)
    if "worstCase" not in json.dumps(proof[1]):
        raise Failed(f"no worst case: {proof}")
    expect(ask(f"{users}/ann/start", "POST", {"acceptRisk": True}, **own), 200, "a start")
    state = wait(lambda: traded(ask(f"{users}/ann/status", **own)), "a worker trades it")
    preview = expect(ask(f"{users}/ann/stop", "POST", {"action": "close", "dryRun": True}, **own), 200, "a preview")
    closing = {"action": "close", **({"confirm": preview["confirm"]} if preview.get("confirm") else {})}
    expect(ask(f"{users}/ann/stop", "POST", closing, **own), 200, "a stop")
    sessions = expect(ask(f"{url}/api/v1/admin/sessions", **{"X-Admin-Key": ADMIN}), 200, "the sessions")
    return (f"health answered in {health_s:.1f} s; a user added, his grid proven, started over REST, traded by a "
            f"worker ({state}), closed; {len(json.dumps(sessions))} bytes of sessions")


def traded(found: tuple[int, Any]) -> str:
    """What a user's status says of a grid that a worker has taken up; empty before."""
    text = json.dumps(found[1])
    return "RUNNING" if found[0] == 200 and '"RUNNING"' in text else ""


def main() -> int:
    """Entry of the command line; 1 where something failed."""
    with tempfile.TemporaryDirectory(prefix="coxswain-grid-") as name:
        try:
            print(f"grid server: {check(sys.executable, PROJECT, Path(name))}")
        except Failed as problem:
            print(f"FAILED: {problem}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
