"""What all crash matrices share: cells and their worlds, the lines that are told, the command line."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

W = TypeVar("W")
C = TypeVar("C", bound="Case")
Cell = tuple[str, str]
Options = argparse.Namespace


@dataclass
class Case:
    """One death at the n-th `passing` of a point, and what came of it. `struck`: it died there; `last`: what the
    process said last before it died or was done."""

    point: str
    operation: str
    passing: int = 1
    struck: bool = False
    seconds: float = 0.0
    last: str = ""
    problems: list[str] = field(default_factory=list)

    def figures(self) -> str:
        """What is measured besides, for the line of the case."""
        return ""


@dataclass(frozen=True)
class Matrix:
    """The command of a matrix. `points` and `cases` take the options, `cases` points, operations and whom to tell as
    well. `summary` makes the cases one object; `missed` says which points had to be struck.
    """

    doc: str
    operations: Sequence[str]
    declared: Sequence[str]
    points: Callable[[Options], list[str]]
    cases: Callable[[Options, list[str], list[str], Callable[[Any], None]], Sequence[Case]]
    summary: Callable[[Any, list[str]], dict[str, Any]]
    missed: Callable[[Options, dict[str, Any]], list[str]]

    def command(self, more: Callable[[argparse.ArgumentParser], None] = lambda _: None) -> int:
        """The command line; 1 where a case failed or a point was never reached. `more` adds options."""
        parser = argparse.ArgumentParser(description=self.doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--only", choices=list(self.declared), action="append", help="this point (may be repeated)")
        parser.add_argument("--operation", choices=list(self.operations), action="append", help="this operation")
        more(parser)
        options = parser.parse_args()
        began, points = time.monotonic(), options.only or self.points(options)
        cases = self.cases(options, points, options.operation or list(self.operations),
                           (lambda _: None) if options.json else tell)
        found = {**self.summary(cases, points), "load": round(os.getloadavg()[0], 1),
                 "seconds": round(time.monotonic() - began)}
        print(json.dumps(found) if options.json else json.dumps(found, indent=2))
        missed = [] if options.operation else self.missed(options, found)
        return 1 if found["failed"] or missed else 0


def tell(case: Case) -> None:
    """A line for the case, and one for each problem."""
    end = "wrong" if case.problems else "struck" if case.struck else "not passed"
    times = f":{case.passing}" if case.passing > 1 else ""
    print(f"{case.point + times:>20} {case.operation:<24} {end:<10} {case.seconds:5.1f} s{case.figures()}"
          + ("" if case.struck or not case.last else f"; {case.last}"), flush=True)
    for problem in case.problems:
        print(f"      ! {problem}", flush=True)


def through(cells: Sequence[Cell], world: Callable[[Path, Cell], AbstractContextManager[W]],
            run: Callable[[W, Cell], Iterable[C]], told: Callable[[C], None],
            alone: Callable[[Cell], bool] = lambda _: False,
            leaving: Callable[[W], None] = lambda _: None) -> list[C]:
    """Every cell. A world in which something went wrong is left, so that one failure does not colour the next; a cell
    that is `alone` has a world of its own. `leaving` sees each world before its end."""
    left, cases = list(cells), []
    while left:
        with tempfile.TemporaryDirectory(prefix="coxswain-matrix-", ignore_cleanup_errors=True) as folder, \
                world(Path(folder), left[0]) as made:
            healthy = True
            while left and healthy:
                cell = left.pop(0)
                for case in run(made, cell):
                    cases.append(case)
                    told(case)
                    healthy = not case.problems
                healthy = healthy and not alone(cell) and not (left and alone(left[0]))
            leaving(made)
    return cases
