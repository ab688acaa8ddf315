"""A second set of connections with books of its own, in this process, while the feed has none (D12)."""

import asyncio
import logging
from typing import TYPE_CHECKING

import aiohttp

from modules.exchange.feed.reader import FeedReader
from modules.exchange.types import Unavailable
from modules.strategies.signals.rest import Address
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings
    from modules.exchange.feed.service import FeedProcess

log = logging.getLogger(__name__)
LOOK_S = 0.25


class Backup:
    """At most one second feed; `reader` is None while there is none."""

    def __init__(self, settings: "Settings", paths: Paths, session: aiohttp.ClientSession, found: Address) -> None:
        self.reader: FeedReader | None = None
        self._feed, self._own = settings.feed, settings.signals
        self._paths = Paths(paths.data / "backup-feed")
        self._session, self._found = session, found
        self._process: FeedProcess | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, symbols: list[str]) -> FeedReader:
        """Hear `symbols` over new connections. Raises Unavailable."""
        from modules.exchange.feed.service import FeedProcess  # only when it is needed: sockets and kernels

        settings = self._feed.model_copy(update={"symbols": tuple(symbols), "consumers": ()})
        streams = self._own.backup_ws_url or self._found.streams
        process = FeedProcess(settings, self._paths.prepare(), self._session, self._found.rest, streams,
                              self._found.speed)
        try:
            await process.start()
        except Unavailable:
            await process.close()
            raise
        self._process = process
        self._task = asyncio.create_task(self._look(process), name="backup feed")
        self.reader = FeedReader(self._paths)
        return self.reader

    async def _look(self, process: "FeedProcess") -> None:
        while True:
            process.check()
            process.look()
            await asyncio.sleep(LOOK_S)

    async def close(self) -> None:
        """End it."""
        task, process = self._task, self._process
        self._task = self._process = self.reader = None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if process is not None:
            await process.close()
