"""Who listens to what on Bitget's sockets; frames are made once for a channel and handed to all of its listeners."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from modules.simulator.dialects.bitget_auth import PASSPHRASE, BitgetGate
from modules.simulator.dialects.bitget_errors import Declined
from modules.simulator.sockets.bitget_names import DEFAULT, Topic
from modules.simulator.sockets.bitget_session import Session
from modules.simulator.sockets.wire import text_frame

if TYPE_CHECKING:
    from modules.simulator.perp.api import Account


class Feed(Protocol):
    """What is behind the public channels and the first frames of the private ones."""

    def knows(self, topic: Topic) -> bool:
        """Whether there is such a contract."""

    def first(self, topic: Topic) -> tuple[str, Any] | None:
        """Action and data that a new listener gets first."""

    def end(self, topic: Topic) -> None:
        """Nobody listens any longer."""


class BitgetHub:
    """All sockets of the dialect. `elapsed` gives wall seconds, `now` market ms."""

    def __init__(
        self, gate: BitgetGate, now: Callable[[], int], elapsed: Callable[[], float], speed: float
    ) -> None:
        self.gate, self.now, self.elapsed, self.speed = gate, now, elapsed, speed
        self.sessions: dict[Session, None] = {}
        self.topics: dict[Topic, dict[Session, None]] = {}
        self.dirty: list[Session] = []
        self.counts: Counter[str] = Counter()
        self.feed: Feed | None = None
        self.private_first: Callable[[Account, Topic], Any] = lambda account, topic: None

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Begin a socket."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.Response(status=426, text="a WebSocket is expected here")
        return await Session(self, request, private=request.path.endswith("/private")).serve()

    def login(self, words: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Account | None]:
        """The account of a login; else the code of what is wrong."""
        now = self.now()
        owner = self.gate.owner(words.get("apiKey"))
        if owner is None:
            return 30011, None
        if words.get("passphrase") != PASSPHRASE:
            return 30012, None
        if not words.get("timestamp", "").isdigit():
            return 30013, None
        account = self.gate.login(words, now)
        if account is None:
            return 30015, None
        try:
            self.gate.environment(account, headers)
        except Declined:
            if headers.get("PAPTRADING") == "1":  # the demo sockets' own address carries no header
                return 30005, None
        return 0, account

    # -- listeners -----------------------------------------------------------------------------------------

    def knows(self, topic: Topic) -> bool:
        """Whether a channel has something to tell of."""
        assert self.feed is not None
        return (topic.of == DEFAULT or topic.of == "USDT" or self.feed.knows(topic)) if topic.private else (
            self.feed.knows(topic))

    def join(self, session: Session, topic: Topic) -> None:
        """Let a session listen; what it gets first follows at once."""
        assert self.feed is not None
        self.topics.setdefault(topic, {})[session] = None
        if topic.private:
            assert session.account is not None
            data = self.private_first(session.account, topic)
            first = ("snapshot", data) if data is not None else None
        else:
            first = self.feed.first(topic)
        if first is not None:
            session.push(self.frame(topic, *first))

    def leave(self, session: Session, topic: Topic) -> None:
        """Let a session listen no longer."""
        found = self.topics.get(topic)
        if found is None:
            return
        found.pop(session, None)
        if not found:
            del self.topics[topic]
            if self.feed is not None and not topic.private:
                self.feed.end(topic)

    def gone(self, session: Session) -> None:
        """A session has ended."""
        self.sessions.pop(session, None)
        for topic in session.topics:
            self.leave(session, topic)

    # -- frames --------------------------------------------------------------------------------------------

    def frame(self, topic: Topic, action: str, data: Any) -> bytes:
        """A frame of a channel."""
        content = {"action": action, "arg": topic.arg, "data": data, "ts": self.now()}
        return text_frame(json.dumps(content, separators=(",", ":")).encode())

    def publish(self, topic: Topic, action: str, data: Any) -> None:
        """Data for every listener of a public channel, sent at the next flush."""
        found = self.topics.get(topic)
        if not found:
            return
        frame = self.frame(topic, action, data)
        self.counts["frames"] += len(found)
        for session in found:
            session.push(frame)

    def to_account(self, account: str, channel: str, symbol: str | None, data: list[Any]) -> None:
        """Rows of an account for its sockets that hear a channel of all contracts or of this one."""
        for topic, sessions in self.topics.items():
            if topic.channel != channel or (topic.of not in (DEFAULT, "USDT") and symbol != topic.of):
                continue
            if sessions:
                self.to_owner(account, topic, data)

    def to_owner(self, account: str, topic: Topic, data: list[Any]) -> None:
        """Rows of an account for its sockets that hear this very channel."""
        for session in self.topics.get(topic, ()):
            if session.account is not None and session.account.name == account:
                self.counts["user_frames"] += 1
                session.push(self.frame(topic, "snapshot", data))

    def listens(self, account: str) -> bool:
        """Whether any socket is logged in as an account."""
        return any(one.account is not None and one.account.name == account for one in self.sessions)

    def flush(self) -> None:
        """Send what was published since the last flush."""
        dirty, self.dirty = self.dirty, []
        for session in dirty:
            session.flush()

    def check(self) -> None:
        """Lives and silent clients."""
        now = self.elapsed()
        for session in list(self.sessions):
            session.check(now)

    async def close(self) -> None:
        """End all sockets."""
        async def end(session: Session) -> None:
            try:
                async with asyncio.timeout(1.0):
                    await session.socket.close(code=1001, message=b"server ends")
            except (TimeoutError, ConnectionError):
                session.abort("server ends")
        await asyncio.gather(*(end(session) for session in list(self.sessions)))

    def describe(self) -> dict[str, Any]:
        """Counts for /sim/status."""
        return {"connections": len(self.sessions), "channels": len(self.topics), "counts": dict(self.counts)}
