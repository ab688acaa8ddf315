"""``bot.py optimize list | apply VERSION | rollback``: the versions that held up, and which of them is applied."""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from modules.storage.damage import StateError
from modules.storage.settings_versions import NoVersion, Version, Versions, unusable
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

OK, FAILED, WRONG = 0, 1, 2
RESTARTS = {"signals": "/stopsignals, then /startsignals", "scalper": "/stopscalper, then /startscalper",
            "grid": "/restartloop, then the next /startgrid takes them (a running grid keeps its own)"}
KEPT = ("Open positions keep targets and first stop; the trailing distance and the longest hold change for them too.")


def again(*strategies: str) -> str:
    """How the services of these strategies are started anew."""
    return "; ".join(dict.fromkeys(RESTARTS.get(name, "/restartbot restarts scanner and tracker")
                                   for name in strategies)) or "/restartbot"


def _later(*strategies: str) -> str:
    return f"Services take them when they start: {again(*strategies)}. {KEPT}"


def main(argv: list[str], settings: "Settings", paths: Paths) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="bot.py optimize", description="Versions of optimised settings.")
    parts = parser.add_subparsers(dest="what", required=True)
    one = parts.add_parser("apply", help="let a version hold")
    one.add_argument("version", type=int)
    for name, text in (("list", "every version"), ("rollback", "go back to what held before")):
        parts.add_parser(name, help=text)
    for each in parts.choices.values():
        each.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(argv)
    versions = Versions(paths)
    try:
        if chosen.what == "apply":
            told = _apply(versions, chosen.version, settings)
        elif chosen.what == "rollback":
            before = versions.applied().versions
            now = versions.rollback()
            changed = [name for name in {**before, **now.versions} if before.get(name) != now.versions.get(name)]
            told = {"applied": now.versions, "settings": now.settings,
                    "text": f"Rolled back. Applied now: {now.named()}.\n{_later(*changed)}"}
        else:
            told = _list(versions)
    except NoVersion as problem:
        sys.stderr.write(f"{problem}\n")
        return WRONG
    except (StateError, OSError) as problem:
        sys.stderr.write(f"Nothing was changed: {problem}\n")
        return FAILED
    sys.stdout.write((json.dumps(told, ensure_ascii=False) if chosen.json else told["text"]) + "\n")
    return OK


def _apply(versions: Versions, number: int, settings: "Settings") -> dict[str, Any]:
    version = versions.get(number)
    refused = unusable(version, settings)
    if refused:
        raise NoVersion(f"version {number} does not suit these settings any more: {refused}. Optimise again.")
    versions.apply(number)
    lines = [f"Version {number} ({version.strategy}) is applied:",
             *(f"  {name} = {value}" for name, value in version.settings.items()), _later(version.strategy),
             "What .env or the environment sets stays stronger; bot.py doctor shows where each setting comes from."]
    return {"applied": versions.applied().versions, "settings": version.settings, "text": "\n".join(lines)}


def _list(versions: Versions) -> dict[str, Any]:
    now, known = versions.applied(), versions.all()
    rows = [{"version": each.version, "strategy": each.strategy, "found": each.found, "data_until": each.data_until,
             "settings": each.settings, "applied": now.versions.get(each.strategy) == each.version,
             "difference": each.figures.get("difference"), "objective": each.figures.get("objective")}
            for each in known]
    lines = [_line(each, now.versions.get(each.strategy) == each.version) for each in known]
    return {"versions": rows, "applied": now.versions,
            "text": "\n".join(lines or ["No version yet: bot.py optimize STRATEGY searches one."])}


def _line(version: Version, applied: bool) -> str:
    difference = version.figures.get("difference", {})
    gain = (f"{version.figures.get('objective', '')} {difference['value']:+.4g} [{difference['low']:+.4g}, "
            f"{difference['high']:+.4g}] against what held then" if difference else "")
    changed = ", ".join(f"{name} {version.before.get(name)} → {value}" for name, value in version.settings.items())
    return (f"{'→' if applied else ' '} {version.version:>3}  {version.strategy}  {version.found[:16]}  candles until "
            f"{version.data_until[:10]}  {gain}\n       {changed}")
