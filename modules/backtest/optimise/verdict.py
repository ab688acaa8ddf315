"""Whether a search has found anything: the winners on days they were not fitted on, against the present settings.

Kept is what passes all three:
1. On all judged days together the winners of the folds did better in the (first) objective than the present settings,
   and the 95 % interval of the difference, days drawn in pairs, lies above zero.
2. The best of all trials is better than the present settings beyond what chance does with so many trials
   (White's reality check on the days the last winner was fitted on, p ≤ 0.05).
3. The settings themselves (the last fold's winner) were not worse than the present ones on the last fold, which they
   have never seen.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from modules.backtest.optimise.arena import COUNT, PNL
from modules.backtest.optimise.chance import Interval, paired, reality_check, single
from modules.backtest.optimise.scores import OBJECTIVES, UNITS, drawdown_pct, front, net
from modules.backtest.optimise.search import Found, Task
from modules.backtest.optimise.space import Value

LEVEL = 0.05
SHOWN_FRONT = 12


@dataclass(frozen=True, slots=True)
class Fold:
    """A fold: objective of its winner on the days it was fitted on and judged by, and the present settings' there."""

    days: int
    fitted: float
    judged: float
    present: float
    trades: int
    present_trades: int
    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement. Differences are winner less present; `own` is the winners' objective itself out of sample."""

    objective: str
    folds: list[Fold]
    difference: Interval
    own: Interval
    present: float
    net_usdt: float
    present_net_usdt: float
    drawdown_pct: float
    present_drawdown_pct: float
    asked: int
    trials: int
    chance_p: float
    chance_of_nothing_p: float
    last_difference: float
    candidate: dict[str, Value]
    front: list[dict[str, Any]]
    reasons: list[str]

    @property
    def held_up(self) -> bool:
        """Whether the settings may be kept."""
        return not self.reasons

    @property
    def warning(self) -> str:
        """What must not be overlooked about settings that may be kept; "" where they gain beyond doubt."""
        told = f"({self.own.value:.4g} {UNITS[self.objective]} [{self.own.low:.4g}, {self.own.high:.4g}])"
        if self.net_usdt < 0:
            return f"They lose less than the present settings, but they lose, out of sample, after costs {told}."
        return f"Better than the present settings, but no gain beyond doubt {told}." if self.own.low <= 0 else ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON and for the version that is kept."""
        told = asdict(self)
        for name in ("difference", "own"):
            told[name] = dict(zip(Interval._fields, getattr(self, name), strict=True))
        return told | {"held_up": self.held_up, "warning": self.warning}


def judge(found: Found, task: Task, start: float) -> Verdict:
    """Weigh a finished search."""
    name = task.objectives[0]
    score = OBJECTIVES[name]
    folds = task.folds
    present, winners = found.present.table, [each.table for each in found.winners]
    assert present is not None and all(table is not None for table in winners)
    mine = np.concatenate([table[folds.judge(fold)] for fold, table in enumerate(winners, 1)])  # type: ignore[index]
    other = present[folds.judged]
    difference = paired(mine, other, lambda table: score(table, start))
    own = single(mine, lambda table: score(table, start))
    fit = folds.fit(folds.count)
    tried = [each.table[fit, PNL] for each in found.trials
             if each.table is not None and not np.isnan(each.table[fit]).any()]
    table = np.array(tried).reshape(len(tried), -1)
    chance = reality_check(table, present[fit, PNL]) if len(tried) else 1.0
    nothing = reality_check(table, np.zeros(table.shape[1])) if len(tried) else 1.0
    told = [_fold(found, task, fold, start) for fold in range(1, folds.count + 1)]
    last = told[-1].judged - told[-1].present
    candidate = found.winners[-1].values
    reasons = _reasons(found, name, candidate, difference, chance, last, len(tried))
    return Verdict(name, told, difference, own, float(score(other, start)), float(net(mine, start)),
                   float(net(other, start)), float(drawdown_pct(mine, start)), float(drawdown_pct(other, start)),
                   len(found.trials), len(tried), chance, nothing, last, candidate, _front(found, task, start), reasons)


def _reasons(found: Found, name: str, candidate: dict[str, Value], difference: Interval, chance: float, last: float,
             trials: int) -> list[str]:
    """What stands against keeping it; empty where nothing does."""
    if not trials:
        return ["no trial made any result: every one was refused by the settings"]
    if not found.within:
        return ["no trial was within the limits (least trades, drawdown)"]
    if not candidate:
        return ["the present settings won: no trial was better on the days of the fit"]
    unit = f" {UNITS[name]}".rstrip()
    reasons = []
    if difference.low <= 0:
        reasons.append(f"out of sample it is not better than the present settings beyond doubt: {name} "
                       f"{difference.value:+.4g}{unit} [{difference.low:+.4g}, {difference.high:+.4g}]")
    if chance > LEVEL:
        reasons.append(f"the best of {trials} trials is no better than chance: with so many trials luck alone does as "
                       f"well with probability {chance:.2f} (White's reality check)")
    if last < 0:
        reasons.append(f"on the last fold, which they have never seen, the settings did worse: {name} "
                       f"{last:+.4g}{unit}")
    return reasons


def _fold(found: Found, task: Task, fold: int, start: float) -> Fold:
    score = OBJECTIVES[task.objectives[0]]
    winner, present = found.winners[fold - 1], found.present.table
    assert winner.table is not None and present is not None
    fit, judged = task.folds.fit(fold), task.folds.judge(fold)
    return Fold(judged.stop - judged.start, float(score(winner.table[fit], start)),
                float(score(winner.table[judged], start)), float(score(present[judged], start)),
                int(winner.table[judged, COUNT].sum()), int(present[judged, COUNT].sum()), winner.values)


def _front(found: Found, task: Task, start: float) -> list[dict[str, Any]]:
    """With several objectives: the trials that none beats in all of them, on the last fold's fit."""
    if len(task.objectives) < 2:
        return []
    fit = task.folds.fit(task.folds.count)
    able = [each for each in found.trials if each.table is not None and not np.isnan(each.table[fit]).any()
            and each.table[fit, COUNT].sum() >= task.min_trades]
    if not able:
        return []
    values = np.array([[float(OBJECTIVES[name](each.table[fit], start)) for name in task.objectives]  # type: ignore[index]
                       for each in able])
    chosen = sorted(front(values), key=lambda row: -values[row, 0])[:SHOWN_FRONT]
    return [{"settings": able[row].values, **dict(zip(task.objectives, values[row].tolist(), strict=True))}
            for row in chosen]


