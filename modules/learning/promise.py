"""Does a model keep live what its training promised? A test that may be looked at after every candidate. Pure.

1. The promise lies in the manifest: precision of what it would have approved out of sample, with its 95 % interval by
   day. It is kept while the live precision is not below that interval's lower end, and what is approved does not
   earn less than all candidates do (lift not below 0).
2. One bet a block of the label's horizon: pumps come in clusters, so all approvals of one block are one
   observation, their mean x in 0 … 1. Against a promise p a bettor of boldness f multiplies his wealth by
   1 + f · (p − x) / (1 − p): while the promise is kept he gains nothing on average, when it is broken he grows rich.
3. Wealth is never below 1 before a bet (CUSUM), so that good months do not hide a bad week. The figure is the mean
   over BOLDNESS and over both tests. Source: Shin, Ramdas, Rinaldo, E-detectors (2022): the mean time until such a
   figure reaches c by mistake is at least c blocks, however often it is looked at.
4. A model is retired at c = the blocks of `false_alarm_days`; it speaks again when the figure has fallen below √c. Its
   successors inherit the figure: a new training is no new trust.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from modules.learning.validation import Interval

Floats = npt.NDArray[np.float64]

BOLDNESS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
WORST_PCT = 5.0  # a block's lift beyond this counts as this much: a bet needs a bound
DAY_MS = 86_400_000
LEAST_PROMISED = 30  # approved out of sample; of fewer nothing is promised


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What a training promises of candidates with at least `confidence`: precision, and net percent over no filter."""

    confidence: float
    approved: int
    precision: Interval
    lift: Interval | None

    def sentence(self) -> str:
        """For a person."""
        of = self.precision
        text = f"{of.mean:.0%} right [{of.low:.0%}, {of.high:.0%}] from confidence {self.confidence:.2f} on"
        return text if self.lift is None else f"{text}, {self.lift.mean:+.2f} % a trade over no filter"


class Vote(NamedTuple):
    """What a model said of one live candidate, and what came of it (None: not known yet, NaN: never)."""

    market_ms: int
    approved: bool
    promised: float
    right: float | None
    net: float | None


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """How the live record stands. `figure` against `limit` is the evidence that the promise is broken (rule 3)."""

    votes: int = 0
    resolved: int = 0
    approved: int = 0
    right: int = 0
    priced: int = 0
    net_all_pct: float = 0.0
    net_approved_pct: float = 0.0
    blocks: int = 0
    figure: float = 1.0
    limit: float = math.inf

    @property
    def broken(self) -> bool:
        """Retire it (rule 4)."""
        return self.figure >= self.limit

    @property
    def mended(self) -> bool:
        """It may speak again (rule 4)."""
        return self.figure < math.sqrt(self.limit)

    def sentence(self) -> str:
        """For a person."""
        if not self.approved:
            return f"live {self.resolved} candidates are resolved, none of them approved yet"
        text = f"live {self.right} of {self.approved} approved were right ({self.right / self.approved:.0%})"
        if self.priced:
            text += f", {self.net_approved_pct:+.2f} % a trade, all candidates {self.net_all_pct:+.2f} %"
        return f"{text}; evidence against it {self.figure:.1f}, it is retired at {self.limit:.0f}"


def promise(confidence: Floats, labels: Floats, times: Floats, lift: Interval | None, bar: float,
            seed: int) -> Promise | None:
    """The promise of out-of-sample judgements; None where too few were approved for one."""
    chosen = np.nan_to_num(confidence, nan=-1.0) >= bar
    if int(chosen.sum()) < LEAST_PROMISED:
        return None
    of = by_day(labels, chosen[None, :], times, seed)[0]
    return Promise(confidence=bar, approved=int(chosen.sum()), precision=of, lift=lift)


