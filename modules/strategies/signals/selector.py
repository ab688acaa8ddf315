"""Keeps the universe current (D2): rescans, quick checks, exclusions at once, and tells the feed in one step.

The feed hears the wanted symbols and those with something open, as one list: its change of streams is one step there.
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from modules.exchange.types import Unavailable
from modules.storage.json_state import JsonFile
from modules.strategies.signals import universe
from modules.strategies.signals.settings import SignalSettings
from modules.strategies.signals.universe import Known, Place, Rest, Scan
from modules.supervision.messages import Inbox
from utils.paths import Paths

log = logging.getLogger(__name__)
HOUR_MS = 3_600_000
TRY_AGAIN_MS = 60_000
LEAST = 5


class Kept(msgspec.Struct, kw_only=True):
    """What survives a restart. `excluded`: symbol → why, until the next scan."""

    scan: Scan = msgspec.field(default_factory=Scan)
    checked_ms: int = 0
    excluded: dict[str, str] = {}


class Selector:
    """One universe. `known(symbol)`: what the feed holds already."""

    def __init__(self, paths: Paths, settings: SignalSettings, rest: Rest, rows: Callable[[str, list[Any]], None],
                 known: Callable[[str], Known]) -> None:
        self._file = JsonFile(paths.data / "signals_universe.json", Kept, Kept)
        self.kept = self._file.load()
        self.size = settings.universe_size
        self.problem = ""
        self._settings, self._rest, self._rows, self._known = settings, rest, rows, known
        self._inbox = Inbox(paths.inbox, "feed")
        self._asked: list[str] | None = None
        self._next_ms = 0
        self._ticks_of: Scan | None = None
        self._ticks: dict[str, float] = {}

    def symbols(self) -> list[str]:
        """Symbols that signals may come from, best first."""
        chosen = [one for one in self.kept.scan.chosen if one not in self.kept.excluded]
        return chosen[:self.size]

    def tick(self, symbol: str) -> float:
        """Price step of a symbol, as the last scan found it listed; 0 where it is not known."""
        if self._ticks_of is not self.kept.scan:
            self._ticks_of = self.kept.scan
            self._ticks = {one.symbol: one.tick for one in self.kept.scan.places}
        return self._ticks.get(symbol, 0.0)

    async def turn(self, now_ms: int) -> bool:
        """Scan or check when it is time; True where the universe may have changed."""
        if now_ms < self._next_ms:
            return False
        kept, settings = self.kept, self._settings
        try:
            if not 0 <= now_ms - kept.scan.ms < settings.rescan_h * HOUR_MS:
                await self._scan(now_ms)
            elif not 0 <= now_ms - kept.checked_ms < settings.check_h * HOUR_MS:
                fallen = await universe.check(self._rest, settings, kept.scan.chosen)
                for symbol, reason in fallen.items():
                    self._exclude(symbol, reason, now_ms)
                kept.checked_ms = now_ms
                self._file.save(kept)
            else:
                return False
        except Unavailable as problem:
            self.problem = str(problem)
            self._next_ms = now_ms + TRY_AGAIN_MS
            log.warning("the universe could not be looked at: %s", problem)
            return False
        self.problem = ""
        return True

    async def _scan(self, now_ms: int) -> None:
        found = await universe.scan(self._rest, self._settings, now_ms, self._known, self._settings.universe_size)
        self.kept = Kept(scan=found, checked_ms=now_ms)
        self._file.save(self.kept)
        self._rows("universe", universe.rows_of(found))
        log.info("universe: %s, weight %d", found.funnel(), found.weight)

    def exclude(self, symbol: str, why: str, now_ms: int) -> None:
        """At once; until the next scan."""
        if symbol in self.symbols():
            self._exclude(symbol, why, now_ms)
            self._file.save(self.kept)

    def _exclude(self, symbol: str, why: str, now_ms: int) -> None:
        if symbol in self.kept.excluded:
            return
        log.warning("%s leaves the universe: %s", symbol, why)
        self.kept.excluded[symbol] = why
        place = next((one for one in self.kept.scan.places if one.symbol == symbol), Place(symbol=symbol, reason=why))
        self._rows("universe", [{"ms": now_ms, "symbol": symbol, "chosen": False, "score": place.score,
                                 "reason": why.split(" ")[0].upper()[:40], "body": {"why": why}}])

    def resize(self, size: int) -> None:
        """A smaller or larger universe (D12)."""
        self.size = min(max(LEAST, size), self._settings.universe_size)

    def ask_feed(self, followed: set[str]) -> bool:
        """Tell the feed what is wanted, where that changed. Raises OSError."""
        wanted = list(dict.fromkeys([*sorted(followed), *self.symbols()]))
        if set(wanted) == set(self._asked or ()) or not wanted:
            return False
        self._inbox.post("universe", {"by": "signals", "symbols": wanted}, "signals")
        self._asked = wanted
        return True

    def let_go(self, followed: set[str]) -> None:
        """The bot ends: only what is followed stays wanted (it is asked for again at the next start)."""
        self._inbox.post("universe", {"by": "signals", "symbols": sorted(followed)}, "signals")
