"""uvicorn's HTTP protocol with an end to its patience: who sends or reads drop by drop is cut off after a while.

1. A request is whole `REQUEST_S` after its connection began (or, on a kept connection, after the time for the next
   request to begin), or the connection is cut.
2. Its answer is out `ANSWER_S` after that, read or not.
3. One address has at most `MOST_CONNECTIONS`; loopback has as many as the server, for a proxy stands there.
"""

import asyncio
from ipaddress import ip_address
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S, ANSWER_S = 10.0, 120.0
MOST_CONNECTIONS = 64


class PatientHttp(H11Protocol):
    """For ``uvicorn.Config(http=PatientHttp)``."""

    request_s, answer_s, most = REQUEST_S, ANSWER_S, MOST_CONNECTIONS
    _timer: asyncio.TimerHandle | None = None
    _whole = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Rules 1 and 3."""
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        if not _loopback(host) and sum(_host(one) == host for one in self.connections) > self.most:
            transport.abort()
            return
        self._until(self.request_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        self._stop()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Rule 2 once the request is whole."""
        super().handle_events()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body and not self._whole:
            self._whole = True
            self._until(self.answer_s)

    def on_response_complete(self) -> None:
        """The next request may begin."""
        self._whole = False
        self._until(self.timeout_keep_alive + self.request_s)
        super().on_response_complete()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """A socket lives as long as its pings are answered; they are the other protocol's affair."""
        self._stop()
        super().handle_websocket_upgrade(event)

    def _until(self, seconds: float) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _host(connection: Any) -> str:
    client = getattr(connection, "client", None)
    return client[0] if client else ""


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return True  # a socket without addresses (UNIX)
