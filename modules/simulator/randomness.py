"""Keyed randomness: every number of the simulated market is a pure function of (seed, what it is for).

Nothing here keeps state, so a day of a token can be made in any order, at any time, by any process
and comes out the same. Two tools: a numpy Generator for blocks, a 64-bit mixer for single cells.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_U64 = np.uint64


def generator(seed: int, *parts: int | str) -> np.random.Generator:
    """A Generator whose stream depends on the seed and the parts alone."""
    text = ":".join([str(seed), *map(str, parts)]).encode("utf-8")
    key = int.from_bytes(blake2b(text, digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key))


def key64(seed: int, *parts: int | str) -> int:
    """A 64-bit integer that depends on the seed and the parts alone."""
    text = ":".join([str(seed), *map(str, parts)]).encode("utf-8")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014) on an array of uint64."""
    with np.errstate(over="ignore"):
        z = values + _U64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> _U64(30))) * _U64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> _U64(27))) * _U64(0x94D049BB133111EB)
        return z ^ (z >> _U64(31))


def uniform_cells(key: int, cells: NDArray[np.int64] | NDArray[np.uint64]) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), one for each integer cell, under one key."""
    mixed = mix(cells.astype(np.uint64) ^ _U64(key & 0xFFFFFFFFFFFFFFFF))
    result: NDArray[np.float64] = (mixed >> _U64(11)).astype(np.float64) * (2.0**-53)
    return result
