"""What happened on a paper account, and how much of it is on disk: no answer is given before both are the same.

1. Several waiters share one write.
2. A change that the disk refuses has happened all the same: its outcome is unknown to whoever asked (X4), and it is
   written with the next one.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from modules.exchange.types import Accepted, Outcome, Unavailable, Unknown
from modules.storage.json_state import JsonFile

log = logging.getLogger(__name__)
T = TypeVar("T")


class PaperDisk(Generic[T]):
    """The file of one account. `name` is how people know the account, `snapshot` its state now."""

    def __init__(self, file: JsonFile[T], snapshot: Callable[[], T], name: str) -> None:
        self._file, self._snapshot, self._name = file, snapshot, name
        self._changes = self._durable = 0
        self._saving = asyncio.Lock()

    def changed(self) -> None:
        """Something happened."""
        self._changes += 1

    async def settled(self) -> None:
        """Wait until everything that happened is on disk. Raises Unavailable."""
        async with self._saving:
            if self._durable == self._changes:
                return
            state, changes = self._snapshot(), self._changes
            try:
                await asyncio.to_thread(self._file.save, state)
            except OSError as problem:
                log.error("%s cannot be written: %s", self._name, problem)
                raise Unavailable(
                    f"{self._name} cannot be written ({problem.strerror or problem}). Free space on the disk."
                ) from problem
            self._durable = changes

    async def answer(self, outcome: Outcome) -> Outcome:
        """An outcome, once what it changed is on disk (rule 2)."""
        if not isinstance(outcome, Accepted):
            return outcome
        self.changed()
        try:
            await self.settled()
        except Unavailable as problem:
            return Unknown(str(problem))
        return outcome
