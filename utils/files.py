"""Files that survive a crash: written aside, flushed to disk, renamed into place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that a rename survives power loss. Windows has no such call."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: after any crash it holds the old bytes or the new ones, never a part.

    Raises OSError (disk full, no permission); the old file is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(aside, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)


def append_synced(path: Path, content: bytes) -> None:
    """Append and flush to disk before returning."""
    with open(path, "ab") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def lock_path(path: Path) -> Path:
    """The lock file that guards `path` between processes."""
    return path.with_name(f".{path.name}.lock")


@contextmanager
def locked(path: Path, timeout_s: float = 30.0) -> Iterator[None]:
    """Hold the inter-process lock of `path`. Raises filelock.Timeout when another holds it too long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(lock_path(path)), timeout=timeout_s):
        yield
