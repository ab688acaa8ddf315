"""Health (D12): three checks, three actions, each heals by itself; one message when an episode begins, one at its end.

1. Connectivity, every `connect_every_s`: `connect_failures` looks in a row without usable books open a second set of
   connections (`backup.py`); the feed's own take over again when they are well. Signals that are open are followed by
   REST meanwhile, where not even that helps; new ones are not made without an exact book.
2. Data quality, every `quality_every_s`: a figure further than `anomaly_sigma` from its own past pauses signals.
3. Load, each second: over a limit for `load_for_s` halves the universe; calm for five times as long doubles it again.
"""

import logging
import time
from typing import TYPE_CHECKING

import aiohttp
import psutil

from modules.exchange.orderbook.views import Torn
from modules.exchange.types import Unavailable
from modules.strategies.signals.backup import Backup
from modules.strategies.signals.crew import Parts
from modules.strategies.signals.quality import Anomalies
from modules.strategies.signals.rest import Address
from modules.supervision.service import ServiceRun, read_beat

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)
CALM_FACTOR, CALM_SHARE = 5.0, 0.75
POLL_S = 5.0


class Load:
    """CPU, memory and lag against their limits over time (check 3)."""

    def __init__(self, limits: tuple[float, float, float], for_s: float) -> None:
        self.limits, self.for_s = limits, for_s
        self.seen = (0.0, 0.0, 0.0)
        self._over_since: float | None = None
        self._calm_since: float | None = None

    def look(self, seen: tuple[float, float, float], now_s: float) -> int:
        """-1: shrink now, +1: grow now, 0: neither. `seen`: CPU %, memory %, lag ms."""
        self.seen = seen
        over = any(value > limit for value, limit in zip(seen, self.limits, strict=True))
        calm = all(value < limit * CALM_SHARE for value, limit in zip(seen, self.limits, strict=True))
        self._over_since = (self._over_since if self._over_since is not None else now_s) if over else None
        self._calm_since = (self._calm_since if self._calm_since is not None else now_s) if calm else None
        if self._over_since is not None and now_s - self._over_since >= self.for_s:
            self._over_since = now_s
            return -1
        if self._calm_since is not None and now_s - self._calm_since >= self.for_s * CALM_FACTOR:
            self._calm_since = now_s
            return 1
        return 0


class Health:
    """The checks of one process. `turn` is called about once a second."""

    def __init__(self, run: ServiceRun, settings: "Settings", parts: Parts, session: aiohttp.ClientSession,
                 found: Address) -> None:
        own = settings.signals
        self.failures = 0
        self.state: dict[str, str] = {}
        self.load = Load((own.cpu_pct, own.memory_pct, own.lag_ms), own.load_for_s)
        self.anomalies = Anomalies(own.anomaly_sigma)
        self.backup = Backup(settings, run.paths, session, found)
        self._run, self._own, self._parts = run, own, parts
        self._main = parts.reader
        began = time.monotonic()
        self._due = {"connect": began + own.connect_every_s, "quality": began + own.quality_every_s}
        self._polled = 0.0
        self._usable_at = began

    async def turn(self) -> None:
        """Whatever is due."""
        now = time.monotonic()
        self._look_at_load(now)
        if (self._main.alive or self._main.refresh()) and any(_usable(self._main, one) for one in self._main.symbols()):
            self._usable_at = now
        if now >= self._due["connect"]:
            self._due["connect"] = now + self._own.connect_every_s
            await self._connectivity()
        if now >= self._due["quality"]:
            self._due["quality"] = now + self._own.quality_every_s
            self._quality()
        if not self.well() and now - self._polled > POLL_S:
            self._polled = now
            for symbol in self._parts.follower.symbols:
                self._parts.follower.ask_again(symbol)

    def well(self) -> bool:
        """The feed in use has usable books."""
        reader = self._parts.reader
        return reader.alive and self._usable(reader.symbols()) > 0

    async def _connectivity(self) -> None:
        if time.monotonic() - self._usable_at < self._own.connect_every_s:
            self.failures = 0
            if self.backup.reader is not None:
                self._parts.reader = self._main
                await self.backup.close()
            self._episode("connection", "")
            return
        self.failures += 1
        log.warning("no usable book from the feed since the last check, %d times in a row", self.failures)
        if self.failures < self._own.connect_failures:
            return
        self._episode("connection", f"no usable book for {self.failures} checks; second connections are used, and "
                                    "open signals are followed by REST")
        try:
            if self.backup.reader is None:
                wanted = set(self._parts.selector.symbols()) | self._parts.follower.symbols
                self._parts.reader = await self.backup.open(sorted(wanted))
        except Unavailable as problem:
            log.warning("second connections cannot be had either: %s", problem)

    def _quality(self) -> None:
        """Check 2. The first looks only learn."""
        beat = read_beat(self._run.paths.run, "feed")
        if beat is None or self.backup.reader is not None or not self._main.alive:
            return
        strange = self.anomalies.look(time.monotonic(), beat.info, self._distances())
        if strange:
            self._parts.pauses["quality"] = f"data look strange: {strange}"
        elif self.anomalies.calm:
            self._parts.pauses.pop("quality", None)
        self._episode("quality", self._parts.pauses.get("quality", ""))

    def _distances(self) -> list[float]:
        """How far each mid is from its mark price, in 0.01 %."""
        found = []
        for symbol in self._main.symbols():
            try:
                book, ticker = self._main.book(symbol, 1), self._main.ticker(symbol)
            except (KeyError, Torn):
                continue
            if book.usable and ticker.mark:
                found.append(abs(book.mid / float(ticker.mark) - 1) * 1e4)
        return found

    def _look_at_load(self, now: float) -> None:
        times = psutil.cpu_times_percent(interval=None)
        cpu = max(0.0, 100.0 - times.idle - getattr(times, "nice", 0.0) - getattr(times, "iowait", 0.0))
        beat = read_beat(self._run.paths.run, "feed")
        lag = float(beat.info.get("late_ms", 0.0)) if beat is not None else 0.0
        turn = self.load.look((cpu, psutil.virtual_memory().percent, lag), now)
        selector, full = self._parts.selector, self._own.universe_size
        if turn < 0:
            selector.resize(selector.size // 2)
        elif turn > 0 and selector.size < full:
            selector.resize(selector.size * 2)
        if turn:
            cpu, memory, lag = self.load.seen
            self._episode("load", "" if selector.size >= full else
                          f"CPU {cpu:.0f}%, memory {memory:.0f}%, feed lag {lag:.0f} ms: the universe is down to "
                          f"{selector.size} symbols")

    def _usable(self, symbols: list[str]) -> int:
        return sum(_usable(self._parts.reader, symbol) for symbol in symbols[:20])

    def _episode(self, name: str, what: str) -> None:
        """Say when an episode begins and when it ends; nothing between."""
        before = self.state.get(name, "")
        self.state[name] = what
        if what and not before:
            self._run.outbox.say(f"Signals: {_TITLES[name]}", why=what[0].upper() + what[1:] + ".", level="warning",
                                 todo="It heals by itself; /status shows it.")
        elif before and not what:
            self._run.outbox.say(f"Signals: {_TITLES[name]} is over")

    async def close(self) -> None:
        """Give connections back."""
        await self.backup.close()


_TITLES = {"connection": "connection trouble", "quality": "pause, data quality", "load": "smaller universe"}


def _usable(reader: object, symbol: str) -> bool:
    try:
        return bool(reader.book(symbol, 1).usable)  # type: ignore[attr-defined]
    except (KeyError, Torn):
        return False
