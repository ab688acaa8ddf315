"""Asks for the monthly tuning (D13): once a calendar month of market time the optimiser searches D6's settings on the
recordings, as if a person had sent ``/optimize signals``; what holds up is kept as a version and offered, not applied.

1. The command process runs it like any long work (its own process, low priority, one at a time) and tells the result.
   The message carries the month as its id: dying between posting and noting asks once.
2. The first run only notes the month. A month with too few recorded days is told with its reason, once.
3. A clock that jumps back (another simulated market) begins anew with that month.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from modules.storage.json_state import JsonFile
from modules.storage.recordings.reader import files_of, index
from modules.strategies.signals.report import month_of
from modules.strategies.signals.settings import SignalSettings
from modules.supervision.messages import Inbox
from modules.supervision.outbox import Outbox
from utils.paths import Paths

log = logging.getLogger(__name__)
LEAST_DAYS = 7.0  # the optimiser's own least: three days that only fit, three that judge, and their edges
DAY_S = 86_400


class Asked(msgspec.Struct, kw_only=True):
    """The newest month that was dealt with, ``2026-11``; empty before the first run."""

    month: str = ""


class Tuner:
    """One look a second at most; all of it beside the looks at symbols."""

    def __init__(self, paths: Paths, settings: SignalSettings, outbox: Outbox, zone: str, venue: str,
                 speed: float) -> None:
        self._file = JsonFile(paths.data / "signals_tuning.json", Asked, Asked)
        self._folder = paths.data / "recordings" / venue
        self._settings, self._outbox, self._zone, self._speed = settings, outbox, zone, speed
        self._inbox = Inbox(paths.inbox, "bot")
        self._asked: Asked | None = None

    async def turn(self, now_ms: int) -> bool:
        """Ask when a month has begun; True where it was asked for. Raises OSError, StateError."""
        if not self._settings.tune or now_ms <= 0:
            return False
        month = month_of(now_ms, self._zone)
        if self._asked is None:
            self._asked = await asyncio.to_thread(self._file.load)
        before = self._asked.month
        if month == before:
            return False
        asked = bool(before) and month > before and await self._ask(month)
        self._asked.month = month
        await asyncio.to_thread(self._file.save, self._asked)
        return asked

    async def _ask(self, month: str) -> bool:
        days = await asyncio.to_thread(market_days, files_of(self._folder), self._speed)
        if days < LEAST_DAYS:
            self._outbox.say(
                f"Signals: no tuning in {month}", key=f"signal-tuning-{month}",
                why=f"The recordings cover {days:.1f} market days; {LEAST_DAYS:.0f} are needed to fit and to judge.",
                todo="Give them room: RECORDER_ON, RECORDER_MOST_MB, RECORDER_KEEP_DAYS.")
            return False
        own = self._settings
        line = f"/optimize signals trials={own.tune_trials} top={own.tune_symbols}"
        self._inbox.post("line", {"line": line, "apart": True}, "signals", f"signal-tuning-{month}")
        self._outbox.say(f"Signals: tuning of {month} begins", key=f"signal-tuning-{month}",
                         why=f"The optimiser searches the conditions on {days:.0f} recorded market days, "
                             f"{own.tune_trials} trials, at low priority. Your settings stay until you apply others.",
                         todo="The result comes as a message; /optimize stop ends the search.")
        return True


def market_days(files: Sequence[Path], speed: float) -> float:
    """How many days of market time the recordings cover, gaps between the files left out."""
    spans = [blocks[-1].last_ns - blocks[0].first_ns for path in files if (blocks := index(path))]
    return max(0.0, sum(spans) / 1e9 * speed / DAY_S)
