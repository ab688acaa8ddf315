"""Long work of ``bot.py`` in a process of its own, at low priority: one run of a kind at a time, with progress and end.

1. A run is ``bot.py PART …``; its standard output is the result, lines ``progress {"share": 0.4, "what": "…"}`` on its
   standard error are how far it is, other lines there are what went wrong.
2. It gives way to everything that trades: nice 10, or below normal on Windows.
3. Whoever waits for it may be cancelled: then it is ended, with everything that it has begun.
4. How far it is, and how it ended, is left in files for the dashboard (``storage/kept_runs``); a disk that refuses them
   costs the dashboard a line, and the run nothing.
"""

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import psutil

from modules.storage.kept_runs import KeptRun, KeptRuns, UnderWay
from utils.figures import duration
from utils.paths import PROJECT, Paths
from utils.processes import kill_all, start_mark
from utils.redact import redact
from utils.wall import now_ms

log = logging.getLogger(__name__)

EVERY_S = 3.0
NOTE_S = 0.5
NICE = 10
_LONGEST_LINE = 1 << 26
_KEPT = 40
_WRONG_ARGUMENTS = 2
_CHOICE = re.compile(r"invalid choice: (.*?) \(choose from (.*)\)")
Tell = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. `said`: the last lines of its standard error, without progress."""

    code: int
    out: str
    said: str
    cancelled: bool = False

    def problem(self) -> str:
        """Why it failed, for a person: of wrong arguments the last line alone, without the words of a command line."""
        said = [line for line in self.said.splitlines() if line.strip()]
        if not said:
            return f"It ended with code {self.code} and said nothing; /logs bot may know more."
        if self.code != _WRONG_ARGUMENTS or ": error: " not in said[-1]:
            return "\n".join(said)
        last = said[-1].partition(": error: ")[2].removeprefix("argument ")
        return _CHOICE.sub(lambda found: f"there is no {found[1]}; there are: {found[2].replace(chr(39), '')}", last)


@dataclass(slots=True)
class Run:
    """One run under way."""

    what: str
    by: str
    began: float
    process: asyncio.subprocess.Process
    began_ms: int = 0
    mark: float = 0.0
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
            run = self._runs[kind] = Run(" ".join(argv), by, time.monotonic(), process, now_ms(), _mark(process.pid))
            _give_way(process.pid)
            kept = KeptRuns(paths)
            ended = await self._follow(run, tell, kept)
            await self._keep(kept, kind, argv, run, ended)
            return ended
        finally:
            run = self._runs.pop(kind, None)
            if run is not None and run.process.returncode is None:  # rule 3
                _end(run.process)
                await run.process.wait()

    async def _keep(self, kept: KeptRuns, kind: str, argv: Sequence[str], run: Run, ended: Ended) -> None:
        """Rule 4."""
        now = now_ms()
        record = KeptRun(f"{kind}-{now}", kind, tuple(argv), run.by, run.began_ms, now, ended.code, ended.said[-2000:],
                         ended.cancelled, _json(ended.out))
        await self._quietly(lambda: kept.keep(record))
        await self._note(kept, without=kind)

    async def _note(self, kept: KeptRuns, without: str = "") -> None:
        runs = [UnderWay(kind, tuple(run.what.split()), run.by, run.began_ms, run.process.pid, run.mark, run.share,
                         run.step) for kind, run in self.under_way().items() if kind != without]
        await self._quietly(lambda: kept.note(runs))

    async def _quietly(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(work)
        except OSError as problem:
            log.error("a long run is not kept for the dashboard: %s", problem)

    async def _follow(self, run: Run, tell: Tell, kept: KeptRuns) -> Ended:
        assert run.process.stdout is not None and run.process.stderr is not None
        beside = [asyncio.create_task(self._report(run, tell)), asyncio.create_task(self._watch(run, kept))]
        try:
            out, _ = await asyncio.gather(run.process.stdout.read(), self._listen(run, run.process.stderr))
            code = await run.process.wait()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
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

    async def _watch(self, run: Run, kept: KeptRuns) -> None:
        """How far it is, for pages (rule 4)."""
        last: tuple[float, str] | None = None
        while True:
            if last != (run.share, run.step):
                last = run.share, run.step
                await self._note(kept)
            await asyncio.sleep(NOTE_S)

    async def _report(self, run: Run, tell: Tell) -> None:
        """A line when it has begun to tell, and every few seconds."""
        last = ""
        while True:
            await asyncio.sleep(EVERY_S)
            told = run.stand()
            if run.step and told != last:
                last = told
                await tell(told)


def _mark(pid: int) -> float:
    """When its process started; 0 for one that has ended already."""
    try:
        return start_mark(pid)
    except psutil.NoSuchProcess:
        return 0.0


def _json(text: str) -> object:
    """The JSON object that a run printed, None where it printed none."""
    try:
        return msgspec.json.decode(text.splitlines()[-1])
    except (msgspec.MsgspecError, IndexError):
        return None


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
