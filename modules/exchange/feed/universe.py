"""Which symbols the feed hears: always those of the settings, beside them what systems ask for by the inbox.

``{"kind": "universe", "body": {"by": "signals", "symbols": [...]}}`` replaces what that system asked for before; an
empty list takes it back. What was asked for survives a restart (``data/run/feed.universe.json``).
"""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

log = logging.getLogger(__name__)


class Wishes:
    """What each system asked for."""

    def __init__(self, file: Path, always: Iterable[str], most: int) -> None:
        self._file, self._always, self._most = file, tuple(dict.fromkeys(s.upper() for s in always)), most
        try:
            self._asked = msgspec.json.decode(file.read_bytes(), type=dict[str, list[str]])
        except FileNotFoundError:
            self._asked = {}
        except (OSError, ValueError) as problem:  # systems ask again when they start
            log.warning("%s cannot be read (%s); symbols are heard again once they are asked for", file.name, problem)
            self._asked = {}

    @property
    def any(self) -> bool:
        """Somebody asked for something."""
        return bool(self._always or any(self._asked.values()))

    def take(self, body: dict[str, Any]) -> str:
        """A message of the inbox; returns "" or what is wrong with it."""
        by, symbols = body.get("by"), body.get("symbols")
        if not isinstance(by, str) or not by or not isinstance(symbols, list):
            return f"a universe needs by (a name) and symbols (a list), not {str(body)[:120]}"
        if not all(isinstance(s, str) and s.isascii() and s.isalnum() for s in symbols):
            return f"a universe's symbols are names like BTCUSDT, not {str(symbols)[:120]}"
        self._asked[by] = [s.upper() for s in symbols]
        self._save()
        return ""

    def symbols(self, fallback: Iterable[str], listed: Iterable[str]) -> tuple[list[str], list[str]]:
        """(heard, left out because there are too many or the venue does not list them)."""
        wanted = dict.fromkeys(self._always)
        for names in self._asked.values():
            wanted.update(dict.fromkeys(names))
        if not wanted:
            wanted = dict.fromkeys(fallback)
        known = set(listed)
        found = [s for s in wanted if s in known]
        return found[:self._most], [s for s in wanted if s not in known] + found[self._most:]

    def _save(self) -> None:
        aside = self._file.with_name(f".{self._file.name}.{os.getpid()}.tmp")
        try:
            aside.write_bytes(msgspec.json.encode(self._asked))
            os.replace(aside, self._file)
        except OSError as problem:
            log.error("%s cannot be written (%s): after a restart systems have to ask again", self._file.name, problem)
