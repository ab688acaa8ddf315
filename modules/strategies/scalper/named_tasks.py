"""Work beside a loop: tasks, one of a name at a time; their border is the owner's `ended`."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class NamedTasks(dict[str, "asyncio.Task[None]"]):
    """Running tasks by name. `ended(name, problem)` is told of each end; `problem` None: done, or cancelled."""

    def __init__(self, ended: Callable[[str, BaseException | None], None]) -> None:
        super().__init__()
        self._ended = ended

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """A task for the work; where one of that name runs, the work is let go unbegun."""
        if name in self:
            work.close()
            return
        task = self[name] = asyncio.create_task(work, name=name)
        task.add_done_callback(lambda done: self._done(name, done))

    def _done(self, name: str, task: "asyncio.Task[None]") -> None:
        self.pop(name, None)
        self._ended(name, None if task.cancelled() else task.exception())

    async def end(self) -> None:
        """Cancel all and wait for their ends."""
        for task in list(self.values()):
            task.cancel()
        await asyncio.gather(*self.values(), return_exceptions=True)
