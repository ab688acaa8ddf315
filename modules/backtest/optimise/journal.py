"""A study on disk: what is searched (``study.json``) and every trial done (``trials.jsonl``), one line each.

1. A trial is written when it is done, before the next is asked for. A kill at any moment loses only trials that were
   under way.
2. A torn last line (a kill while writing) is cut off; a damaged line elsewhere is left out and counted.
3. A study goes on only with the same question: what differs is named.
"""

import base64
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modules.backtest.arrays import Floats
from modules.backtest.optimise.arena import COLUMNS
from modules.backtest.optimise.space import Value
from utils.files import write_atomic

PRESENT, GRID, RANDOM, TPE, WINNER = "present", "grid", "random", "tpe", "winner"


class StudyError(Exception):
    """A study that cannot go on; the text says why and what to do."""


@dataclass(slots=True)
class Trial:
    """One trial. `number` counts within its stage and fold; `refused`: why the settings could not be."""

    stage: str
    fold: int
    number: int
    values: dict[str, Value]
    table: Floats | None = None
    refused: str = ""


class _Line(msgspec.Struct, omit_defaults=True):
    stage: str
    fold: int
    number: int
    values: dict[str, Any]
    days: str = ""
    refused: str = ""


@dataclass
class Study:
    """A study's folder and all its trials."""

    folder: Path
    question: dict[str, Any]
    trials: list[Trial] = field(default_factory=list)
    damaged: int = 0

    @classmethod
    def opened(cls, folder: Path, question: dict[str, Any], again: bool = False) -> "Study":
        """Begin a study, or go on with it. `again` throws away what is there. Raises StudyError, OSError."""
        question = json.loads(json.dumps(question))
        folder.mkdir(parents=True, exist_ok=True)
        head, lines = folder / "study.json", folder / "trials.jsonl"
        if again:
            lines.unlink(missing_ok=True)
            head.unlink(missing_ok=True)
        if head.exists():
            _same(folder.name, head, question)
        elif lines.exists():
            raise StudyError(f"study {folder.name}: study.json is missing beside its trials; begin anew with --again")
        else:
            write_atomic(head, (json.dumps(question, indent=1) + "\n").encode())
        study = cls(folder, question)
        if lines.exists():
            study._read(lines)
        return study

    def add(self, trials: list[Trial]) -> None:
        """Write trials that are done (rule 1)."""
        text = b"".join(msgspec.json.encode(_Line(each.stage, each.fold, each.number, dict(each.values),
                                                  packed(each.table), each.refused)) + b"\n" for each in trials)
        with open(self.folder / "trials.jsonl", "ab") as file:
            file.write(text)
            file.flush()
        self.trials += trials

    def of(self, stage: str, fold: int = 0) -> list[Trial]:
        """Trials of a stage and fold."""
        return [each for each in self.trials if each.stage == stage and each.fold == fold]

    def _read(self, path: Path) -> None:
        raw = path.read_bytes()
        whole = raw.rfind(b"\n") + 1
        if whole < len(raw):  # rule 2
            with open(path, "r+b") as file:
                file.truncate(whole)
        seen = set()
        for line in raw[:whole].splitlines():
            try:
                told = msgspec.json.decode(line, type=_Line)
                trial = Trial(told.stage, told.fold, told.number, told.values, unpacked(told.days), told.refused)
            except (msgspec.MsgspecError, ValueError, zlib.error):
                self.damaged += 1
                continue
            key = (trial.stage, trial.fold, trial.number)
            if key not in seen:
                seen.add(key)
                self.trials.append(trial)


def _same(name: str, head: Path, question: dict[str, Any]) -> None:
    """Raises StudyError naming what is asked differently (rule 3)."""
    try:
        before = json.loads(head.read_bytes())
    except ValueError:
        raise StudyError(f"study {name}: {head.name} is damaged; begin anew with --again") from None
    other = [key for key in sorted({*before, *question}) if before.get(key) != question.get(key)]
    if other:
        told = "; ".join(f"{key} was {_short(before.get(key))}, is {_short(question.get(key))}" for key in other[:4])
        raise StudyError(f"study {name} asks something else: {told}. Give another --name, or begin anew with --again.")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "…"


def packed(table: Floats | None) -> str:
    """A table of days as text; only about a tenth of it is anything but zeros."""
    return "" if table is None else base64.b85encode(zlib.compress(table.astype("<f8").tobytes(), 1)).decode()


def unpacked(text: str) -> Floats | None:
    """The table of `packed`. Raises ValueError, zlib.error for damaged text."""
    if not text:
        return None
    return np.frombuffer(zlib.decompress(base64.b85decode(text)), "<f8").reshape(-1, COLUMNS).copy()
