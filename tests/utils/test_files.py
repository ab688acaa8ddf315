"""Files that survive a crash, and locks between processes."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from utils import files
from utils.files import append_synced, locked, remove_leftovers, write_atomic
from utils.paths import PROJECT


def test_write_atomic_replaces_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    for content in (b"one", b"two longer", b"3"):
        write_atomic(path, content)
        assert path.read_bytes() == content
    assert [one.name for one in path.parent.iterdir()] == ["a.json"]


def test_threads_that_write_the_same_file_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "a"
    contents = [bytes([65 + number]) * 50_000 for number in range(4)]

    def keep_writing(content: bytes) -> None:
        for _ in range(20):
            write_atomic(path, content, durable=False)

    threads = [threading.Thread(target=keep_writing, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    seen = set()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            seen.add(path.read_bytes())
    for thread in threads:
        thread.join()
    assert seen <= set(contents) and path.read_bytes() in contents


def test_a_write_killed_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, b"old")
    script = ("import os, sys; from pathlib import Path; from utils import files\n"
              "files.os.replace = lambda *_: os._exit(9)\n"
              "files.write_atomic(Path(sys.argv[1]), b'new')")
    died = subprocess.run([sys.executable, "-c", script, str(path)], cwd=PROJECT)
    assert died.returncode == 9 and path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2
    assert remove_leftovers(tmp_path) == 1 and [one.name for one in tmp_path.iterdir()] == ["a"]


def test_leftovers_of_the_living_and_other_files_stay(tmp_path: Path) -> None:
    mine = tmp_path / f".a.{os.getpid()}-7.tmp"
    for path in (mine, tmp_path / ".note.tmp", tmp_path / "x.tmp"):
        path.touch()
    assert remove_leftovers(tmp_path) == 0 and mine.exists()


def test_append_that_fails_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    append_synced(path, b"one\n")

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError):
            append_synced(path, b"two\n")
    assert path.read_bytes() == b"one\n"


def test_windows_patience_ends_with_the_error_and_bears_a_short_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_WINDOWS_PATIENCE_S", 0.2)
    monkeypatch.setattr("utils.files.os.name", "nt")
    tries = []

    def held_twice() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise PermissionError("used by another process")
        return "done"

    def held_for_ever() -> str:
        raise PermissionError("used by another process")

    assert files.patiently(held_twice) == "done"
    with pytest.raises(PermissionError):
        files.patiently(held_for_ever)


def test_lock_keeps_others_out(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with locked(path), pytest.raises(filelock.Timeout), locked(path, timeout_s=0.05):
        raise AssertionError("two at once")
    with locked(path, timeout_s=0.05):
        pass
