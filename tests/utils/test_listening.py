"""Sockets handed to HTTP servers: connections do not wait for delayed acknowledgements."""

import socket

from utils.listening import listening


def test_accepted_connections_send_at_once() -> None:
    with listening("127.0.0.1", 0, 8) as server:
        with socket.create_connection(server.getsockname()[:2], timeout=30) as caller:
            accepted, _ = server.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert caller.fileno() >= 0
