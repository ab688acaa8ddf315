"""Bitget's limits: calls a second of each endpoint, by account or by address; calls a minute of an address."""

from __future__ import annotations

from dataclasses import dataclass

from modules.simulator.dialects.bitget_errors import declined
from modules.simulator.dialects.windows import Window, wall_s

SECOND_MS, MINUTE_MS = 1_000, 60_000


@dataclass(frozen=True, slots=True)
class Limits:
    """`times` multiplies what each endpoint allows a second; `address_1m` is the sum of an address."""

    times: int = 1
    address_1m: int = 6_000


class BitgetLimits:
    """Counts calls; refuses what is too much."""

    def __init__(self, limits: Limits, speed: float) -> None:
        self._limits, self._speed = limits, speed
        self._calls, self._addresses = Window(SECOND_MS), Window(MINUTE_MS)

    def address(self, address: str, ms: int, headers: dict[str, str]) -> None:
        """Count a call of an address. Raises Declined (429)."""
        self._count(self._addresses, address, self._limits.address_1m, ms, headers)

    def spend(self, owner: str, endpoint: str, rate: int, ms: int, headers: dict[str, str]) -> None:
        """Count a call of an account or address to an endpoint. Raises Declined (429)."""
        most = rate * self._limits.times
        used = self._count(self._calls, f"{owner} {endpoint}", most, ms, headers)
        headers["x-mbx-used-remain-limit"] = str(most - used)

    def _count(self, window: Window, owner: str, most: int, ms: int, headers: dict[str, str]) -> int:
        used = window.at(owner, ms) + 1
        if used > most:
            headers["Retry-After"] = wall_s(window.left_ms(ms), self._speed)
            raise declined("429", status=429)
        window.used[owner] = used
        return used
