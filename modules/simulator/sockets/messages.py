"""What a client says on a socket, and the venue's answers: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, properties.

Codes and words are those of the venue's page "Live Subscribing/Unsubscribing to streams": 0 unknown property,
1 wrong value type, 2 invalid request, 3 invalid JSON.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
MAX_STREAMS = 1024


class TooMany(Exception):
    """More streams than a connection may listen to: the venue disconnects."""


class Session(Protocol):
    """The connection as a message sees it."""

    combined: bool

    def add(self, names: list[str]) -> None:
        """Listen to streams. Raises TooMany."""

    def drop(self, names: list[str]) -> None:
        """Listen no longer; unknown names are passed over."""

    def listening(self) -> list[str]:
        """The names asked for, in their order."""


class _Wrong(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def answer(text: str, session: Session) -> str:
    """Act on a client's message; the JSON text to send back. Raises TooMany."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return _error(3, "Invalid JSON: expected value at line 1 column 1", None)
    if not isinstance(message, dict):
        return _error(2, "Invalid request: expected an object", None)
    number = message.get("id")
    try:
        _check(message)
        result = _act(message["method"], message.get("params", []), session)
    except _Wrong as wrong:
        return _error(wrong.code, wrong.text, number)
    return json.dumps({"result": result, "id": number}, separators=(",", ":"))


def _check(message: dict[str, Any]) -> None:
    if "method" not in message:
        raise _Wrong(2, "Invalid request: missing field `method`")
    if message["method"] not in METHODS:
        names = ", ".join(f"`{name}`" for name in METHODS)
        raise _Wrong(2, f"Invalid request: unknown variant `{message['method']}`, expected one of {names}")
    odd = sorted(set(message) - {"method", "params", "id"})
    if odd:
        raise _Wrong(2, f"Invalid request: unknown field `{odd[0]}`")
    number = message.get("id")
    whole = isinstance(number, int) and not isinstance(number, bool) and number >= 0
    if number is not None and not whole and not (isinstance(number, str) and len(number) <= 64):
        raise _Wrong(2, "Invalid request: request ID must be an unsigned integer")
    if not isinstance(message.get("params", []), list):
        raise _Wrong(2, "Invalid request: invalid type of `params`, expected a sequence")


def _act(method: str, params: list[Any], session: Session) -> Any:
    if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
        if not params or not all(isinstance(name, str) for name in params):
            raise _Wrong(2, "Invalid request: params must be a non-empty list of stream names")
        (session.add if method == "SUBSCRIBE" else session.drop)(params)
        return None
    if method == "LIST_SUBSCRIPTIONS":
        return session.listening()
    if not params or not isinstance(params[0], str):
        raise _Wrong(2, "Invalid request: property name must be a string")
    if len(params) > (2 if method == "SET_PROPERTY" else 1):
        raise _Wrong(2, "Invalid request: too many parameters")
    if params[0] != "combined":
        raise _Wrong(0, "Unknown property")
    if method == "GET_PROPERTY":
        return session.combined
    if len(params) < 2 or not isinstance(params[1], bool):
        raise _Wrong(1, "Invalid value type: expected Boolean")
    session.combined = params[1]
    return None


def _error(code: int, text: str, number: Any) -> str:
    # Both shapes that clients look for: the venue's own flat one, and `error` as its newer gateways say it.
    body = {"code": code, "msg": text, "id": number if isinstance(number, int | str) else None}
    return json.dumps({"error": {"code": code, "msg": text}, **body}, separators=(",", ":"))
