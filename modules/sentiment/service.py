"""The sentiment process: looks at every source in its turn, has new texts scored, shows what is known.

Started by the supervisor as ``bot.py run sentiment``. One task a source; a source that fails rests longer each time and
holds up no other. Market time comes from the simulated exchange where the futures are simulated, else the calendar's.
"""

import asyncio
import logging
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import msgspec

from modules.apikeys.api_manager import ApiManager
from modules.exchange.clock import Sample, VenueClock
from modules.exchange.types import Unavailable
from modules.sentiment.desk import Desk
from modules.sentiment.model import shipped
from modules.sentiment.providers import judge
from modules.sentiment.settings import SentimentSettings
from modules.sentiment.sources import FeedSource, FileSource, Look, RedditSource, Source, TwitterSource
from modules.supervision.service import ServiceRun, read_beat
from utils.paths import Paths
from utils.wall import now_ms

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)
WRITE_S = 2.0
CLOCK_S = 30.0
TRY_AGAIN_S = 2.0
LONGEST_REST_S = 3600.0


class _Status(msgspec.Struct):
    market_ms: int
    speed: float = 1.0


async def main(run: ServiceRun, settings: "Settings") -> None:
    """Until asked to stop."""
    async with httpx.AsyncClient(follow_redirects=False) as client:
        clock = MarketTime(run.paths, simulated=settings.feed.venue == "simulated")
        while not await clock.sync():
            run.ready(waiting="the time of the simulated exchange")
            await run.sleep(TRY_AGAIN_S)
            if run.stop.is_set():
                return
        manager = ApiManager.open(settings.apikeys, run.paths)
        try:
            await SentimentService(run, settings.sentiment, manager, client, clock).live()
        finally:
            manager.close()


class MarketTime:
    """Market time of this process: the simulated exchange's, or the calendar's (a real market's)."""

    def __init__(self, paths: Paths, *, simulated: bool) -> None:
        self._paths, self._simulated, self._clock = paths, simulated, VenueClock()
        self._port = 0

    def now_ms(self) -> int:
        """Milliseconds; only after a `sync` that was good."""
        return self._clock.now_ms() if self._simulated else now_ms()

    async def sync(self) -> bool:
        """Ask the simulated exchange again; False where it does not answer."""
        if not self._simulated:
            return True
        beat = read_beat(self._paths.run, "simulator")
        port = beat.info.get("port") if beat is not None else None
        if not isinstance(port, int):
            return False
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
                status = await self._status(client, port)
                if port != self._port or status[1].speed != self._clock.speed:
                    self._port = port
                    self._clock.restart(status[1].speed)

                async def sample() -> Sample:
                    return (await self._status(client, port))[0]
                await self._clock.sync(sample)
        except (httpx.HTTPError, OSError, msgspec.MsgspecError, Unavailable) as problem:
            log.info("the simulated exchange does not tell its time: %s", type(problem).__name__)
            return False
        return True

    async def _status(self, client: httpx.AsyncClient, port: int) -> tuple[Sample, _Status]:
        sent = time.monotonic()
        answer = await client.get(f"http://127.0.0.1:{port}/sim/status")
        found = msgspec.json.decode(answer.content, type=_Status)
        return Sample(sent, time.monotonic(), found.market_ms), found


def sources(settings: SentimentSettings, manager: ApiManager, client: httpx.AsyncClient, home: Path) -> list[Source]:
    """Every source that can be read; those that need a key only where there is one."""
    own = settings
    found: list[Source] = [FeedSource(url, own.poll_s, own.timeout_s, client) for url in own.feeds]
    if manager.keys("reddit"):
        found += [RedditSource(name, own.reddit_base_url, own.poll_s, own.timeout_s, client, manager)
                  for name in own.subreddits]
    if own.tweets and manager.keys("twitter"):
        found.append(TwitterSource(own.tweets, own.twitter_base_url, own.poll_s, own.timeout_s, client, manager))
    found += [FileSource(home / name, own.file_poll_s) for name in own.files]  # an absolute name stays as it is
    return found


class SentimentService:
    """The tasks of the process."""

    def __init__(self, run: ServiceRun, settings: SentimentSettings, manager: ApiManager, client: httpx.AsyncClient,
                 clock: MarketTime) -> None:
        self._run, self._settings, self._manager, self._clock = run, settings, manager, clock
        self._sources = sources(settings, manager, client, run.paths.home)
        self.desk = Desk(settings, run.paths, judge(settings, manager, client, shipped()), clock.now_ms)
        self._state: dict[str, str] = {}
        self._told = ""

    async def live(self) -> None:
        """Until the stop."""
        self.desk.begin()
        self._tell_local()
        self.desk.write()
        self._run.ready(waiting="", sources=len(self._sources))
        tasks = [asyncio.create_task(self._read(source), name=source.name) for source in self._sources]
        synced = time.monotonic()
        try:
            while not self._run.stop.is_set():
                await self._run.sleep(WRITE_S)
                if time.monotonic() - synced > CLOCK_S:
                    synced = time.monotonic()
                    await self._clock.sync()
                self._show()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.desk.close()

    def _tell_local(self) -> None:
        """No provider at all: say what scores (bad input of the issue)."""
        desk = self.desk
        if desk.judge.remote:
            return
        desk.state.local = (f"scored by the local model {desk.judge.local.name} alone: there is no key of "
                            f"{', '.join(self._settings.providers) or 'any provider'}")
        self._run.outbox.say("Sentiment is scored by the local model", why="There is no key of a provider. This is "
                             "enough to work; it knows English, and of other languages only emojis and our words.",
                             todo="To use a provider: bot.py apikeys add PROVIDER, then restart it.",
                             key="sentiment-local")

    async def _read(self, source: Source) -> None:
        """Look at one source for ever."""
        failures = 0
        while True:
            try:
                look = await source.look()
                count = await self.desk.take(source.name, look.items)
            except Exception:  # border of a task: logged with its stack, counted, tried again
                log.exception("source %s failed", source.name)
                look, count = Look([], "it failed; see the log"), 0
            failures = failures + 1 if look.problem and not look.items else 0
            self._tell_source(source.name, look, count)
            await asyncio.sleep(self.wait_s(source.every_s, failures, look.rest_s))

    @staticmethod
    def wait_s(every_s: float, failures: int, rest_s: float | None) -> float:
        """Until the next look: its own pace, longer after failures, at least as long as the source asks."""
        wait_s = min(every_s * 2.0 ** min(failures, 12), max(LONGEST_REST_S, every_s)) * random.uniform(0.95, 1.15)
        return max(wait_s, (rest_s or 0.0) * 1.01)

    def _tell_source(self, name: str, look: Look, count: int) -> None:
        state = look.problem or "reads"
        if self._state.get(name) != state:
            (log.warning if look.problem else log.info)("source %s: %s", name, state)
            self._state[name] = state
        if count:
            log.info("source %s: %d new texts", name, count)
            self._show()

    def _show(self) -> None:
        desk = self.desk
        desk.state.sources = dict(self._state)
        desk.write()
        bad = sum(state != "reads" for state in self._state.values())
        self._run.tell(scored=desk.scored, doubles=desk.doubles, sources=len(self._sources), sources_failing=bad,
                       providers=", ".join(f"{name} {state}" for name, state in desk.judge.state.items()) or "local",
                       trouble=desk.problem)
        if desk.problem and not self._told:
            self._run.outbox.say("What is known of sentiment cannot be written", why=desk.problem, level="warning",
                                 todo="Free space on the disk.")
        self._told = desk.problem
