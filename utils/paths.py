"""Where everything lies: one object that knows each file and folder of the program's state.

``COXSWAIN_HOME`` moves all state (data, models, config) to another folder; the default is the project itself.
"""

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Paths:
    """Folders of one installation; all are below ``home``."""

    home: Path

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def models(self) -> Path:
        return self.home / "models"

    @property
    def config(self) -> Path:
        return self.home / "config"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def run(self) -> Path:
        """Locks, heartbeats and the registry of services."""
        return self.data / "run"

    @property
    def inbox(self) -> Path:
        return self.data / "inbox"

    @property
    def outbox(self) -> Path:
        return self.data / "outbox"

    @property
    def market_data(self) -> Path:
        return self.data / "market_data"

    def prepare(self) -> "Paths":
        """Make the folders; returns itself. Raises OSError where the disk refuses."""
        for folder in (self.config, self.models, self.logs, self.run, self.inbox, self.outbox, self.market_data):
            folder.mkdir(parents=True, exist_ok=True)
        return self


def default_paths() -> Paths:
    """Paths below ``COXSWAIN_HOME``, or below the project."""
    home = os.environ.get("COXSWAIN_HOME", "")
    return Paths(Path(home).expanduser().resolve() if home else PROJECT)
