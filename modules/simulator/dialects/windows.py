"""Counts in fixed windows of market time, so that limits scale with the venue's speed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Window:
    """What each owner has used in the window that is open."""

    length_ms: int
    number: int = -1
    used: dict[str, int] = field(default_factory=dict)

    def at(self, owner: str, ms: int) -> int:
        """What an owner has used in the window of `ms`."""
        if ms // self.length_ms != self.number:
            self.number = ms // self.length_ms
            self.used.clear()
        return self.used.get(owner, 0)

    def left_ms(self, ms: int) -> int:
        """Until the window ends."""
        return self.length_ms - ms % self.length_ms


def wall_s(market_ms: int, speed: float) -> str:
    """Market time as whole wall seconds, at least one, for `Retry-After`."""
    return str(max(1, math.ceil(market_ms / 1000.0 / speed)))
