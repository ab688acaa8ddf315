"""How far a training of many tokens has come: after a kill it goes on where it stopped.

``data/training-WHAT.jsonl``: the first line tells what is trained and by which recipe, each further line a token that
is done. A line is flushed, not synced: the worst that a power cut costs is one token trained twice.
"""

import hashlib
import logging

import msgspec

from modules.learning.jobs import Recipe
from utils.paths import Paths

log = logging.getLogger(__name__)

OLDEST_MS = 24 * 3_600_000  # market time: models of yesterday are trained anew


class _Head(msgspec.Struct, frozen=True):
    recipe: str
    began_ms: int


class Journal:
    """One such training, ``all`` or another name."""

    def __init__(self, paths: Paths, what: str, recipe: Recipe) -> None:
        self._path = paths.data / f"training-{what}.jsonl"
        self._recipe = hashlib.sha256(msgspec.json.encode(recipe)).hexdigest()[:16]

    def resume(self, now_ms: int, fresh: bool = False) -> set[str]:
        """Tokens that an interrupted training of the same recipe has done; begins a new journal where there is none."""
        done = set() if fresh else self._done(now_ms)
        if not done:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(msgspec.json.encode(_Head(self._recipe, now_ms)) + b"\n")
        return done

    def note(self, symbol: str) -> None:
        """A token is done."""
        with open(self._path, "ab") as out:
            out.write(msgspec.json.encode(symbol) + b"\n")

    def finish(self) -> None:
        """All are done: the next training begins anew."""
        self._path.unlink(missing_ok=True)

    def _done(self, now_ms: int) -> set[str]:
        try:
            first, *lines = self._path.read_bytes().split(b"\n")
            head = msgspec.json.decode(first, type=_Head)
        except FileNotFoundError:
            return set()
        except (msgspec.MsgspecError, OSError) as problem:
            log.warning("%s cannot be read (%s): the training begins anew", self._path.name, problem)
            return set()
        if head.recipe != self._recipe or not 0 <= now_ms - head.began_ms <= OLDEST_MS:
            return set()
        done: set[str] = set()
        for line in lines[:-1]:  # the last is empty, or torn by the kill
            try:
                done.add(msgspec.json.decode(line, type=str))
            except msgspec.MsgspecError:
                continue
        return done
