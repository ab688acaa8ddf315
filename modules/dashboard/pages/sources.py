"""What all pages read from: state files read again only when they changed, and the crew.

Figures go to the browser as floats: it shows them, nobody counts with them there.
"""

import os
import time
from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from modules.dashboard.candles import LiveCandles
from modules.dashboard.crew_view import CrewView
from modules.exchange.types import Mode
from modules.execution.risk_state import RiskState, Unreadable
from modules.strategies.hype.files import HypeFiles, mode_file
from modules.strategies.hype.records import Position
from modules.supervision.registry import Service
from modules.supervision.status import ServiceStatus
from utils.paths import Paths
from utils.wall import now_ms

if TYPE_CHECKING:
    from config.settings import Settings

T = TypeVar("T")
LOOK_EVERY_S = 0.4


class Sources:
    """Shared state, cached for one thread."""

    def __init__(self, paths: Paths, settings: "Settings", crew: Sequence[Service]) -> None:
        self.paths = paths
        self.settings = settings
        self.crew = tuple(crew)
        self.view = CrewView(paths, crew, settings.supervision.stuck_after_s)
        self.candles = LiveCandles(settings, paths)
        self._files = {mode: HypeFiles(paths, mode) for mode in Mode}
        self._by_mark: dict[Hashable, tuple[object, object]] = {}
        self._by_age: dict[Hashable, tuple[float, object]] = {}

    def while_same(self, path: Path, read: Callable[[], T]) -> T:
        """What `read` makes of a file, read again when the file has changed. Raises what `read` raises."""
        try:
            found = os.stat(path)
            mark: object = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            mark = None
        known = self._by_mark.get(path)
        if known is None or known[0] != mark:
            known = (mark, read())
            self._by_mark[path] = known
        return known[1]  # type: ignore[return-value]

    def for_a_while(self, key: Hashable, seconds: float, read: Callable[[], T]) -> T:
        """What `read` answers, asked again after `seconds`. Raises what `read` raises."""
        now = time.monotonic()
        known = self._by_age.get(key)
        if known is None or now - known[0] >= seconds:
            if len(self._by_age) > 500:
                self._by_age.clear()
            known = (now, read())
            self._by_age[key] = known
        return known[1]  # type: ignore[return-value]

    def services(self) -> list[ServiceStatus]:
        """The crew now."""
        return self.for_a_while("crew", LOOK_EVERY_S, lambda: self.view.look(now_ms()))

    def mode(self) -> Mode:
        """The mode of new entries."""
        file = mode_file(self.paths)
        return self.while_same(file.path, file.load).mode

    def files(self, mode: Mode) -> HypeFiles:
        """System A's files of a mode."""
        return self._files[mode]

    def positions(self, mode: Mode) -> list[Position]:
        """Open positions of system A, oldest first. Raises StateError."""
        file = self._files[mode].tracked
        return sorted(self.while_same(file.path, file.load).values(), key=lambda one: one.opened_ms)

    def risk(self, mode: Mode) -> RiskState | Unreadable:
        """The risk state of system A."""
        return self.while_same(self._files[mode].risk.path, self._files[mode].read_risk)

    def info(self, service: str) -> dict[str, object]:
        """What a service that lives tells of itself."""
        found = next((one for one in self.services() if one.name == service and one.pid is not None), None)
        return found.info if found is not None else {}

    def market_ms(self, mode: Mode) -> int:
        """The newest market time that anybody noted; 0 where nobody did."""
        risk = self.risk(mode)
        seen = self.info("tracker").get("seen_ms")
        return max(seen if isinstance(seen, int) else 0, 0 if isinstance(risk, Unreadable) else risk.equity_ms)


def number(value: Decimal | float | None) -> float | None:
    """A figure for the browser."""
    return None if value is None else float(value)
