"""A page of numbers that all processes of this installation share: a small file in memory, guarded by a lock.

1. The operating system holds the lock, so the death of its holder releases it. Nobody waits for it longer than
   `SPIN_S`: then `Busy` says so, and the caller decides what goes without counting.
2. Numbers are doubles in fixed places. Every user checks what it reads: a process may have died between two writes.
3. Instants are `time.monotonic`, which all processes of a machine share. After a reboot it begins anew; so an instant
   further ahead than it could have been set counts as past.
"""

import mmap
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SPIN_S = 0.002
_NAP_S = 0.00005


class Busy(Exception):
    """Another process holds the page longer than anybody should."""


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        os.lseek(handle, 0, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


class Page:
    """`size` doubles of one process alone, all zero at first. Take `cells` anew for each use: `close` replaces it."""

    def __init__(self, size: int) -> None:
        self.cells: memoryview[float] = memoryview(bytearray(8 * size)).cast("d")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else changes the page meanwhile. Raises Busy. Not for nesting."""
        yield

    def close(self) -> None:
        """Give memory and files back."""


class SharedPage(Page):
    """The same in ``FILE``, with the lock ``FILE.lock``. Raises OSError where the disk refuses.

    A file of another size is of no use and begins anew, all zero; its format belongs into its name.
    """

    def __init__(self, file: Path, size: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(file.with_name(file.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._map = self._open(file, 8 * size)
        except BaseException:
            os.close(self._lock)
            raise
        self.cells = memoryview(self._map).cast("d")

    def _open(self, file: Path, length: int) -> mmap.mmap:
        deadline = time.monotonic() + 2.0
        while not _try_lock(self._lock):
            if time.monotonic() > deadline:
                raise OSError(f"{file.name} is held by another process")
            time.sleep(0.001)
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            try:
                if os.fstat(handle).st_size != length:
                    # Real zeros, not a hole: a disk that fills up later must not hurt a page that exists.
                    os.ftruncate(handle, 0)
                    os.write(handle, bytes(length))
                    if os.fstat(handle).st_size != length:
                        raise OSError(f"{file.name} could not be written as a whole")
                return mmap.mmap(handle, length)
            finally:
                os.close(handle)
        finally:
            _unlock(self._lock)

    @contextmanager
    def held(self) -> Iterator[None]:
        if self._lock < 0:
            yield
            return
        if not _try_lock(self._lock):
            self._spin()
        try:
            yield
        finally:
            _unlock(self._lock)

    def _spin(self) -> None:
        deadline = time.monotonic() + SPIN_S
        while not _try_lock(self._lock):
            if time.monotonic() > deadline:
                raise Busy
            time.sleep(_NAP_S)

    def close(self) -> None:
        """Back to a page of this process alone: whoever still holds a ticket may give it back without harm."""
        if self._lock < 0:
            return
        size = len(self.cells)
        self.cells.release()
        self._map.close()
        os.close(self._lock)
        self._lock, self.cells = -1, memoryview(bytearray(8 * size)).cast("d")


def peek(file: Path, size: int) -> "memoryview[float] | None":
    """The page as it lies on disk now, read without lock; None where there is none that fits."""
    try:
        raw = file.read_bytes()
    except OSError:
        return None
    return memoryview(raw).cast("d") if len(raw) == 8 * size else None
