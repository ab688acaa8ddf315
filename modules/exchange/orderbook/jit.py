"""Numba, met in one place: the decorator, the fence, and a cache that a changed source can never survive.

Numba's own cache looks at the file of a compiled function, not at the files of those it calls: so the cache lies in a
folder named after all sources that take part (as in the backtest's).
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

Ints = np.ndarray[Any, np.dtype[np.int64]]
F = TypeVar("F", bound=Callable[..., Any])


_SOURCES = ("jit", "layout", "ring", "rules", "parse_kernels", "book_kernels", "trade_kernels", "ticker_kernels")


def _cache_folder() -> str:
    """Named after the sources; below NUMBA_CACHE_DIR, this package, or where that must not be written, elsewhere."""
    seen = hashlib.sha256(sys.version.encode())
    here = Path(__file__).parent
    for name in _SOURCES:
        seen.update((here / f"{name}.py").read_bytes())
    if "NUMBA_CACHE_DIR" in os.environ:
        return str(Path(os.environ["NUMBA_CACHE_DIR"]) / f"books-{seen.hexdigest()[:16]}")
    base = here / "__pycache__" if os.access(here, os.W_OK) else Path(tempfile.gettempdir()) / "coxswain-compiled"
    return str(base / f"books-{seen.hexdigest()[:16]}")


_FOLDER = _cache_folder()


def _cached(function: F, **options: bool) -> F:
    """Numba asks for the folder when it is handed a function, and nowhere else."""
    before, config.CACHE_DIR = config.CACHE_DIR, _FOLDER
    try:
        return cast(F, njit(cache=True, **options)(function))
    finally:
        config.CACHE_DIR = before


def compiled(function: F) -> F:
    """`function`, compiled and cached."""
    return _cached(function)


def inlined(function: F) -> F:
    """A helper that becomes part of each caller: a call of its own would count references of every array."""
    return _cached(function, forceinline=True)


def _fence(context: Any) -> Any:
    def build(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return target.get_dummy_value()

    return types.void(), build


# No store moves across it, neither by the compiler nor by the processor: readers in other processes rely on that.
fence = cast(Callable[[], None], intrinsic(_fence))


def _move(context: Any, array: Any, target: Any, source: Any, count: Any) -> Any:
    def build(machine: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = machine.make_array(signature.args[0])(machine, builder, arguments[0]).data
        to, start = builder.gep(data, [arguments[1]]), builder.gep(data, [arguments[2]])
        cgutils.raw_memmove(builder, to, start, arguments[3], 8)
        return machine.get_dummy_value()

    return types.void(array, types.intp, types.intp, types.intp), build


# move(array, to, start, count): words moved within one array, which may overlap. No bounds are checked.
move = cast(Callable[[Ints, int, int, int], None], intrinsic(_move))


def _address(context: Any, buffer: Any) -> Any:
    def build(machine: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = machine.make_array(signature.args[0])(machine, builder, arguments[0]).data
        return builder.ptrtoint(data, machine.get_value_type(types.intp))

    return types.intp(buffer), build


def _byte(context: Any, address: Any, at: Any) -> Any:
    def build(machine: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(builder.add(arguments[0], arguments[1]), ir.IntType(8).as_pointer())
        return builder.zext(builder.load(place), machine.get_value_type(types.intp))

    return types.intp(types.intp, types.intp), build


# address(buffer): where its bytes lie; the caller keeps the buffer alive. byte(address, at): one of them; no bounds
# are checked, and helpers that get two numbers instead of an object count no references.
address = cast(Callable[[bytes], int], intrinsic(_address))
byte = cast(Callable[[int, int], int], intrinsic(_byte))
