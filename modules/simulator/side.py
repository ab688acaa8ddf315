"""A wire around one perpetual venue, REST and sockets together, as the server and tests use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from modules.simulator.dialects.wing import Wing
from modules.simulator.sockets.faults import StreamFaults
from modules.simulator.sockets.topic_hub import TopicHub

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue
    from modules.simulator.sockets.bitget_feed import BitgetFeed
    from modules.simulator.sockets.bybit_feed import BybitFeed


class Side:
    """Everything of one dialect whose sockets are subscribed to by topics. `root` begins its paths of REST."""

    root: str
    sockets: tuple[str, ...]

    def __init__(self, venue: PerpVenue, wing: Wing, hub: TopicHub[Any], feed: BitgetFeed | BybitFeed) -> None:
        self._wing, self._hub, self._feed = wing, hub, feed
        hub.feed = feed
        venue.listeners.append(feed)
        self.faults = StreamFaults(hub)

    @classmethod
    def owns(cls, path: str) -> bool:
        """Whether a path is one of this wire."""
        return path.startswith(cls.root) or path in cls.sockets

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """A request to one of its paths."""
        if request.path in self.sockets:
            return await self._hub.open(request)
        return await self._wing.serve(request)

    def step(self, ms: int) -> None:
        """The market went on to `ms`: tell what is due."""
        self._feed.step(ms)
        self.faults.check()
        self._hub.flush()

    def describe(self) -> dict[str, Any]:
        """For /sim/status."""
        return self._hub.describe()
