"""One source, two speeds: rule functions run as plain Python, or compiled where a batch job asks for it.

With ``COXSWAIN_COMPILED=1`` in the environment *before* the import, a ``@kernel`` function is compiled by numba (the
backtester and the labeller set it). Otherwise it is the plain function: the live tracker needs no numba.
A kernel takes and returns only integers, floats, flat tuples and NamedTuples of those; it does no I/O.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

COMPILED = os.environ.get("COXSWAIN_COMPILED") == "1"


def kernel(function: F) -> F:
    """`function` itself, or its compiled twin. Raises ImportError if compilation is asked for without numba."""
    if not COMPILED:
        return function
    from numba import njit

    return cast(F, njit(cache=True)(function))


def part(function: F) -> F:
    """`function` itself, or a piece of compiled code that becomes part of each caller: for what is done so often that
    a call, with its count of references to every array, would cost more than the work."""
    if not COMPILED:
        return function
    from numba import njit

    return cast(F, njit(cache=True, forceinline=True)(function))


def inlined(function: F) -> F:
    """As `kernel`, for the parts of a kernel's own loop: put into it instead of called, which spares the passing of
    bundles of arrays (a third of the backtest's time). Only for functions that a kernel calls in one place or two."""
    if not COMPILED:
        return function
    from numba import njit

    return cast(F, njit(inline="always")(function))
