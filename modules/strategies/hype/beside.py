"""Work that guarding prices must not wait for: begun in a turn, given a moment, and carried on beside the turns."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MOMENT_S = 0.5


class Beside(Generic[T]):
    """One such piece of work; never twice at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[T] | None = None

    @property
    def under_way(self) -> bool:
        """Whether it has begun and was not taken yet."""
        return self._task is not None

    async def step(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """Begin it unless it is under way; its result once, None until then. Raises what it raised.

        A healthy exchange answers within `MOMENT_S`, so that the result comes with the same turn.
        """
        if self._task is None:
            self._task = asyncio.create_task(begin(), name=self._name)
            await asyncio.wait({self._task}, timeout=MOMENT_S)
        if not self._task.done():
            return None
        done, self._task = self._task, None
        return done.result()

    async def close(self) -> None:
        """Give it up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
