"""A simulated exchange and one process of the bot that is killed again and again; what all crash worlds share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from config.crew import GUARDS
from modules.execution.crashpoints import AT, EXIT_CRASHED
from utils.paths import Paths
from utils.priority import set_priority

PROJECT = Path(__file__).resolve().parent.parent
LOOK_S = 0.05


class WorldError(Exception):
    """The world itself does not work; says nothing of anybody's money."""


class KilledWorld:
    """A home, a simulator, at most one `process`. Use as a context.

    `who` and `program` name the process and its arguments to Python; `ours` are the beginnings of the variables that
    it must not take over from outside, `more` those that it gets. `simulate`: arguments of `bot.py simulate`.
    """

    who = "the trader"
    program: tuple[str, ...] = ("bot.py",)
    patience_s = 45.0

    def __init__(self, home: Path, ours: tuple[str, ...], more: Mapping[str, str], simulate: Sequence[str]) -> None:
        self.home, self.paths = home, Paths(home).prepare()
        self.process: subprocess.Popen[bytes] | None = None
        self.armed = False
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment |= {"COXSWAIN_HOME": str(home), "PYTHONUNBUFFERED": "1", **more}
        self._simulator = subprocess.Popen(
            [sys.executable, str(PROJECT / "bot.py"), "simulate", "--port", "0", *simulate], cwd=PROJECT,
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")
        self.url = self._address()

    def _address(self) -> str:
        assert self._simulator.stdout is not None
        line = self._simulator.stdout.readline()
        if "http://" not in line:
            self._simulator.kill()
            raise WorldError(f"the simulator does not start: {line}")
        return "http://" + line.split("http://")[1].split()[0].rstrip("/")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._simulator.kill()
        self._simulator.wait(20)
        assert self._simulator.stdout is not None
        self._simulator.stdout.close()

    # -- the exchange ----------------------------------------------------------------------------------------

    def ask(self, path: str, body: Any = None) -> Any:
        """The simulator's answer. Raises OSError."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=data), timeout=20) as answer:
            return json.load(answer)

    # -- the process -----------------------------------------------------------------------------------------

    @property
    def said(self) -> Path:
        """Where the process tells that it is ready: a file that is gone before each start."""
        raise NotImplementedError

    @property
    def log(self) -> Path:
        """What the process says."""
        return self.home / "trader.log"

    def start(self, crash_at: str = "") -> None:
        """A process, in a session of its own and with the priority of services that hold positions, as in life.

        With `crash_at` one that ends itself there. One that runs is killed first.
        """
        self.kill()
        self.armed = bool(crash_at)
        self.said.unlink(missing_ok=True)
        environment = {**self.environment, AT: crash_at} if crash_at else self.environment
        with open(self.home / "trader.log", "ab") as log:
            self.process = subprocess.Popen([sys.executable, *self.program], cwd=PROJECT, env=environment, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        set_priority(GUARDS, self.process.pid)

    def kill(self) -> None:
        """kill -9, if one runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    @property
    def crashed(self) -> bool:
        """Whether it ended itself at its crash point. Raises WorldError for any other end."""
        code = None if self.process is None else self.process.poll()
        if code not in (None, EXIT_CRASHED):
            raise WorldError(f"{self.who} ended with code {code}: {self.log_tail()}")
        return code == EXIT_CRASHED

    def status(self) -> dict[str, Any]:
        """What the process tells; empty before it does."""
        try:
            found: dict[str, Any] = json.loads(self.said.read_text("utf-8"))
            return found
        except (OSError, ValueError):
            return {}

    def until(self, condition: Callable[[], object], seconds: float) -> bool:
        """Whether a condition came to hold within that time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(LOOK_S)
        return True

    def wait(self, condition: Callable[[], object], what: str, patience_s: float | None = None) -> None:
        """Until a condition holds. Raises WorldError when it does not in time."""
        patience = self.patience_s if patience_s is None else patience_s
        if not self.until(condition, patience):
            raise WorldError(f"not within {patience:.0f} s: {what}; {self.status()} {self.log_tail()}")

    def log_tail(self) -> str:
        """The end of what the process said."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-25:]) if self.log.exists() else "no log"
