"""Bybit's limits: calls a second of each endpoint and account, calls in five seconds of an address (market time)."""

from __future__ import annotations

from dataclasses import dataclass

from modules.simulator.dialects.bybit_errors import declined
from modules.simulator.dialects.declined import Declined
from modules.simulator.dialects.windows import Window

SECOND_MS, WINDOW_MS = 1_000, 5_000


@dataclass(frozen=True, slots=True)
class Limits:
    """`times` multiplies what each endpoint allows a second; `address_5s` is the sum of an address."""

    times: int = 1
    address_5s: int = 600


class BybitLimits:
    """Counts calls; refuses what is too much: 403 for an address, code 10006 for an account."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._calls, self._addresses = Window(SECOND_MS), Window(WINDOW_MS)

    def address(self, address: str, ms: int) -> None:
        """Count a call of an address. Raises Declined."""
        used = self._addresses.at(address, ms) + 1
        self._addresses.used[address] = used
        if used > self._limits.address_5s:
            raise Declined(10018, "access too frequent", 403)

    def spend(self, owner: str, endpoint: str, rate: int, ms: int, headers: dict[str, str]) -> None:
        """Count a call of an account to an endpoint and tell what is left. Raises Declined (10006)."""
        name, most = f"{owner} {endpoint}", rate * self._limits.times
        used = self._calls.at(name, ms) + 1
        headers |= {"X-Bapi-Limit": str(most), "X-Bapi-Limit-Status": str(max(0, most - used)),
                    "X-Bapi-Limit-Reset-Timestamp": str(ms + self._calls.left_ms(ms) if used >= most else ms)}
        if used > most:
            raise declined(10006)
        self._calls.used[name] = used
