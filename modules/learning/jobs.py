"""One training from rows to files, as a plain function: run by a worker process, by joblib or by a test.

Jobs and results are plain values, so that they pass between processes. Importing this is cheap; LightGBM comes
with the first fit.
"""

import logging
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from modules.learning import cards, datasets, features, fit, gate, modelfiles, modelkeeping, promise
from modules.learning.calibration import Scaler
from modules.learning.datasets import Bars, LabelledRow
from modules.learning.features import Floats
from modules.learning.fit import Fitted, Rows, TooLittle
from modules.learning.labels import Rule
from modules.learning.modelfiles import FEEDBACK, FORMAT, Manifest, Versions, summary
from modules.learning.settings import LearningSettings

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
OLDEST_CHAMPION_MS = 14 * DAY_MS  # a market changes: after that the newer model counts
Origin = Literal["candles", "bootstrap", "bootstrap+labelled", "labelled"]


class Recipe(msgspec.Struct, frozen=True):
    """What all trainings share: where models lie, the question, what counts as hype, the settings."""

    folder: str
    after_ms: int
    growth_pct: float
    any_time: bool
    bars: Bars
    settings: dict[str, Any]

    @property
    def rule(self) -> Rule:
        return Rule(self.after_ms, self.growth_pct, self.any_time)


class TokenJob(msgspec.Struct, frozen=True, tag="token"):
    """Train a token's own model on its 5m candles (packed by `pack`). `net`: the net result after each, packed.

    `held`: why a model of this name may not speak yet (its predecessor broke its promise), "" if it may.
    """

    recipe: Recipe
    symbol: str
    candles: bytes
    now_ms: int
    net: bytes = b""
    held: str = ""


class FeedbackJob(msgspec.Struct, frozen=True, tag="feedback"):
    """Train the global model on past moments of hype (datasets.past_rows as bytes) and labelled candidates.

    `attempts`: trainings that have looked for an edge one after the other, this one too; the gate deflates for it.
    """

    recipe: Recipe
    past: bytes
    labelled: list[LabelledRow]
    now_ms: int
    held: str = ""
    attempts: int = 1


class Result(msgspec.Struct, frozen=True):
    """What came of a job. `text` are the honest figures, or why there is no model; `memory_mb` of the process."""

    name: str
    made: bool
    text: str
    aside: str = ""
    rows: int = 0
    stays: bool = False  # a challenger did not beat the standing model
    seconds: float = 0.0
    memory_mb: float = 0.0


Job = TokenJob | FeedbackJob


def recipe(folder: Path, settings: LearningSettings, bars: Bars) -> Recipe:
    """The recipe that the settings ask for."""
    return Recipe(str(folder), int(settings.label_after_h * 3_600_000), settings.label_growth_pct,
                  settings.label_any_time, bars, settings.model_dump())


def pack(candles: Floats) -> bytes:
    """A table (candles, rows) as bytes, for a job."""
    return np.ascontiguousarray(candles, dtype="<f8").tobytes()


def unpack(raw: bytes, width: int = 6) -> Floats:
    """`pack` backwards; 6 columns are candles."""
    return np.frombuffer(raw, dtype="<f8").reshape(-1, width).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Learned:
    """What a job has learnt, before anything is written. `why` there is no model, or the parts of one."""

    name: str
    rows: int
    now_ms: int
    why: str = ""
    manifest: Manifest | None = None
    text: str = ""
    scaler: Scaler | None = None
    card: cards.Card | None = None
    seconds: float = 0.0


def run(job: Job) -> Result:
    """Do a job and write its files. A lack of data is a Result, not an exception."""
    return keep(learn(job), Path(job.recipe.folder))


def attempt(job: Job) -> Result:
    """`run` for batches: an error of one token is its Result, and does not end the others."""
    try:
        return run(job)
    except Exception as problem:  # noqa: BLE001 - the border of one job in a batch: logged with its stack, told
        return _broken(job, problem)


def learn_only(job: Job) -> Learned:
    """`learn` for batches on other machines, whose disk is not ours; `keep` what comes back."""
    try:
        return learn(job)
    except Exception as problem:  # noqa: BLE001 - the border of one job in a batch: logged with its stack, told
        return Learned(_name(job), 0, job.now_ms, why=_broken(job, problem).text)


def learn(job: Job) -> Learned:
    """Train, without touching a file."""
    started = time.monotonic()
    made = _token(job) if isinstance(job, TokenJob) else _feedback(job)
    return replace(made, seconds=time.monotonic() - started)


def keep(learned: Learned, folder: Path) -> Result:
    """Write what was learnt, unless the model that stands is better by the gate's rule (champion)."""
    result = _kept(learned, folder)
    return msgspec.structs.replace(result, rows=learned.rows, seconds=learned.seconds, memory_mb=_memory_mb())


