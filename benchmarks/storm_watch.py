"""How long held positions go without a look, seen from outside: the storm's stop-watch.

1. A position was last seen at the newest of what its file says (`last_seen_ms`) and what the tracker's heartbeat tells
   (`seen_ms`, the oldest last look of all that is held). Both are market time.
2. Unguarded in market time is the market's clock less that; the market stands still while the simulator is dead.
3. Unguarded in wall time is how long that instant has not moved, whatever stood still meanwhile.
4. What cannot be guarded (halted, delisted, gone from the account) is left out.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

PERIOD_S = 0.2
ANSWER_WITHIN_S = 5.0
LONG_S = 4.0


def load(path: Path) -> Any:
    """A JSON file, or None while it is not there or caught in between."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


class Venue:
    """The simulated exchange's own end points, wherever its heartbeat says it is."""

    def __init__(self, home: Path) -> None:
        self._beat = home / "data" / "run" / "simulator.beat.json"

    def ask(self, path: str, body: Any = None) -> Any:
        """An answer, or None where the simulator is away or says no."""
        beat = load(self._beat)
        port = beat["info"].get("port") if isinstance(beat, dict) else None
        if not port:
            return None
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as answer:
                return json.load(answer)
        except (urllib.error.URLError, OSError, ValueError, HTTPException):
            return None


@dataclass(slots=True)
class _Seen:
    """When a position was last looked at, and since when (monotonic) that instant has stood."""

    ms: int
    since: float


@dataclass(frozen=True, slots=True)
class Gap:
    """A long time without a look: between two instants of `time.monotonic`."""

    symbol: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass
class Watch:
    """Samples until `close`. Ages are the worst seen so far; `gaps` are those of more than `LONG_S`."""

    home: Path
    gaps: list[Gap] = field(default_factory=list)
    worst_wall_s: float = 0.0
    worst_market_s: float = 0.0
    worst_symbol: str = ""
    samples: int = 0
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> Watch:
        """Begin to sample."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop sampling."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2 * ANSWER_WITHIN_S)

    def longest(self, count: int) -> list[Gap]:
        """The longest gaps, one for each time (many positions wait for the same look)."""
        found: list[Gap] = []
        for gap in sorted(self.gaps, key=lambda gap: -gap.seconds):
            if all(gap.began > other.ended or gap.ended < other.began for other in found):
                found.append(gap)
        return found[:count]

    def _run(self) -> None:
        venue = Venue(self.home)
        while not self._stop.wait(PERIOD_S):
            positions = load(self.home / "data" / "tracked_tokens.json")
            beat = load(self.home / "data" / "run" / "tracker.beat.json")
            status = venue.ask("/sim/status")
            if isinstance(positions, dict):
                told = beat["info"].get("seen_ms") or 0 if isinstance(beat, dict) else 0
                self.sample(positions, int(told), status["market_ms"] if status else None, time.monotonic())

    def sample(self, positions: dict[str, Any], told_ms: int, market_ms: int | None, now: float) -> None:
        """One observation (rules 1–4); `market_ms` is None while the simulator does not answer."""
        self.samples += 1
        held = {row["id"]: row for row in positions.values() if row["state"] in ("open", "closing")}
        self._seen = {name: seen for name, seen in self._seen.items() if name in held}
        for name, row in held.items():
            ms = max(row["last_seen_ms"], told_ms)
            seen = self._seen.get(name)
            if seen is None or ms > seen.ms:
                if seen is not None and now - seen.since > LONG_S:
                    self.gaps.append(Gap(row["symbol"], seen.since, now))
                seen = self._seen[name] = _Seen(ms, now)
            wall_s = now - seen.since
            if wall_s > self.worst_wall_s:
                self.worst_wall_s, self.worst_symbol = wall_s, row["symbol"]
            if market_ms is not None:
                self.worst_market_s = max(self.worst_market_s, (market_ms - seen.ms) / 1000)
