"""Who is who among processes, and locks that die with their holder."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from utils.locks import AlreadyRunning, ProcessLock
from utils.paths import PROJECT
from utils.processes import descendants, find, kill_all, leads_session, start_mark

HOLDER = ("import sys; from pathlib import Path; from utils.locks import ProcessLock\n"
          "lock = ProcessLock(Path(sys.argv[1]), 'bot'); lock.acquire(); print('held', flush=True); sys.stdin.read()")
NEST = ("import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True); sys.stdin.read()")


def gone(pid: int) -> bool:
    """Waits for the end of a process."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def test_a_process_is_its_pid_and_its_start() -> None:
    me = psutil.Process()
    mark = start_mark(me.pid)
    found = find(me.pid, mark)
    assert found is not None and found.pid == me.pid
    assert find(me.pid, mark + 1) is None
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        mark = start_mark(child.pid)
        child_pid = child.pid
    assert find(child_pid, mark) is None


@pytest.fixture
def nest() -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A process in a session of its own, with a child."""
    with subprocess.Popen([sys.executable, "-c", NEST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          start_new_session=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        yield parent, child
        kill_all([one for one in (find_any(parent.pid), find_any(child)) if one])


def find_any(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def test_descendants_are_found_while_the_parent_lives_and_after(nest: tuple["subprocess.Popen[str]", int]) -> None:
    parent, child = nest
    own = leads_session(parent.pid)
    assert child in [one.pid for one in descendants(parent.pid, own)]
    parent.kill()
    parent.wait()
    left = descendants(parent.pid, own)
    assert [one.pid for one in left] == [child]
    assert kill_all(left) == 1 and gone(child)
    assert kill_all(left) == 0


def test_without_a_session_of_its_own_no_stranger_is_touched() -> None:
    assert psutil.Process().pid not in [one.pid for one in descendants(psutil.Process().ppid(), own_session=False)]


def test_lock_is_held_noted_and_released_by_death(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path, "bot")
    assert not lock.held() and lock.owner() is None
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], cwd=PROJECT, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        assert lock.held()
        with pytest.raises(AlreadyRunning, match=rf"bot already runs on this state \(PID {holder.pid}, since 20"):
            lock.acquire(timeout_s=0.05)
        holder.kill()
    assert not lock.held() and lock.owner() is None, "the note of a dead one names nobody"
    lock.acquire()
    owner = lock.owner()
    assert lock.held() and owner is not None and owner.pid == psutil.Process().pid
    lock.release()
    assert not lock.held() and lock.owner() is None