def shown(values: dict[str, Value]) -> str:
    """Settings in a line."""
    return ", ".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
                     for name, value in values.items()) or "the present settings"


def text_of(verdict: Verdict, changed: dict[str, list[Any]], took_s: float, notes: list[str]) -> str:
    """The judgement for people."""
    unit = f" {UNITS[verdict.objective]}".rstrip()
    by = f"{verdict.objective} ({UNITS[verdict.objective]})" if unit else verdict.objective
    lines = [f"{verdict.asked} trials judged walk-forward in {len(verdict.folds)} folds by {by}, {took_s:.0f} s.", ""]
    lines.append("fold  days  trades   fitted   judged  present")
    for number, fold in enumerate(verdict.folds, 1):
        lines.append(f"{number:>4}  {fold.days:>4}  {fold.trades:>6}  {fold.fitted:>7.3g}  {fold.judged:>7.3g}  "
                     f"{fold.present:>7.3g}   {shown(fold.values)}")
    d, own = verdict.difference, verdict.own
    lines += ["", f"Out of sample: {verdict.objective} {own.value:.4g}{unit} [{own.low:.4g}, {own.high:.4g}], present "
                  f"settings {verdict.present:.4g}; difference {d.value:+.4g} [{d.low:+.4g}, {d.high:+.4g}]",
              f"  {verdict.net_usdt:+.2f} USDT, drawdown {verdict.drawdown_pct:.1f} %; present settings "
              f"{verdict.present_net_usdt:+.2f} USDT, {verdict.present_drawdown_pct:.1f} %",
              f"  Best of all trials by luck alone: p = {verdict.chance_p:.4f} against the present settings, "
              f"{verdict.chance_of_nothing_p:.4f} against not trading at all (White's reality check)"]
    for each in verdict.front:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in each.items() if name != "settings")
        lines.append(f"  on the front: {figures}: {shown(each['settings'])}")
    lines += [f"Note: {note}" for note in notes]
    lines.append("")
    if verdict.held_up:
        lines.append("Held up out of sample. New settings:")
        lines += [f"  {name}: {old} → {new}" for name, (old, new) in changed.items()]
        lines += [verdict.warning] if verdict.warning else []
    else:
        lines += ["Nothing is kept; the present settings stay:", *(f"  - {reason}" for reason in verdict.reasons)]
    return "\n".join(lines)
