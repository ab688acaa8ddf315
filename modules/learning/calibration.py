"""From a model's raw score to the two figures people see: probability and confidence. Never mixed.

- `probability`: how often such candidates really grew, calibrated on scores the model gave out of sample: Platt's
  line on the log odds, or with much data an isotonic step curve.
- `confidence`: the score's percentile among earlier out-of-sample candidates; what the table of exits means.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ISOTONIC_FROM = 400  # of the rarer class; below, a step curve follows the noise
STEPS = 200  # of the percentile table
_ROUNDS = 50


class Scaler(msgspec.Struct, frozen=True, kw_only=True):
    """Calibration of one model, its percentiles, and its rule of approval.

    Probability is `xs` → `ys` by linear interpolation where `xs` is not empty, else 1/(1 + exp(−(slope·raw + offset))).
    `quantiles` are the out-of-sample raw scores at even percentiles 0 … 100 %. The model approves above `threshold`;
    `aside` says why it does not judge at all ("" if it does).
    """

    slope: float
    offset: float
    xs: tuple[float, ...] = ()
    ys: tuple[float, ...] = ()
    quantiles: tuple[float, ...]
    threshold: float
    aside: str = ""

    def probability(self, raw: float) -> float:
        """Calibrated chance that the label comes true."""
        if not self.xs:
            return 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, self.slope * raw + self.offset))))
        return _interpolate(raw, self.xs, self.ys)

    def confidence(self, raw: float) -> float:
        """Share of earlier out-of-sample candidates with a lower score, 0 … 1 (half of those with the same)."""
        table = self.quantiles
        low, high = bisect_left(table, raw), bisect_right(table, raw)
        if low == high:
            if low in (0, len(table)):
                return 0.0 if low == 0 else 1.0
            left, right = table[low - 1], table[low]
            return (low - 1 + (raw - left) / (right - left)) / (len(table) - 1)
        return (low + high - 1) / 2 / (len(table) - 1)

    def sound(self) -> bool:
        """Whether every figure can be used: finite, ascending, probabilities between 0 and 1."""
        figures = (self.slope, self.offset, self.threshold, *self.xs, *self.ys, *self.quantiles)
        return (
            all(map(math.isfinite, figures))
            and self.slope >= 0.0
            and len(self.xs) == len(self.ys)
            and len(self.quantiles) >= 2
            and all(list(column) == sorted(column) for column in (self.xs, self.ys, self.quantiles))
            and all(0.0 <= value <= 1.0 for value in self.ys)
        )


def percentiles(scores: Floats) -> tuple[float, ...]:
    """The table of `Scaler.quantiles` from out-of-sample raw scores."""
    return tuple(map(float, np.quantile(scores, np.linspace(0.0, 1.0, STEPS + 1))))


def curve(scores: Floats, labels: Floats) -> tuple[float, float, tuple[float, ...], tuple[float, ...]]:
    """(slope, offset, xs, ys) of the calibration fitted on out-of-sample raw scores and 0/1 labels."""
    slope, offset = platt(scores, labels)
    rarer = min(float(labels.sum()), float(len(labels) - labels.sum()))
    if rarer < ISOTONIC_FROM:
        return slope, offset, (), ()
    xs, ys = isotonic(scores, labels)
    return slope, offset, xs, ys


def apply(scores: Floats, fitted: tuple[float, float, Sequence[float], Sequence[float]]) -> Floats:
    """Calibrated probabilities of many scores."""
    slope, offset, xs, ys = fitted
    if len(xs):
        return np.interp(scores, xs, ys)
    made: Floats = 1.0 / (1.0 + np.exp(-np.clip(slope * scores + offset, -700, 700)))
    return made


def platt(scores: Floats, labels: Floats) -> tuple[float, float]:
    """Slope (≥ 0) and offset of Platt's sigmoid by Newton's method with his smoothed targets.

    Source: Platt 1999; Lin, Lin, Weng 2007. A score without use gets slope 0 and the base rate.
    """
    ones = float(labels.sum())
    zeros = float(len(labels)) - ones
    target = np.where(labels > 0.5, (ones + 1.0) / (ones + 2.0), 1.0 / (zeros + 2.0))
    centre, spread = float(scores.mean()), float(scores.std())
    prior = math.log((ones + 1.0) / (zeros + 1.0))
    if spread < 1e-12:
        return 0.0, prior
    x = (scores - centre) / spread
    slope, offset = 0.0, prior
    for _ in range(_ROUNDS):
        p = 1.0 / (1.0 + np.exp(-np.clip(slope * x + offset, -30, 30)))
        error, weight = p - target, np.maximum(p * (1.0 - p), 1e-9)
        hessian = np.array([[(weight * x * x).sum() + 1e-3, (weight * x).sum()], [(weight * x).sum(), weight.sum()]])
        gradient = np.array([(error * x).sum() + 1e-3 * slope, error.sum()])
        step = np.linalg.solve(hessian, gradient)
        slope, offset = slope - float(np.clip(step[0], -2, 2)), offset - float(np.clip(step[1], -2, 2))
        if float(np.abs(step).max()) < 1e-9:
            break
    if slope <= 0.0:  # a higher score must never mean a lower chance
        return 0.0, prior
    return slope / spread, offset - slope * centre / spread


def isotonic(scores: Floats, labels: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Knots of the non-decreasing curve nearest to the labels (pool adjacent violators), joined by lines."""
    order = np.argsort(scores, kind="stable")
    blocks: list[tuple[float, float, float]] = []  # (sum of scores, sum of labels, count)
    for score, label in zip(scores[order].tolist(), labels[order].tolist(), strict=True):
        block = (score, label, 1.0)
        while blocks and blocks[-1][1] * block[2] >= block[1] * blocks[-1][2]:
            last = blocks.pop()
            block = (block[0] + last[0], block[1] + last[1], block[2] + last[2])
        blocks.append(block)
    # One seen in each block (a half of each class): no chance is ever told as exactly 0 or 1.
    return (tuple(total / count for total, _, count in blocks),
            tuple(sorted((hits + 0.5) / (count + 1.0) for _, hits, count in blocks)))


def _interpolate(at: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    place = bisect_right(xs, at)
    if place == 0:
        return ys[0]
    if place == len(xs):
        return ys[-1]
    left, right = xs[place - 1], xs[place]
    return ys[place - 1] + (ys[place] - ys[place - 1]) * (at - left) / (right - left)
