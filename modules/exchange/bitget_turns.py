"""Whose call goes next at Bitget: one line of all users of this process for the address, and each user's own rates.

1. The line is in order of lanes, then of arrival. Only its head asks the shared budget (all processes of the machine);
   each waiter has an alarm of his own, so thousands may wait without waking each other.
2. A user's rates, rests after a refusal and breakers are his own. Where many users are refused at once it is the
   address that is too fast: then the address rests.
"""

import asyncio
import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable

from modules.exchange.budget import Ticket
from modules.exchange.lanes import Lane
from modules.exchange.limiter import Limiter, Shed

#: what all calls of this address are counted for
ADDRESS = "address"
#: so many users refused within two seconds: it is the address that is too fast, not one of them
CROWD, CROWD_S = 3, 2.0
DEFAULT_REST_S = 2.0
#: calls a second of one account where the venue's table says less than 10
RATES = {"position/all-position": 5, "account/set-leverage": 5, "account/set-margin-mode": 5,
         "account/set-position-mode": 5}
RATE = 10
_Waiter = tuple[Lane, int, float, "asyncio.Future[Ticket | None]"]


class AddressLine:
    """The line of this process before the address's budget (rule 1)."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._waiting: list[_Waiter] = []
        self._numbers = itertools.count()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def take(self, lane: Lane, patience_s: float, lease_s: float) -> Ticket | None:
        """Wait for the turn. Raises Shed where it comes too late."""
        future: asyncio.Future[Ticket | None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (lane, next(self._numbers), lease_s, future))
        self._arrived.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve(), name="line of the address")
        try:
            async with asyncio.timeout(patience_s):
                return await future
        except TimeoutError:
            raise Shed(lane, 1.0) from None

    async def _serve(self) -> None:
        """Serve the head, as long as anybody waits."""
        while self._waiting:
            lane, _, lease_s, future = self._waiting[0]
            if future.done():
                heapq.heappop(self._waiting)
                continue
            self._arrived.clear()
            try:
                ticket = await self._limiter.take(ADDRESS, 1, lane, 0.0, lease_s)
            except Shed as wait:
                await self._pause(min(wait.wait_s, 1.0))
                continue
            if future.done():
                self._limiter.done(ticket)
            else:
                future.set_result(ticket)

    async def _pause(self, seconds: float) -> None:
        """Until room may be there, or somebody came who may go before the head."""
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._arrived.wait()
        except TimeoutError:
            return

    def close(self) -> None:
        """End the task; who waits is cancelled."""
        if self._task is not None:
            self._task.cancel()
        for _, _, _, future in self._waiting:
            future.cancel()


class Crowd:
    """Who of this address was told to slow down lately."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: dict[int, float] = {}

    def told(self, user: int) -> bool:
        """One more refusal; True where so many users were refused that it must be the address."""
        now = self._monotonic()
        self._told = {one: at for one, at in self._told.items() if now - at < CROWD_S} | {user: now}
        return len(self._told) >= CROWD


class UserTurns(Limiter):
    """One user's turns: his account's rates for each endpoint, then the address's line."""

    def __init__(self, address: Limiter, line: AddressLine, crowd: Crowd, speed: Callable[[], float],
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._address, self._line, self._crowd, self._speed, self._now = address, line, crowd, speed, monotonic
        self._sent: dict[str, deque[float]] = {}
        self._rest_until = 0.0

    async def take(self, key: str, weight: int, lane: Lane, patience_s: float, lease_s: float) -> Ticket | None:
        """Wait for the turn. Raises Shed where it comes too late."""
        deadline = self._now() + patience_s
        while (wait_s := self._wait_s(key, lane)) > 0:
            if self._now() + wait_s > deadline:
                raise Shed(lane, wait_s)
            await asyncio.sleep(wait_s)
        self._sent[key].append(self._now())
        return await self._line.take(lane, max(deadline - self._now(), 0.0), lease_s)

    def _wait_s(self, key: str, lane: Lane) -> float:
        now, second = self._now(), 1.02 / self._speed()
        sent = self._sent.setdefault(key, deque())
        while sent and now - sent[0] >= second:
            sent.popleft()
        # Entries and data leave a tenth of the rate to what gets out.
        rate = RATES.get(key, RATE) - (1 if lane >= Lane.ENTRY else 0)
        wait_s = second - (now - sent[-rate]) if len(sent) >= rate else 0.0
        return max(wait_s, self._rest_until - now if lane >= Lane.ENTRY else 0.0)

    def done(self, ticket: Ticket | None) -> None:
        """The answer to this request came, or none will."""
        self._address.done(ticket)

    def refused(self, key: str, retry_after_s: float | None, *, banned: bool) -> None:
        """This user was told to slow down: he rests. Where many are, the address rests."""
        seconds = min(max(retry_after_s or DEFAULT_REST_S, 0.1), 300.0)
        self._rest_until = max(self._rest_until, self._now() + seconds)
        if self._crowd.told(id(self)):
            self._address.refused(ADDRESS, retry_after_s, banned=banned)

    @property
    def paused_s(self) -> float:
        """Seconds that entries and data have to rest still."""
        return max(self._rest_until - self._now(), self._address.paused_s)
