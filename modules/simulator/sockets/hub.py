"""Who listens to what: frames are made once for a stream and handed to all of its listeners.

The hub knows no market. A `Feed` is told which streams gain their first and lose their last listener, so that
nothing is formatted for nobody; it hands JSON payloads back through `publish`, and `flush` ends a market step.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from modules.simulator.sockets.book_frames import BINANCE
from modules.simulator.sockets.listen_keys import ListenKey, ListenKeys
from modules.simulator.sockets.names import Family, Stream, parse
from modules.simulator.sockets.outlet import Outbox
from modules.simulator.sockets.wire import text_frame

if TYPE_CHECKING:
    from modules.simulator.sockets.connection import Connection
    from modules.simulator.sockets.faults import StreamFaults

log = logging.getLogger(__name__)


class Feed(Protocol):
    """A market behind the hub."""

    def begin(self, stream: Stream) -> None:
        """A stream got its first listener."""

    def end(self, stream: Stream) -> None:
        """A stream lost its last listener."""


class Channel:
    """The listeners of a stream, by the form they take frames in."""

    __slots__ = ("combined", "prefix", "raw", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.raw: dict[Connection, None] = {}
        self.combined: dict[Connection, None] = {}
        self.prefix = b'{"stream":"' + stream.name.encode() + b'","data":'

    def __bool__(self) -> bool:
        return bool(self.raw or self.combined)


class Hub:
    """All connections of a venue. `elapsed` gives wall seconds, `now` market ms."""

    book_frames = BINANCE

    def __init__(self, feed: Feed, now: Callable[[], int], elapsed: Callable[[], float], speed: float) -> None:
        self.feed, self.now, self.elapsed, self.speed = feed, now, elapsed, speed
        self.pace = max(1.0, speed)
        self.channels: dict[str, Channel] = {}
        self.connections: dict[Connection, None] = {}
        self.outbox = Outbox()
        self.counts: Counter[str] = Counter()
        self.faults: StreamFaults | None = None
        self.keys = ListenKeys(now)
        self.keys.ended = self.key_ended
        self._flushing = False
        self._unheard: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()

    # -- connections ---------------------------------------------------------------------------------------

    def enter(self, connection: Connection) -> None:
        """A connection was opened."""
        self.connections[connection] = None
        self.counts["opened"] += 1

    def gone(self, connection: Connection) -> None:
        """A connection has ended; whatever ended it."""
        self.connections.pop(connection, None)
        self.leave(connection, connection.listening())
        self.counts["closed: " + (connection.why.partition(",")[0] or "by the client")] += 1

    def join(self, connection: Connection, names: list[str]) -> None:
        """Let a connection listen."""
        for name in names:
            if connection.family is Family.PRIVATE:
                self._join_account(connection, name)
                continue
            stream = parse(name)
            if stream is None or not connection.hears(name):
                if not name.isdigit():  # ccxt numbers its sockets in the path
                    self._unheard[f"{name} on {connection.path}"] += 1
                continue
            channel = self.channels.get(name)
            if channel is None:
                channel = self.channels[name] = Channel(stream)
                self.feed.begin(stream)
            (channel.combined if connection.combined else channel.raw)[connection] = None

    def _join_account(self, connection: Connection, key: str) -> None:
        account = self.keys.account(key)
        if account is not None:
            connection.watch(key, account)
        else:
            self._unheard["a listen key that is not valid"] += 1

    def leave(self, connection: Connection, names: list[str]) -> None:
        """Let a connection listen no longer."""
        for name in names:
            connection.keys.pop(name, None)
            channel = self.channels.get(name)
            if channel is None:
                continue
            channel.raw.pop(connection, None)
            channel.combined.pop(connection, None)
            if not channel:
                del self.channels[name]
                self.feed.end(channel.stream)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something beside; kept until done."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        problem = None if task.cancelled() else task.exception()
        if problem is not None and not isinstance(problem, ConnectionError):
            log.error("a socket's close failed", exc_info=problem)

    # -- frames --------------------------------------------------------------------------------------------

    def publish(self, name: str, data: bytes) -> None:
        """A payload (JSON) for every listener of a stream, sent at the next flush."""
        channel = self.channels.get(name)
        if channel is None:
            return
        if self.faults is not None and self.faults.active and self.faults.befall(
                name, data, lambda body: self.deliver(channel, body), user=False):
            return
        self.deliver(channel, data)

    def deliver(self, channel: Channel, data: bytes) -> None:
        """A payload for every listener, past the faults."""
        self.counts["payloads"] += 1
        if channel.raw:
            frame = text_frame(data)
            self.counts["frames"] += len(channel.raw)
            for connection in channel.raw:
                connection.push(frame)
        if channel.combined:
            frame = text_frame(channel.prefix + data + b"}")
            self.counts["frames"] += len(channel.combined)
            for connection in channel.combined:
                connection.push(frame)

    def to_account(self, account: str, event: str, data: bytes) -> None:
        """An event of an account's user stream, sent as soon as what is being done is done (and is durable)."""
        if self.faults is not None and self.faults.active and self.faults.befall(
                event, data, lambda body: self.deliver_account(account, event, body), user=True):
            return
        self.deliver_account(account, event, data)

    def deliver_account(self, account: str, event: str, data: bytes) -> None:
        """An event for the sockets of an account, past the faults."""
        for connection in self.connections:
            for frame in connection.user_frames(account, event, data):
                self.counts["user_frames"] += 1
                connection.push(frame)
        self._flush_soon()

    def listens(self, account: str) -> bool:
        """Whether any socket hears an account."""
        return any(name == account for one in self.connections for name, _ in one.keys.values())

    def _flush_soon(self) -> None:
        """Flush when the venue has come back from what it does: nothing is told that a crash could undo."""
        if self._flushing or not self.outbox:
            return
        self._flushing = True
        asyncio.get_running_loop().call_soon(self.flush)

    def key_ended(self, held: ListenKey, expired: bool) -> None:
        """A listen key is over: its sockets are told once, then hear nothing; a closed one ends them."""
        for connection in list(self.connections):
            if held.key not in connection.keys:
                continue
            if expired:
                told = f'{{"e":"listenKeyExpired","E":{self.now()},"listenKey":"{held.key}"}}'
                for frame in connection.user_frames(held.account, "listenKeyExpired", told.encode()):
                    connection.push(frame)
            connection.drop([held.key])
            if not expired and not connection.keys:
                connection.end("listen key closed")
        self.flush()

    def flush(self) -> None:
        """Send what was published since the last flush."""
        self._flushing = False
        self.outbox.flush()

    # -- time ----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Pings, lives, faults that wait for their time."""
        now = self.elapsed()
        self.keys.expire()
        for connection in list(self.connections):
            connection.check(now)
        if self.faults is not None:
            self.faults.check()
        self.flush()

    async def close(self) -> None:
        """End all connections."""
        await asyncio.gather(*(connection.closed() for connection in list(self.connections)))
        for task in list(self._tasks):
            task.cancel()

    def describe(self) -> dict[str, Any]:
        """Counts for /sim/status; `unheard` are streams asked of a socket that never gets them."""
        return {
            "connections": len(self.connections), "streams": len(self.channels), "counts": dict(self.counts),
            "unheard": dict(self._unheard.most_common(20))}
