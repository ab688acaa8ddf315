"""Whether the disk still takes what keeps positions safe: one alert for each episode, one message at its end."""

import shutil
from collections.abc import Callable
from pathlib import Path

from modules.supervision.slot import Tell

LOOK_EVERY_S = 15.0
_RELIEF = 1.2  # so much more than the limit must be free before it counts as over


class DiskWatch:
    """Looks at the free space of one folder's disk. Times are monotonic seconds, space is megabytes."""

    def __init__(self, folder: Path, low_mb: float, tell: Tell,
                 free_mb: Callable[[Path], float] = lambda folder: shutil.disk_usage(folder).free / 1e6) -> None:
        self._folder = folder
        self._low_mb = low_mb
        self._tell = tell
        self._free_mb = free_mb
        self._looked = float("-inf")
        self.low = False

    def look(self, now: float) -> None:
        """Look, if it is time to. Raises OSError where the system does not tell."""
        if now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        free = self._free_mb(self._folder)
        if not self.low and free < self._low_mb:
            self.low = True
            self._tell(f"The disk is nearly full: {free:.0f} MB are free.", level="alert",
                       why="On a full disk positions and orders cannot be written down safely.",
                       todo="Make room. /cleanup removes old market data; /pause stops new entries until then.")
        elif self.low and free > self._low_mb * _RELIEF:
            self.low = False
            self._tell(f"The disk has room again: {free:.0f} MB are free.")
