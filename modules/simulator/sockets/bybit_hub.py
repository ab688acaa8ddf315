"""Bybit's sockets: frames of topics, an account's rows with or without the category behind a topic's name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from modules.simulator.dialects.bybit_auth import BybitGate
from modules.simulator.sockets.book_frames import BYBIT
from modules.simulator.sockets.bybit_session import BybitSession
from modules.simulator.sockets.topic_hub import TopicHub


class BybitHub(TopicHub[str]):
    """All sockets of the dialect. `shift_ms` is how wrong the venue tells its time."""

    book_frames = BYBIT

    def __init__(
        self, gate: BybitGate, now: Callable[[], int], elapsed: Callable[[], float], speed: float,
        shift_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(now, elapsed, speed)
        self.gate, self._shift_ms = gate, shift_ms
        self._opened = self._told = 0

    def told_now(self) -> int:
        """The time that the venue tells."""
        return self.now() + self._shift_ms()

    def session(self, request: web.Request, *, private: bool) -> BybitSession:
        """A socket that begins."""
        self._opened += 1
        return BybitSession(self, request, self._opened, private=private)

    def stream(self, topic: str) -> str:
        """What stream faults call a topic: its own name."""
        return topic

    def body(self, topic: str, kind: str, data: Any) -> bytes:
        """What a frame of a public topic holds."""
        content = {"topic": topic, "type": kind, "ts": self.now(), "data": data}
        if topic.startswith(("tickers", "orderbook")):
            content["cs" if topic.startswith("tickers") else "cts"] = self.now()
        return json.dumps(content, separators=(",", ":")).encode()

    def to_account(self, account: str, name: str, rows: list[Any]) -> None:
        """Rows of an account for its sockets that hear this topic, with or without the category behind its name."""
        for topic in (name, f"{name}.linear"):
            if topic in self.topics:
                self._told += 1
                content = {"id": f"{account}-{self._told}", "topic": topic, "creationTime": self.now(), "data": rows}
                self.to_owner(account, topic, name, json.dumps(content, separators=(",", ":")).encode())
