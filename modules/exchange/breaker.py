"""Circuit breakers of one venue, seen by all processes: when it fails, stop asking it for what can wait.

1. A failure is a request that got no answer or an answer of a failing venue (5xx, no JSON); an answer or a refusal by
   the venue's own code is none. `FAILURES` in a row within `WITHIN_S`, or `FEW` in a row that span `SPAN_S`, open it.
2. While it is open, entries are refused at once and data waits; every `wait` one of them goes as a probe (half-open).
   Exits, cancels and look-ups always go, and count as probes: protection is never shed (X31, X35).
3. The first success closes it. Each probe doubles the wait for the next one, up to `LONGEST_WAIT_S`.
4. Two of them: `VENUE` counts every request, `ORDERS` only new orders, because a venue whose order desk is down still
   answers everything else. Entries need both.
5. Opening begins an episode. Whoever listens is told once when it opens and once when it ends, whichever process saw
   it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from modules.exchange.lanes import GUARDING, Lane
from modules.exchange.page import Busy, Page

log = logging.getLogger(__name__)

FAILURES, WITHIN_S = 8, 60.0
FEW, SPAN_S = 3, 15.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 5.0


class Circuit(IntEnum):
    """Which breaker; the value is its first cell on the page."""

    VENUE = 16
    ORDERS = 24


NAMES = {Circuit.VENUE: "the exchange", Circuit.ORDERS: "the exchange's order desk"}


@dataclass(frozen=True, slots=True)
class Episode:
    """Something to tell people, once. `over`: it has ended."""

    circuit: Circuit
    over: bool
    what: str
    why: str
    todo: str


class Breaker:
    """One circuit."""

    def __init__(self, page: Page, circuit: Circuit, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._page = page
        self._circuit = circuit
        self._monotonic = monotonic
        # Places on the page of this circuit.
        (self._failed, self._first, self._open_at, self._probe_at, self._wait, self._episode,
         self._told) = range(circuit, circuit + 7)

    @property
    def open(self) -> bool:
        """Whether it is open, or half-open."""
        return self._page.cells[self._open_at] > 0

    @property
    def open_s(self) -> float:
        """For how many seconds it has been open; 0 while it is not."""
        return max(self._monotonic() - self._page.cells[self._open_at], 0.1) if self.open else 0.0

    def admit(self, lane: Lane) -> float:
        """0: go. Otherwise the request is not to be sent; seconds until the next probe may (rule 2)."""
        if not self.open or lane in GUARDING:
            return 0.0
        now = self._monotonic()
        left = self._page.cells[self._probe_at] - now
        if 0 < left <= LONGEST_WAIT_S:
            return left
        try:
            with self._page.held():
                wait_s = min(max(2 * self._page.cells[self._wait], FIRST_WAIT_S), LONGEST_WAIT_S)
                self._page.cells[self._wait] = wait_s
                self._page.cells[self._probe_at] = now + wait_s
        except Busy:
            return 0.05
        return 0.0

    def good(self) -> None:
        """The venue answered (rule 3). Costs a look at two numbers while all is well."""
        if not self._page.cells[self._failed] and not self.open:
            return
        try:
            with self._page.held():
                self._page.cells[self._failed] = 0.0
                if self.open:
                    self._page.cells[self._open_at] = 0.0
                    self._page.cells[self._episode] += 1
                    log.warning("%s answers again", NAMES[self._circuit])
        except Busy:
            return  # the next success does it

    def soon(self) -> None:
        """Let the next request probe at once."""
        if self.open:
            self._page.cells[self._probe_at] = 0.0

    def bad(self) -> None:
        """A request failed (rule 1)."""
        try:
            with self._page.held():
                self._fail(self._monotonic())
        except Busy:
            return  # one failure less in the count

    def _fail(self, now: float) -> None:
        cells = self._page.cells
        if self.open:
            return
        if not cells[self._failed] or not 0 <= now - cells[self._first] <= WITHIN_S:
            cells[self._failed], cells[self._first] = 0.0, now
        cells[self._failed] += 1
        if cells[self._failed] >= FAILURES or (cells[self._failed] >= FEW and now - cells[self._first] >= SPAN_S):
            cells[self._open_at], cells[self._wait], cells[self._probe_at] = now, FIRST_WAIT_S, now + FIRST_WAIT_S
            cells[self._episode] += 1
            log.warning("%s fails: entries and data wait, exits go on", NAMES[self._circuit])

    def untold(self) -> Episode | None:
        """What people have not been told yet; whoever asks has to tell it (rule 5). A short episode is not told."""
        cells = self._page.cells
        if cells[self._episode] == cells[self._told]:
            return None
        try:
            with self._page.held():
                now_at, told = cells[self._episode], cells[self._told]
                if now_at == told:
                    return None
                cells[self._told] = now_at
        except Busy:
            return None
        was_open, is_open = bool(told % 2), bool(now_at % 2)
        return None if was_open == is_open else _episode(self._circuit, over=not is_open)


def _episode(circuit: Circuit, *, over: bool) -> Episode:
    name = NAMES[circuit]
    if over:
        return Episode(circuit, True, f"{name[0].upper()}{name[1:]} answers again.", "Entries are possible again.", "")
    why = ("No request gets a sound answer." if circuit is Circuit.VENUE
           else "New orders get no sound answer, although everything else does.")
    return Episode(circuit, False, f"{name[0].upper()}{name[1:]} fails.", why,
                   "Entries are refused meanwhile; exits are tried all the same. It is noticed by itself when it ends; "
                   "see /status, and the exchange's own page about its state.")


class Breakers:
    """Both circuits of a venue."""

    def __init__(self, page: Page, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.venue = Breaker(page, Circuit.VENUE, monotonic)
        self.orders = Breaker(page, Circuit.ORDERS, monotonic)

    def admit(self, lane: Lane) -> float:
        """Seconds to wait before a request of `lane`; 0: go."""
        wait_s = self.venue.admit(lane)
        return max(wait_s, self.orders.admit(lane)) if lane is Lane.ENTRY else wait_s

    def note(self, *, good: bool, placing: bool) -> None:
        """What became of a request; `placing`: it was a new order."""
        for breaker in (self.venue, self.orders) if placing else (self.venue,):
            if good:
                breaker.good()
            else:
                breaker.bad()

    def heard(self, *, good: bool) -> None:
        """The venue was asked for its time. Knowing it does not make the rest of it well: others may probe now."""
        if not good:
            self.venue.bad()
        else:
            self.venue.soon()
            self.orders.soon()

    def untold(self) -> list[Episode]:
        """Episodes for people (rule 5)."""
        found = (breaker.untold() for breaker in (self.venue, self.orders))
        return [episode for episode in found if episode is not None]
