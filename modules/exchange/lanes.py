"""Who goes first (X31), and how a piece of work says in which lane its questions travel."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum


class Lane(IntEnum):
    """Lower goes first. LOOKUP asks what became of an order: after orders that get us out, before new ones."""

    PROTECT = 0
    EXIT = 1
    LOOKUP = 2
    ENTRY = 3
    DATA = 4


# Never shed by the breaker, never counted out by a lock that nobody gives back.
GUARDING = frozenset({Lane.PROTECT, Lane.EXIT, Lane.LOOKUP})

_of_task: ContextVar[Lane] = ContextVar("lane", default=Lane.DATA)


@contextmanager
def in_lane(lane: Lane) -> Iterator[None]:
    """Market data asked for inside travels in `lane`, or in a better one that is in force already.

    For what an exit needs to see before it can sell.
    """
    token = _of_task.set(min(lane, _of_task.get()))
    try:
        yield
    finally:
        _of_task.reset(token)


def task_lane() -> Lane:
    """The lane of market data in this task."""
    return _of_task.get()
