"""Training one model: LightGBM on all rows, its calibration and its metrics from rows that it had not seen.

1. Folds walk forward with a purge (validation.py); their raw scores are the out-of-sample scores.
2. The chance of each fold is calibrated on the folds before it (purged too) and compared with the base rate known
   then: the constant that the model has to beat.
3. The final model learns from all rows; its calibration and percentiles come from all out-of-sample scores.
4. Same rows, same settings: the same model to the last bit (fixed seeds, one thread).

Imports LightGBM when called, and that in worker processes only.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from modules.learning import calibration, validation
from modules.learning.calibration import Scaler
from modules.learning.quiet import without
from modules.learning.settings import LearningSettings
from modules.learning.validation import Floats, Index, Metrics

BLOCK_MS = 6 * 3_600_000.0
LEAST_OF_A_CLASS = 10  # fewer grown (or not grown) rows teach nothing
LEAST_JUDGED = 40  # out-of-sample candidates for percentiles and metrics


@dataclass(frozen=True, slots=True)
class Rows:
    """What a model learns from, in ascending order of time.

    features: (n, k); labels: (n,) 0 or 1; times: (n,) ms of the decision; judged: (n,) bool, rows that are like
    the candidates the model will be asked about (the others only teach).
    """

    features: Floats
    labels: Floats
    times: Floats
    judged: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model: LightGBM's text, calibration, metrics."""

    text: str
    scaler: Scaler
    metrics: Metrics | None  # None: nothing could be judged out of sample


class TooLittle(Exception):
    """No model can be made from these rows; the message says why, for a person."""


def fit(rows: Rows, horizon_ms: float, settings: LearningSettings) -> Fitted:
    """Train and validate one model. Raises TooLittle for fewer than `settings.min_rows` rows.

    Rows enough but not the evidence: the model is made, and stands aside for the reason in `scaler.aside`.
    """
    if len(rows) < settings.min_rows:
        raise TooLittle(f"{len(rows)} usable rows, at least {settings.min_rows} are needed")
    if (np.diff(rows.times) < 0).any():
        raise ValueError("rows are not in order of time")
    scores, fold_of = _out_of_sample(rows, horizon_ms, settings)
    seen, lack = _candidates(rows, fold_of)
    metrics = None
    base = float(rows.labels.mean())
    if not lack:
        base = float(rows.labels[seen].mean())
        metrics = _measured(rows, scores, fold_of, seen, horizon_ms, _threshold(base, settings), settings.seed)
    scaler = _scaler(rows, scores, seen, _threshold(base, settings))
    aside = lack or (metrics.edge() if metrics else "too few candidates could be judged with a calibrated chance")
    booster = train(rows.features, rows.labels, settings)
    return Fitted(booster.model_to_string(num_iteration=-1), msgspec.structs.replace(scaler, aside=aside), metrics)


def train(features: Floats, labels: Floats, settings: LearningSettings) -> Any:
    """One LightGBM Booster on these rows; one thread, fixed seeds.

    Few leaves, large ones, and a part of the columns and rows for each tree: pumps are few and noisy.
    """
    lightgbm = load_lightgbm()
    count = len(labels)
    parameters = {
        "objective": "binary", "verbosity": -1,
        "num_threads": 1, "deterministic": True, "force_col_wise": True, "seed": settings.seed,
        "max_bin": 63, "learning_rate": 0.05, "num_leaves": max(4, min(settings.leaves, count // 200)),
        "min_data_in_leaf": max(10, count // 25), "lambda_l2": 5.0, "feature_fraction": 0.4,
        "bagging_fraction": 0.6, "bagging_freq": 1,
    }  # fmt: skip
    data = lightgbm.Dataset(features, labels, params={"max_bin": 63, "verbosity": -1, "num_threads": 1})
    return lightgbm.train(parameters, data, num_boost_round=settings.trees)


def load_lightgbm() -> Any:
    """LightGBM without the packages that it would import for convenience."""
    with without("pandas", "polars", "sklearn", "matplotlib", "dask", "graphviz", "pyarrow"):
        import lightgbm
    return lightgbm


def _candidates(rows: Rows, fold_of: Index) -> tuple[Index, str]:
    """Out-of-sample rows that count, and what they lack as evidence ("" if nothing).

    Those like candidates if there are enough, else all, so that the figures at least stand on something.
    """
    every = np.flatnonzero(fold_of >= 0)
    seen = every[rows.judged[every]]
    grown = int(rows.labels[seen].sum())
    if len(seen) >= LEAST_JUDGED and min(grown, len(seen) - grown) >= LEAST_OF_A_CLASS:
        return seen, ""
    lack = (f"only {len(seen)} moments like a candidate were seen out of sample, {grown} of them grew; at least "
            f"{LEAST_JUDGED} with {LEAST_OF_A_CLASS} of each outcome are needed")
    return every, lack


def _threshold(base_rate: float, settings: LearningSettings) -> float:
    return min(0.95, base_rate * settings.approve_lift)


def _scaler(rows: Rows, scores: Floats, seen: Index, threshold: float) -> Scaler:
    """Calibration and percentiles of out-of-sample scores; the base rate for all where there are none."""
    if not len(seen):
        slope, offset = calibration.platt(np.zeros(len(rows)), rows.labels)
        return Scaler(slope=slope, offset=offset, quantiles=(0.0, 0.0), threshold=threshold)
    slope, offset, xs, ys = calibration.curve(scores[seen], rows.labels[seen])
    return Scaler(slope=slope, offset=offset, xs=xs, ys=ys, quantiles=calibration.percentiles(scores[seen]),
                  threshold=threshold)


def _out_of_sample(rows: Rows, horizon_ms: float, settings: LearningSettings) -> tuple[Floats, Index]:
    """Raw scores of rows judged by a model that ended its training before them, and which fold did (−1: none)."""
    scores = np.full(len(rows), np.nan)
    fold_of = np.full(len(rows), -1)
    for number, fold in enumerate(validation.walk_forward(rows.times, horizon_ms)):
        labels = rows.labels[fold.train]
        if len(fold.train) < settings.min_rows // 3 or labels.sum() < 5:
            continue
        booster = train(rows.features[fold.train], labels, settings)
        scores[fold.judge] = booster.predict(rows.features[fold.judge], raw_score=True, num_threads=1)
        fold_of[fold.judge] = number
    return scores, fold_of


def _measured(rows: Rows, scores: Floats, fold_of: Index, seen: Index, horizon_ms: float, threshold: float,
              seed: int) -> Metrics | None:
    """Metrics of the folds that could be calibrated on earlier ones (rule 2); None where none could."""
    probability, constant = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for number in np.unique(fold_of[seen]):
        judged = seen[fold_of[seen] == number]
        ended = rows.times + horizon_ms <= rows.times[judged].min()
        known, earlier = seen[ended[seen]], rows.judged & ended
        if len(known) < LEAST_JUDGED // 2 or len(np.unique(rows.labels[known])) < 2:
            continue
        fitted = calibration.curve(scores[known], rows.labels[known])
        probability[judged] = calibration.apply(scores[judged], fitted)
        constant[judged] = rows.labels[earlier].mean()
    usable = seen[np.isfinite(probability[seen])]
    if len(usable) < LEAST_JUDGED // 2 or len(np.unique(rows.labels[usable])) < 2:
        return None
    return validation.measure(
        probability[usable], constant[usable], rows.labels[usable], rows.times[usable], threshold=threshold,
        block_ms=BLOCK_MS, trained_rows=len(rows), fits=len(np.unique(fold_of[fold_of >= 0])) + 1, seed=seed,
    )  # fmt: skip
