"""The account's own stream: a listen key kept alive, one socket, its own clock of silence (X29).

The venue ends a listen key after 60 minutes without a keep-alive and tells so with ``listenKeyExpired``; then, and
after every cut, the account must be read anew: events were missed. Signing and what events mean is the caller's.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

import aiohttp

from modules.exchange.streams.desired import Category
from modules.exchange.streams.socket import Socket

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 30 * 60.0
EXPIRED = b"listenKeyExpired"


class ListenKeys(Protocol):
    """The venue's ``/fapi/v1/listenKey``, by the caller's own REST client. All raise OSError or aiohttp.ClientError."""

    async def create(self) -> str:
        """A key, new or the present one."""

    async def keep(self, key: str) -> None:
        """Another hour for it."""


class PrivateStream:
    """`on_event(raw, local_ns)` for each message; `on_gap(why)` whenever events may have been missed, also at first.

    An account may be silent for hours: silence proves nothing, so `silence_s` should be long, and reading the account
    by REST (X21) is what guards against a dead stream.
    """

    def __init__(self, session: aiohttp.ClientSession, base: str, keys: ListenKeys,
                 on_event: Callable[[bytes, int], None], on_gap: Callable[[str], Awaitable[None]], *,
                 silence_s: float = 3600.0, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self._session, self._base, self._keys = session, base.rstrip("/"), keys
        self._on_event, self._on_gap = on_event, on_gap
        self._silence_s, self._keep_alive_s = silence_s, keep_alive_s
        self._key = ""
        self._expired = asyncio.Event()
        self._lost = asyncio.Event()
        self.socket: Socket | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                self._key = await self._keys.create()
            except (aiohttp.ClientError, OSError, TimeoutError) as problem:
                log.warning("no listen key: %s", type(problem).__name__)
                await asyncio.sleep(5.0)
                continue
            self._expired.clear()
            socket = Socket(Category.PRIVATE, self._session, self._address, self._frame, self._cut,
                            silence_s=self._silence_s)
            self.socket = socket
            socket.start([self._key])
            try:
                await self._on_gap("the account's stream begins")
                await self._guard()
            finally:
                await socket.close()

    async def _guard(self) -> None:
        """Keeps the key alive; returns when it is not valid any more."""
        loop = asyncio.get_running_loop()
        keep_at = loop.time() + self._keep_alive_s
        while not self._expired.is_set():
            waits = [asyncio.ensure_future(self._expired.wait()), asyncio.ensure_future(self._lost.wait())]
            await asyncio.wait(waits, timeout=max(0.0, keep_at - loop.time()), return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            if self._lost.is_set():
                self._lost.clear()
                await self._on_gap("the account's stream was cut")
            if loop.time() >= keep_at:
                keep_at = loop.time() + self._keep_alive_s
                try:
                    await self._keys.keep(self._key)
                except (aiohttp.ClientError, OSError, TimeoutError) as problem:
                    log.warning("the listen key could not be kept: %s; a new one is asked for", type(problem).__name__)
                    return

    def _address(self, streams: Iterable[str]) -> str:
        return f"{self._base}/{Category.PRIVATE}/ws?listenKey={self._key}"

    def _frame(self, raw: bytes, local_ns: int, socket: Socket) -> None:
        if EXPIRED in raw:
            self._expired.set()
        self._on_event(raw, local_ns)

    def _cut(self, socket: Socket) -> None:
        self._lost.set()
