"""Binance's limits: request weight a minute and address, orders per 10 s and minute and account, bans.

Counts come back in headers
(`X-MBX-USED-WEIGHT-1M`, `X-MBX-ORDER-COUNT-10S`, `X-MBX-ORDER-COUNT-1M`).
"""

from __future__ import annotations

from dataclasses import dataclass

from modules.simulator.dialects.declined import Declined
from modules.simulator.dialects.windows import Window, wall_s

MINUTE_MS, TEN_S_MS, FIVE_MINUTES_MS = 60_000, 10_000, 300_000
BAN_MS = 120_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is allowed. `slow` is the count of requests for statistics (/futures/data) in five minutes."""

    weight_1m: int = 2400
    orders_10s: int = 300
    orders_1m: int = 1200
    slow_5m: int = 1000
    ban_after: int = 100  # refusals (429) in a minute after which an address is banned (418); 0 never


class BinanceWeights:
    """Counts weight and orders; refuses what is too much."""

    def __init__(self, limits: Limits, speed: float) -> None:
        self.limits = limits
        self._speed = speed
        self._weight, self._slow = Window(MINUTE_MS), Window(FIVE_MINUTES_MS)
        self._tens, self._minutes = Window(TEN_S_MS), Window(MINUTE_MS)
        self._refused = Window(MINUTE_MS)
        self._banned: dict[str, int] = {}  # address → until

    def spend(self, address: str, weight: int, ms: int, headers: dict[str, str], *, slow: bool = False) -> None:
        """Count a request of an address; its headers. Raises Declined (429, 418)."""
        until = self._banned.get(address, 0)
        if ms < until:
            headers["Retry-After"] = wall_s(until - ms, self._speed)
            raise Declined(-1003, f"Way too many requests; IP({address}) banned until {until}. Please use the "
                                  "websocket for live updates to avoid bans.", 418)
        used = self._weight.at(address, ms)
        if used + weight > self.limits.weight_1m:
            headers["X-MBX-USED-WEIGHT-1M"] = str(used)
            self._refuse(address, ms, self._weight.left_ms(ms), headers)
            raise Declined(-1003, f"Too many requests; current limit of IP({address}) is {self.limits.weight_1m} "
                                  "requests per minute. Please use the websocket for live updates to avoid polling "
                                  "the API.", 429)
        if slow and self._slow.at(address, ms) >= self.limits.slow_5m:
            self._refuse(address, ms, self._slow.left_ms(ms), headers)
            raise Declined(-1003, f"Too many requests; current limit of IP({address}) is {self.limits.slow_5m} "
                                  "requests per 5 minutes.", 429)
        if slow:
            self._slow.used[address] = self._slow.at(address, ms) + 1
        self._weight.used[address] = used + weight
        headers["X-MBX-USED-WEIGHT-1M"] = str(used + weight)

    def order(self, account: str, count: int, ms: int, headers: dict[str, str]) -> None:
        """Count new orders of an account; their headers. Raises Declined (429)."""
        for window, limit, words in (
                (self._tens, self.limits.orders_10s, "TEN_SECONDS"), (self._minutes, self.limits.orders_1m, "MINUTE")):
            if window.at(account, ms) + count > limit:
                headers["Retry-After"] = wall_s(window.left_ms(ms), self._speed)
                raise Declined(-1015, f"Too many new orders; current limit is {limit} orders per {words}.", 429)
        for window in (self._tens, self._minutes):
            window.used[account] = window.at(account, ms) + count
        headers["X-MBX-ORDER-COUNT-10S"] = str(self._tens.used[account])
        headers["X-MBX-ORDER-COUNT-1M"] = str(self._minutes.used[account])

    def _refuse(self, address: str, ms: int, left_ms: int, headers: dict[str, str]) -> None:
        headers["Retry-After"] = wall_s(left_ms, self._speed)
        self._refused.used[address] = count = self._refused.at(address, ms) + 1
        if self.limits.ban_after and count >= self.limits.ban_after:
            self._banned[address] = ms + BAN_MS
