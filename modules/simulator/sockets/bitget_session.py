"""One client's socket on Bitget's wire: what it says, what it may hear, its end."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from modules.simulator.sockets.bitget_names import Topic, topic_of
from modules.simulator.sockets.topic_session import TopicSession
from modules.simulator.sockets.wire import text_frame

if TYPE_CHECKING:
    from modules.simulator.sockets.bitget_hub import BitgetHub

MAX_TOPICS = 1000
MESSAGES_PER_S = 10
LIFE_S, PING_S = 86_400.0, 120.0
_MIN_PING_S = 40.0  # however fast the market runs: a client's ping takes wall time
_LOGIN_FAILS = {
    30011: "Invalid ACCESS_KEY", 30012: "Invalid ACCESS_PASSPHRASE", 30013: "Invalid ACCESS_TIMESTAMP",
    30015: "Invalid sign", 30005: "Login failed"}
_OPS = ("subscribe", "unsubscribe", "login")


class Session(TopicSession[Topic]):
    """A socket that counts its client's messages."""

    hub: BitgetHub

    def __init__(self, hub: BitgetHub, request: web.Request, *, private: bool) -> None:
        super().__init__(hub, request, private=private)
        self._headers = request.headers
        self._said: deque[float] = deque()

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the request that opened it (the demo header)."""
        return self._headers

    # -- what it says --------------------------------------------------------------------------------------

    def _hear(self, text: str) -> bool:
        """Answer a message; False where the client broke a rule that ends the connection."""
        now = self._heard
        while self._said and self._said[0] <= now - 1.0:
            self._said.popleft()
        self._said.append(now)
        if len(self._said) > MESSAGES_PER_S * max(1.0, self.hub.speed):
            self._error(30007, "request over limit,connection close")
            self.why = "too many messages"
            return False
        if text == "ping":
            self.push(text_frame(b"pong"))
        elif text != "pong":
            self._command(text)
        return True

    def _command(self, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            self._error(30002, "Illegal request")
            return
        args = message.get("args") if isinstance(message, dict) else None
        if not isinstance(args, list) or not args:
            self._error(30016, "Param error")
            return
        operation = message.get("op")
        if operation not in _OPS:
            self._error(30003, "Invalid op")
        elif operation == "login":
            self._login(args[0])
        else:
            for arg in args:
                self._listen(arg, operation == "subscribe")

    def _error(self, code: int, message: str, arg: Any = None, operation: str = "") -> None:
        more = {"arg": arg, "op": operation} if arg is not None else {}
        self.say({"event": "error", **more, "code": code, "msg": message})

    def _login(self, arg: Any) -> None:
        words = {str(name): str(value) for name, value in arg.items()} if isinstance(arg, dict) else {}
        code, account = self.hub.login(words, self.headers)
        if account is None:
            self._error(code, _LOGIN_FAILS[code])
            return
        self.account = account
        self.say({"event": "login", "code": 0})

    def _listen(self, arg: Any, begin: bool) -> None:
        operation = "subscribe" if begin else "unsubscribe"
        topic = topic_of(arg)
        if topic is None or not self.hub.knows(topic) or topic.private is not self.private:
            shown = topic if topic is not None else ",".join(
                f"{name}:{value}" for name, value in arg.items()) if isinstance(arg, dict) else arg
            self._error(30001, f"{shown} doesn't exist", arg, operation)
        elif topic.private and self.account is None:
            self._error(30004, "User not logged in", arg, operation)
        elif not begin:
            self.topics.pop(topic, None)
            self.hub.leave(self, topic)
            self.say({"event": "unsubscribe", "arg": arg})
        elif len(self.topics) >= MAX_TOPICS and topic not in self.topics:
            self._error(30006, f"{MAX_TOPICS} channels at most", arg, operation)
        else:
            self.say({"event": "subscribe", "arg": arg})
            self.topics[topic] = None
            self.hub.join(self, topic)

    # -- its life ------------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """End what is over its time or has not said a word for two minutes; `now` in wall seconds."""
        pace = max(1.0, self.hub.speed)
        if now - self._born >= LIFE_S / pace:
            self.abort("24 hours are over")
        elif now - self._heard >= max(_MIN_PING_S, PING_S / pace):
            self.abort("no ping")
