"""Market time: the exchange's clock, from round-trip midpoints and the monotonic clock (X32, DESIGN Time).

1. One sample is (sent, received, server): the server's time belongs to the middle of the round trip. Of several
   samples the one with the shortest round trip is kept: its error is at most half of it.
2. Between samples market time runs with the monotonic clock times `speed` (1 on a real venue), so that a wall clock
   set by hand moves nothing.
3. ``now_ms`` decides about trading and never falls: where a new sample lies behind what was told already, time runs
   at half its pace until the venue has caught up. It never stands still, because exits wait for it.
4. ``venue_ms`` signs requests: the best estimate, which may fall. It is refused while the venue has just said that
   our time is wrong and no new sample has come (no signing while the offset is unknown).
"""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from modules.exchange.types import Unavailable

log = logging.getLogger(__name__)

SAMPLES = 5
CATCH_UP_PACE = 0.5
JUMP_S = 2.0  # a correction worth a line in the log, seconds of the monotonic clock


@dataclass(frozen=True, slots=True)
class Sample:
    """One question for the time: monotonic seconds at both ends, the server's milliseconds between."""

    sent: float
    received: float
    server_ms: int

    @property
    def round_trip(self) -> float:
        return self.received - self.sent


class VenueClock:
    """The exchange's time in this process. Implements ``api.MarketClock``."""

    def __init__(self, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.speed = speed
        self.error_ms = 0.0
        self._monotonic = monotonic
        self._anchor: tuple[float, float] | None = None  # (monotonic seconds, market ms)
        self._told_ms = 0.0
        self._told_at = 0.0
        self._signing = False
        self._distrusted = float("-inf")

    @property
    def known(self) -> bool:
        """Whether requests may be signed."""
        return self._signing

    def now_ms(self) -> int:
        """Milliseconds of market time; never falls. Raises Unavailable before the first sample (X32)."""
        now = self._monotonic()
        estimate = self._estimate(now)
        if self._told_ms and estimate < self._told_ms:
            pace = CATCH_UP_PACE * self.speed * 1000.0
            estimate = max(estimate, self._told_ms + (now - self._told_at) * pace)
        self._told_ms, self._told_at = max(estimate, self._told_ms), now
        return int(self._told_ms)

    def venue_ms(self) -> int:
        """The venue's time for signing. Raises Unavailable while it is unknown (X32)."""
        if not self._signing:
            raise Unavailable("The exchange's time is not known yet, so nothing can be signed. It is asked again.")
        return int(self._estimate(self._monotonic()))

    def _estimate(self, now: float) -> float:
        if self._anchor is None:
            raise Unavailable("The exchange's time is not known yet. Check the connection to the exchange.")
        at, market_ms = self._anchor
        return market_ms + (now - at) * self.speed * 1000.0

    def distrust(self) -> None:
        """The venue refused our time: no signing until a sample that was asked for after this (X32)."""
        self._signing = False
        self._distrusted = self._monotonic()

    def restart(self, speed: float) -> None:
        """Another venue process answers from now on, perhaps at another speed: wait for a new sample."""
        if self._anchor is not None:
            now = self._monotonic()
            self._anchor = (now, self._estimate(now))
        self.speed = speed
        self.distrust()

    def learn(self, samples: list[Sample]) -> None:
        """Set the clock by the sample with the shortest round trip (rule 1).

        Samples asked for before the venue refused our time say nothing of its clock now: they are left out.
        """
        samples = [sample for sample in samples if sample.sent >= self._distrusted]
        if not samples:
            return
        best = min(samples, key=lambda sample: sample.round_trip)
        middle = (best.sent + best.received) / 2
        if self._anchor is not None:
            jump_s = (best.server_ms - self._estimate(middle)) / 1000.0 / self.speed
            if abs(jump_s) > JUMP_S:
                log.warning("the exchange's clock moved by %.1f s against ours", jump_s)
        self._anchor = (middle, float(best.server_ms))
        self.error_ms = best.round_trip / 2 * self.speed * 1000.0
        self._signing = True

    async def sync(self, ask: Callable[[], Awaitable[Sample]], samples: int = SAMPLES) -> None:
        """Ask the venue several times and learn. Raises Unavailable where not one answer came."""
        found: list[Sample] = []
        problem: Unavailable | None = None
        for _ in range(samples):
            try:
                found.append(await ask())
            except Unavailable as failed:
                problem = failed
                break
        if found:
            self.learn(found)
        elif problem is not None:
            raise problem
