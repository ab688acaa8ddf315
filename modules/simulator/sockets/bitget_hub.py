"""Bitget's sockets: logins, frames of channels, an account's rows for who hears all contracts or one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from modules.simulator.dialects.bitget_auth import PASSPHRASE, BitgetGate
from modules.simulator.dialects.bitget_errors import Declined
from modules.simulator.sockets.bitget_names import DEFAULT, Topic
from modules.simulator.sockets.bitget_session import Session
from modules.simulator.sockets.book_frames import BITGET
from modules.simulator.sockets.topic_hub import TopicHub
from modules.simulator.sockets.topic_session import TopicSession

if TYPE_CHECKING:
    from modules.simulator.perp.api import Account


class BitgetHub(TopicHub[Topic]):
    """All sockets of the dialect."""

    book_frames = BITGET

    def __init__(
        self, gate: BitgetGate, now: Callable[[], int], elapsed: Callable[[], float], speed: float
    ) -> None:
        super().__init__(now, elapsed, speed)
        self._gate = gate
        self.private_first: Callable[[Account, Topic], Any] = lambda account, topic: None

    def session(self, request: web.Request, *, private: bool) -> Session:
        """A socket that begins."""
        return Session(self, request, private=private)

    def stream(self, topic: Topic) -> str:
        """What stream faults call a channel of a contract: ``books.BTCUSDT``."""
        return f"{topic.channel}.{topic.of}"

    def login(self, words: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Account | None]:
        """The account of a login; else the code of what is wrong."""
        now = self.now()
        owner = self._gate.owner(words.get("apiKey"))
        if owner is None:
            return 30011, None
        if words.get("passphrase") != PASSPHRASE:
            return 30012, None
        if not words.get("timestamp", "").isdigit():
            return 30013, None
        account = self._gate.login(words, now)
        if account is None:
            return 30015, None
        try:
            self._gate.environment(account, headers)
        except Declined:
            if headers.get("PAPTRADING") == "1":  # the demo sockets' own address carries no header
                return 30005, None
        return 0, account

    def knows(self, topic: Topic) -> bool:
        """Whether a channel has something to tell of."""
        assert self.feed is not None
        return (topic.of == DEFAULT or topic.of == "USDT" or self.feed.knows(topic)) if topic.private else (
            self.feed.knows(topic))

    def first_private(self, session: TopicSession[Topic], topic: Topic) -> bytes | None:
        """Money and positions as they are."""
        assert session.account is not None
        data = self.private_first(session.account, topic)
        return self.body(topic, "snapshot", data) if data is not None else None

    def body(self, topic: Topic, kind: str, data: Any) -> bytes:
        """What a frame holds."""
        content = {"action": kind, "arg": topic.arg, "data": data, "ts": self.now()}
        return json.dumps(content, separators=(",", ":")).encode()

    def to_account(self, account: str, channel: str, symbol: str | None, data: list[Any]) -> None:
        """Rows of an account for its sockets that hear a channel of all contracts or of this one."""
        for topic in list(self.topics):
            if topic.channel == channel and topic.of in (DEFAULT, "USDT", symbol):
                self.to_hearers(account, topic, data)

    def to_hearers(self, account: str, topic: Topic, data: list[Any]) -> None:
        """Rows of an account for its sockets that hear this very channel."""
        self.to_owner(account, topic, topic.channel, self.body(topic, "snapshot", data))
