"""The door of the grid's server: every request passes here before any route does. ASGI.

1. An address may make so many requests (429 with Retry-After).
2. A body is JSON, of at most `body_kb`, nested at most 20 deep, strict (no NaN, no half characters): else 413,
   415, 400.
3. Every answer carries the security headers and is never cached. Nothing here is for a browser's pages: no CORS.
4. An error nobody foresaw is a 500 that says no more than that; the log does.
"""

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from utils.buckets import Buckets

log = logging.getLogger(__name__)
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

DEEPEST = 20
_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"), (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),
)


class Refusal(Exception):
    """A request that no route sees."""

    def __init__(self, status: int, words: str, **headers: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words
        self.headers = headers


class Guard:
    """The rules above around an application."""

    def __init__(self, app: App, buckets: Buckets, body_bytes: int) -> None:
        self.app, self.buckets, self.body_bytes = app, buckets, body_bytes
        self.refused = self.failed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        dressed = _Dressed(send)
        try:
            body = await self._admitted(scope, receive)
            await self.app(scope, _replay(body, receive), dressed)
        except Refusal as refusal:
            self.refused += 1
            await _answer(dressed, refusal.status, refusal.words, refusal.headers)
        except Exception as problem:  # the border of a request: the server lives on
            self.failed += 1
            log.exception("%s %s failed: %s", scope["method"], scope["path"][:200], type(problem).__name__)
            if not dressed.begun:
                await _answer(dressed, 500, "The server made a mistake; its log tells more.", {})

    async def _admitted(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body of a request that may pass. Raises Refusal."""
        address = str((scope.get("client") or ("?",))[0])
        if wait := self.buckets.wait_s(address):
            raise Refusal(429, "Too many requests from this address; wait a little.",
                          retry_after=str(int(wait) + 1))
        headers = {name: value for name, value in scope["headers"]}
        told = headers.get(b"content-length", b"0")
        if not told.isdigit() or int(told[:12]) > self.body_bytes:
            raise Refusal(413, f"The body is larger than {self.body_bytes // 1024} kB.")
        body = await self._read(receive)
        if body:
            _judge(body, headers.get(b"content-type", b""))
        return body

    async def _read(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(400, "The request ended before its body did.")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.body_bytes:
                raise Refusal(413, f"The body is larger than {self.body_bytes // 1024} kB.")
            if not message.get("more_body", False):
                return b"".join(parts)


def _judge(body: bytes, kind: bytes) -> None:
    """Rule 2. Raises Refusal."""
    if kind.split(b";")[0].strip().lower() != b"application/json":
        raise Refusal(415, "A body has to be JSON: send it with Content-Type: application/json.")
    if depth(body) > DEEPEST:
        raise Refusal(400, f"The body is nested more than {DEEPEST} deep.")
    try:
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise Refusal(400, f"The body is no JSON: {str(problem)[:200]}") from None


def depth(body: bytes) -> int:
    """How deep a JSON text is nested; strings are passed over."""
    deepest = now = 0
    inside = escaped = False
    for sign in body:
        if inside:
            if escaped:
                escaped = False
            elif sign == 0x5C:
                escaped = True
            elif sign == 0x22:
                inside = False
        elif sign == 0x22:
            inside = True
        elif sign in (0x5B, 0x7B):
            now += 1
            deepest = max(deepest, now)
        elif sign in (0x5D, 0x7D):
            now -= 1
    return deepest


class _Dressed:
    """`send` that adds the headers (rule 3)."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message["headers"] = [*message.get("headers", []), *_HEADERS]
        await self._send(message)


def _replay(body: bytes, receive: Receive) -> Receive:
    """`receive` that gives the body that was read already, then whatever comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: _Dressed, status: int, words: str, headers: dict[str, str]) -> None:
    body = json.dumps({"error": words, "problems": [words]}).encode()
    more = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": [
        (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more]})
    await send({"type": "http.response.body", "body": body})
