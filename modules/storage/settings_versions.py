"""Versions of settings that an optimisation found and that held up, and which of them is applied.

``data/settings/vNNNN.json`` is a version, never changed; ``data/settings/applied.json`` tells which one holds, and
which held before (for a rollback). The applied version's settings are a source of settings: stronger than the YAML
files, weaker than ``.env`` and the environment. Services read settings when they start.
"""

from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel

from modules.storage.json_state import JsonFile
from utils.files import locked, write_atomic
from utils.paths import Paths
from utils.wall import iso, now_ms

Scalar = bool | int | float | str
MOST_STEPS = 50


class Version(msgspec.Struct, frozen=True):
    """One version. `settings`: full names and values; `before`: what held when it was found; `figures`: the verdict.

    `data_until` is market time: the last candle that it was judged by. `found` is the wall clock's, for logs.
    """

    version: int
    strategy: str
    study: str
    found: str
    data_until: str
    settings: dict[str, Scalar]
    before: dict[str, Scalar]
    figures: dict[str, Any]


class Applied(msgspec.Struct):
    """The version that holds of each strategy; what held before, the newest last; since when (wall clock).

    `settings` are those of all versions that hold, so that a start reads one file.
    """

    versions: dict[str, int] = {}
    earlier: list[dict[str, int]] = []
    since: str = ""
    settings: dict[str, Scalar] = {}

    def named(self) -> str:
        """``hype 3``, or ``none``."""
        return ", ".join(f"{strategy} {number}" for strategy, number in sorted(self.versions.items())) or "none"


class NoVersion(Exception):
    """A version that is not there, or nothing to go back to; the text says what there is."""


class Versions:
    """All versions of an installation."""

    def __init__(self, paths: Paths) -> None:
        self.folder = paths.data / "settings"
        self._applied = JsonFile(self.folder / "applied.json", Applied, Applied)

    def applied(self) -> Applied:
        """What holds now. Raises StateError for a damaged file without a good copy."""
        return self._applied.load()

    def all(self) -> list[Version]:
        """Every version that can be read, oldest first."""
        found = []
        for path in sorted(self.folder.glob("v*.json")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=Version))
            except msgspec.MsgspecError:
                continue  # `get` tells of it when it is asked for
        return found

    def get(self, number: int) -> Version:
        """One version. Raises NoVersion where it is missing or damaged."""
        try:
            return msgspec.json.decode(self._path(number).read_bytes(), type=Version)
        except FileNotFoundError:
            known = ", ".join(str(each.version) for each in self.all()) or "none yet"
            raise NoVersion(f"there is no version {number}; there are: {known}") from None
        except msgspec.MsgspecError as problem:
            raise NoVersion(f"version {number} is damaged ({problem}); optimise again") from None

    def keep(self, strategy: str, study: str, data_until: str, settings: dict[str, Scalar], before: dict[str, Scalar],
             figures: dict[str, Any]) -> Version:
        """Write a new version; the same settings from the same study are the same version."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "versions"):
            known = self.all()
            for each in known:
                if (each.study, each.settings, each.data_until) == (study, settings, data_until):
                    return each
            numbers = [int(path.stem[1:]) for path in self.folder.glob("v*.json") if path.stem[1:].isdecimal()]
            made = Version(max(numbers, default=0) + 1, strategy, study, iso(now_ms()), data_until, settings, before,
                           figures)
            write_atomic(self._path(made.version), msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
        return made

    def apply(self, number: int) -> Version:
        """Let a version hold from the next start of each service on. Raises NoVersion, StateError, OSError."""
        version = self.get(number)

        def change(now: Applied) -> Applied:
            if now.versions.get(version.strategy) == number:
                return now
            return self._holding({**now.versions, version.strategy: number}, [*now.earlier, now.versions][-MOST_STEPS:])

        self.folder.mkdir(parents=True, exist_ok=True)
        self._applied.update(change)
        return version

    def rollback(self) -> Applied:
        """Go back one step: to an earlier version, or to none. Raises NoVersion where nothing is applied."""
        if not self.applied().versions:
            raise NoVersion("no version is applied; there is nothing to go back from")

        def change(now: Applied) -> Applied:
            if not now.versions:
                return now
            return self._holding(now.earlier[-1] if now.earlier else {}, now.earlier[:-1])

        return self._applied.update(change)

    def _holding(self, versions: dict[str, int], earlier: list[dict[str, int]]) -> Applied:
        settings: dict[str, Scalar] = {}
        for number in versions.values():
            settings |= self.get(number).settings
        return Applied(versions, earlier, iso(now_ms()), settings)

    def _path(self, number: int) -> Path:
        return self.folder / f"v{number:04}.json"


def unusable(version: Version, settings: object) -> str:
    """Why a version cannot be used with the rest of `settings` (groups as attributes); "" if it can."""
    by_group: dict[str, dict[str, Any]] = {}
    for name, value in version.settings.items():
        group, _, field = name.partition(".")
        by_group.setdefault(group, {})[field] = value
    for group, fields in by_group.items():
        model = getattr(settings, group, None)
        if not isinstance(model, BaseModel):
            return f"{group} is not a group of settings"
        try:
            type(model).model_validate({**dict(model), **fields})
        except ValueError as problem:
            return "; ".join(line.strip() for line in str(problem).splitlines()[1:3])
    return ""
