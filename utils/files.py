"""Files that survive a crash: written aside, flushed to disk, renamed into place."""

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
from filelock import FileLock

T = TypeVar("T")
_counter = itertools.count()
_ASIDE = re.compile(r"^\..+\.(\d+)-\d+\.tmp$")
_WINDOWS_PATIENCE_S = 2.0


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that a rename survives power loss. Windows has no such call."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, content: bytes, durable: bool = True) -> None:
    """Replace `path` by `content`: after any crash it holds the old bytes or the new ones, never a part.

    `durable` also survives power loss (two flushes to disk, some ms); without it a power loss may bring the old
    bytes back. Raises OSError (disk full, no permission); the old file is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{next(_counter)}.tmp")
    try:
        with open(aside, "wb") as out:
            out.write(content)
            if durable:
                out.flush()
                os.fsync(out.fileno())
        patiently(lambda: os.replace(aside, path))
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def read_whole(path: Path) -> bytes:
    """The bytes of a file that others replace. Raises OSError (FileNotFoundError where there is none)."""
    return patiently(path.read_bytes)


def patiently(action: Callable[[], T]) -> T:
    """On Windows, a file that another process has open this moment can neither be replaced nor opened: try again
    for a short while. Elsewhere this never happens, and PermissionError means what it says."""
    if os.name != "nt":
        return action()
    deadline = time.monotonic() + _WINDOWS_PATIENCE_S
    while True:
        try:
            return action()
        except PermissionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def append_synced(path: Path, content: bytes) -> None:
    """Append and flush to disk before returning. Raises OSError; the file is then as it was before."""
    with open(path, "ab", buffering=0) as out:
        before = out.seek(0, os.SEEK_END)
        try:
            write_all(out.fileno(), content)
            os.fsync(out.fileno())
        except OSError:
            out.truncate(before)
            raise


def write_all(handle: int, content: bytes) -> None:
    """Write all of `content` to a file descriptor: a single write may stop half-way on a full disk."""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view):]


def remove_leftovers(folder: Path) -> int:
    """Remove files written aside by processes that died before the rename; returns how many."""
    removed = 0
    for path in folder.glob(".*.tmp"):
        match = _ASIDE.match(path.name)
        if match and not psutil.pid_exists(int(match.group(1))):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def lock_path(path: Path) -> Path:
    """The lock file that guards `path` between processes."""
    return path.with_name(f".{path.name}.lock")


@contextmanager
def locked(path: Path, timeout_s: float = 30.0) -> Iterator[None]:
    """Hold the inter-process lock of `path`. Raises filelock.Timeout when another holds it too long.

    Not for nesting on the same path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(lock_path(path)), timeout=timeout_s, poll_interval=0.005):
        yield
