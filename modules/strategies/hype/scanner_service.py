"""The scanner as a service: paces the scans, takes messages, tells what it does, stands up again after an outage."""

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from modules.exchange.api import MarketData
from modules.exchange.gateway import open_market
from modules.exchange.types import Unavailable
from modules.execution.mode import mode_word
from modules.learning.predictor import Predictor
from modules.strategies.hype.scanner import Scanner
from modules.strategies.hype.venue_notices import listener
from modules.supervision.outbox import Level
from modules.supervision.service import ServiceRun

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)
FLOOR_S = 0.25  # fastest real pace, whatever the market's speed
OUTAGE_SAID_AFTER_S = 30.0
RETRY_S = 2.0
WARMUP_AGAIN_S = 60.0
MARKETS_EVERY_MARKET_S = 600.0
MARKETS_FLOOR_S = 15.0


class ScannerLoop:
    """One scanner at work on one market."""

    def __init__(self, run: ServiceRun, settings: "Settings", market: MarketData, scanner: Scanner) -> None:
        self._run = run
        self._settings = settings
        self._market = market
        self._scanner = scanner
        self._good_at = time.monotonic()
        self._outage_said = False
        self._markets_at = float("-inf")
        self._warmup: asyncio.Task[None] | None = None
        self._warmup_at = float("-inf")

    async def work(self) -> None:
        """Scan until stopped."""
        try:
            while not self._run.stop.is_set():
                began = time.monotonic()
                await self._one_scan()
                self._tell()
                await self._run.sleep(max(0.0, self._pace() - (time.monotonic() - began)))
        finally:
            if self._warmup is not None:
                self._warmup.cancel()
            self._scanner.view.write(time.monotonic(), force=True)

    def _pace(self) -> float:
        """Real seconds from scan to scan; after a failure a moment to breathe."""
        if self._scanner.view.facts.error:
            return RETRY_S
        if self._warmup is not None:  # what is fetched now is wanted now
            return min(RETRY_S, self._settings.hype.scan_interval_s)
        return max(FLOOR_S, self._settings.hype.scan_interval_s / self._market.clock.speed)

    async def _one_scan(self) -> None:
        try:
            self._take_messages()
            await self._keep_markets()
            await self._scanner.scan()
        except Unavailable as problem:
            self._failed(str(problem))
            return
        except OSError as problem:  # what could not be written down was not proposed either
            self._failed(f"the disk refuses to write: {problem}")
            return
        self._good_at, self._scanner.view.facts.error = time.monotonic(), ""
        if self._outage_said:
            self._outage_said = False
            self._say("The scanner works again.", level="info")
        self._keep_warm()

    async def _keep_markets(self) -> None:
        """The first list comes with the first scan; later ones are fetched again now and then."""
        every = max(MARKETS_FLOOR_S, MARKETS_EVERY_MARKET_S / self._market.clock.speed)
        if time.monotonic() - self._markets_at >= every:
            await self._scanner.set_markets(refresh=self._markets_at > 0)
            self._markets_at = time.monotonic()

    def _keep_warm(self) -> None:
        if self._warmup is not None and self._warmup.done():
            task, self._warmup = self._warmup, None
            problem = task.exception()
            if problem is not None:
                log.error("the last hour could not be fetched", exc_info=problem)
        due = time.monotonic() - self._warmup_at >= WARMUP_AGAIN_S
        if self._warmup is None and due and self._scanner.needs_warmup():
            self._warmup_at = time.monotonic()
            self._warmup = asyncio.create_task(self._scanner.warm_up(), name="warm-up")

    def _failed(self, problem: str) -> None:
        """No scan: say it in the log once per wording, and to people when it lasts."""
        facts = self._scanner.view.facts
        if facts.error != problem:
            log.warning("no scan: %s", problem)
        facts.error = problem
        quiet = time.monotonic() - self._good_at
        if quiet >= OUTAGE_SAID_AFTER_S and not self._outage_said:
            self._outage_said = True
            self._say(f"The scanner has finished no scan for {quiet:.0f} s.", why=problem, level="alert",
                      todo="It keeps trying. See /status and /why; positions are the tracker's and are guarded by it.")

    def _say(self, what: str, level: Level, why: str = "", todo: str = "") -> None:
        """Tell people; a disk that refuses even this is in the log."""
        try:
            self._run.outbox.say(what, mode=mode_word(self._run.paths), why=why, todo=todo, level=level)
        except OSError as problem:
            log.error("cannot be told to people (%s): %s %s", problem, what, why)

    def _take_messages(self) -> None:
        for path, message in self._run.inbox.take():
            if message.kind == "model_ready":
                self._scanner.model_ready(str(message.body.get("symbol") or "feedback"))
                if message.body.get("text"):  # champion or challenger, retired or back: for /activity
                    self._scanner.note_model(str(message.body.get("symbol") or ""), str(message.body["text"]))
            else:
                log.error("the scanner has no message %r (from %s); ignored", message.kind, message.sender)
            self._run.inbox.done(path, message)

    def _tell(self) -> None:
        view = self._scanner.view
        facts = view.facts
        self._run.tell(
            scans=facts.scans, last_scan_ms=facts.scan_ms, data_age_s=round(time.monotonic() - self._good_at, 1),
            pace_s=round(self._pace(), 2), mood=facts.mood, mode=facts.mode, warmed=facts.warmed,
            suspects=view.funnel["suspects"],
            candidates=view.totals["candidates"], approved=view.totals["approved"],
            rejected=view.totals["rejected"], waiting=len(facts.waiting), error=facts.error,
        )
        view.write(time.monotonic())


async def main(run: ServiceRun, settings: "Settings") -> None:
    """Entry of the service (config/crew.py)."""
    run.ready()
    market = await _open(run, settings)
    if market is None:
        return
    try:
        scanner = Scanner(market, Predictor(run.paths.models), settings.hype, run.paths)
        await ScannerLoop(run, settings, market, scanner).work()
    finally:
        await market.close()


async def _open(run: ServiceRun, settings: "Settings") -> MarketData | None:
    """The market, as soon as it can be reached; None when stopped before. An absent exchange is no crash."""
    said = ""
    while not run.stop.is_set():
        try:
            return await open_market(settings.exchange, run.paths, listen=listener(run, settings.exchange.name))
        except Unavailable as problem:
            if said != str(problem):
                said = str(problem)
                log.warning("the exchange cannot be reached: %s", problem)
            run.tell(error=said)
        await run.sleep(RETRY_S)
    return None