def by_day(values: Floats, groups: npt.NDArray[np.bool_], times: Floats, seed: int,
           resamples: int = 400) -> list[Interval]:
    """Mean of `values` (n,) in each group (k, n) with its 95 % interval, resampling whole days; NaN where empty."""
    known = np.isfinite(values)
    day = np.unique(np.floor_divide(times, DAY_MS), return_inverse=True)[1]
    days = int(day.max()) + 1 if len(day) else 0
    if not days:
        return [Interval(math.nan, math.nan, math.nan) for _ in groups]
    drawn = np.random.default_rng(seed).multinomial(days, np.full(days, 1.0 / days), resamples).astype(np.float64)
    found = []
    for member in groups & known:
        sums = np.bincount(day[member], values[member], days)
        counts = np.bincount(day[member], minlength=days)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (drawn @ sums) / (drawn @ counts)
        means = means[np.isfinite(means)]
        if not member.any() or not len(means):
            found.append(Interval(math.nan, math.nan, math.nan))
            continue
        low, high = np.quantile(means, (0.025, 0.975))
        found.append(Interval(float(values[member].mean()), float(low), float(high)))
    return found


def watch(votes: Iterable[Vote], horizon_ms: int, false_alarm_days: float, now_ms: int, give_up_ms: int) -> Watch:
    """The live record of these votes, in any order; only whole blocks whose votes are all resolved are bet on.

    `give_up_ms`: how long after its block a vote is waited for.
    """
    ordered = sorted(votes)
    limit = max(2.0, false_alarm_days * DAY_MS / horizon_ms)
    blocks: dict[int, list[Vote]] = {}
    for vote in ordered:
        blocks.setdefault(vote.market_ms // horizon_ms, []).append(vote)
    right, lifts = _Bettor(), _Bettor()
    for number, members in sorted(blocks.items()):
        over = now_ms - (number + 1) * horizon_ms > give_up_ms
        _bet_precision(right, members, over)
        _bet_lift(lifts, members, over)
    approved = [vote for vote in ordered if vote.approved and _known(vote.right)]
    priced = [vote for vote in ordered if _known(vote.net)]
    chosen = [vote.net or 0.0 for vote in priced if vote.approved]
    return Watch(
        votes=len(ordered), resolved=sum(_known(vote.right) for vote in ordered), approved=len(approved),
        right=sum(vote.right == 1.0 for vote in approved), priced=len(chosen),
        net_all_pct=_mean([vote.net or 0.0 for vote in priced]), net_approved_pct=_mean(chosen),
        blocks=right.bets, figure=(right.figure() + lifts.figure()) / 2.0, limit=limit,
    )  # fmt: skip


class _Bettor:
    """Wealth by boldness (rules 2, 3)."""

    def __init__(self) -> None:
        self.wealth = [1.0] * len(BOLDNESS)
        self.bets = 0

    def bet(self, promised: float, seen: float) -> None:
        edge = (promised - seen) / (1.0 - promised)
        self.wealth = [max(1.0, wealth) * (1.0 + bold * edge)
                       for bold, wealth in zip(BOLDNESS, self.wealth, strict=True)]
        self.bets += 1

    def figure(self) -> float:
        return sum(self.wealth) / len(self.wealth)


def _bet_precision(bettor: _Bettor, members: list[Vote], over: bool) -> None:
    """The share of a block's approvals that were right, against the mean of what was promised of them."""
    approved = [vote for vote in members if vote.approved]
    if not over and any(vote.right is None for vote in approved):
        return
    known = [vote for vote in approved if _known(vote.right) and 0.0 < vote.promised < 1.0]
    if known:
        bettor.bet(_mean([vote.promised for vote in known]), _mean([vote.right or 0.0 for vote in known]))


def _bet_lift(bettor: _Bettor, members: list[Vote], over: bool) -> None:
    """What a block's approvals earned over all its candidates, against 0."""
    if not over and any(vote.net is None for vote in members):
        return
    known = [vote for vote in members if _known(vote.net)]
    chosen = [vote.net or 0.0 for vote in known if vote.approved]
    if chosen and len(chosen) < len(known):  # a block in which all were approved tells nothing of choosing
        lift = _mean(chosen) - _mean([vote.net or 0.0 for vote in known])
        bettor.bet(0.5, (min(max(lift, -WORST_PCT), WORST_PCT) + WORST_PCT) / (2.0 * WORST_PCT))


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
