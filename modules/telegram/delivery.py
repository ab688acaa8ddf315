"""From the outbox to people: durable, in order, floods merged, nothing lost across restarts (X39).

1. Each channel (every owner's chat, the console) has its own place in the outbox and its own task.
2. A notice is marked after the channel took it; a crash in between repeats it: at least once, never lost.
3. What a channel refuses for good (blocked, chat gone) is kept as a dead letter and counted; others still get it.
4. With Telegram down for longer than `second_after_s`, alerts go to the second channel (P16), once each.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from modules.supervision.outbox import Notice, Outbox
from modules.supervision.second_channel import SecondChannel
from modules.telegram.notices import Batch, next_batch
from utils.figures import duration
from utils.files import write_atomic

log = logging.getLogger(__name__)
LOOK_S = 0.25
SECOND = "second"


class Undeliverable(Exception):
    """The channel refuses this for good."""


class Closed(Exception):
    """The channel is being closed; nothing was refused."""


class Channel(Protocol):
    """Somewhere a person reads."""

    name: str
    gather_s: float  # how long a lone info waits for its neighbours

    async def deliver(self, text: str, picture: Path | None, loud: bool) -> None:
        """Return once it was taken. Raises Undeliverable or Closed."""


class Delivery:
    """Tasks that empty the outbox into the channels."""

    def __init__(self, outbox: Outbox, data: Path, channels: Sequence[Channel]) -> None:
        self.channels = tuple(channels)
        self._outbox = outbox
        self._data = data
        self._names = tuple(channel.name for channel in channels)
        self.alerts: deque[tuple[float, str]] = deque(maxlen=3)  # the newest: when (monotonic), what
        self._turns = {name: asyncio.Lock() for name in self._names}

    async def run(self, channel: Channel) -> None:
        """Deliver to one channel until cancelled."""
        while True:
            if not await self.flush(channel):
                await asyncio.sleep(LOOK_S)

    async def flush(self, channel: Channel) -> bool:
        """Deliver what waits for a channel as one message; False if nothing did."""
        async with self._turns[channel.name]:  # the last words never race the ordinary ones
            return await self._flush(channel)

    async def _flush(self, channel: Channel) -> bool:
        pending = self._outbox.pending(channel.name)
        if not pending:
            return False
        if len(pending) == 1 and pending[0][1].level == "info":
            await asyncio.sleep(channel.gather_s)  # an info seldom comes alone: gather its neighbours
            pending = self._outbox.pending(channel.name)
        if pending:
            await self._send(channel, next_batch(pending))
        return True

    def told(self) -> str:
        """For /status: the newest alerts, and how much waits for its channel."""
        now = time.monotonic()
        parts = [f"{what} ({duration(now - at)} ago)" for at, what in reversed(self.alerts)]
        waiting = max((len(self._outbox.pending(name)) for name in self._names), default=0)
        return "; ".join([*parts, *([f"{waiting} waiting to be delivered"] if waiting else [])])

    async def drain(self, within_s: float) -> None:
        """Deliver what is left, at most that long: the last words before the process ends."""
        async def empty(channel: Channel) -> None:
            while await self.flush(channel):
                pass

        try:
            async with asyncio.timeout(within_s):
                await asyncio.gather(*(empty(channel) for channel in self.channels), return_exceptions=True)
        except TimeoutError:
            log.info("some notices wait for the next start")

    def sweep(self) -> None:
        """Drop notices that every channel in use has had: those left by channels no longer in use."""
        for name in self._names[:1]:
            waiting = {path for path, _ in self._outbox.pending(name)}
            for path in sorted(self._outbox.folder.glob("[0-9]*.json")):
                notice = None if path in waiting else _read(path)
                if notice is not None and all(channel in notice.delivered for channel in self._names):
                    path.unlink(missing_ok=True)

    async def second_channel(self, second: SecondChannel, down_for_s: Callable[[], float], after_s: float) -> None:
        """Rule 4, until cancelled. `down_for_s`: how long the first channel has been down."""
        if not second.configured or not self._names:
            return
        while True:
            if down_for_s() > after_s:
                for path, notice in self._outbox.pending(self._names[0]):
                    if notice.level == "alert" and SECOND not in notice.delivered and await second.send(notice):
                        self._outbox.delivered(path, notice, SECOND, self._names)
            await asyncio.sleep(5.0)

    async def _send(self, channel: Channel, batch: Batch) -> None:
        picture = self._data / batch.picture if batch.picture else None
        try:
            await channel.deliver(batch.text, picture if picture and picture.exists() else None, batch.loud)
        except Undeliverable as problem:
            log.error("%s refuses a notice for good: %s", channel.name, problem)
            for path, notice in batch.notices:
                self._bury(path, notice)
        for path, notice in batch.notices:
            if notice.level == "alert" and channel.name == self._names[0]:
                self.alerts.append((time.monotonic(), notice.what))
            self._outbox.delivered(path, notice, channel.name, self._names)

    def _bury(self, path: Path, notice: Notice) -> None:
        """A copy among the dead letters; the notice itself stays for the other channels (rule 3)."""
        try:
            write_atomic(self._outbox.folder / "dead" / path.name, msgspec.json.encode(notice))
        except OSError as problem:
            log.error("the dead letter cannot be kept (%s): %s", problem, notice.text())


def _read(path: Path) -> Notice | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Notice)
    except (OSError, msgspec.MsgspecError):
        return None


class DownTime:
    """How long something has been down; `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None
        self.why = ""

    def failed(self, why: str) -> None:
        """It failed now."""
        if self._since is None:
            self._since = self._clock()
        self.why = why

    def works(self) -> None:
        """It worked now."""
        self._since = None
        self.why = ""

    def seconds(self) -> float:
        """0 while it works."""
        return 0.0 if self._since is None else self._clock() - self._since
