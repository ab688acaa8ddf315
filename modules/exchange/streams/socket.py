"""One socket that stays: connects to its desired streams, hands every frame on, tells when it is deaf, comes again.

1. The address names all desired streams: a reconnect is back at the desired state in one step (X30). Changes while it
   is open go as SUBSCRIBE and UNSUBSCRIBE, at most `CONTROL_PER_S` a second.
2. A frame is handed on at once, in this task: nothing is queued here. While that takes time the socket's own buffers
   fill and the venue is held back; one that is cut off for it is seen like any other cut.
3. Silence is death, whatever pings say (X29): no data frame for `silence_s` closes the socket.
4. A refusal with 429 or 418 is waited out as long as the venue asks.
"""

import asyncio
import itertools
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable

import aiohttp

from modules.exchange.streams.backoff import Backoff
from modules.exchange.streams.desired import change

log = logging.getLogger(__name__)

CONTROL_PER_S = 5.0
STREAMS_A_MESSAGE = 100
CONNECT_TIMEOUT_S = 15.0
MOST_BYTES = 16 << 20
_CONTROL_HEADS = (b'{"result"', b'{"id"', b'{"error"', b'{"code"')
_TELL_AGAIN_S = 60.0

OnFrame = Callable[[bytes, int, "Socket"], None]
OnChange = Callable[["Socket"], None]


