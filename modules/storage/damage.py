"""What happens when a state file cannot be read: it is set aside, the last good copy restored, a person told."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from utils.wall import stamp

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged file: what was wrong, where it was set aside, and what stands in its place."""

    path: Path
    problem: str
    set_aside: Path | None
    restored: str

    def sentence(self) -> str:
        """One line for a person."""
        aside = f"; the damaged file is kept as {self.set_aside.name}" if self.set_aside else ""
        return f"{self.path.name} was damaged ({self.problem}). {self.restored}{aside}."


class StateError(Exception):
    """A state file is damaged and nothing good is left to restore it from."""


def set_aside_name(path: Path) -> Path:
    """A free name for the damaged file, beside it: ``NAME.damaged-STAMP``."""
    first = path.with_name(f"{path.name}.damaged-{stamp()}")
    free, number = first, 1
    while free.exists():
        number += 1
        free = first.with_name(f"{first.name}-{number}")
    return free


_listeners: list[Callable[[Damage], None]] = []


def on_damage(listener: Callable[[Damage], None]) -> Callable[[], None]:
    """Have `listener` called for every damage found in this process (the outbox does this).

    Returns what ends it. A listener must not raise: it is called in the middle of the mending.
    """
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def report(damage: Damage) -> None:
    """Log a damage and tell the listeners."""
    log.error("damaged state: %s", damage.sentence())
    for listener in tuple(_listeners):
        listener(damage)
