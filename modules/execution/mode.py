"""The switch between test and live, ``config/state.json``: the command process writes it, every system reads (P6)."""

import msgspec

from modules.exchange.types import Mode
from modules.storage.damage import StateError
from modules.storage.json_state import JsonFile
from utils.paths import Paths


class TestMode(msgspec.Struct, frozen=True):
    """Which mode new entries use. Positions of both modes are always guarded."""

    test_mode: bool = True

    @property
    def mode(self) -> Mode:
        return Mode.TEST if self.test_mode else Mode.LIVE


def mode_file(paths: Paths) -> JsonFile[TestMode]:
    """The switch. Its `load` raises StateError where it is damaged beyond its copy."""
    return JsonFile(paths.config / "state.json", TestMode, TestMode)


def mode_word(paths: Paths) -> str:
    """The mode of new entries for a message's head; "" where the switch cannot be read, which is told elsewhere."""
    try:
        return str(mode_file(paths).load().mode)
    except (StateError, OSError):
        return ""
