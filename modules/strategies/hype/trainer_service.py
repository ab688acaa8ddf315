"""The trainer: labels candidates and trains the models, beside the trading and never in its way.

1. Three lanes run side by side: tokens that a candidate waits for, labels, and the long trainings. A token never
   waits behind ``/starttrain``.
2. A message is marked as handled when its work is done: a crash in between does the work again, which is harmless.
3. Training runs in worker processes (modules/learning/workers.py), which end when there is nothing to do.
4. The schedule is market time: labels every few minutes, the feedback model every `feedback_every_h` or after enough
   new labels, pending tokens every `pending_every_h`. On a fast market REST_S of real time lie between two
   scheduled feedback trainings, or it would do nothing else.
5. With each look for labels, candidates get their results and the models are held to their promise
   (trainer_results.py, trainer_promise.py).
6. A training that fails is told; one that fails KEEPS_FAILING times in a row is an alert, said once, and its end too.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from modules.exchange.api import MarketData
from modules.exchange.gateway import open_market
from modules.exchange.types import Unavailable
from modules.execution.mode import mode_word
from modules.learning import catalog, modelfiles
from modules.learning.jobs import Result
from modules.learning.modelfiles import FEEDBACK, Manifest
from modules.learning.workers import WorkerFailed, Workers
from modules.storage.damage import StateError
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.files import LearningFiles
from modules.strategies.hype.labels import Labeller
from modules.strategies.hype.trainer_candles import tradable
from modules.strategies.hype.trainer_jobs import TrainerJobs
from modules.strategies.hype.trainer_journal import Journal
from modules.strategies.hype.trainer_promise import Change, PromiseKeeper
from modules.strategies.hype.trainer_results import Results
from modules.strategies.hype.trainer_words import Pace, set_aside, tell_change
from modules.supervision.messages import Inbox, Message
from modules.supervision.outbox import Level
from modules.supervision.service import ServiceRun

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)

TURN_S = 0.25  # how often the inbox is looked at
RETRY_S = 5.0  # after the exchange did not answer
TRIES = 3
REST_S = 600.0
HOUR_MS = 3_600_000
KEEPS_FAILING = 3
Done = Callable[[], None]


async def main(run: ServiceRun, settings: "Settings") -> None:
    """The service (entry of config/crew.py)."""
    run.ready(state="connecting to the exchange")
    market = await _connect(run, settings)
    if market is None:
        return
    workers = Workers(settings.learning.jobs)
    trainer = Trainer(run, settings, market, workers)
    try:
        await trainer.live()
    finally:
        await workers.close()
        await market.close()


async def _connect(run: ServiceRun, settings: "Settings") -> MarketData | None:
    """The market, as soon as it answers; None after a stop. An exchange that is away is waited for."""
    while not run.stop.is_set():
        try:
            market = await open_market(settings.exchange, run.paths)
        except Unavailable as problem:
            run.tell(state=f"waits for the exchange: {problem}")
            log.warning("the exchange does not answer: %s", problem)
            await run.sleep(RETRY_S)
            continue
        return market
    return None


class Trainer:
    """Lanes, schedule and words of the running trainer."""

    def __init__(self, run: ServiceRun, settings: "Settings", market: MarketData, workers: Workers) -> None:
        self.run = run
        self.market = market
        self.learning = settings.learning
        self.hype = settings.hype
        self.workers = workers
        self.files = LearningFiles(run.paths)
        self.jobs = TrainerJobs(market, self.files, settings.learning, settings.hype, workers.run)
        self.labeller = Labeller(self.files, self.jobs.recipe.rule)
        self.results = Results(self.files, rules_of(settings.hype), settings.learning.cost_side_pct)
        self.promises = PromiseKeeper(self.files, settings.learning)
        self._scanner = Inbox(run.paths.inbox, "scanner")
        self._lanes: dict[str, asyncio.Queue[tuple[str, str, list[Done]]]] = {
            lane: asyncio.Queue() for lane in ("token", "label", "long")}
        self._queued: dict[tuple[str, str], list[Done]] = {}
        self._running: dict[tuple[str, str], list[Done]] = {}
        self._taken: set[str] = set()
        self._due: dict[str, int] = {}
        self._feedback_began: float | None = None
        self._labels_at_training: int | None = None  # None: not counted yet
        self._failures = 0
        self._in_a_row: dict[str, int] = {}
        self._pace = Pace()
        self._asked = False  # somebody waits for the feedback model: he hears how far it is

    async def live(self) -> None:
        """Until the stop."""
        for name in modelfiles.recover(self.run.paths.models):
            log.warning("finished the interrupted writing of the model of %s", name)
        await asyncio.to_thread(set_aside, self.files, self.run.outbox)
        self.run.tell(state="idle", **catalog.counts(self.run.paths.models))
        lanes = [asyncio.create_task(self._lane(name), name=f"lane {name}") for name in self._lanes]
        try:
            while not self.run.stop.is_set():
                self._take_messages()
                self._schedule()
                await self.workers.trim()
                for lane in lanes:
                    if lane.done():
                        lane.result()  # a lane never ends by itself: what ended it ends the service
                await self.run.sleep(TURN_S)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            self._drop_long_work()

    def _drop_long_work(self) -> None:
        """After a stop that was asked for, a long training does not begin again with the next start."""
        if not self.run.stop.is_set():
            return
        for (kind, _), waiting in [*self._queued.items(), *self._running.items()]:
            if kind in ("pending", "all"):
                for done in waiting:
                    done()

    # -- what is to be done

    def _take_messages(self) -> None:
        for path, message in self.run.inbox.take():
            if message.id in self._taken:
                continue
            self._taken.add(message.id)
            self._accept(path, message)

    def _accept(self, path: Path, message: Message) -> None:
        """Queue a message's work; what cannot be understood is said and put away."""
        def done() -> None:
            self.run.inbox.done(path, message)
            self._taken.discard(message.id)

        symbol = str(message.body.get("symbol", ""))
        if message.kind == "token":
            try:
                modelfiles.check_name(symbol)
            except ValueError as problem:
                log.error("message %s from %s refused: %s", message.id, message.sender, problem)
                done()
                return
            self._queue("token", "token", symbol, done)
        elif message.kind in ("label", "feedback", "pending", "all"):
            asked = message.sender if message.kind != "label" else ""
            if message.kind == "feedback" and asked != "scanner":
                self._asked = True
                self._say("Training of the feedback model begins", why=f"Asked for by {asked}.")
            self._queue("label" if message.kind == "label" else "long", message.kind, "", done)
        else:
            log.error("message of unknown kind %s from %s", message.kind, message.sender)
            done()

    def _queue(self, lane: str, kind: str, symbol: str, done: Done | None = None) -> None:
        """Queue work once; those who ask again while it waits or runs are told with the first."""
        key = (kind, symbol)
        waiting = self._queued.get(key, self._running.get(key))
        if waiting is None:
            waiting = self._queued[key] = []
            self._lanes[lane].put_nowait((kind, symbol, waiting))
        if done is not None:
            waiting.append(done)

    def _schedule(self) -> None:
        """Rule 4."""
        try:
            now = self.market.clock.now_ms()
        except Unavailable:
            return
        if now >= self._due.get("label", 0):
            self._due["label"] = now + int(self.learning.label_every_s * 1000)
            self._queue("label", "label", "")
        if now >= self._due.get("feedback", 0):
            self._due["feedback"] = now + 60_000
            if self._feedback_is_due(now):
                self._queue("long", "feedback", "")
        if "pending" not in self._due:
            self._due["pending"] = now + HOUR_MS
        if now >= self._due["pending"]:
            self._due["pending"] = now + int(self.learning.pending_every_h * HOUR_MS)
            self._queue("long", "pending", "")

    def _feedback_is_due(self, now_ms: int) -> bool:
        card = modelfiles.read_manifest(self.run.paths.models, FEEDBACK)
        if not isinstance(card, Manifest) or card.trained_ms > now_ms:  # from a market that has begun anew
            return True
        if self._feedback_began is not None and time.monotonic() - self._feedback_began < REST_S:
            return False
        if now_ms - max(card.trained_ms, card.checked_ms) >= self.learning.feedback_every_h * HOUR_MS:
            return True
        before = self._labels_at_training
        return before is not None and self.labeller.total - before >= self.learning.feedback_new_labels

    # -- doing it

    async def _lane(self, name: str) -> None:
        """Work of one lane, one after the other."""
        work: dict[str, Callable[[str], Awaitable[None]]] = {
            "token": self._token, "label": self._label, "feedback": self._feedback,
            "pending": self._pending, "all": self._all,
        }  # fmt: skip
        while True:
            kind, symbol, waiting = await self._lanes[name].get()
            self._running[(kind, symbol)] = self._queued.pop((kind, symbol))
            try:
                await self._with_patience(lambda kind=kind, symbol=symbol: work[kind](symbol))  # type: ignore[misc]
                self._went_well(kind)
            except Exception as problem:  # noqa: BLE001 - border of a task: logged with its stack, counted, told
                self._failed(kind, symbol, problem)
            del self._running[(kind, symbol)]
            for done in waiting:
                done()
            self.run.tell(state="idle" if not self._queued else "working", **{f"{name}_progress": ""})

    async def _with_patience(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do work; an exchange that does not answer is asked again a few times."""
        for attempt in range(1, TRIES + 1):
            try:
                await work()
                return
            except Unavailable as problem:
                if attempt == TRIES:
                    raise
                log.warning("the exchange does not answer (%s); once more in %.0f s", problem, RETRY_S)
                await asyncio.sleep(RETRY_S)

    def _failed(self, kind: str, symbol: str, problem: Exception) -> None:
        self._failures += 1
        self.run.tell(failures=self._failures)
        if isinstance(problem, Unavailable):
            log.error("%s %s not done: %s", kind, symbol, problem)
        else:
            log.error("%s %s failed", kind, symbol, exc_info=problem)
        short = str(problem).strip().splitlines()[-1] if str(problem).strip() else type(problem).__name__
        if kind == "token":
            self._scanner.post("model_ready", {"symbol": symbol, "made": False, "reason": short}, "trainer")
        row = self._in_a_row[kind] = self._in_a_row.get(kind, 0) + 1
        told = kind not in ("token", "label") or isinstance(problem, (StateError, OSError))
        if row == KEEPS_FAILING:
            self._say(f"Training ({kind}) keeps failing: {row} times in a row", why=short, level="alert",
                      todo="The standing models go on judging and grow old. /logs trainer has the details.")
        elif told and row < KEEPS_FAILING:
            self._say(f"Training ({kind}) was not done", why=short, level="warning",
                      todo="It is tried again by schedule; /logs trainer has the details.",
                      key=f"trainer-{kind}-failed-{self._failures}")

    def _went_well(self, kind: str) -> None:
        """The end of a row of failures that people were told of."""
        if self._in_a_row.pop(kind, 0) >= KEEPS_FAILING:
            self._say(f"Training ({kind}) works again")

    async def _token(self, symbol: str) -> None:
        """The model that a candidate waits for (A5); the scanner hears in any case."""
        self.run.tell(state="working", token_progress=symbol)
        self._announce(await self.jobs.token(symbol))

    def _announce(self, result: Result, tell: bool = True) -> None:
        """To the scanner: candidates may be judged again. `tell`: count the models anew, which reads them all."""
        log.info("model of %s %s in %.1f s: %s", result.name, "made" if result.made else "not made", result.seconds,
                 result.text)
        body = {"symbol": result.name, "made": result.made, "reason": result.aside if result.made else result.text}
        if result.name == FEEDBACK:
            body["text"] = ("feedback model: " if result.made else "no feedback model: ") + result.text
        self._scanner.post("model_ready", body, "trainer")
        if tell:
            self.run.tell(worker_mb=round(result.memory_mb), **catalog.counts(self.run.paths.models))

    def _changed(self, change: Change) -> None:
        """A model was retired, or speaks again: people, /activity and the log hear of it."""
        what = tell_change(change, self.run.outbox)
        self._scanner.post("model_ready", {"symbol": change.name, "made": True, "reason": change.reason,
                                           "text": f"{what}: {change.reason}"}, "trainer")

    async def _label(self, _: str) -> None:
        await asyncio.to_thread(self.labeller.look)
        if self._labels_at_training is None:
            self._labels_at_training = self.labeller.total
        outcome = await self.labeller.label_due(self.market, self.market.clock.now_ms())
        if outcome.labelled or outcome.unlabelled:
            log.info("%s", outcome.sentence())
        await asyncio.to_thread(self.results.look)
        await self.results.write_due(self.market, self.market.clock.now_ms())
        for change in await asyncio.to_thread(self.promises.look, self.market.clock.now_ms()):
            self._changed(change)
        self.run.tell(labelled=self.labeller.total, waiting_for_label=self.labeller.waiting,
                      waiting_for_result=self.results.waiting)

    async def _feedback(self, _: str) -> None:
        """Train the global model; one without a proven edge is trained again from a longer past, while there is one."""
        before = modelfiles.read_manifest(self.run.paths.models, FEEDBACK)
        card = before if isinstance(before, Manifest) else None
        if card is None:
            self._say("The feedback model is being trained for the first time",
                      why="Until it is there, tokens that need its judgement wait.")
        self._feedback_began = time.monotonic()
        depth, attempts = self.jobs.first_depth(card), 0
        while depth:
            labels, attempts = self.labeller.total, attempts + 1
            result = await self.jobs.feedback(self._progress, depth, attempts)
            self._labels_at_training = labels
            self._announce(result)
            unproven = bool(result.aside) or not result.made
            depth = self.jobs.deeper(depth) if unproven else 0
            longer = "It is trained again now, from a longer past." if depth else ""
            if result.made:
                self._say("Feedback model trained", why=result.text, todo=longer)
            elif not depth:
                self._due["feedback"] = self.market.clock.now_ms() + HOUR_MS
                self._say("No feedback model can be made yet", why=result.text, level="warning",
                          todo="It is tried again every hour of market time, and with every new label.")
        self._asked = False

    async def _pending(self, _: str) -> None:
        symbols = sorted(self.files.pending.load())
        if symbols:
            await self._many(symbols, "that wait")

    async def _all(self, _: str) -> None:
        symbols = await tradable(self.market, self.hype.min_quote_volume)
        journal = Journal(self.run.paths, "all", self.jobs.recipe)
        done = journal.resume(self.market.clock.now_ms())
        await self._many([symbol for symbol in symbols if symbol not in done], "of the venue", journal, len(done))
        journal.finish()

    async def _many(self, symbols: list[str], which: str, journal: Journal | None = None, before: int = 0) -> None:
        """Train many tokens, with words at the start, at each quarter and at the end."""
        went_on = f"It goes on where it stopped: {before} are done." if before else ""
        self._say(f"Training of {len(symbols)} tokens {which} begins", why=went_on)
        results = await self.jobs.tokens(symbols, self._progress, journal.note if journal else None)
        made = [result for result in results if result.made]
        proven = [result for result in made if not result.aside]
        for result in results:
            self._announce(result, tell=False)
        self.run.tell(**catalog.counts(self.run.paths.models))
        missing = [result for result in results if not result.made]
        why = f"{len(proven)} beat a constant out of sample; {len(made) - len(proven)} stand aside."
        if missing:
            why += f" {len(missing)} have none, e.g. {missing[0].name}: {missing[0].text}."
        self._say(f"{len(made)} of {len(symbols)} tokens have a new model", why=why)

    def _say(self, what: str, *, why: str = "", todo: str = "", level: Level = "info", key: str = "") -> None:
        """A message, headed with the mode of new entries (the models judge for both)."""
        self.run.outbox.say(what, mode=mode_word(self.run.paths), why=why, todo=todo, level=level, key=key)

    def _progress(self, what: str, done: int, of: int) -> None:
        """Seen in /status at once; in messages at each quarter of a long training."""
        share = self._pace.told(what, done, of)
        self.run.tell(state="working", long_progress=f"{what} {done}/{of} ({share})", progress=f"{what} {share}")
        if (what == "tokens" or self._asked) and of >= 20 and done < of and done * 4 // of > (done - 1) * 4 // of:
            self._say(f"Training: {share}", why=f"{what.capitalize()}: {done} of {of} tokens.")


__all__ = ["Trainer", "WorkerFailed", "main"]
