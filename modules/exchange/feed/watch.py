"""Silence, lateness and edges (X28, X29): what no message tells, looked for a few times a second.

The other streams of a symbol have clocks of their own (`liveness.py`).

A message is late against the quickest one: arrival minus the venue's own time, compared with the least such difference
of the last minutes. That needs no common clock; only a delay that all messages share from the first on stays unseen.
"""

from dataclasses import dataclass

from modules.exchange.feed.engine import FeedEngine
from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook.layout import Stale

_HALF_WINDOW_S = 60.0
_EDGES_EVERY = 4


@dataclass(slots=True)
class Health:
    """The feed at one look."""

    symbols: int = 0
    fresh: int = 0
    silent: int = 0
    late: int = 0
    worst_late_ms: float = 0.0
    other_streams: int = 0  # trades, tickers, marks, candles that are stale


class Watch:
    """Looks over one engine's books. `speed`: venue's seconds in one of ours."""

    def __init__(self, engine: FeedEngine, *, stale_after_s: float, late_after_s: float, silent_after_s: float = 5.0,
                 speed: float = 1.0) -> None:
        self._engine = engine
        self._stale_ns, self._late_ms, self._speed = stale_after_s * 1e9, late_after_s * 1e3, speed
        self._silent_ns = silent_after_s * 1e9
        self._least = [float("inf"), float("inf")]
        self._since_ns = 0
        self._looks = 0

    def look(self, now_ns: int) -> Health:
        """Put what deserves it in doubt; returns what was seen. `now_ns` is time.monotonic_ns."""
        health = Health()
        self._looks += 1
        self._turn_window(now_ns)
        for state in self._engine.states.values():
            words = state.book
            health.symbols += 1
            health.other_streams += state.clocks.look(now_ns, self._silent_ns)
            if words[at.STALE] != Stale.FRESH:
                continue
            arrived = int(words[at.LOCAL_NS])
            difference = arrived / 1e6 - int(words[at.EVENT_MS]) / self._speed
            self._least[0] = min(self._least[0], difference)
            late_ms = difference - min(self._least)
            health.worst_late_ms = max(health.worst_late_ms, late_ms)
            if now_ns - arrived > self._stale_ns:
                health.silent += 1
                self._engine.doubt([f"{state.symbol}@depth"], Stale.SILENT)
            elif late_ms > self._late_ms:
                health.late += 1
                self._engine.doubt([f"{state.symbol}@depth"], Stale.LATE)
            else:
                health.fresh += 1
                if self._looks % _EDGES_EVERY == 0:
                    state.sync.look_for_edge()
        return health

    def _turn_window(self, now_ns: int) -> None:
        """The least difference of the last one to two minutes: clocks drift, routes change."""
        if now_ns - self._since_ns > _HALF_WINDOW_S * 1e9:
            self._least = [float("inf"), self._least[0]]
            self._since_ns = now_ns
