"""The search: the present settings, a grid or random stage, then TPE on each fold's past; the winner of every fold.

1. Trial 0 is the present settings: everything is measured against them on the same days.
2. Stage 1 (grid or spread evenly) does not look at results, so its trials serve every fold.
3. Stage 2 of fold k sees only results of the days that fold k is fitted on. Its trials serve fold k and later ones,
   whose past holds those days, never an earlier one.
4. The winner of a fold is chosen by its fit alone; only then is it run on the days that judge it.
5. Every trial is on disk when it is done; a search that was killed goes on where it was (journal.py).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modules.backtest.arrays import Floats
from modules.backtest.optimise import tpe
from modules.backtest.optimise.arena import Segment, Trials
from modules.backtest.optimise.folds import Folds
from modules.backtest.optimise.journal import GRID, PRESENT, RANDOM, TPE, WINNER, Study, Trial
from modules.backtest.optimise.scores import OBJECTIVES, best, violations
from modules.backtest.optimise.space import Parameter, Value, grid_of, spread_of
from utils.compute import Crew, Shared

MOST_IN_CALL = 64
LONGEST_BATCH_S = 6.0  # so much work is lost at most when the search is killed, about
TPE_BATCH = 4  # proposals a worker at once: fewer learn more from each other, more keep the workers busy


@dataclass(frozen=True, slots=True)
class Task:
    """What a search is to do. `grid`: stage 1 is every combination; else spread evenly over the space."""

    space: list[Parameter]
    folds: Folds
    objectives: tuple[str, ...]
    trials: int
    stage1_share: float
    grid: bool
    min_trades: int
    max_drawdown_pct: float
    seed: int


@dataclass(frozen=True, slots=True)
class Found:
    """The present settings' trial, each fold's winner (fold order), and every trial by fold fitted (0: stage 1)."""

    present: Trial
    winners: list[Trial]
    trials: list[Trial]
    within: int
    refused: int
    tpe_used: bool


Progress = Callable[[int, int, str], None]


def run_search(arena: Trials, task: Task, study: Study, crew: Crew, progress: Progress) -> Found:
    """The whole search. Raises ComputeError; what was done until then is on disk."""
    search = _Search(arena, task, study, crew, progress)
    return search.run()


def work(shared: Shared, many: list[dict[str, Value]], segments: list[Segment]) -> list[Floats | str]:
    """Some trials, in a worker."""
    arena: Trials = shared.get()
    return arena.trials(many, segments)


class _Search:
    def __init__(self, arena: Trials, task: Task, study: Study, crew: Crew, progress: Progress) -> None:
        self.arena, self.task, self.study, self.crew = arena, task, study, crew
        self._progress = progress
        self._shared: Shared | None = None
        self._aside: Path = study.folder / "arena.bin"
        self._use_tpe = tpe.present() and not task.grid and task.stage1_share < 1
        first = grid_of(task.space) if task.grid else None
        spread = first[:task.trials] if first is not None else spread_of(task.space, self._stage1_count(), task.seed)
        self._first = [arena.held | values for values in spread]
        self.planned = len(self._first) + self._tpe_count() * task.folds.count

    def run(self) -> Found:
        folds = self.task.folds
        present = self._all(PRESENT, 0, [{}], folds.segments)[0]
        self._all(GRID if self.task.grid else RANDOM, 0, self._first, folds.segments)
        winners = []
        for fold in range(1, folds.count + 1):
            if self._use_tpe:
                self._improve(fold)
            winners.append(self._winner(fold))
        searched = [each for each in self.study.trials if each.stage in (GRID, RANDOM, TPE)]
        last = folds.fit(folds.count)
        within = sum(self._kept(each, last) for each in searched)
        return Found(present, winners, searched, within, sum(bool(each.refused) for each in searched), self._use_tpe)

    def score(self, trial: Trial, days: slice) -> tuple[float, ...]:
        """A trial's objectives on some days."""
        assert trial.table is not None
        part = trial.table[days]
        return tuple(float(OBJECTIVES[name](part, self.arena.start_usdt())) for name in self.task.objectives)

    def limits(self, trial: Trial, days: slice) -> tuple[float, float]:
        """How far it is beyond its limits on some days; the trades asked for shrink with the days."""
        assert trial.table is not None
        share = (days.stop - days.start) / max(self.task.folds.segments[-1].begin, 1)
        return violations(trial.table[days], self.arena.start_usdt(), round(self.task.min_trades * min(share, 1.0)),
                          self.task.max_drawdown_pct)

    def _stage1_count(self) -> int:
        if not self._use_tpe:
            return self.task.trials
        return max(round(self.task.trials * self.task.stage1_share), 1)

    def _tpe_count(self) -> int:
        """TPE trials of each fold."""
        left = self.task.trials - len(self._first)
        return max(left // self.task.folds.count, 0) if self._use_tpe else 0

    def _kept(self, trial: Trial, days: slice) -> bool:
        if trial.table is None or np.isnan(trial.table[days]).any():
            return False
        return all(each <= 0 for each in self.limits(trial, days))

    def _candidates(self, fold: int) -> list[Trial]:
        """Trials that may win fold `fold` (rule 3): with results on all its days."""
        days = self.task.folds.fit(fold)
        return [each for each in self.study.trials if each.stage in (GRID, RANDOM, TPE) and each.fold <= fold
                and each.table is not None and not np.isnan(each.table[days]).any()]

    def _improve(self, fold: int) -> None:
        """Stage 2 of one fold."""
        days, segments = self.task.folds.fit(fold), self.task.folds.segments[:fold]
        count, learned = self._tpe_count(), 0
        done = len(self.study.of(TPE, fold))
        if done >= count:
            return
        proposer = tpe.Proposer(self.task.space, len(self.task.objectives), self.task.seed + 1000 * fold + done)
        while done < count:
            able = self._candidates(fold)
            proposer.learn([tpe.Known(each.values, self.score(each, days), self.limits(each, days))
                            for each in able[learned:]])
            learned = len(able)
            asked = [self.arena.held | values for values in proposer.propose(min(TPE_BATCH * self.crew.jobs,
                                                                                 count - done))]
            self._run(TPE, fold, list(enumerate(asked, done)), segments)
            done += len(asked)

    def _winner(self, fold: int) -> Trial:
        """The best of a fold by its fit, run on all days (rule 4). The present settings where none is within limits."""
        days = self.task.folds.fit(fold)
        able = [each for each in self._candidates(fold) if self._kept(each, days)]
        values: dict[str, Value] = {}
        if able:
            values = able[best(np.array([self.score(each, days) for each in able]))].values
        return self._all(WINNER, fold, [values], self.task.folds.segments)[0]

    def _all(self, stage: str, fold: int, many: Sequence[dict[str, Value]], segments: Sequence[Segment]) -> list[Trial]:
        """All trials of a stage: those on disk, and the rest now."""
        done = {each.number for each in self.study.of(stage, fold)}
        self._run(stage, fold, [(number, values) for number, values in enumerate(many) if number not in done], segments)
        return sorted(self.study.of(stage, fold), key=lambda each: each.number)

    def _run(self, stage: str, fold: int, many: list[tuple[int, dict[str, Value]]],
             segments: Sequence[Segment]) -> None:
        """Run trials in calls of a few, in batches of some seconds that keep every worker busy; each goes to disk."""
        each_call = 1
        while many:
            size = min(each_call, max(-(-len(many) // self.crew.jobs), 1))
            batch = many[:size * self.crew.jobs]
            many = many[len(batch):]
            calls = [batch[begin:begin + size] for begin in range(0, len(batch), size)]
            started = time.monotonic()
            answers = self._ask([[values for _, values in call] for call in calls], list(segments))
            told = [table for tables in answers for table in tables]
            self.study.add([_trial(stage, fold, number, values, table)
                            for (number, values), table in zip(batch, told, strict=True)])
            if time.monotonic() - started < LONGEST_BATCH_S / 2:
                each_call = min(each_call * 2, MOST_IN_CALL)
            done = sum(one.stage in (GRID, RANDOM, TPE) for one in self.study.trials)
            self._progress(done, self.planned, f"fold {fold}" if fold else "spread over the space")

    def _ask(self, calls: list[list[dict[str, Value]]], segments: list[Segment]) -> list[list[Floats | str]]:
        if self.crew.here or (len(calls) == 1 and len(calls[0]) == 1):
            return [self.arena.trials(call, segments) for call in calls]
        if self._shared is None:
            self._shared = self.crew.share(self.arena, self._aside)
        return self.crew.map(work, [(self._shared, call, segments) for call in calls])


def _trial(stage: str, fold: int, number: int, values: dict[str, Value], told: Any) -> Trial:
    if isinstance(told, str):
        return Trial(stage, fold, number, values, None, told)
    return Trial(stage, fold, number, values, told)
