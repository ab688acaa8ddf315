"""``python bot.py train {all,pending,feedback,label} [--jobs N] [--fresh]``: training by hand, with progress.

Tokens are trained by joblib's workers, on this machine or on a Ray cluster (COMPUTE), one thread each; their candles
are fetched while the ones before train. After a kill the same command goes on where it stopped.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from modules.exchange.gateway import open_market
from modules.exchange.types import Unavailable
from modules.learning import jobs, modelfiles
from modules.learning.jobs import Job, Result, TokenJob
from modules.strategies.hype.files import LearningFiles
from modules.strategies.hype.labels import Labeller
from modules.strategies.hype.trainer_candles import tradable
from modules.strategies.hype.trainer_jobs import FETCHES, TrainerJobs, bars_of
from modules.strategies.hype.trainer_journal import Journal
from modules.supervision.messages import Inbox
from utils.compute import ComputeError, Crew
from utils.locks import AlreadyRunning, ProcessLock
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

NICE = 10
CHUNK = 8  # tokens per process between two words of progress
Say = Callable[[str], None]


def main(what: str, count: int | None, settings: "Settings", paths: Paths, fresh: bool = False) -> int:
    """Train `what` with `count` workers (None: as COMPUTE_JOBS says). Returns 0 done, 1 nothing could be trained.

    `fresh`: all tokens anew, also those that an interrupted training has done.
    """
    _give_way()
    try:
        return asyncio.run(train(what, count, settings, paths, _say, fresh))
    except (Unavailable, ComputeError) as problem:
        _say(f"Nothing was trained: {problem}")
        return 1
    except KeyboardInterrupt:
        _say("Stopped. Models that were finished stand; the same command goes on where it stopped.")
        return 1


async def train(what: str, count: int | None, settings: "Settings", paths: Paths, say: Say,
                fresh: bool = False) -> int:
    """Train `what` with `count` workers; returns the exit code. Raises Unavailable, ComputeError."""
    if what == "label":
        return await _label(settings, paths, say)
    modelfiles.recover(paths.models)
    market = await open_market(settings.exchange, paths)
    try:
        trainer = TrainerJobs(market, LearningFiles(paths), settings.learning, settings.hype, _here)
        if what == "feedback":
            return await _feedback(trainer, say)
        if what == "pending":
            symbols = sorted(trainer.files.pending.load())
        else:
            symbols = await tradable(market, settings.hype.min_quote_volume)
        if not symbols:
            say("No token waits for a model." if what == "pending" else "The venue lists no token with enough volume.")
            return 0
        journal = Journal(paths, f"{what}-by-hand", trainer.recipe)
        done = journal.resume(market.clock.now_ms(), fresh)
        left = [symbol for symbol in symbols if symbol not in done]
        if len(left) < len(symbols):
            say(f"It goes on where it stopped: {len(symbols) - len(left)} of {len(symbols)} tokens are done "
                "(--fresh trains all anew).")
        compute = settings.compute.model_copy(update={"jobs": count} if count else {})
        code = 0
        if left:
            with Crew(compute) as crew:
                code = await _tokens(trainer, left, crew, journal, say)
        journal.finish()
        return code
    finally:
        await market.close()


async def _label(settings: "Settings", paths: Paths, say: Say) -> int:
    """Label what is due; where the trainer runs it does that, because labels have one writer."""
    lock = ProcessLock(paths.run, "trainer")
    try:
        lock.acquire()
    except AlreadyRunning:
        Inbox(paths.inbox, "trainer").post("label", {}, "train_cli")
        say("The trainer is running: it labels what is due.")
        return 0
    try:
        market = await open_market(settings.exchange, paths)
        try:
            recipe = jobs.recipe(paths.models, settings.learning, bars_of(settings.hype))
            labeller = Labeller(LearningFiles(paths), recipe.rule)
            labeller.look()
            outcome = await labeller.label_due(market, market.clock.now_ms())
        finally:
            await market.close()
    finally:
        lock.release()
    say(f"{outcome.sentence()}. {labeller.waiting} wait for their time.")
    return 0


async def _feedback(trainer: TrainerJobs, say: Say) -> int:
    words = _Words(say)
    before = modelfiles.read_manifest(trainer.files.paths.models, modelfiles.FEEDBACK)
    depth = trainer.first_depth(before if isinstance(before, modelfiles.Manifest) else None)
    result, attempts = await trainer.feedback(words.progress, depth), 1
    while (result.aside or not result.made) and (depth := trainer.deeper(depth)):
        say(f"feedback: {result.text}")
        say("It is trained again from a longer past.")
        attempts += 1
        result = await trainer.feedback(words.progress, depth, attempts)
    say(f"feedback: {result.text}" if result.made else f"No feedback model can be made: {result.text}")
    return 0 if result.made else 1


async def _tokens(trainer: TrainerJobs, symbols: list[str], crew: Crew, journal: Journal, say: Say) -> int:
    """Chunks of tokens: while one trains, the candles of the next are fetched. What is done is noted in the journal."""
    words = _Words(say)
    size = CHUNK * crew.jobs
    chunks = [symbols[i : i + size] for i in range(0, len(symbols), size)]
    results: list[Result] = []
    upcoming = asyncio.create_task(_fetch(trainer, chunks[0]))
    for number in range(len(chunks)):
        ready, failed = await upcoming
        if number + 1 < len(chunks):
            upcoming = asyncio.create_task(_fetch(trainer, chunks[number + 1]))
        for result in await asyncio.to_thread(_batch, crew, ready, trainer.files.paths.models):
            trainer.note(result)
            journal.note(result.name)
            results.append(result)
        results += failed
        words.progress("tokens", len(results), len(symbols))
    good = [result for result in results if result.made]
    proven = sum(1 for result in good if not result.aside)
    say(f"{len(good)} of {len(symbols)} tokens have a new model; {proven} beat taking every candidate, "
        f"{len(good) - proven} stand aside.")
    for result in [result for result in results if not result.made][:10]:
        say(f"  {result.name}: no model: {result.text}")
    return 0 if good else 1


def _batch(crew: Crew, ready: list[TokenJob], folder: Path) -> list[Result]:
    """Train a chunk; workers that share our disk write their models themselves."""
    calls = [(job,) for job in ready]
    if not crew.remote:
        return crew.map(jobs.attempt, calls)
    return [jobs.keep(learned, folder) for learned in crew.map(jobs.learn_only, calls)]


async def _fetch(trainer: TrainerJobs, symbols: list[str]) -> tuple[list[TokenJob], list[Result]]:
    """Jobs of the tokens whose candles came, and results for the others."""
    turns = asyncio.Semaphore(FETCHES)
    ready: list[TokenJob] = []
    failed: list[Result] = []

    async def one(symbol: str) -> None:
        async with turns:
            try:
                ready.append(await trainer.token_job(symbol))
            except (Unavailable, ValueError) as problem:
                failed.append(Result(symbol, False, str(problem)))

    await asyncio.gather(*(one(symbol) for symbol in symbols))
    return ready, failed


def _give_way() -> None:
    """Whatever trades on this machine comes first."""
    own = psutil.Process()
    if os.name == "nt":
        own.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)  # type: ignore[attr-defined]
    elif int(own.nice()) < NICE:
        own.nice(NICE)


async def _here(job: Job) -> Result:
    """Train in this process, off the loop."""
    return await asyncio.to_thread(jobs.run, job)


class _Words:
    """Progress with the time that is left, said at most once a second and at the end."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._began = time.monotonic()
        self._last = 0.0
        self._what = ""

    def progress(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if what != self._what:
            self._what, self._began = what, now
        if done < of and now - self._last < 1.0:
            return
        self._last = now
        left = (now - self._began) / done * (of - done) if done else None
        eta = f", about {left:.0f} s left" if left is not None and done < of else ""
        self._say(f"{what}: {done}/{of} ({done * 100 // max(of, 1)} %){eta}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
