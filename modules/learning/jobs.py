"""One training from rows to files, as a plain function: run by a worker process, by joblib or by a test.

Jobs and results are plain values, so that they pass between processes. Importing this is cheap; LightGBM comes
with the first fit.
"""

import platform
import time
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from modules.learning import datasets, features, fit, modelfiles
from modules.learning.datasets import Bars, LabelledRow
from modules.learning.features import Floats
from modules.learning.fit import Fitted, Rows, TooLittle
from modules.learning.labels import Rule
from modules.learning.modelfiles import FEEDBACK, FORMAT, Manifest, Versions
from modules.learning.settings import LearningSettings

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
    """Train a token's own model on its 5m candles (packed by `pack`)."""

    recipe: Recipe
    symbol: str
    candles: bytes
    now_ms: int


class FeedbackJob(msgspec.Struct, frozen=True, tag="feedback"):
    """Train the global model on past moments of hype (datasets.past_rows as bytes) and labelled candidates."""

    recipe: Recipe
    past: bytes
    labelled: list[LabelledRow]
    now_ms: int


class Result(msgspec.Struct, frozen=True):
    """What came of a job. `text` are the honest figures, or why there is no model; `memory_mb` of the process."""

    name: str
    made: bool
    text: str
    aside: str = ""
    rows: int = 0
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


def run(job: Job) -> Result:
    """Do a job and write its files. A lack of data is a Result, not an exception."""
    started = time.monotonic()
    made = _token(job) if isinstance(job, TokenJob) else _feedback(job)
    return msgspec.structs.replace(made, seconds=time.monotonic() - started, memory_mb=_memory_mb())


def _token(job: TokenJob) -> Result:
    settings = LearningSettings(**job.recipe.settings)
    candles = features.closed(unpack(job.candles), job.now_ms)
    rows = datasets.token_rows(candles, job.recipe.rule, job.recipe.bars)
    try:
        fitted = fit.fit(rows, job.recipe.after_ms, settings)
    except TooLittle as problem:
        modelfiles.save_none(Path(job.recipe.folder), job.symbol, str(problem), job.now_ms)
        return Result(job.symbol, False, str(problem), rows=len(rows))
    return _saved(job, job.symbol, rows, features.FEATURES, fitted, "candles", 0)


def _feedback(job: FeedbackJob) -> Result:
    settings = LearningSettings(**job.recipe.settings)
    past = unpack(job.past, len(features.FEATURES) + len(features.CONTEXT) + 2)
    made = datasets.feedback_rows(past, job.labelled)
    try:
        fitted = fit.fit(made.rows, job.recipe.after_ms, settings)
    except TooLittle as problem:
        return Result(FEEDBACK, False, str(problem), rows=len(made.rows))
    origin: Origin = "labelled"
    if made.labelled < len(made.rows):
        origin = "bootstrap+labelled" if made.labelled else "bootstrap"
    return _saved(job, FEEDBACK, made.rows, made.names, fitted, origin, made.labelled)


def _saved(job: Job, name: str, rows: Rows, names: tuple[str, ...], fitted: Fitted, origin: Origin,
           labelled: int) -> Result:
    """Write the files of a fitted model."""
    manifest = Manifest(
        format=FORMAT, name=name, generation="", files={}, features=names, label=job.recipe.rule.title(),
        origin=origin, rows=len(rows), labelled_rows=labelled, from_ms=int(rows.times[0]), to_ms=int(rows.times[-1]),
        trained_ms=job.now_ms, threshold=fitted.scaler.threshold, aside=fitted.scaler.aside, metrics=fitted.metrics,
        versions=Versions(features.VERSION, str(fit.load_lightgbm().__version__), platform.python_version()),
    )  # fmt: skip
    modelfiles.save(Path(job.recipe.folder), manifest, fitted.text, fitted.scaler)
    return Result(name, True, summary(manifest), fitted.scaler.aside, len(rows))


def summary(card: Manifest) -> str:
    """A model's honest figures in two sentences."""
    source = {"candles": "candles", "bootstrap": "past moments of hype", "labelled": "labelled candidates",
              "bootstrap+labelled": "past moments of hype and labelled candidates"}[card.origin]  # fmt: skip
    learnt = f"Learnt from {card.rows} {source}" + (f" ({card.labelled_rows} real)" if card.labelled_rows else "")
    judged = card.metrics.sentence() if card.metrics else "could not be judged out of sample"
    return f"{learnt}; {judged}." + (f" Stands aside: {card.aside}." if card.aside else "")


def _memory_mb() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 1e6
