"""Walk-forward: the days cut so that every fold is fitted on days before those it is judged by.

The first days (`first_share`) only fit. The rest is cut into `folds` parts of equal length; each is judged with what
was fitted on the days before it: all of them (anchored), or as many as the first fit had (rolling).
"""

from dataclasses import dataclass
from typing import Literal

from modules.backtest.optimise.arena import Segment

LEAST_DAYS = 3
Mode = Literal["anchored", "rolling"]


class FoldError(Exception):
    """Candles that do not suffice for the folds asked for."""


@dataclass(frozen=True, slots=True)
class Folds:
    """`segments`: the first fit's days, then the days of each judgement, in order, without gaps."""

    segments: tuple[Segment, ...]
    mode: Mode

    @property
    def count(self) -> int:
        """How many judgements."""
        return len(self.segments) - 1

    def fit(self, fold: int) -> slice:
        """Days that fold `fold` (from 1) is fitted on."""
        end = self.segments[fold].begin
        width = self.segments[0].end
        return slice(0 if self.mode == "anchored" else max(end - width, 0), end)

    def judge(self, fold: int) -> slice:
        """Days that fold `fold` is judged by."""
        return slice(self.segments[fold].begin, self.segments[fold].end)

    @property
    def judged(self) -> slice:
        """All days that any fold is judged by."""
        return slice(self.segments[1].begin, self.segments[-1].end)


def folds_of(days: int, count: int, first_share: float, mode: Mode) -> Folds:
    """The folds over `days` days. Raises FoldError naming how many would be needed."""
    first = max(round(days * first_share), LEAST_DAYS)
    if days - first < count * LEAST_DAYS:
        need = max(round((count * LEAST_DAYS + 1) / (1 - first_share)), (count + 1) * LEAST_DAYS)
        able = (days - first) // LEAST_DAYS
        raise FoldError(f"the candles span {days} days; {count} folds need {need} at least (each judged by "
                        f"{LEAST_DAYS} days or more). Give more candles{f', or --folds {able}' if able > 0 else ''}.")
    edges = [first + (days - first) * place // count for place in range(count + 1)]
    judged = [Segment(begin, end) for begin, end in zip(edges, edges[1:], strict=False)]
    return Folds((Segment(0, first), *judged), mode)
