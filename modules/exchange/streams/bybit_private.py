"""Bybit's private stream of one account: signed in, its topics asked for, pinged, opened anew after every end (X30).

1. A connection counts once the venue said yes to the key and to every topic; then, and after every cut, the owner is
   told to read the account anew: events were missed.
2. The venue ends a connection that says nothing: a ping every `PING_S`; no answer of any kind for `DEAF_S` is death. An
   account may be silent for hours, so pongs count here; REST is what guards against a stream that only pongs (X29).
"""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from modules.exchange.streams.backoff import Backoff
from modules.exchange.types import Unavailable

log = logging.getLogger(__name__)

TOPICS = ("order", "execution", "position", "wallet")
PING_S, DEAF_S, ANSWER_S = 20.0, 50.0, 10.0
GOOD_FOR_MS = 10_000
MOST_BYTES = 4 << 20


class Refused(Exception):
    """The venue did not take the key or a topic."""


class BybitPrivate:
    """`on_event(raw, local_ns)` for each message of a topic; `on_gap(why)` whenever events may have been missed.

    `now_ms` is the venue's time for the signature; raises Unavailable while it is not known.
    """

    def __init__(self, session: aiohttp.ClientSession, base: str, key: tuple[str, str], now_ms: Callable[[], int],
                 on_event: Callable[[bytes, int], None], on_gap: Callable[[str], Awaitable[None]], *,
                 speed: Callable[[], float] = lambda: 1.0) -> None:
        self._session, self._url = session, f"{base.rstrip('/')}/v5/private"
        self._key, self._now_ms, self._speed = key, now_ms, speed
        self._on_event, self._on_gap = on_event, on_gap
        self._backoff = Backoff()
        self.connected = False

    def __repr__(self) -> str:
        return "BybitPrivate(…)"

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            why = "closed by the venue"
            try:
                await self._live()
            except Refused as refused:
                why = str(refused)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, Unavailable) as problem:
                why = type(problem).__name__
            if self.connected:
                self.connected = False
                await self._on_gap("the account's stream was cut")
            wait_s = self._backoff.next_s(0.0)
            log.warning("the account's stream at Bybit: %s; again in %.1f s", why, wait_s)
            await asyncio.sleep(wait_s)

    async def _live(self) -> None:
        timeout = aiohttp.ClientWSTimeout(ws_close=0.5)
        async with asyncio.timeout(ANSWER_S):
            socket = await self._session.ws_connect(self._url, timeout=timeout, max_msg_size=MOST_BYTES, compress=0)
        pinging = asyncio.create_task(self._ping(socket))
        try:
            await self._ask(socket, "auth", self._signed())
            await self._ask(socket, "subscribe", list(TOPICS))
            self.connected = True
            self._backoff.real_frame()
            await self._on_gap("the account's stream begins")
            while True:
                text = await self._next(socket, DEAF_S)
                if '"topic"' in text[:200]:
                    self._on_event(text.encode(), time.monotonic_ns())
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
            await socket.close()

    def _signed(self) -> list[Any]:
        expires = self._now_ms() + round(GOOD_FOR_MS * max(1.0, self._speed()))
        text = f"GET/realtime{expires}".encode()
        return [self._key[0], expires, hmac.new(self._key[1].encode(), text, hashlib.sha256).hexdigest()]

    async def _ask(self, socket: aiohttp.ClientWebSocketResponse, operation: str, args: list[Any]) -> None:
        """Say something and wait for its yes. Raises Refused."""
        await socket.send_str(json.dumps({"op": operation, "args": args}))
        while True:
            text = await self._next(socket, ANSWER_S)
            told = json.loads(text)
            if isinstance(told, dict) and told.get("op") == operation:
                if told.get("success") is not True:
                    raise Refused(f"{operation} was refused: {str(told.get('ret_msg') or told.get('retMsg'))[:100]}")
                return
            if isinstance(told, dict) and "topic" in told:
                self._on_event(text.encode(), time.monotonic_ns())

    @staticmethod
    async def _next(socket: aiohttp.ClientWebSocketResponse, patience_s: float) -> str:
        """The next text. Raises TimeoutError, ConnectionError where it ended."""
        async with asyncio.timeout(patience_s):
            message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionResetError("the stream ended")
        text: str = message.data
        return text

    @staticmethod
    async def _ping(socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await asyncio.sleep(PING_S)
            await socket.send_str('{"op":"ping"}')