def _kept(learned: Learned, folder: Path) -> Result:
    name, manifest = learned.name, learned.manifest
    if manifest is None or learned.scaler is None:
        if name != FEEDBACK:
            modelfiles.save_none(folder, name, learned.why, learned.now_ms)
        return Result(name, False, learned.why)
    modelkeeping.set_aside_unsound(folder, name)
    before = modelfiles.read_manifest(folder, name)
    if isinstance(before, Manifest) and _defends(before, manifest.gate, learned.now_ms):
        modelkeeping.note_checked(folder, name, learned.now_ms)
        return Result(name, True, f"the standing model stays, the new one does not beat it. {summary(before)}",
                      before.aside, stays=True)
    saved = modelfiles.save(folder, manifest, learned.text, learned.scaler)
    if learned.card is not None:
        cards.save(folder, msgspec.structs.replace(learned.card, generation=saved.generation))
    return Result(name, True, summary(saved), saved.aside)


def _name(job: Job) -> str:
    return job.symbol if isinstance(job, TokenJob) else FEEDBACK


def _broken(job: Job, problem: Exception) -> Result:
    log.error("the training of %s failed", _name(job), exc_info=problem)
    return Result(_name(job), False, f"the training failed: {type(problem).__name__}: {problem}")


def _token(job: TokenJob) -> Learned:
    modelfiles.check_name(job.symbol)
    settings = LearningSettings(**job.recipe.settings)
    candles = features.closed(unpack(job.candles), job.now_ms)
    net = unpack(job.net, 1)[: len(candles), 0] if job.net else None
    rows = datasets.token_rows(candles, job.recipe.rule, job.recipe.bars, net)
    try:
        fitted = fit.fit(rows, job.recipe.after_ms, settings)
    except TooLittle as problem:
        return Learned(job.symbol, len(rows), job.now_ms, why=str(problem))
    return _learned(job, rows, features.FEATURES, fitted, "candles", 0)


def _feedback(job: FeedbackJob) -> Learned:
    settings = LearningSettings(**job.recipe.settings)
    past = unpack(job.past, datasets.PAST_COLUMNS)
    made = datasets.feedback_rows(past, job.labelled)
    try:
        weights = age_weights(made.rows.times, settings.half_life_days)
        fitted = fit.contest(made.rows, job.recipe.after_ms, settings, weights, job.attempts)
    except TooLittle as problem:
        return Learned(FEEDBACK, len(made.rows), job.now_ms, why=str(problem))
    origin: Origin = "labelled"
    if made.labelled < len(made.rows):
        origin = "bootstrap+labelled" if made.labelled else "bootstrap"
    return _learned(job, made.rows, made.names, fitted, origin, made.labelled)


def age_weights(times: Floats, half_life_days: float) -> Floats:
    """Weights of rows by their age (times in ms, ascending): half after each half-life; their mean is 1."""
    if not len(times):
        return np.ones(0)
    weights: Floats = np.exp2((times - times[-1]) / (half_life_days * DAY_MS))
    return weights / weights.mean()


def _learned(job: Job, rows: Rows, names: tuple[str, ...], fitted: Fitted, origin: Origin, labelled: int) -> Learned:
    """A fitted model with its card and its promise."""
    name, settings = _name(job), LearningSettings(**job.recipe.settings)
    own = fitted.scaler.aside or gate.decide(fitted.gate).refusal()  # no word without a proven net result
    held = job.held if not own else ""
    label = fitted.title or job.recipe.rule.title()
    manifest = Manifest(
        format=FORMAT, name=name, generation="", files={}, features=names, label=label,
        origin=origin, rows=len(rows), labelled_rows=labelled, from_ms=int(rows.times[0]), to_ms=int(rows.times[-1]),
        trained_ms=job.now_ms, threshold=fitted.scaler.threshold, aside=own or held, metrics=fitted.metrics,
        gate=fitted.gate, promise=_promise(fitted, settings), retired=held,
        versions=Versions(features.VERSION, str(fit.load_lightgbm().__version__), platform.python_version()),
    )  # fmt: skip
    card = None
    if fitted.shown is not None:
        card = cards.make(name, label, fitted.shown, settings.approve_confidence, settings.seed)
    scaler = msgspec.structs.replace(fitted.scaler, aside=own)
    return Learned(name, len(rows), job.now_ms, manifest=manifest, text=fitted.text, scaler=scaler, card=card)


def _promise(fitted: Fitted, settings: LearningSettings) -> promise.Promise | None:
    """What the live record will be held against."""
    shown = fitted.shown
    if shown is None:
        return None
    lift = fitted.gate.lift if fitted.gate is not None and fitted.gate.lift.high < gate.UNKNOWN else None
    return promise.promise(shown.confidence, shown.labels, shown.times, lift, settings.approve_confidence,
                           settings.seed)


def _defends(champion: Manifest, challenger: gate.Evidence | None, now_ms: int) -> bool:
    """Whether the standing model keeps its place: it may speak, is not old or foreign, and the new one is no better."""
    fresh = 0 <= now_ms - champion.trained_ms <= OLDEST_CHAMPION_MS
    usable = champion.versions.features == features.VERSION and not champion.aside and fresh
    return usable and champion.gate is not None and not gate.replaces(champion.gate, challenger)


def _memory_mb() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 1e6
