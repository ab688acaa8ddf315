"""Memory that a process holds although it is not in use."""

import ctypes
import sys

_M_ARENA_MAX = -8  # malloc.h of glibc
_ARENAS = 2


def few_arenas() -> bool:
    """Let all threads share two heaps of glibc's malloc; by default there are eight a core, each keeping what it freed.

    To be called before threads begin; False where there is no such setting (Windows, other C libraries).
    Source: mallopt(3), M_ARENA_MAX.
    """
    if sys.platform != "linux":
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS))
    except (OSError, AttributeError):
        return False
