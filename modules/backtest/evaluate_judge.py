"""Judging the models walk-forward: scores that no judged row has helped to make, confidence, probability.

1. Folds go forward in time. What teaches a fold lies wholly before it: CAP_MS (the longest a label looks ahead) plus
   the embargo of a day between.
2. The last HOLD_OUT of the time is opened once, for the one configuration that won on what lies before.
3. A fold's confidence is the percentile among the out-of-sample scores of the folds before it; the first fold has
   none and only gives percentiles. Probability is calibrated on the folds before in the same way.
4. Tokens never seen: the same walk, where no row of the judged token's group teaches.
5. Targets: ``seed`` (the seed's label), ``within`` (reached at any time within), ``won`` (net result above 0), ``net``
   (the same, rows weighted by how much it was: a score of money, not of how often), ``narrow`` (as ``net``, by the
   exits of the table's row 0.80: more of its results are decided, so it is told with less noise).
6. Rows that teach are all moments of a rise, or of any kind beside them, not only candidates: the definitions are few,
   what follows a rise is the same question. Fixed seeds, one thread: the same twice.
7. A chance is drawn towards the base rate by what it was worth in earlier folds: with nothing to show it is the base
   rate, and the model stands aside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.backtest.arrays import Floats, Ints
from modules.backtest.evaluate_rows import CAP_MS, NAMES, NARROW, REST, RISES, ROW, Rows
from modules.learning import calibration, fit, market
from modules.learning.settings import LearningSettings

EMBARGO_MS = 86_400_000
HOLD_OUT = 0.2
STARTS = (0.30, 0.44, 0.58, 0.72, 0.86)
GROUPS = 4
LEAST_TEACH = 300
HEAVIEST = {"narrow": 8.0, "net": 15.0}  # percent of net result beyond which a row weighs no more
DRAWN = 20.0  # rows' worth of doubt, in squared distance from the base rate of one part in ten (rule 7)
Step = Callable[[], None]
SIMPLE_FEATURES = ("volatility_72", "volatility_288", "atr_14", "bb_width", "above_low_288", "return_12")


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration that competes: `columns` of NAMES, and the sets of rows that teach."""

    name: str
    target: str
    columns: tuple[int, ...]
    teachers: tuple[str, ...]


def configs() -> tuple[Config, ...]:
    """Every configuration that a run tries; the report counts them."""
    own = tuple(place for place, name in enumerate(NAMES) if name not in market.MARKET)
    every = tuple(range(len(NAMES)))
    simple = tuple(NAMES.index(name) for name in SIMPLE_FEATURES)
    rises, moments = (RISES,), (RISES, REST)
    return (Config("net, own features", "net", own, rises),
            Config("net, own features, any moment", "net", own, moments),
            Config("net, own and market", "net", every, moments),
            Config("narrow net, own features", "narrow", own, rises),
            Config("narrow net, own features, any moment", "narrow", own, moments),
            Config("narrow net, own and market", "narrow", every, rises),
            Config("narrow net, candidates only", "narrow", own, ("reference",)),
            Config("won, own features", "won", own, rises),
            Config("seed, own features", "seed", own, rises),
            Config("seed, own features, any moment", "seed", own, moments),
            Config("seed, six figures", "seed", simple, moments),
            Config("within, own features", "within", own, moments))


@dataclass(frozen=True, slots=True)
class Scores:
    """Out-of-sample scores of rows (NaN: not judged), which fold judged each (-1: none), and the target's labels.

    `prior`: scores of another market to compare with, where the model was learnt there.
    """

    score: Floats
    fold: Ints
    time: Ints
    truth: Floats
    prior: "Scores | None" = None

    def only(self, keep: Any, prior: "Scores | None" = None) -> "Scores":
        """Only these rows."""
        return Scores(self.score[keep], self.fold[keep], self.time[keep], self.truth[keep], prior)

    def earlier(self, number: int) -> tuple[Floats, Floats]:
        """(scores, labels) known before a fold began: earlier folds, and the prior's rows."""
        begin = self.time[self.fold == number].min() - CAP_MS
        own = (self.fold >= 0) & (self.fold < number) & (self.time <= begin)
        parts = [(self.score[own], self.truth[own])]
        if self.prior is not None:
            then = (self.prior.fold >= 0) & (self.prior.time <= begin)
            parts.append((self.prior.score[then], self.prior.truth[then]))
        score, truth = (np.concatenate(column) for column in zip(*parts, strict=True))
        return score, truth

    def confidence(self) -> Floats:
        """Rule 3; NaN where too few scores are known before."""
        found = np.full(len(self.score), np.nan)
        for number in np.unique(self.fold[self.fold >= 0]):
            earlier = np.sort(self.earlier(int(number))[0])
            mine = self.fold == number
            if len(earlier) >= fit.LEAST_JUDGED:
                low = np.searchsorted(earlier, self.score[mine], side="left")
                high = np.searchsorted(earlier, self.score[mine], side="right")
                found[mine] = (low + high) / 2.0 / len(earlier)
        return found

    def probability(self) -> tuple[Floats, Floats]:
        """(calibrated chance of the label, the base rate known then), both from earlier folds; NaN where none."""
        chance, constant = np.full(len(self.score), np.nan), np.full(len(self.score), np.nan)
        plain = np.full(len(self.score), np.nan)
        for number in np.unique(self.fold[self.fold >= 0]):
            score, label = self.earlier(int(number))
            known = np.isfinite(label)
            if known.sum() >= fit.LEAST_JUDGED and len(np.unique(label[known])) == 2:
                mine = self.fold == number
                line = calibration.platt(score[known], label[known])
                plain[mine] = calibration.apply(self.score[mine], (*line, (), ()))
                constant[mine] = label[known].mean()
                ended = np.isfinite(plain) & np.isfinite(self.truth) & (self.time <= self.time[mine].min() - CAP_MS)
                share = worth(plain[ended] - constant[ended], self.truth[ended] - constant[ended])
                chance[mine] = constant[mine] + share * (plain[mine] - constant[mine])
        return chance, constant


