"""What the storage tests share: a record, a list of damages told, a disk that is full."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from modules.storage.damage import Damage, on_damage


class Sale(msgspec.Struct, frozen=True):
    """A record like those of the histories."""

    id: int
    symbol: str = "PEPEUSDT"
    price: str = "0.00001234"


@pytest.fixture
def damages() -> Iterator[list[Damage]]:
    """Every damage reported in this test."""
    told: list[Damage] = []
    end = on_damage(told.append)
    yield told
    end()


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], object]:
    """``with full_disk(10):`` a disk on which files may grow by 10 more bytes; bytes that have their place already may
    be overwritten, as on a real one."""
    real = os.write

    @contextmanager
    def full(room: int) -> Iterator[None]:
        left = [room]

        def write(handle: int, content: bytes) -> int:
            size = os.fstat(handle).st_size
            position = os.lseek(handle, 0, os.SEEK_CUR)
            allowed = size + left[0] - position
            if allowed <= 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = real(handle, bytes(content[:allowed]))
            left[0] -= os.fstat(handle).st_size - size
            return written

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            yield

    return full
