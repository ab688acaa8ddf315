"""The way out of one client's socket: frames gathered, handed over in one piece, a slow reader cut off.

Nothing is queued for a slow reader beyond the transport's own buffer: past MAX_BUFFER bytes it is cut off (as the
venues do), so no reader can make the venue grow.
"""

from __future__ import annotations

import os
import socket
import struct

from aiohttp import web

MAX_BUFFER = 8 << 20  # bytes that may wait for a reader
_RESET = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)  # zero linger: the end is a reset


class Outbox:
    """The sockets of one hub that have frames waiting."""

    def __init__(self) -> None:
        self._waiting: list[Outlet] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, outlet: Outlet) -> None:
        """A socket got its first frame since the last flush."""
        self._waiting.append(outlet)

    def flush(self) -> None:
        """Send everything."""
        waiting, self._waiting = self._waiting, []
        for outlet in waiting:
            outlet.flush()


class Outlet:
    """One socket's way out, noted in the outbox of its hub while frames wait."""

    def __init__(self, outbox: Outbox, request: web.Request, *, autoping: bool) -> None:
        self.socket = web.WebSocketResponse(autoping=autoping, compress=False, max_msg_size=1 << 20)
        self.why = ""  # what ended it
        self._outbox, self._request = outbox, request
        self._pending: list[bytes] = []

    def push(self, frame: bytes) -> None:
        """A frame for the next flush."""
        if not self._pending:
            self._outbox.add(self)
        self._pending.append(frame)

    def flush(self) -> None:
        """Hand what is pending to the transport in one piece; cut a reader that is too slow."""
        pending, self._pending = self._pending, []
        transport = self._request.transport
        if transport is None or transport.is_closing() or not pending:
            return
        transport.write(b"".join(pending) if len(pending) > 1 else pending[0])
        buffered = getattr(transport, "get_write_buffer_size", int)()
        if buffered > MAX_BUFFER:
            self.abort(f"slow reader, {buffered} bytes waiting")

    def abort(self, why: str, *, reset: bool = False) -> None:
        """Cut the connection without a close frame; `reset`: by a TCP RST."""
        self.why = self.why or why
        transport = self._request.transport
        if transport is None:
            return
        plug = transport.get_extra_info("socket")
        if reset and plug is not None:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
