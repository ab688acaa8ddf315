"""Who listens to what where topics are subscribed to (Bitget, Bybit): frames are made once for all listeners."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from aiohttp import web

from modules.simulator.sockets.book_frames import BookFrames
from modules.simulator.sockets.outlet import Outbox
from modules.simulator.sockets.topic_session import TopicSession
from modules.simulator.sockets.wire import text_frame

if TYPE_CHECKING:
    from modules.simulator.sockets.faults import StreamFaults

Topic = TypeVar("Topic")
Asked = TypeVar("Asked", contravariant=True)


class Feed(Protocol[Asked]):
    """What is behind the public topics."""

    def knows(self, topic: Asked) -> bool:
        """Whether there is such a topic."""

    def first(self, topic: Asked) -> tuple[str, Any] | None:
        """Kind and data that a new listener gets first."""

    def end(self, topic: Asked) -> None:
        """Nobody listens any longer."""


class TopicHub(ABC, Generic[Topic]):
    """All sockets of one wire. `elapsed` gives wall seconds, `now` market ms."""

    book_frames: BookFrames

    def __init__(self, now: Callable[[], int], elapsed: Callable[[], float], speed: float) -> None:
        self.now, self.elapsed, self.speed = now, elapsed, speed
        self.sessions: dict[TopicSession[Topic], None] = {}
        self.topics: dict[Topic, dict[TopicSession[Topic], None]] = {}
        self.outbox = Outbox()
        self.counts: Counter[str] = Counter()
        self.feed: Feed[Topic] | None = None
        self.faults: StreamFaults | None = None

    # -- what differs ----------------------------------------------------------------------------------------

    @abstractmethod
    def session(self, request: web.Request, *, private: bool) -> TopicSession[Topic]:
        """A socket that begins."""

    @abstractmethod
    def stream(self, topic: Topic) -> str:
        """What stream faults call a topic."""

    @abstractmethod
    def body(self, topic: Topic, kind: str, data: Any) -> bytes:
        """What a frame of a public topic holds."""

    def first_private(self, session: TopicSession[Topic], topic: Topic) -> bytes | None:
        """What a new listener of an account's topic gets first; nothing unless a wire says so."""
        return None

    # -- sockets -----------------------------------------------------------------------------------------------

    @property
    def connections(self) -> list[TopicSession[Topic]]:
        """All sockets."""
        return list(self.sessions)

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Begin a socket."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.Response(status=426, text="a WebSocket is expected here")
        if self.faults is not None and (refusal := self.faults.refusal(request.path)) is not None:
            return refusal
        return await self.session(request, private=request.path.endswith("/private")).serve()

    def join(self, session: TopicSession[Topic], topic: Topic) -> None:
        """Let a session listen; what it gets first follows at once, and faults befall it as any frame of its stream."""
        self.topics.setdefault(topic, {})[session] = None
        if session.private:
            told = self.first_private(session, topic)
            if told is not None:
                session.push(text_frame(told))
            return
        assert self.feed is not None
        first = self.feed.first(topic)
        if first is not None:
            self._send(topic, self.body(topic, *first), lambda body: session.push(text_frame(body)))

    def leave(self, session: TopicSession[Topic], topic: Topic) -> None:
        """Let a session listen no longer."""
        found = self.topics.get(topic)
        if found is None:
            return
        found.pop(session, None)
        if not found:
            del self.topics[topic]
            if self.feed is not None and not session.private:
                self.feed.end(topic)

    def gone(self, session: TopicSession[Topic]) -> None:
        """A session has ended."""
        self.sessions.pop(session, None)
        for topic in session.topics:
            self.leave(session, topic)

    # -- frames ------------------------------------------------------------------------------------------------

    def publish(self, topic: Topic, kind: str, data: Any) -> None:
        """Data for every listener of a public topic, sent at the next flush."""
        if self.topics.get(topic):
            self._send(topic, self.body(topic, kind, data), lambda body: self._deliver(topic, body))

    def _send(self, topic: Topic, body: bytes, send: Callable[[bytes], None]) -> None:
        if self.faults is None or not self.faults.active or not self.faults.befall(
                self.stream(topic), body, send, user=False):
            send(body)

    def _deliver(self, topic: Topic, body: bytes) -> None:
        found, frame = self.topics.get(topic, {}), text_frame(body)
        self.counts["frames"] += len(found)
        for session in found:
            session.push(frame)

    def to_owner(self, account: str, topic: Topic, event: str, body: bytes) -> None:
        """An event for the sockets of an account that hear this topic. `event` is what stream faults call it."""
        if not any(session.owned_by(account) for session in self.topics.get(topic, ())):
            return
        if self.faults is None or not self.faults.active or not self.faults.befall(
                event, body, lambda spoilt: self._deliver_owner(account, topic, spoilt), user=True):
            self._deliver_owner(account, topic, body)

    def _deliver_owner(self, account: str, topic: Topic, body: bytes) -> None:
        for session in self.topics.get(topic, ()):
            if session.owned_by(account):
                self.counts["user_frames"] += 1
                session.push(text_frame(body))

    def listens(self, account: str) -> bool:
        """Whether any socket is logged in as an account."""
        return any(session.owned_by(account) for session in self.sessions)

    def flush(self) -> None:
        """Send what was published since the last flush."""
        self.outbox.flush()

    # -- time ----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Lives and silent clients."""
        now = self.elapsed()
        for session in list(self.sessions):
            session.check(now)

    async def close(self) -> None:
        """End all sockets."""
        async def end(session: TopicSession[Topic]) -> None:
            try:
                async with asyncio.timeout(1.0):
                    await session.socket.close(code=1001, message=b"server ends")
            except (TimeoutError, ConnectionError):
                session.abort("server ends")
        await asyncio.gather(*(end(session) for session in list(self.sessions)))

    def describe(self) -> dict[str, Any]:
        """Counts for /sim/status."""
        return {"connections": len(self.sessions), "topics": len(self.topics), "counts": dict(self.counts)}
