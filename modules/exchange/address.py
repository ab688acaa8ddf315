"""Where the venue is, and how fast its time runs.

A real venue: its own address, or `base_url`, at speed 1. The simulated one: `base_url`, or the port in the simulator's
heartbeat; its speed is asked at ``/sim/status``, which also proves that a simulator answers there.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import aiohttp
import msgspec

from modules.exchange.types import Unavailable
from modules.supervision.service import read_beat
from utils.paths import Paths

HOW_TO_START = "Start everything with `python bot.py` and /startbot, or it alone with `python bot.py run simulator`."
STATUS_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Address:
    """`url` without path; empty for the venue's own."""

    url: str
    speed: float


class _Status(msgspec.Struct):
    """What is needed of GET /sim/status."""

    market_ms: int
    speed: float


class Reached(Protocol):
    """What settings say of the way to a venue; spot and futures each have their own group."""

    @property
    def name(self) -> str:
        """``simulated`` or the venue's name."""

    @property
    def base_url(self) -> str:
        """Another address than the venue's own."""

    @property
    def proxy(self) -> str:
        """HTTP proxy."""

    @property
    def ca_file(self) -> str:
        """Certificates to trust besides the system's."""

    @property
    def timeout_s(self) -> float:
        """Longest wait for an answer."""

    @property
    def recv_window_ms(self) -> int:
        """How old a signed request may be."""


Resolve = Callable[[aiohttp.ClientSession], Awaitable[Address]]


def resolver(settings: Reached, paths: Paths) -> Resolve:
    """How to find the venue of these settings, now and again after it moved."""
    base_url = settings.base_url.rstrip("/")

    async def resolve(session: aiohttp.ClientSession) -> Address:
        if settings.name != "simulated":
            return Address(base_url, 1.0)
        url = base_url or f"http://127.0.0.1:{_port(paths)}"
        return Address(url, await _speed(session, url))

    return resolve


def _port(paths: Paths) -> int:
    beat = read_beat(paths.run, "simulator")
    port = None if beat is None else beat.info.get("port")
    if not isinstance(port, int) or not 0 < port < 65536:
        raise Unavailable(f"The simulated exchange is not running. {HOW_TO_START}")
    return port


async def _speed(session: aiohttp.ClientSession, url: str) -> float:
    try:
        timeout = aiohttp.ClientTimeout(total=STATUS_TIMEOUT_S)
        async with session.get(f"{url}/sim/status", timeout=timeout) as answer:
            raw = await answer.read()
        status = msgspec.json.decode(raw, type=_Status)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
        raise Unavailable(
            f"No simulated exchange answers at {url} ({type(problem).__name__}). {HOW_TO_START}"
        ) from problem
    if not 0 < status.speed < 100_000:
        raise Unavailable(f"The simulated exchange at {url} tells a speed of {status.speed}, which cannot be.")
    return status.speed
