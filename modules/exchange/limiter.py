"""Request weight, shared out by lanes (X31): cancel and protect, exits, entries, data.

1. Every endpoint has a bucket of weight that refills evenly over the venue's window; a faster market refills faster.
2. A lane leaves a reserve in the bucket for those above it, and waits behind every waiter above it.
3. Who would wait longer than his patience is shed at once: data soonest, protection last.
4. After a refusal for too many requests all lanes pause for as long as the venue says; data is shed meanwhile.
   Waiting lanes then go in their order.

`Budget` is the part that several processes will share; here it is counted in this process alone.
"""

import asyncio
import itertools
import time
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class Lane(IntEnum):
    """Who goes first."""

    PROTECT = 0
    EXIT = 1
    ENTRY = 2
    DATA = 3


RESERVE = {Lane.PROTECT: 0.0, Lane.EXIT: 0.05, Lane.ENTRY: 0.15, Lane.DATA: 0.30}
DEFAULT_PAUSE_S = 5.0
MAX_PAUSE_S = 600.0


class Shed(Exception):
    """The request was not sent: its turn would have come too late. `wait_s` says when to ask again."""

    def __init__(self, lane: Lane, wait_s: float) -> None:
        super().__init__(f"too many requests to the exchange; the next {lane.name.lower()} call in {wait_s:.1f} s")
        self.wait_s = wait_s


class Budget(Protocol):
    """Who counts the weight."""

    def delay(self, key: str, weight: int, reserve: float) -> float:
        """Seconds until `weight` can be spent in bucket `key` with the share `reserve` left over; 0 for now."""

    def spend(self, key: str, weight: int) -> None:
        """Take it."""

    def empty(self, key: str) -> None:
        """The venue says that nothing is left in this bucket."""


class LocalBudget:
    """Buckets counted in this process, each of `burst` weight, refilled by `refill` in `window_s` of the venue's time.

    Whatever window the venue counts in, at most burst + refill falls into it: keep that under the venue's limit.
    """

    def __init__(self, burst: float, refill: float, window_s: float, speed: Callable[[], float],
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._capacity = burst
        self._refill = refill
        self._window_s = window_s
        self._speed = speed
        self._monotonic = monotonic
        self._levels: dict[str, tuple[float, float]] = {}

    def delay(self, key: str, weight: int, reserve: float) -> float:
        weight_or_all = min(float(weight), self._capacity * (1 - reserve))
        missing = weight_or_all + self._capacity * reserve - self._level(key)
        return max(0.0, missing / self._rate())

    def spend(self, key: str, weight: int) -> None:
        self._levels[key] = (self._level(key) - weight, self._monotonic())

    def empty(self, key: str) -> None:
        self._levels[key] = (min(self._level(key), 0.0), self._monotonic())

    def _rate(self) -> float:
        return self._refill * self._speed() / self._window_s

    def _level(self, key: str) -> float:
        if key not in self._levels:
            return self._capacity
        level, at = self._levels[key]
        return min(self._capacity, level + (self._monotonic() - at) * self._rate())


@dataclass(order=True, frozen=True, slots=True)
class _Waiter:
    lane: Lane
    number: int


class Limiter:
    """Lets requests through by lane and weight."""

    def __init__(self, budget: Budget, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget
        self._monotonic = monotonic
        self._paused_until = 0.0
        self._numbers = itertools.count()
        self._waiting: dict[str, list[_Waiter]] = {}
        self._changed: dict[str, asyncio.Event] = {}

    async def take(self, key: str, weight: int, lane: Lane, patience_s: float) -> None:
        """Wait for the turn in bucket `key`. Raises Shed when it would take longer than `patience_s`."""
        deadline = self._monotonic() + patience_s
        me = _Waiter(lane, next(self._numbers))
        queue = self._waiting.setdefault(key, [])
        insort(queue, me)
        try:
            while True:
                delay = self._delay(key, weight, lane)
                if queue[0] == me and delay <= 0:
                    self._budget.spend(key, weight)
                    return
                if self._monotonic() + delay > deadline:
                    raise Shed(lane, delay)
                # Behind another waiter only his going can help; in front only time can.
                left = deadline - self._monotonic()
                await self._wait(key, min(max(delay, 0.001), left) if queue[0] == me else left)
        finally:
            queue.remove(me)
            self._wake(key)

    def pause(self, key: str, seconds: float | None) -> None:
        """The venue refused for too many requests: all lanes rest (rule 4)."""
        rest = DEFAULT_PAUSE_S if seconds is None else min(max(seconds, 0.05), MAX_PAUSE_S)
        self._paused_until = max(self._paused_until, self._monotonic() + rest)
        self._budget.empty(key)

    @property
    def paused_s(self) -> float:
        """Seconds of the present pause that are left."""
        return max(0.0, self._paused_until - self._monotonic())

    def _delay(self, key: str, weight: int, lane: Lane) -> float:
        return max(self.paused_s, self._budget.delay(key, weight, RESERVE[lane]))

    async def _wait(self, key: str, seconds: float) -> None:
        """Until the time has come, or the queue has changed."""
        event = self._changed.setdefault(key, asyncio.Event())
        event.clear()
        try:
            async with asyncio.timeout(max(0.001, seconds)):
                await event.wait()
        except TimeoutError:
            pass

    def _wake(self, key: str) -> None:
        if key in self._changed:
            self._changed[key].set()
