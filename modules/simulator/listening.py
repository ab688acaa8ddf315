"""Listening on a port; what keeps the simulator from starting is told in one line."""

from __future__ import annotations

from aiohttp import web


class StartError(Exception):
    """The simulator cannot start: names the thing, its value and how to mend it."""


async def listen(runner: web.AppRunner, host: str, port: int) -> int:
    """Begin to answer; the port that was taken. Raises StartError."""
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as problem:
        raise StartError(
            f"port {port}: cannot listen on {host} ({problem.strerror or problem}). "
            "Stop what uses it, or give another --port (0 takes a free one).") from problem
    taken: int = runner.addresses[0][1]
    return taken
