"""``bot.py replay`` for decisions of system C: made again, compared byte for byte, told with their reasons."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modules.backtest.replay_words import clock

OK, FAILED = 0, 1


def run(paths: Sequence[Path], at_ms: int | None, every: bool, as_json: bool, models: Path | None = None) -> int:
    """Replay files; prints, and returns the exit code. `models`: the folder of all models. Raises DecisionFileError,
    OSError."""
    from modules.strategies.showdown.replay import replay  # pydantic and numpy: only when asked for
    found: list[tuple[Path, Any]] = []
    torn = 0
    for path in paths:
        rows, left = replay(path, models)
        torn += left
        found += [(path, row) for row in rows]
    different = [(path, row) for path, row in found if not row.same]
    shown = _chosen(found, at_ms, every)
    if as_json:
        told = {"files": [path.name for path in paths], "decisions": len(found), "different": len(different),
                "torn_bytes": torn, "shown": [_object(path, row) for path, row in shown]}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return FAILED if different else OK
    lines = [_line(path, row) for path, row in shown]
    if torn:
        lines.append(f"{torn} bytes of a torn tail were left out: the process or the power ended there.")
    lines.append(f"{len(found)} decisions of system C in {len(paths)} file{'s' * (len(paths) != 1)}: "
                 + (f"{len(different)} DIFFER." if different else "all the same, byte for byte."))
    for path, row in different[:1]:
        lines += ["The first that differs:", _line(path, row), f"  recorded {row.recorded.decode()}",
                  f"  now      {row.now.decode()}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return FAILED if different else OK


def _chosen(found: list[tuple[Path, Any]], at_ms: int | None, every: bool) -> list[tuple[Path, Any]]:
    """The last ones before a time; else what is not flat or differs, or all."""
    if at_ms is not None:
        last = {row.decision.symbol: (path, row) for path, row in found if row.decision.ms <= at_ms}
        return list(last.values())
    return [(path, row) for path, row in found if every or not row.same or row.decision.action != "flat"]


def _line(path: Path, row: Any) -> str:
    one = row.decision
    mark = "" if row.same else " ← DIFFERS NOW"
    return (f"{clock(one.ms)} {one.mode} {one.symbol:<10} {one.action:<5} {one.reason}: {'; '.join(one.reasons)[:300]}"
            f"{mark} [{path.name}:{row.line}]")


def _object(path: Path, row: Any) -> dict[str, Any]:
    return {"file": path.name, "line": row.line, "symbol": row.decision.symbol, "market_ms": row.decision.ms,
            "kind": "decision", "same": row.same, "action": row.decision.action, "why": row.decision.reason,
            "hash": row.decision.hash, "recorded": row.recorded.decode(), "now": row.now.decode()}
