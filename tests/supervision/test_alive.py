"""The health check of a container: what it calls alive."""

import os
from pathlib import Path

import msgspec
import pytest

from modules.supervision.alive import troubles
from modules.supervision.service import Beat
from utils.locks import ProcessLock
from utils.paths import Paths
from utils.processes import start_mark


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path).prepare()


def beat(paths: Paths, name: str, count: int, pid: int | None = None) -> None:
    mine = os.getpid() if pid is None else pid
    found = Beat(name, mine, start_mark(os.getpid()), count, True, {})
    (paths.run / f"{name}.beat.json").write_bytes(msgspec.json.encode(found))


def wanted(paths: Paths, *names: str) -> None:
    (paths.run / "desired.json").write_bytes(msgspec.json.encode(list(names)))


def test_without_the_command_process_nothing_lives(paths: Paths) -> None:
    assert troubles(paths) == ["the command process does not run"]


def test_what_is_wanted_must_move(paths: Paths) -> None:
    lock = ProcessLock(paths.run, "bot")
    lock.acquire()
    try:
        assert troubles(paths) == []  # nothing was started yet
        wanted(paths, "scanner", "tracker", "trainer")
        beat(paths, "tracker", 1)
        beat(paths, "scanner", 1)
        beat(paths, "trainer", 1, pid=2**22 + 1)

        def later(_: float) -> None:
            beat(paths, "tracker", 2)

        assert troubles(paths, 2.0, later) == ["trainer does not run", "the heartbeat of scanner does not move"]
    finally:
        lock.release()


def test_a_damaged_list_is_the_supervisors_matter(paths: Paths) -> None:
    lock = ProcessLock(paths.run, "bot")
    lock.acquire()
    try:
        (paths.run / "desired.json").write_bytes(b"\x00{")
        assert troubles(paths) == []
    finally:
        lock.release()
