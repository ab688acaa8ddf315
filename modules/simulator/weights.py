"""Request weights: every endpoint has its own allowance per window, per IP and per account (MEXC's rule).

Windows are in market time, so that they scale with the venue's speed.
"""

from __future__ import annotations

import math

WINDOW_MS = 10_000


class Weights:
    """Counts weight in fixed windows. `limit` is the allowance of one endpoint in one window."""

    def __init__(self, limit: int, speed: float) -> None:
        self._limit = limit
        self._speed = speed
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
        used = self._used.get((owner, endpoint), 0)
        if used + weight > self._limit:
            rest_ms = (window + 1) * WINDOW_MS - ms
            return max(1, math.ceil(rest_ms / 1000.0 / self._speed))
        self._used[(owner, endpoint)] = used + weight
        return None
