"""How long to wait before the next try (X30): twice as long each time, spread, reset by a real frame only."""

import random
from collections.abc import Callable

SHORTEST_S, LONGEST_S = 0.5, 60.0


class Backoff:
    """Waits of one connection. `dice` gives [0, 1)."""

    def __init__(self, shortest_s: float = SHORTEST_S, longest_s: float = LONGEST_S,
                 dice: Callable[[], float] = random.random) -> None:
        self._shortest_s, self._longest_s, self._dice = shortest_s, longest_s, dice
        self.failures = 0

    def next_s(self, asked_s: float = 0.0) -> float:
        """Seconds to wait now: between half and the whole of the doubled time, and never less than the venue asked."""
        full = min(self._shortest_s * 2.0 ** min(self.failures, 20), self._longest_s)
        self.failures += 1
        return max(asked_s, full * (0.5 + self._dice() / 2))

    def real_frame(self) -> None:
        """Data came. An accepted connection alone proves nothing: one that closes at once would be tried for ever."""
        self.failures = 0
