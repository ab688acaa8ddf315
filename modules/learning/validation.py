"""Honest measuring: walk forward in time with a purge, and intervals that know that pumps come in clusters.

A label looks `horizon` ahead. So what is trained before a fold begins must have *ended* by then: rows whose label
reaches into the fold are left out (purge). Intervals resample whole blocks of time, not rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

FOLDS = (0.40, 0.55, 0.70, 0.85)  # where each fold begins, as a share of the rows in order of time
RESAMPLES = 200


class Interval(msgspec.Struct, frozen=True):
    """A figure with its 95 % interval."""

    mean: float
    low: float
    high: float


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """What a model did out of sample. Brier scores: mean squared error of the probability, lower is better."""

    trained_rows: int
    judged: int
    base_rate: float
    auc: Interval
    brier: float
    brier_constant: float
    brier_gain: Interval
    approved: int
    precision: float | None
    fits: int

    def sentence(self) -> str:
        """The figures for a person's phone."""
        precision = "none approved"
        if self.precision is not None:
            precision = f"{self.approved} approved, {self.precision:.0%} right"
        return (
            f"judged {self.judged} unseen rows, base rate {self.base_rate:.0%}; {precision}; "
            f"AUC {self.auc.mean:.2f} [{self.auc.low:.2f}, {self.auc.high:.2f}]; "
            f"Brier {self.brier:.3f} against {self.brier_constant:.3f} for a constant"
        )

    def edge(self) -> str:
        """"" if the model beats a constant out of sample, else why it does not."""
        if not self.auc.low > 0.5:
            return f"out of sample its AUC is {self.auc.mean:.2f} with {self.auc.low:.2f} within the interval"
        if not self.brier < self.brier_constant:
            return f"out of sample its Brier score {self.brier:.3f} is no better than a constant's"
        return ""


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows to train on and rows to judge, as positions; every training label ends before the first judged row."""

    train: Index
    judge: Index


def walk_forward(times: Floats, horizon_ms: float, starts: tuple[float, ...] = FOLDS) -> Iterator[Fold]:
    """Folds over rows in ascending order of `times` (ms)."""
    bounds = [times[min(int(share * len(times)), len(times) - 1)] for share in starts]
    for number, begin in enumerate(bounds):
        end = bounds[number + 1] if number + 1 < len(bounds) else np.inf
        judge = np.flatnonzero((times >= begin) & (times < end))
        train = np.flatnonzero(times + horizon_ms <= begin)
        if len(judge):
            yield Fold(train, judge)


def auc(scores: Floats, labels: Floats) -> float:
    """Area under the ROC curve by ranks, ties halved; NaN where a class is missing."""
    ones = float(labels.sum())
    zeros = len(labels) - ones
    if not ones or not zeros:
        return float("nan")
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    first = np.searchsorted(ordered, ordered, side="left")
    last = np.searchsorted(ordered, ordered, side="right")
    ranks = (first + last + 1) / 2.0
    return float((ranks[labels[order] > 0.5].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def brier(probability: Floats, labels: Floats) -> float:
    """Mean squared error of probabilities."""
    return float(np.mean((probability - labels) ** 2))


def measure(probability: Floats, constant: Floats, labels: Floats, times: Floats, *, threshold: float, block_ms: float,
            trained_rows: int, fits: int, seed: int) -> Metrics:
    """Metrics of out-of-sample probabilities; `constant` is the base rate known when each row was judged."""
    gains = (constant - labels) ** 2 - (probability - labels) ** 2
    blocks = np.unique(np.floor(times / block_ms), return_inverse=True)[1]
    aucs, means = _resampled(probability, labels, gains, blocks, seed)
    approved = probability > threshold
    return Metrics(
        trained_rows=trained_rows,
        judged=len(labels),
        base_rate=float(labels.mean()),
        auc=_interval(auc(probability, labels), aucs),
        brier=brier(probability, labels),
        brier_constant=brier(constant, labels),
        brier_gain=_interval(float(gains.mean()), means),
        approved=int(approved.sum()),
        precision=float(labels[approved].mean()) if approved.any() else None,
        fits=fits,
    )


def _resampled(scores: Floats, labels: Floats, gains: Floats, blocks: Index, seed: int) -> tuple[Floats, Floats]:
    """AUC and mean gain of resampled blocks of time."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(blocks == number) for number in range(int(blocks.max()) + 1)]
    aucs, means = np.empty(RESAMPLES), np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        rows = np.concatenate([members[pick] for pick in rng.integers(0, len(members), len(members))])
        aucs[number] = auc(scores[rows], labels[rows])
        means[number] = gains[rows].mean()
    return aucs, means


def _interval(mean: float, resampled: Floats) -> Interval:
    """Percentile interval. No AUC where a class is missing: the interval is then 0 … 1, no proof of anything."""
    usable = resampled[np.isfinite(resampled)]
    if not np.isfinite(mean) or len(usable) < RESAMPLES // 2:
        return Interval(0.5 if not np.isfinite(mean) else mean, 0.0, 1.0)
    low, high = np.quantile(usable, (0.025, 0.975))
    return Interval(mean, float(low), float(high))
