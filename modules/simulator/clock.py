"""The venue's clock: market time = start + elapsed time × speed. It never goes back."""

from __future__ import annotations

import time
from collections.abc import Callable


class VenueClock:
    """Market milliseconds. `elapsed` gives monotonic seconds; tests pass their own."""

    def __init__(self, start_ms: int, speed: float, elapsed: Callable[[], float] = time.monotonic) -> None:
        self.start_ms = start_ms
        self.speed = speed
        self._elapsed = elapsed
        self._zero = elapsed()
        self._latest = start_ms

    def now(self) -> int:
        """Market time, ms since the epoch."""
        now = self.start_ms + int((self._elapsed() - self._zero) * self.speed * 1000.0)
        if now > self._latest:
            self._latest = now
        return self._latest