def worth(said: Floats, came: Floats) -> float:
    """The share of a chance's distance from the base rate that had come true, 0 … 1; a half before anything did.

    Least squares of `came` on `said`, with DRAWN rows of doubt that hold it at a half (rule 7).
    """
    doubt = DRAWN * 0.01
    return float(np.clip(((said * came).sum() + 0.5 * doubt) / ((said * said).sum() + doubt), 0.0, 1.0))


def joined(parts: Sequence[Scores], prior: Scores | None = None) -> Scores:
    """Scores of the same rows from several calls: each row has those of the call that judged it."""
    first = parts[0]
    score, fold_of = first.score.copy(), first.fold.copy()
    for part in parts[1:]:
        there = part.fold >= 0
        score[there], fold_of[there] = part.score[there], part.fold[there]
    return Scores(score, fold_of, first.time, first.truth, prior)


def bounds_of(times: Ints) -> list[float]:
    """Where each fold begins, the last one the hold-out, and infinity."""
    if not len(times):
        return [np.inf]
    cut = float(np.quantile(times, 1.0 - HOLD_OUT))
    inside = times[times < cut]
    begins = [float(inside[int(share * len(inside))]) for share in STARTS] if len(inside) else []
    return [*begins, cut, np.inf]


def judged(rows: Rows, teach: Rows, chosen: Config, bounds: list[float], learning: LearningSettings, *,
           apart: tuple[Ints, Ints] | None = None, first: int = 0, step: Step = lambda: None) -> Scores:
    """Scores of `rows` in the folds between `bounds`, from rows of `teach` that ended before (rule 1).

    `apart`: groups of the judged rows and of the teaching ones; a group never teaches its own judgement (rule 4).
    `first`: number of the first of these folds.
    """
    score, fold_of = np.full(len(rows), np.nan), np.full(len(rows), -1, np.int64)
    truth = target_of(rows, chosen.target)[0]
    label, weight = target_of(teach, chosen.target)
    columns = list(chosen.columns)
    for number, (begin, end) in enumerate(zip(bounds[:-1], bounds[1:], strict=True), first):
        mine = np.flatnonzero((rows.time >= begin) & (rows.time < end))
        before = np.isfinite(label) & (teach.time + CAP_MS + EMBARGO_MS <= begin)
        for group in np.unique(apart[0][mine]) if apart is not None else (-1,):
            asked, known = mine, before
            if apart is not None:
                asked, known = mine[apart[0][mine] == group], before & (apart[1] != group)
            if len(asked) and known.sum() >= LEAST_TEACH and 0.0 < label[known].mean() < 1.0:
                booster = train(teach.table[known][:, columns], label[known], weight[known], learning)
                score[asked] = booster.predict(rows.table[asked][:, columns], raw_score=True, num_threads=1)
                fold_of[asked] = number
            step()
    return Scores(score, fold_of, rows.time, truth)


def target_of(rows: Rows, target: str) -> tuple[Floats, Floats]:
    """(label 0/1 or NaN, weight) of each row (rule 5). The net result is that of `simple`."""
    if target in ("seed", "within"):
        return rows.seed if target == "seed" else rows.within, np.ones(len(rows))
    net = rows.net[:, 0, NARROW if target == "narrow" else ROW]
    label = np.where(np.isnan(net), np.nan, (net > 0).astype(np.float64))
    if target == "won":
        return label, np.ones(len(rows))
    return label, np.minimum(np.abs(np.nan_to_num(net)), HEAVIEST[target]) + 0.2


def train(table: Floats, label: Floats, weight: Floats, learning: LearningSettings) -> Any:
    """One booster: few leaves, large ones; what follows a pump is nearly noise, and large trees learn the noise."""
    lightgbm = fit.load_lightgbm()
    parameters = {
        "objective": "binary", "verbosity": -1, "num_threads": 1, "deterministic": True, "force_col_wise": True,
        "seed": learning.seed, "max_bin": 63, "learning_rate": 0.04, "num_leaves": 8,
        "min_data_in_leaf": max(30, len(label) // 100), "lambda_l2": 20.0, "feature_fraction": 0.4,
        "bagging_fraction": 0.5, "bagging_freq": 1,
    }  # fmt: skip
    data = lightgbm.Dataset(table, label, weight=weight, params={"max_bin": 63, "verbosity": -1, "num_threads": 1})
    return lightgbm.train(parameters, data, num_boost_round=learning.trees)
