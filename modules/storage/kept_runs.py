"""Long runs (backtests, searches) for whoever shows them: what is under way, and how the newest ended.

``data/run/long_runs.json`` is replaced as a run goes on; ``data/runs/KIND-MS.json`` is one run that ended, never
changed, the newest `KEPT` of a kind stay. One writer, the command process; others read. Times are the wall clock's.
"""

import re
from pathlib import Path
from typing import Any

import msgspec

from utils.files import write_atomic
from utils.paths import Paths
from utils.processes import find

KEPT = 40
BIGGEST = 8_000_000
_NAME = re.compile(r"[a-z]{1,20}-[0-9]{1,16}")


class UnderWay(msgspec.Struct, frozen=True):
    """A run that goes on. `share` 0 … 1; `pid` and `mark`: its process, so that a dead one is not believed."""

    kind: str
    argv: tuple[str, ...]
    by: str
    began_ms: int
    pid: int
    mark: float
    share: float = 0.0
    step: str = ""


class KeptRun(msgspec.Struct, frozen=True):
    """A run that ended. `said`: what it told of trouble; `result`: its JSON, None where it gave none."""

    id: str
    kind: str
    argv: tuple[str, ...]
    by: str
    began_ms: int
    ended_ms: int
    code: int
    said: str
    cancelled: bool
    result: Any = None


class KeptRuns:
    """The files of an installation."""

    def __init__(self, paths: Paths) -> None:
        self.folder = paths.data / "runs"
        self.now = paths.run / "long_runs.json"

    def note(self, runs: list[UnderWay]) -> None:
        """What is under way. Raises OSError."""
        write_atomic(self.now, msgspec.json.encode(runs), durable=False)

    def under_way(self) -> list[UnderWay]:
        """What is under way by the file, without those whose process has ended."""
        try:
            runs = msgspec.json.decode(self.now.read_bytes(), type=list[UnderWay])
        except (OSError, msgspec.MsgspecError):
            return []
        return [run for run in runs if find(run.pid, run.mark) is not None]

    def keep(self, run: KeptRun) -> None:
        """Write a run that ended, and let the oldest of its kind go. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        body = msgspec.json.encode(run)
        if len(body) > BIGGEST:
            run = msgspec.structs.replace(run, result=None, said="its result is too large to keep")
            body = msgspec.json.encode(run)
        write_atomic(self.folder / f"{run.id}.json", body, durable=False)
        for path in self.names(run.kind)[KEPT:]:
            path.unlink(missing_ok=True)

    def names(self, kind: str = "") -> list[Path]:
        """The files, newest first."""
        found = [path for path in self.folder.glob(f"{kind or '*'}-*.json") if _NAME.fullmatch(path.stem)]
        return sorted(found, key=lambda path: int(path.stem.rpartition("-")[2]), reverse=True)

    def load(self, name: str) -> KeptRun | None:
        """One run; None for a name that is none, or a file that cannot be read."""
        if not _NAME.fullmatch(name):
            return None
        try:
            return msgspec.json.decode((self.folder / f"{name}.json").read_bytes(), type=KeptRun)
        except (OSError, msgspec.MsgspecError):
            return None
