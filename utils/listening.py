"""A listening socket for an HTTP server that is handed one."""

import socket


def listening(host: str, port: int, backlog: int) -> socket.socket:
    """A TCP socket that listens; port 0 takes any free one. Raises OSError.

    asyncio switches Nagle's algorithm off only for sockets that it made itself; without that every answer of two
    pieces waits for the caller's delayed acknowledgement, 40 ms on Linux. Accepted connections inherit it from here.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, port), family=family, backlog=backlog)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
