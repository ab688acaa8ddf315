"""What lasts is told once: looks come every second or two, and each would say again what it finds.

A word is heard when it is new, when it had been silent for `QUIET_S` (a new episode), and every `AGAIN_S` as long as it
lasts.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from modules.execution.futures.plan import Word

QUIET_S, AGAIN_S = 120.0, 1800.0
_MOST = 500


class Episodes:
    """Calls `say` as above, by the words' keys. `monotonic`: seconds."""

    def __init__(self, say: Callable[[Word], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._say, self._monotonic = say, monotonic
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key: when told, when last seen

    def __call__(self, word: Word) -> None:
        now = self._monotonic()
        told, seen = self._seen.pop(word.key, (float("-inf"), float("-inf")))
        new = now - seen > QUIET_S or now - told >= AGAIN_S
        self._seen[word.key] = (now if new else told, now)
        while len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        if new:
            self._say(word)
