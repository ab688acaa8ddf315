"""Bitget's limits: calls a second of each endpoint, by account or by address; calls a minute of an address.

Windows are in market time, so that they scale with the venue's speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from modules.simulator.dialects.bitget_errors import declined

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
        self._second = self._minute = -1
        self._calls: dict[tuple[str, str], int] = {}
        self._addresses: dict[str, int] = {}

    def address(self, address: str, ms: int, headers: dict[str, str]) -> None:
        """Count a call of an address. Raises Declined (429)."""
        if ms // MINUTE_MS != self._minute:
            self._minute = ms // MINUTE_MS
            self._addresses.clear()
        used = self._addresses.get(address, 0) + 1
        if used > self._limits.address_1m:
            self._refuse(MINUTE_MS - ms % MINUTE_MS, headers)
        self._addresses[address] = used

    def spend(self, owner: str, endpoint: str, rate: int, ms: int, headers: dict[str, str]) -> None:
        """Count a call of an account or address to an endpoint. Raises Declined (429)."""
        if ms // SECOND_MS != self._second:
            self._second = ms // SECOND_MS
            self._calls.clear()
        used = self._calls.get((owner, endpoint), 0) + 1
        if used > rate * self._limits.times:
            self._refuse(SECOND_MS - ms % SECOND_MS, headers)
        self._calls[owner, endpoint] = used
        headers["x-mbx-used-remain-limit"] = str(rate * self._limits.times - used)

    def _refuse(self, left_ms: int, headers: dict[str, str]) -> None:
        headers["Retry-After"] = str(max(1, math.ceil(left_ms / 1000.0 / self._speed)))
        raise declined("429", status=429)
