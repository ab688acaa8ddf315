"""Logs: the newest lines of one process, by level and words, as they come."""

import re
from typing import Any

from modules.dashboard.pages.sources import Sources
from utils.logs import log_path, tail

LINES, LOOKED_THROUGH = 300, 3000
_RECORD = re.compile(r"^(\d{4}-\d\d-\d\dT[\d:.]+Z) ([A-Z]+) ([\w.]+): (.*)$")
_LEVELS = {"DEBUG": 0, "INFO": 1, "WARNING": 2, "ERROR": 3, "CRITICAL": 4}


def logs(sources: Sources, arguments: dict[str, str]) -> dict[str, Any]:
    """The page's sections; arguments: `service`, `level` (the lowest that is shown), `words`."""
    names = ["bot", *(service.name for service in sources.crew)]
    name = arguments.get("service", "bot")
    if name not in names:  # also what would lead out of the folder
        name = "bot"
    every = sources.while_same(log_path(sources.paths, name), lambda: tail(sources.paths, name, LOOKED_THROUGH))
    lowest = _LEVELS.get(arguments.get("level", "INFO"), 1)
    return {"names": names, "lines": {"service": name, "rows": chosen(every, lowest, arguments.get("words", ""))}}


def chosen(lines: list[str], lowest: int, words: str) -> list[tuple[str, str, str]]:
    """(time, level, text) of the newest that pass; a traceback goes with the record it belongs to."""
    found: list[tuple[str, str, str]] = []
    wanted, level = True, "INFO"
    for line in lines:
        record = _RECORD.match(line)
        if record:
            level = record.group(2)
            wanted = _LEVELS.get(level, 1) >= lowest and words.lower() in line.lower()
        if wanted:
            found.append((record.group(1), level, f"{record.group(3)}: {record.group(4)}") if record
                         else ("", level, line))
    return found[-LINES:]
