"""Training one model: LightGBM on all rows, its calibration and its metrics from rows that it had not seen.

1. Folds walk forward with a purge (validation.py); their raw scores are the out-of-sample scores.
2. The chance of each fold is calibrated on the folds before it (purged too) and compared with the base rate known
   then: the constant that the model has to beat.
3. The final model learns from all rows; its calibration and percentiles come from all out-of-sample scores.
4. Same rows, same settings: the same model to the last bit (fixed seeds, one thread).
5. Where net results are known, the gate decides (gate.py): a model that does not beat taking every candidate stands
   aside, however well it tells the label. `contest` lets two labels compete: the asked one, and "net result above 0".

Imports LightGBM when called, and that in worker processes only.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from modules.learning import calibration, gate, validation
from modules.learning.calibration import Scaler
from modules.learning.gate import Evidence
from modules.learning.quiet import without
from modules.learning.settings import LearningSettings
from modules.learning.validation import Floats, Index, Metrics

BLOCK_MS = 6 * 3_600_000.0
NET_HORIZON_MS = 48 * 3_600_000.0  # the longest a net result looks ahead
HEAVIEST = 8.0  # percent of net result beyond which a row weighs no more
LEAST_OF_A_CLASS = 10  # fewer grown (or not grown) rows teach nothing
LEAST_JUDGED = 40  # out-of-sample candidates for percentiles and metrics


@dataclass(frozen=True, slots=True)
class Rows:
    """What a model learns from, in ascending order of time.

    features: (n, k); labels: (n,) 0 or 1; times: (n,) ms of the decision; judged: (n,) bool, rows that are like
    the candidates the model will be asked about (the others only teach); net: (n,) net result in percent, NaN where
    not known (None: of no row).
    """

    features: Floats
    labels: Floats
    times: Floats
    judged: npt.NDArray[np.bool_]
    net: Floats | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model: LightGBM's text, calibration, metrics; `title` of its label where that is not the asked one."""

    text: str
    scaler: Scaler
    metrics: Metrics | None  # None: nothing could be judged out of sample
    gate: Evidence | None = None  # None: no net result was known
    title: str = ""
    shown: "Shown | None" = field(default=None, compare=False)  # what it said of rows that it had not seen


@dataclass(frozen=True, slots=True)
class Shown:
    """Out-of-sample judgements in order of time, each (n,): for the card and the promise. NaN is not known."""

    probability: Floats
    confidence: Floats
    labels: Floats
    net: Floats
    times: Floats


class TooLittle(Exception):
    """No model can be made from these rows; the message says why, for a person."""


def fit(rows: Rows, horizon_ms: float, settings: LearningSettings, weights: Floats | None = None,
        tried: int = 1) -> Fitted:
    """Train and validate one model. Raises TooLittle for fewer than `settings.min_rows` rows.

    `weights`: of the rows (None: all alike); `tried`: how many models compete, which the gate's figure is deflated for.

    Rows enough but not the evidence: the model is made, and stands aside for the reason in `scaler.aside`.
    """
    if len(rows) < settings.min_rows:
        raise TooLittle(f"{len(rows)} usable rows, at least {settings.min_rows} are needed")
    if (np.diff(rows.times) < 0).any():
        raise ValueError("rows are not in order of time")
    scores, fold_of = _out_of_sample(rows, horizon_ms, settings, weights)
    seen, lack = _candidates(rows, fold_of)
    metrics, shown = None, None
    base = float(rows.labels.mean())
    confidence = _confidence(rows, scores, fold_of, seen, horizon_ms)
    if not lack:
        base = float(rows.labels[seen].mean())
        probability, constant = _calibrated(rows, scores, fold_of, seen, horizon_ms)
        metrics = _measured(rows, probability, constant, seen, fold_of, _threshold(base, settings), settings.seed)
        net = np.full(len(rows), np.nan) if rows.net is None else rows.net
        shown = Shown(probability[seen], confidence[seen], rows.labels[seen], net[seen], rows.times[seen])
    scaler = _scaler(rows, scores, seen, _threshold(base, settings))
    aside = lack or (metrics.edge() if metrics else "too few candidates could be judged with a calibrated chance")
    gated = rows.net is not None and bool(np.isfinite(rows.net).any())
    evidence = _evidence(rows, confidence, seen, tried, settings) if gated else None
    if gated and not lack:  # rule 5
        decision = gate.decide(evidence)
        aside = "" if decision.speaks else decision.reason
    booster = train(rows.features, rows.labels, settings, weights)
    return Fitted(booster.model_to_string(num_iteration=-1), msgspec.structs.replace(scaler, aside=aside), metrics,
                  evidence, shown=shown)