class Socket:
    """One connection of one family. `address` makes the URL for a set of streams; `on_frame(raw, local_ns, self)`
    is called for each data frame with time.monotonic_ns; `on_lost` when the line is cut, before a new try."""

    def __init__(self, name: str, session: aiohttp.ClientSession, address: Callable[[Iterable[str]], str],
                 on_frame: OnFrame, on_lost: OnChange, *, silence_s: float = 10.0,
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.streams: frozenset[str] = frozenset()
        self.frames = self.bytes = self.connects = self.refused = self.silences = self.failed_control = 0
        self.connected = False
        self.heard_at = 0.0  # monotonic, of the latest data frame
        self.on_frame = on_frame
        self._session, self._address, self._on_lost = session, address, on_lost
        self._silence_s, self._monotonic = silence_s, monotonic
        self._backoff = Backoff()
        self._heard: frozenset[str] = frozenset()
        self._wish = asyncio.Event()
        self._first = asyncio.Event()
        self._control_at: deque[float] = deque(maxlen=int(CONTROL_PER_S))
        self._ids = itertools.count(1)
        self._asked: dict[int, tuple[str, list[str]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._told_at = -_TELL_AGAIN_S
        self._deaf = False

    def start(self, streams: Iterable[str] = ()) -> None:
        """Begin, and stay until `close`."""
        self.streams = frozenset(streams)
        self._task = asyncio.create_task(self._stay(), name=f"socket {self.name}")

    def want(self, streams: Iterable[str]) -> None:
        """The desired streams from here on."""
        self.streams = frozenset(streams)
        self._wish.set()

    async def first_frame(self) -> None:
        """Until a data frame came on the present connection."""
        await self._first.wait()

    async def close(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _stay(self) -> None:
        while True:
            asked_s, why = 0.0, "closed by the venue"
            try:
                await self._live()
            except aiohttp.WSServerHandshakeError as refusal:
                why = f"refused with HTTP {refusal.status}"
                if refusal.status in (418, 429):
                    self.refused += 1
                    asked_s = _retry_after(refusal)
            except (aiohttp.ClientError, OSError, TimeoutError) as problem:
                why = f"{type(problem).__name__}: {problem}"
            except _Silent:
                why = f"no data for {self._silence_s:.0f} s"
                self.silences += 1
            except Exception:  # border of the task: a handler failed; the line is opened anew, books are in doubt
                log.exception("socket %s: a frame could not be handled", self.name)
                why = "a frame could not be handled"
            self._cut()
            wait_s = self._backoff.next_s(asked_s)
            self._tell(why, wait_s)
            await asyncio.sleep(wait_s)

    def _cut(self) -> None:
        self.connected, self._heard = False, frozenset()
        self._first.clear()
        self._asked.clear()
        self._on_lost(self)

    def _tell(self, why: str, wait_s: float) -> None:
        """Each cut counts; the log hears of one a minute."""
        now = self._monotonic()
        if now - self._told_at >= _TELL_AGAIN_S:
            self._told_at = now
            log.warning("socket %s: %s; again in %.1f s (%d connects so far)", self.name, why, wait_s, self.connects)

    async def _live(self) -> None:
        self._heard = wanted = self.streams
        timeout = aiohttp.ClientWSTimeout(ws_close=0.5)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            socket = await self._session.ws_connect(self._address(sorted(wanted)), timeout=timeout, decode_text=False,
                                                    max_msg_size=MOST_BYTES, autoping=True, compress=0)
        self.connects += 1
        self._deaf = False
        self.connected, self.heard_at = True, self._monotonic()
        self._wish.set()
        helpers = [asyncio.create_task(self._adjust(socket)), asyncio.create_task(self._listen_for_silence(socket))]
        try:
            await self._read(socket)
            if self._deaf:
                raise _Silent
            for helper in helpers:
                if helper.done() and not helper.cancelled() and (problem := helper.exception()) is not None:
                    raise problem
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await socket.close()

    async def _read(self, socket: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        now_ns, monotonic = time.monotonic_ns, self._monotonic
        text, binary = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY
        while True:
            message = await socket.receive()
            if message.type is not text and message.type is not binary:
                return
            raw: bytes = message.data
            if raw.startswith(_CONTROL_HEADS) and self._control(raw):
                continue
            self.frames += 1
            self.bytes += len(raw)
            self.heard_at = monotonic()
            if not self._first.is_set():
                self._first.set()
                self._backoff.real_frame()  # X30
            self.on_frame(raw, now_ns(), self)

    def _control(self, raw: bytes) -> bool:
        """An answer to one of our own messages; a refused one leaves its streams unheard until the line is new."""
        try:
            said = json.loads(raw)
        except ValueError:
            return False
        if not isinstance(said, dict) or ("result" not in said and "error" not in said and "code" not in said):
            return False
        asked = self._asked.pop(said["id"], None) if isinstance(said.get("id"), int) else None
        if said.get("result", 0) is not None and ("error" in said or "code" in said):
            self.failed_control += 1
            log.error("socket %s: the venue refuses %s: %s", self.name, asked, str(said)[:200])
        return True

    async def _listen_for_silence(self, socket: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        while True:
            left = self.heard_at + self._silence_s - self._monotonic()
            if left <= 0 and self.streams:
                self._deaf = True
                await socket.close()
                return
            await asyncio.sleep(max(left, 0.05))

    async def _adjust(self, socket: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        """Bring what is heard to what is desired (rule 1)."""
        while True:
            await self._wish.wait()
            self._wish.clear()
            wanted = self.streams
            todo = change(self._heard, wanted)
            for method, names in (("UNSUBSCRIBE", todo.unsubscribe), ("SUBSCRIBE", todo.subscribe)):
                for at in range(0, len(names), STREAMS_A_MESSAGE):
                    part = list(names[at:at + STREAMS_A_MESSAGE])
                    await self._turn()
                    number = next(self._ids)
                    self._asked[number] = (method, part)
                    await socket.send_str(json.dumps({"method": method, "params": part, "id": number}))
            self._heard = wanted

    async def _turn(self) -> None:
        """Control messages at most `CONTROL_PER_S`."""
        now = self._monotonic()
        if len(self._control_at) == self._control_at.maxlen and now - self._control_at[0] < 1.0:
            await asyncio.sleep(1.0 - (now - self._control_at[0]))
        self._control_at.append(self._monotonic())


class _Silent(Exception):
    """No data came for too long."""


def _retry_after(refusal: aiohttp.WSServerHandshakeError) -> float:
    try:
        return float(refusal.headers["Retry-After"]) if refusal.headers and "Retry-After" in refusal.headers else 30.0
    except ValueError:
        return 30.0
