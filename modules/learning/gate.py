"""May a model speak? Only if, out of sample, what it approves earns more than taking every candidate. Pure.

1. Evidence is in net result per trade (percent, after fees and slippage), on candidates the model had not seen, with
   intervals that resample whole days: pumps come in clusters.
2. A model speaks when the lift of what it approves over no filter lies above 0 with its whole interval, after the
   figure is deflated for every configuration that was tried; with enough trades, on enough days.
3. A challenger replaces a champion only if both may speak and its lift is larger, or if the champion may not.
4. A token's own model leans on the global one: its weight is n / (n + LEAN) of its own judged candidates, and 0 while
   it has shown no lift of its own. Where it was judged worse than the global one it weighs nothing.
"""

import math
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from modules.learning.validation import Interval

Floats = npt.NDArray[np.float64]

LEAST_JUDGED, LEAST_APPROVED, LEAST_DAYS = 100, 30, 10
LEAN = 200.0  # judged candidates at which a token's own model weighs as much as the global one
RESAMPLES = 1000
DAY_MS = 86_400_000
EULER = 0.5772156649
UNKNOWN = 1e6  # percent: the bound of an interval of which nothing is known (a manifest keeps no infinity)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Net percent per trade of all candidates, of the approved ones, and the lift between them.

    `tried`: configurations that competed; `least`: the lift's lower bound deflated for them.
    """

    judged: int
    approved: int
    days: int
    all: Interval
    chosen: Interval
    lift: Interval
    tried: int = 1
    least: float = 0.0

    def sentence(self) -> str:
        """For a person."""
        if not self.approved or not self.judged:
            return f"{self.approved} of {self.judged} candidates with a known net result approved"
        return (f"{self.approved} of {self.judged} candidates approved: {_told(self.chosen)} a trade, "
                f"without the filter {_told(self.all)}; lift {_told(self.lift)}")


class Decision(msgspec.Struct, frozen=True):
    """Whether a model may veto and approve, and why (not)."""

    speaks: bool
    reason: str

    def refusal(self) -> str:
        """Why it may not speak; "" if it may."""
        return "" if self.speaks else self.reason


def evidence(net: Floats, approved: npt.NDArray[np.bool_], times: npt.NDArray[Any], *, tried: int = 1,
             seed: int = 7) -> Evidence:
    """Evidence from out-of-sample candidates: `net` percent (NaN: left out), `times` ms of the decisions."""
    known = np.isfinite(net)
    net, approved = net[known], approved[known]
    number = np.unique(np.floor_divide(times[known], DAY_MS), return_inverse=True)[1]
    days = int(number.max()) + 1 if len(number) else 0
    nothing = Interval(0.0, -UNKNOWN, UNKNOWN)
    if not len(net):
        return Evidence(judged=0, approved=0, days=0, all=nothing, chosen=nothing, lift=nothing, tried=tried,
                        least=-UNKNOWN)
    sums = [np.bincount(number, weights, days) for weights in
            (net, np.ones(len(net)), np.where(approved, net, 0.0), approved.astype(np.float64))]
    rng = np.random.default_rng(seed)
    drawn = np.stack([np.bincount(rng.integers(0, days, days), minlength=days) for _ in range(RESAMPLES)])
    of_all, count, of_chosen, chosen = (drawn @ column for column in sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        every, picked = of_all / count, of_chosen / chosen
    mean = float(net.mean())
    own = float(net[approved].mean()) if approved.any() else math.nan
    lift = _interval(own - mean, picked - every)
    spread = float(np.nanstd(picked - every)) if approved.any() else UNKNOWN
    return Evidence(judged=len(net), approved=int(approved.sum()), days=days, all=_interval(mean, every),
                    chosen=_interval(own, picked), lift=lift, tried=tried,
                    least=lift.low - expected_best(tried) * spread if approved.any() else -UNKNOWN)


def expected_best(tried: int) -> float:
    """Standard deviations by which the best of `tried` worthless configurations lies above 0.

    Source: Bailey and López de Prado, The Deflated Sharpe Ratio (2014), expected maximum of normal draws.
    """
    if tried < 2:
        return 0.0
    normal = NormalDist()
    return (1 - EULER) * normal.inv_cdf(1 - 1 / tried) + EULER * normal.inv_cdf(1 - 1 / (tried * math.e))


def decide(found: Evidence | None) -> Decision:
    """Rule 2."""
    if found is None:
        return Decision(False, "its net result per trade is not known yet")
    short = [f"{have} {what}, {least} are needed" for have, what, least in (
        (found.judged, "judged candidates", LEAST_JUDGED), (found.approved, "approved ones", LEAST_APPROVED),
        (found.days, "days", LEAST_DAYS)) if have < least]
    if short:
        return Decision(False, "too little to judge it by: " + "; ".join(short))
    if not found.least > 0.0:
        what = f" ({found.least:+.2f} after {found.tried} configurations tried)" if found.tried > 1 else ""
        loses = " Hype trading loses here with it and without it." if found.chosen.mean < 0 else ""
        return Decision(False, f"it does not beat taking every candidate: {found.sentence()}{what}.{loses}")
    return Decision(True, f"it beats taking every candidate: {found.sentence()}")


def replaces(champion: Evidence | None, challenger: Evidence | None) -> bool:
    """Rule 3."""
    if champion is None or not decide(champion).speaks:
        return True
    return challenger is not None and decide(challenger).speaks and challenger.lift.mean > champion.lift.mean


def token_weight(judged: int, own_lift: float, global_lift: float) -> float:
    """Rule 4: how much a token's own model counts beside the global one, 0 … 1. NaN: not known, which is 0."""
    if judged <= 0 or not own_lift > 0.0 or not own_lift >= global_lift:
        return 0.0
    return judged / (judged + LEAN)


def lean(own: float, overall: float, weight: float) -> float:
    """A probability or confidence that leans on the global one (rule 4)."""
    return weight * own + (1.0 - weight) * overall


def _told(interval: Interval) -> str:
    if interval.high >= UNKNOWN:
        return f"{interval.mean:+.2f} %"
    return f"{interval.mean:+.2f} % [{interval.low:+.2f}, {interval.high:+.2f}]"


def _interval(mean: float, resampled: Floats) -> Interval:
    usable = resampled[np.isfinite(resampled)]
    if not math.isfinite(mean) or len(usable) < RESAMPLES // 2:
        return Interval(mean if math.isfinite(mean) else 0.0, -UNKNOWN, UNKNOWN)
    low, high = np.quantile(usable, (0.025, 0.975))
    return Interval(mean, float(low), float(high))
