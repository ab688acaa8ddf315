"""What all processes know of keys, quota owners and providers: slots of numbers on one shared page.

Every slot has the same cells; a key uses those of its rest, an owner those of its budget as well, a provider those of
its own trouble and of the key that serves now. Instants are wall-clock milliseconds, because a rest outlives a restart
of the machine ("until tomorrow"); one further ahead than it can have been set counts as past. The caller holds the
page.
"""

import hashlib
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from modules.apikeys.outcome import LONGEST_REST_S
from utils.page import Page

SLOTS, CELLS, HEADER = 160, 16, 8
PAGE_SIZE = HEADER + SLOTS * CELLS
PAGE_FILE = "apikeys.page1"
SEQUENCE = 0  # cell of the header: one more with every key that is handed out and every rest
(NAME, REST, WHY, FAILS, CALLS, GOOD, LAST, LEFT, RESET, TOKENS, TOKENS_AT, DAY_END, DAY_CALLS, DAY_TOKENS, DAY_COST,
 CURRENT) = range(CELLS)
LONGEST_MS = LONGEST_REST_S * 1000 + 31 * 86_400_000.0
_DAY_MS = 86_400_000


class Slots:
    """Finds and reads slots. Not for use without the page's lock."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._known: dict[str, int] = {}

    def of(self, kind: str, name: str) -> int:
        """Where ``kind/name`` is counted. A new one takes a free slot, or the one that was idle longest."""
        cells = self._page.cells
        text = f"{kind}/{name}"
        mark = mark_of(text)
        place = self._known.get(text, 0)
        if place and cells[place + NAME] == mark:
            return place
        places = range(HEADER, PAGE_SIZE, CELLS)
        found = next((at for at in places if cells[at + NAME] == mark), 0)
        if not found:
            found = next((at for at in places if cells[at + NAME] == 0.0), 0)
            if not found:
                found = min(places, key=lambda at: cells[at + LAST])
            for at in range(found, found + CELLS):
                cells[at] = 0.0
            cells[found + NAME] = mark
            cells[found + LEFT] = -1.0
        self._known[text] = found
        return found

    def until(self, place: int, now_ms: float) -> float:
        """When the rest of a slot ends; 0 where it does not rest."""
        rest = self._page.cells[place + REST]
        return rest if now_ms < rest <= now_ms + LONGEST_MS else 0.0

    def turn_day(self, place: int, now_ms: float, zone: str) -> None:
        """Begin the owner's day anew where it has ended."""
        cells = self._page.cells
        if not now_ms < cells[place + DAY_END] <= now_ms + 2 * _DAY_MS:
            cells[place + DAY_END] = day_end(int(now_ms), zone)
            cells[place + DAY_CALLS] = cells[place + DAY_TOKENS] = cells[place + DAY_COST] = 0.0

    def next_sequence(self) -> int:
        """One more."""
        self._page.cells[SEQUENCE] += 1.0
        return int(self._page.cells[SEQUENCE])


def mark_of(text: str) -> float:
    """48 bits of a name's hash: a double holds them exactly."""
    return float(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big") or 1)


def day_end(now_ms: int, zone: str) -> int:
    """The next midnight in `zone`, milliseconds."""
    here = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(zone))
    midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(midnight.timestamp() * 1000)


def burst_of(rpm: int) -> int:
    """Calls that may go at once."""
    return max(1, rpm // 10)


def refill(cells: "memoryview[float]", place: int, now_ms: float, rpm: int) -> float:
    """Bring an owner's bucket up to `now_ms`; when the next call fits (0: now).

    It holds `burst_of(rpm)` and refills so slowly that no 60 s ever see more than `rpm`.
    """
    burst = burst_of(rpm)
    each_ms = 60_000.0 / max(1, rpm - burst) if rpm > 1 else 60_000.0
    at = cells[place + TOKENS_AT]
    if not 0 < at <= now_ms + 60_000.0:
        cells[place + TOKENS], cells[place + TOKENS_AT] = float(burst), now_ms
    elif now_ms > at:
        cells[place + TOKENS] = min(float(burst), cells[place + TOKENS] + (now_ms - at) / each_ms)
        cells[place + TOKENS_AT] = now_ms
    lacking = 1.0 - 1e-9 - cells[place + TOKENS]
    return 0.0 if lacking <= 0 else now_ms + lacking * each_ms
