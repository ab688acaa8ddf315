"""Live pages: what somebody looks at is computed once for all who look, twice a second, and only changes travel.

1. A *topic* is a page with its arguments (``logs?service=bot``); its builder returns named sections.
2. Builders run in one thread of their own, one after another: however many look, the dashboard takes one core at
   most. Nothing is built that nobody looks at.
3. A section travels when its bytes have changed. A browser too slow for that misses steps, never the newest.
4. A builder that fails says so on its page, is logged once per episode, and stops no other.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

log = logging.getLogger(__name__)
T = TypeVar("T")
EVERY_S = 0.5
MOST_WATCHERS = 64
Sections = Mapping[str, Any]
Builder = Callable[[dict[str, str]], Sections]
Topic = tuple[str, tuple[tuple[str, str], ...]]


class TooMany(Exception):
    """More browsers are open than one person has."""


class Wire(Protocol):
    """Where a watcher's changes go."""

    async def send_text(self, data: str) -> None:
        """Send one message; raises when the other side is gone."""


@dataclass(eq=False)
class Watcher:
    """One open page. `seen`: the version of each section that has travelled."""

    wire: Wire
    good: Callable[[], bool]
    topics: tuple[Topic, ...] = ()
    seen: dict[tuple[Topic, str], int] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class _Section:
    version: int
    body: bytes


class Live:
    """All open pages."""

    def __init__(self, builders: Mapping[str, Builder], clock: Callable[[], float] = time.monotonic) -> None:
        self.builders = dict(builders)
        self._clock = clock
        self._watchers: set[Watcher] = set()
        self._sections: dict[Topic, dict[str, _Section]] = {}
        self._failed: dict[str, str] = {}
        self._version = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pages")
        self._now = asyncio.Event()
        self.build_ms = 0.0
        self.failures = 0

    @property
    def watchers(self) -> int:
        """How many pages are open."""
        return len(self._watchers)

    async def watch(self, watcher: Watcher) -> None:
        """Serve one page until its wire breaks, its session ends, or it is cancelled. Raises TooMany."""
        if len(self._watchers) >= MOST_WATCHERS:
            raise TooMany
        self._watchers.add(watcher)
        try:
            while watcher.good():
                await watcher.wake.wait()
                watcher.wake.clear()
                changes = self._changes(watcher)
                if changes:
                    await watcher.wire.send_text(changes)
        finally:
            self._watchers.discard(watcher)

    def look_at(self, watcher: Watcher, page: str, arguments: dict[str, str]) -> None:
        """The page that a browser shows now; the bar always goes with it. An unknown page shows nothing."""
        topics: list[Topic] = [("bar", ())]
        if page in self.builders and page != "bar":
            topics.append((page, tuple(sorted(arguments.items()))))
        watcher.topics = tuple(topics)
        watcher.seen = {key: version for key, version in watcher.seen.items() if key[0][0] == "bar"}
        self._now.set()

    async def run(self) -> None:
        """Build and wake, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = self._clock()
            self._now.clear()
            topics = {topic for watcher in self._watchers for topic in watcher.topics}
            for gone in self._sections.keys() - topics:
                del self._sections[gone]
            if topics:
                built = await loop.run_in_executor(self._pool, self._build, sorted(topics))
                self._keep(built)
                self.build_ms = (self._clock() - began) * 1000
            for watcher in self._watchers:
                watcher.wake.set()
            await self._rest(EVERY_S - (self._clock() - began))

    async def work(self, job: Callable[[], T]) -> T:
        """What `job` answers from the pages' own thread, behind what is being built (rule 2). Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, job)

    async def _rest(self, seconds: float) -> None:
        """Wait; a page that was just opened need not."""
        try:
            async with asyncio.timeout(max(0.02, seconds)):
                await self._now.wait()
        except TimeoutError:
            pass

    def _build(self, topics: list[Topic]) -> dict[Topic, dict[str, bytes]]:
        """In the thread (rule 2)."""
        found: dict[Topic, dict[str, bytes]] = {}
        for topic in topics:
            try:
                sections = self.builders[topic[0]](dict(topic[1]))
                found[topic] = {name: msgspec.json.encode(value) for name, value in {**sections, "error": ""}.items()}
                self._failed.pop(topic[0], None)
            except Exception as problem:  # border of a page: told on it, logged, counted (rule 4)
                self.failures += 1
                if self._failed.get(topic[0]) != repr(problem):
                    self._failed[topic[0]] = repr(problem)
                    log.exception("page %s failed", topic[0])
                words = f"This page cannot be shown: {type(problem).__name__}. The log of dashboard says why."
                found[topic] = {"error": msgspec.json.encode(words)}
        return found

    def _keep(self, built: dict[Topic, dict[str, bytes]]) -> None:
        for topic, sections in built.items():
            kept = self._sections.setdefault(topic, {})
            for name, body in sections.items():
                if name not in kept or kept[name].body != body:
                    self._version += 1
                    kept[name] = _Section(self._version, body)

    def _changes(self, watcher: Watcher) -> str:
        """What has not travelled yet: ``{"page": …, "sections": {…}}`` for each topic, as one JSON array."""
        parts: list[bytes] = []
        for topic in watcher.topics:
            fresh = []
            for name, section in self._sections.get(topic, {}).items():
                if watcher.seen.get((topic, name)) != section.version:
                    watcher.seen[topic, name] = section.version
                    fresh.append(msgspec.json.encode(name) + b":" + section.body)
            if fresh:
                head = msgspec.json.encode({"page": topic[0], "arguments": dict(topic[1])})
                parts.append(head[:-1] + b',"sections":{' + b",".join(fresh) + b"}}")
        return f"[{b','.join(parts).decode()}]" if parts else ""

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)
