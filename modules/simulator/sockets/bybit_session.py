"""One client's socket on Bybit's wire: what it says, what it may hear, its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from modules.simulator.sockets.topic_session import TopicSession

if TYPE_CHECKING:
    from modules.simulator.sockets.bybit_hub import BybitHub

PING_S, MIN_PING_S = 600.0, 60.0  # cut off after ten minutes of silence; never so soon that a client's ping is late
MOST_ARGS = 500
PRIVATE = ("order", "execution", "position", "wallet")


class BybitSession(TopicSession[str]):
    """A socket with the name that its answers carry."""

    hub: BybitHub

    def __init__(self, hub: BybitHub, request: web.Request, number: int, *, private: bool) -> None:
        super().__init__(hub, request, private=private)
        self.name = f"sim-{number}"

    # -- what it says --------------------------------------------------------------------------------------------

    def _hear(self, text: str) -> bool:
        self._obey(text)
        return True

    def _obey(self, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("op"), str):
            self.say({"success": False, "ret_msg": "error:request not json", "conn_id": self.name, "op": ""})
            return
        operation, args = message["op"], message.get("args", [])
        if operation == "ping":
            self._pong(message.get("req_id"))
        elif not isinstance(args, list) or len(args) > MOST_ARGS:
            self._answer(message, f"error:handler not found,topic:{args}")
        elif operation == "auth":
            self._login(message, args)
        elif operation in ("subscribe", "unsubscribe"):
            self._listen(message, args, operation == "subscribe")
        else:
            self._answer(message, f"error:unknown op {operation}")

    def _pong(self, number: Any) -> None:
        """The public family says `op` ping, the private one pong."""
        if self.private:
            self.say({"req_id": number or "", "op": "pong", "args": [str(self.hub.now())], "conn_id": self.name})
        else:
            self.say({"success": True, "ret_msg": "pong", "conn_id": self.name, "req_id": number or "", "op": "ping"})

    def _answer(self, message: Mapping[str, Any], problem: str = "") -> None:
        self.say({"success": not problem, "ret_msg": problem, "conn_id": self.name, "req_id": message.get("req_id", ""),
                  "op": message["op"]})

    def _login(self, message: Mapping[str, Any], args: list[Any]) -> None:
        account = self.hub.gate.login(args, self.hub.told_now()) if self.private else None
        self.account = account or self.account
        self._answer(message, "" if account is not None else "Params Error or signature invalid")

    def _listen(self, message: Mapping[str, Any], args: list[Any], begin: bool) -> None:
        """All of the topics or none of them."""
        topics = [arg for arg in args if isinstance(arg, str)]
        wrong = [arg for arg in args if not isinstance(arg, str) or not self._knows(arg)]
        if wrong or not topics:
            self._answer(message, f"error:handler not found,topic:{wrong[0] if wrong else ''}")
            return
        if self.private and self.account is None:
            self._answer(message, "Request not authorized")
            return
        self._answer(message)
        for topic in topics:
            if begin:
                self.topics[topic] = None
                self.hub.join(self, topic)
            else:
                self.topics.pop(topic, None)
                self.hub.leave(self, topic)

    def _knows(self, topic: str) -> bool:
        if self.private:
            name, _, category = topic.partition(".")
            return name in PRIVATE and category in ("", "linear")
        return self.hub.feed is not None and self.hub.feed.knows(topic)

    def check(self, now: float) -> None:
        """End who has not said a word for too long; `now` in wall seconds."""
        if now - self._heard >= max(MIN_PING_S, PING_S / max(1.0, self.hub.speed)):
            self.abort("no ping")
