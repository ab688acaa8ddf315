"""Does the data look as it always does? Figures of the feed against their own past (D12)."""

from collections import deque
from collections.abc import Mapping
from statistics import fmean, median, stdev
from typing import Any

PAST, LEAST, CALM_LOOKS = 120, 20, 2
NEW_NORMAL = 30  # so many strange looks in a row are the new past: nothing is paused for ever
# figure → (least σ in its unit, least σ as a share of the mean, which side is strange)
FLOORS = {"frames a minute": (60.0, 0.10, -1), "damaged a minute": (2.0, 0.0, 1), "snapshots a minute": (2.0, 0.0, 1),
          "stale books, %": (3.0, 0.0, 1), "mid from mark, bp": (3.0, 0.1, 1)}
_COUNTERS = {"frames a minute": "frames", "damaged a minute": "damaged", "snapshots a minute": "snapshots"}


class Figure:
    """One figure's past."""

    def __init__(self, floor: float, share: float, side: int) -> None:
        self._floor, self._share, self._side = floor, share, side
        self._past: deque[float] = deque(maxlen=PAST)
        self._strange: list[float] = []

    def look(self, value: float, sigma: float) -> float:
        """How many σ it is off to the strange side, 0 where it is not strange. Strange values are not learned."""
        if len(self._past) >= LEAST:
            mean = fmean(self._past)
            spread = max(stdev(self._past), self._floor, abs(mean) * self._share)
            off = (value - mean) / spread * self._side
            if off > sigma:
                self._strange.append(value)
                if len(self._strange) >= NEW_NORMAL:
                    self._past = deque(self._strange, maxlen=PAST)
                    self._strange = []
                return off
        self._strange = []
        self._past.append(value)
        return 0.0


class Anomalies:
    """All figures at one look. `calm`: the last looks were normal."""

    def __init__(self, sigma: float) -> None:
        self._sigma = sigma
        self._figures = {name: Figure(*floors) for name, floors in FLOORS.items()}
        self._before: tuple[float, dict[str, float]] | None = None
        self._normal = CALM_LOOKS
        self.symbols = 0

    @property
    def calm(self) -> bool:
        """Normal for a while."""
        return self._normal >= CALM_LOOKS

    def look(self, now_s: float, info: Mapping[str, Any], distances_bp: list[float]) -> str:
        """What is strange, "" for nothing. `info`: what the feed tells of itself."""
        counts = {name: float(info.get(key, 0)) for name, key in _COUNTERS.items()}
        before, self._before = self._before, (now_s, counts)
        symbols = int(info.get("symbols", 0))
        changed, self.symbols = symbols != self.symbols, symbols
        if before is None or now_s <= before[0] or changed or counts["frames a minute"] < before[1]["frames a minute"]:
            return ""  # a feed that was started anew, or another universe: no rate to compare
        minutes = (now_s - before[0]) / 60
        values = {name: (value - before[1][name]) / minutes for name, value in counts.items()}
        values["stale books, %"] = 100 * (1 - float(info.get("fresh", 0)) / symbols) if symbols else 0.0
        if distances_bp:
            values["mid from mark, bp"] = median(distances_bp)
        strange = []
        for name, value in values.items():
            off = self._figures[name].look(value, self._sigma)
            if off:
                strange.append(f"{name} {value:.0f} ({off:.1f} σ)")
        self._normal = 0 if strange else self._normal + 1
        return ", ".join(strange)
