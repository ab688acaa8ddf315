"""Wrong passwords are slowed (requests: `utils/buckets.py`). Pure: seconds come from the caller's clock.

1. After a wrong password from an address the next try there waits 1, 2, 4 … 60 s; a right one forgives.
2. All addresses together have 30 wrong tries in a minute; then every password waits. One-time links still work, so
   that nobody can lock the owner out.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_S = 60.0
ALL_WRONG, WITHIN_S = 30, 60.0
REMEMBERED = 2000


@dataclass(slots=True)
class _Tries:
    wrong: int
    until_s: float


class Throttle:
    """Wrong passwords (rules 1, 2)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_address: OrderedDict[str, _Tries] = OrderedDict()
        self._all: list[float] = []

    def wait_s(self, address: str) -> float:
        """Seconds until a password from this address is looked at; 0: now."""
        now = self._clock()
        self._all = [at for at in self._all if now - at < WITHIN_S]
        everyone = WITHIN_S - (now - self._all[-ALL_WRONG]) if len(self._all) >= ALL_WRONG else 0.0
        tries = self._by_address.get(address)
        return max(0.0, everyone, tries.until_s - now if tries else 0.0)

    def wrong(self, address: str) -> float:
        """Note a wrong password; returns the seconds the next one waits."""
        now = self._clock()
        self._all.append(now)
        tries = self._by_address.pop(address, _Tries(0, 0.0))
        wait = min(LONGEST_S, 2.0 ** min(tries.wrong, 6))
        self._by_address[address] = _Tries(tries.wrong + 1, now + wait)
        while len(self._by_address) > REMEMBERED:
            self._by_address.popitem(last=False)
        return wait

    def right(self, address: str) -> None:
        """A right one forgives the wrong ones before it."""
        self._by_address.pop(address, None)
