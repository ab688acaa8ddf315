"""Lets requests out by lane and weight (X31). The weight is counted for all processes together (`budget`).

1. In this process a lane waits behind every waiter above it, then in order of arrival.
2. Who would wait longer than his patience is shed at once: data soonest, protection last.
3. After a refusal for too many requests the venue's rest is kept (`budget`, rule 4); data is shed meanwhile.
4. Where the shared page stays locked for `STUCK_S` (a process halted in the middle of it), what guards positions goes
   uncounted; entries and data wait.
"""

import asyncio
import itertools
import logging
import random
import time
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass

from modules.exchange.budget import SHEDS, Budget, Ticket, Wait
from modules.exchange.lanes import GUARDING, Lane
from modules.exchange.page import Busy

log = logging.getLogger(__name__)

DEFAULT_REST_S = 5.0
DEFAULT_BAN_S = 120.0  # the shortest ban that MEXC documents
LONGEST_REST_S = 600.0  # for a 429 that asks for more; a ban is kept whole
STUCK_S = 1.0
BUSY_S = 0.001


class Shed(Exception):
    """The request was not sent: its turn would have come too late. `wait_s` says when to ask again."""

    def __init__(self, lane: Lane, wait_s: float) -> None:
        super().__init__(f"too many requests to the exchange; the next {lane.name.lower()} call in {wait_s:.1f} s")
        self.wait_s = wait_s


@dataclass(order=True, frozen=True, slots=True)
class _Waiter:
    lane: Lane
    number: int


class Limiter:
    """Turns, one at a time for each endpoint."""

    def __init__(self, budget: Budget, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget
        self._monotonic = monotonic
        self._numbers = itertools.count()
        self._waiting: dict[str, list[_Waiter]] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._busy_since: float | None = None

    async def take(self, key: str, weight: int, lane: Lane, patience_s: float, lease_s: float) -> Ticket | None:
        """Wait for the turn at endpoint `key`; None: go uncounted (rule 4). Give the ticket to `done` afterwards.

        `lease_s`: longest time that the request may live. Raises Shed when the turn is over `patience_s` away.
        """
        deadline = self._monotonic() + patience_s
        me = _Waiter(lane, next(self._numbers))
        queue = self._waiting.setdefault(key, [])
        insort(queue, me)
        try:
            while True:
                first = queue[0] == me
                found = self._ask(key, weight, lane, lease_s if first else None)
                if not isinstance(found, Wait):
                    return found
                left = deadline - self._monotonic()
                if found.seconds > left or left <= 0:
                    self._budget.count(SHEDS)
                    raise Shed(lane, found.seconds)
                # Behind another waiter only his going can help; in front only time can.
                await self._wait(key, min(found.seconds, left) if first else left)
        finally:
            queue.remove(me)
            self._wake(key)

    def done(self, ticket: Ticket | None) -> None:
        """The answer to this request came, or none will."""
        if ticket is not None:
            self._budget.settle(ticket)

    def refused(self, key: str, retry_after_s: float | None, *, banned: bool) -> None:
        """The venue refused for too many requests, or bans this address altogether (rule 3)."""
        seconds = retry_after_s if retry_after_s is not None else DEFAULT_BAN_S if banned else DEFAULT_REST_S
        try:
            self._budget.rest(key, max(seconds, 0.05) if banned else min(max(seconds, 0.05), LONGEST_REST_S),
                              everything=banned)
        except Busy:
            log.warning("a rest of %.1f s could not be written down for the other processes", seconds)

    def told(self, key: str, used: float) -> None:
        """The venue's own count of the weight used in its present window."""
        try:
            self._budget.correct(key, used)
        except Busy:
            return  # the next answer tells it again

    @property
    def paused_s(self) -> float:
        """Seconds that entries and data have to rest still."""
        return self._budget.rest_s(Lane.DATA)

    def _ask(self, key: str, weight: int, lane: Lane, lease_s: float | None) -> Ticket | Wait | None:
        """A ticket, or the wait for one. Without `lease_s` nothing is taken."""
        try:
            if lease_s is None:
                found: Ticket | Wait = Wait(self._budget.delay(key, weight, lane))
            else:
                found = self._budget.claim(key, weight, lane, lease_s)
        except Busy:
            return self._while_busy(lane, take=lease_s is not None)
        self._busy_since = None
        return found

    def _while_busy(self, lane: Lane, *, take: bool) -> Wait | None:
        now = self._monotonic()
        if self._busy_since is None:
            self._busy_since = now
        if take and lane in GUARDING and now - self._busy_since > STUCK_S:
            log.error("the shared request budget is held by a process that does not go on; sent uncounted")
            return None
        return Wait(BUSY_S * random.uniform(1.0, 5.0))

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