def contest(rows: Rows, horizon_ms: float, settings: LearningSettings, weights: Floats | None = None,
            attempts: int = 1) -> Fitted:
    """The better of two models by the gate's rule: of the label asked for, and of the net result. Raises TooLittle.

    Rows without a net result do not teach the second one; without any there is no contest. `weights`: of the rows, by
    their age (None: all alike). `attempts`: contests held for this place, this one too; each tries two models.
    """
    tried = 2 * attempts
    asked = fit(rows, horizon_ms, settings, weights, tried)
    known = np.zeros(len(rows), np.bool_) if rows.net is None else np.isfinite(rows.net)
    if rows.net is None or known.sum() < settings.min_rows:
        return asked
    net = rows.net[known]
    won = Rows(rows.features[known], (net > 0).astype(np.float64), rows.times[known], rows.judged[known], net)
    heavy = np.minimum(np.abs(net), HEAVIEST) + 0.2
    heavy = heavy if weights is None else heavy * weights[known]
    try:
        other = fit(won, max(horizon_ms, NET_HORIZON_MS), settings, heavy, tried)
    except TooLittle:
        return asked
    better = gate.decide(other.gate).speaks and gate.replaces(asked.gate, other.gate)
    return replace(other, title="net result above 0") if better else asked


def _confidence(rows: Rows, scores: Floats, fold_of: Index, seen: Index, horizon_ms: float) -> Floats:
    """The percentile of each judged row among the scores whose labels had ended before its fold; NaN where too few."""
    confidence = np.full(len(rows), np.nan)
    for number in np.unique(fold_of[seen]):
        judged = seen[fold_of[seen] == number]
        earlier = np.sort(scores[seen[rows.times[seen] + horizon_ms <= rows.times[judged].min()]])
        if len(earlier) >= LEAST_JUDGED:
            confidence[judged] = np.searchsorted(earlier, scores[judged], side="right") / len(earlier)
    return confidence


def _evidence(rows: Rows, confidence: Floats, seen: Index, tried: int, settings: LearningSettings) -> Evidence:
    """Net result of what would have been approved: the percentile among earlier scores is what live is asked for."""
    assert rows.net is not None
    usable = seen[np.isfinite(confidence[seen])]
    return gate.evidence(rows.net[usable], confidence[usable] >= settings.approve_confidence, rows.times[usable],
                         tried=tried, seed=settings.seed)


def train(features: Floats, labels: Floats, settings: LearningSettings, weights: Floats | None = None) -> Any:
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
    data = lightgbm.Dataset(features, labels, weight=weights, params={"max_bin": 63, "verbosity": -1, "num_threads": 1})
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


def _out_of_sample(rows: Rows, horizon_ms: float, settings: LearningSettings,
                   weights: Floats | None) -> tuple[Floats, Index]:
    """Raw scores of rows judged by a model that ended its training before them, and which fold did (−1: none)."""
    scores = np.full(len(rows), np.nan)
    fold_of = np.full(len(rows), -1)
    for number, fold in enumerate(validation.walk_forward(rows.times, horizon_ms)):
        labels = rows.labels[fold.train]
        if len(fold.train) < settings.min_rows // 3 or labels.sum() < 5:
            continue
        weight = None if weights is None else weights[fold.train]
        booster = train(rows.features[fold.train], labels, settings, weight)
        scores[fold.judge] = booster.predict(rows.features[fold.judge], raw_score=True, num_threads=1)
        fold_of[fold.judge] = number
    return scores, fold_of


def _calibrated(rows: Rows, scores: Floats, fold_of: Index, seen: Index, horizon_ms: float) -> tuple[Floats, Floats]:
    """Chances of the folds that could be calibrated on earlier ones (rule 2), and the base rate known then."""
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
    return probability, constant


def _measured(rows: Rows, probability: Floats, constant: Floats, seen: Index, fold_of: Index, threshold: float,
              seed: int) -> Metrics | None:
    """Metrics of the rows with a calibrated chance; None where there are too few."""
    usable = seen[np.isfinite(probability[seen])]
    if len(usable) < LEAST_JUDGED // 2 or len(np.unique(rows.labels[usable])) < 2:
        return None
    return validation.measure(
        probability[usable], constant[usable], rows.labels[usable], rows.times[usable], threshold=threshold,
        block_ms=BLOCK_MS, trained_rows=len(rows), fits=len(np.unique(fold_of[fold_of >= 0])) + 1, seed=seed,
    )  # fmt: skip
