"""Does it live? ``python -m modules.supervision.alive``, for a container's health check: exit 0 yes, 1 no and what not.

Yes means: the command process runs, and the heartbeat of every service that is wanted moves. Nothing is locked, started
or written.
"""

import sys
import time
from collections.abc import Callable

import msgspec

from modules.supervision.service import read_beat
from utils.locks import ProcessLock
from utils.paths import Paths, default_paths
from utils.processes import find

PATIENCE_S = 15.0  # as long as the supervisor waits before it calls a loop stuck
COMMAND_PROCESS = "bot"


def troubles(paths: Paths, patience_s: float = PATIENCE_S, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """What is wrong, a line each; empty when all lives. Waits until every heartbeat has moved, `patience_s` at most."""
    if ProcessLock(paths.run, COMMAND_PROCESS).owner() is None:
        return ["the command process does not run"]
    found = {name: _count(paths, name) for name in _wanted(paths)}
    dead = [f"{name} does not run" for name, count in found.items() if count is None]
    waiting = {name for name, count in found.items() if count is not None}
    for _ in range(max(1, round(patience_s / 0.5))):
        if not waiting:
            break
        sleep(0.5)
        waiting = {name for name in waiting if _count(paths, name) == found[name]}
    return dead + [f"the heartbeat of {name} does not move" for name in sorted(waiting)]


def _wanted(paths: Paths) -> list[str]:
    try:
        return sorted(msgspec.json.decode((paths.run / "desired.json").read_bytes(), type=list[str]))
    except (OSError, msgspec.MsgspecError):
        return []  # nothing was ever started, or the file is damaged: the supervisor tells of that, and restores it


def _count(paths: Paths, name: str) -> int | None:
    """The heartbeat's counter, while the process that wrote it lives."""
    beat = read_beat(paths.run, name)
    return beat.count if beat is not None and find(beat.pid, beat.started) is not None else None


def main() -> int:
    """Entry of the command line."""
    wrong = troubles(default_paths())
    sys.stdout.write("\n".join(wrong or ["all that is wanted lives"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
