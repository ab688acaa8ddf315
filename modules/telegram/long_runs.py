"""Long work of ``bot.py`` in a process of its own, at low priority: one run of a kind at a time, with progress and end.

1. A run is ``bot.py PART …``; its standard output is the result, lines ``progress {"share": 0.4, "what": "…"}`` on its
   standard error are how far it is, other lines there are what went wrong.
2. It gives way to everything that trades: nice 10, or below normal on Windows.
3. Whoever waits for it may be cancelled: then it is ended, with everything that it has begun.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import psutil

from utils.figures import duration
from utils.paths import PROJECT, Paths
from utils.processes import kill_all
from utils.redact import redact

log = logging.getLogger(__name__)

EVERY_S = 3.0
NICE = 10
_LONGEST_LINE = 1 << 26
_KEPT = 40
Tell = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. `said`: the last lines of its standard error, without progress."""

    code: int
    out: str
    said: str
    cancelled: bool = False


@dataclass(slots=True)
class Run:
    """One run under way."""

    what: str
    by: str
    began: float
    process: asyncio.subprocess.Process
    share: float = 0.0
    step: str = ""
    cancelled: bool = False
    said: list[str] = field(default_factory=list)

    def stand(self) -> str:
        """``35 %, signals, 12s gone, about 20s left``."""
        spent = time.monotonic() - self.began
        left = f", about {duration(spent / self.share * (1 - self.share))} left" if 0.02 < self.share < 1 else ""
        return f"{self.share * 100:.0f} %, {self.step or 'starting'}, {duration(spent)} gone{left}"


class Occupied(Exception):
    """One of its kind is under way; the text says whose."""


class LongRuns:
    """The runs of this process, by their kind (``backtest``, ``optimize``)."""

    def __init__(self) -> None:
        self._runs: dict[str, Run | None] = {}

    def under_way(self) -> dict[str, Run]:
        """Every run that has begun and not ended."""
        return {kind: run for kind, run in self._runs.items() if run is not None}

    def cancel(self, kind: str) -> bool:
        """End a run; False where there is none."""
        run = self._runs.get(kind)
        if run is None or run.process.returncode is not None:
            return False
        run.cancelled = True
        _end(run.process)
        return True

    async def run(self, kind: str, argv: Sequence[str], paths: Paths, by: str, tell: Tell) -> Ended:
        """Run ``bot.py ARGV`` to its end; `tell` gets a line now and then. Raises Occupied, OSError."""
        if kind in self._runs:
            run = self._runs[kind]
            raise Occupied(f"{run.what}, asked for by {run.by}: {run.stand()}" if run else "one is just starting")
        self._runs[kind] = None
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(PROJECT / "bot.py"), *argv, cwd=PROJECT, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, limit=_LONGEST_LINE,
                env={**os.environ, "COXSWAIN_HOME": str(paths.home), "PYTHONIOENCODING": "utf-8"})
            run = self._runs[kind] = Run(" ".join(argv), by, time.monotonic(), process)
            _give_way(process.pid)
            return await self._follow(run, tell)
        finally:
            run = self._runs.pop(kind, None)
            if run is not None and run.process.returncode is None:  # rule 3
                _end(run.process)
                await run.process.wait()

    async def _follow(self, run: Run, tell: Tell) -> Ended:
        assert run.process.stdout is not None and run.process.stderr is not None
        telling = asyncio.create_task(self._report(run, tell))
        try:
            out, _ = await asyncio.gather(run.process.stdout.read(), self._listen(run, run.process.stderr))
            code = await run.process.wait()
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        return Ended(code, out.decode("utf-8", "replace"), redact("\n".join(run.said)), run.cancelled)

    async def _listen(self, run: Run, source: asyncio.StreamReader) -> None:
        while line := await source.readline():
            text = line.decode("utf-8", "replace").rstrip()
            if text.startswith("progress "):
                try:
                    told = json.loads(text.removeprefix("progress "))
                    run.share, run.step = min(max(float(told["share"]), 0.0), 1.0), str(told["what"])
                    continue
                except (ValueError, KeyError, TypeError):
                    log.warning("progress of %s cannot be read: %s", run.what, text[:200])
            run.said = [*run.said, text][-_KEPT:]

    async def _report(self, run: Run, tell: Tell) -> None:
        """A line when it has begun to tell, and every few seconds."""
        last = ""
        while True:
            await asyncio.sleep(EVERY_S)
            told = run.stand()
            if run.step and told != last:
                last = told
                await tell(told)


def _give_way(pid: int) -> None:
    """Rule 2. A run that has ended already needs no priority."""
    try:
        psutil.Process(pid).nice(getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", NICE))
    except (psutil.NoSuchProcess, psutil.AccessDenied) as problem:
        log.info("priority of process %d: %s", pid, problem)


def _end(process: asyncio.subprocess.Process) -> None:
    """End a run with everything that it has begun."""
    try:
        parent = psutil.Process(process.pid)
        kill_all([parent, *parent.children(recursive=True)])
    except psutil.NoSuchProcess:
        pass
