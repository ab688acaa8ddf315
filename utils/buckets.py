"""Token buckets: how much each caller may ask for, `burst` at once and `rate` a second for long."""

import time
from collections import OrderedDict
from collections.abc import Callable

REMEMBERED = 20_000


class Buckets:
    """One bucket a caller; the `remembered` callers of late have theirs, whoever was forgotten begins anew.

    `rate` is a second of `clock`; `burst` is the most at once.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic,
                 remembered: int = REMEMBERED) -> None:
        self._rate, self._burst, self._clock, self._remembered = rate, burst, clock, remembered
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """0 where one more is within the measure (it is counted), else the seconds until one is."""
        now = self._clock()
        left, at = self._left.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        good = left >= 1
        self._left[caller] = (left - 1 if good else left, now)
        while len(self._left) > self._remembered:
            self._left.popitem(last=False)
        return 0.0 if good else (1 - left) / self._rate

    def take(self, caller: str) -> bool:
        """Whether one more is within the measure; it is counted."""
        return self.wait_s(caller) == 0
