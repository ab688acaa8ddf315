"""All sockets of one family: streams spread over them, each renewed before the venue ends it.

A socket lives at most 24 hours at the venue. Each is replaced before that, at its own time (X30). The new one is heard
for a while beside the old one, and what it brings is held back: two lines do not keep one order. Then the old one is
let go and what was held is handed on: what both brought is told apart by its ids, nothing is missed or overtaken.
"""

import asyncio
import itertools
import logging
import random
from collections.abc import Callable, Iterable

import aiohttp

from modules.exchange.streams.desired import Category, spread
from modules.exchange.streams.socket import OnChange, OnFrame, Socket

log = logging.getLogger(__name__)

STREAMS_A_SOCKET = 200
HELD_S = 1.0  # both are heard for so long
MOST_HELD = 100_000  # frames; a new socket that brings more is let go again
OVERLAP_S = 20.0  # a new socket that has brought nothing by then replaces the old one all the same


class Pool:
    """Sockets of `category` at `base` (``wss://host``). `life_s`: longest life of a socket."""

    def __init__(self, category: Category, session: aiohttp.ClientSession, base: str, on_frame: OnFrame,
                 on_lost: OnChange, *, life_s: float = 23 * 3600.0, silence_s: float = 10.0,
                 most: int = STREAMS_A_SOCKET, dice: Callable[[], float] = random.random) -> None:
        self.category = category
        self._session, self._base, self._on_frame, self._lost = session, base.rstrip("/"), on_frame, on_lost
        self.life_s, self._silence_s, self._most, self._dice = life_s, silence_s, most, dice
        self.held_s = HELD_S
        self._sockets: dict[int, Socket] = {}
        self._renewals: dict[int, asyncio.Task[None]] = {}
        self._numbers = itertools.count(1)
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def sockets(self) -> list[Socket]:
        """Those in use now."""
        return list(self._sockets.values())

    def want(self, streams: Iterable[str]) -> None:
        """All desired streams of this family; sockets are opened, changed and closed to match."""
        present = {number: socket.streams for number, socket in self._sockets.items()}
        wanted = spread(streams, present, self._most)
        for number in [n for n in self._sockets if n not in wanted]:
            self._renewals.pop(number).cancel()
            self._close_soon(self._sockets.pop(number))
        for number, names in wanted.items():
            if number not in self._sockets:
                self._sockets[number] = self._open(names, self._on_frame)
                self._renewals[number] = asyncio.create_task(self._renew(number), name="renewal of a socket")
            elif self._sockets[number].streams != names:
                self._sockets[number].want(names)

    async def close(self) -> None:
        """Close all."""
        for task in self._renewals.values():
            task.cancel()
        await asyncio.gather(*self._renewals.values(), *(s.close() for s in self._sockets.values()), *self._closing,
                             return_exceptions=True)
        self._sockets.clear()
        self._renewals.clear()

    def _open(self, names: Iterable[str], on_frame: OnFrame) -> Socket:
        socket = Socket(f"{self.category}-{next(self._numbers)}", self._session, self._address, on_frame,
                        self._on_lost, silence_s=self._silence_s)
        socket.start(names)
        return socket

    def _address(self, streams: Iterable[str]) -> str:
        return f"{self._base}/{self.category}/stream?streams={'/'.join(streams)}"

    def _on_lost(self, socket: Socket) -> None:
        """Only a socket in use is missed: its replacement may carry the streams already."""
        if socket in self._sockets.values():
            self._lost(socket)

    async def _renew(self, number: int) -> None:
        while True:
            await asyncio.sleep(self.life_s * (0.85 + 0.15 * self._dice()))
            old, held = self._sockets[number], list[tuple[bytes, int, Socket]]()
            new = self._open(old.streams, _holder(held))
            try:
                async with asyncio.timeout(OVERLAP_S):
                    await new.first_frame()
                await asyncio.sleep(self.held_s)
            except TimeoutError:
                log.warning("the socket that should replace %s has brought nothing yet", old.name)
            except asyncio.CancelledError:
                self._close_soon(new)
                raise
            if len(held) > MOST_HELD or not new.connected:
                self._close_soon(new)  # tried again at the next turn; the old one has an hour left
                continue
            self._replace(number, old, new, held)

    def _replace(self, number: int, old: Socket, new: Socket, held: list[tuple[bytes, int, Socket]]) -> None:
        """In one step of the loop: no frame comes between."""
        old.on_frame = _nobody
        self._sockets[number] = new
        new.on_frame = self._on_frame
        for frame in held:
            self._on_frame(*frame)
        new.want(old.streams)
        self._close_soon(old)

    def _close_soon(self, socket: Socket) -> None:
        task = asyncio.get_running_loop().create_task(socket.close(), name=f"closing {socket.name}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _nobody(raw: bytes, local_ns: int, socket: Socket) -> None:
    """The last frames of a socket that was replaced: its successor brings them too."""


def _holder(held: list[tuple[bytes, int, Socket]]) -> OnFrame:
    """Holds frames back."""
    def hold(raw: bytes, local_ns: int, socket: Socket) -> None:
        held.append((raw, local_ns, socket))

    return hold
