"""An answer of a dialect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: HTTP status, JSON text, headers."""

    status: int
    text: str
    headers: dict[str, str]


class Ready(str):
    """JSON text that is ready to be sent."""
