"""Threads share malloc's heaps."""

import subprocess
import sys

import pytest

_HEAPS = """
import ctypes, sys, threading
from utils.memory import few_arenas
if sys.argv[1] == "few":
    assert few_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
begin, found = threading.Barrier(8), []
def take():
    begin.wait()
    found.append(libc.malloc(5000) >> 26)  # an arena's heap is aligned to 64 MB
    begin.wait()
threads = [threading.Thread(target=take) for _ in range(8)]
[one.start() for one in threads]
[one.join() for one in threads]
print(len(set(found)))
"""


def heaps(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _HEAPS, how], capture_output=True, text=True, timeout=60, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_eight_threads_share_two_heaps() -> None:
    assert heaps("few") <= 2 < heaps("many")
