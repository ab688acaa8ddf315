"""``python bot.py replay [FILES]``: recorded decisions made again from their inputs, and explained.

    bot.py replay data/decisions/hype-test.000001.jsonl
    bot.py replay --position PEPEUSDT --all            every look at a position, by symbol or id
    bot.py replay FILE --at 2025-03-01T10:15:00        what was decided last at that market time (UTC)

Exit codes: 0 every decision is the same, byte for byte; 1 one differs, or a file cannot be used; 2 wrong arguments.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.backtest import replay_showdown
from modules.backtest.replay import Answered, Judged, Line, Record, Recording
from modules.backtest.replay_words import clock, kind, quiet, when, whose, words
from modules.storage.decisions import DecisionFileError, files
from modules.strategies.showdown.files import is_record as is_showdown

if TYPE_CHECKING:
    from config.settings import Settings
    from utils.paths import Paths

OK, FAILED, WRONG = 0, 1, 2


@dataclass
class Told:
    """What a replay found."""

    shown: list[tuple[Recording, Line]] = field(default_factory=list)
    first: tuple[Recording, Line] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    decisions: int = 0
    different: int = 0
    torn: int = 0


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bot.py replay", description="Make recorded decisions again from their "
                                     "recorded inputs, compare byte for byte, and tell why each fell.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE",
                        help="recorded files or folders (default: all of data/decisions)")
    parser.add_argument("--at", metavar="TIME", help="only what was decided last at this market time: UTC, e.g. "
                        "2025-03-01T10:15:00, or ms since 1970")
    parser.add_argument("--position", metavar="ID", help="only this position or symbol (the beginning is enough)")
    parser.add_argument("--all", action="store_true", help="also looks at which nothing happened")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def main(argv: list[str], settings: "Settings", paths: "Paths") -> int:
    """Returns the exit code."""
    chosen = arguments().parse_args(argv)
    try:
        at_ms = moment(chosen.at) if chosen.at else None
    except ValueError:
        sys.stderr.write(f"--at {chosen.at} is no time; write 2025-03-01T10:15:00 (UTC) or ms since 1970\n")
        return WRONG
    try:
        found = found_files(chosen.files or [paths.data / "decisions"])
        if any(is_showdown(path) for path in found):
            if all(is_showdown(path) for path in found):
                return replay_showdown.run(found, at_ms, chosen.all, chosen.json, paths.models)
            found = [path for path in found if not is_showdown(path)]
            sys.stderr.write("Decisions of system C lie here too: replay data/decisions/showdown.*.jsonl\n")
        told = replay(found, at_ms, chosen.position or "", chosen.all)
    except (DecisionFileError, OSError) as problem:
        sys.stderr.write(f"Nothing was compared to the end: {problem}\n")
        return FAILED
    out = json.dumps(as_json(found, told), ensure_ascii=False) if chosen.json else text(found, told)
    sys.stdout.write(out + "\n")
    return FAILED if told.different else OK


def moment(text: str) -> int:
    """ms of a time as a person writes it. Raises ValueError."""
    if text.isdecimal():
        return int(text)
    found = datetime.fromisoformat(text)
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def found_files(given: Sequence[Path]) -> list[Path]:
    """The files of the record. Raises DecisionFileError where there are none."""
    found: list[Path] = []
    for path in given:
        inside = files(path) if path.is_dir() else [path]
        if not inside:
            raise DecisionFileError(f"{path} holds no recorded decisions. The tracker records them while it runs "
                                    "(setting decisions.record).")
        found += inside
    for path in found:
        if not path.is_file():
            raise DecisionFileError(f"{path}: there is no such file.")
    return found


def replay(given: Sequence[Path], at_ms: int | None, who: str, every: bool) -> Told:
    """Make every decision of the files again; keep what is to be shown. Raises DecisionFileError, OSError."""
    told = Told()
    last: dict[tuple[str, str], tuple[Recording, Line]] = {}
    for path in given:
        recording, before = Recording(path), None
        told.torn += recording.torn
        for line in recording.lines():
            _count(told, recording, line)
            symbol, position = whose(line.record)
            said, before = repeats(line.record, before), line.record
            if who and not (position.startswith(who) or symbol.startswith(who.upper())):
                continue
            ms = when(line.record)
            if at_ms is not None:
                if line.decided and ms is not None and ms <= at_ms:
                    last[(symbol, position)] = recording, line
            elif every or not line.same or not (said or quiet(line.record)):
                told.shown.append((recording, line))
    told.shown += sorted(last.values(), key=lambda one: when(one[1].record) or 0)
    return told


def repeats(record: Record, before: Record | None) -> bool:
    """Whether the end of a proposal only says once more what the limits or the entry have said."""
    return isinstance(record, Answered) and (
        record.code == "BOUGHT" or (isinstance(before, Judged) and bool(before.refused)))


def _count(told: Told, recording: Recording, line: Line) -> None:
    told.counts[kind(line.record)] += 1
    told.decisions += line.decided
    if line.decided and not line.same:
        told.different += 1
        told.first = told.first or (recording, line)


def text(given: Sequence[Path], told: Told) -> str:
    """For a person."""
    rows = [row for recording, line in told.shown for row in _rows(recording, line, len(given) > 1)]
    counts = ", ".join(f"{count} {name}" for name, count in sorted(told.counts.items()))
    if told.torn:
        rows.append(f"{told.torn} bytes of a torn tail were left out: the process or the power ended there.")
    rows.append(f"{told.decisions} decisions in {len(given)} file{'s' * (len(given) != 1)} ({counts}): "
                + ("all the same, byte for byte." if not told.different else f"{told.different} DIFFER."))
    if told.first:
        recording, line = told.first
        rows += ["The first that differs:", *_rows(recording, line, True),
                 f"  recorded {line.recorded.decode()}", f"  now      {line.again.decode()}",
                 f"The record was made by version {recording.head.program}; a rule has changed since."]
    return "\n".join(rows)


def _rows(recording: Recording, line: Line, name: bool) -> list[str]:
    ms = when(line.record)
    symbol, _ = whose(line.record)
    head = f"{clock(ms) if ms else ' ' * 23} {recording.head.mode} {symbol:<14} {kind(line.record):<10}"
    mark = "" if line.same else " ← DIFFERS NOW"
    place = f" [{recording.path.name}:{line.number}]" if name else f" [line {line.number}]"
    return [f"{head} {words(line.record)}{mark}{place}"]


def as_json(given: Sequence[Path], told: Told) -> dict[str, Any]:
    """For a program."""
    return {"files": [path.name for path in given], "decisions": told.decisions, "different": told.different,
            "torn_bytes": told.torn, "counts": dict(told.counts),
            "first_difference": _object(*told.first) if told.first else None,
            "shown": [_object(recording, line) for recording, line in told.shown]}


def _object(recording: Recording, line: Line) -> dict[str, Any]:
    symbol, position = whose(line.record)
    return {"file": recording.path.name, "line": line.number, "mode": recording.head.mode, "symbol": symbol,
            "position": position, "market_ms": when(line.record), "kind": kind(line.record), "same": line.same,
            "why": words(line.record), "recorded": line.recorded.decode(), "now": line.again.decode()}
