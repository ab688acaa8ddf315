"""One client's socket on Binance's wire: what it listens to, its allowance of messages, its end.

Lives, pings and allowances are of market time: a venue that runs ten times as fast ends a connection after 2.4 hours
and allows a hundred messages a second.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from aiohttp import WSCloseCode, WSMsgType, web

from modules.simulator.sockets.messages import MAX_STREAMS, TooMany, answer
from modules.simulator.sockets.names import Family, parse
from modules.simulator.sockets.outlet import Outlet
from modules.simulator.sockets.wire import ping_frame, text_frame

if TYPE_CHECKING:
    from modules.simulator.sockets.hub import Hub

MESSAGES_PER_S = 10
LIFE_S = 86_400.0
PING_S, PONG_S = 180.0, 600.0
_MIN_PING_S, _MIN_PONG_S = 5.0, 20.0  # however fast the market runs: a client's answer takes wall time


class Connection(Outlet):
    """A socket of one family. `family` None is the old path, which hears what is public."""

    def __init__(self, hub: Hub, family: Family | None, request: web.Request, *, combined: bool) -> None:
        super().__init__(hub.outbox, request, autoping=False)
        self.hub, self.family, self.combined_now = hub, family, combined
        self.keys: dict[str, tuple[str, frozenset[str]]] = {}  # listen key → account, events asked for (none: all)
        self._names: dict[str, None] = {}  # in the order of asking
        self._said: deque[float] = deque()
        self._born = self._pong = hub.elapsed()
        self._pinged = self._born
        self._broke = ""  # the rule that the client broke
        self.path = request.path
        self.first: list[str] = []  # streams named in the address

    # -- what it listens to --------------------------------------------------------------------------------

    @property
    def combined(self) -> bool:
        """Whether frames come as {"stream": …, "data": …}."""
        return self.combined_now

    @combined.setter
    def combined(self, value: bool) -> None:
        names = self.listening() if self.family is not Family.PRIVATE else []
        self.hub.leave(self, names)
        self.combined_now = value
        self.hub.join(self, names)

    def add(self, names: list[str]) -> None:
        """Listen to streams. Raises TooMany."""
        if len(self._names.keys() | set(names)) > MAX_STREAMS:
            raise TooMany(f"{len(names)} streams asked for, {len(self._names)} there, {MAX_STREAMS} allowed")
        fresh = [name for name in dict.fromkeys(names) if name not in self._names]
        self._names.update(dict.fromkeys(fresh))
        self.hub.join(self, fresh)

    def drop(self, names: list[str]) -> None:
        """Listen no longer."""
        gone = [name for name in dict.fromkeys(names) if name in self._names]
        for name in gone:
            del self._names[name]
        self.hub.leave(self, gone)

    def listening(self) -> list[str]:
        """The names asked for, in their order."""
        return list(self._names)

    @property
    def is_users(self) -> bool:
        """Whether it hears an account."""
        return bool(self.keys)

    def watch(self, key: str, account: str, events: frozenset[str] = frozenset()) -> None:
        """Hear an account's user stream."""
        self._names[key] = None
        self.keys[key] = (account, events)

    def user_frames(self, account: str, event: str, data: bytes) -> list[bytes]:
        """An event of an account in the form this socket takes it, once for each of its listen keys."""
        found = [
            key for key, (name, events) in self.keys.items() if name == account and (not events or event in events)]
        if not self.combined_now:
            return [text_frame(data) for _ in found]
        return [text_frame(b'{"stream":"' + key.encode() + b'","data":' + data + b"}") for key in found]

    def hears(self, name: str) -> bool:
        """Whether a stream of this name ever reaches this socket (see names.py)."""
        stream = parse(name)
        return stream is not None and stream.family is (self.family or Family.PUBLIC)

    # -- the way out ---------------------------------------------------------------------------------------

    def send_now(self, text: str) -> None:
        """A text frame at once, behind what is pending."""
        self.push(text_frame(text.encode("utf-8")))
        self.flush()

    def end(self, why: str, code: int = WSCloseCode.OK) -> None:
        """Close in order, without waiting for the client's consent."""
        self.why = self.why or why
        self.hub.spawn(self.socket.close(code=code, message=why.encode("utf-8")[:120]))

    # -- its life ------------------------------------------------------------------------------------------

    async def serve(self) -> web.WebSocketResponse:
        """Talk with the client until either ends it."""
        await self.socket.prepare(self._request)
        self.hub.enter(self)
        self.add(self.first)
        try:
            async for message in self.socket:
                if message.type is WSMsgType.PONG:
                    self._pong = self.hub.elapsed()
                elif message.type is WSMsgType.PING:
                    await self.socket.pong(message.data)
                elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY) and not self._hear(message.data):
                    break
            if self._broke:
                self.why = self._broke
                await self.socket.close(code=WSCloseCode.POLICY_VIOLATION, message=self._broke.encode()[:120])
        except ConnectionError:
            self.why = self.why or "reset by the client"
        finally:
            self.hub.gone(self)
        return self.socket

    def _hear(self, data: str | bytes) -> bool:
        """Answer a message; False where the client broke a rule that ends the connection."""
        now, allowed = self.hub.elapsed(), MESSAGES_PER_S * max(1.0, self.hub.speed)
        while self._said and self._said[0] <= now - 1.0:
            self._said.popleft()
        self._said.append(now)
        if len(self._said) > allowed:
            self._broke = "Too many requests"
            return False
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        try:
            self.send_now(answer(text, self))
        except TooMany as problem:
            self._broke = f"Invalid request: too many subscriptions ({problem})"
            return False
        return True

    def check(self, now: float) -> None:
        """Ping, and end what is over its time; `now` in wall seconds."""
        pace = self.hub.pace
        if now - self._born >= LIFE_S / pace:
            self.end("24 hours are over")
        elif now - self._pong >= max(_MIN_PONG_S, PONG_S / pace) and self._pong < self._pinged:
            self.abort("no pong")
        elif now - self._pinged >= max(_MIN_PING_S, PING_S / pace):
            self._pinged = now
            self.push(ping_frame(str(self.hub.now()).encode()))

    async def closed(self) -> None:
        """Close for the end of the server."""
        try:
            async with asyncio.timeout(1.0):
                await self.socket.close(code=WSCloseCode.GOING_AWAY, message=b"server ends")
        except (TimeoutError, ConnectionError):
            self.abort("server ends")
