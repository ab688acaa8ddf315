"""Named points at which a test may kill the process, so that every crash between two steps can be tried (issue 3).

1. A module that takes steps with money declares its points once, at import: ``declare(__name__, "intent.written", …)``,
   and calls ``crash_point("intent.written")`` between the steps.
2. A call does nothing unless ``COXSWAIN_CRASH_AT=name`` (or ``name:n`` for the n-th time) was set at the start.
3. Then the process ends there at once: no clean-up, no flush, as with ``kill -9``.
4. ``COXSWAIN_CRASH_ONCE=FILE`` makes it happen once: the file is made first, and where it exists nothing happens.
   So a supervisor that starts the process again does not crash for ever.
5. A test reads the calls out of the source and compares: no call without a declaration, no declaration without a call.
"""

import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

AT = "COXSWAIN_CRASH_AT"
ONCE = "COXSWAIN_CRASH_ONCE"
EXIT_CRASHED = 97

_declared: dict[str, str] = {}


class CrashPointError(Exception):
    """A point was declared twice, or the environment asks for something that cannot be."""


@dataclass(slots=True)
class _Armed:
    """Where this process is to end."""

    name: str
    countdown: int
    once: Path | None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reached(self, name: str) -> bool:
        """Whether this is the call at which to end."""
        if name != self.name:
            return False
        with self.lock:
            self.countdown -= 1
            return self.countdown == 0 and not (self.once and self.once.exists())


def declare(module: str, *names: str) -> tuple[str, ...]:
    """Declare the points of `module` (rule 1), in the order in which they are passed. Raises CrashPointError."""
    for name in names:
        owner = _declared.setdefault(name, module)
        if owner != module:
            raise CrashPointError(f"the crash point {name} of {module} is declared by {owner} already")
    return names


def declared() -> dict[str, str]:
    """Every point declared by the modules imported so far, with its module."""
    return dict(_declared)


def parse(environment: Mapping[str, str]) -> _Armed | None:
    """What the environment asks for (rules 2, 4). Raises CrashPointError for a text that cannot be read."""
    wanted = environment.get(AT, "")
    if not wanted:
        return None
    name, _, count = wanted.partition(":")
    if not name or (count and not (count.isdecimal() and int(count) > 0)):
        raise CrashPointError(f"{AT}={wanted}: expected NAME or NAME:N with N from 1 on")
    once = environment.get(ONCE, "")
    return _Armed(name, int(count or 1), Path(once) if once else None)


def crash_point(name: str) -> None:
    """End the process here if the environment named this point; otherwise nothing (rule 2)."""
    if _armed is None:
        return
    if _armed.reached(name):
        _crash(name, _armed.once)


def _crash(name: str, once: Path | None) -> None:
    if once is not None:
        once.write_text(name + "\n", encoding="utf-8")
    os._exit(EXIT_CRASHED)  # rule 3


_armed = parse(os.environ)
if _armed is not None:
    log.warning("this process is set to crash at %s (%s)", _armed.name, AT)
