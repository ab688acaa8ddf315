"""Processes of this machine: who is who, who belongs to whom, and how a whole tree ends.

1. A process is its pid *and* the moment it started, never a pid alone (pids are used again) and never a command line.
2. The start is told in a figure that a step of the system clock does not change.
3. A tree is the process, its descendants, and whoever shares the session that was made for it: a worker whose
   parent was killed has no ancestor left to find it by.
"""

import os
from collections.abc import Iterable

import psutil

SAME_START_S = 0.05


def start_mark(pid: int) -> float:
    """When a process started, in seconds since boot on Linux, since the epoch elsewhere (rule 2).

    Raises psutil.NoSuchProcess.
    """
    created = psutil.Process(pid).create_time()
    return round(created - psutil.boot_time(), 2) if psutil.LINUX else created


def find(pid: int, mark: float) -> psutil.Process | None:
    """The running process with that pid and start, or None (also for a zombie: it only waits to be reaped)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or abs(start_mark(pid) - mark) > SAME_START_S:
            return None
    except psutil.NoSuchProcess:
        return None
    return process


def leads_session(pid: int) -> bool:
    """Whether a process leads a session of its own, so that the whole session may be ended with it."""
    if not hasattr(os, "getsid"):
        return False
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def descendants(pid: int, own_session: bool, started: float = 0.0) -> list[psutil.Process]:
    """Everything that belongs to `pid`, without itself; works also after `pid` is gone (rule 3).

    `started`: its mark; who is older (an orphan of an earlier process of that pid) does not belong to it.
    """
    found: dict[int, psutil.Process] = {}
    try:
        for child in psutil.Process(pid).children(recursive=True):
            found[child.pid] = child
    except psutil.NoSuchProcess:
        if os.name == "nt":  # Windows keeps the dead parent's pid in its children
            for child in psutil.process_iter(["ppid"]):
                if child.info["ppid"] == pid and child.create_time() >= started:
                    found[child.pid] = child
    if own_session:
        for other in _session(pid):
            found[other.pid] = other
    found.pop(pid, None)
    found.pop(os.getpid(), None)
    return list(found.values())


def _session(leader: int) -> Iterable[psutil.Process]:
    if not hasattr(os, "getsid"):
        return
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == leader:
                yield psutil.Process(pid)
        except (OSError, psutil.NoSuchProcess):
            continue


def kill_all(processes: Iterable[psutil.Process]) -> int:
    """Kill each at once; returns how many were still alive."""
    killed = 0
    for process in processes:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                process.kill()
                killed += 1
        except psutil.NoSuchProcess:
            continue
    return killed
