"""Settings: every one with its value in use, default, source and meaning, from the declarations. For owners only."""

from collections.abc import Sequence
from typing import Any

from utils.wall import now_ms

Reference = Sequence[dict[str, Any]]


class SettingsPage:
    """Takes no arguments. `reference`: rows of ``config/reference.py``, read when the dashboard started."""

    def __init__(self, reference: Reference) -> None:
        self._rows = list(reference)
        self._since_ms = now_ms()

    def __call__(self, arguments: dict[str, str]) -> dict[str, Any]:
        """The page's sections."""
        return {"settings": self._rows, "since_ms": self._since_ms}
