"""The whole program as a user starts it: ``scripts/run.sh --console`` with a home of its own, driven through a pipe."""

import json
import os
import re
import subprocess
import threading
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from modules.storage.decisions import read as read_decisions
from tests.surroundings import PATIENCE_S, wait_until
from tests.surroundings import environment as clean_environment

PROJECT = Path(__file__).resolve().parents[2]


def command_line(*arguments: str) -> list[str]:
    """How a person starts bot.py on this system."""
    if os.name == "nt":
        return ["cmd", "/c", str(PROJECT / "scripts" / "start_telegram.bat"), *arguments]
    return [str(PROJECT / "scripts" / "run.sh"), *arguments]


class Program:
    """One running Coxswain with its own state folder."""

    def __init__(self, home: Path, arguments: tuple[str, ...] = ("--console",), **environment: str) -> None:
        self.home = home
        self.arguments = arguments
        self.environment = clean_environment(home, **{"SIMULATOR_PORT": "0", "PYTHONUNBUFFERED": "1",
                                                      "SIMULATOR_SEED": "7", **environment})
        self.output = ""
        self._seen = 0
        self._process: subprocess.Popen[str] | None = None
        self._pids: set[int] = set()

    # -- the terminal

    def start(self) -> "Program":
        """Start the command process and read what it prints."""
        self._process = subprocess.Popen(
            command_line(*self.arguments), cwd=PROJECT, env=self.environment, text=True, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=1,
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        return self

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output += line

    def send(self, line: str) -> None:
        """Type one line."""
        assert self._process is not None and self._process.stdin is not None
        self._seen = len(self.output)
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def expect(self, pattern: str, patience_s: float = PATIENCE_S) -> "re.Match[str]":
        """Wait for `pattern` in what was printed since the last `send`."""
        def look() -> "re.Match[str] | None":
            self._note_pids()
            return re.search(pattern, self.output[self._seen:], re.IGNORECASE | re.DOTALL)
        try:
            found: re.Match[str] = wait_until(look, pattern, patience_s)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n--- printed:\n{self.output[-4000:]}\n{self.logs()}") from None
        return found

    def ask(self, line: str, pattern: str, patience_s: float = PATIENCE_S) -> "re.Match[str]":
        """Type a line and wait for its answer."""
        self.send(line)
        return self.expect(pattern, patience_s)

    def end_of_input(self, patience_s: float = 60.0) -> int:
        """Close the pipe; the program stops everything and ends. Returns its exit code."""
        assert self._process is not None and self._process.stdin is not None
        self._note_pids()
        self._process.stdin.close()
        return self._process.wait(patience_s)

    # -- its processes

    @property
    def command_pid(self) -> int:
        """The command process: what run.sh became."""
        assert self._process is not None
        children = psutil.Process(self._process.pid).children(recursive=True) if os.name == "nt" else []
        return children[-1].pid if children else self._process.pid

    def service_pid(self, name: str) -> int | None:
        """PID of a live service by its own heartbeat."""
        beat = self.beat(name)
        try:
            process = psutil.Process(beat["pid"]) if beat else None
            ours = process is not None and process.status() != psutil.STATUS_ZOMBIE \
                and process.environ().get("COXSWAIN_HOME") == str(self.home)
        except psutil.Error:
            return None
        return process.pid if process is not None and ours else None

    def beat(self, name: str) -> dict[str, Any] | None:
        """The newest heartbeat of a service."""
        try:
            beat: dict[str, Any] = json.loads((self.home / "data" / "run" / f"{name}.beat.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return beat

    def wait_ready(self, name: str, other_than: int | None = None, patience_s: float = PATIENCE_S) -> int:
        """PID of a service that is ready (and is not the process `other_than`)."""
        def look() -> int | None:
            pid = self.service_pid(name)
            beat = self.beat(name)
            return pid if pid and pid != other_than and beat and beat["pid"] == pid and beat["ready"] else None
        try:
            pid: int = wait_until(look, f"service {name} ready", patience_s)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n--- printed:\n{self.output[-3000:]}\n{self.logs()}") from None
        self._pids.add(pid)
        return pid

    def _note_pids(self) -> None:
        for path in (self.home / "data" / "run").glob("*.beat.json"):
            pid = self.service_pid(path.name.removesuffix(".beat.json"))
            if pid:
                self._pids.add(pid)

    def left_over(self) -> list[psutil.Process]:
        """Processes of this program that still run: any whose environment names this home."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("COXSWAIN_HOME") == str(self.home) and \
                        process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def kill_all(self) -> None:
        """End every process, whatever happened (for the test's own cleaning up)."""
        for _ in range(3):
            for process in self.left_over():
                try:
                    process.kill()
                except psutil.Error:
                    pass
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)

    # -- its state

    def json(self, name: str) -> Any:
        """A JSON file below data/, or None while it does not exist."""
        path = self.home / "data" / name
        return json.loads(path.read_text("utf-8")) if path.exists() else None

    def trades(self, prefix: str = "test_") -> list[dict[str, Any]]:
        """The whole trade history of a mode."""
        found: list[dict[str, Any]] = []
        for segment in sorted((self.home / "data").glob(f"{prefix}trade_history.[0-9]*.jsonl")):
            found += [json.loads(line) for line in segment.read_text("utf-8").splitlines() if line]
        return found + (self.json(f"{prefix}trade_history.json") or [])

    def venue(self, path: str) -> Any:
        """An answer of the simulated exchange's own end points."""
        beat = self.beat("simulator")
        assert beat is not None
        with urllib.request.urlopen(f"http://127.0.0.1:{beat['info']['port']}{path}", timeout=10) as answer:
            return json.load(answer)

    def logs(self) -> str:
        """The end of every log, for a failing test."""
        parts = []
        for path in sorted((self.home / "data" / "logs").glob("*.log")):
            parts.append(f"--- {path.name}\n" + "\n".join(path.read_text("utf-8", "replace").splitlines()[-15:]))
        return "\n".join(parts)


def state_files_are_whole(home: Path) -> None:
    """Every JSON and JSON Lines file below data/ and config/ parses, and none was set aside as damaged."""
    for folder in (home / "data", home / "config"):
        for path in folder.rglob("*.json"):
            if path.name.startswith("."):
                continue
            try:
                json.loads(path.read_text("utf-8"))
            except FileNotFoundError:
                continue
            except ValueError as problem:
                raise AssertionError(f"{path} is not JSON: {problem}") from None
        for path in folder.rglob("*.jsonl"):
            if "simulator" in path.parts:  # the venue's own journal: sums before its lines
                continue
            if path.parent.name == "decisions":  # sums before its lines as well, held by its own reader; it raises
                assert read_decisions(path)[0], f"{path} holds nothing"
                continue
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                try:
                    json.loads(line)
                except ValueError as problem:
                    raise AssertionError(f"{path}, line {number} is not JSON: {problem}") from None
        assert not list(folder.rglob("*.damaged-*")), list(folder.rglob("*.damaged-*"))
