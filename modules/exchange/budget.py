"""Request weight of one venue, counted for all processes of this installation together (X31, X33).

1. MEXC allows `limit` weight in `window_s` of its time for each endpoint, per address and per account. Here a request
   occupies its weight from the instant it may leave until one window after its answer came.
   Whatever window the venue counts in, everything it counts there occupies us at once at that window's end: so while
   the sum stays at or under the limit, no window of the venue holds more, however late requests arrive.
2. Each lane may fill the sum only to its own share. What a lower lane leaves is enough for a burst of each lane above:
   data alone can never make an exit wait.
3. A process that dies gives its weight back by itself: a request without an answer is held for its lease.
4. A refusal for too many requests rests the endpoint for all, and entries and data on every endpoint; a refusal
   because the address is banned rests everything. All processes obey at once.

Layout of the page: `HEADER` doubles of states, then one slot for each endpoint: name, rest, number of records, and the
records' ends and weights (a negative weight has no answer yet).
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from modules.exchange.lanes import Lane
from modules.exchange.page import Busy, Page

HEADER = 64
SLOTS, RECORDS = 32, 512
_NAME, _REST, _COUNT, _ENDS = 0, 1, 2, 4
_SLOT = _ENDS + 2 * RECORDS
PAGE_SIZE = HEADER + SLOTS * _SLOT
REST_ALL, REST_LOW, REFUSALS, SHEDS, LATEST = range(5)  # cells of the header; the breakers use those from 16 on

LEASE_LIMIT_S = 125.0  # no request lives longer: its timeout is at most 120 s
LONGEST_REST_S = 3 * 86_400.0 + 1  # MEXC bans for 2 minutes to 3 days
SHARES = {Lane.PROTECT: 1.0, Lane.EXIT: 0.95, Lane.LOOKUP: 0.80, Lane.ENTRY: 0.70, Lane.DATA: 0.60}


@dataclass(frozen=True, slots=True)
class Ticket:
    """Weight that is taken. `end` also proves that the record is still this ticket's."""

    slot: int
    record: int
    end: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now. `seconds` until it should fit, if all requests on their way were answered now."""

    seconds: float


class Budget:
    """The weight on a page. `speed`: seconds of the venue's time in one of ours."""

    def __init__(self, page: Page, limit: float, window_s: float, speed: Callable[[], float],
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._page = page
        self._limit = limit
        self._window_s = window_s
        self._speed = speed
        self._monotonic = monotonic
        self._slots: dict[str, tuple[int, float]] = {}
        self._unsettled: list[tuple[Ticket, float]] = []
        self._grain_s = time.get_clock_info("monotonic").resolution

    @property
    def window_s(self) -> float:
        """One window of the venue in our seconds, a little long: two clocks never run quite alike."""
        return self._window_s / self._speed() * 1.01 + self._grain_s

    def claim(self, key: str, weight: int, lane: Lane, lease_s: float) -> Ticket | Wait:
        """Take `weight` of endpoint `key`, or learn how long to wait. Raises Busy."""
        with self._page.held():
            now, window_s = self._monotonic(), self.window_s
            self._keep_course(now)
            self._settle_late(window_s)
            slot = self._slot(key)
            wait_s = self._wait_s(slot, weight, lane, now, window_s)
            if wait_s > 0:
                return Wait(wait_s)
            return self._take(slot, weight, now, now + min(lease_s, LEASE_LIMIT_S) + window_s)

    def delay(self, key: str, weight: int, lane: Lane) -> float:
        """What `claim` would say now, nothing taken. Raises Busy."""
        with self._page.held():
            return self._wait_s(self._slot(key), weight, lane, self._monotonic(), self.window_s)

    def settle(self, ticket: Ticket) -> None:
        """The answer came, or the request ended without one: the weight stays for one window more."""
        self._unsettled.append((ticket, self._monotonic()))
        try:
            with self._page.held():
                self._settle_late(self.window_s)
        except Busy:
            return  # done at the next chance; the lease ends it in any case

    def rest(self, key: str, seconds: float, *, everything: bool) -> None:
        """The venue said no (rule 4). Raises Busy."""
        cells = self._page.cells
        with self._page.held():
            until = self._monotonic() + min(seconds, LONGEST_REST_S)
            cells[REFUSALS] += 1
            if everything:
                cells[REST_ALL] = max(self._valid_rest(REST_ALL), until)
            else:
                cells[REST_LOW] = max(self._valid_rest(REST_LOW), until)
                slot = self._slot(key)
                cells[slot + _REST] = max(self._valid_rest(slot + _REST), until)

    def correct(self, key: str, used: float) -> None:
        """The venue's own count of this window: what is missing here was somebody else's. Raises Busy."""
        with self._page.held():
            now, window_s = self._monotonic(), self.window_s
            slot = self._slot(key)
            missing = min(used, self._limit) - sum(abs(weight) for _, weight in self._live(slot, now, window_s))
            if missing >= 1:
                self._take(slot, missing, now, now + window_s, answered=True)

    def used(self) -> list[float]:
        """The weight that counts now at each endpoint in use, for people to see. No lock is taken, nothing written."""
        now, cells = self._monotonic(), self._page.cells
        found: list[float] = []
        if not now >= cells[LATEST] - 1.0:  # nobody has asked anything since the machine was started
            return found
        for slot in range(HEADER, HEADER + SLOTS * _SLOT, _SLOT):
            first, count = slot + _ENDS, self._count(slot)
            ends = cells[first:first + count].tolist()
            weights = cells[first + RECORDS:first + RECORDS + count].tolist()
            live = [abs(weight) for end, weight in zip(ends, weights, strict=True)
                    if now < end <= now + LEASE_LIMIT_S + self.window_s + 1.0 and -1e4 < weight < 1e4]
            if live:
                found.append(sum(live))
        return found

    def rest_s(self, lane: Lane) -> float:
        """Seconds that `lane` has to rest still, at every endpoint."""
        until = self._valid_rest(REST_ALL)
        if lane >= Lane.ENTRY:
            until = max(until, self._valid_rest(REST_LOW))
        return max(0.0, until - self._monotonic())

    def count(self, cell: int) -> None:
        """One more refusal or shed request, for people to see. Not exact: no lock is taken for it."""
        self._page.cells[cell] += 1

    def _keep_course(self, now: float) -> None:
        """Before the latest claim: the machine was started again since, so all instants are of another life."""
        cells = self._page.cells
        if not now >= cells[LATEST] - 1.0:
            cells[HEADER:] = memoryview(bytes(8 * (len(cells) - HEADER))).cast("d")
            cells[REST_ALL] = cells[REST_LOW] = 0.0
        cells[LATEST] = now

    # -- the page ------------------------------------------------------------------------------------------

    def _wait_s(self, slot: int, weight: float, lane: Lane, now: float, window_s: float) -> float:
        rest_until = max(self._valid_rest(REST_ALL), self._valid_rest(slot + _REST),
                         self._valid_rest(REST_LOW) if lane >= Lane.ENTRY else 0.0)
        live = self._live(slot, now, window_s)
        over = sum(abs(one) for _, one in live) + weight - self._limit * SHARES[lane]
        wait_s = max(0.0, rest_until - now)
        if over <= 0 or not live:  # more weight than a share goes alone
            return wait_s
        for end, one in sorted((now + window_s if one < 0 else end, abs(one)) for end, one in live):
            over -= one
            if over <= 0:
                return max(wait_s, end - now, 0.001)
        return max(wait_s, window_s)

    def _live(self, slot: int, now: float, window_s: float) -> list[tuple[float, float]]:
        """(end, weight) of all that counts. Forgets what does not at the end of the list."""
        cells, first = self._page.cells, slot + _ENDS
        count = self._count(slot)
        ends = cells[first:first + count].tolist()
        latest = now + LEASE_LIMIT_S + window_s + 1.0
        while ends and not now < ends[-1] <= latest:
            ends.pop()
        cells[slot + _COUNT] = float(len(ends))
        weights = cells[first + RECORDS:first + RECORDS + len(ends)].tolist()
        return [(end, weight) for end, weight in zip(ends, weights, strict=True)
                if now < end <= latest and -1e4 < weight < 1e4]

    def _take(self, slot: int, weight: float, now: float, end: float, answered: bool = False) -> Ticket:
        cells, first = self._page.cells, slot + _ENDS
        count = self._count(slot)
        ends = cells[first:first + count].tolist()
        record = next((at for at, old in enumerate(ends) if not now < old), count)
        record = min(record, RECORDS - 1)
        cells[first + RECORDS + record] = weight if answered else -weight
        cells[first + record] = end
        cells[slot + _COUNT] = float(max(count, record + 1))
        return Ticket(slot, record, end)

    def _settle_late(self, window_s: float) -> None:
        cells = self._page.cells
        for ticket, answered_at in self._unsettled:
            at = ticket.slot + _ENDS + ticket.record
            if cells[at] == ticket.end:
                cells[at + RECORDS] = abs(cells[at + RECORDS])
                cells[at] = min(ticket.end, answered_at + window_s)
        self._unsettled.clear()

    def _count(self, slot: int) -> int:
        count = self._page.cells[slot + _COUNT]
        return int(count) if 0 <= count <= RECORDS else RECORDS

    def _valid_rest(self, cell: int) -> float:
        """The instant in a cell; 0 for one that nobody can have set (a reboot, a torn write)."""
        until, now = self._page.cells[cell], self._monotonic()
        this_life = now >= self._page.cells[LATEST] - 1.0
        return until if this_life and 0 < until <= now + LONGEST_REST_S + 1 else 0.0

    def _slot(self, key: str) -> int:
        """Where `key` is counted; a new key takes a free slot, the last one is for all that find none."""
        cells, known = self._page.cells, self._slots.get(key)
        if known is not None and cells[known[0] + _NAME] == known[1]:
            return known[0]
        name = _name(key)
        for number in range(SLOTS - 1):
            slot = HEADER + number * _SLOT
            if cells[slot + _NAME] in (name, 0.0):
                cells[slot + _NAME] = name
                self._slots[key] = (slot, name)
                return slot
        return HEADER + (SLOTS - 1) * _SLOT


def _name(key: str) -> float:
    """48 bits of the key's hash: a double holds them exactly."""
    return float(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest(), "big") or 1)
