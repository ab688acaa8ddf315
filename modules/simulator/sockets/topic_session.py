"""One client's socket where topics are subscribed to by messages (Bitget, Bybit); subclasses know the words."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aiohttp import WSCloseCode, WSMsgType, web

from modules.simulator.sockets.outlet import Outlet
from modules.simulator.sockets.wire import text_frame

if TYPE_CHECKING:
    from modules.simulator.perp.api import Account
    from modules.simulator.sockets.topic_hub import TopicHub

Topic = TypeVar("Topic")


class TopicSession(Outlet, ABC, Generic[Topic]):
    """A socket; `private` is the family of its path."""

    def __init__(self, hub: TopicHub[Topic], request: web.Request, *, private: bool) -> None:
        super().__init__(hub.outbox, request, autoping=True)
        self.hub, self.private = hub, private
        self.account: Account | None = None
        self.topics: dict[Topic, None] = {}
        self._born = self._heard = hub.elapsed()

    @property
    def is_users(self) -> bool:
        """Whether it is logged in."""
        return self.account is not None

    def owned_by(self, account: str) -> bool:
        """Whether it is logged in as this account."""
        return self.account is not None and self.account.name == account

    def listening(self) -> list[str]:
        """Names of the market streams it hears."""
        return [] if self.private else [self.hub.stream(topic) for topic in self.topics]

    def say(self, content: Mapping[str, Any]) -> None:
        """An answer, behind what is pending."""
        self.push(text_frame(json.dumps(content, separators=(",", ":")).encode()))

    async def serve(self) -> web.WebSocketResponse:
        """Talk with the client until either ends it."""
        await self.socket.prepare(self._request)
        self.hub.sessions[self] = None
        try:
            async for message in self.socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                self._heard = self.hub.elapsed()
                goes_on = self._hear(message.data)
                self.flush()
                if not goes_on:
                    await self.socket.close(code=WSCloseCode.POLICY_VIOLATION, message=self.why.encode()[:120])
                    break
        except ConnectionError:
            self.why = self.why or "reset by the client"
        finally:
            self.hub.gone(self)
        return self.socket

    @abstractmethod
    def _hear(self, text: str) -> bool:
        """Answer a message; False where the client broke a rule that ends the connection (`why` says which)."""

    @abstractmethod
    def check(self, now: float) -> None:
        """End what is over its time; `now` in wall seconds."""
