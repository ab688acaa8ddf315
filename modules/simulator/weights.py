"""Request weights: every endpoint has its own allowance per window, per IP and per account (MEXC's rule).

Windows are in market time, so that they scale with the venue's speed.
"""

from __future__ import annotations

import math

WINDOW_MS = 10_000
BAN_MS = 120_000


class Weights:
    """Counts weight in fixed windows. `limit` is the allowance of one endpoint in one window."""

    def __init__(self, limit: int, speed: float, ban_after: int = 0) -> None:
        self._limit = limit
        self._speed = speed
        self._ban_after = ban_after  # refusals of one owner in one window; 0: nobody is banned
        self._refused: dict[str, int] = {}
        self._banned: dict[str, int] = {}  # owner → until
        self._window = -1
        self._used: dict[tuple[str, str], int] = {}

    def spend(self, owner: str, endpoint: str, weight: int, ms: int) -> int | None:
        """Count a request; None if it is allowed, else the wall-clock seconds to wait (≥ 1).

        A refused request is not counted.
        """
        window = ms // WINDOW_MS
        if window != self._window:
            self._window = window
            self._used.clear()
            self._refused.clear()
        used = self._used.get((owner, endpoint), 0)
        if used + weight > self._limit:
            self._refused[owner] = self._refused.get(owner, 0) + 1
            if self._ban_after and self._refused[owner] >= self._ban_after:
                self._banned[owner] = ms + BAN_MS
            return self._wall_s((window + 1) * WINDOW_MS - ms)
        self._used[(owner, endpoint)] = used + weight
        return None

    def banned(self, owner: str, ms: int) -> int | None:
        """Wall-clock seconds (≥ 1) for which an owner that went on after many refusals gets no answer; None if free."""
        until = self._banned.get(owner)
        if until is None:
            return None
        if ms >= until:
            del self._banned[owner]
            return None
        return self._wall_s(until - ms)

    def _wall_s(self, market_ms: int) -> int:
        return max(1, math.ceil(market_ms / 1000.0 / self._speed))
