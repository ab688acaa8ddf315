"""The process of one service as the supervisor holds it: spawned by us, or found alive and adopted."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from utils.files import write_atomic
from utils.locks import ProcessLock
from utils.logs import out_path, prepare_out
from utils.paths import PROJECT, Paths
from utils.processes import descendants, find, kill_all, leads_session, start_mark
from utils.wall import now_ms


class Record(msgspec.Struct, frozen=True):
    """One line of ``data/run/services.json``: which process a service is."""

    pid: int
    started: float
    own_session: bool


@dataclass(frozen=True, slots=True)
class CpuSeen:
    """A look at a process tree: when (monotonic), the CPU seconds it had used, and what was told then."""

    at_s: float
    used_s: float
    told_pct: float


@dataclass(slots=True)
class Child:
    """A live process. `popen` is None for an adopted one; `cpu_seen` is status.measure's last look at it."""

    record: Record
    process: psutil.Process
    popen: subprocess.Popen[bytes] | None = None
    cpu_seen: "CpuSeen | None" = None

    def ended(self) -> tuple[bool, int | None]:
        """(True, exit code) once it is gone; the code is None where the system does not tell it. Reaps zombies."""
        if self.popen is not None:
            code = self.popen.poll()
            return code is not None, code
        try:
            if self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
                return False, None
            code = self.process.wait(timeout=0)
        except psutil.NoSuchProcess:
            return True, None
        except psutil.TimeoutExpired:  # a zombie that another parent must reap: dead for us
            return True, None
        return True, None if code is None else int(code)

    def age_s(self) -> float:
        """Seconds since the process started (wall clock, for people)."""
        try:
            return max(0.0, now_ms() / 1000 - self.process.create_time())
        except psutil.NoSuchProcess:
            return 0.0

    def terminate(self) -> None:
        """Ask the process by signal (on Windows this already ends it)."""
        try:
            self.process.terminate()
        except psutil.NoSuchProcess:
            pass

    def kill_tree(self) -> int:
        """End it and everything that belongs to it, now. Returns how many were alive."""
        family = descendants(self.record.pid, self.record.own_session, self.record.started)
        return kill_all([self.process, *family])

    def kill_leftovers(self) -> int:
        """After its end: end the workers that it left behind."""
        return kill_all(descendants(self.record.pid, self.record.own_session, self.record.started))


def spawn(name: str, command: list[str], paths: Paths) -> Child:
    """Start a service in a session of its own, its raw output going to ``data/logs/NAME.out``. Raises OSError."""
    (paths.run / f"{name}.stop").unlink(missing_ok=True)
    (paths.run / f"{name}.beat.json").unlink(missing_ok=True)
    prepare_out(paths, name)
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    environment = dict(os.environ, PYTHONUNBUFFERED="1", COXSWAIN_HOME=str(paths.home))
    with open(out_path(paths, name), "ab") as out:
        popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 cwd=PROJECT, env=environment, start_new_session=True, creationflags=flags)
    try:
        record = Record(popen.pid, start_mark(popen.pid), own_session=os.name != "nt")
        return Child(record, psutil.Process(popen.pid), popen)
    except psutil.NoSuchProcess:
        raise OSError(f"{name} ended at once") from None


def adopt(name: str, record: Record | None, paths: Paths) -> Child | None:
    """The live process of a service that an earlier command process (or a person) started, or None.

    It must hold the service's lock, and be the process noted by itself or by us: pid and start.
    """
    lock = ProcessLock(paths.run, name)
    owner = lock.owner()
    if owner is not None and lock.held():
        record = Record(owner.pid, owner.started, leads_session(owner.pid))
    elif record is None or record.started == 0:
        return None
    process = find(record.pid, record.started)  # ours of before, perhaps not yet so far as to take its lock
    return Child(record, process) if process else None


class Registry:
    """``data/run/services.json``: service → its process, so that a later command process finds it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "services.json"

    def load(self) -> dict[str, Record]:
        """What was noted; empty where nothing is, or nothing that can be read (the locks' notes still tell)."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Record])
        except (OSError, msgspec.MsgspecError):
            return {}

    def save(self, children: dict[str, Record]) -> None:
        """Raises OSError when the disk refuses."""
        write_atomic(self._path, msgspec.json.format(msgspec.json.encode(children), indent=1))
